//! HTML inside Markdown: read into plain tags and texts, and kept within bounds.
//!
//! Not the sanitiser. It drops comments and unknown tags, closes what an editor left open, and limits how deep
//! tags nest, because an HTML parser takes quadratic time for some megabytes that a person would never write.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::sanitise;

/// A piece of raw HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A start tag: lower-case name, attributes as written (entities and all).
    Open(String, Vec<(String, &'a str)>),
    /// An end tag.
    Close(String),
    /// Text as written, with entities.
    Text(&'a str),
}

/// Attributes of one tag beyond this are dropped: no tag that we keep knows as many.
const MOST_ATTRIBUTES: usize = 16;
/// Raw elements open at once.
const DEEPEST: usize = 48;
/// Of these, elements that the HTML parser opens again in each block that follows.
const DEEPEST_FORMATTING: usize = 6;

const FORMATTING: &[&str] = &["a", "b", "code", "em", "i", "s", "small", "strong", "u"];
const VOID: &[&str] = &["br", "hr", "img", "wbr"];
/// Other elements of whole pages that have no end tag.
const VOID_IN_PAGES: &[&str] = &["area", "base", "col", "input", "link", "meta", "source", "track"];
/// End tags that HTML lets an editor leave out: these never nest in themselves.
const OPTIONAL_END: &[&str] = &["dd", "dt", "li", "p", "rp", "rt", "tbody", "td", "tfoot", "th", "thead", "tr"];
/// Reads raw HTML into pieces; comments, declarations and the content of opaque elements are left out.
pub(super) fn read(html: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let (text, tag) = rest.split_at(tag_start(rest));
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        rest = match tag.as_bytes() {
            [] => "",
            [b'<', b'!', b'-', b'-', ..] => after(tag, "-->"),
            [b'<', b'!' | b'?', ..] => after(tag, ">"),
            [b'<', b'/', ..] => {
                let name = name_of(&tag[2..]);
                let rest = after(tag, ">");
                pieces.push(Piece::Close(name.to_ascii_lowercase()));
                rest
            }
            _ => {
                let (name, attributes, rest) = start_tag(&tag[1..]);
                if sanitise::WITH_CONTENT.contains(&name.as_str()) {
                    after_close(rest, &name)
                } else {
                    pieces.push(Piece::Open(name, attributes));
                    rest
                }
            }
        };
    }
    pieces
}

/// Where the next `<` stands that starts a tag, a comment or a declaration.
fn tag_start(text: &str) -> usize {
    let starts = |at: usize| match text.as_bytes().get(at + 1) {
        Some(b'!' | b'?') => true,
        Some(b'/') => text.as_bytes().get(at + 2).is_some_and(u8::is_ascii_alphabetic),
        Some(byte) => byte.is_ascii_alphabetic(),
        None => false,
    };
    text.match_indices('<').map(|(at, _)| at).find(|at| starts(*at)).unwrap_or(text.len())
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// What follows the end tag of `name`; nothing when there is none.
fn after_close<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, tag)) = rest.split_once("</") {
        if name_of(tag).eq_ignore_ascii_case(name) {
            return after(tag, ">");
        }
        rest = tag;
    }
    ""
}

fn name_of(text: &str) -> &str {
    text.split(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').next().unwrap_or_default()
}

/// Name, attributes and rest of what follows a `<`.
pub(super) fn start_tag(text: &str) -> (String, Vec<(String, &str)>, &str) {
    let name = name_of(text);
    let mut rest = text.get(name.len()..).unwrap_or_default();
    let mut attributes: Vec<(String, &str)> = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return (name.to_ascii_lowercase(), attributes, rest.get(1..).unwrap_or_default());
        }
        // A name may start with `=`, as in HTML, so that every turn takes at least one character.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let stop = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
        let length = rest.get(first..).and_then(|tail| tail.find(stop)).map_or(rest.len(), |at| at + first);
        let (key, tail) = rest.split_at(length);
        let (value, tail) = value(tail);
        rest = tail;
        if attributes.len() < MOST_ATTRIBUTES && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            attributes.push((key.to_ascii_lowercase(), value));
        }
    }
}

/// The value after an attribute's name, and the rest.
fn value(text: &str) -> (&str, &str) {
    let Some(text) = text.trim_ascii_start().strip_prefix('=') else { return ("", text) };
    let text = text.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    text.split_at(text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len()))
}

