//! text/plain from the Markdown events: wrapped, links numbered, lists, quotes, tables and code kept.

use std::collections::HashMap;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::guard::{self, Part};
use super::lines::{Kind, Lines, QUOTE};
use super::markdown::{Markdown, inline, push_code};
use super::raw::{self, Piece};
use super::table::{self, Table};
use super::wrap::{underlined, wrap};
use super::{Links, html, urls};

/// Writes a document as plain text. Lines end with `\n`, none ends with a space, and no two are empty in a row.
pub(super) fn write(markdown: &Markdown<'_>, links: &Links) -> String {
    let mut writer =
        Writer { markdown: Some(markdown), links: Some(links), top: top_level(markdown), ..Writer::default() };
    writer.events(&markdown.body);
    writer.flush();
    for (note, number) in markdown.notes.iter().zip(1..) {
        writer.container(format!("[^{number}]: "), "    ".to_owned());
        writer.events(&note.events);
        writer.leave();
    }
    writer.references();
    writer.lines.finish()
}

/// Raw elements that start and end a paragraph.
const BLOCKS: &[&str] = &[
    "blockquote",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
];

fn top_level(markdown: &Markdown) -> usize {
    let level = |event: &Event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(*level as usize),
        _ => None,
    };
    markdown.body.iter().filter_map(level).min().unwrap_or(1)
}

#[derive(Debug)]
struct List {
    /// The number of the next item; `None` for bullets.
    next: Option<u64>,
    tight: bool,
    started: bool,
}

#[derive(Debug, Default)]
struct Writer<'w> {
    markdown: Option<&'w Markdown<'w>>,
    links: Option<&'w Links>,
    /// Level of the document's largest headings.
    top: usize,
    lines: Lines,
    lists: Vec<List>,
    /// The line of text being collected.
    line: String,
    /// Where the links that are open began in `line`, with their URLs.
    open: Vec<(usize, Option<String>)>,
    code: Option<String>,
    heading: Option<usize>,
    table: Option<Table>,
    /// Links of this section with their numbers, which go on through the document.
    urls: Vec<(usize, String)>,
    numbers: HashMap<String, usize>,
    links_so_far: usize,
}

