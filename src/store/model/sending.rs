//! Leases, the ledger, doubts, relays and progress: what the sender and its operators exchange with the store.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::MailingState;
use crate::delivery::Reply;
use crate::delivery::rate::{Rate, Span};
use crate::types::{Bucket, EmailAddress, Fields, MailingId, NewsletterId, NodeId, SubscriberId};

/// A batch that this node works off: a key range of one bucket of one mailing's audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The bucket.
    pub bucket: Bucket,
    /// The mailing.
    pub mailing: MailingId,
    /// Number of the batch within bucket and mailing.
    pub batch: i64,
    /// First subscriber id of the range, as text; inclusive.
    pub first: String,
    /// Last subscriber id of the range, as text; inclusive.
    pub last: String,
    /// Who holds it.
    pub owner: NodeId,
    /// Counts its owners. Every write names it.
    pub epoch: i64,
}

/// Whom the sender hands a message next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The address as stored: composing parses it, so that a bad one fails alone.
    pub address: String,
    /// What the person told about themselves; nothing for a confirmation, whose fields nobody has confirmed.
    pub fields: Fields,
    /// Why the person is not eligible any more, as it was when the page was read: skip them, send nothing. Handing checks again.
    pub skip: Option<String>,
    /// The request that a confirmation token answers.
    pub request: i64,
    /// Number of the attempt to make, from 1.
    pub attempt: u32,
    /// When the first attempt was; `None` for the first.
    pub first_at: Option<DateTime<Utc>>,
}

/// One append to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What happened.
    pub event: Event,
}

/// What can happen to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its content goes on the wire as soon as this is durable. Refused by the guard when the subscriber is no longer eligible.
    Handed,
    /// The relay took it.
    Accepted(Reply),
    /// Another attempt at this time.
    Deferred {
        /// When.
        retry_at: DateTime<Utc>,
        /// Why.
        reply: Reply,
    },
    /// Refused for good; with `suppress` the address is suppressed as a bounce in the same transaction.
    Refused {
        /// Never mail this address again.
        suppress: bool,
        /// Why.
        reply: Reply,
    },
    /// Not eligible any more when its turn came, or impossible to compose.
    Skipped(String),
    /// In doubt, and kept from resending by policy.
    Held,
}

impl Event {
    /// Whether the person needs nothing more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Handed | Self::Deferred { .. } => false,
            Self::Accepted(_) | Self::Refused { .. } | Self::Skipped(_) | Self::Held => true,
        }
    }
}

/// What became of a group of appends, in the order of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Durable.
    Written,
    /// A `Handed` whose subscriber is no longer eligible: a `Skipped` was written instead. Do not send.
    NotEligible,
    /// The event stood there already (a repeat after a lost commit answer): nothing was written. For a `Handed` it was this same lease: go on.
    Present,
    /// A `Handed` in a mailing that is not open: nothing was written and nothing is decided about the person. Do not send; close or give back the batch.
    Paused,
    /// The ledger has moved past this event: the person is settled, or another lease or a later attempt was there. Nothing was written. Do not send.
    Stale,
}

/// What closing a batch led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Everyone in its range is settled.
    Done,
    /// Some are deferred: it can be leased again from this time on.
    Waits(DateTime<Utc>),
}

/// A write was refused because the lease is another node's now. Stop at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseLost;

/// A message that was handed to the relay and has no recorded reply: it may have been delivered.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// The subscriber's bucket.
    pub bucket: Bucket,
    /// The mailing.
    pub mailing: MailingId,
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The subscriber's address; `None` once it is erased.
    pub address: Option<EmailAddress>,
    /// Number of the attempt.
    pub attempt: u32,
    /// When it was handed.
    pub handed_at: DateTime<Utc>,
    /// What became of it.
    pub state: DoubtState,
}

/// What became of a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtState {
    /// On the wire now, or left by a node that died: the next owner of the batch decides.
    Open,
    /// Kept from resending, by the policy or because it was in doubt too often.
    Held,
    /// An operator had it sent again; it waits for its turn.
    Waits,
    /// Sent again since: it may have been delivered twice.
    SentAgain,
}

/// How an operator settles a doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The relay has it; with the evidence, for the ledger.
    Delivered(String),
    /// Send it again: same Message-ID, same bytes.
    Resend,
}

/// Which batches are leased: confirmations never wait behind digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Confirmations.
    Confirmations,
    /// Digests and corrections.
    Digests,
}

/// A relay that is down, as all nodes know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayTrouble {
    /// Its name.
    pub relay: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When one node may look again.
    pub probe_at: DateTime<Utc>,
    /// What happened.
    pub reason: String,
}

/// How much of a rate is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateUse {
    /// What is allowed.
    pub rate: Rate,
    /// The longer spans of it, with the messages that the last one had.
    pub spans: Vec<(Span, i64)>,
    /// When digests go on, if they have to wait now.
    pub waits_until: Option<DateTime<Utc>>,
}

/// How far a mailing is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The mailing.
    pub mailing: MailingId,
    /// Its newsletter.
    pub newsletter: NewsletterId,
    /// Its subject.
    pub subject: String,
    /// Open or paused.
    pub state: MailingState,
    /// Why it is paused.
    pub reason: Option<String>,
    /// The audience; `None` in the first seconds.
    pub people: Option<i64>,
    /// Settled, one way or the other.
    pub done: i64,
    /// Settled per second, over the last seconds.
    pub per_second: f64,
    /// The rate that an operator set.
    pub rate: Option<RateUse>,
}

/// Confirmations of a newsletter that an operator has to let out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PausedConfirmations {
    /// The newsletter.
    pub newsletter: String,
    /// How many people wait.
    pub people: i64,
    /// Since when the first one does.
    pub since: DateTime<Utc>,
    /// Why one of them is paused.
    pub reason: String,
}

/// One reason why deliveries did not go through.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// For good, as opposed to deferred.
    pub refused: bool,
    /// The reply's code.
    pub code: i64,
    /// A reply.
    pub example: String,
    /// How often.
    pub times: i64,
}

/// What became of a report about a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It was known, or is about nobody who is here.
    Before,
    /// It is written down.
    Now,
    /// It is written down, and the address is never mailed again.
    Suppressed,
}

/// One reason why mail came back, or complaints.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Return {
    /// Readers who called it spam, as opposed to mail that came back.
    pub complaint: bool,
    /// Class, subject and detail such as `5.1.1` (RFC 3463); empty for complaints.
    pub status: String,
    /// What one of the refusing servers said.
    pub example: String,
    /// How often.
    pub times: i64,
}

/// What a relay's warm-up allows a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ration {
    /// The plan is over: as much as it takes.
    Unlimited,
    /// So many messages, today.
    Messages {
        /// How many.
        count: u32,
        /// How long today lasts.
        within: Duration,
    },
    /// The day's messages are taken; there are more after this time.
    Tomorrow(Duration),
}
