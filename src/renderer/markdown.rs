//! CommonMark and GFM events of one document, read once and written as HTML and as text.

use std::collections::{HashMap, VecDeque};

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::autolink;
use super::guard::{self, Part};
use super::raw::{self, Piece};

/// Containers inside one another; deeper ones are left out and their content stays. People stop at five, and
/// some HTML parsers and mail programs slow down or give up at some hundred.
pub(super) const DEEPEST: usize = 24;

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

/// The Markdown that we read.
pub(super) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
}

impl<'a> Markdown<'a> {
    /// Reads a document. Bare URLs become links, as GFM has it; an HTML block is one event.
    pub fn read(text: &'a str) -> Self {
        let mut reader = Reader::default();
        for event in TextMergeStream::new(Parser::new_ext(text, options())) {
            reader.take(event);
        }
        let notes = in_order(&reader.body, reader.notes);
        let numbers = notes.iter().zip(1..).map(|(note, number)| (note.name.clone(), number)).collect();
        Self { body: reader.body, notes, numbers }
    }

    /// Events that were made elsewhere; they have no footnotes.
    pub fn of(body: Vec<Event<'a>>) -> Self {
        Self { body, notes: Vec::new(), numbers: HashMap::new() }
    }

    /// Leaves out a heading at the start that says what the title says, which every page and mail shows above the text.
    pub fn without_title(mut self, title: &str) -> Self {
        let blank = |piece: &Piece| matches!(piece, Piece::Text(text) if text.trim().is_empty());
        let says_nothing = |event: &Event| matches!(event, Event::Html(html) if raw::read(html).iter().all(blank));
        let start = self.body.iter().position(|event| !says_nothing(event)).unwrap_or_default();
        let heading = self.body.get(start..).unwrap_or_default();
        let end = heading.iter().position(|event| *event == Event::End(TagEnd::Heading(HeadingLevel::H1)));
        if let (Some(Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })), Some(end)) = (heading.first(), end) {
            let same = plain(heading.get(..end).unwrap_or_default()).split_whitespace().eq(title.split_whitespace());
            if same {
                self.body.drain(start..=start + end);
            }
        }
        self
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
    code: bool,
    images: usize,
    /// Inside a link of raw HTML.
    anchor: bool,
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
            Event::Text(text) if !self.code && guard::has_mark(&text) => self.marked(&text),
            Event::Text(text) => self.text(text),
            Event::InlineHtml(html) => {
                for piece in raw::read(&html) {
                    match piece {
                        Piece::Open(name, _) if name == "a" => self.anchor = true,
                        Piece::Close(name) if name == "a" => self.anchor = false,
                        _ => {}
                    }
                }
                self.push(Event::InlineHtml(html));
            }
            event => self.push(event),
        }
    }

    fn text(&mut self, text: CowStr<'a>) {
        if self.literal > 0 || self.anchor {
            return self.push(Event::Text(text));
        }
        for event in autolink::events(text) {
            self.push(event);
        }
    }

    /// Text with marks of a template, as `\{%` puts them there: readers see them as code. The text of an image has no code.
    fn marked(&mut self, text: &str) {
        if self.images > 0 {
            return self.push(Event::Text(guard::without_marks(text).into()));
        }
        for part in guard::parts(text) {
            match part {
                Part::Plain(text) => self.text(text.to_owned().into()),
                Part::Mark(mark) => self.push(Event::Code(mark.to_owned().into())),
            }
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        match &tag {
            Tag::CodeBlock(_) => self.code = true,
            Tag::Image { .. } => self.images += 1,
            _ => {}
        }
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
        self.anchor &= inline(&end);
        self.literal -= usize::from(literal(&end));
        match end {
            TagEnd::CodeBlock => self.code = false,
            TagEnd::Image => self.images = self.images.saturating_sub(1),
            _ => {}
        }
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

/// The plain text of inline events: no markup, no images, no footnote marks; breaks are spaces. Code that would look like a
/// template remain has backticks around it.
pub(super) fn plain(events: &[Event]) -> String {
    let mut text = String::new();
    let (mut images, mut block) = (0_usize, false);
    for event in events {
        match event {
            Event::Start(Tag::Image { .. }) => images += 1,
            Event::End(TagEnd::Image) => images = images.saturating_sub(1),
            Event::Start(Tag::CodeBlock(_)) => block = true,
            Event::End(TagEnd::CodeBlock) => {
                block = false;
                text.push(' ');
            }
            Event::Code(part) if images == 0 && guard::has_mark(part) => push_code(&mut text, part),
            Event::Text(part) if block && guard::has_mark(part) => push_code(&mut text, part),
            Event::Text(part) | Event::Code(part) if images == 0 => {
                guard::seam(&mut text, part);
                text.push_str(part);
            }
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::End(end) if !inline(end) => text.push(' '),
            _ => {}
        }
    }
    text
}

/// Code with backticks; two in a row stay two.
pub(super) fn push_code(text: &mut String, code: &str) {
    let gap = if text.ends_with('`') { " " } else { "" };
    text.push_str(&format!("{gap}`{code}`"));
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
    fn a_heading_that_repeats_the_title_is_left_out() {
        for (text, rest) in [
            ("# March  *2026*\n\nText", "Text"),
            ("<!-- x -->\n\n# March 2026\nText", "Text"),
            ("March 2026\n===\nText", "Text"),
            ("## March 2026\n\nText", "March 2026 Text"),
            ("Text\n\n# March 2026", "Text March 2026"),
            ("# March\n\nText", "March Text"),
        ] {
            let markdown = Markdown::read(text).without_title("March 2026");
            assert_eq!(plain(&markdown.body).split_whitespace().collect::<Vec<_>>().join(" "), rest, "{text}");
        }
    }

    #[test]
    fn marks_of_templates_in_text_are_code() {
        let markdown = Markdown::read("a \\{% if x %} [&#123;{< y](z) ![\\{% i](j) `{% c` https://example.org");
        let codes: Vec<_> =
            markdown.body.iter().filter_map(|e| if let Event::Code(c) = e { Some(&**c) } else { None }).collect();
        assert_eq!(codes, ["{% if x %}", "{{<", "{% c"]);
        assert!(!markdown.body.iter().any(|e| matches!(e, Event::Text(text) if guard::has_mark(text))));
        assert!(markdown.body.iter().any(|e| matches!(e, Event::Start(Tag::Link { .. }))));
    }

    #[test]
    fn a_url_in_a_link_of_raw_html_is_no_second_link() {
        let links = |text: &str| {
            let markdown = Markdown::read(text);
            markdown.body.iter().filter(|event| matches!(event, Event::Start(Tag::Link { .. }))).count()
        };
        assert_eq!(links("a <a href=x>https://example.org *https://example.org*</a>"), 0);
        assert_eq!(links("a <a href=x>b</a> https://example.org"), 1);
        assert_eq!(links("a <a href=x>b\n\nhttps://example.org"), 1);
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
