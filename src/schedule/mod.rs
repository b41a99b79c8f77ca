//! Cron expressions with a time zone, and their occurrences in local time. The one wrapper around `cron`. Pure.

mod fields;
mod local;
mod words;

pub use words::MONTHS;

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use fields::Fields;

/// A five-field Unix cron expression (minute, hour, day of month, month, day of week; 0 and 7 are Sunday;
/// names; `@daily` and friends) in a time zone.
///
/// Day of month and day of week are joined by OR when both are restricted, as crontab(5) has it.
#[derive(Clone, Debug)]
pub struct Schedule {
    expression: String,
    timezone: Tz,
    fields: Fields,
    /// Any of them fires. `cron` sees local time dressed as UTC, which has no DST: the DST rule is ours.
    crons: Vec<cron::Schedule>,
}

/// One firing of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its identity: the local date and time of the expression, also where a DST change skips it.
    pub local: NaiveDateTime,
    /// The instant it fires: the first valid one at or after `local`, and the first of two.
    pub at: DateTime<Utc>,
}

/// An expression that cannot be a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It does not parse. The text says why, such as `hour 25 is not in 0-23`.
    #[error("{0}")]
    Syntax(String),
    /// It parses but no date ever matches, such as 30 February. The text is the expression.
    #[error("{0:?} never fires: no date matches it")]
    Never(String),
}

/// What a scheduler has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing has fired since the last look.
    Nothing,
    /// The newest occurrence fired and is within its grace period; older missed ones fold into it.
    Fire(Occurrence),
    /// The newest occurrence was missed by more than the grace period: report it, do not fire.
    Missed(Occurrence),
}

/// `cron` knows the years 1970 to 2100.
const EPOCH: NaiveDateTime = DateTime::UNIX_EPOCH.naive_utc();
const LAST_YEAR: i32 = 2100;

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it does not parse, or never fires.
    pub fn parse(expression: &str, timezone: Tz) -> Result<Self, ScheduleError> {
        let fields = Fields::parse(expression).map_err(ScheduleError::Syntax)?;
        let crons = fields.for_cron().iter().map(|text| cron::Schedule::from_str(text)).collect::<Result<_, _>>();
        let crons = crons.map_err(|error| ScheduleError::Syntax(error.to_string()))?;
        let schedule = Self { expression: expression.trim().to_owned(), timezone, fields, crons };
        // 1970 to 2100 holds every pairing of date, weekday and leap year that there is.
        if schedule.local_after(EPOCH).is_none() {
            return Err(ScheduleError::Never(schedule.expression));
        }
        Ok(schedule)
    }

    /// The expression as written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone.
    #[must_use]
    pub fn timezone(&self) -> Tz {
        self.timezone
    }

    /// The first occurrence whose `local` time is later than `after`. `None` from the year 2100 on.
    #[must_use]
    pub fn next_after(&self, after: NaiveDateTime) -> Option<Occurrence> {
        self.local_after(after).map(|local| self.occurrence(local))
    }

    /// The first occurrence that fires after the instant `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let mut occurrence = self.next_after(local::wall(now, self.timezone))?;
        // In the second pass of a repeated hour, the rest of that hour has fired already: at most its minutes are skipped.
        while occurrence.at <= now {
            occurrence = self.next_after(occurrence.local)?;
        }
        Some(occurrence)
    }

    /// What is due at `now`, when `last` is the local time of the last occurrence that was dealt with. A clock that
    /// jumps back gives [`Due::Nothing`].
    #[must_use]
    pub fn due(&self, last: NaiveDateTime, now: DateTime<Utc>, grace: Duration) -> Due {
        match self.newest(now) {
            Some(newest) if newest.local > last => {
                let late = (now - newest.at).to_std().unwrap_or_default();
                if late > grace { Due::Missed(newest) } else { Due::Fire(newest) }
            }
            _ => Due::Nothing,
        }
    }

    /// The newest occurrence that has fired at `now`, searched backwards, so that a long downtime costs nothing.
    fn newest(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        // In the second pass of a repeated hour, local times up to the end of that hour have fired.
        let latest = local::wall(now, self.timezone) + local::repeated(now, self.timezone);
        let mut before = latest + TimeDelta::minutes(1);
        loop {
            let occurrence = self.occurrence(self.local_before(before)?);
            if occurrence.at <= now {
                return Some(occurrence);
            }
            before = occurrence.local;
        }
    }

    fn occurrence(&self, local: NaiveDateTime) -> Occurrence {
        Occurrence { local, at: local::instant(local, self.timezone) }
    }

    fn local_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // One second before the first year, so that its first midnight counts.
        let after = after.max(EPOCH - TimeDelta::seconds(1)).and_utc();
        let within = chrono::Datelike::year(&after) <= LAST_YEAR;
        let first = |cron: &cron::Schedule| within.then(|| cron.after(&after).next()).flatten();
        self.crons.iter().filter_map(first).min().map(|at| at.naive_utc())
    }

    /// The last local time that matches before `before`, which is taken to the whole minute.
    fn local_before(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let end = NaiveDate::from_ymd_opt(LAST_YEAR + 1, 1, 1)?.and_time(NaiveTime::MIN);
        let before = before.with_second(0)?.with_nanosecond(0)?.min(end);
        if before <= EPOCH {
            return None;
        }
        let last = |cron: &cron::Schedule| cron.after(&before.and_utc()).next_back();
        self.crons.iter().filter_map(last).max().map(|at| at.naive_utc())
    }

    /// The schedule in words, such as `at 09:00 on Monday, Europe/Berlin`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let words = words::words(&self.fields);
        let words = words.unwrap_or_else(|| format!("on the schedule {:?}", self.expression));
        format!("{words}, {}", self.timezone)
    }
}

#[cfg(test)]
mod tests;
