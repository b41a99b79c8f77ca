//! Atom 1.0, RFC 4287, with the archive of RFC 5005.

use std::collections::BTreeMap;

use atom_syndication as atom;
use atom_syndication::extension::Extension;
use atom_syndication::{Category, Content, Generator, Link, Person, Text, WriteConfig};

use super::{Entry, Feed, Format, xml};

/// Writes the document.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let mut document = atom::Feed {
        title: Text::plain(feed.title.clone()),
        id: feed.id.clone(),
        updated: feed.updated.fixed_offset(),
        // Every entry has authors, so this is nobody's fallback (section 4.1.1): it says who publishes.
        authors: vec![person(&feed.title)],
        generator: Some(Generator { value: super::GENERATOR.to_owned(), uri: None, version: None }),
        icon: Some(feed.icon.clone()),
        logo: feed.logo.clone(),
        // The page comes first: some readers take the first link.
        links: std::iter::once(link("alternate", feed.home.clone(), Some("text/html")))
            .chain(xml::links(feed, Format::Atom).into_iter().map(|(rel, href, kind)| link(rel, href, kind)))
            .collect(),
        subtitle: Some(Text::plain(feed.description.clone())),
        entries: feed.entries.iter().map(|one| entry(one)).collect(),
        lang: Some(feed.language.clone()),
        ..atom::Feed::default()
    };
    if feed.chain.current.is_some() {
        let (prefix, namespace) = xml::HISTORY;
        let archive =
            Extension { name: format!("{prefix}:archive"), value: Some(String::new()), ..Extension::default() };
        document.namespaces.insert(prefix.to_owned(), namespace.to_owned());
        document.extensions.insert(prefix.to_owned(), BTreeMap::from([("archive".to_owned(), vec![archive])]));
    }
    let config = WriteConfig { write_document_declaration: true, indent_size: Some(2) };
    // Writing to memory cannot fail.
    let written = document.write_with_config(Vec::new(), config).unwrap_or_default();
    xml::with_stylesheet(written, &feed.stylesheet)
}

fn entry(entry: &Entry) -> atom::Entry {
    let text = |value: &str| Text { lang: entry.language.clone(), ..Text::plain(value) };
    let page = Link { hreflang: entry.language.clone(), ..link("alternate", entry.url.clone(), Some("text/html")) };
    // Without a length: it is optional here (section 4.2.7.6), and we fetch nothing that an issue names.
    let image = entry.image.as_ref().map(|url| link("enclosure", url.clone(), xml::image_type(url)));
    atom::Entry {
        title: text(&entry.title),
        id: entry.id.clone(),
        updated: entry.updated.fixed_offset(),
        authors: entry.authors.iter().map(|name| person(name)).collect(),
        categories: entry
            .categories
            .iter()
            .map(|term| Category { term: term.clone(), scheme: None, label: None })
            .collect(),
        links: std::iter::once(page).chain(image).collect(),
        published: Some(entry.published),
        summary: (!entry.summary.is_empty()).then(|| text(&entry.summary)),
        content: Some(Content {
            lang: entry.language.clone(),
            content_type: Some("html".to_owned()),
            value: Some(entry.html.clone()),
            ..Content::default()
        }),
        ..atom::Entry::default()
    }
}

fn link(rel: &str, href: String, mime_type: Option<&str>) -> Link {
    Link { href, rel: rel.to_owned(), mime_type: mime_type.map(str::to_owned), ..Link::default() }
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), ..Person::default() }
}
