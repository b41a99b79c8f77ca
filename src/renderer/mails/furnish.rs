//! An issue's HTML made ready to stand in a mail: headings below the mail's own, links within the mail, images that every program
//! can size, tables that scroll. Reads the sanitiser's output, which is well formed.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use url::Url;

use super::super::raw::{self, Piece};

/// Where an issue stands in the mail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Before the names of its anchors, so that two issues have none in common.
    pub anchor: &'a str,
    /// Its public URL: a link to a part of it is a link within the mail, as far as that part is in the mail.
    pub url: &'a str,
    /// The level of its largest headings.
    pub level: usize,
    /// What an image is called that says nothing of itself.
    pub picture: &'a str,
}

/// The width of the column's content: 600 px without padding and border. Outlook for Windows shows an image as wide as it says.
const COLUMN: u32 = 526;

/// In these an anchor stands within; before all others.
const HOLDS_ANCHOR: &[&str] = &[
    "blockquote",
    "dd",
    "div",
    "dt",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "p",
    "span",
    "sup",
    "td",
    "th",
];
/// Between these and their content nothing may stand.
const NO_ANCHOR: &[&str] = &["caption", "tbody", "tfoot", "thead", "tr"];

/// Rewrites the HTML of an issue.
pub(super) fn furnish(html: &str, place: &Place<'_>) -> String {
    let pieces = raw::read(html);
    let mut writer = Writer {
        levels: levels(&pieces, place.level),
        anchors: anchors(&pieces, place),
        prefix: format!("{}#", place.url.replace('&', "&amp;")),
        name: place.anchor,
        picture: place.picture,
        tables: 0,
        links: 0,
        closers: Vec::new(),
        out: String::with_capacity(html.len()),
    };
    for piece in &pieces {
        match piece {
            Piece::Text(text) => writer.out.push_str(text),
            Piece::Open(tag, attributes) => writer.open(tag, attributes),
            Piece::Close(tag) => writer.close(tag),
        }
    }
    writer.out
}

/// The level that each heading gets: no level is left out, whatever the document did.
fn levels(pieces: &[Piece<'_>], top: usize) -> HashMap<String, usize> {
    let name = |piece: &Piece<'_>| match piece {
        Piece::Open(tag, _) if is_heading(tag) => Some(tag.clone()),
        _ => None,
    };
    let used: std::collections::BTreeSet<String> = pieces.iter().filter_map(name).collect();
    used.into_iter().zip(top..).map(|(tag, level)| (tag, level.min(6))).collect()
}

/// Numbers of the ids that a link of the same issue leads to, by the fragment of that link.
fn anchors(pieces: &[Piece<'_>], place: &Place<'_>) -> HashMap<String, usize> {
    let prefix = format!("{}#", place.url.replace('&', "&amp;"));
    let linked: HashSet<&str> =
        pieces.iter().filter_map(|piece| attribute(piece, "href")?.strip_prefix(prefix.as_str())).collect();
    let Ok(mut url) = Url::parse(place.url) else { return HashMap::new() };
    let mut fragment = |id: &str| {
        url.set_fragment(Some(id));
        url.fragment().unwrap_or_default().to_owned()
    };
    let ids = pieces.iter().filter_map(|piece| attribute(piece, "id")).map(|id| fragment(&raw::decode(id)));
    ids.filter(|id| linked.contains(id.as_str())).zip(1..).collect()
}

fn attribute<'p>(piece: &Piece<'p>, name: &str) -> Option<&'p str> {
    let Piece::Open(tag, attributes) = piece else { return None };
    let known = name != "id" || !NO_ANCHOR.contains(&tag.as_str());
    attributes.iter().find(|(key, _)| key == name && known).map(|(_, value)| *value)
}

