//! One mailing to one subscriber: what an SMTP reply means, when to try again, and whether the books balance. Pure.

pub mod allowance;
pub mod books;
pub mod concurrency;
pub mod maillog;
pub mod rate;
mod reply;
pub mod shares;
pub mod warm_up;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use reply::{Enhanced, Reply, enhanced, names_no_mailbox};

/// Which command a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connection, greeting, EHLO, STARTTLS, AUTH.
    Connect,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The content and the final dot.
    Content,
    /// The content, at a server that answers for the recipient's mailbox (LMTP, RFC 2033 section 4.2).
    Mailbox,
}

/// What we decide from a reply: who is to blame decides what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 250 after the final dot.
    Accepted,
    /// 4xx: try again at this time; counts as an attempt.
    Deferred {
        /// When.
        retry_at: DateTime<Utc>,
    },
    /// About the recipient, for good: a 5xx to RCPT, or a 4xx that outlived the retry period.
    Refused {
        /// The mailbox does not exist: never mail it again.
        suppress: bool,
    },
    /// About us: the mailing pauses and nobody is marked as bounced.
    OurFault,
    /// The relay is closing or busy (421), or the connection was lost before the content: not an attempt, try again soon.
    TryLater,
}

/// How often and how long a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Wait after the first attempt; doubles with each.
    pub first: Duration,
    /// Longest wait.
    pub most: Duration,
    /// After this long since the first attempt, a 4xx counts as refused.
    pub period: Duration,
}

/// One attempt, as the decision needs it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the first attempt was.
    pub first_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
    /// A random number for jitter: the wait is taken between 3/4 and 5/4 of its nominal value.
    pub jitter: u16,
}

/// Decides what one reply means: who is to blame decides what happens.
///
/// A reply that fits no rule (a 2xx where none is due) is [`Outcome::OurFault`]: somebody has to look before more mail goes out.
#[must_use]
pub fn decide(phase: Phase, reply: &Reply, attempt: &Attempt, patience: &Patience) -> Outcome {
    match (reply.code, phase) {
        (250, Phase::Content | Phase::Mailbox) => Outcome::Accepted,
        // The relay closes the channel (RFC 5321 section 3.8), whatever it was asked.
        (421, _) => Outcome::TryLater,
        // Before MAIL there is no delivery to blame.
        (400..=499, Phase::Connect) => Outcome::TryLater,
        (400..=499, Phase::Mail | Phase::Data) if is_busy(reply) => Outcome::TryLater,
        (400..=499, _) => defer(phase, attempt, patience),
        (500..=599, Phase::Recipient | Phase::Mailbox) if !is_about_us(reply) => {
            Outcome::Refused { suppress: reply.mailbox_is_gone() }
        }
        _ => Outcome::OurFault,
    }
}

/// The relay itself lacks room (452, and RFC 3463 section 3.4: 4.3.x).
fn is_busy(reply: &Reply) -> bool {
    reply.code == 452 || matches!(reply.enhanced, Some((4, 3, _)))
}

/// A 5xx to RCPT that would be the same for every recipient: policy and authentication (5.7.x; 530, 534, 535 and 538
/// of RFC 4954), or a command that the relay did not take for one (500, 502, 503, 504 of RFC 5321 section 4.2.4).
fn is_about_us(reply: &Reply) -> bool {
    matches!(reply.enhanced, Some((5, 7, _))) || matches!(reply.code, 500 | 502..=504 | 530 | 534 | 535 | 538)
}

/// A 4xx: the next time, or the end of patience. Then it is a refusal where it was about the recipient or the message,
/// and ours where the relay never let us name one.
fn defer(phase: Phase, attempt: &Attempt, patience: &Patience) -> Outcome {
    let period = TimeDelta::from_std(patience.period).unwrap_or(TimeDelta::MAX);
    if attempt.now.signed_duration_since(attempt.first_at) < period {
        return Outcome::Deferred { retry_at: retry_at(attempt, patience) };
    }
    match phase {
        Phase::Recipient | Phase::Content | Phase::Mailbox => Outcome::Refused { suppress: false },
        Phase::Connect | Phase::Mail | Phase::Data => Outcome::OurFault,
    }
}

