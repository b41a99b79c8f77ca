//! CommonMark and GFM events of one document, read once and written as HTML and as text.

use std::collections::{HashMap, VecDeque};

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::autolink;

/// Containers inside one another; deeper ones are left out and their content stays. People stop at five, and
/// some HTML parsers and mail programs slow down or give up at some hundred.
const DEEPEST: usize = 24;

/// A document as events, its footnotes apart.
#[derive(Debug)]
pub(super) struct Markdown<'a> {
    /// Everything but the footnotes.
    pub body: Vec<Event<'a>>,
    /// The footnotes that the text refers to, in the order of the references; the first has the number 1.
    pub notes: Vec<Note<'a>>,
    numbers: HashMap<String, usize>,
}

/// One footnote.
#[derive(Debug)]
pub(super) struct Note<'a> {
    name: String,
    /// What it says.
    pub events: Vec<Event<'a>>,
}

impl<'a> Markdown<'a> {
    /// Reads a document. Bare URLs become links, as GFM has it; an HTML block is one event.
    pub fn read(text: &'a str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_GFM;
        let mut reader = Reader::default();
        for event in TextMergeStream::new(Parser::new_ext(text, options)) {
            reader.take(event);
        }
        let notes = in_order(&reader.body, reader.notes);
        let numbers = notes.iter().zip(1..).map(|(note, number)| (note.name.clone(), number)).collect();
        Self { body: reader.body, notes, numbers }
    }

    /// The number of a footnote, from 1.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }
}

/// Footnotes in the order in which the text, then the footnotes themselves, refer to them.
fn in_order<'a>(body: &[Event<'a>], notes: Vec<Note<'a>>) -> Vec<Note<'a>> {
    let references = |events: &[Event]| -> Vec<String> {
        let name = |event: &Event| match event {
            Event::FootnoteReference(name) => Some(name.to_string()),
            _ => None,
        };
        events.iter().filter_map(name).collect()
    };
    // The first definition of a name counts, as with links.
    let mut defined: HashMap<String, Note> = notes.into_iter().rev().map(|note| (note.name.clone(), note)).collect();
    let mut ordered: Vec<Note> = Vec::new();
    let mut wanted: VecDeque<String> = references(body).into();
    while let Some(name) = wanted.pop_front() {
        if let Some(note) = defined.remove(&name) {
            wanted.extend(references(&note.events));
            ordered.push(note);
        }
    }
    ordered
}

/// Sorts events into body and notes, and leaves out what nests too deep.
#[derive(Default)]
struct Reader<'a> {
    body: Vec<Event<'a>>,
    notes: Vec<Note<'a>>,
    /// For each open tag, whether it was kept.
    open: Vec<bool>,
    depth: usize,
    in_note: bool,
    /// Inside a link, an image or a code block, where a URL is no link of its own.
    literal: usize,
    html: Option<String>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, event: Event<'a>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Html(html) => match &mut self.html {
                Some(block) => block.push_str(&html),
                None => self.push(Event::Html(html)),
            },
            Event::Text(text) if self.literal == 0 => {
                for event in autolink::events(text) {
                    self.push(event);
                }
            }
            event => self.push(event),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        let keep = match &tag {
            Tag::FootnoteDefinition(name) => {
                self.in_note = true;
                self.notes.push(Note { name: name.to_string(), events: Vec::new() });
                false
            }
            Tag::HtmlBlock => {
                self.html = Some(String::new());
                false
            }
            // An item is kept with its list.
            Tag::Item => self.open.last().copied().unwrap_or_default(),
            tag => !nests(&tag.to_end()) || self.depth < DEEPEST,
        };
        self.open.push(keep);
        self.literal += usize::from(literal(&tag.to_end()));
        if keep {
            self.depth += usize::from(nests(&tag.to_end()));
            self.push(Event::Start(tag));
        }
    }

    fn end(&mut self, end: TagEnd) {
        let kept = self.open.pop().unwrap_or_default();
        self.literal -= usize::from(literal(&end));
        match end {
            TagEnd::FootnoteDefinition => self.in_note = false,
            TagEnd::HtmlBlock => {
                let block = self.html.take().unwrap_or_default();
                self.push(Event::Html(block.into()));
            }
            end if kept => {
                self.depth -= usize::from(nests(&end));
                self.push(Event::End(end));
            }
            TagEnd::Item => self.push(Event::SoftBreak),
            _ => {}
        }
    }

    fn push(&mut self, event: Event<'a>) {
        match self.notes.last_mut().filter(|_| self.in_note) {
            Some(note) => note.events.push(event),
            None => self.body.push(event),
        }
    }
}

fn nests(end: &TagEnd) -> bool {
    matches!(end, TagEnd::BlockQuote(_) | TagEnd::List(_)) || inline(end)
}

fn literal(end: &TagEnd) -> bool {
    matches!(end, TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock)
}

/// Whether a tag stands within a line of text.
pub(super) fn inline(end: &TagEnd) -> bool {
    use TagEnd::{Emphasis, Image, Link, Strikethrough, Strong, Subscript, Superscript};
    matches!(end, Emphasis | Image | Link | Strikethrough | Strong | Subscript | Superscript)
}

/// A link around a text.
pub(super) fn link_to(url: String) -> Tag<'static> {
    Tag::Link { link_type: LinkType::Autolink, dest_url: url.into(), title: "".into(), id: "".into() }
}

/// The plain text of inline events: no markup, no images, no footnote marks; breaks are spaces.
pub(super) fn plain(events: &[Event]) -> String {
    let mut text = String::new();
    let mut images = 0_usize;
    for event in events {
        match event {
            Event::Start(Tag::Image { .. }) => images += 1,
            Event::End(TagEnd::Image) => images = images.saturating_sub(1),
            Event::Text(part) | Event::Code(part) if images == 0 => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(end) if !inline(end) => text.push(' '),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footnotes_are_numbered_as_they_are_referred_to_and_unused_ones_left_out() {
        let markdown = Markdown::read("A[^b] and [^a].\n\n[^a]: Two, see [^c].\n[^b]: One\n[^c]: Three\n[^d]: Never");
        let names: Vec<_> = markdown.notes.iter().map(|note| note.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!((markdown.number("a"), markdown.number("d")), (Some(2), None));
        assert_eq!(plain(&markdown.body).trim(), "A and .");
    }

    #[test]
    fn an_html_block_is_one_event() {
        let markdown = Markdown::read("<div\n  id=x>\nText\n</div>\n\nMore");
        assert_eq!(markdown.body[0], Event::Html("<div\n  id=x>\nText\n</div>\n".into()));
    }

    #[test]
    fn what_nests_too_deep_keeps_its_text() {
        for text in ["> ".repeat(500) + "end", "- ".repeat(500) + "end", "**a ".repeat(200) + "end" + &"**".repeat(200)]
        {
            let markdown = Markdown::read(&text);
            let starts =
                markdown.body.iter().filter(|event| matches!(event, Event::Start(tag) if nests(&tag.to_end())));
            assert!(starts.count() <= DEEPEST, "{text}");
            assert!(plain(&markdown.body).contains("end"), "{text}");
        }
    }
}
