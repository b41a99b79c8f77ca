//! The one model of a feed, and one pure writer for each wire format.

pub mod atom;
mod ids;
pub mod json;
pub mod opml;
pub mod plan;
pub mod rss;
mod text;
mod xml;

pub use ids::{entry_id, facet_feed_id, feed_id};

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, SubsecRound, Utc};

use crate::issue::Revision;
use crate::types::{Facet, NewsletterId};

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

    /// The media type without its charset, for links.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        self.content_type().split(';').next().unwrap_or_default()
    }

    /// The format whose file has this name.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.file_name() == name)
    }

    fn below(self, base: &str) -> String {
        format!("{base}{}", self.file_name())
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

/// A document of a feed: Atom's words. All URLs are absolute, all titles plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Stable id, from [`feed_id`] or [`facet_feed_id`].
    pub id: String,
    /// Title as plain text.
    pub title: String,
    /// One sentence as plain text.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// The page for people.
    pub home: String,
    /// URL below which each [`Format::file_name`] of this document is served; ends with `/`.
    pub base: String,
    /// URL of a square image.
    pub icon: String,
    /// URL of a wide image.
    pub logo: Option<String>,
    /// Hubs that know of changes first (WebSub).
    pub hubs: Vec<String>,
    /// Path of the style sheet that browsers use.
    pub stylesheet: String,
    /// Where the document stands in the archive.
    pub chain: Chain,
    /// When the newest entry changed; for an empty feed, when the newsletter was first read.
    pub updated: DateTime<Utc>,
    /// Newest first.
    pub entries: Vec<Arc<Entry>>,
}

/// Where a document stands among those of its feed (RFC 5005 section 4). Each is the [`Feed::base`] of another document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The document that readers subscribe to; `None` where this is it.
    pub current: Option<String>,
    /// The archived document with the entries before these.
    pub previous: Option<String>,
    /// The archived document with the entries after these.
    pub next: Option<String>,
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
    /// Names, in order; the newsletter where the issue names nobody.
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
    /// The tag or author whose issues the feed has; `None` for all issues.
    pub facet: Option<Facet>,
    /// Title of the newsletter.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// URL of the page of the newsletter, or of the tag or author; ends with `/`. Feeds are below it.
    pub home: String,
    /// URL of a square image.
    pub icon: String,
    /// URL of a wide image.
    pub logo: Option<String>,
    /// URLs of hubs.
    pub hubs: Vec<String>,
    /// Path of the style sheet that browsers use.
    pub stylesheet: String,
    /// When the newsletter was first read: `updated` of an empty feed.
    pub since: DateTime<Utc>,
}

impl Feed {
    /// The document with these entries, newest first. `base` is where it is served.
    #[must_use]
    pub fn assemble(about: &About, base: &str, chain: Chain, entries: Vec<Arc<Entry>>) -> Self {
        let About { newsletter, facet, title, description, language, home, icon, logo, hubs, stylesheet, since } =
            about;
        let title = text::line(title);
        Self {
            id: facet.as_ref().map_or_else(|| feed_id(newsletter), |facet| facet_feed_id(newsletter, &facet.id)),
            title: facet
                .as_ref()
                .map_or_else(|| title.clone(), |facet| format!("{title}: {}", text::line(&facet.name))),
            description: text::line(description),
            language: text::line(language),
            home: home.clone(),
            base: base.to_owned(),
            icon: icon.clone(),
            logo: logo.clone(),
            // A hub tells of changes, and an archived document has none.
            hubs: if chain.current.is_none() { hubs.clone() } else { Vec::new() },
            stylesheet: stylesheet.clone(),
            chain,
            updated: entries.iter().map(|entry| entry.updated).max().unwrap_or(since.trunc_subsecs(0)),
            entries,
        }
    }

    /// Where the document is served in `format`.
    #[must_use]
    pub fn url(&self, format: Format) -> String {
        format.below(&self.base)
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
    /// The entry of a revision, the same in all feeds of a newsletter.
    ///
    /// This is the door: behind it no text holds what XML forbids, and no time is finer than a second or its zone than a minute,
    /// which not every format could say.
    #[must_use]
    pub fn of(revision: &Revision, about: &About) -> Self {
        let lines = |texts: &[String]| -> Vec<String> {
            let mut lines: Vec<String> = Vec::new();
            for line in texts.iter().map(|text| text::line(text)) {
                if !line.is_empty() && !lines.contains(&line) {
                    lines.push(line);
                }
            }
            lines
        };
        let (mut authors, feed_language) = (lines(&revision.authors), text::line(&about.language));
        if authors.is_empty() {
            authors.push(text::line(&about.title));
        }
        Self {
            id: entry_id(&revision.newsletter, &revision.issue),
            url: revision.url.clone(),
            title: text::line(&revision.title),
            summary: text::line(&revision.content.summary),
            html: text::block(&revision.content.feed),
            authors,
            categories: lines(&revision.tags),
            published: to_the_second(revision.date),
            updated: revision.updated.trunc_subsecs(0),
            language: revision.language.as_deref().map(text::line).filter(|language| *language != feed_language),
            image: revision.image.clone(),
        }
    }

    /// When the content changed after it was published.
    fn changed(&self) -> Option<DateTime<Utc>> {
        (self.updated > self.published).then_some(self.updated)
    }
}

/// A zone of old local time (Berlin before 1893: +00:53:28) has seconds, and no format can say them: such a date is told in UTC.
fn to_the_second(date: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
    let date = date.trunc_subsecs(0);
    if date.offset().local_minus_utc() % 60 == 0 { date } else { date.to_utc().fixed_offset() }
}

#[cfg(test)]
pub(crate) mod tests;
