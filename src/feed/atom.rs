//! Atom 1.0, RFC 4287.

use atom_syndication as atom;
use atom_syndication::{Category, Content, Generator, Link, Person, Text, WriteConfig};

use super::{Entry, Feed, Format};

/// Writes the feed.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let document = atom::Feed {
        title: Text::plain(feed.title.clone()),
        id: feed.id.clone(),
        updated: feed.updated.fixed_offset(),
        // An entry without an author has the feed's (section 4.1.2), so the feed always has one: the newsletter itself.
        authors: vec![person(&feed.title)],
        generator: Some(Generator { value: super::GENERATOR.to_owned(), uri: None, version: None }),
        // The page comes first: some readers take the first link.
        links: vec![
            link("alternate", feed.home.clone(), "text/html"),
            link("self", feed.url(Format::Atom), "application/atom+xml"),
        ],
        subtitle: Some(Text::plain(feed.description.clone())),
        entries: feed.entries.iter().map(entry).collect(),
        lang: Some(feed.language.clone()),
        ..atom::Feed::default()
    };
    let config = WriteConfig { write_document_declaration: true, indent_size: Some(2) };
    // Writing to memory cannot fail.
    document.write_with_config(Vec::new(), config).unwrap_or_default()
}

fn entry(entry: &Entry) -> atom::Entry {
    let text = |value: &str| Text { lang: entry.language.clone(), ..Text::plain(value) };
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
        links: vec![link("alternate", entry.url.clone(), "text/html")],
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

fn link(rel: &str, href: String, mime_type: &str) -> Link {
    Link { href, rel: rel.to_owned(), mime_type: Some(mime_type.to_owned()), ..Link::default() }
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), ..Person::default() }
}
