//! The last line of defence: no mark of a template or of HTML stands in text that readers see, unless as code.
//!
//! [`super::remains`] takes template remains out of the source. What is left is meant to be read (`\{%`, `&lt;!--`),
//! or came together from pieces; it is shown as code.

use memchr::memmem;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Without marks.
    Plain(&'a str),
    /// A mark, with what it encloses.
    Mark(&'a str),
}

/// Characters from the mark to the end of what it encloses; one that is farther away belongs to something else.
const LONGEST: usize = 1000;
/// Bytes of the longest mark.
const WIDEST: usize = "<script".len();

/// Whether a text holds a mark.
pub(super) fn has_mark(text: &str) -> bool {
    next(text, 0).is_some()
}

/// The text in parts; none is empty.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut done = 0;
    while let Some((start, end)) = next(text, done) {
        let (start, end) = (start.max(done), end);
        parts.extend(text.get(done..start).filter(|text| !text.is_empty()).map(Part::Plain));
        parts.extend(text.get(start..end).map(Part::Mark));
        done = end;
    }
    parts.extend(text.get(done..).filter(|text| !text.is_empty()).map(Part::Plain));
    parts
}

/// The text without its marks and what they enclose, where there is no code to show them in.
pub(super) fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in parts(text) {
        if let Part::Plain(text) = part {
            seam(&mut out, text);
            out.push_str(text);
        }
    }
    out
}

/// Puts a space between two texts that would make a mark together.
pub(super) fn seam(before: &mut String, after: &str) {
    let start = before.len().saturating_sub(WIDEST - 1);
    let Some(tail) = (start..=before.len()).find_map(|at| before.get(at..)) else { return };
    if !tail.contains(['{', '<', ':']) {
        return;
    }
    let head: String = after.chars().take(WIDEST - 1).collect();
    let both = format!("{tail}{head}");
    let joins = |at: usize| {
        let mark = both.get(at..).and_then(mark);
        mark.is_some_and(|(mark, _)| at + mark.len() > tail.len())
    };
    if (0..tail.len()).any(joins) {
        before.push(' ');
    }
}

/// Sanitised HTML in which marks stand in `<code>` only. In attributes they are written as character references.
pub(super) fn html(html: String) -> String {
    if !["{%", "{{", ":::", "<!--"].iter().any(|mark| memmem::find(html.as_bytes(), mark.as_bytes()).is_some()) {
        return html;
    }
    let mut out = String::with_capacity(html.len());
    let mut code = 0_usize;
    let mut rest = html.as_str();
    while !rest.is_empty() {
        let (text, tag) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        // A `{{` must not meet the `<` of a tag, in code as well.
        let (text, braces) = match text.strip_suffix("{{").filter(|_| !tag.is_empty()) {
            Some(text) => (text, "{&#123;"),
            None => (text, ""),
        };
        if code > 0 {
            out.push_str(text)
        } else {
            guarded(text, &mut out)
        }
        out.push_str(braces);
        let (tag, after) = tag.split_at(tag_end(tag));
        let name = tag.trim_start_matches(['<', '/']).split([' ', '>']).next().unwrap_or_default();
        if matches!(name, "code" | "pre") {
            code = if tag.starts_with("</") { code.saturating_sub(1) } else { code + 1 };
        }
        out.push_str(&quiet(tag));
        rest = after;
    }
    out
}

/// Bytes of the tag that a text of serialised HTML begins with; `>` may stand in a value.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in tag.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

fn quiet(tag: &str) -> String {
    let (start, rest) = tag.split_at(tag.len().min(1));
    let rest = if rest.contains('{') { rest.replace('{', "&#123;") } else { rest.to_owned() };
    let rest = if rest.contains(":::") { rest.replace(":::", "&#58;&#58;&#58;") } else { rest };
    start.to_owned() + &if rest.contains('<') { rest.replace('<', "&lt;") } else { rest }
}

/// Writes serialised text with its marks in `<code>`.
fn guarded(text: &str, out: &mut String) {
    for part in parts(text) {
        match part {
            Part::Plain(text) => out.push_str(text),
            Part::Mark(mark) => out.push_str(&format!("<code>{mark}</code>")),
        }
    }
}

