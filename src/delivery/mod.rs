//! One mailing to one subscriber: what an SMTP reply means, when to try again, and whether the books balance. Pure.

pub mod books;

use std::time::Duration;

use chrono::{DateTime, Utc};

/// An SMTP reply (RFC 5321 section 4.2, RFC 3463).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Enhanced status code such as `5.1.1`, where the text starts with one.
    pub enhanced: Option<(u8, u16, u16)>,
    /// The text, lines joined by a space, at most 500 characters, without control characters.
    pub text: String,
}

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

/// Decides.
#[must_use]
pub fn decide(phase: Phase, reply: &Reply, attempt: &Attempt, patience: &Patience) -> Outcome {
    let _ = (phase, reply, attempt, patience);
    todo!()
}