pub(super) fn is_heading(tag: &str) -> bool {
    matches!(tag, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

/// Writes a start tag; the values are as they were written, so they stay between double quotes.
pub(super) fn start_tag(out: &mut String, tag: &str, attributes: &[(String, &str)]) {
    let _ = write!(out, "<{tag}");
    for (key, value) in attributes {
        let _ = write!(out, " {key}=\"{value}\"");
    }
    out.push('>');
}

struct Writer<'p> {
    levels: HashMap<String, usize>,
    anchors: HashMap<String, usize>,
    prefix: String,
    name: &'p str,
    picture: &'p str,
    /// Tables and links that are open.
    tables: usize,
    links: usize,
    /// What end tags of `a` are written as.
    closers: Vec<&'static str>,
    out: String,
}

impl Writer<'_> {
    fn open(&mut self, tag: &str, attributes: &[(String, &str)]) {
        let anchor = attributes.iter().find(|(key, _)| key == "id").and_then(|(_, id)| self.anchor(id));
        let attributes: Vec<_> = attributes.iter().filter(|(key, _)| key != "id").cloned().collect();
        let anchor = anchor.map(|name| format!("<a name=\"{name}\"></a>")).unwrap_or_default();
        let within = HOLDS_ANCHOR.contains(&tag);
        if !within && !NO_ANCHOR.contains(&tag) {
            self.out.push_str(&anchor);
        }
        match tag {
            "a" => self.link(attributes),
            "img" => self.image(&attributes),
            "table" => {
                if self.tables == 0 {
                    self.out.push_str("<div class=\"wide\">");
                }
                self.tables += 1;
                start_tag(&mut self.out, tag, &attributes);
            }
            tag => match self.levels.get(tag) {
                Some(level) => start_tag(&mut self.out, &format!("h{level}"), &attributes),
                None => start_tag(&mut self.out, tag, &attributes),
            },
        }
        if within {
            self.out.push_str(&anchor);
        }
    }

    fn close(&mut self, tag: &str) {
        match tag {
            "a" => {
                self.links = self.links.saturating_sub(1);
                self.out.push_str(self.closers.pop().unwrap_or("</a>"));
            }
            "table" => {
                self.out.push_str("</table>");
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.out.push_str("</div>");
                }
            }
            tag => match self.levels.get(tag) {
                Some(level) => self.out.push_str(&format!("</h{level}>")),
                None => self.out.push_str(&format!("</{tag}>")),
            },
        }
    }

    fn anchor(&self, id: &str) -> Option<String> {
        let mut url = Url::parse("https://fragment.invalid/").ok()?;
        url.set_fragment(Some(&raw::decode(id)));
        let number = self.anchors.get(url.fragment()?)?;
        Some(format!("{}-{number}", self.name))
    }

    fn link(&mut self, mut attributes: Vec<(String, &str)>) {
        self.links += 1;
        let number = attributes
            .iter()
            .find_map(|(key, value)| (key == "href").then(|| value.strip_prefix(self.prefix.as_str()))?)
            .and_then(|fragment| self.anchors.get(fragment));
        // An `a` without a target is no link, and Outlook underlines it.
        let is_link = attributes.iter().any(|(key, _)| key == "href");
        self.closers.push(if is_link { "</a>" } else { "" });
        match number {
            Some(number) => {
                attributes.retain(|(key, _)| key != "href");
                let href = format!("#{}-{number}", self.name);
                let mut all = vec![("href".to_owned(), href.as_str())];
                all.extend(attributes);
                start_tag(&mut self.out, "a", &all);
            }
            None if is_link => start_tag(&mut self.out, "a", &attributes),
            None => {}
        }
    }

    fn image(&mut self, attributes: &[(String, &str)]) {
        let value = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
        let alt = value("alt").unwrap_or_default();
        let Some(source) = value("src") else {
            self.out.push_str(alt);
            return;
        };
        match format(source) {
            // Gmail, Outlook and Yahoo show neither: a link says what is there.
            Format::Nowhere => {
                let words = if alt.trim().is_empty() { self.picture } else { alt };
                match self.links {
                    0 => self.out.push_str(&format!("<a href=\"{source}\">{words}</a>")),
                    _ => self.out.push_str(words),
                }
            }
            // Outlook for Windows does not: it shows the text instead, as a link to the picture.
            Format::Mostly if self.links == 0 => {
                self.out.push_str(&format!("<a href=\"{source}\">"));
                self.sized(attributes, if alt.trim().is_empty() { self.picture } else { alt });
                self.out.push_str("</a>");
            }
            _ => self.sized(attributes, alt),
        }
    }

    /// An image with an `alt`, not wider than the column.
    fn sized(&mut self, attributes: &[(String, &str)], alt: &str) {
        let number = |name: &str| {
            attributes.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<u32>().ok())
        };
        let (width, height) = (number("width"), number("height"));
        let fitted = width.filter(|width| *width > COLUMN).map(|width| {
            (
                COLUMN.to_string(),
                height.map(|height| (u64::from(height) * u64::from(COLUMN) / u64::from(width)).to_string()),
            )
        });
        let mut all: Vec<(String, &str)> =
            attributes.iter().filter(|(key, _)| !matches!(key.as_str(), "alt" | "width" | "height")).cloned().collect();
        all.push(("alt".to_owned(), alt));
        match &fitted {
            Some((width, height)) => {
                all.push(("width".to_owned(), width));
                all.extend(height.as_deref().map(|height| ("height".to_owned(), height)));
            }
            None => {
                all.extend(attributes.iter().filter(|(key, _)| matches!(key.as_str(), "width" | "height")).cloned())
            }
        }
        start_tag(&mut self.out, "img", &all);
    }
}