/// Start and end of the next mark with what it encloses, at or after `from`.
fn next(text: &str, from: usize) -> Option<(usize, usize)> {
    let tail = text.get(from..)?;
    mark_starts(tail).find_map(|at| Some((at, length(tail.get(at..)?)?))).map(|(at, length)| {
        let start = if tail.get(at..)?.starts_with(":::") { word_start(tail, at) } else { at };
        Some((from + start, from + at + length))
    })?
}

/// Where a mark begins. A `{{` alone is none, but what it encloses may be.
fn mark_starts(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let candidates = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'{' | b'<' | b'&' | b':'));
    candidates.map(|(at, _)| at).filter(move |at| {
        let rest = text.get(*at..).unwrap_or_default();
        mark(rest).is_some() || rest.starts_with("{{")
    })
}

/// The mark that a text begins with, and what ends it. `&lt;` is `<` in serialised HTML.
fn mark(text: &str) -> Option<(&'static str, &'static str)> {
    const MARKS: &[(&str, &str)] =
        &[("{{<", "}}"), ("{{&lt;", "}}"), ("{{%", "}}"), ("{%", "%}"), ("<!--", "-->"), (":::", "")];
    let script = text.get(..WIDEST).is_some_and(|start| start.eq_ignore_ascii_case("<script"));
    if script {
        return Some(("<script", ">"));
    }
    MARKS.iter().find(|(mark, _)| text.starts_with(mark)).copied()
}

/// Bytes of the mark that a text begins with and of what it encloses.
fn length(text: &str) -> Option<usize> {
    let near = |close: &str, from: usize| {
        let stop = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
        text.get(from..stop)?.find(close).map(|at| from + at + close.len())
    };
    match mark(text) {
        Some((":::", _)) => {
            let colons = text.bytes().take_while(|byte| *byte == b':').count();
            Some(colons + word_length(text.get(colons..).unwrap_or_default()))
        }
        Some((mark, close)) => Some(near(close, mark.len()).unwrap_or(mark.len())),
        None => near("}}", 2),
    }
}

/// A `:::` takes the word it stands in with it, as in `dplyr:::filter`.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || "_.".contains(c))).unwrap_or(text.len())
}

fn word_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.trim_end_matches(|c: char| c.is_alphanumeric() || "_.".contains(c)).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_with_what_they_enclose() {
        for (text, marks) in [
            ("a {{< x >}} b", vec!["{{< x >}}"]),
            ("{% if x %}y{% endif %}", vec!["{% if x %}", "{% endif %}"]),
            ("{{ x }} and {{ y", vec!["{{ x }}"]),
            ("<!-- a --> <!-- b", vec!["<!-- a -->", "<!--"]),
            ("<SCRIPT async> <scrip", vec!["<SCRIPT async>"]),
            ("see dplyr:::filter() and ::: and a::b", vec!["dplyr:::filter", ":::"]),
            ("{%{%{%", vec!["{%", "{%", "{%"]),
            ("数{%数", vec!["{%"]),
            ("nothing { % < ! :", vec![]),
        ] {
            let found: Vec<_> =
                parts(text).iter().filter_map(|p| if let Part::Mark(m) = p { Some(*m) } else { None }).collect();
            assert_eq!(found, marks, "{text}");
            assert!(!has_mark(&without_marks(text)), "{text}");
        }
    }

    #[test]
    fn two_texts_never_make_a_mark_together() {
        for (before, after, joined) in [
            ("a{", "%b", "a{ %b"),
            ("{{", "<x", "{{ <x"),
            ("<scr", "ipt", "<scr ipt"),
            ("a:", "b", "a:b"),
            ("{%", "{%", "{%{%"),
        ] {
            let mut text = before.to_owned();
            seam(&mut text, after);
            assert_eq!(text + after, joined);
        }
    }

    #[test]
    fn html_shows_marks_as_code() {
        for (given, guarded) in [
            ("<p>a {% b %}</p>", "<p>a <code>{% b %}</code></p>"),
            ("<p>{{&lt; x &gt;}}</p>", "<p><code>{{&lt; x &gt;}}</code></p>"),
            ("<code>{% b %}</code><pre>:::</pre>", "<code>{% b %}</code><pre>:::</pre>"),
            ("<p>{{<strong>x</strong></p>", "<p>{&#123;<strong>x</strong></p>"),
            ("<img alt=\"{% > <!-- ::: x\"> y", "<img alt=\"&#123;% > &lt;!-- &#58;&#58;&#58; x\"> y"),
        ] {
            assert_eq!(html(given.to_owned()), guarded);
        }
    }
}
