//! What goes into the store and comes out of it, where the core has no type for it.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::delivery::Reply;
use crate::delivery::books::Books;
use crate::issue::Revision;
use crate::issue::news::Mail;
use crate::message::Letter;
use crate::types::{
    Bucket, CadenceId, EmailAddress, Facet, Fields, Finding, IssueId, MailingId, NewsletterId, NodeId, Slug,
    SubscriberId,
};

/// What the watcher knew of a newsletter's source when it last read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// The commit read last; empty for a directory.
    pub commit: String,
    /// Hash of what rendering depends on besides the documents: when it changes, everything is rendered again.
    pub fingerprint: String,
    /// When the source was first read: everything of that reading is archive.
    pub baseline_at: DateTime<Utc>,
    /// When the source was last read without error.
    pub read_at: DateTime<Utc>,
    /// When anything readers see last changed.
    pub changed_at: DateTime<Utc>,
    /// When the next document that is dated in the future is due.
    pub next_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// What the watcher must know of an issue to recognise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIssue {
    /// The issue.
    pub issue: IssueId,
    /// Path of its newest revision.
    pub path: String,
    /// Blob of its newest revision.
    pub blob: String,
    /// Its slug.
    pub slug: Slug,
    /// Number of its newest revision.
    pub number: i64,
    /// Hash of the fields and body of its newest revision.
    pub content_hash: String,
    /// Public URL of its newest revision.
    pub url: String,
    /// When the content of its newest revision last changed.
    pub updated: DateTime<Utc>,
    /// In feeds and archive, as opposed to withdrawn.
    pub published: bool,
    /// Where it stands with mail.
    pub mail: Mail,
    /// Some mailing holds it.
    pub mailed: bool,
}

/// One reading of a source, applied in one transaction.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// When.
    pub now: DateTime<Utc>,
    /// The commit that was read.
    pub commit: String,
    /// See [`SourceState::fingerprint`].
    pub fingerprint: String,
    /// New, changed, moved or rendered-again issues.
    pub issues: Vec<PublishedIssue>,
    /// Issues that are no longer there: out of feeds and archive, identity kept.
    pub withdrawn: Vec<IssueId>,
    /// Replaces all holds of the newsletter.
    pub holds: Vec<Finding>,
}

/// An issue to write. `revision.number` says which: an existing number is overwritten (moved or rendered again), the next one is appended.
#[derive(Clone, Debug)]
pub struct PublishedIssue {
    /// The revision.
    pub revision: Revision,
    /// Hash of the document's fields and body.
    pub content_hash: String,
    /// Former paths, as [`crate::site::alias`] gives them.
    pub aliases: Vec<String>,
    /// Where it stands with mail. What an operator decided meanwhile (and the archive) stays; `news_at` is set when it first becomes news.
    pub mail: Mail,
    /// Whether the content changed, so that the settle time starts again (`seen_at` = now).
    pub changed: bool,
}

/// A line of the archive page and of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueHead {
    /// The issue.
    pub issue: IssueId,
    /// Slug.
    pub slug: Slug,
    /// Title.
    pub title: String,
    /// Date, as written.
    pub date: DateTime<chrono::FixedOffset>,
    /// Summary.
    pub summary: String,
    /// Public URL.
    pub url: String,
    /// Path.
    pub path: String,
    /// When it became news; `None` for archive.
    pub news_at: Option<DateTime<Utc>>,
    /// When its content last changed.
    pub updated: DateTime<Utc>,
}

/// A tag or an author with how many published issues it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCount {
    /// The tag or author.
    pub facet: Facet,
    /// Published issues.
    pub issues: i64,
}

/// Where an issue stands with mail, for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueMail {
    /// The issue.
    pub issue: IssueId,
    /// Its slug.
    pub slug: Slug,
    /// Title of its newest revision.
    pub title: String,
    /// In feeds and archive.
    pub published: bool,
    /// Where it stands.
    pub mail: Mail,
    /// The mailings that hold it, oldest first.
    pub mailings: Vec<IssueMailing>,
}

/// A mailing that holds an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueMailing {
    /// The mailing.
    pub mailing: MailingId,
    /// Its cadence.
    pub cadence: CadenceId,
    /// The revision that was mailed.
    pub number: i64,
    /// Empty for the issue itself, `correction` and a number for a correction.
    pub variant: String,
    /// Whether the mailing is finished.
    pub finished: bool,
}

/// What the scheduler knew of a cadence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CadenceState {
    /// When the scheduler first saw the cadence: earlier news is not for it.
    pub since: DateTime<Utc>,
    /// Local time of the last occurrence that was dealt with.
    pub last: NaiveDateTime,
}

/// A digest mailing to open.
#[derive(Clone, Debug)]
pub struct NewMailing {
    /// A fresh id.
    pub mailing: MailingId,
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The cadence whose subscribers are the audience.
    pub cadence: CadenceId,
    /// The occurrence's local time: the identity of the mailing.
    pub occurrence: NaiveDateTime,
    /// [`CadenceState::last`] as it was read: another node that was faster has changed it.
    pub last: NaiveDateTime,
    /// The issues with the revision that is frozen.
    pub issues: Vec<(IssueId, i64)>,
    /// The mail.
    pub letter: Letter,
    /// Now. The audience is every subscription whose confirmation was committed before the mailing.
    pub now: DateTime<Utc>,
}

/// A correction to open.
#[derive(Clone, Debug)]
pub struct NewCorrection {
    /// A fresh id.
    pub mailing: MailingId,
    /// The finished digest whose readers it goes to.
    pub corrects: MailingId,
    /// The issue that is corrected.
    pub issue: IssueId,
    /// Its revision that is sent.
    pub number: i64,
    /// The mail.
    pub letter: Letter,
    /// Now.
    pub now: DateTime<Utc>,
}

/// `Planned -> Open -> Finished`, also `Paused`, `Cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailingState {
    /// Being worked off.
    Open,
    /// Stopped, by an operator or because the relay blames us; see the reason.
    Paused,
    /// Everyone is accounted for.
    Finished,
    /// Ended by an operator.
    Cancelled,
}

/// A mailing with its books.
#[derive(Clone, Debug)]
pub struct MailingView {
    /// The mailing.
    pub mailing: MailingId,
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The cadence; `None` for a confirmation.
    pub cadence: Option<CadenceId>,
    /// Local time of the occurrence; `None` for a confirmation or a correction.
    pub occurrence: Option<NaiveDateTime>,
    /// State.
    pub state: MailingState,
    /// Why it is paused or cancelled.
    pub reason: Option<String>,
    /// Subject.
    pub subject: String,
    /// When it opened.
    pub opened_at: DateTime<Utc>,
    /// When it finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its books.
    pub books: Books,
}

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

/// How fast a node may go on with a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// As fast as it can.
    Unlimited,
    /// So many messages, evenly spaced.
    Slots {
        /// From now until the first.
        first: Duration,
        /// Between two.
        spacing: Duration,
        /// How many.
        count: u32,
    },
    /// Not now: ask again after this time.
    Later(Duration),
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
    /// The time between two messages that an operator set.
    pub spacing: Option<Duration>,
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
