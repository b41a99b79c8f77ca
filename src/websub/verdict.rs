//! What an answer, or none, means for an errand; and when it is tried again.

use std::time::Duration;

/// What an errand is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ask a reader whether it means its request (section 5.3).
    Verify,
    /// Tell a reader that its subscription is over (section 5.2).
    Deny,
    /// Give a reader the feed (section 7).
    Push,
    /// Tell a hub elsewhere that a feed changed.
    Ping,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Verify, Self::Deny, Self::Push, Self::Ping];

    /// Its name in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Deny => "deny",
            Self::Push => "push",
            Self::Ping => "ping",
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answered {
        /// The status.
        status: u16,
        /// The beginning of the body, where one was wanted.
        body: Vec<u8>,
    },
    /// Nothing was connected to: the name leads where we do not go.
    Forbidden(String),
    /// No answer.
    Unreachable(String),
}

/// How often and how long an errand was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// How long it has been failing.
    pub failing: Duration,
    /// A random number for jitter: the wait is taken between 3/4 and 5/4 of its nominal value.
    pub jitter: u8,
}

/// What becomes of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// Not now: try again after this wait.
    Again {
        /// How long.
        wait: Duration,
        /// Why.
        why: String,
    },
    /// Not ever.
    Over(String),
}

/// A question that gets no answer is asked this often: each costs whoever is named as the callback a request.
const QUESTIONS: u32 = 3;
const QUESTION_WAIT: Duration = Duration::from_secs(30);

/// The wait after the first failed push or ping; it doubles with each.
const FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
const MOST: Duration = Duration::from_secs(3_600);
/// After pushes have failed for this long, the subscription ends (section 7): longer than a weekend without anybody to look.
const PUSHES: Duration = Duration::from_secs(72 * 3_600);
/// After this long, a hub elsewhere finds out by itself or not at all.
const PINGS: Duration = Duration::from_secs(24 * 3_600);

/// Decides what a reply means. `challenge` is what a verification must bring back.
#[must_use]
pub fn decide(kind: Kind, reply: &Reply, challenge: &str, attempt: &Attempt) -> Verdict {
    let why = in_words(reply);
    let status = if let Reply::Answered { status, .. } = reply { Some(*status) } else { None };
    let again = |first, most, patient: bool| {
        if patient {
            Verdict::Again { wait: wait(first, most, attempt), why: why.clone() }
        } else {
            Verdict::Over(why.clone())
        }
    };
    let question = || again(QUESTION_WAIT, MOST, attempt.number < QUESTIONS);
    match (kind, reply, status) {
        (Kind::Verify, Reply::Answered { body, .. }, Some(200..=299)) if body == challenge.as_bytes() => Verdict::Done,
        (Kind::Verify, _, Some(200..=299)) => Verdict::Over("the answer is not the challenge".to_owned()),
        (Kind::Verify | Kind::Deny, _, Some(500..=599)) | (Kind::Verify | Kind::Deny, Reply::Unreachable(_), _) => {
            question()
        }
        (Kind::Deny | Kind::Push | Kind::Ping, _, Some(200..=299)) => Verdict::Done,
        (Kind::Verify | Kind::Deny, ..) => Verdict::Over(why.clone()),
        (Kind::Push, _, Some(410)) => Verdict::Over("the reader says that it is gone (410)".to_owned()),
        // Also what is forbidden today: names change, and a resolver may have been wrong.
        (Kind::Push, ..) => again(FIRST, MOST, attempt.failing < PUSHES),
        // A hub that does not take the topic will not take it tomorrow.
        (Kind::Ping, _, Some(400..=407 | 409..=428 | 430..=499)) | (Kind::Ping, Reply::Forbidden(_), _) => {
            Verdict::Over(why.clone())
        }
        (Kind::Ping, ..) => again(FIRST, MOST, attempt.failing < PINGS),
    }
}

fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Answered { status: status @ 300..=399, .. } => {
            format!("it answers {status}, and redirects are not followed")
        }
        Reply::Answered { status, .. } => format!("it answers {status}"),
        Reply::Forbidden(why) | Reply::Unreachable(why) => why.clone(),
    }
}

