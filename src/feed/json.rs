//! JSON Feed 1.1 (jsonfeed.org/version/1.1).

use chrono::{DateTime, FixedOffset, SecondsFormat};
use serde::Serialize;

use super::{Entry, Feed, Format};

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: String,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    icon: &'a str,
    authors: [Author<'a>; 1],
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Hub<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    url: &'a str,
    title: &'a str,
    content_html: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    date_published: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_modified: Option<String>,
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
}

/// Writes the document.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let document = Document {
        version: "https://jsonfeed.org/version/1.1",
        title: &feed.title,
        home_page_url: &feed.home,
        feed_url: feed.url(Format::Json),
        description: &feed.description,
        // The items that come before these; the archive's pages are those of the other formats (RFC 5005).
        next_url: feed.chain.previous.as_deref().map(|base| Format::Json.below(base)),
        icon: &feed.icon,
        authors: [Author { name: &feed.title }],
        language: &feed.language,
        hubs: feed.hubs.iter().map(|url| Hub { kind: "WebSub", url }).collect(),
        items: feed.entries.iter().map(|entry| item(entry)).collect(),
    };
    // Strings in structs cannot fail to serialise.
    serde_json::to_vec(&document).unwrap_or_default()
}

fn item(entry: &Entry) -> Item<'_> {
    Item {
        id: &entry.id,
        url: &entry.url,
        title: &entry.title,
        content_html: &entry.html,
        summary: &entry.summary,
        image: entry.image.as_deref(),
        date_published: date(entry.published),
        date_modified: entry.changed().map(|updated| date(updated.fixed_offset())),
        authors: entry.authors.iter().map(|name| Author { name }).collect(),
        tags: &entry.categories,
        language: entry.language.as_deref(),
    }
}

/// RFC 3339.
fn date(date: DateTime<FixedOffset>) -> String {
    date.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
