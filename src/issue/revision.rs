//! An issue as read at one commit and rendered. Feeds show the newest; a mailing freezes one.

use chrono::{DateTime, FixedOffset, Utc};

use aws_lc_rs::digest::{Context, SHA256};

use crate::types::{IssueId, NewsletterId, Slug, hex};

/// What the renderer made of an issue's Markdown. Every URL in it is absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Sanitised HTML for our own pages.
    pub web: String,
    /// Sanitised HTML for feed readers.
    pub feed: String,
    /// Sanitised HTML for mail.
    pub mail: String,
    /// text/plain for mail: wrapped at 72, links numbered.
    pub text: String,
    /// One paragraph of plain text: the editor's summary, else the first paragraph, cut at a word.
    pub summary: String,
    /// Files of the source that the HTML shows, as paths below its root, in order, without repeats.
    pub assets: Vec<String>,
}

/// One state of one issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The issue.
    pub issue: IssueId,
    /// Counts from 1 for each issue; a new one only when the document's fields or body changed.
    pub number: i64,
    /// Path below the root of the source.
    pub path: String,
    /// Name in our URLs, unique in the newsletter; kept when the title changes.
    pub slug: Slug,
    /// The commit it was read at; empty for a plain directory.
    pub commit: String,
    /// Git blob id of the document.
    pub blob: String,
    /// Plain text.
    pub title: String,
    /// Names, in order.
    pub authors: Vec<String>,
    /// Tags, in order.
    pub tags: Vec<String>,
    /// BCP 47 tag, if the document names one.
    pub language: Option<String>,
    /// Absolute URL of the lead image.
    pub image: Option<String>,
    /// The issue's date.
    pub date: DateTime<FixedOffset>,
    /// When the content last changed: the issue's date for the first revision, else the commit's time.
    pub updated: DateTime<Utc>,
    /// Absolute public URL of the issue.
    pub url: String,
    /// The rendered content.
    pub content: Content,
}

impl Revision {
    /// Changes when anything changes that a feed shows of the issue: 128 bits of SHA-256 in hex.
    #[must_use]
    pub fn feed_hash(&self) -> String {
        let Self { title, authors, tags, language, image, date, updated, url, content, .. } = self;
        let mut context = Context::new(&SHA256);
        // Each part with its length before it, so that no two lists of parts run together into the same bytes.
        let mut part = |text: &str| {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        };
        for text in [title, url, &date.to_rfc3339(), &updated.to_rfc3339(), &content.feed, &content.summary] {
            part(text);
        }
        for list in [authors, tags] {
            part(&list.len().to_string());
            list.iter().for_each(|text| part(text));
        }
        for text in [language, image] {
            part(&u8::from(text.is_some()).to_string());
            part(text.as_deref().unwrap_or_default());
        }
        hex(context.finish().as_ref().iter().take(16))
    }

    /// How many bytes the issue needs in a feed of any format, at most: text is longest where all its marks are escaped.
    #[must_use]
    pub fn feed_size(&self) -> usize {
        let escaped = |text: &str| text.bytes().map(|byte| usize::from(ESCAPED[usize::from(byte)])).sum::<usize>();
        let lists = self.authors.iter().chain(&self.tags).map(|text| escaped(text) + TAGS_AROUND).sum::<usize>();
        // RSS tells the summary as HTML, so its marks are escaped twice.
        let texts = [&self.title, &self.url, &self.content.feed].map(|text| escaped(text)).iter().sum::<usize>();
        FIELDS + lists + texts + 2 * escaped(&self.content.summary) + self.image.as_ref().map_or(0, |url| 3 * url.len())
    }
}

/// What elements, keys, ids and dates of one entry take.
const FIELDS: usize = 1024;
/// What stands around one name.
const TAGS_AROUND: usize = 64;

/// How long each byte is when it is escaped: a table, since feeds are counted byte by byte.
const ESCAPED: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        lengths[byte] = escaped_length(byte as u8);
        byte += 1;
    }
    lengths
};

const fn escaped_length(byte: u8) -> u8 {
    match byte {
        b'"' | b'\'' => 6,
        b'&' => 5,
        b'<' | b'>' => 4,
        b'\n' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision() -> Revision {
        Revision {
            newsletter: NewsletterId::parse("n").unwrap(),
            issue: IssueId::parse("a.md").unwrap(),
            number: 1,
            path: "a.md".into(),
            slug: Slug::parse("a").unwrap(),
            commit: "c".into(),
            blob: "b".into(),
            title: "T".into(),
            authors: vec!["A".into()],
            tags: vec!["B".into()],
            language: None,
            image: None,
            date: DateTime::parse_from_rfc3339("2020-01-01T00:00:00Z").unwrap(),
            updated: DateTime::default(),
            url: "https://example.org/a".into(),
            content: Content { feed: "<p>x</p>".into(), summary: "x".into(), ..Content::default() },
        }
    }

    #[test]
    fn the_hash_moves_with_what_feeds_show_and_with_nothing_else() {
        let same = revision().feed_hash();
        let moved = Revision { path: "b.md".into(), commit: "d".into(), blob: "e".into(), number: 2, ..revision() };
        assert_eq!(moved.feed_hash(), same);
        let different = [
            Revision { title: "U".into(), ..revision() },
            Revision { authors: vec![], tags: vec!["A".into(), "B".into()], ..revision() },
            Revision { authors: vec!["A".into(), "B".into()], tags: vec![], ..revision() },
            Revision { language: Some(String::new()), ..revision() },
            Revision { image: Some(String::new()), ..revision() },
            Revision {
                content: Content { feed: "<p>x</p>x".into(), summary: String::new(), ..Content::default() },
                ..revision()
            },
        ];
        let hashes: std::collections::HashSet<_> = different.iter().map(Revision::feed_hash).chain([same]).collect();
        assert_eq!(hashes.len(), different.len() + 1);
    }
}
