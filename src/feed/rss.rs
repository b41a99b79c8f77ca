//! RSS 2.0 (rssboard.org/rss-specification) with `content:encoded`, `dc:creator` and `atom:link`, as the RSS Best Practices Profile has it.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use rss::extension::Extension;
use rss::extension::dublincore::DublinCoreExtension;
use rss::{Category, Channel, Guid, Item};

use super::{Entry, Feed, Format, text};

/// Writes the feed.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let channel = Channel {
        title: feed.title.clone(),
        link: feed.home.clone(),
        description: feed.description.clone(),
        language: Some(feed.language.clone()),
        last_build_date: Some(date(feed.updated.fixed_offset())),
        generator: Some(super::GENERATOR.to_owned()),
        docs: Some("https://www.rssboard.org/rss-specification".to_owned()),
        items: feed.entries.iter().map(item).collect(),
        extensions: own_link(&feed.url(Format::Rss)),
        namespaces: BTreeMap::from([("atom".to_owned(), "http://www.w3.org/2005/Atom".to_owned())]),
        ..Channel::default()
    };
    // Writing to memory cannot fail.
    channel.pretty_write_to(Vec::new(), b' ', 2).unwrap_or_default()
}

fn item(entry: &Entry) -> Item {
    Item {
        title: Some(entry.title.clone()),
        link: Some(entry.url.clone()),
        // Readers take a description for HTML, so plain text must be made HTML.
        description: (!entry.summary.is_empty()).then(|| text::as_html(&entry.summary)),
        categories: entry.categories.iter().map(|name| Category { name: name.clone(), domain: None }).collect(),
        guid: Some(Guid { value: entry.id.clone(), permalink: false }),
        pub_date: Some(date(entry.published)),
        content: Some(entry.html.clone()),
        // `author` would need a mail address; `dc:creator` takes a name, once for each author.
        dublin_core_ext: Some(DublinCoreExtension {
            creators: entry.authors.clone(),
            languages: entry.language.iter().cloned().collect(),
            ..DublinCoreExtension::default()
        }),
        ..Item::default()
    }
}

/// `atom:link rel="self"`. By hand and not by the crate's `atom` feature, which pulls in a builder macro.
fn own_link(url: &str) -> BTreeMap<String, BTreeMap<String, Vec<Extension>>> {
    let attributes = [("href", url), ("rel", "self"), ("type", "application/rss+xml")];
    let link = Extension {
        name: "atom:link".to_owned(),
        value: Some(String::new()), // else the crate writes a line end into it
        attrs: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Extension::default()
    };
    BTreeMap::from([("atom".to_owned(), BTreeMap::from([("link".to_owned(), vec![link])]))])
}

/// RFC 822 with the four-digit year that RSS prefers. Not `to_rfc2822`, which panics after the year 9999.
fn date(date: DateTime<FixedOffset>) -> String {
    date.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}
