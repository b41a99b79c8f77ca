//! Pages that a site generator built: what stands in one of them is the text of an issue.
//!
//! The HTML parts take the page's HTML, through the same sanitiser as everything else; text part and summary read it as
//! the events that Markdown would have given.

use ego_tree::NodeId;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Tag, TagEnd};
use scraper::node::Node;
use scraper::{ElementRef, Html, Selector};

use super::guard::{self, Part};
use super::markdown::DEEPEST;
use super::raw::{self, Piece};
use super::{one_line, sanitise};

/// Which element of a page is the issue, and what in it is not.
#[derive(Clone, Debug)]
pub struct Cut {
    content: Selector,
    without: Vec<Selector>,
}

impl Cut {
    /// From CSS selectors.
    ///
    /// # Errors
    /// The first that is none, and why.
    pub fn new(content: &str, without: &[String]) -> Result<Self, (String, String)> {
        let read = |text: &str| Selector::parse(text).map_err(|error| (text.to_owned(), error.to_string()));
        let without = without.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        Ok(Self { content: read(content)?, without })
    }

    /// The HTML inside the first element that is the content, without the heading that repeats the title. `None` when the page has no
    /// such element, or nests deeper than any generator builds: an HTML parser takes quadratic time for that.
    #[must_use]
    pub fn take(&self, page: &str, title: &str) -> Option<String> {
        if !raw::is_shallow(page) {
            return None;
        }
        let mut html = Html::parse_document(&sanitise::in_pieces(page.to_owned()));
        let content = html.select(&self.content).next()?;
        let out: Vec<_> = self.without.iter().flat_map(|out| content.select(out)).map(|found| found.id()).collect();
        let first = content.id();
        for id in out {
            if let Some(mut node) = html.tree.get_mut(id) {
                node.detach();
            }
        }
        let content = html.tree.get(first).and_then(ElementRef::wrap)?;
        let headings: Vec<_> = content.descendent_elements().filter(|e| level(e.value().name()).is_some()).collect();
        let same = |heading: &&ElementRef| one_line(&heading.text().collect::<String>()) == one_line(title);
        let repeats = headings.first().filter(|heading| heading.value().name() == "h1").filter(same);
        let repeats = repeats.map(|heading| heading.id());
        // The title is the h1 of our page: where the text has one of its own, all go down by one.
        let top = headings.iter().any(|e| e.value().name() == "h1" && Some(e.id()) != repeats);
        let ids: Vec<_> = headings.iter().map(|heading| heading.id()).collect();
        for id in ids {
            let Some(mut node) = html.tree.get_mut(id) else { continue };
            if Some(id) == repeats {
                node.detach();
            } else if let (true, Node::Element(element)) = (top, node.value())
                && let Some(level) = level(element.name())
            {
                element.name.local = format!("h{}", (level as usize + 1).min(6)).into();
            }
        }
        unwrap_spans(&mut html, first);
        html.tree.get(first).and_then(ElementRef::wrap).map(|content| content.inner_html().replace(sanitise::SEAM, ""))
    }
}

/// Takes away the elements that say nothing without a style sheet: code in colours is made of hundreds of them.
fn unwrap_spans(html: &mut Html, content: NodeId) {
    let Some(content) = html.tree.get(content).and_then(ElementRef::wrap) else { return };
    let says = |span: &ElementRef| span.attr("lang").is_some() || span.attr("dir").is_some();
    let spans = content.descendent_elements().filter(|e| e.value().name() == "span" && !says(e));
    let spans: Vec<_> =
        spans.map(|span| (span.id(), span.children().map(|child| child.id()).collect::<Vec<_>>())).collect();
    for (span, children) in spans {
        let Some(mut node) = html.tree.get_mut(span) else { continue };
        for child in children {
            node.insert_id_before(child);
        }
        node.detach();
    }
}

fn level(name: &str) -> Option<HeadingLevel> {
    Some(match name {
        "h1" => HeadingLevel::H1,
        "h2" => HeadingLevel::H2,
        "h3" => HeadingLevel::H3,
        "h4" => HeadingLevel::H4,
        "h5" => HeadingLevel::H5,
        "h6" => HeadingLevel::H6,
        _ => return None,
    })
}

/// The events that Markdown with this meaning would give. Of what Markdown cannot say, the text is left.
pub(super) fn events(html: &str) -> Vec<Event<'static>> {
    let mut reader = Reader::default();
    for piece in raw::read(html) {
        match piece {
            Piece::Text(text) => reader.text(text),
            Piece::Open(name, attributes) => {
                let value = |key: &str| attributes.iter().find(|(name, _)| name == key).map(|(_, v)| raw::decode(v));
                reader.open(&name, value);
            }
            Piece::Close(name) => reader.close(&name),
        }
    }
    while let Some((_, end)) = reader.stack.pop() {
        reader.end(end);
    }
    reader.events
}

