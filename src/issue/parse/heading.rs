//! The first heading of a text: a title where the header has none, and a repetition where it has one.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::fields::plain;

/// The first heading that is not inside a list, a quotation or the like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// As plain text on one line.
    pub(super) text: String,
    /// No word stands before it: comments, images and HTML at most.
    pub(super) leads: bool,
    /// Where it stands.
    range: Range<usize>,
}

impl Heading {
    /// Whether it says the same as a title.
    pub(super) fn says(&self, title: &str) -> bool {
        self.text.to_lowercase() == title.to_lowercase()
    }

    /// The text without it. Its line ends stay, so that every other line keeps its number.
    pub(super) fn blanked(&self, body: &str) -> String {
        let part = |range: Range<usize>| body.get(range).unwrap_or_default();
        let ends: String = part(self.range.clone()).chars().filter(|c| *c == '\n').collect();
        [part(0..self.range.start), &ends, part(self.range.end..body.len())].concat()
    }
}

/// The first heading of a Markdown text, ATX or setext.
pub(super) fn first(body: &str) -> Option<Heading> {
    let options = Options::ENABLE_HEADING_ATTRIBUTES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut events = Parser::new_ext(body, options).into_offset_iter();
    let (mut depth, mut images, mut leads) = (0_usize, 0_usize, true);
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(Tag::Heading { .. }) if depth == 0 => {
                let text = text_of(events.by_ref().map(|(event, _)| event));
                return Some(Heading { text, leads, range });
            }
            Event::Start(tag) => {
                depth += 1;
                images += usize::from(matches!(tag, Tag::Image { .. }));
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                images = images.saturating_sub(usize::from(tag == TagEnd::Image));
            }
            Event::Text(text) | Event::Code(text) if images == 0 && !text.trim().is_empty() => leads = false,
            _ => {}
        }
    }
    None
}

/// The words of a heading whose start was read.
fn text_of<'a>(events: impl Iterator<Item = Event<'a>>) -> String {
    let mut words = String::new();
    for event in events {
        match event {
            Event::End(TagEnd::Heading(_)) => break,
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            _ => {}
        }
    }
    plain(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_heading_is_found_in_all_its_forms() {
        for (body, text, leads, blanked) in [
            ("# News\n\nText\n", "News", true, "\n\nText\n"),
            ("\n\n## The *last* `two` [weeks](x) #7 ##\nText", "The last two weeks #7", true, "\n\n\nText"),
            ("News of\nMarch\n=====\n\nText", "News of March", true, "\n\n\n\nText"),
            ("<!-- # Not\nthis -->\n\n# This {#id .class}", "This", true, "<!-- # Not\nthis -->\n\n"),
            ("![A banner](b.png)\n\n# News\n", "News", true, "![A banner](b.png)\n\n\n"),
            ("<p align=center>\n<img src=x>\n</p>\n\n# News", "News", true, "<p align=center>\n<img src=x>\n</p>\n\n"),
            ("Text\n# News\nMore", "News", false, "Text\n\nMore"),
            ("```\n# Code\n```\n\n# News", "News", false, "```\n# Code\n```\n\n"),
            ("> # Quoted\n\n- # Listed\n\n# News", "News", false, "> # Quoted\n\n- # Listed\n\n"),
            ("# News & &lt;b&gt; <b>bold</b> ~~old~~[^1]\n\n[^1]: x", "News & <b> bold old", true, "\n\n[^1]: x"),
            ("#\n\nText", "", true, "\n\nText"),
        ] {
            let found = first(body).unwrap_or_else(|| panic!("{body:?}"));
            assert_eq!((found.text.as_str(), found.leads), (text, leads), "{body:?}");
            assert_eq!(found.blanked(body), blanked);
        }
        for body in ["", "Text", "#hashtag", "    # Code", "> # Quoted", "<!-- # News -->"] {
            assert_eq!(first(body), None, "{body:?}");
        }
    }

    #[test]
    fn a_heading_repeats_a_title_in_any_case() {
        let heading = first("# This  Month in *Gardening*\n").unwrap();
        assert!(heading.says("This month in Gardening"));
        assert!(!heading.says("This month"));
    }
}
