//! Feeds as a stranger reads them, and their exact bytes.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};

use super::{About, Chain, Entry, Feed, Format, entry_id, facet_feed_id, feed_id};
use crate::issue::{Content, Revision};
use crate::types::{Facet, FacetKind, IssueId, NewsletterId, Slug};

pub(crate) fn about() -> About {
    About {
        newsletter: NewsletterId::parse("tidings").unwrap(),
        facet: None,
        title: "Tidings & Co".into(),
        description: "News about <news>".into(),
        language: "en".into(),
        home: "https://example.org/tidings/".into(),
        icon: "https://example.org/icon.png".into(),
        logo: None,
        hubs: vec!["https://hub.example.org/?a&b".into()],
        stylesheet: "/feed.css".into(),
        since: utc("2020-01-01T00:00:00.987Z"),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    date(text).to_utc()
}

fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

pub(crate) fn revision(issue: &str, when: &str) -> Revision {
    Revision {
        newsletter: about().newsletter,
        issue: IssueId::parse(issue).unwrap(),
        number: 1,
        path: issue.into(),
        slug: Slug::parse("march").unwrap(),
        commit: String::new(),
        blob: String::new(),
        title: "March".into(),
        authors: vec!["Ada".into()],
        tags: vec!["release".into()],
        language: None,
        image: None,
        date: date(when),
        updated: utc(when),
        url: "https://example.org/tidings/issues/march".into(),
        content: Content { feed: "<p>Hello</p>\n".into(), summary: "Hello".into(), ..Content::default() },
    }
}

fn assemble(about: &About, revisions: &[Revision]) -> Feed {
    Feed::assemble(about, &about.home, Chain::default(), entries(about, revisions))
}

fn entries(about: &About, revisions: &[Revision]) -> Vec<Arc<Entry>> {
    revisions.iter().map(|revision| Arc::new(Entry::of(revision, about))).collect()
}

fn read(feed: &Feed, format: Format) -> feed_rs::model::Feed {
    let bytes = feed.write(format);
    feed_rs::parser::parse(bytes.as_slice())
        .unwrap_or_else(|error| panic!("{format:?}: {error}\n{}", String::from_utf8_lossy(&bytes)))
}

/// Texts that break a careless writer, with what a reader must see of them.
const HOSTILE: &[(&str, &str)] = &[
    ("Rust <script>alert(1)</script> & you", "Rust <script>alert(1)</script> & you"),
    ("]]> ends CDATA, ]]]]><![CDATA[> begins it", "]]> ends CDATA, ]]]]><![CDATA[> begins it"),
    ("\"quotes\" and 'apostrophes' &amp; &#0; &lt;", "\"quotes\" and 'apostrophes' &amp; &#0; &lt;"),
    ("nul \u{0}, escape \u{1B}[31m, nonchar \u{FFFE}\u{FFFF}!", "nul , escape [31m, nonchar !"),
    ("two\r\nlines\nand\ttabs", "two lines and tabs"),
    (
        "<?xml version=\"1.0\"?><!-- --><!DOCTYPE x [<!ENTITY a \"b\">]>&a;",
        "<?xml version=\"1.0\"?><!-- --><!DOCTYPE x [<!ENTITY a \"b\">]>&a;",
    ),
    ("周刊 \u{1F980} \u{202E}rtl e\u{301}", "周刊 \u{1F980} \u{202E}rtl e\u{301}"),
];

#[test]
fn a_stranger_reads_what_we_wrote() {
    for (written, seen) in HOSTILE {
        let body = format!("<p>{written}</p>");
        let body_seen = format!("<p>{}</p>", super::text::block(written));
        let mut hostile = revision("2020/03.md", "2020-03-12T09:30:00+02:00");
        hostile.title = (*written).into();
        hostile.authors = vec![(*written).into(), "Grace".into()];
        hostile.tags = vec!["rust".into(), (*written).into()];
        hostile.updated = utc("2020-03-14T00:00:00Z");
        hostile.content.feed = body;
        hostile.content.summary = (*written).into();
        let feed = assemble(&About { title: (*written).into(), ..about() }, &[hostile]);
        for format in Format::ALL {
            let read = read(&feed, format);
            assert_eq!(read.title.unwrap().content, *seen, "{format:?}");
            assert_eq!(read.language.as_deref(), Some("en"));
            let entry = &read.entries[0];
            assert_eq!(entry.id, feed.entries[0].id);
            assert_eq!(entry.title.as_ref().unwrap().content, *seen, "{format:?}");
            assert_eq!(entry.links[0].href, "https://example.org/tidings/issues/march");
            assert_eq!(entry.published, Some(utc("2020-03-12T07:30:00Z")), "{format:?}");
            if format == Format::Atom {
                assert_eq!(read.id, feed_id(&about().newsletter));
            }
            if format != Format::Rss {
                assert_eq!(entry.updated, Some(utc("2020-03-14T00:00:00Z")), "{format:?}");
            }
            // feed-rs reads no `atom:updated` in RSS.
            let text = String::from_utf8(feed.write(format)).unwrap();
            assert_eq!(text.contains("<atom:updated>2020-03-14T00:00:00Z</atom:updated>"), format == Format::Rss);
            let authors: Vec<_> =
                entry.authors.iter().map(|person| person.name.as_deref().unwrap_or_default()).collect();
            assert_eq!(authors, [*seen, "Grace"], "{format:?}");
            let tags: Vec<_> = entry.categories.iter().map(|category| category.term.as_str()).collect();
            assert_eq!(tags, ["rust", *seen], "{format:?}");
            assert_eq!(entry.content.as_ref().unwrap().body.as_deref(), Some(body_seen.as_str()), "{format:?}");
            let summary = &entry.summary.as_ref().unwrap().content;
            match format {
                Format::Rss => assert_eq!(*summary, super::text::as_html(seen)),
                Format::Atom | Format::Json => assert_eq!(summary, seen),
            }
        }
    }
}

/// What generated texts are made of: everything that has a meaning in XML, HTML, JSON or Unicode.
const PIECES: &[&str] = &[
    "a",
    " ",
    "<",
    ">",
    "&",
    "\"",
    "'",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "<?",
    "?>",
    "&amp;",
    "&#0;",
    "&#x1F;",
    "&lt;b&gt;",
    "</p>",
    "Vec<T>",
    "<b>",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{8}",
    "\u{B}",
    "\u{1B}[1m",
    "\u{7F}",
    "\u{85}",
    "\u{A0}",
    "\u{2028}",
    "\u{FEFF}",
    "\u{FFFD}",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{10FFFF}",
    "\u{1F980}",
    "\u{1F469}\u{200D}\u{1F680}",
    "e\u{301}",
    "\u{202E}",
    "\u{2067}שלום\u{2069}",
    "مرحبا",
    "周刊",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "%00",
    "{{ x }}",
    "\u{E000}",
];

/// Texts from a seed: the same in every run.
struct Dice(u64);

impl Dice {
    /// SplitMix64.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ z >> 31) % sides as u64).unwrap()
    }

    /// Begins with a letter, since a reader may well leave out a title that is blank.
    fn text(&mut self) -> String {
        let pieces = self.roll(12);
        std::iter::once("x").chain((0..pieces).map(|_| PIECES[self.roll(PIECES.len())])).collect()
    }
}