/// When to try again: `first`, doubled with each attempt up to `most`, times a factor between 3/4 and 5/4 so that
/// deliveries deferred together do not come back together.
fn retry_at(attempt: &Attempt, patience: &Patience) -> DateTime<Utc> {
    // 2^20 times any wait is past every sensible `most`.
    let doublings = attempt.number.saturating_sub(1).min(20);
    let nominal = patience.first.saturating_mul(1 << doublings).min(patience.most).as_millis();
    let jittered = nominal * 3 / 4 + nominal * u128::from(attempt.jitter) / (2 * u128::from(u16::MAX));
    let wait = i64::try_from(jittered).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(TimeDelta::MAX);
    attempt.now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        first: Duration::from_secs(300),
        most: Duration::from_secs(4 * 3600),
        period: Duration::from_secs(48 * 3600),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn attempt(number: u32, elapsed: i64, jitter: u16) -> Attempt {
        Attempt { number, first_at: at(0), now: at(elapsed), jitter }
    }

    fn decided(phase: Phase, code: u16, text: &str, elapsed: i64) -> Outcome {
        decide(phase, &Reply::new(code, text), &attempt(1, elapsed, 0), &PATIENCE)
    }

    #[test]
    fn who_is_to_blame_decides_what_happens() {
        use Outcome::{Accepted, OurFault, Refused, TryLater};
        use Phase::{Connect, Content, Data, Mail, Mailbox, Recipient};
        let soon = Outcome::Deferred { retry_at: at(225) };
        let bounce = |suppress| Refused { suppress };
        for (phase, code, text, outcome) in [
            // The relay took it, and only a 250 after the dot says so.
            (Content, 250, "2.0.0 Ok", Accepted),
            (Content, 251, "will forward", OurFault),
            (Content, 354, "go on", OurFault),
            (Recipient, 250, "2.1.5 Ok", OurFault),
            (Data, 250, "Ok", OurFault),
            // About the recipient.
            (Recipient, 550, "5.1.1 no such user", bounce(true)),
            (Recipient, 550, "5.1.2 no such host", bounce(true)),
            (Recipient, 550, "no such user", bounce(false)),
            (Recipient, 552, "5.2.2 mailbox full", bounce(false)),
            (Recipient, 501, "5.1.3 bad address syntax", bounce(true)),
            (Recipient, 554, "", bounce(false)),
            // LMTP: the mailbox's own answer comes after the dot.
            (Mailbox, 250, "2.1.5 delivered", Accepted),
            (Mailbox, 552, "5.2.2 mailbox full", bounce(false)),
            (Mailbox, 550, "5.1.1 no such user", bounce(true)),
            (Mailbox, 451, "4.2.0 locked", soon.clone()),
            (Mailbox, 554, "5.7.1 refused by policy", OurFault),
            (Mailbox, 421, "", TryLater),
            // About us, although RCPT is where it was said.
            (Recipient, 550, "5.7.1 relaying denied", OurFault),
            (Recipient, 554, "5.7.26 unauthenticated sender", OurFault),
            (Recipient, 530, "authenticate first", OurFault),
            (Recipient, 535, "", OurFault),
            (Recipient, 503, "5.5.1 need MAIL first", OurFault),
            (Recipient, 502, "not implemented", OurFault),
            // About us.
            (Connect, 535, "5.7.8 bad credentials", OurFault),
            (Connect, 554, "go away", OurFault),
            (Mail, 550, "5.1.8 bad sender", OurFault),
            (Mail, 553, "5.1.1 looks like a recipient's code and is not", OurFault),
            (Data, 554, "5.5.1 no", OurFault),
            (Content, 550, "5.1.1 looks like a recipient's code and is not", OurFault),
            (Content, 552, "5.3.4 too big", OurFault),
            (Content, 554, "spam", OurFault),
            // Closing, busy, or not yet at a delivery: not an attempt.
            (Connect, 421, "", TryLater),
            (Connect, 454, "4.7.0 TLS not available", TryLater),
            (Mail, 421, "4.3.2 closing", TryLater),
            (Recipient, 421, "4.7.0 too many", TryLater),
            (Data, 421, "", TryLater),
            (Content, 421, "4.3.2 closing", TryLater),
            (Mail, 452, "no room", TryLater),
            (Mail, 451, "4.3.0 queue busy", TryLater),
            (Data, 451, "4.3.5 busy", TryLater),
            // Not now.
            (Mail, 450, "4.7.1 slow down", soon.clone()),
            (Recipient, 450, "4.2.0 greylisted", soon.clone()),
            (Recipient, 452, "4.2.2 mailbox full", soon.clone()),
            (Recipient, 451, "4.7.1 greylisted", soon.clone()),
            (Data, 450, "", soon.clone()),
            (Content, 451, "4.3.0 try again", soon.clone()),
            (Content, 452, "4.3.1 no room", soon.clone()),
            // Not a reply of SMTP.
            (Mail, 199, "", OurFault),
            (Content, 600, "", OurFault),
        ] {
            assert_eq!(decided(phase, code, text, 0), outcome, "{phase:?} {code} {text}");
        }
    }

    #[test]
    fn a_4xx_that_outlives_patience_is_a_refusal_of_this_message_only() {
        let day = 24 * 3600;
        assert!(matches!(decided(Phase::Recipient, 450, "4.1.1 x", 2 * day - 1), Outcome::Deferred { .. }));
        for (phase, outcome) in [
            (Phase::Recipient, Outcome::Refused { suppress: false }),
            (Phase::Content, Outcome::Refused { suppress: false }),
            (Phase::Mail, Outcome::OurFault),
            (Phase::Data, Outcome::OurFault),
            (Phase::Connect, Outcome::TryLater),
        ] {
            assert_eq!(decided(phase, 450, "4.1.1 x", 2 * day), outcome, "{phase:?}");
        }
        assert_eq!(decided(Phase::Recipient, 421, "", 9 * day), Outcome::TryLater);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_jitter_keeps_within_a_quarter() {
        for (number, nominal) in [(0, 300), (1, 300), (2, 600), (3, 1200), (6, 9600), (7, 14_400), (u32::MAX, 14_400)] {
            let wait = |jitter| (retry_at(&attempt(number, 10, jitter), &PATIENCE) - at(10)).num_milliseconds();
            assert_eq!(wait(0), nominal * 750, "attempt {number}");
            assert_eq!(wait(u16::MAX), nominal * 1250, "attempt {number}");
            assert!((wait(u16::MAX / 2) - nominal * 1000).abs() < 1000, "attempt {number}");
        }
    }

    #[test]
    fn an_absurd_patience_does_not_overflow() {
        let patience = Patience { first: Duration::MAX, most: Duration::MAX, period: Duration::MAX };
        let outcome = decide(Phase::Recipient, &Reply::new(450, ""), &attempt(9, 0, u16::MAX), &patience);
        assert_eq!(outcome, Outcome::Deferred { retry_at: DateTime::<Utc>::MAX_UTC });
    }
}
