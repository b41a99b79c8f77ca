//! HTML from the Markdown events. What leaves here is not safe yet: it goes through the sanitiser.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{Alignment, BlockQuoteKind, CowStr, Event, HeadingLevel, Tag, TagEnd};

use super::Labels;
use super::markdown::{Markdown, inline, plain};
use super::raw::Bounds;
use super::templates::escape;

/// Writes a document as HTML; ids of footnotes carry `prefix`, so that two issues on one page do not clash.
pub(super) fn write(markdown: &Markdown<'_>, prefix: &str, labels: &Labels) -> String {
    let mut writer = Writer {
        markdown,
        prefix,
        labels,
        above: Vec::new(),
        ids: HashMap::new(),
        referred: HashSet::new(),
        aligned: Vec::new(),
        cell: 0,
        head: false,
        blocks: Bounds::default(),
        line: Bounds::default(),
        out: Vec::with_capacity(markdown.body.len()),
    };
    writer.events(&markdown.body);
    let open = writer.blocks.finish();
    writer.html(open);
    writer.notes();
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, writer.out.into_iter());
    html
}

struct Writer<'m, 'a> {
    markdown: &'m Markdown<'a>,
    prefix: &'m str,
    labels: &'m Labels,
    /// Levels, as written, of the headings that the present one is below, itself included.
    above: Vec<HeadingLevel>,
    /// How often a heading's slug was taken.
    ids: HashMap<String, usize>,
    /// Numbers of the footnotes that have been referred to.
    referred: HashSet<usize>,
    aligned: Vec<Alignment>,
    cell: usize,
    head: bool,
    /// Raw elements that are open across blocks, and within the line of text.
    blocks: Bounds,
    line: Bounds,
    out: Vec<Event<'a>>,
}

