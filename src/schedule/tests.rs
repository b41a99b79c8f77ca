//! Tables for the rules of time, and a minute-by-minute oracle that knows nothing of `cron`.

use super::*;
use chrono::Datelike;

const DAY: Duration = Duration::from_secs(86_400);

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone.parse().unwrap()).unwrap()
}

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn written(occurrence: Option<Occurrence>) -> (String, String) {
    occurrence.map_or_else(Default::default, |o| {
        (o.local.format("%Y-%m-%d %H:%M").to_string(), o.at.format("%Y-%m-%dT%H:%MZ").to_string())
    })
}

#[test]
fn the_next_occurrence_is_found_across_dst_days_years_and_leap_days() {
    for (expression, zone, after, local_time, at) in [
        ("0 9 * * 1", "Europe/Berlin", "2026-03-23 09:00", "2026-03-30 09:00", "2026-03-30T07:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 02:30", "2026-03-29 02:30", "2026-03-29T01:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29 02:30", "2026-03-30 02:30", "2026-03-30T00:30Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 02:30", "2026-10-25 02:30", "2026-10-25T00:30Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25 02:30", "2026-10-26 02:30", "2026-10-26T01:30Z"),
        ("30 1 * * *", "America/New_York", "2026-10-31 01:30", "2026-11-01 01:30", "2026-11-01T05:30Z"),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 02:15", "2026-10-04 02:15", "2026-10-03T15:30Z"),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03 00:00", "2018-11-04 00:00", "2018-11-04T03:00Z"),
        ("0 9 * * *", "Asia/Kolkata", "2026-01-01 09:00", "2026-01-02 09:00", "2026-01-02T03:30Z"),
        ("59 23 31 12 *", "UTC", "2026-01-01 00:00", "2026-12-31 23:59", "2026-12-31T23:59Z"),
        ("@yearly", "UTC", "2026-12-31 23:59", "2027-01-01 00:00", "2027-01-01T00:00Z"),
        ("0 9 29 2 *", "UTC", "2026-01-01 00:00", "2028-02-29 09:00", "2028-02-29T09:00Z"),
        ("0 9 31 * *", "UTC", "2026-01-31 09:00", "2026-03-31 09:00", "2026-03-31T09:00Z"),
        ("0 9 13 * 5", "UTC", "2026-03-01 00:00", "2026-03-06 09:00", "2026-03-06T09:00Z"),
        ("0 9 13 * 5", "UTC", "2026-03-06 09:00", "2026-03-13 09:00", "2026-03-13T09:00Z"),
        ("0 0 1 1 *", "UTC", "1800-01-01 00:00", "1970-01-01 00:00", "1970-01-01T00:00Z"),
        ("0 0 1 1 *", "UTC", "2100-01-01 00:00", "", ""),
        ("0 0 1 1 *", "UTC", "9999-01-01 00:00", "", ""),
    ] {
        let next = schedule(expression, zone).next_after(local(after));
        assert_eq!(written(next), (local_time.into(), at.into()), "{expression} {zone} after {after}");
    }
}

#[test]
fn what_never_fires_is_an_error() {
    for expression in ["0 9 30 2 *", "0 9 31 4,6,9,11 *"] {
        let error = Schedule::parse(expression, Tz::UTC).unwrap_err();
        assert_eq!(error, ScheduleError::Never(expression.into()));
        assert_eq!(error.to_string(), format!("{expression:?} never fires: no date matches it"));
    }
    // Never on the 30th, but on the Mondays of February.
    assert!(Schedule::parse("0 9 30 2 1", Tz::UTC).is_ok());
    assert!(Schedule::parse("0 9 29 2 */6", Tz::UTC).is_ok());
}

#[test]
fn due_folds_missed_occurrences_into_the_newest_and_minds_the_grace() {
    let weekly = schedule("0 9 * * 1", "Europe/Berlin");
    let (last, newest) = (local("2026-03-23 09:00"), local("2026-04-06 09:00"));
    let newest = Occurrence { local: newest, at: utc("2026-04-06T07:00:00Z") };
    for (last, now, due) in [
        (last, "2026-03-29T12:00:00Z", Due::Nothing),
        (last, "2026-04-06T07:00:00Z", Due::Fire(newest)),
        (last, "2026-04-07T07:00:00Z", Due::Fire(newest)),
        (last, "2026-04-07T07:00:01Z", Due::Missed(newest)),
        (newest.local, "2026-04-07T07:00:00Z", Due::Nothing),
        // The clock jumped back, then forward again.
        (newest.local, "2026-03-25T07:00:00Z", Due::Nothing),
        (newest.local, "1960-03-25T07:00:00Z", Due::Nothing),
    ] {
        assert_eq!(weekly.due(last, utc(now), DAY), due, "{now}");
    }
}

#[test]
fn an_occurrence_in_a_repeated_hour_is_due_once() {
    let daily = schedule("30 2 * * *", "Europe/Berlin");
    let first = Occurrence { local: local("2026-10-25 02:30"), at: utc("2026-10-25T00:30:00Z") };
    assert_eq!(daily.due(local("2026-10-24 02:30"), utc("2026-10-25T00:29:59Z"), DAY), Due::Nothing);
    assert_eq!(daily.due(local("2026-10-24 02:30"), utc("2026-10-25T00:30:00Z"), DAY), Due::Fire(first));
    // The wall shows 02:10 for the second time: 02:30 of the first pass is what fired.
    assert_eq!(daily.due(local("2026-10-24 02:30"), utc("2026-10-25T01:10:00Z"), DAY), Due::Fire(first));
    assert_eq!(daily.due(first.local, utc("2026-10-25T01:30:00Z"), DAY), Due::Nothing);
    assert_eq!(written(daily.next(utc("2026-10-25T01:10:00Z"))).0, "2026-10-26 02:30");
}

