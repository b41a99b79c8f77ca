//! The five fields of a crontab(5) expression: read with errors a person can act on, written in the form of `cron`.
//!
//! We read the fields ourselves because `cron` counts Sunday as 1, wants seconds, and its errors do not name the field.

/// One field: which values match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Bit n is set when the value n matches.
    bits: u64,
    /// Whether the field starts with `*`; decides how the two day fields are joined.
    star: bool,
    unit: &'static Unit,
}

/// What a field counts.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    name: &'static str,
    least: u8,
    /// The largest number that may be written: 7 for Sunday, which is stored as 0.
    most: u8,
    /// Three-letter names; the first one means `least`.
    names: &'static [&'static str],
}

const MINUTE: Unit = Unit { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Unit = Unit { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Unit = Unit { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Unit = Unit {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Unit =
    Unit { name: "day of week", least: 0, most: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// The five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day: Field,
    pub(super) month: Field,
    pub(super) weekday: Field,
}

impl Fields {
    /// Reads five fields or one of the `@` names of crontab(5). The error says why not, without a full stop.
    pub(super) fn parse(expression: &str) -> Result<Self, String> {
        let expanded = match expression.trim().to_ascii_lowercase().as_str() {
            "@hourly" => "0 * * * *".to_owned(),
            "@daily" | "@midnight" => "0 0 * * *".to_owned(),
            "@weekly" => "0 0 * * 0".to_owned(),
            "@monthly" => "0 0 1 * *".to_owned(),
            "@yearly" | "@annually" => "0 0 1 1 *".to_owned(),
            name if name.starts_with('@') => {
                return Err(format!("{name:?} is not one of @hourly, @daily, @weekly, @monthly and @yearly"));
            }
            fields => fields.to_owned(),
        };
        let fields: Vec<&str> = expanded.split_whitespace().collect();
        match fields[..] {
            [minute, hour, day, month, weekday] => Ok(Self {
                minute: MINUTE.field(minute)?,
                hour: HOUR.field(hour)?,
                day: DAY.field(day)?,
                month: MONTH.field(month)?,
                weekday: WEEKDAY.field(weekday)?,
            }),
            [] => Err("it is empty".to_owned()),
            [_, _, _, _, _, _] | [_, _, _, _, _, _, _] => {
                Err(format!("it has {} fields, and seconds are not supported", fields.len()))
            }
            [_] => Err("it has 1 field".to_owned()),
            _ => Err(format!("it has {} fields", fields.len())),
        }
    }

    /// One or two expressions for `cron` that together fire when this one does. There are two when both day fields are
    /// restricted, because either may match then: "if both fields are restricted (i.e., do not start with `*`), the
    /// command will be run when either field matches" (crontab(5)).
    pub(super) fn for_cron(&self) -> Vec<String> {
        let either = !self.day.star && !self.weekday.star;
        let time = format!("0 {} {}", self.minute.list(0), self.hour.list(0));
        let (day, month, weekday) = (self.day.list(0), self.month.list(0), self.weekday.list(1));
        if either {
            vec![format!("{time} {day} {month} *"), format!("{time} * {month} {weekday}")]
        } else {
            vec![format!("{time} {day} {month} {weekday}")]
        }
    }
}

impl Field {
    /// The values that match, in order.
    pub(super) fn values(&self) -> Vec<u8> {
        (self.unit.least..=self.unit.most).filter(|value| self.bits & (1 << value) != 0).collect()
    }

    /// Whether every value matches.
    pub(super) fn is_full(&self) -> bool {
        self.bits == self.unit.full()
    }

    /// The one value that matches, when it is only one.
    pub(super) fn single(&self) -> Option<u8> {
        match self.values()[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// `n` when the values are 0, n, 2n, ... and n divides `cycle`, so that the step is even across its end.
    pub(super) fn step(&self, cycle: u8) -> Option<u8> {
        let values = self.values();
        let step = match values[..] {
            [0] => cycle,
            [0, second, ..] => second,
            _ => return None,
        };
        let expected: Vec<u8> = (0..cycle).step_by(usize::from(step)).collect();
        (cycle.is_multiple_of(step) && values == expected).then_some(step)
    }

    /// `*` or a list of numbers, each moved up by `shift`: in `cron`, Sunday is 1.
    fn list(&self, shift: u8) -> String {
        if self.is_full() {
            return "*".to_owned();
        }
        self.values().iter().map(|value| (value + shift).to_string()).collect::<Vec<_>>().join(",")
    }
}

impl Unit {
    fn full(&self) -> u64 {
        (self.least..=self.most).fold(0, |bits, value| bits | self.bit(value))
    }

    fn bit(&self, value: u8) -> u64 {
        if self.most == 7 && value == 7 { 1 } else { 1 << value }
    }

    /// Reads a list of items.
    fn field(&'static self, text: &str) -> Result<Field, String> {
        let mut bits = 0;
        for item in text.split(',') {
            bits |= self.item(item)?;
        }
        Ok(Field { bits, star: text.starts_with('*'), unit: self })
    }

    /// Reads `*`, `a`, `a-b`, `*/n` or `a-b/n`.
    fn item(&self, text: &str) -> Result<u64, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => self.range(range, first, last)?,
            None => {
                let value = self.value(range)?;
                if step.is_some() {
                    return Err(format!(
                        "the step of {text:?} in {} needs a range before it, such as {value}-{}",
                        self.name, self.most
                    ));
                }
                (value, value)
            }
        };
        let values = (first..=last).step_by(usize::from(step.unwrap_or(1)));
        // `*/3` counts Sunday once, as 0: the 7 is another way to write it, not an eighth day.
        let values = values.filter(|value| range != "*" || *value < 7 || self.most != 7);
        Ok(values.fold(0, |bits, value| bits | self.bit(value)))
    }

    fn range(&self, text: &str, first: &str, last: &str) -> Result<(u8, u8), String> {
        let (first, mut last) = (self.value(first)?, self.value(last)?);
        if self.most == 7 && last == 0 && first > 0 {
            last = 7; // fri-sun ends the week
        }
        if first > last {
            return Err(format!("the range {text} in {} runs backwards", self.name));
        }
        Ok((first, last))
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        match number(text) {
            Some(step) if (1..=u32::from(self.most)).contains(&step) => Ok(u8::try_from(step).unwrap_or(1)),
            _ => Err(format!("the step {text:?} in {} is not in 1-{}", self.name, self.most)),
        }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let Self { name, least, most, names } = self;
        if let Some(position) = names.iter().position(|name| *name == text) {
            return Ok(u8::try_from(position).unwrap_or_default() + least);
        }
        match (number(text), names) {
            (Some(value), _) => u8::try_from(value)
                .ok()
                .filter(|value| (*least..=*most).contains(value))
                .ok_or_else(|| format!("{name} {text} is not in {least}-{most}")),
            (None, [first, .., last]) => {
                Err(format!("{text:?} is no {name}: it is {least}-{most} or {first} to {last}"))
            }
            (None, _) if text.is_empty() => Err(format!("the {name} has an empty item")),
            (None, _) => Err(format!("{text:?} is no {name}: it is {least}-{most}")),
        }
    }
}

/// Digits only: `u32::from_str` would take a `+`.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_the_form_of_cron() {
        for (unix, cron) in [
            ("0 9 * * 1", &["0 0 9 * * 2"][..]),
            ("0 9 * * 0", &["0 0 9 * * 1"]),
            ("0 9 * * 7", &["0 0 9 * * 1"]),
            ("0 9 * * mon-fri", &["0 0 9 * * 2,3,4,5,6"]),
            ("0 9 * * FRI-SUN", &["0 0 9 * * 1,6,7"]),
            ("0 9 * * 5-7", &["0 0 9 * * 1,6,7"]),
            ("0 9 * * */2", &["0 0 9 * * 1,3,5,7"]),
            ("0 9 * * */7", &["0 0 9 * * 1"]),
            ("0 9 * * 0-7", &["0 0 9 * * *"]),
            ("*/15 * * * *", &["0 0,15,30,45 * * * *"]),
            ("10-20/5,40 1,2 1 feb,dec *", &["0 10,15,20,40 1,2 1 2,12 *"]),
            ("0 9 1 * 1", &["0 0 9 1 * *", "0 0 9 * * 2"]),
            ("0 9 */2 * 1", &["0 0 9 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * 2"]),
            ("0 9 1 * */2", &["0 0 9 1 * 1,3,5,7"]),
            ("0 9 1-31 * 1", &["0 0 9 * * *", "0 0 9 * * 2"]),
            ("@hourly", &["0 0 * * * *"]),
            ("@daily", &["0 0 0 * * *"]),
            ("@weekly", &["0 0 0 * * 1"]),
            ("@monthly", &["0 0 0 1 * *"]),
            (" @Yearly ", &["0 0 0 1 1 *"]),
        ] {
            assert_eq!(Fields::parse(unix).unwrap().for_cron(), cron, "{unix}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_field_and_its_range() {
        for (unix, why) in [
            ("", "it is empty"),
            ("0", "it has 1 field"),
            ("0 9 * *", "it has 4 fields"),
            ("0 0 9 * * 1", "it has 6 fields, and seconds are not supported"),
            ("0 0 9 * * 1 2026", "it has 7 fields, and seconds are not supported"),
            ("0 25 * * *", "hour 25 is not in 0-23"),
            ("60 * * * *", "minute 60 is not in 0-59"),
            ("0 0 0 * *", "day of month 0 is not in 1-31"),
            ("0 0 * 99999999999 *", "\"99999999999\" is no month: it is 1-12 or jan to dec"),
            ("0 0 * 13 *", "month 13 is not in 1-12"),
            ("0 0 * * 8", "day of week 8 is not in 0-7"),
            ("0 0 * * monday", "\"monday\" is no day of week: it is 0-7 or sun to sat"),
            ("0 nine * * *", "\"nine\" is no hour: it is 0-23"),
            ("+5 9 * * *", "\"+5\" is no minute: it is 0-59"),
            ("0,,5 9 * * *", "the minute has an empty item"),
            ("20-10 9 * * *", "the range 20-10 in minute runs backwards"),
            ("*/0 9 * * *", "the step \"0\" in minute is not in 1-59"),
            ("*/90 9 * * *", "the step \"90\" in minute is not in 1-59"),
            ("5/15 9 * * *", "the step of \"5/15\" in minute needs a range before it, such as 5-59"),
            ("? 9 * * *", "\"?\" is no minute: it is 0-59"),
            ("@reboot", "\"@reboot\" is not one of @hourly, @daily, @weekly, @monthly and @yearly"),
        ] {
            assert_eq!(Fields::parse(unix), Err(why.to_owned()), "{unix}");
        }
    }
}