impl<'a> Writer<'_, 'a> {
    fn html(&mut self, html: String) {
        if !html.is_empty() {
            self.out.push(Event::InlineHtml(html.into()));
        }
    }

    fn events(&mut self, events: &[Event<'a>]) {
        for (at, event) in events.iter().enumerate() {
            let next = events.get(at + 1..).unwrap_or_default();
            match event {
                Event::Start(tag) => {
                    if !inline(&tag.to_end()) {
                        let open = self.line.finish();
                        self.html(open);
                    }
                    self.start(tag, next);
                }
                Event::End(end) => self.end(*end),
                Event::Html(html) => {
                    let html = self.line.finish() + &self.blocks.admit(html);
                    self.html(html);
                }
                Event::InlineHtml(html) => {
                    let html = self.line.admit(html);
                    self.html(html);
                }
                Event::FootnoteReference(name) => self.reference(name),
                Event::TaskListMarker(done) => {
                    self.out.push(Event::Text(if *done { "☑ " } else { "☐ " }.into()));
                }
                event => self.out.push(event.clone()),
            }
        }
    }

    fn start(&mut self, tag: &Tag<'a>, next: &[Event<'a>]) {
        match tag {
            Tag::Heading { level, .. } => {
                let text = plain(
                    next.split(|event| matches!(event, Event::End(TagEnd::Heading(_)))).next().unwrap_or_default(),
                );
                let id = self.unique(slug(&text));
                let level = self.below(*level);
                self.out.push(Event::Start(Tag::Heading {
                    level,
                    id: Some(id.into()),
                    classes: vec![],
                    attrs: vec![],
                }));
            }
            Tag::BlockQuote(Some(kind)) => {
                let (class, title) = alert(*kind, self.labels);
                let title = escape(title);
                self.html(format!("<blockquote class=\"alert-{class}\">\n<p><strong>{title}</strong></p>\n"));
            }
            Tag::Item if is_task(next) => self.html("<li class=\"task\">".to_owned()),
            Tag::Table(aligned) => {
                self.aligned.clone_from(aligned);
                self.out.push(Event::Start(Tag::Table(vec![])));
            }
            Tag::TableHead | Tag::TableRow => {
                self.head = matches!(tag, Tag::TableHead);
                self.cell = 0;
                self.out.push(Event::Start(tag.clone()));
            }
            Tag::TableCell => {
                let name = if self.head { "th" } else { "td" };
                let align = match self.aligned.get(self.cell) {
                    Some(Alignment::Left) => " align=\"left\"",
                    Some(Alignment::Center) => " align=\"center\"",
                    Some(Alignment::Right) => " align=\"right\"",
                    _ => "",
                };
                self.cell += 1;
                self.html(format!("<{name}{align}>"));
            }
            tag => self.out.push(Event::Start(tag.clone())),
        }
    }

    fn end(&mut self, end: TagEnd) {
        if !inline(&end) {
            let open = self.line.finish();
            self.html(open);
        }
        match end {
            TagEnd::Heading(_) => self.out.push(Event::End(TagEnd::Heading(self.level()))),
            TagEnd::TableCell => self.html(if self.head { "</th>" } else { "</td>" }.to_owned()),
            end => self.out.push(Event::End(end)),
        }
    }

    /// The issue's title is the h1 of its page: the first heading is an h2, and no level is skipped, whatever level an editor
    /// liked for its size. People who listen to a page find their way by these levels.
    fn below(&mut self, level: HeadingLevel) -> HeadingLevel {
        self.above.retain(|above| *above < level);
        self.above.push(level);
        self.level()
    }

    fn level(&self) -> HeadingLevel {
        HeadingLevel::try_from(self.above.len() + 1).unwrap_or(HeadingLevel::H6)
    }

    /// The slug, with a number when a heading before had it, as GitHub does.
    fn unique(&mut self, slug: String) -> String {
        let count = self.ids.get(&slug).copied().unwrap_or_default();
        self.ids.insert(slug.clone(), count + 1);
        if count == 0 {
            return slug;
        }
        self.unique(format!("{slug}-{count}"))
    }

    fn reference(&mut self, name: &CowStr<'_>) {
        let Some(number) = self.markdown.number(name) else { return };
        let prefix = self.prefix;
        let first = self.referred.insert(number);
        let id = if first { format!(" id=\"fnref-{prefix}-{number}\"") } else { String::new() };
        self.html(format!("<sup><a href=\"#fn-{prefix}-{number}\"{id}>{number}</a></sup>"));
    }

    fn notes(&mut self) {
        let markdown = self.markdown;
        if markdown.notes.is_empty() {
            return;
        }
        self.html("\n<section class=\"footnotes\">\n<hr>\n<ol>\n".to_owned());
        for (at, note) in markdown.notes.iter().enumerate() {
            let number = at + 1;
            self.html(format!("<li id=\"fn-{}-{number}\">", self.prefix));
            let back = format!("\u{A0}<a href=\"#fnref-{}-{number}\">↩\u{FE0E}</a>", self.prefix);
            // The way back stands in the last paragraph, not below it.
            match note.events.split_last() {
                Some((end @ Event::End(TagEnd::Paragraph), events)) => {
                    self.events(events);
                    self.html(back);
                    self.out.push(end.clone());
                }
                _ => {
                    self.events(&note.events);
                    self.html(back);
                }
            }
            self.html("</li>\n".to_owned());
        }
        self.html("</ol>\n</section>\n".to_owned());
    }
}

fn is_task(next: &[Event]) -> bool {
    matches!(next, [Event::TaskListMarker(_), ..] | [Event::Start(Tag::Paragraph), Event::TaskListMarker(_), ..])
}

/// Class and title of a GFM alert.
pub(super) fn alert(kind: BlockQuoteKind, labels: &Labels) -> (&'static str, &str) {
    match kind {
        BlockQuoteKind::Note => ("note", &labels.note),
        BlockQuoteKind::Tip => ("tip", &labels.tip),
        BlockQuoteKind::Important => ("important", &labels.important),
        BlockQuoteKind::Warning => ("warning", &labels.warning),
        BlockQuoteKind::Caution => ("caution", &labels.caution),
    }
}