/// Text with its character references (HTML section 13.5) replaced: numbers, and the names that people write.
pub(super) fn decode(text: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", "\u{A0}"),
        ("copy", "©"),
        ("reg", "®"),
        ("trade", "™"),
        ("ndash", "–"),
        ("mdash", "—"),
        ("hellip", "…"),
        ("lsquo", "‘"),
        ("rsquo", "’"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("laquo", "«"),
        ("raquo", "»"),
        ("larr", "←"),
        ("rarr", "→"),
        ("times", "×"),
        ("middot", "·"),
        ("bull", "•"),
        ("euro", "€"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // The longest reference we know has eight characters.
        let found = after.char_indices().take(10).find(|(_, c)| *c == ';').and_then(|(end, _)| {
            let name = after.get(..end)?;
            let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            Some((known.or_else(|| numeric(name))?, after.get(end + 1..)?))
        });
        match found {
            Some((text, after)) => {
                out.push_str(&text);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn numeric(name: &str) -> Option<String> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
}

/// Whether a page nests as pages do. Far above what a site generator builds, and far below what takes an HTML parser long.
pub(super) fn is_shallow(page: &str) -> bool {
    const DEEPEST_PAGE: usize = 400;
    const DEEPEST_FORMATTING_PAGE: usize = 50;
    let (mut open, mut formatting): (HashMap<String, usize>, usize) = (HashMap::new(), 0);
    let mut depth = 0_usize;
    for piece in read(page) {
        match piece {
            Piece::Text(_) => {}
            Piece::Open(name, _) => {
                if VOID.contains(&name.as_str())
                    || OPTIONAL_END.contains(&name.as_str())
                    || VOID_IN_PAGES.contains(&name.as_str())
                {
                    continue;
                }
                depth += 1;
                formatting += usize::from(FORMATTING.contains(&name.as_str()));
                *open.entry(name).or_default() += 1;
            }
            Piece::Close(name) => {
                if let Some(count) = open.get_mut(&name).filter(|count| **count > 0) {
                    *count -= 1;
                    depth -= 1;
                    formatting -= usize::from(FORMATTING.contains(&name.as_str()));
                }
            }
        }
        if depth > DEEPEST_PAGE || formatting > DEEPEST_FORMATTING_PAGE {
            return false;
        }
    }
    true
}

/// Writes raw HTML again, balanced and bounded. One for each document, and one for each paragraph.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    open: Vec<String>,
}

impl Bounds {
    /// The same HTML as far as we know its tags; an end tag that closes nothing is dropped.
    pub fn admit(&mut self, html: &str) -> String {
        let mut out = String::with_capacity(html.len());
        for piece in read(html) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Open(name, attributes) => {
                    if self.may_open(&name) {
                        write_tag(&mut out, &name, &attributes);
                    }
                }
                Piece::Close(name) => self.close(&name, &mut out),
            }
        }
        out
    }

    /// End tags for all that is still open.
    pub fn finish(&mut self) -> String {
        self.open.drain(..).rev().fold(String::new(), |out, name| out + "</" + &name + ">")
    }

    fn may_open(&mut self, name: &str) -> bool {
        if !sanitise::knows(name) {
            return false;
        }
        if VOID.contains(&name) || OPTIONAL_END.contains(&name) {
            return true;
        }
        let formatting = |name: &str| FORMATTING.contains(&name);
        let full = self.open.len() >= DEEPEST
            || (formatting(name) && self.open.iter().filter(|name| formatting(name)).count() >= DEEPEST_FORMATTING);
        if !full {
            self.open.push(name.to_owned());
        }
        !full
    }

    fn close(&mut self, name: &str, out: &mut String) {
        if let Some(at) = self.open.iter().rposition(|open| open == name) {
            self.open.remove(at);
        } else if !OPTIONAL_END.contains(&name) {
            return;
        }
        let _ = write!(out, "</{name}>");
    }
}

fn write_tag(out: &mut String, name: &str, attributes: &[(String, &str)]) {
    let _ = write!(out, "<{name}");
    for (key, value) in attributes {
        let _ = write!(out, " {key}=\"{}\"", value.replace('"', "&quot;"));
    }
    out.push('>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_again_as_html_reads_them() {
        for (html, admitted) in [
            ("<B CLASS='a \"b\"' hidden>x</B>", "<b class=\"a &quot;b&quot;\" hidden=\"\">x</b>"),
            ("<img src=a.png alt = x/>", "<img src=\"a.png\" alt=\"x/\">"),
            ("a < b and <3, 1</2", "a < b and <3, 1</2"),
            ("<!-- <b> --><?php x ?><!DOCTYPE html>x", "x"),
            ("<!-- open", ""),
            ("<script>if (a</b>) {}</script >x", "x"),
            ("<svg><b>x</b></svg>y", "y"),
            ("<style>never closed", ""),
            ("<PrOther :pr=\"1\" />x</made-up>", "x"),
            ("x</b></i>", "x"),
            ("<td>a<td>b</td></tr>", "<td>a<td>b</td></tr>"),
            ("<a =x href=\"y", "<a href=\"y\">"),
            ("<p", "<p>"),
        ] {
            assert_eq!(Bounds::default().admit(html), admitted, "{html}");
        }
    }

    #[test]
    fn character_references_are_replaced() {
        assert_eq!(decode("a &amp; b &#8364; &#x20AC; &nope; &; &&lt;"), "a & b € € &nope; &; &<");
    }

    #[test]
    fn what_stays_open_is_closed_in_order() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.admit("<div><b>x"), "<div><b>x");
        assert_eq!(bounds.finish(), "</b></div>");
        assert_eq!(bounds.finish(), "");
    }

    #[test]
    fn tags_nest_only_so_deep() {
        let count = |html: String| Bounds::default().admit(&html).matches('<').count();
        assert_eq!(count("<div>".repeat(1000)), DEEPEST);
        assert_eq!(count("<b>".repeat(1000)), DEEPEST_FORMATTING);
        assert_eq!(count("<li>".repeat(100)), 100);
    }
}
