//! A schedule in plain English, for the shapes people write.

use super::fields::{Field, Fields};

/// The months of a year.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Times of day beyond this many are a pattern, not a list to read.
const MOST_TIMES: usize = 3;

/// The fields in words, without the zone; `None` for a shape that has no short sentence.
pub(super) fn words(fields: &Fields) -> Option<String> {
    let every_day = fields.day.is_full() && fields.month.is_full() && fields.weekday.is_full();
    match repetition(fields) {
        Some(words) if every_day => Some(words),
        _ => Some(format!("{} {}", times(fields)?, days(fields)?)),
    }
}

/// `every 15 minutes`, `every 2 hours`.
fn repetition(fields: &Fields) -> Option<String> {
    let every = |step: u8, unit: &str| match step {
        1 => format!("every {unit}"),
        _ => format!("every {step} {unit}s"),
    };
    match fields.minute.step(60)? {
        60 => match fields.hour.step(24)? {
            24 => None,
            step => Some(every(step, "hour")),
        },
        step => fields.hour.is_full().then(|| every(step, "minute")),
    }
}

/// `at 09:00`, `at 09:00 and 17:00`.
fn times(fields: &Fields) -> Option<String> {
    let minute = fields.minute.single()?;
    let hours = fields.hour.values();
    let times: Vec<_> = hours.iter().map(|hour| format!("{hour:02}:{minute:02}")).collect();
    (times.len() <= MOST_TIMES).then(|| format!("at {}", list(&times)))
}

/// `every day`, `on weekdays`, `on day 15 of March`; nothing for both kinds of days at once.
fn days(fields: &Fields) -> Option<String> {
    let Fields { day, month, weekday, .. } = fields;
    match (day.is_full(), weekday.is_full()) {
        (true, true) if month.is_full() => Some("every day".to_owned()),
        (true, true) => Some(format!("every day in {}", months(month))),
        (true, false) if month.is_full() => Some(weekdays(weekday)),
        (true, false) => Some(format!("{} in {}", weekdays(weekday), months(month))),
        (false, true) => {
            let numbers: Vec<_> = day.values().iter().map(u8::to_string).collect();
            let days = if numbers.len() == 1 { "day" } else { "days" };
            let months = if month.is_full() { "each month".to_owned() } else { months(month) };
            Some(format!("on {days} {} of {months}", list(&numbers)))
        }
        (false, false) => None,
    }
}

fn weekdays(weekday: &Field) -> String {
    match weekday.values()[..] {
        [1, 2, 3, 4, 5] => "on weekdays".to_owned(),
        [0, 6] => "on weekends".to_owned(),
        // The week of most readers begins on Monday.
        [0, ref rest @ ..] if !rest.is_empty() => format!("on {}", named(&[rest, &[0]].concat(), &DAYS, 0)),
        ref days => format!("on {}", named(days, &DAYS, 0)),
    }
}

fn months(month: &Field) -> String {
    named(&month.values(), &MONTHS, 1)
}

fn named(values: &[u8], names: &[&str], first: u8) -> String {
    let names: Vec<_> = values
        .iter()
        .filter_map(|value| names.get(usize::from(value - first)).map(|name| (*name).to_owned()))
        .collect();
    list(&names)
}

/// `a`, `a and b`, `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_people_write_read_as_english() {
        for (expression, english) in [
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0,30 * * * *", "every 30 minutes"),
            ("0 * * * *", "every hour"),
            ("0 */6 * * *", "every 6 hours"),
            ("0 9 * * *", "at 09:00 every day"),
            ("@daily", "at 00:00 every day"),
            ("30 9,17 * * *", "at 09:30 and 17:30 every day"),
            ("0 9 * * 1", "at 09:00 on Monday"),
            ("0 9 * * 7", "at 09:00 on Sunday"),
            ("0 9 * * 1-5", "at 09:00 on weekdays"),
            ("0 9 * * 0,6", "at 09:00 on weekends"),
            ("0 9 * * tue,thu,sun", "at 09:00 on Tuesday, Thursday and Sunday"),
            ("0 9 1 * *", "at 09:00 on day 1 of each month"),
            ("0 9 1,15 * *", "at 09:00 on days 1 and 15 of each month"),
            ("0 9 15 3 *", "at 09:00 on day 15 of March"),
            ("0 9 * 12 1", "at 09:00 on Monday in December"),
            ("0 9 * 6,7 *", "at 09:00 every day in June and July"),
        ] {
            assert_eq!(words(&Fields::parse(expression).unwrap()).as_deref(), Some(english), "{expression}");
        }
    }

    #[test]
    fn other_shapes_have_no_short_sentence() {
        for expression in ["*/7 * * * *", "0 9 1 * 1", "0-10 9 * * *", "0 8-18 * * *", "*/15 * * * 1", "5,10 * * * *"] {
            assert_eq!(words(&Fields::parse(expression).unwrap()), None, "{expression}");
        }
    }
}
