//! The one model of a feed, and one pure writer for each wire format.

pub mod atom;
mod ids;
pub mod json;
pub mod rss;
mod text;

pub use ids::{entry_id, feed_id};

use chrono::{DateTime, FixedOffset, SubsecRound, Utc};

use crate::issue::Revision;
use crate::types::NewsletterId;

/// What wrote the feed. Without a version, so that an update of the program leaves every feed as it is.
const GENERATOR: &str = "Tidings";

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
    /// Stable id, from [`feed_id`].
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

impl Feed {
    /// The feed of these revisions, newest first whatever order they come in.
    ///
    /// This is the door: behind it no text holds what XML forbids, and no time is finer than a second or its zone than a minute,
    /// which not every format could say.
    #[must_use]
    pub fn assemble(about: &About, revisions: &[Revision]) -> Self {
        let About { newsletter, title, description, language, home, since } = about;
        let mut newest: Vec<&Revision> = revisions.iter().collect();
        newest.sort_by_key(|revision| std::cmp::Reverse((revision.date, &revision.issue)));
        let entries: Vec<Entry> = newest.into_iter().map(|revision| Entry::of(revision, language)).collect();
        Self {
            id: feed_id(newsletter),
            title: text::line(title),
            description: text::line(description),
            language: text::line(language),
            home: home.clone(),
            base: home.clone(),
            updated: entries.iter().map(|entry| entry.updated).max().unwrap_or(since.trunc_subsecs(0)),
            entries,
        }
    }

    /// Where the feed is served in `format`.
    #[must_use]
    pub fn url(&self, format: Format) -> String {
        format!("{}{}", self.base, format.file_name())
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

impl Entry {
    fn of(revision: &Revision, feed_language: &str) -> Self {
        let lines =
            |texts: &[String]| texts.iter().map(|text| text::line(text)).filter(|text| !text.is_empty()).collect();
        Self {
            id: entry_id(&revision.newsletter, &revision.issue),
            url: revision.url.clone(),
            title: text::line(&revision.title),
            summary: text::line(&revision.content.summary),
            html: text::block(&revision.content.feed),
            authors: lines(&revision.authors),
            categories: lines(&revision.tags),
            published: to_the_second(revision.date),
            updated: revision.updated.trunc_subsecs(0),
            language: revision.language.as_deref().map(text::line).filter(|language| language != feed_language),
            image: revision.image.clone(),
        }
    }
}

/// A zone of old local time (Berlin before 1893: +00:53:28) has seconds, and no format can say them: such a date is told in UTC.
fn to_the_second(date: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
    let date = date.trunc_subsecs(0);
    if date.offset().local_minus_utc() % 60 == 0 { date } else { date.to_utc().fixed_offset() }
}

#[cfg(test)]
mod tests;
