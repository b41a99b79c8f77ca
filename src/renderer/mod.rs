//! The renderer: Markdown to sanitised HTML and plain text, and templates to pages and mails. Pure once templates are loaded.

mod autolink;
mod built;
mod check;
mod documents;
pub mod feeds;
mod finish;
mod guard;
mod highlight;
mod html;
mod lines;
pub mod mails;
mod markdown;
mod narrow;
pub mod pages;
mod phrases;
mod raw;
mod remains;
mod sanitise;
mod table;
mod templates;
mod text;
mod urls;
mod wrap;

pub use built::Cut;
pub use check::check;
pub use documents::Documents;
pub use finish::{Section, contents};
pub use phrases::{Labels, Phrases};
pub use templates::{TemplateError, Templates};

use pulldown_cmark::{Event, Tag, TagEnd};
use url::Url;

use crate::issue::{Content, Issue, Markup};
use markdown::Markdown;
use sanitise::{Assets, Clean};

/// Changes whenever the same Markdown would render differently, so that the watcher renders everything again.
pub const VERSION: u32 = 4;

/// About two sentences: what a feed reader shows in its list and a mail program beside the subject.
const SUMMARY: usize = 300;

/// Where an issue stands, for making its URLs absolute.
#[derive(Clone, Debug)]
pub struct Links {
    /// Path of the document below the root of the source, such as `2020/03/index.md`.
    pub path: String,
    /// Public URL of the issue: fragment links point to it.
    pub issue: Url,
    /// URL below which files of the source are served, ending with `/`: `files` + path of the file. `None` when the issue
    /// stands on another site: what it shows is there, relative to its URL.
    pub files: Option<Url>,
    /// Public URLs of the newsletter's documents by path, so that a link to `../2020/02.md` reaches the page of that issue.
    pub documents: std::sync::Arc<Documents>,
    /// The fixed words of the content, in the issue's language.
    pub labels: Labels,
}

/// Renders an issue's text. Never fails: whatever it holds, what comes out is safe HTML.
#[must_use]
pub fn render(issue: &Issue, links: &Links) -> Content {
    let body = body(issue);
    match issue.markup {
        Markup::Markdown => {
            let body = remains::clean(&body).text;
            let markdown = Markdown::read(&body).without_title(&issue.title);
            content(issue, links, &html::write(&markdown, issue.slug.as_str(), &links.labels), &markdown)
        }
        Markup::Html => {
            let markdown = Markdown::of(vec![Event::Html(body.as_str().into())]);
            let html = html::write(&markdown, issue.slug.as_str(), &links.labels);
            content(issue, links, &html, &Markdown::of(built::events(&body)))
        }
    }
}

