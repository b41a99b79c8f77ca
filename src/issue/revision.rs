//! An issue as read at one commit and rendered. Feeds show the newest; a mailing freezes one.

use chrono::{DateTime, FixedOffset, Utc};

use crate::types::{IssueId, NewsletterId, Slug};

/// What the renderer made of an issue's Markdown. Every URL in it is absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Sanitised HTML for our own pages.
    pub web: String,
    /// Sanitised HTML for feed readers.
    pub feed: String,
    /// Sanitised HTML for mail.
    pub mail: String,
    /// text/plain for mail: wrapped at 72, links numbered.
    pub text: String,
    /// One paragraph of plain text: the editor's summary, else the first paragraph, cut at a word.
    pub summary: String,
    /// Files of the source that the HTML shows, as paths below its root, in order, without repeats.
    pub assets: Vec<String>,
}

/// One state of one issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The issue.
    pub issue: IssueId,
    /// Counts from 1 for each issue; a new one only when the document's fields or body changed.
    pub number: i64,
    /// Path below the root of the source.
    pub path: String,
    /// Name in our URLs, unique in the newsletter; kept when the title changes.
    pub slug: Slug,
    /// The commit it was read at; empty for a plain directory.
    pub commit: String,
    /// Git blob id of the document.
    pub blob: String,
    /// Plain text.
    pub title: String,
    /// Names, in order.
    pub authors: Vec<String>,
    /// Tags, in order.
    pub tags: Vec<String>,
    /// BCP 47 tag, if the document names one.
    pub language: Option<String>,
    /// Absolute URL of the lead image.
    pub image: Option<String>,
    /// The issue's date.
    pub date: DateTime<FixedOffset>,
    /// When the content last changed: the issue's date for the first revision, else the commit's time.
    pub updated: DateTime<Utc>,
    /// Absolute public URL of the issue.
    pub url: String,
    /// The rendered content.
    pub content: Content,
}
