//! Reads a document into an [`Issue`], or says as a [`Finding`] why it is held.

use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;

use crate::types::{Finding, IssueId, Slug};

/// A file of the content source, as read at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path below the root of the source, with `/`.
    pub path: String,
    /// The raw bytes.
    pub bytes: Vec<u8>,
    /// The git blob id of the bytes (SHA-1 in hex), also for a directory source.
    pub blob: String,
    /// When the content of the path last changed: the committer date, or the file's modification time.
    pub changed_at: DateTime<Utc>,
}

/// How a newsletter's documents are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The zone of a date that has none.
    pub timezone: Tz,
}

/// A document's fields and its Markdown.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    /// The `id` of the front matter, if it has one.
    pub id: Option<IssueId>,
    /// The title as plain text.
    pub title: String,
    /// The date, in the zone it was written in, or the newsletter's.
    pub date: DateTime<FixedOffset>,
    /// Names of the authors, in order; may be empty.
    pub authors: Vec<String>,
    /// Tags and categories, in order, without repeats.
    pub tags: Vec<String>,
    /// BCP 47 language tag, where the document names one.
    pub language: Option<String>,
    /// The summary the editor wrote, as plain text.
    pub summary: Option<String>,
    /// The slug the editor wrote, else one made of the file name (without a leading date) or of the title.
    pub slug: Slug,
    /// Path or URL of the lead image, as written.
    pub image: Option<String>,
    /// Not to be published.
    pub draft: bool,
    /// The Markdown after the front matter.
    pub body: String,
    /// Line of the file on which the body starts, from 1.
    pub body_line: u32,
}

/// Reads one document.
///
/// # Errors
/// A [`Finding`] that names the file, the line and the remedy; the document is held.
pub fn parse(document: &Document, reading: &Reading) -> Result<Issue, Finding> {
    let _ = (document, reading);
    todo!()
}
