//! What goes into the store and comes out of it, where the core has no type for it.

mod sending;

pub use sending::*;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::delivery::books::Books;
use crate::issue::Revision;
use crate::issue::news::Mail;
use crate::message::Letter;
use crate::types::{CadenceId, Facet, Finding, IssueId, MailingId, NewsletterId, Slug};

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
    /// When the next document is due that is dated in the future.
    pub next_at: Option<DateTime<Utc>>,
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
