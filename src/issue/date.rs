//! Dates as editors write them, from `2020-3-12` to RFC 3339; also in names of files and folders.

use std::ops::RangeInclusive;

use chrono::{DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

/// A year outside is a typing error, and past 9999 the date has no form in RSS.
const YEARS: RangeInclusive<i32> = 1900..=2999;

/// Reads a date, with or without time and zone; `zone` is where it is when it does not say. `None` when it is none.
///
/// Year first: `2020-03-12`, `2020-12-2`, `2020/3/12`, `2013-06-07 18:46`, `2026-08-20 22:00:00 -0000`, RFC 3339, and the
/// timestamps of YAML 1.1 (`2001-12-14 21:59:43.10 -5`) and TOML.
pub(super) fn read(text: &str, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    let end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, rest) = text.split_at_checked(end)?;
    let date = read_date(date)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim();
    if rest.is_empty() {
        return settle(date.and_time(NaiveTime::MIN), zone);
    }
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | ':' | '.')).unwrap_or(rest.len());
    let (time, offset) = rest.split_at_checked(end)?;
    let local = date.and_time(read_time(time)?);
    match offset.trim() {
        "" => settle(local, zone),
        offset => read_offset(offset)?.from_local_datetime(&local).single(),
    }
}

/// The date that a file name, without its extension, begins with: `2020-03-12-march`, `2020-3-1_march`, `2020-03-12`.
pub(super) fn of_file_name(name: &str, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let mut parts = name.splitn(3, ['-', '_']);
    let (year, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, after) = rest.split_at_checked(end)?;
    if after.starts_with(char::is_alphanumeric) {
        return None;
    }
    settle(day_of(year, month, day)?.and_time(NaiveTime::MIN), zone)
}

/// The date that folders make: `2020/03/12/`, or `2020/03/`, which is the first of the month. The deepest one counts.
pub(super) fn of_folders(path: &str, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let folders: Vec<&str> = path.rsplit_once('/')?.0.split('/').collect();
    let date = (0..folders.len()).rev().find_map(|at| match folders.get(at..)? {
        [year, month, day, ..] if is_number(day, 1..=2) => day_of(year, month, day),
        [year, month, ..] => day_of(year, month, "1"),
        _ => None,
    })?;
    settle(date.and_time(NaiveTime::MIN), zone)
}

fn is_number(text: &str, digits: RangeInclusive<usize>) -> bool {
    number(text, digits).is_some()
}

/// A number of up to `digits` ASCII digits.
fn number(text: &str, digits: RangeInclusive<usize>) -> Option<u32> {
    let fine = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fine.then(|| text.parse().ok()).flatten()
}

fn read_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split(if text.contains('/') { '/' } else { '-' });
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then(|| day_of(year, month, day)).flatten()
}

fn day_of(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    let year = i32::try_from(number(year, 4..=4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(month, 1..=2)?, number(day, 1..=2)?);
    date.filter(|_| YEARS.contains(&year))
}

/// `H:MM`, `HH:MM:SS`, and a fraction, which is dropped: the store keeps whole milliseconds and no editor means less
/// than a second.
fn read_time(text: &str) -> Option<NaiveTime> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    number(fraction.get(..1)?, 1..=1)?;
    let mut parts = text.split(':');
    let hour = number(parts.next()?, 1..=2)?;
    let minute = number(parts.next()?, 2..=2)?;
    let second = parts.next().map_or(Some(0), |second| number(second, 2..=2))?;
    let whole = parts.next().is_none() && (fraction == "0" || text.matches(':').count() == 2);
    // A leap second is the last second of its minute: chrono counts it so, and mail clients choke on :60.
    whole.then(|| NaiveTime::from_hms_opt(hour, minute, second.min(59))).flatten().filter(|_| second <= 60)
}

/// `Z`, `UTC`, `GMT`, `+02:00`, `+0200`, `+02`, `-5`.
fn read_offset(text: &str) -> Option<FixedOffset> {
    if ["z", "utc", "gmt"].contains(&text.to_ascii_lowercase().as_str()) {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 14 && minutes < 60).then(|| FixedOffset::east_opt(sign * seconds)).flatten()
}