/// How many mail programs show an image of this format.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Everywhere,
    Mostly,
    Nowhere,
}

/// By the extension: what a server says it is, we do not ask.
fn format(source: &str) -> Format {
    let path = source.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("svg" | "svgz" | "avif" | "jxl") => Format::Nowhere,
        Some("webp") => Format::Mostly,
        _ => Format::Everywhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn furnished(html: &str) -> String {
        furnish(
            html,
            &Place { anchor: "issue-2", url: "https://news.example.org/march?a&b", level: 3, picture: "Picture" },
        )
    }

    #[test]
    fn headings_follow_the_mails_own_without_a_gap() {
        for (html, expected) in [
            ("<h2>A</h2><h4>B</h4><h2>C</h2>", "<h3>A</h3><h4>B</h4><h3>C</h3>"),
            ("<h5 align=\"center\">A</h5>", "<h3 align=\"center\">A</h3>"),
            (
                "<h1>A</h1><h2>B</h2><h3>C</h3><h4>D</h4><h5>E</h5>",
                "<h3>A</h3><h4>B</h4><h5>C</h5><h6>D</h6><h6>E</h6>",
            ),
        ] {
            assert_eq!(furnished(html), expected);
        }
    }

    #[test]
    fn a_link_to_what_is_in_the_mail_stays_in_the_mail() {
        let url = "https://news.example.org/march?a&amp;b";
        for (html, expected) in [
            (
                format!("<sup><a href=\"{url}#fn-1\">1</a></sup><ol><li id=\"fn-1\">x</li></ol>"),
                "<sup><a href=\"#issue-2-1\">1</a></sup><ol><li><a name=\"issue-2-1\"></a>x</li></ol>".to_owned(),
            ),
            (
                format!("<h2 id=\"发布\">x</h2><a href=\"{url}#%E5%8F%91%E5%B8%83\">x</a>"),
                "<h3><a name=\"issue-2-1\"></a>x</h3><a href=\"#issue-2-1\">x</a>".to_owned(),
            ),
            (
                format!("<a id=\"b\" href=\"https://x/\">b</a> <a href=\"{url}#b\">up</a>"),
                "<a name=\"issue-2-1\"></a><a href=\"https://x/\">b</a> <a href=\"#issue-2-1\">up</a>".to_owned(),
            ),
            // Nobody links to the one, and the other is not in the mail.
            (format!("<h2 id=\"a\">x</h2><a href=\"{url}#b\">x</a>"), format!("<h3>x</h3><a href=\"{url}#b\">x</a>")),
            ("<a>x</a>".to_owned(), "x".to_owned()),
        ] {
            assert_eq!(furnished(&html), expected);
        }
    }

    #[test]
    fn images_have_a_text_and_fit() {
        for (html, expected) in [
            ("<img src=\"a.png\">", "<img src=\"a.png\" alt=\"\">"),
            (
                "<img src=\"a.png\" alt=\"A\" width=\"1052\" height=\"300\">",
                "<img src=\"a.png\" alt=\"A\" width=\"526\" height=\"150\">",
            ),
            ("<img src=\"a.png\" alt=\"A\" width=\"100%\">", "<img src=\"a.png\" alt=\"A\" width=\"100%\">"),
            ("<img alt=\"A &amp; B\">", "A &amp; B"),
            ("<img src=\"a.svg?x\" alt=\"A\">", "<a href=\"a.svg?x\">A</a>"),
            ("<a href=\"b\"><img src=\"a.avif\" alt=\"\"></a>", "<a href=\"b\">Picture</a>"),
            ("<img src=\"a.webp\" alt=\"A\">", "<a href=\"a.webp\"><img src=\"a.webp\" alt=\"A\"></a>"),
        ] {
            assert_eq!(furnished(html), expected);
        }
    }

    #[test]
    fn a_table_scrolls_and_what_is_in_it_does_not_again() {
        assert_eq!(
            furnished("<table><tr><td><table></table></td></tr></table>"),
            "<div class=\"wide\"><table><tr><td><table></table></td></tr></table></div>"
        );
    }
}