#[derive(Default)]
struct Reader {
    events: Vec<Event<'static>>,
    /// Elements that are open, each with the event that ends it.
    stack: Vec<(String, Option<TagEnd>)>,
    lists: usize,
    quotes: usize,
    tables: usize,
    /// Text inside `code`, when that is not inside `pre`.
    code: Option<String>,
    pre: usize,
}

impl Reader {
    fn text(&mut self, text: &str) {
        let text = raw::decode(text);
        if let Some(code) = &mut self.code {
            code.push_str(&text);
        } else if self.pre > 0 {
            self.events.push(Event::Text(text.into()));
        } else {
            for part in guard::parts(&text) {
                self.events.push(match part {
                    Part::Plain(text) => Event::Text(CowStr::from(text.to_owned())),
                    Part::Mark(mark) => Event::Code(CowStr::from(mark.to_owned())),
                });
            }
        }
    }

    fn open(&mut self, name: &str, attribute: impl Fn(&str) -> Option<String>) {
        match name {
            "br" => return self.events.push(Event::HardBreak),
            "hr" => return self.events.push(Event::Rule),
            "wbr" => return,
            "img" => {
                let alt = guard::without_marks(&attribute("alt").unwrap_or_default());
                let (dest_url, title, id) = ("".into(), "".into(), "".into());
                self.events.push(Event::Start(Tag::Image { link_type: LinkType::Inline, dest_url, title, id }));
                self.events.push(Event::Text(alt.into()));
                return self.events.push(Event::End(TagEnd::Image));
            }
            "code" if self.pre == 0 && self.code.is_none() => {
                self.code = Some(String::new());
                return self.stack.push((name.to_owned(), None));
            }
            _ => {}
        }
        let start = if self.code.is_some() || self.pre > 0 { None } else { self.tag(name, &attribute) };
        self.count(name, true);
        self.stack.push((name.to_owned(), start.as_ref().map(Tag::to_end)));
        if let Some(tag) = start {
            self.events.push(Event::Start(tag));
        } else if is_block(name) {
            self.events.push(boundary());
        }
    }

    /// What the element is in Markdown.
    fn tag(&self, name: &str, attribute: &impl Fn(&str) -> Option<String>) -> Option<Tag<'static>> {
        if let Some(level) = level(name) {
            return Some(Tag::Heading { level, id: None, classes: vec![], attrs: vec![] });
        }
        let shallow = self.lists + self.quotes < DEEPEST;
        let in_list = self.stack.iter().rev().any(|(_, end)| matches!(end, Some(TagEnd::List(_))));
        Some(match name {
            "p" => Tag::Paragraph,
            "ul" if shallow => Tag::List(None),
            "ol" if shallow => Tag::List(Some(attribute("start").and_then(|n| n.parse().ok()).unwrap_or(1))),
            "li" if in_list => Tag::Item,
            "blockquote" if shallow => Tag::BlockQuote(None),
            "pre" => Tag::CodeBlock(CodeBlockKind::Indented),
            "em" | "i" => Tag::Emphasis,
            "strong" | "b" => Tag::Strong,
            "del" | "s" => Tag::Strikethrough,
            "a" => Tag::Link {
                link_type: LinkType::Inline,
                dest_url: attribute("href")?.into(),
                title: "".into(),
                id: "".into(),
            },
            "table" if self.tables == 0 => Tag::Table(vec![]),
            "tr" if self.tables == 1 => Tag::TableRow,
            "td" | "th" if self.tables == 1 => Tag::TableCell,
            _ => return None,
        })
    }

    fn close(&mut self, name: &str) {
        let Some(at) = self.stack.iter().rposition(|(open, _)| open == name) else { return };
        while self.stack.len() > at {
            let Some((name, end)) = self.stack.pop() else { return };
            if name == "code"
                && let Some(code) = self.code.take()
            {
                self.events.push(Event::Code(code.into()));
            }
            self.count(&name, false);
            self.end(end);
            if end.is_none() && is_block(&name) {
                self.events.push(boundary());
            }
        }
    }

    fn end(&mut self, end: Option<TagEnd>) {
        self.events.extend(end.map(Event::End));
    }

    fn count(&mut self, name: &str, opened: bool) {
        let count = match name {
            "ul" | "ol" => &mut self.lists,
            "blockquote" => &mut self.quotes,
            "table" => &mut self.tables,
            "pre" => &mut self.pre,
            _ => return,
        };
        *count = if opened { *count + 1 } else { count.saturating_sub(1) };
    }
}

/// Ends the line before it, and says nothing.
fn boundary() -> Event<'static> {
    Event::Html("".into())
}

/// Elements that stand by themselves and that Markdown has no word for.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "article"
            | "aside"
            | "caption"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "figcaption"
            | "figure"
            | "section"
            | "summary"
    )
}

#[cfg(test)]
mod tests {
    use super::super::{
        Links,
        fixture::{issue, links},
    };
    use super::*;
    use crate::issue::{Content, Issue, Markup};
    use crate::renderer::render;

