//! What a rate gives over time, by simulated nodes.

use super::*;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A clock that is at no round time.
const START: i64 = 1_600_000_123 * SECOND + 456_789;

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

/// Asks until a time, as a node with enough to send does; when each message went out. `late` delays its use of slots, as far as
/// they may be.
fn run(it: &mut Allowance, rate: Rate, share: Share, from: i64, to: i64, late: i64) -> Vec<i64> {
    let (mut clock, mut sent) = (from, Vec::new());
    while clock < to {
        match it.take(rate, share, clock) {
            Grant::Later(wait) => clock += micros(wait).max(1),
            Grant::Unlimited => unreachable!(),
            Grant::Slots { first, spacing, count, lapse } => {
                let end = lapse.map_or(i64::MAX, |lapse| clock + micros(lapse.after));
                let slot = |n: u32| clock + micros(first + spacing * n);
                sent.extend((0..count).map(|n| (slot(n) + late).min(end).max(slot(n))));
                // Slots are asked for when the last ones are used.
                clock = slot(count - 1);
            }
        }
    }
    sent
}

/// The most messages in any span of a length.
fn most(sent: &[i64], span: i64) -> usize {
    let mut sent = sent.to_vec();
    sent.sort_unstable();
    let within = |from: usize| sent.partition_point(|at| *at < sent[from] + span) - from;
    (0..sent.len()).map(within).max().unwrap_or_default()
}

#[test]
fn one_limit_is_evenly_spaced() {
    let mut it = Allowance::default();
    let sent = run(&mut it, rate("300/m"), Share::Most, START, START + MINUTE, 0);
    assert!(sent.windows(2).all(|two| two[1] - two[0] == 200_000), "{sent:?}");
    assert!((299..=302).contains(&sent.len()), "{}", sent.len());
    assert_eq!(it.counts(), "[]");
}

#[test]
fn a_longer_span_is_used_as_fast_as_the_shorter_one_allows_and_never_exceeded() {
    for (text, seconds, many) in [("20/s, 5000/h", 3_600, 5_000), ("10/s, 100/m", 60, 100), ("5/s, 400/h", 3_600, 400)]
    {
        let (span, rate) = (seconds * SECOND, rate(text));
        for late in [0, SECOND, span / 100, span] {
            let mut it = Allowance::default();
            let sent = run(&mut it, rate, Share::All, START, START + 5 * span, late);
            assert!(most(&sent, span) <= many, "{text}, {late}: {}", most(&sent, span));
            assert!(sent.len() >= many * 5 * 93 / 100, "{text}, {late}: {} went out", sent.len());
            if late == 0 {
                let gaps = sent.windows(2).map(|two| two[1] - two[0]);
                let first = i64::try_from(rate.spacing().as_micros()).unwrap() * i64::try_from(many).unwrap();
                assert!(gaps.min() >= Some(micros(rate.spacing())) && sent[many - 1] <= START + first, "{text}");
            }
        }
    }
}

#[test]
fn mail_that_comes_now_and_then_never_exceeds_the_rate_either() {
    let (rate, mut it, mut sent) = (rate("20/s, 300/m, 5000/h"), Allowance::default(), Vec::new());
    // Bursts of all lengths, with pauses of all lengths between.
    let mut clock = START;
    for n in 0..400 {
        let end = clock + (n * 7_919) % (2 * MINUTE) + (n * n * 104_729) % (20 * SECOND);
        sent.extend(run(&mut it, rate, Share::All, clock, end, (n % 3) * 300_000));
        clock = end + (n * 1_299_709_111) % (3 * MINUTE);
        it = Allowance::read(it.next, &it.counts()).unwrap();
    }
    assert!(sent.len() > 10_000, "{}", sent.len());
    assert!(most(&sent, MINUTE) <= 300 && most(&sent, HOUR) <= 5_000, "{} {}", most(&sent, MINUTE), most(&sent, HOUR));
    assert!(it.counts.len() <= 2 * 66, "{}", it.counts());
}

#[test]
fn confirmations_find_something_left_when_digests_have_used_up_the_hour() {
    let (mut it, rate) = (Allowance::default(), rate("20/s, 1000/h"));
    let digests = run(&mut it, rate, Share::Most, START, START + 30 * MINUTE, 0);
    assert_eq!(digests.len(), 950);
    let confirmations = run(&mut it, rate, Share::All, START + 30 * MINUTE, START + 31 * MINUTE, 0);
    assert_eq!(confirmations.len(), 50);
    let wait = |clock| it.wait(rate, Share::Most, clock).map(|wait| wait.as_secs() / 60);
    assert_eq!([33, 34].map(|minute| wait(START + minute * MINUTE)), [Some(28), Some(27)]);
}