#[test]
fn whatever_an_issue_says_a_stranger_reads_it_back() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut issue = revision("2020/03.md", "2020-03-12T09:30:00+02:00");
        (issue.title, issue.content.summary) = (dice.text(), dice.text());
        issue.content.feed = format!("<p>{}</p>", dice.text());
        issue.authors = (0..1 + dice.roll(3)).map(|_| dice.text()).collect();
        issue.tags = (0..dice.roll(3)).map(|_| dice.text()).collect();
        let feed = assemble(&About { title: dice.text(), description: dice.text(), ..about() }, &[issue]);
        let expected = &feed.entries[0];
        for format in Format::ALL {
            let bytes = String::from_utf8(feed.write(format)).unwrap();
            assert!(
                bytes.chars().all(|c| c >= ' ' && !matches!(c, '\u{FFFE}' | '\u{FFFF}') || "\t\n".contains(c)),
                "{bytes:?}"
            );
            let read = read(&feed, format);
            let what = format!("seed {seed}, {format:?}: {bytes}");
            assert_eq!(read.title.unwrap().content, feed.title, "{what}");
            assert_eq!(read.description.unwrap().content, feed.description, "{what}");
            let entry = &read.entries[0];
            assert_eq!((&entry.id, &entry.title.as_ref().unwrap().content), (&expected.id, &expected.title), "{what}");
            assert_eq!(entry.content.as_ref().unwrap().body.as_ref(), Some(&expected.html), "{what}");
            let summary = match format {
                Format::Rss => super::text::as_html(&expected.summary),
                Format::Atom | Format::Json => expected.summary.clone(),
            };
            assert_eq!(entry.summary.as_ref().unwrap().content, summary, "{what}");
            let names: Vec<_> = entry.authors.iter().filter_map(|person| person.name.clone()).collect();
            let tags: Vec<_> = entry.categories.iter().map(|category| category.term.clone()).collect();
            assert_eq!((&names, &tags), (&expected.authors, &expected.categories), "{what}");
        }
    }
}