    fn cut(without: &[&str]) -> Cut {
        Cut::new("article", &without.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn rendered(html: &str) -> Content {
        render(&Issue { markup: Markup::Html, ..issue(html) }, &Links { files: None, ..links() })
    }

    #[test]
    fn the_content_is_one_element_without_what_is_not_the_issue() {
        let page = "<!doctype html><html><body><nav>Menu</nav><main><article class=post><header><h1>March</h1>by A</header>\
                    <h2 id=x>News<a class=headerlink href=#x>¶</a></h2><p>One<nav>share</nav><p>Two</article></main>";
        assert_eq!(
            cut(&["header", "nav", ".headerlink"]).take(page, "March").as_deref(),
            Some("<h2 id=\"x\">News</h2><p>One</p><p>Two</p>")
        );
        let code = "<article><pre><code><span class=line><span class=kw>fn</span> a</span>() <span lang=de>b</span></code></pre></article>";
        assert_eq!(
            cut(&[]).take(code, "March").as_deref(),
            Some("<pre><code>fn a() <span lang=\"de\">b</span></code></pre>")
        );
        assert_eq!(cut(&[]).take("<main>x</main>", "March"), None);
        assert_eq!(cut(&[]).take(&format!("<article>{}", "<b>".repeat(2_000)), "March"), None);
        let (selector, why) = Cut::new("a[", &[]).unwrap_err();
        assert!(selector == "a[" && !why.is_empty(), "{why}");
    }

    #[test]
    fn the_heading_that_repeats_the_title_goes_and_others_make_room_for_it() {
        for (page, taken) in [
            ("<article><h1> March </h1><h2>a</h2></article>", "<h2>a</h2>"),
            ("<article><h1>Other</h1><h2>a</h2></article>", "<h2>Other</h2><h3>a</h3>"),
            ("<article><h1>March</h1><h1>a</h1></article>", "<h2>a</h2>"),
            ("<article><h2>March</h2></article>", "<h2>March</h2>"),
        ] {
            assert_eq!(cut(&[]).take(page, "March").as_deref(), Some(taken), "{page}");
        }
    }

    #[test]
    fn the_text_part_reads_as_that_of_markdown() {
        for (html, plain) in [
            ("<p>One\ntwo</p><p>Three</p>", "One two\n\nThree\n"),
            ("<h2>A</h2><p>x</p><h3>B <code>c</code></h3>", "A\n---\n\nx\n\n## B `c`\n"),
            ("<ul>\n<li>a\n<ul><li>b</li></ul></li>\n<li>c</li></ul>", "- a\n  - b\n- c\n"),
            ("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b\n"),
            ("<blockquote><p>a</p></blockquote>", "> a\n"),
            ("<pre><code class=x>fn a() {\n    <span>b</span>\n}\n</code></pre>", "    fn a() {\n        b\n    }\n"),
            ("<p><a href=https://example.org/1>a</a></p>", "a [1]\n\n[1] https://example.org/1\n"),
            ("<p><img src=a.png alt='A chart'></p>", "A chart\n"),
            ("<table><thead><tr><th>a<th>b</thead><tbody><tr><td>c<td>d</table>", "a  b\n-  -\nc  d\n"),
            ("<div>a</div><div>b</div><figure><img alt=c><figcaption>d</figcaption></figure>", "a\n\nb\n\nc\n\nd\n"),
            ("<dl><dt>a</dt><dd>b</dd></dl>", "a\n\nb\n"),
            ("<p>{{ a }} &lt;b&gt;</p>", "`{{ a }}` <b>\n"),
            ("<script>x</script><li>stray</li></div>", "stray\n"),
        ] {
            let page = format!("<article>{html}</article>");
            let taken = cut(&[]).take(&page, "March").unwrap();
            assert_eq!(rendered(&taken).text, plain, "{html}");
        }
    }

    #[test]
    fn the_html_goes_through_the_sanitiser_and_urls_are_those_of_the_page() {
        let content = rendered(
            "<h2 id=\"a\">A</h2><p onclick=\"x\"><img src=\"/i.png\" alt=\"i\"> <a href=\"../b/\">b</a></p><script>y</script>",
        );
        assert_eq!(content.summary, "b");
        for part in [&content.web, &content.feed, &content.mail] {
            assert!(!part.contains("onclick") && !part.contains("script"), "{part}");
            assert!(part.contains("https://news.example.org/2026/b/\""), "{part}");
        }
        assert!(content.web.contains("<h2 id=\"a\">A</h2>"), "{}", content.web);
    }

    #[test]
    fn a_megabyte_of_references_takes_no_minutes_and_comes_out_whole() {
        let page = format!("<article><p>{}</p></article>", "&amp;".repeat(200_000));
        let taken = cut(&[]).take(&page, "March").unwrap();
        assert_eq!(taken.len(), 200_000 * "&amp;".len() + "<p></p>".len());
    }

    #[test]
    fn what_nests_too_deep_keeps_its_text() {
        let text = rendered(&format!("{}end", "<ul><li>".repeat(40))).text;
        assert!(text.contains("end") && text.starts_with("- "), "{text}");
    }
}
