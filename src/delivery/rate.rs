//! How fast mail may go, as operators write it, and how long the rest takes. Pure.

use std::fmt;
use std::time::Duration;

/// So many messages in a span, evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    messages: u32,
    per: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    const ALL: [(&str, Self, u64); 4] =
        [("s", Self::Second, 1), ("m", Self::Minute, 60), ("h", Self::Hour, 3_600), ("d", Self::Day, 86_400)];
}

/// A text that is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number, a slash and a unit, as in 10/s, 300/m, 5000/h or 20000/d")]
pub struct RateError;

impl Rate {
    /// Reads `10/s`, `300/m`, `5000/h` or `20000/d`.
    ///
    /// # Errors
    /// For anything else, and for none at all: to stop a mailing is to pause it.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let (number, unit) = text.split_once('/').ok_or(RateError)?;
        let per = Unit::ALL.into_iter().find(|(name, ..)| *name == unit.trim()).map(|(_, unit, _)| unit);
        let digits = number.trim();
        let messages = digits.parse().ok().filter(|n| *n > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Self { messages: messages.ok_or(RateError)?, per: per.ok_or(RateError)? })
    }

    /// The time between two messages; at least a microsecond.
    #[must_use]
    pub fn spacing(self) -> Duration {
        let seconds = Unit::ALL.into_iter().find(|(_, unit, _)| *unit == self.per).map_or(1, |(.., seconds)| seconds);
        Duration::from_micros((seconds * 1_000_000 / u64::from(self.messages)).max(1))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Unit::ALL.into_iter().find(|(_, unit, _)| *unit == self.per).map_or("s", |(name, ..)| name);
        write!(f, "{}/{name}", self.messages)
    }
}

/// How long the rest takes at a rate in messages a second; `None` when nothing moves.
#[must_use]
pub fn remaining(people: i64, done: i64, per_second: f64) -> Option<Duration> {
    let rest = people.saturating_sub(done).max(0);
    if rest == 0 {
        return Some(Duration::ZERO);
    }
    // A rest of more than 2^53 is not a mailing.
    Duration::try_from_secs_f64((rest as f64 / per_second).ceil()).ok().filter(|_| per_second > 0.0)
}

/// A new rate from the last one and what was done since: smooth enough to read, quick enough to follow.
#[must_use]
pub fn smooth(last: Option<f64>, done: i64, span: Duration) -> f64 {
    let now = done.max(0) as f64 / span.as_secs_f64().max(0.001);
    match last {
        Some(last) if last > 0.0 && now > 0.0 => last * 0.5 + now * 0.5,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_shown_as_it_was_written() {
        for (text, micros) in [("10/s", 100_000), ("300/m", 200_000), ("5000/h", 720_000), ("20000/d", 4_320_000)] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!((rate.spacing(), rate.to_string().as_str()), (Duration::from_micros(micros), text));
        }
        assert_eq!(Rate::parse("4000000000/s").unwrap().spacing(), Duration::from_micros(1));
        for wrong in ["", "10", "10/", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/w", "10/s/s", "99999999999/s"] {
            assert_eq!(Rate::parse(wrong), Err(RateError), "{wrong}");
        }
    }

    #[test]
    fn the_rest_takes_as_long_as_it_takes() {
        assert_eq!(remaining(100, 50, 10.0), Some(Duration::from_secs(5)));
        assert_eq!(remaining(100, 100, 0.0), Some(Duration::ZERO));
        assert_eq!(remaining(100, 120, 1.0), Some(Duration::ZERO));
        assert_eq!(remaining(100, 50, 0.0), None);
    }

    #[test]
    fn a_rate_follows_what_is_done() {
        let second = Duration::from_secs(1);
        assert_eq!(smooth(None, 100, second), 100.0);
        assert_eq!(smooth(Some(50.0), 100, second), 75.0);
        assert_eq!(smooth(Some(50.0), 0, second), 0.0, "what is paused stands still at once");
    }
}
