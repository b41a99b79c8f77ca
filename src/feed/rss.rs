//! RSS 2.0 (rssboard.org/rss-specification) with `content:encoded`, `dc:creator`, `atom:link` and `atom:updated`, as the RSS Best
//! Practices Profile has it, `media:content` (rssboard.org/media-rss), and the archive of RFC 5005.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use rss::extension::dublincore::DublinCoreExtension;
use rss::extension::{Extension, ExtensionMap};
use rss::{Category, Channel, Guid, Image, Item};

use super::{Entry, Feed, Format, text, xml};

const ATOM: (&str, &str) = ("atom", "http://www.w3.org/2005/Atom");
const MEDIA: (&str, &str) = ("media", "http://search.yahoo.com/mrss/");

/// Writes the document.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let mut extensions = vec![];
    for (rel, href, kind) in xml::links(feed, Format::Rss) {
        let kind = kind.map(|kind| ("type", kind));
        let attributes = [("href", href.as_str()), ("rel", rel)].into_iter().chain(kind);
        extensions.push((ATOM.0, "link", extension("atom:link", attributes, "")));
    }
    let mut namespaces = vec![ATOM];
    if feed.chain.current.is_some() {
        namespaces.push(xml::HISTORY);
        extensions.push((xml::HISTORY.0, "archive", extension("fh:archive", [], "")));
    }
    if feed.entries.iter().any(|entry| entry.image.is_some()) {
        namespaces.push(MEDIA);
    }
    let channel = Channel {
        title: feed.title.clone(),
        link: feed.home.clone(),
        description: feed.description.clone(),
        language: Some(feed.language.clone()),
        last_build_date: Some(date(feed.updated.fixed_offset())),
        generator: Some(super::GENERATOR.to_owned()),
        docs: Some("https://www.rssboard.org/rss-specification".to_owned()),
        image: Some(Image {
            url: feed.icon.clone(),
            // The profile: title and link are those of the channel.
            title: feed.title.clone(),
            link: feed.home.clone(),
            ..Image::default()
        }),
        items: feed.entries.iter().map(|entry| item(entry)).collect(),
        extensions: map(extensions),
        namespaces: namespaces.into_iter().map(|(prefix, uri)| (prefix.to_owned(), uri.to_owned())).collect(),
        ..Channel::default()
    };
    // Writing to memory cannot fail.
    let written = channel.pretty_write_to(Vec::new(), b' ', 2).unwrap_or_default();
    xml::with_stylesheet(written, &feed.stylesheet)
}

/// `description` comes before `content:encoded`: the crate writes them in this order, and readers that know only one take the first.
fn item(entry: &Entry) -> Item {
    let mut extensions = vec![];
    if let Some(updated) = entry.changed() {
        let updated = updated.to_rfc3339_opts(SecondsFormat::Secs, true);
        extensions.push((ATOM.0, "updated", extension("atom:updated", [], &updated)));
    }
    // Not `enclosure`: that must state the length in bytes, and we fetch nothing that an issue names.
    if let Some(url) = &entry.image {
        let kind = xml::image_type(url).map(|kind| ("type", kind));
        let attributes = [("url", url.as_str()), ("medium", "image")].into_iter().chain(kind);
        extensions.push((MEDIA.0, "content", extension("media:content", attributes, "")));
    }
    Item {
        title: Some(entry.title.clone()),
        link: Some(entry.url.clone()),
        // Readers take a description for HTML, so plain text must be made HTML.
        description: (!entry.summary.is_empty()).then(|| text::as_html(&entry.summary)),
        categories: entry.categories.iter().map(|name| Category { name: name.clone(), domain: None }).collect(),
        guid: Some(Guid { value: entry.id.clone(), permalink: false }),
        pub_date: Some(date(entry.published)),
        content: Some(entry.html.clone()),
        extensions: map(extensions),
        // `author` would need a mail address; `dc:creator` takes a name, once for each author.
        dublin_core_ext: Some(DublinCoreExtension {
            creators: entry.authors.clone(),
            languages: entry.language.iter().cloned().collect(),
            ..DublinCoreExtension::default()
        }),
        ..Item::default()
    }
}

/// An element of another namespace. By hand for `atom` too: the crate's feature for it pulls in a builder macro.
fn extension<'a>(name: &str, attributes: impl IntoIterator<Item = (&'a str, &'a str)>, value: &str) -> Extension {
    Extension {
        name: name.to_owned(),
        value: Some(value.to_owned()), // without one the crate writes a line end into the element
        attrs: attributes.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Extension::default()
    }
}

/// By prefix and local name, as the crate keeps them.
fn map(extensions: Vec<(&str, &str, Extension)>) -> ExtensionMap {
    let mut map: ExtensionMap = BTreeMap::new();
    for (prefix, name, extension) in extensions {
        map.entry(prefix.to_owned()).or_default().entry(name.to_owned()).or_default().push(extension);
    }
    map
}

/// RFC 822 with the four-digit year that RSS prefers. Not `to_rfc2822`, which panics after the year 9999.
fn date(date: DateTime<FixedOffset>) -> String {
    date.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}