/// The parts, from the HTML that is not safe yet and from what it means.
fn content(issue: &Issue, links: &Links, html: &str, markdown: &Markdown<'_>) -> Content {
    let html = sanitise::in_pieces(html.to_owned());
    let assets = Assets::default();
    if let Some(image) = &issue.image {
        sanitise::note(urls::image(image, links).and_then(|target| target.file), &assets);
    }
    let Clean { web, feed, mail } = sanitise::clean(&html, links, &assets);
    Content {
        web: finish::finish(&web, &links.labels),
        feed,
        mail,
        text: without_slots(&text::write(markdown, links)),
        summary: without_slots(&issue.summary.as_deref().map_or_else(|| first_words(markdown), editors_words)),
        assets: std::mem::take(&mut *assets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
    }
}

/// The absolute URL of an issue's lead image, resolved as an image in its Markdown would be; its file is among
/// the assets of [`render`]. `None` when it must not be loaded, as a `data:` URL.
#[must_use]
pub fn image_url(image: &str, links: &Links) -> Option<String> {
    urls::image(image, links).map(|target| target.url)
}

/// The Markdown with `\n` at the end of lines.
fn body(issue: &Issue) -> String {
    without_slots(&issue.body.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Without the marks of the slots of [`crate::message`], so that no content can forge one, and without control
/// characters, which neither XML nor mail can carry.
fn without_slots(text: &str) -> String {
    let forbidden = |c: char| {
        matches!(c, '\u{E000}' | '\u{E001}' | '\u{FFFE}' | '\u{FFFF}') || (c.is_control() && c != '\n' && c != '\t')
    };
    // Each of them has one of these bytes; most texts have none, and bytes are looked through faster than characters.
    let suspect = |byte: u8| match byte {
        b'\n' | b'\t' => false,
        byte => byte < b' ' || matches!(byte, 0x7F | 0xC2 | 0xEE | 0xEF),
    };
    // In pieces whose end is known, so that the compiler looks at many bytes at a time.
    let any = |piece: &[u8]| piece.iter().fold(false, |found, byte| found | suspect(*byte));
    if text.as_bytes().chunks(256).any(any) { text.replace(forbidden, "") } else { text.to_owned() }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A summary is plain text; only where it holds template remains it is read as Markdown, to find code.
fn editors_words(summary: &str) -> String {
    let line = one_line(summary);
    match remains::clean(&line) {
        cleaned if cleaned.dropped.is_empty() && !guard::has_mark(&line) => line,
        cleaned => one_line(&markdown::plain(&Markdown::read(&cleaned.text).body)),
    }
}

/// The first paragraph that says something and stands by itself, cut at a word.
fn first_words(markdown: &Markdown) -> String {
    let mut depth = 0_usize;
    let paragraphs = markdown.body.iter().enumerate().filter_map(|(at, event)| {
        match event {
            Event::Start(Tag::Paragraph) if depth == 0 => {
                let rest = markdown.body.get(at + 1..).unwrap_or_default();
                if is_figure(rest) {
                    return None;
                }
                return rest.split(|event| matches!(event, Event::End(TagEnd::Paragraph))).next().map(markdown::plain);
            }
            Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Table(_)) => depth += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Table) => depth = depth.saturating_sub(1),
            _ => {}
        }
        None
    });
    let paragraph = paragraphs.map(|text| one_line(&text)).find(|text| !text.is_empty());
    shorten(&paragraph.unwrap_or_else(|| one_line(&markdown::plain(&markdown.body))))
}

/// An image, maybe in a link, with a caption after it, as [`remains`] writes it.
fn is_figure(paragraph: &[Event]) -> bool {
    let tags = paragraph.iter().map_while(|event| if let Event::InlineHtml(html) = event { Some(html) } else { None });
    tags.take(2).any(|tag| tag.starts_with("<img "))
}

/// At most [`SUMMARY`] characters, cut at the last word that fits.
fn shorten(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(SUMMARY) else { return text.to_owned() };
    let start = text.get(..end).unwrap_or_default();
    // Text without spaces, such as Chinese, is cut where it stands.
    let words = start.rsplit_once(' ').map_or(start, |(words, _)| words);
    format!("{}…", words.trim_end_matches(|c: char| c.is_whitespace() || ",;:–—-.".contains(c)))
}

#[cfg(test)]
pub(crate) mod fixture {
    //! An issue at `2026/03/index.md` and where it stands.
    use std::collections::HashMap;

    use super::*;
    use crate::types::Slug;

    pub(crate) fn links() -> Links {
        let url = |text: &str| Url::parse(text).unwrap();
        let february = url("https://news.example.org/2026/february/");
        Links {
            path: "2026/03/index.md".to_owned(),
            issue: url("https://news.example.org/2026/march/"),
            files: Some(url("https://news.example.org/files/")),
            documents: Documents::from(HashMap::from([("2026/02/index.md".to_owned(), february)])).into(),
            labels: Labels::default(),
        }
    }

    pub(crate) fn issue(body: &str) -> Issue {
        Issue {
            id: None,
            title: "March".to_owned(),
            date: chrono::DateTime::parse_from_rfc3339("2026-03-12T00:00:00Z").unwrap(),
            authors: vec![],
            tags: vec![],
            language: None,
            summary: None,
            slug: Slug::parse("march").unwrap(),
            image: None,
            draft: false,
            permalink: None,
            aliases: vec![],
            markup: Markup::Markdown,
            body: body.to_owned(),
            body_line: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{issue, links};
    use super::*;

    /// Without what stands in code.
    fn outside_code(html: &str) -> String {
        let (mut out, mut depth) = (String::new(), 0_usize);
        for piece in html.split_inclusive('>').flat_map(|piece| {
            let (text, tag) = piece.split_at(piece.find('<').unwrap_or(piece.len()));
            [text, tag]
        }) {
            match piece {
                "<code>" | "<pre>" | "<pre tabindex=\"0\">" => {
                    depth += 1;
                    out.push(' ');
                }
                "</code>" | "</pre>" => depth -= 1,
                _ if depth == 0 => out.push_str(piece),
                _ => {}
            }
        }
        out
    }

    /// A document of any kind: no mark is in what readers see, outside code.
    pub(crate) fn assert_no_marks(body: &str) {
        const MARKS: [&str; 6] = ["{{<", "{{&lt;", "{%", "<!--", ":::", "<script"];
        let content = rendered(body);
        // In plain text, code is told by backticks and indentation, and only where it has no backticks in it. A URL may
        // have what it likes.
        let code = |text: &str| match body.contains('`') {
            true => String::new(),
            false => text.replace("``", "`").split('`').step_by(2).collect::<Vec<_>>().join(" "),
        };
        let is_code = |line: &&str| line.contains("    ") || line.contains("] http");
        let text: Vec<_> = content.text.lines().filter(|line| !is_code(line)).collect();
        for part in [
            outside_code(&content.web),
            outside_code(&content.feed),
            outside_code(&content.mail),
            code(&text.join("\n")),
            code(&content.summary),
        ] {
            for mark in MARKS {
                assert!(!part.contains(mark), "{mark} in {part:?}\nof {body:?}");
            }
        }
    }

    const GOLDEN: &str = include_str!("../../tests/fixtures/renderer/issue.md");

    fn rendered(body: &str) -> Content {
        render(&issue(body), &links())
    }

    #[test]
    fn the_golden_issue_comes_out_as_it_always_did() {
        let content = rendered(GOLDEN);
        assert_eq!(content.web, include_str!("../../tests/fixtures/renderer/issue.web.html"));
        assert_eq!(content.mail, include_str!("../../tests/fixtures/renderer/issue.mail.html"));
        assert_eq!(content.text, include_str!("../../tests/fixtures/renderer/issue.txt"));
        assert_eq!(content.assets, ["2026/03/images/chart.png", "2026/03/notes.pdf"]);
        assert_eq!(content.summary, "Spring is here, and with it the 3.0 release of the engine.");
    }

    #[test]
    fn remains_of_every_site_generator_stay_out_of_every_part() {
        let body = include_str!("../../tests/fixtures/renderer/remains.md");
        assert_no_marks(&body.replace('`', "~"));
        let content = rendered(body);
        assert_eq!(content.web, include_str!("../../tests/fixtures/renderer/remains.web.html"));
        assert_eq!(content.text, include_str!("../../tests/fixtures/renderer/remains.txt"));
        for part in [&content.web, &content.feed, &content.mail, &content.text] {
            assert_eq!(part.matches("february/").count(), if *part == content.text { 2 } else { 4 }, "{part}");
        }
        let mut issue = issue("x");
        issue.summary = Some("News {{< x >}} of <!-- y --> {% z %}`{% w %}` ::: tip".to_owned());
        assert_eq!(render(&issue, &links()).summary, "News of `{% w %}` `:::` tip");
    }

    #[test]
    fn no_content_can_forge_a_slot() {
        let body = "\u{E000}confirm\u{E001} &#xE000;confirm&#xE001; <b title='\u{E000}'>&#57344;</b>\n\n<i>\u{E001}&#xe001;</i>\n\n    \u{E000}";
        let mut issue = issue(body);
        issue.summary = Some("\u{E000}confirm\u{E001}".to_owned());
        let content = render(&issue, &links());
        for part in [&content.web, &content.feed, &content.mail, &content.text, &content.summary] {
            assert!(part.contains("confirm") && !part.contains(['\u{E000}', '\u{E001}']), "{part}");
        }
    }

    #[test]
    fn the_summary_is_the_editors_or_the_first_paragraph_that_says_something() {
        let long = format!("{} and more", "word ".repeat(100));
        for (body, summary) in [
            (
                "![logo](a.png)\n\n{{< figure src=a caption=b >}}\n\n{{< x >}}\n\n- a list\n\n> a quote\n\nThe *first* [paragraph](b.md)\nhere[^1].\n\nx\n\n[^1]: n",
                "The first paragraph here.",
            ),
            ("# Title\n\n- only a list", "Title only a list"),
            (&long, &format!("{}…", "word ".repeat(60).trim_end())),
            (&"数".repeat(400), &format!("{}…", "数".repeat(300))),
            ("", ""),
        ] {
            assert_eq!(rendered(body).summary, summary);
        }
        let mut issue = issue("x");
        issue.summary = Some("By\nhand".to_owned());
        assert_eq!(render(&issue, &links()).summary, "By hand");
    }

    #[test]
    fn the_lead_image_is_resolved_and_its_file_served() {
        let mut issue = issue("![a](a.png)");
        issue.image = Some("lead.png".to_owned());
        assert_eq!(render(&issue, &links()).assets, ["2026/03/lead.png", "2026/03/a.png"]);
        assert_eq!(image_url("lead.png", &links()).as_deref(), Some("https://news.example.org/files/2026/03/lead.png"));
        assert_eq!(image_url("data:image/png;base64,x", &links()), None);
    }

    #[test]
    fn markdown_that_no_person_would_write_takes_neither_the_stack_nor_the_day() {
        // Each was linear from 64 KiB to 1 MiB; what grows with the square would stand out at these sizes already.
        let megabyte = |unit: &str| unit.repeat((1 << 20) / unit.len());
        let much = |unit: &str| unit.repeat((1 << 15) / unit.len());
        let numbered = |unit: &str| (0..4000).map(|n| unit.replace('#', &n.to_string())).collect::<String>();
        for (name, body) in [
            ("[", megabyte("[")),
            (">", megabyte(">")),
            ("> lines", much("> > > > > > > > > > > > > > > > a\n")),
            ("- ", much("- ")),
            ("*a **b ", much("*a **b ")),
            ("![", much("![")),
            ("[a](", much("[a](")),
            ("`", (1..1400).map(|n| "`".repeat(n) + " ").collect()),
            ("<", much("<")),
            ("<div>", much("<div>")),
            ("a <b>", "a ".to_owned() + &much("<b>")),
            ("<b n=#><p>", numbered("<b n=#><p>x</p>")),
            ("<p><b n=#></p>", numbered("<p><b n=#></p>\n\n")),
            ("attributes", "<a ".to_owned() + &numbered("a#=1 ") + ">"),
            ("[^#]", numbered("x[^#]\n\n[^#]: y\n\n")),
            ("tables", "|a|b|\n|-|-|\n".to_owned() + &much("|<i>|[x](y)|\n")),
            ("headings", much("# a\n")),
            ("<svg>", much("<svg>")),
            ("https://", much("https://a.")),
            ("https:// ", much("https://a)) ")),
            ("x&", much("<p>&")),
            ("<!--", much("<!--\n\n")),
            ("</", "<svg>".to_owned() + &much("</a")),
        ] {
            let content = rendered(&body);
            assert!(content.web.len() < 16 * body.len() + 1000, "{name}");
        }
    }
}
