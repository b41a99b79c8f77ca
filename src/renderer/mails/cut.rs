//! The start of an issue that is too long for a mail, ended where a reader would end it.

use super::super::raw::{self, Piece};
use super::furnish::{is_heading, start_tag};

const VOID: &[&str] = &["br", "hr", "img", "wbr"];
/// Where a block inside of others ends.
const ITEMS: &[&str] = &["blockquote", "dd", "div", "figure", "li", "p", "pre", "table", "tr"];

/// Where the text may end.
#[derive(Clone, Debug)]
struct End {
    /// Bytes before it.
    at: usize,
    /// The end tags that are then missing.
    closing: String,
}

/// At most `room` bytes of well-formed HTML: up to a heading if that is not too early, else up to the end of a block, else of a
/// list item or paragraph inside one. Empty when not even that fits.
pub(super) fn cut(html: &str, room: usize) -> String {
    if html.len() <= room {
        return html.to_owned();
    }
    let mut out = String::with_capacity(room.min(html.len()));
    let mut open: Vec<String> = Vec::new();
    let (mut section, mut block, mut item) = (None, None, None);
    // A heading has something to say only with what follows.
    let mut after_heading = true;
    for piece in raw::read(html) {
        match &piece {
            Piece::Text(text) => {
                out.push_str(text);
                after_heading &= text.trim().is_empty();
            }
            Piece::Open(tag, attributes) => {
                if is_heading(tag) && open.is_empty() && !after_heading {
                    section = fitting(section, &out, String::new(), room);
                }
                start_tag(&mut out, tag, attributes);
                if !VOID.contains(&tag.as_str()) {
                    open.push(tag.clone());
                } else if tag == "img" {
                    after_heading = false;
                }
            }
            Piece::Close(tag) => {
                out.push_str(&format!("</{tag}>"));
                open.pop();
                if is_heading(tag) {
                    after_heading = true;
                } else if open.is_empty() && !after_heading {
                    block = fitting(block, &out, String::new(), room);
                } else if ITEMS.contains(&tag.as_str()) && !after_heading {
                    let closing = open.iter().rev().map(|tag| format!("</{tag}>")).collect::<String>();
                    item = fitting(item, &out, closing, room);
                }
            }
        }
        if out.len() > room {
            break;
        }
    }
    let late = |end: &Option<End>| end.as_ref().is_some_and(|end| end.at >= room / 2);
    let ends = [section, block, item];
    let chosen = ends.iter().find(|end| late(end)).cloned().flatten();
    let chosen = chosen.or_else(|| ends.into_iter().flatten().max_by_key(|end| end.at));
    let Some(End { at, closing }) = chosen else { return String::new() };
    format!("{}{closing}", out.get(..at).unwrap_or_default().trim_end())
}

fn fitting(before: Option<End>, out: &str, closing: String, room: usize) -> Option<End> {
    if out.len() + closing.len() <= room { Some(End { at: out.len(), closing }) } else { before }
}

/// The text part of an issue up to about the share of its words that is left of the HTML: filters take parts that differ much for a trick.
/// Up to a heading if one is near, else up to an empty line; the links of what is left are listed below it.
pub(super) fn text(text: &str, kept: usize, all: usize) -> String {
    let target = text.len() / all.max(1) * kept + text.len() % all.max(1) * kept / all.max(1);
    let breaks: Vec<usize> = text.match_indices("\n\n").map(|(at, _)| at).collect();
    let is_heading = |at: &usize| {
        let mut lines = text.get(at + 2..).unwrap_or_default().lines();
        let first = lines.next().unwrap_or_default();
        first.starts_with("## ")
            || lines.next().is_some_and(|line| line.len() > 2 && line.bytes().all(|byte| byte == b'-'))
    };
    let near = |at: &&usize| at.abs_diff(target) <= text.len() / 20;
    let by_distance = |at: &&usize| at.abs_diff(target);
    let headings = breaks.iter().filter(|at| is_heading(at)).filter(near).min_by_key(by_distance);
    let Some(end) = headings.or_else(|| breaks.iter().min_by_key(by_distance)) else { return String::new() };
    let (start, rest) = text.split_at(*end);
    let listed = |line: &&str| {
        let number = line.strip_prefix('[').and_then(|line| line.split_once("] "));
        number.is_some_and(|(number, _)| {
            number.parse::<usize>().is_ok()
                && start.contains(&format!("[{number}]"))
                && !start.contains(&format!("\n[{number}] "))
        })
    };
    let links: Vec<&str> = rest.lines().filter(listed).collect();
    if links.is_empty() { start.to_owned() } else { format!("{start}\n\n{}", links.join("\n")) }
}

