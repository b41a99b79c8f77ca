//! What only our own pages get: headings one can link to, code in colours, and wide things that scroll, by keyboard as well.
//!
//! It reads sanitised HTML as the sanitiser writes it (each tag closed, each value in double quotes), and adds only tags of its
//! own around what is there, and text that it escapes itself.

use super::templates::escape;
use super::{Labels, highlight, raw};

/// The class of a code block's language, which the sanitiser keeps for us; readers get none.
pub(super) const LANGUAGE: &str = "language-";
/// Characters of a line of code that fits on the narrowest phone; a longer one scrolls.
const NARROW: usize = 34;

/// Finishes the HTML of a page.
pub(super) fn finish(html: &str, labels: &Labels) -> String {
    let mut out = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        out.push_str(text);
        rest = element(tag, labels, &mut out);
    }
    out.push_str(rest);
    out
}

/// Writes the tag that a text begins with, or all of the element, and returns what follows.
fn element<'a>(text: &'a str, labels: &Labels, out: &mut String) -> &'a str {
    let end = text.find('>').map_or(text.len(), |at| at + 1);
    let (tag, after) = text.split_at(end);
    let name = tag.trim_start_matches('<').split([' ', '>']).next().unwrap_or_default();
    match name {
        "pre" => return block(after, out),
        "code" => out.push_str("<code>"),
        // An arrow says nothing to who does not see it.
        "a" if tag.contains(" href=\"#fnref-") => {
            out.push_str(&tag.replacen("<a ", &format!("<a aria-label=\"{}\" ", escape(&labels.to_text)), 1));
        }
        // A box around the table scrolls: a table that is a box itself is no table to a screen reader.
        "table" => out.push_str(&format!("<div class=\"wide\" tabindex=\"0\">{tag}")),
        "/table" => out.push_str("</table></div>"),
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
            let close = format!("</{name}>");
            let id = tag.split_once(" id=\"").and_then(|(_, id)| id.split('"').next());
            if let (Some(id), Some((inside, after))) = (id, after.split_once(&close)) {
                out.push_str(tag);
                heading(id, inside, labels, out);
                out.push_str(&close);
                return after;
            }
            out.push_str(tag);
        }
        _ => out.push_str(tag),
    }
    after
}

/// The whole heading is the link, so that it has a name. One with a link in it, which must not be in another, gets a mark.
fn heading(id: &str, inside: &str, labels: &Labels, out: &mut String) {
    if inside.contains("<a ") || inside.contains("<a>") {
        let (inner, label) = (finish(inside, labels), escape(&labels.to_section));
        out.push_str(&format!("{inner} <a class=\"anchor\" href=\"#{id}\" aria-label=\"{label}\">#</a>"));
    } else {
        out.push_str(&format!("<a class=\"anchor\" href=\"#{id}\">{}</a>", finish(inside, labels)));
    }
}

/// A code block, from behind `<pre>`; what follows it.
fn block<'a>(text: &'a str, out: &mut String) -> &'a str {
    const CLOSE: &str = "</code></pre>";
    let code = text.strip_prefix("<code").and_then(|code| code.split_once('>'));
    let parts = code.and_then(|(attributes, code)| {
        let (code, after) = code.split_at_checked(code.find('<')?)?;
        Some((attributes, code, after.strip_prefix(CLOSE)?))
    });
    let Some((attributes, code, after)) = parts else {
        // Made by hand, with tags in it: it may be of any width.
        out.push_str("<pre tabindex=\"0\">");
        return text;
    };
    let decoded = raw::decode(code);
    let wide = decoded.lines().any(|line| line.chars().count() > NARROW);
    out.push_str(if wide { "<pre tabindex=\"0\"><code>" } else { "<pre><code>" });
    let language = attributes.split_once(LANGUAGE).and_then(|(_, name)| name.split(['"', ' ', ',']).next());
    match language.and_then(|language| highlight::html(&decoded, language)) {
        Some(coloured) => out.push_str(&coloured),
        None => out.push_str(code),
    }
    out.push_str(CLOSE);
    after
}

/// A section of an issue, for its table of contents.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Section {
    /// The id of its heading.
    pub id: String,
    /// Its heading as plain text.
    pub title: String,
    /// The sections one level below.
    pub below: Vec<Section>,
}

/// Bytes of an issue's HTML that fill some screens; a shorter one needs no table of contents.
const LONG: usize = 6000;
/// Fewer sections than this are seen at a glance.
const FEW: usize = 3;
/// With more sections than this in all, those of the second level are left out.
const MANY: usize = 24;

