//! Feeds as a stranger reads them, and their exact bytes.

use chrono::{DateTime, FixedOffset, Utc};

use super::{About, Feed, Format, entry_id, feed_id};
use crate::issue::{Content, Revision};
use crate::types::{IssueId, NewsletterId, Slug};

fn about() -> About {
    About {
        newsletter: NewsletterId::parse("tidings").unwrap(),
        title: "Tidings & Co".into(),
        description: "News about <news>".into(),
        language: "en".into(),
        home: "https://example.org/tidings/".into(),
        since: utc("2020-01-01T00:00:00.987Z"),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    date(text).to_utc()
}

fn date(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap()
}

fn revision(issue: &str, when: &str) -> Revision {
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
        let feed = Feed::assemble(&About { title: (*written).into(), ..about() }, &[hostile]);
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

#[test]
fn entries_come_newest_first_in_any_order_given() {
    let revisions = [
        revision("a", "2020-01-01T00:00:00Z"),
        revision("c", "2020-03-01T00:00:00+01:00"),
        revision("b", "2020-02-29T23:00:00Z"),
    ];
    let backwards: Vec<_> = revisions.iter().rev().cloned().collect();
    let feed = Feed::assemble(&about(), &revisions);
    let ids: Vec<_> = feed.entries.iter().map(|entry| entry.id.clone()).collect();
    let id = |issue| entry_id(&about().newsletter, &IssueId::parse(issue).unwrap());
    assert_eq!(ids, [id("c"), id("b"), id("a")]);
    assert_eq!(Feed::assemble(&about(), &backwards), feed);
    for format in Format::ALL {
        assert_eq!(feed.write(format), Feed::assemble(&about(), &backwards).write(format));
    }
}

#[test]
fn a_feed_was_updated_when_its_newest_change_was() {
    let mut edited = revision("a", "2020-01-01T00:00:00Z");
    edited.updated = utc("2020-05-05T05:05:05.678Z");
    let feed = Feed::assemble(&about(), &[revision("b", "2020-02-01T00:00:00Z"), edited]);
    assert_eq!(feed.updated, utc("2020-05-05T05:05:05Z"));
    assert_eq!(Feed::assemble(&about(), &[]).updated, utc("2020-01-01T00:00:00Z"));
}

#[test]
fn an_empty_feed_is_a_feed() {
    for format in Format::ALL {
        let read = read(&Feed::assemble(&about(), &[]), format);
        assert_eq!(read.title.unwrap().content, "Tidings & Co");
        assert!(read.entries.is_empty());
    }
}

#[test]
fn an_entry_without_author_has_the_newsletters() {
    let mut anonymous = revision("a", "2020-01-01T00:00:00Z");
    anonymous.authors = vec![" \n".into()];
    let feed = Feed::assemble(&about(), &[anonymous]);
    let atom = read(&feed, Format::Atom);
    assert_eq!(atom.authors[0].name.as_deref(), Some("Tidings & Co"));
    assert!(atom.entries[0].authors.is_empty());
    // feed-rs gives JSON items the authors of the feed, as the format says.
    assert_eq!(read(&feed, Format::Json).entries[0].authors[0].name.as_deref(), Some("Tidings & Co"));
}

#[test]
fn dates_that_a_format_cannot_say_are_said_in_another_way() {
    for (when, rss, rfc3339) in [
        ("2020-03-12T09:30:00.999+05:45", "Thu, 12 Mar 2020 09:30:00 +0545", "2020-03-12T09:30:00+05:45"),
        ("2020-03-12T09:30:00-08:00", "Thu, 12 Mar 2020 09:30:00 -0800", "2020-03-12T09:30:00-08:00"),
    ] {
        let feed = Feed::assemble(&about(), &[revision("a", when)]);
        let text = |format| String::from_utf8(feed.write(format)).unwrap();
        assert!(text(Format::Rss).contains(&format!("<pubDate>{rss}</pubDate>")), "{}", text(Format::Rss));
        assert!(text(Format::Atom).contains(&format!("<published>{rfc3339}</published>")), "{}", text(Format::Atom));
        assert!(text(Format::Json).contains(&format!("\"date_published\":\"{rfc3339}\"")), "{}", text(Format::Json));
    }
    let old = FixedOffset::east_opt(53 * 60 + 28).unwrap();
    let mut berlin = revision("a", "1880-06-01T12:00:00Z");
    berlin.date = berlin.date.with_timezone(&old);
    for format in Format::ALL {
        let feed = read(&Feed::assemble(&about(), &[berlin.clone()]), format);
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
    Feed::assemble(&about(), &[march])
}

#[test]
fn rss_to_the_byte() {
    assert_eq!(String::from_utf8(small().write(Format::Rss)).unwrap(), include_str!("golden/rss.xml").trim_end());
}

#[test]
fn atom_to_the_byte() {
    assert_eq!(String::from_utf8(small().write(Format::Atom)).unwrap(), include_str!("golden/atom.xml").trim_end());
}

#[test]
fn json_to_the_byte() {
    assert_eq!(String::from_utf8(small().write(Format::Json)).unwrap(), include_str!("golden/feed.json").trim_end());
}
