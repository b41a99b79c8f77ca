//! The DST rule: which instant a local time means.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// No zone is further from UTC than this (the widest in use are UTC-12 and UTC+14), and none ever skipped more than a day.
const WIDEST: TimeDelta = TimeDelta::hours(26);

/// The first valid instant whose local time is `local` or later: the time itself, the first of two, or the end of the gap it
/// falls into. Grows with `local`, never shrinks; two local times in one gap give the same instant.
pub(super) fn instant(local: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    match timezone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => at.to_utc(),
        MappedLocalTime::Ambiguous(one, other) => one.to_utc().min(other.to_utc()),
        MappedLocalTime::None => end_of_gap(local, timezone),
    }
}

/// Searches the second at which local time jumps over `local`.
fn end_of_gap(local: NaiveDateTime, timezone: Tz) -> DateTime<Utc> {
    let (mut before, mut after) = (local.and_utc() - WIDEST, local.and_utc() + WIDEST);
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if wall(middle, timezone) < local {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

/// What the clock on the wall shows at an instant.
pub(super) fn wall(at: DateTime<Utc>, timezone: Tz) -> NaiveDateTime {
    at.with_timezone(&timezone).naive_local()
}

/// How long ago the clock on the wall already showed what it shows now: zero, except in the second pass of a repeated hour.
pub(super) fn repeated(at: DateTime<Utc>, timezone: Tz) -> TimeDelta {
    at - instant(wall(at, timezone), timezone).min(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn a_local_time_means_its_first_instant_or_the_end_of_its_gap() {
        for (zone, written, at) in [
            ("UTC", "2026-03-29 02:30", "2026-03-29T02:30:00+00:00"),
            ("Asia/Kolkata", "2026-03-29 02:30", "2026-03-28T21:00:00+00:00"),
            // Spring: 02:00 to 03:00 is skipped; autumn: 02:00 to 03:00 comes twice.
            ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29T00:59:00+00:00"),
            ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29T01:00:00+00:00"),
            ("Europe/Berlin", "2026-03-29 02:59", "2026-03-29T01:00:00+00:00"),
            ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00+00:00"),
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00+00:00"),
            ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00+00:00"),
            ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:00:00+00:00"),
            ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00+00:00"),
            // Half an hour.
            ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:30:00+00:00"),
            ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00+00:00"),
            // Midnight itself was skipped, then a whole day was.
            ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04T03:00:00+00:00"),
            ("Pacific/Apia", "2011-12-30 09:00", "2011-12-30T10:00:00+00:00"),
            // A gap that does not end on a minute's multiple of anything.
            ("Africa/Monrovia", "1972-01-07 00:10", "1972-01-07T00:44:30+00:00"),
        ] {
            assert_eq!(instant(local(written), zone.parse().unwrap()).to_rfc3339(), at, "{zone} {written}");
        }
    }

    #[test]
    fn only_the_second_pass_of_a_repeated_hour_is_a_repetition() {
        let berlin = chrono_tz::Europe::Berlin;
        for (at, minutes) in [
            ("2026-10-25T00:30:00Z", 0),
            ("2026-10-25T00:59:59Z", 0),
            ("2026-10-25T01:00:00Z", 60),
            ("2026-10-25T01:59:59Z", 60),
            ("2026-10-25T02:00:00Z", 0),
            ("2026-03-29T01:00:00Z", 0),
        ] {
            assert_eq!(repeated(at.parse().unwrap(), berlin), TimeDelta::minutes(minutes), "{at}");
        }
    }
}