#[test]
fn whoever_finds_nothing_left_asks_again_when_others_have_used_theirs_or_put_them_back() {
    let (mut it, rate) = (Allowance::default(), rate("20/s, 10/m"));
    let Grant::Slots { count: 8, lapse: Some(lapse), .. } = it.take(rate, Share::All, START) else { panic!("{it:?}") };
    let Grant::Slots { count: 2, .. } = it.take(rate, Share::All, START) else { panic!("{it:?}") };
    let Grant::Later(soon) = it.clone().take(rate, Share::All, START + SECOND) else { panic!("{it:?}") };
    // Slots lapse a second after their time, and seconds are counted as a whole.
    assert!(soon > Duration::from_millis(400) && soon <= Duration::from_secs(2), "{soon:?}");
    let again = START + SECOND + micros(soon);
    let Grant::Later(long) = it.clone().take(rate, Share::All, again) else { panic!("{it:?}") };
    assert!(long > Duration::from_secs(55), "{long:?}");
    it.put_back(rate, lapse.at, 3);
    let Grant::Slots { count: 3, .. } = it.take(rate, Share::All, again) else { panic!("{it:?}") };
}

#[test]
fn what_is_kept_for_confirmations_is_given_singly() {
    let (mut it, rate) = (Allowance::default(), rate("1000/s, 10000/h"));
    run(&mut it, rate, Share::Most, START, START + MINUTE, 0);
    assert!(matches!(it.take(rate, Share::All, START + MINUTE), Grant::Slots { count: 1, .. }));
}

#[test]
fn what_was_not_used_counts_no_more_once_it_is_put_back() {
    let (mut it, rate) = (Allowance::default(), rate("20/s, 5000/h, 20000/d"));
    let Grant::Slots { count: 8, lapse: Some(lapse), .. } = it.take(rate, Share::Most, START) else { panic!() };
    let of = |it: &Allowance| rate.counted().map(|span| it.taken(span, START)).collect::<Vec<_>>();
    assert_eq!(of(&it), [8, 8]);
    it.put_back(rate, lapse.at, 5);
    assert_eq!(of(&it), [3, 3]);
    // Two hours later there is nothing of the hour left to put it back into.
    it.forget(START + 2 * HOUR);
    assert_eq!(of(&it), [0, 3]);
    it.put_back(rate, lapse.at, 3);
    assert_eq!(it.counts(), "[]");
}

#[test]
fn none_is_taken_from_one_span_when_another_is_empty() {
    let (mut it, rate) = (Allowance::default(), rate("10/s, 100/m, 150/h"));
    run(&mut it, rate, Share::All, START, START + 10 * MINUTE, 0);
    let before = it.clone();
    assert!(matches!(it.take(rate, Share::All, START + 11 * MINUTE), Grant::Later(_)));
    let counts = |it: &Allowance| rate.counted().map(|span| it.taken(span, START + 11 * MINUTE)).collect::<Vec<_>>();
    assert_eq!((counts(&it), it.next), (counts(&before), before.next));
    assert_eq!(counts(&it)[1], 150);
}

#[test]
fn a_rate_that_was_slow_or_a_clock_that_went_back_does_not_hold_up_a_faster_one() {
    let mut it = Allowance::default();
    it.take(rate("1/d"), Share::Most, START);
    let Grant::Slots { first, .. } = it.take(rate("10/s"), Share::Most, START + SECOND) else { panic!("{it:?}") };
    assert_eq!(first, Duration::ZERO);
    let hourly = rate("20/s, 40/h");
    run(&mut it, hourly, Share::All, START, START + MINUTE, 0);
    assert!(it.wait(hourly, Share::Most, START + MINUTE).is_some());
    assert!(it.wait(hourly, Share::Most, START - 24 * HOUR).is_none(), "the clock went back a day");
}

#[test]
fn what_the_store_keeps_is_read_back_or_refused() {
    assert_eq!(Allowance::read(7, "[[3600,12,5]]").map(|it| it.counts()), Some("[[3600,12,5]]".into()));
    for wrong in ["", "{}", "[[1,2]]", "[[-1,2,3]]"] {
        assert_eq!(Allowance::read(7, wrong), None, "{wrong}");
    }
}
