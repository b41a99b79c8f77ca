//! Cron expressions with a time zone, and their occurrences in local time. The one wrapper around `cron`. Pure.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

/// A five-field Unix cron expression (minute, hour, day of month, month, day of week; 0 and 7 are Sunday;
/// names; `@daily` and friends) in a time zone.
///
/// Day of month and day of week are joined by OR when both are restricted, as crontab(5) has it.
#[derive(Clone, Debug)]
pub struct Schedule {}

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
    /// It does not parse.
    #[error("{0}")]
    Syntax(String),
    /// It parses but no date ever matches, such as 30 February.
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

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it does not parse, or never fires.
    pub fn parse(expression: &str, timezone: Tz) -> Result<Self, ScheduleError> {
        let _ = (expression, timezone);
        todo!()
    }

    /// The expression as written.
    #[must_use]
    pub fn expression(&self) -> &str {
        todo!()
    }

    /// The zone.
    #[must_use]
    pub fn timezone(&self) -> Tz {
        todo!()
    }

    /// The first occurrence whose `local` time is later than `after`.
    #[must_use]
    pub fn next_after(&self, after: NaiveDateTime) -> Option<Occurrence> {
        let _ = after;
        todo!()
    }

    /// The first occurrence that fires after the instant `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let _ = now;
        todo!()
    }

    /// What is due at `now`, when `last` is the local time of the last occurrence that was dealt with. A clock that
    /// jumps back gives [`Due::Nothing`].
    #[must_use]
    pub fn due(&self, last: NaiveDateTime, now: DateTime<Utc>, grace: std::time::Duration) -> Due {
        let _ = (last, now, grace);
        todo!()
    }

    /// The schedule in words, such as `at 09:00 on Monday, Europe/Berlin`.
    #[must_use]
    pub fn in_words(&self) -> String {
        todo!()
    }
}