#[test]
fn a_year_of_downtime_costs_no_more_than_a_minute_of_it() {
    let minutely = schedule("* * * * *", "Europe/Berlin");
    // 10,000 looks over a year each; walking the missed minutes would be five thousand million steps.
    for _ in 0..10_000 {
        let due = minutely.due(local("2025-06-01 00:00"), utc("2026-06-01T00:00:30Z"), DAY);
        assert!(matches!(due, Due::Fire(o) if o.at == utc("2026-06-01T00:00:00Z")));
    }
}

#[test]
fn words_end_with_the_zone_and_unusual_shapes_are_quoted() {
    assert_eq!(schedule("0 9 * * 1", "Europe/Berlin").in_words(), "at 09:00 on Monday, Europe/Berlin");
    assert_eq!(schedule("0 9 1 * 1", "UTC").in_words(), "on the schedule \"0 9 1 * 1\", UTC");
    assert_eq!(schedule(" @weekly ", "UTC").expression(), "@weekly");
}

/// Every minute of the wall clock from one date to another that matches, with the first instant at which the wall shows it
/// or something later. Walks the instants, so it shares no reasoning with the code.
fn oracle(zone: Tz, from: &str, days: i64, matches: &dyn Fn(NaiveDateTime) -> bool) -> Vec<Occurrence> {
    let start = local(from);
    let instants = (-2 * 1440..(days + 2) * 1440).map(|minute| start.and_utc() + TimeDelta::minutes(minute));
    let mut walk = instants.map(|at| (at, at.with_timezone(&zone).naive_local())).peekable();
    (0..days * 1440)
        .map(|minute| start + TimeDelta::minutes(minute))
        .filter(|minute| matches(*minute))
        .map(|minute| {
            while walk.next_if(|(_, wall)| *wall < minute).is_some() {}
            Occurrence { local: minute, at: walk.peek().unwrap().0 }
        })
        .collect()
}

type Matches = fn(NaiveDateTime) -> bool;

const EXPRESSIONS: &[(&str, Matches)] = &[
    ("* * * * *", |_| true),
    ("*/7 * * * *", |t| t.minute() % 7 == 0),
    ("30 2 * * *", |t| (t.hour(), t.minute()) == (2, 30)),
    ("0 0,1,2,3 * * *", |t| t.minute() == 0 && t.hour() < 4),
    ("45 1 * * 0", |t| (t.hour(), t.minute(), t.weekday().num_days_from_sunday()) == (1, 45, 0)),
    ("15 2 4 * sun", |t| (t.hour(), t.minute()) == (2, 15) && (t.day() == 4 || t.weekday() == chrono::Weekday::Sun)),
    ("0 9 */2 * 1", |t| (t.hour(), t.minute()) == (9, 0) && t.day() % 2 == 1 && t.weekday() == chrono::Weekday::Mon),
    ("5-50/15 */5 1,28-31 * *", |t| {
        t.minute() % 15 == 5 && t.hour() % 5 == 0 && [1, 28, 29, 30, 31].contains(&t.day())
    }),
];

const SPANS: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-25 00:00"),
    ("Europe/Berlin", "2026-10-22 00:00"),
    ("America/New_York", "2026-03-05 00:00"),
    ("America/New_York", "2026-10-29 00:00"),
    ("Australia/Lord_Howe", "2026-04-02 00:00"),
    ("Australia/Lord_Howe", "2026-10-01 00:00"),
    ("America/Sao_Paulo", "2018-11-01 00:00"),
    ("America/Sao_Paulo", "2018-02-15 00:00"),
    ("Asia/Kolkata", "2025-12-29 00:00"),
    ("UTC", "2024-02-26 00:00"),
    ("Pacific/Apia", "2011-12-27 00:00"),
];

#[test]
fn next_and_due_agree_with_a_walk_through_every_minute() {
    for (zone, from) in SPANS {
        let tz: Tz = zone.parse().unwrap();
        for (expression, matches) in EXPRESSIONS {
            let schedule = schedule(expression, zone);
            let expected = oracle(tz, from, 8, matches);
            let mut after = local(from) - TimeDelta::minutes(1);
            for wanted in &expected {
                let next = schedule.next_after(after).unwrap();
                assert_eq!(next, *wanted, "{expression} {zone} after {after}");
                after = next.local;
            }
            // Looks at odd seconds, 17 minutes apart, inside the span.
            for minute in (2 * 1440..6 * 1440).step_by(17) {
                let now = local(from).and_utc() + TimeDelta::minutes(minute) + TimeDelta::milliseconds(1_500);
                let fired = expected.iter().rev().find(|o| o.at <= now);
                let due = schedule.due(local(from) - TimeDelta::minutes(1), now, 30 * DAY);
                let due = if let Due::Fire(o) = due { Some(o) } else { None };
                assert_eq!(due, fired.copied(), "{expression} {zone} due at {now}");
                if let Some(coming) = expected.iter().find(|o| o.at > now) {
                    assert_eq!(schedule.next(now), Some(*coming), "{expression} {zone} next at {now}");
                }
            }
        }
    }
}