#[test]
fn a_feed_was_updated_when_its_newest_change_was() {
    let mut edited = revision("a", "2020-01-01T00:00:00Z");
    edited.updated = utc("2020-05-05T05:05:05.678Z");
    let feed = assemble(&about(), &[revision("b", "2020-02-01T00:00:00Z"), edited]);
    assert_eq!(feed.updated, utc("2020-05-05T05:05:05Z"));
    assert_eq!(assemble(&about(), &[]).updated, utc("2020-01-01T00:00:00Z"));
}

#[test]
fn an_empty_feed_is_a_feed() {
    for format in Format::ALL {
        let read = read(&assemble(&about(), &[]), format);
        assert_eq!(read.title.unwrap().content, "Tidings & Co");
        assert!(read.entries.is_empty());
    }
}

#[test]
fn an_entry_without_author_has_the_newsletter_in_every_format() {
    let mut anonymous = revision("a", "2020-01-01T00:00:00Z");
    anonymous.authors = vec![" \n".into()];
    let facet = Facet::new(FacetKind::Tag, "Release");
    for about in [about(), About { facet, ..about() }] {
        let feed = assemble(&about, std::slice::from_ref(&anonymous));
        for format in Format::ALL {
            let entry = read(&feed, format).entries.remove(0);
            assert_eq!(entry.authors.len(), 1, "{format:?}");
            assert_eq!(entry.authors[0].name.as_deref(), Some("Tidings & Co"), "{format:?}");
        }
    }
}

#[test]
fn what_did_not_change_has_no_time_of_change() {
    let feed = assemble(&about(), &[revision("a", "2020-01-01T00:00:00Z")]);
    let text = |format| String::from_utf8(feed.write(format)).unwrap();
    assert!(!text(Format::Rss).contains("atom:updated") && !text(Format::Json).contains("date_modified"));
    assert!(text(Format::Atom).contains("<updated>2020-01-01T00:00:00+00:00</updated>"), "Atom asks for one");
}

#[test]
fn a_tag_has_a_feed_of_its_own_name_and_id_with_the_same_entries() {
    let facet = Facet::new(FacetKind::Tag, "C++ & <co>").unwrap();
    let id = facet_feed_id(&about().newsletter, &facet.id);
    let about =
        About { facet: Some(facet), home: "https://example.org/tidings/tags/c-plus-plus-co/".into(), ..about() };
    let (feed, all) = (assemble(&about, &[revision("a", "2020-01-01T00:00:00Z")]), small());
    assert_eq!((feed.title.as_str(), &feed.id), ("Tidings & Co: C++ & <co>", &id));
    assert_ne!(feed.id, all.id);
    assert_eq!(feed.entries[0].id, entry_id(&about.newsletter, &IssueId::parse("a").unwrap()));
    assert_eq!(feed.url(Format::Rss), "https://example.org/tidings/tags/c-plus-plus-co/rss.xml");
}

fn archived() -> Feed {
    let chain = Chain {
        current: Some("https://example.org/tidings/".into()),
        previous: Some("https://example.org/tidings/archive/1-aa/".into()),
        next: Some("https://example.org/tidings/archive/3/".into()),
    };
    Feed::assemble(
        &about(),
        "https://example.org/tidings/archive/2-bb/",
        chain,
        entries(&about(), &[revision("a", "2020-01-01T00:00:00Z")]),
    )
}

#[test]
fn an_archived_document_says_so_and_names_its_neighbours() {
    let (text, mut links) = (|format| String::from_utf8(archived().write(format)).unwrap(), vec![]);
    for format in [Format::Atom, Format::Rss] {
        let feed = read(&archived(), format);
        links = feed.links.iter().map(|link| (link.rel.clone().unwrap_or_default(), link.href.clone())).collect();
        let named = |rel: &str| links.iter().find(|(name, _)| name == rel).map(|(_, href)| href.clone());
        let file = format.file_name();
        assert_eq!(named("self"), Some(format!("https://example.org/tidings/archive/2-bb/{file}")), "{format:?}");
        assert_eq!(named("current"), Some(format!("https://example.org/tidings/{file}")), "{format:?}");
        assert_eq!(
            named("prev-archive"),
            Some(format!("https://example.org/tidings/archive/1-aa/{file}")),
            "{format:?}"
        );
        assert_eq!(named("next-archive"), Some(format!("https://example.org/tidings/archive/3/{file}")), "{format:?}");
        assert_eq!(named("hub"), None, "an archived document has no changes to tell of");
        assert!(text(format).contains("<fh:archive></fh:archive>"), "{}", text(format));
        assert!(text(format).contains("xmlns:fh=\"http://purl.org/syndication/history/1.0\""), "{}", text(format));
    }
    assert!(!links.is_empty());
    let json: serde_json::Value = serde_json::from_slice(&archived().write(Format::Json)).unwrap();
    assert_eq!(json["next_url"], "https://example.org/tidings/archive/1-aa/feed.json");
    assert!(json["hubs"].is_null());
}