impl Writer<'_> {
    fn events(&mut self, events: &[Event<'_>]) {
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Start(tag) => {
                    if !inline(&tag.to_end()) {
                        self.flush();
                    }
                    self.start(tag, events.get(at + 1..).unwrap_or_default());
                }
                Event::End(end) => self.end(*end),
                Event::Text(text) => match &mut self.code {
                    Some(code) => code.push_str(text),
                    None => self.text(text),
                },
                Event::Code(code) => push_code(&mut self.line, &code.replace(['\n', '\t'], " ")),
                Event::SoftBreak => self.line.push(' '),
                Event::HardBreak => self.line.push('\n'),
                Event::Rule => {
                    self.flush();
                    self.lines.block(vec!["* * *".to_owned()]);
                }
                Event::FootnoteReference(name) => {
                    if let Some(number) = self.markdown.and_then(|markdown| markdown.number(name)) {
                        self.text(&format!("[^{number}]"));
                    }
                }
                Event::TaskListMarker(done) => self.line.push_str(if *done { "[x] " } else { "[ ] " }),
                Event::Html(html) => {
                    self.flush();
                    self.raw(html);
                    self.flush();
                }
                Event::InlineHtml(html) => self.raw(html),
                Event::InlineMath(_) | Event::DisplayMath(_) => {}
            }
        }
        self.flush();
    }

    /// White space in text is where a line may end, whatever it was.
    fn text(&mut self, text: &str) {
        guard::seam(&mut self.line, text);
        self.line.extend(text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }));
    }

    fn start(&mut self, tag: &Tag<'_>, next: &[Event<'_>]) {
        match tag {
            Tag::Heading { level, .. } => {
                // A reader who wants to follow a link finds it at the end of the section, not of the mail.
                if self.lines.is_top() {
                    self.references();
                }
                self.heading = Some(*level as usize);
            }
            Tag::BlockQuote(kind) => {
                self.container(QUOTE.to_owned(), QUOTE.to_owned());
                if let (Some(kind), Some(links)) = (kind, self.links) {
                    self.lines.block(vec![html::alert(*kind, &links.labels).1.to_uppercase()]);
                }
            }
            Tag::CodeBlock(_) => self.code = Some(String::new()),
            Tag::List(first) => {
                let loose = matches!(next, [Event::Start(Tag::Item), Event::Start(Tag::Paragraph), ..]);
                self.lists.push(List { next: *first, tight: !loose, started: false });
            }
            Tag::Item => self.item(),
            Tag::Table(aligned) => self.table = Some(Table { aligned: aligned.clone(), rows: Vec::new() }),
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis => self.line.push('_'),
            Tag::Strong => self.line.push('*'),
            Tag::Strikethrough => self.line.push('~'),
            Tag::Link { link_type, dest_url, .. } => {
                let url =
                    if *link_type == LinkType::Email { format!("mailto:{dest_url}") } else { dest_url.to_string() };
                self.open_link(&url);
            }
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Emphasis => self.line.push('_'),
            TagEnd::Strong => self.line.push('*'),
            TagEnd::Strikethrough => self.line.push('~'),
            TagEnd::Link => self.close_link(),
            TagEnd::Image => {}
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line).split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    let lines = table::lines(&table, self.lines.columns());
                    self.lines.block(lines);
                }
            }
            TagEnd::CodeBlock => {
                let code = self.code.take().unwrap_or_default();
                self.lines.block(code.trim_end().lines().map(|line| format!("    {line}")).collect());
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item | TagEnd::BlockQuote(_) => self.leave(),
            _ => self.flush(),
        }
    }

    fn item(&mut self) {
        let Some(list) = self.lists.last_mut() else { return };
        let marker = match &mut list.next {
            Some(number) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            None => "- ".to_owned(),
        };
        let rest = " ".repeat(marker.len());
        let kind = Kind::Item { first: !std::mem::replace(&mut list.started, true), tight: list.tight };
        self.lines.enter(marker, rest, kind);
    }

    fn container(&mut self, marker: String, rest: String) {
        self.flush();
        self.lines.enter(marker, rest, Kind::Block);
    }

    fn leave(&mut self) {
        self.flush();
        self.lines.leave();
    }

    /// Ends the line of text and writes it as a paragraph or a heading.
    fn flush(&mut self) {
        let heading = self.heading.take();
        let line = std::mem::take(&mut self.line);
        self.open.clear();
        if line.trim().is_empty() {
            return;
        }
        let lines = match heading.map(|level| level.saturating_sub(self.top)) {
            None => return self.lines.paragraph(line.trim()),
            Some(0) => underlined(line.trim(), '-', self.lines.columns()),
            Some(below) => wrap(&format!("{} {}", "#".repeat(below + 1), line.trim()), self.lines.columns()),
        };
        self.lines.block(lines);
    }

    fn open_link(&mut self, url: &str) {
        let url = self.links.and_then(|links| urls::link(url, links)).map(|target| target.url);
        self.open.push((self.line.len(), url));
    }

    /// A link whose text is its URL stays as it is, every other one gets the number of its URL.
    fn close_link(&mut self) {
        let Some((start, Some(url))) = self.open.pop() else { return };
        let text = self.line.get(start..).unwrap_or_default().trim();
        let bare = |url: &str| url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned();
        if url.strip_prefix("mailto:") == Some(text) {
            return;
        }
        if bare(text) == bare(&url) {
            self.line.truncate(start);
            self.line.push_str(&url);
            return;
        }
        let number = match self.numbers.get(&url) {
            Some(number) => *number,
            None => {
                self.links_so_far += 1;
                self.urls.push((self.links_so_far, url.clone()));
                self.numbers.insert(url, self.links_so_far);
                self.links_so_far
            }
        };
        let gap = if text.is_empty() { "" } else { "\u{A0}" };
        self.line.truncate(self.line.trim_end().len());
        self.line.push_str(&format!("{gap}[{number}]"));
    }

    fn references(&mut self) {
        self.numbers.clear();
        let urls = std::mem::take(&mut self.urls);
        self.lines.block(urls.iter().map(|(number, url)| format!("[{number}] {url}")).collect());
    }

    /// The texts, links and images of raw HTML; its other tags only where they break lines.
    fn raw(&mut self, html: &str) {
        for piece in raw::read(html) {
            match piece {
                Piece::Text(text) => {
                    for part in guard::parts(&raw::decode(text)) {
                        match part {
                            Part::Plain(text) => self.text(text),
                            Part::Mark(mark) => push_code(&mut self.line, &mark.replace(['\n', '\t'], " ")),
                        }
                    }
                }
                Piece::Open(name, attributes) => {
                    let value = |key: &str| {
                        attributes.iter().find(|(name, _)| name == key).map(|(_, value)| raw::decode(value))
                    };
                    match name.as_str() {
                        "br" => self.line.push('\n'),
                        "img" => self.text(&guard::without_marks(&value("alt").unwrap_or_default())),
                        "a" => self.open_link(&value("href").unwrap_or_default()),
                        name => self.boundary(name),
                    }
                }
                Piece::Close(name) if name == "a" => self.close_link(),
                Piece::Close(name) => self.boundary(&name),
            }
        }
    }

    fn boundary(&mut self, tag: &str) {
        if matches!(tag, "td" | "th") || (BLOCKS.contains(&tag) && self.table.is_some()) {
            self.line.push(' ');
        } else if BLOCKS.contains(&tag) && self.heading.is_none() {
            self.flush();
        }
    }
}

#[cfg(test)]
mod tests;