/// A heading's id as GitHub makes it: lower case, letters, digits, `-` and `_` kept, each space a hyphen.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.trim().chars() {
        if c.is_alphanumeric() || c == '-' || c == '_' {
            slug.extend(c.to_lowercase());
        } else if c.is_whitespace() {
            slug.push('-');
        }
    }
    if slug.is_empty() { "section".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        write(&Markdown::read(markdown), "march", &Labels::default())
    }

    #[test]
    fn headings_leave_the_first_level_to_the_title_skip_none_and_have_ids() {
        for (markdown, expected) in [
            ("# A\n## B", "<h2 id=\"a\">A</h2>\n<h3 id=\"b\">B</h3>\n"),
            ("### A\n#### B", "<h2 id=\"a\">A</h2>\n<h3 id=\"b\">B</h3>\n"),
            ("###### A\n# B", "<h2 id=\"a\">A</h2>\n<h2 id=\"b\">B</h2>\n"),
            (
                "## A\n#### B\n#### C\n### D",
                "<h2 id=\"a\">A</h2>\n<h3 id=\"b\">B</h3>\n<h3 id=\"c\">C</h3>\n<h3 id=\"d\">D</h3>\n",
            ),
            ("## A\n## a\n## A-1", "<h2 id=\"a\">A</h2>\n<h2 id=\"a-1\">a</h2>\n<h2 id=\"a-1-1\">A-1</h2>\n"),
            (
                "## What's *new* in `v1.0`?",
                "<h2 id=\"whats-new-in-v10\">What's <em>new</em> in <code>v1.0</code>?</h2>\n",
            ),
            ("## 发布", "<h2 id=\"发布\">发布</h2>\n"),
            ("## ?", "<h2 id=\"section\">?</h2>\n"),
        ] {
            assert_eq!(html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn gfm_is_written_without_forms_and_styles() {
        for (markdown, expected) in [
            ("- [x] a\n- [ ] b", "<ul>\n<li class=\"task\">☑ a</li>\n<li class=\"task\">☐ b</li>\n</ul>\n"),
            (
                "|a|b|\n|-|-:|\n|c|1|",
                "<table><thead><tr><th>a</th><th align=\"right\">b</th></tr></thead><tbody>\n<tr><td>c</td><td align=\"right\">1</td></tr>\n</tbody></table>\n",
            ),
            (
                "> [!NOTE]\n> a",
                "<blockquote class=\"alert-note\">\n<p><strong>Note</strong></p>\n<p>a</p>\n</blockquote>\n",
            ),
            (
                "~~a~~ https://example.org",
                "<p><del>a</del> <a href=\"https://example.org\">https://example.org</a></p>\n",
            ),
        ] {
            assert_eq!(html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn footnotes_carry_the_issue_in_their_ids() {
        assert_eq!(
            html("a[^x] b[^x]\n\n[^x]: note"),
            "<p>a<sup><a href=\"#fn-march-1\" id=\"fnref-march-1\">1</a></sup> b<sup><a href=\"#fn-march-1\">1</a></sup></p>\n\
             \n<section class=\"footnotes\">\n<hr>\n<ol>\n<li id=\"fn-march-1\">\n<p>note\u{A0}<a href=\"#fnref-march-1\">↩\u{FE0E}</a></p>\n</li>\n</ol>\n</section>\n"
        );
    }

    #[test]
    fn raw_html_is_balanced_within_its_paragraph() {
        assert_eq!(html("a <b>b\n\nc </b>d"), "<p>a <b>b</b></p>\n<p>c d</p>\n");
        assert_eq!(html("<details>\n\n*a*\n\n</details>\n\nb"), "<details>\n<p><em>a</em></p>\n</details>\n<p>b</p>\n");
        assert_eq!(html("<div>\n\na"), "<div>\n<p>a</p>\n</div>");
    }
}