/// The table of contents of a long issue, from its finished HTML; empty where none is needed.
#[must_use]
pub fn contents(html: &str) -> Vec<Section> {
    if html.len() < LONG {
        return Vec::new();
    }
    let mut sections: Vec<Section> = Vec::new();
    let mut count = 0;
    for start in html.match_indices("<h").map(|(at, _)| at) {
        let text = html.get(start..).unwrap_or_default();
        let Some((level, rest)) = ["2", "3"]
            .into_iter()
            .find_map(|level| Some((level, text.strip_prefix("<h")?.strip_prefix(level)?.strip_prefix(" ")?)))
        else {
            continue;
        };
        let id = rest.strip_prefix("id=\"").and_then(|id| id.split('"').next());
        let inside = rest.split_once('>').and_then(|(_, inside)| inside.split("</h").next());
        let (Some(id), Some(title)) = (id, inside.map(plain).filter(|title| !title.is_empty())) else { continue };
        let section = Section { id: id.to_owned(), title, below: Vec::new() };
        count += 1;
        match sections.last_mut().filter(|_| level == "3") {
            Some(above) => above.below.push(section),
            None => sections.push(section),
        }
    }
    if count < FEW {
        return Vec::new();
    }
    if count > MANY && sections.len() >= FEW {
        sections.iter_mut().for_each(|section| section.below.clear());
    }
    sections
}

/// The text of a heading, without tags and without our mark.
fn plain(html: &str) -> String {
    let html = html.split(" <a class=\"anchor\"").next().unwrap_or_default();
    let mut text = String::new();
    for (at, piece) in html.split('<').enumerate() {
        text.push_str(if at == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) });
    }
    raw::decode(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(html: &str) -> String {
        super::finish(html, &Labels::default())
    }

    #[test]
    fn a_heading_links_to_itself() {
        for (html, finished) in [
            ("<h2 id=\"a\">A <em>b</em></h2>x", "<h2 id=\"a\"><a class=\"anchor\" href=\"#a\">A <em>b</em></a></h2>x"),
            (
                "<h3 id=\"a\">A <a href=\"b\">b</a></h3>",
                "<h3 id=\"a\">A <a href=\"b\">b</a> <a class=\"anchor\" href=\"#a\" aria-label=\"Link to this section\">#</a></h3>",
            ),
            ("<h2>A</h2><hr>", "<h2>A</h2><hr>"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(finish(html), finished);
        }
    }

    #[test]
    fn what_is_wide_scrolls_by_keyboard() {
        assert_eq!(
            finish("<table><tr><td>1</td></tr></table>"),
            "<div class=\"wide\" tabindex=\"0\"><table><tr><td>1</td></tr></table></div>"
        );
        let long = "x".repeat(NARROW + 1);
        assert_eq!(
            finish(&format!("<pre><code>{long}</code></pre>")),
            format!("<pre tabindex=\"0\"><code>{long}</code></pre>")
        );
        assert_eq!(finish("<pre>a <b>c</b></pre>"), "<pre tabindex=\"0\">a <b>c</b></pre>");
        assert_eq!(finish("<pre><code>a</code></pre>b"), "<pre><code>a</code></pre>b");
    }

    #[test]
    fn code_of_a_known_language_is_coloured_and_no_class_of_it_is_left() {
        assert_eq!(
            finish(
                "<pre><code class=\"language-rust,ignore\">if a &lt; b &amp;&amp; c\n</code></pre><code class=\"language-js\">if</code>"
            ),
            "<pre><code><span class=\"k\">if</span> a &lt; b &amp;&amp; c\n</code></pre><code>if</code>"
        );
        assert_eq!(
            finish("<pre><code class=\"language-none\">if &lt;</code></pre>"),
            "<pre><code>if &lt;</code></pre>"
        );
    }

    #[test]
    fn a_long_issue_has_a_table_of_contents_and_a_short_one_has_none() {
        let body = "<h2 id=\"a\"><a class=\"anchor\" href=\"#a\">A &amp; <em>B</em></a></h2><h3 id=\"b\">B</h3><h2 id=\"c\">C</h2><h4 id=\"d\">D</h4>";
        assert_eq!(contents(body), []);
        let long = format!("{body}{}", "x".repeat(LONG));
        let section = |id: &str, title: &str, below| Section { id: id.into(), title: title.into(), below };
        let expected = [section("a", "A & B", vec![section("b", "B", vec![])]), section("c", "C", vec![])];
        assert_eq!(contents(&long), expected);
        let many = (0..30).map(|n| format!("<h2 id=\"x{n}\">x</h2><h3 id=\"y{n}\">y</h3>")).collect::<String>();
        assert!(contents(&(many + &"x".repeat(LONG))).iter().all(|section| section.below.is_empty()));
    }
}
