//! The one model of a feed, and one pure writer for each wire format.

pub mod atom;
pub mod json;
pub mod rss;
mod text;

use chrono::{DateTime, FixedOffset, Utc};

use crate::issue::Revision;
use crate::types::{IssueId, NewsletterId};

/// The formats we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// RSS 2.0 with `content:encoded`, `dc:creator` and `atom:link`.
    Rss,
    /// Atom 1.0, RFC 4287.
    Atom,
    /// JSON Feed 1.1.
    Json,
}

impl Format {
    /// All of them, in the order pages list them.
    pub const ALL: [Self; 3] = [Self::Atom, Self::Rss, Self::Json];

    /// File name below the newsletter's URL.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Rss => "rss.xml",
            Self::Atom => "atom.xml",
            Self::Json => "feed.json",
        }
    }

    /// The registered media type, with the charset where the type has one.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Json => "application/feed+json",
        }
    }

    /// The name people know it by.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Rss => "RSS",
            Self::Atom => "Atom",
            Self::Json => "JSON Feed",
        }
    }
}

/// A feed: Atom's words. All URLs are absolute, all titles plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Stable id: `tag:` URI (RFC 4151) or `urn:`, not a URL.
    pub id: String,
    /// Title as plain text.
    pub title: String,
    /// One sentence as plain text.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// The page for people.
    pub home: String,
    /// URL below which each [`Format::file_name`] is served; ends with `/`.
    pub base: String,
    /// When the newest entry changed; for an empty feed, when the newsletter was first read.
    pub updated: DateTime<Utc>,
    /// Newest first.
    pub entries: Vec<Entry>,
}

/// One issue in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable id, from [`entry_id`].
    pub id: String,
    /// URL of the page for people.
    pub url: String,
    /// Title as plain text.
    pub title: String,
    /// Summary as plain text.
    pub summary: String,
    /// Sanitised HTML with absolute URLs.
    pub html: String,
    /// Names, in order.
    pub authors: Vec<String>,
    /// Tags, in order.
    pub categories: Vec<String>,
    /// The issue's date.
    pub published: DateTime<FixedOffset>,
    /// When its content last changed.
    pub updated: DateTime<Utc>,
    /// BCP 47 tag, where it differs from the feed's.
    pub language: Option<String>,
    /// Absolute URL of the lead image.
    pub image: Option<String>,
}

/// What a feed says about its newsletter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// Title.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// URL of the newsletter's home page, ending with `/`; feeds are below it.
    pub home: String,
    /// When the newsletter was first read: `updated` of an empty feed.
    pub since: DateTime<Utc>,
}

/// The feed's stable id: it derives from the newsletter's name alone, so it survives moves of the host.
#[must_use]
pub fn feed_id(newsletter: &NewsletterId) -> String {
    let _ = newsletter;
    todo!()
}

/// An entry's stable id: it derives from the newsletter's name and the issue's identity, so it survives
/// renames, new titles, moves of the host and a rebuilt database.
#[must_use]
pub fn entry_id(newsletter: &NewsletterId, issue: &IssueId) -> String {
    let _ = (newsletter, issue);
    todo!()
}

impl Feed {
    /// The feed of these revisions, newest first whatever order they come in.
    #[must_use]
    pub fn assemble(about: &About, revisions: &[Revision]) -> Self {
        let _ = (about, revisions);
        todo!()
    }

    /// The bytes of the feed in `format`. The same feed always gives the same bytes.
    #[must_use]
    pub fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Rss => rss::write(self),
            Format::Atom => atom::write(self),
            Format::Json => json::write(self),
        }
    }
}