/// Words of the text in HTML.
pub(super) fn words(html: &str) -> usize {
    let text = |piece: Piece<'_>| if let Piece::Text(text) = piece { text.split_whitespace().count() } else { 0 };
    raw::read(html).into_iter().map(text).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<h2>A</h2>\n<p>one</p>\n<h3>B</h3>\n<p>two</p>\n<p>three</p>\n<h2>C</h2>\n<ul>\n<li>four</li>\n<li>five</li>\n</ul>\n";

    #[test]
    fn it_ends_where_a_reader_would_end() {
        let until = |end: &str| TEXT.find(end).unwrap();
        for (room, expected) in [
            (TEXT.len(), TEXT.to_owned()),
            // Up to the last heading.
            (until("<li>five"), TEXT[..until("\n<h2>C")].to_owned()),
            // The heading would be too early.
            (until("<h2>C") - 2, TEXT[..until("\n<p>three")].to_owned()),
            (until("<h3>B") + 12, TEXT[..until("\n<h3>B")].to_owned()),
            (5, String::new()),
        ] {
            assert_eq!(cut(TEXT, room), expected, "{room}");
        }
    }

    #[test]
    fn the_text_ends_where_the_html_does_and_lists_its_links() {
        let text = "One [1].\n\nB\n---\n\nTwo [2].\n\nThree.\n\n[2] https://two.example/\n\nC\n---\n\nFour.\n";
        assert_eq!(super::text(text, 1, 8), "One [1].");
        assert_eq!(super::text(text, 4, 8), "One [1].\n\nB\n---\n\nTwo [2].\n\nThree.\n\n[2] https://two.example/");
        assert_eq!(super::text(text, 5, 16), "One [1].\n\nB\n---\n\nTwo [2].\n\n[2] https://two.example/");
        assert_eq!(super::text("One line", 1, 2), "");
        assert_eq!(words("<p>a <b>b c</b></p>"), 3);
    }

    #[test]
    fn a_long_list_ends_at_an_item_and_is_closed() {
        let list = format!("<div><ul>{}</ul></div>", "<li>item</li>".repeat(100));
        let cut = cut(&list, 100);
        assert_eq!(cut, format!("<div><ul>{}</ul></div>", "<li>item</li>".repeat(6)));
    }

    #[test]
    fn whatever_the_room_it_fits_and_is_well_formed() {
        let html = format!("{TEXT}<blockquote><p>x<br>y</p><pre><code>z\n</code></pre></blockquote>{TEXT}");
        for room in 0..=html.len() {
            let cut = cut(&html, room);
            assert!(cut.len() <= room, "{room}: {cut}");
            let mut open = Vec::new();
            for piece in raw::read(&cut) {
                match piece {
                    Piece::Open(tag, _) if !VOID.contains(&tag.as_str()) => open.push(tag),
                    Piece::Close(tag) => assert_eq!(open.pop(), Some(tag)),
                    _ => {}
                }
            }
            assert!(open.is_empty() && !cut.ends_with("</h2>") && !cut.ends_with("</h3>"), "{room}: {cut}");
        }
    }
}