#[test]
fn a_document_to_subscribe_to_is_no_archive() {
    for format in [Format::Atom, Format::Rss] {
        let text = String::from_utf8(small().write(format)).unwrap();
        assert!(!text.contains("fh:") && !text.contains("-archive") && !text.contains("\"current\""), "{text}");
    }
}

#[test]
fn a_feed_is_no_larger_than_was_planned() {
    let hostile = "<&\"'>\n\\\t\u{1F980}é".repeat(500);
    let mut revision = revision("a", "2020-01-01T00:00:00Z");
    (revision.title, revision.content.feed, revision.content.summary) =
        (hostile.clone(), hostile.clone(), hostile.clone());
    (revision.tags, revision.authors) = (vec![hostile.clone(); 3], vec![hostile; 2]);
    let planned = revision.feed_size();
    let (with, without) = (assemble(&about(), &[revision]), assemble(&about(), &[]));
    for format in Format::ALL {
        let needed = with.write(format).len() - without.write(format).len();
        assert!(needed <= planned && planned < 5 * needed, "{format:?}: {needed} of {planned}");
    }
}

#[test]
fn dates_that_a_format_cannot_say_are_said_in_another_way() {
    for (when, rss, rfc3339) in [
        ("2020-03-12T09:30:00.999+05:45", "Thu, 12 Mar 2020 09:30:00 +0545", "2020-03-12T09:30:00+05:45"),
        ("2020-03-12T09:30:00-08:00", "Thu, 12 Mar 2020 09:30:00 -0800", "2020-03-12T09:30:00-08:00"),
    ] {
        let feed = assemble(&about(), &[revision("a", when)]);
        let text = |format| String::from_utf8(feed.write(format)).unwrap();
        assert!(text(Format::Rss).contains(&format!("<pubDate>{rss}</pubDate>")), "{}", text(Format::Rss));
        assert!(text(Format::Atom).contains(&format!("<published>{rfc3339}</published>")), "{}", text(Format::Atom));
        assert!(text(Format::Json).contains(&format!("\"date_published\":\"{rfc3339}\"")), "{}", text(Format::Json));
    }
    let old = FixedOffset::east_opt(53 * 60 + 28).unwrap();
    let mut berlin = revision("a", "1880-06-01T12:00:00Z");
    berlin.date = berlin.date.with_timezone(&old);
    for format in Format::ALL {
        let feed = read(&assemble(&about(), &[berlin.clone()]), format);
        assert_eq!(feed.entries[0].published, Some(utc("1880-06-01T12:00:00Z")), "{format:?}");
    }
}

fn small() -> Feed {
    let mut march = revision("2020/03.md", "2020-03-12T09:30:00+02:00");
    march.updated = utc("2020-03-14T10:00:00Z");
    march.title = "March & more".into();
    march.content.feed = "<p>1 &lt; 2 ]]&gt; ]]></p>\n".into();
    march.content.summary = "1 < 2".into();
    march.language = Some("de".into());
    march.image = Some("https://example.org/tidings/files/a.png".into());
    assemble(&about(), &[march])
}

#[test]
fn rss_to_the_byte() {
    assert_eq!(
        String::from_utf8(small().write(Format::Rss)).unwrap(),
        include_str!("golden/rss.xml").trim_end(),
        "raise plan::FORM"
    );
}

#[test]
fn atom_to_the_byte() {
    assert_eq!(
        String::from_utf8(small().write(Format::Atom)).unwrap(),
        include_str!("golden/atom.xml").trim_end(),
        "raise plan::FORM"
    );
}

#[test]
fn json_to_the_byte() {
    assert_eq!(
        String::from_utf8(small().write(Format::Json)).unwrap(),
        include_str!("golden/feed.json").trim_end(),
        "raise plan::FORM"
    );
}