/// The instant of a local time. One that occurs twice is the first; one that a clock change skips is read with the
/// offset before the change (RFC 5545 section 3.3.5), so it lands as much after the gap as it was written into it.
fn settle(local: NaiveDateTime, zone: Tz) -> Option<DateTime<FixedOffset>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(date) | LocalResult::Ambiguous(date, _) => Some(date.fixed_offset()),
        LocalResult::None => {
            let before = zone.offset_from_utc_datetime(&local.checked_sub_days(Days::new(2))?).fix();
            let instant = before.from_local_datetime(&local).single()?;
            Some(instant.with_timezone(&zone).fixed_offset())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc3339(text: &str, zone: Tz) -> Option<String> {
        read(text, zone).map(|date| date.to_rfc3339())
    }

    #[test]
    fn dates_are_read_in_the_forms_that_editors_use() {
        let berlin = chrono_tz::Europe::Berlin;
        for (text, expected) in [
            ("2020-03-12", "2020-03-12T00:00:00+01:00"),
            ("2020-12-2", "2020-12-02T00:00:00+01:00"),
            ("2020/03/12", "2020-03-12T00:00:00+01:00"),
            ("2020-6-2", "2020-06-02T00:00:00+02:00"),
            ("2013-06-07 18:46", "2013-06-07T18:46:00+02:00"),
            ("2013-06-07 8:46:30", "2013-06-07T08:46:30+02:00"),
            ("2026-08-20 22:00:00 -0000", "2026-08-20T22:00:00+00:00"),
            ("2020-03-12T18:30:00+01:00", "2020-03-12T18:30:00+01:00"),
            ("2020-03-12T18:30:00.123456789Z", "2020-03-12T18:30:00+00:00"),
            ("2020-03-12t18:30:00z", "2020-03-12T18:30:00+00:00"),
            ("2020-03-12T18:30:00", "2020-03-12T18:30:00+01:00"),
            ("2001-12-14 21:59:43.10 -5", "2001-12-14T21:59:43-05:00"),
            ("2001-12-14 21:59 UTC", "2001-12-14T21:59:00+00:00"),
            ("2001-12-14 21:59+0530", "2001-12-14T21:59:00+05:30"),
            ("  2020-03-12  ", "2020-03-12T00:00:00+01:00"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59+00:00"),
        ] {
            assert_eq!(rfc3339(text, berlin).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_none() {
        for text in [
            "",
            "soon",
            "2020",
            "2020-03",
            "2020-13-01",
            "2020-02-30",
            "20-03-12",
            "12-03-2020",
            "2020-03-12-1",
            "2020-03/12",
            "12/03/2020",
            "2024-04-17 14:4g5:00 -0000",
            "2020-03-12 25:00",
            "2020-03-12 18",
            "2020-03-12 18:3",
            "2020-03-12 18:30.5",
            "2020-03-12 18:30:61",
            "2020-03-12 18:30 CET",
            "2020-03-12 18:30 +15:00",
            "2020-03-12 18:30 +1:0",
            "2020-03-12T18:30:00.Z",
            "9020-03-12",
            "1020-03-12",
            "2021-(TODO: MM-DD)",
            "٢٠٢٠-03-12",
            "2020-03-é",
            "07:32:00",
        ] {
            assert_eq!(rfc3339(text, chrono_tz::UTC), None, "{text}");
        }
    }

    #[test]
    fn file_names_and_folders_have_dates_where_they_begin_with_one() {
        let date = |found: Option<DateTime<FixedOffset>>| found.map(|date| date.format("%Y-%m-%d").to_string());
        for (name, expected) in [
            ("2020-03-12-march", Some("2020-03-12")),
            ("2020-3-1_march", Some("2020-03-01")),
            ("2020_03_12", Some("2020-03-12")),
            ("2026-01-05-newsletter.it", Some("2026-01-05")),
            ("2020-03-12.de", Some("2020-03-12")),
            ("2020-03-12th", None),
            ("2020-03-123", None),
            ("2020-03", None),
            ("2020-13-01-x", None),
            ("2020-02-30", None),
            ("20-03-12-x", None),
            ("march-2020-03-12", None),
            ("2020-é-1", None),
            ("", None),
        ] {
            assert_eq!(date(of_file_name(name, chrono_tz::UTC)).as_deref(), expected, "{name}");
        }
        for (path, expected) in [
            ("2020/03/12/a.md", Some("2020-03-12")),
            ("blog/2020/3/a.md", Some("2020-03-01")),
            ("2019/12/2020/03/12/index.md", Some("2020-03-12")),
            ("2020/03/images/a.md", Some("2020-03-01")),
            ("2020/02/31/a.md", None),
            ("2020/13/a.md", None),
            ("2020/a.md", None),
            ("1020/03/a.md", None),
            ("2020/03", None),
            ("a.md", None),
        ] {
            assert_eq!(date(of_folders(path, chrono_tz::UTC)).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_local_time_that_is_skipped_or_occurs_twice_still_is_an_instant() {
        for (text, zone, expected) in [
            ("2024-03-31 02:30", chrono_tz::Europe::Berlin, "2024-03-31T03:30:00+02:00"),
            ("2024-10-27 02:30", chrono_tz::Europe::Berlin, "2024-10-27T02:30:00+02:00"),
            ("2018-11-04", chrono_tz::America::Sao_Paulo, "2018-11-04T01:00:00-02:00"),
            ("2011-12-30", chrono_tz::Pacific::Apia, "2011-12-31T00:00:00+14:00"),
        ] {
            assert_eq!(rfc3339(text, zone).as_deref(), Some(expected), "{text} in {zone}");
        }
    }
}
