//! How fast mail may go, as operators write it, and how long the rest takes. Pure.

use std::fmt;
use std::time::Duration;

/// At most so many messages in a span, or in each of several: `20/s, 5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages for each of [`SPANS`], at least one of them; 0 where there is no limit.
    most: [u32; SPANS.len()],
}

/// Name and seconds, the shortest first.
const SPANS: [(&str, u32); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// One limit of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How long it is.
    pub seconds: u32,
    /// How many messages it may have.
    pub messages: u32,
}

/// A text that is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// A part of it cannot be read.
    #[error("{0:?} is not a number, a slash and a unit, as in 10/s, 300/m, 5000/h or 20000/d")]
    Syntax(String),
    /// Two limits for one span.
    #[error("it has two limits with the unit {0}")]
    Twice(&'static str),
}

impl Rate {
    /// Reads `10/s`, `300/m`, `5000/h` or `20000/d`, or several of them with commas between.
    ///
    /// # Errors
    /// For anything else, and for none at all: to stop a mailing is to pause it.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let mut rate = Self { most: [0; SPANS.len()] };
        for part in text.split(',') {
            let (at, messages) = limit(part).ok_or_else(|| RateError::Syntax(part.trim().to_owned()))?;
            for ((name, _), most) in SPANS.iter().zip(&mut rate.most).skip(at).take(1) {
                if std::mem::replace(most, messages) != 0 {
                    return Err(RateError::Twice(name));
                }
            }
        }
        Ok(rate)
    }

    /// The time between two messages by the shortest span; at least a microsecond.
    #[must_use]
    pub fn spacing(self) -> Duration {
        let shortest =
            self.spans().next().map_or(1, |span| u64::from(span.seconds) * 1_000_000 / u64::from(span.messages));
        Duration::from_micros(shortest.max(1))
    }

    /// The longer spans. Messages are not spaced by them, but counted.
    pub fn counted(self) -> impl Iterator<Item = Span> {
        self.spans().skip(1)
    }

    fn spans(self) -> impl Iterator<Item = Span> {
        let span = |((_, seconds), messages): (&(&str, u32), u32)| Span { seconds: *seconds, messages };
        SPANS.iter().zip(self.most).map(span).filter(|span| span.messages > 0)
    }
}

/// One limit: which span, and how many.
fn limit(text: &str) -> Option<(usize, u32)> {
    let (number, unit) = text.split_once('/')?;
    let at = SPANS.iter().position(|(name, _)| *name == unit.trim())?;
    let digits = number.trim();
    let messages = digits.parse().ok().filter(|n| *n > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((at, messages))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SPANS.iter().find(|(_, seconds)| *seconds == self.seconds).map_or("s", |(name, _)| name);
        write!(f, "{}/{name}", self.messages)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, span) in self.spans().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{span}")?;
        }
        Ok(())
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
            assert_eq!(rate.counted().count(), 0);
        }
        assert_eq!(Rate::parse("4000000000/s").unwrap().spacing(), Duration::from_micros(1));
        for wrong in ["", "10", "10/", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/w", "10/s/s", "99999999999/s", "10/s,"]
        {
            let part = wrong.rsplit(',').next().unwrap_or_default();
            assert_eq!(Rate::parse(wrong), Err(RateError::Syntax(part.into())), "{wrong}");
        }
    }

    #[test]
    fn several_limits_are_in_the_order_of_their_spans() {
        let rate = Rate::parse("50000/d,5000/h , 20/s").unwrap();
        assert_eq!((rate.to_string().as_str(), rate.spacing()), ("20/s, 5000/h, 50000/d", Duration::from_millis(50)));
        let hour = Span { seconds: 3_600, messages: 5_000 };
        assert_eq!(rate.counted().collect::<Vec<_>>(), [hour, Span { seconds: 86_400, messages: 50_000 }]);
        let twice = Rate::parse("20/s, 30/s").unwrap_err();
        assert_eq!(twice.to_string(), "it has two limits with the unit s");
        let wrong = Rate::parse("20/s, 5000").unwrap_err().to_string();
        assert_eq!(wrong, "\"5000\" is not a number, a slash and a unit, as in 10/s, 300/m, 5000/h or 20000/d");
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