/// `first`, doubled with each attempt up to `most`, times a factor between 3/4 and 5/4.
fn wait(first: Duration, most: Duration, attempt: &Attempt) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.number.saturating_sub(1).min(16)).min(most);
    doubled.mul_f64(0.75 + 0.5 * f64::from(attempt.jitter) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    fn at(number: u32, hours: u64) -> Attempt {
        Attempt { number, failing: Duration::from_secs(hours * HOUR), jitter: 0 }
    }

    fn answered(status: u16) -> Reply {
        Reply::Answered { status, body: b"challenge".to_vec() }
    }

    /// The wait in milliseconds, 0 for done, -1 for over.
    fn decided(kind: Kind, reply: &Reply, attempt: &Attempt) -> i64 {
        match decide(kind, reply, "challenge", attempt) {
            Verdict::Done => 0,
            Verdict::Again { wait, .. } => i64::try_from(wait.as_millis()).unwrap(),
            Verdict::Over(_) => -1,
        }
    }

    #[test]
    fn a_verification_needs_the_challenge_and_a_404_is_a_no() {
        let other = Reply::Answered { status: 200, body: b"challenge\n".to_vec() };
        let nothing = Reply::Unreachable("no answer".into());
        for (reply, number, outcome) in [
            (answered(200), 1, 0),
            (answered(299), 1, 0),
            (other, 1, -1),
            (answered(301), 1, -1),
            (answered(404), 1, -1),
            (answered(410), 1, -1),
            (answered(503), 1, 22_500),
            (answered(503), 2, 45_000),
            (answered(503), 3, -1),
            (nothing.clone(), 2, 45_000),
            (nothing, 3, -1),
            (Reply::Forbidden("loopback".into()), 1, -1),
        ] {
            assert_eq!(decided(Kind::Verify, &reply, &at(number, 0)), outcome, "{reply:?} {number}");
        }
    }

    #[test]
    fn a_push_is_tried_for_three_days_unless_the_reader_is_gone() {
        for (status, outcome) in [(200, 0), (202, 0), (204, 0), (410, -1)] {
            assert_eq!(decided(Kind::Push, &answered(status), &at(1, 0)), outcome, "{status}");
        }
        for reply in [302, 307, 400, 404, 429, 500, 503]
            .map(answered)
            .into_iter()
            .chain([Reply::Forbidden("loopback".into()), Reply::Unreachable("no answer".into())])
        {
            assert_eq!(decided(Kind::Push, &reply, &at(1, 0)), 7_500, "{reply:?}");
            assert_eq!(decided(Kind::Push, &reply, &at(1_000_000, 71)), 2_700_000, "{reply:?}");
            assert_eq!(decided(Kind::Push, &reply, &at(1, 72)), -1, "{reply:?}");
        }
    }

    #[test]
    fn a_ping_is_tried_for_a_day_unless_the_hub_does_not_want_it() {
        for (status, outcome) in
            [(204, 0), (400, -1), (403, -1), (408, 7_500), (429, 7_500), (301, 7_500), (500, 7_500)]
        {
            assert_eq!(decided(Kind::Ping, &answered(status), &at(1, 23)), outcome, "{status}");
        }
        assert_eq!(decided(Kind::Ping, &answered(500), &at(9, 24)), -1);
        assert_eq!(decided(Kind::Ping, &Reply::Unreachable(String::new()), &at(2, 0)), 15_000);
    }

    #[test]
    fn a_denial_is_heard_by_whoever_answers() {
        for (status, outcome) in [(200, 0), (404, -1), (500, 22_500)] {
            assert_eq!(decided(Kind::Deny, &answered(status), &at(1, 0)), outcome, "{status}");
        }
    }

    #[test]
    fn waits_double_up_to_an_hour_and_jitter_keeps_within_a_quarter() {
        for (number, seconds) in [(0, 10), (1, 10), (2, 20), (9, 2_560), (10, 3_600), (u32::MAX, 3_600)] {
            let nominal = Duration::from_secs(seconds);
            for (jitter, factor) in [(0, 0.75), (255, 1.25)] {
                let attempt = Attempt { number, failing: Duration::ZERO, jitter };
                assert_eq!(wait(FIRST, MOST, &attempt), nominal.mul_f64(factor), "{number}");
            }
        }
    }
}
