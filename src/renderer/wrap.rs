//! Lines of plain text: display width, wrapping, underlines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a line of text in mail: RFC 5322 section 2.1.1 asks for at most 78, and a reply or two adds `> `.
pub(super) const COLUMNS: usize = 72;

/// Columns that a text takes in a fixed-width font: Chinese, Japanese and Korean characters and emoji take two.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Breaks a text into lines of at most `columns`. `\n` is a break that stays, other white space may become one.
/// A word that is longer than a line, such as a URL, stays whole.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    flow(text, columns).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// As [`wrap`], for `format=flowed; delsp=yes` (RFC 3676 section 4): a line that goes on in the next one ends with a space, which the
/// reader's program takes away, after the space between two words. So programs can break lines where their window ends.
pub(super) fn flow(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split([' ', '\t']).filter(|word| !word.is_empty()) {
            let mut space = usize::from(!line.is_empty());
            for part in parts(word) {
                let wide = width(part);
                if used > 0 && used + space + wide > columns {
                    line.push_str(if space > 0 { "  " } else { " " });
                    lines.push(std::mem::take(&mut line));
                    (used, space) = (0, 0);
                }
                if space > 0 {
                    line.push(' ');
                }
                line.push_str(part);
                used += space + wide;
                space = 0;
            }
        }
        lines.push(line);
    }
    lines
}

/// The parts of a word between which a line may end: around ideographs and kana, but not before a closing mark
/// nor after an opening one.
fn parts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let breaks = before.is_some_and(|before| {
            (breakable(before) || breakable(c))
                && !"（「『【《〈“(".contains(before)
                && !"，。、；：？！）」』】》〉”…—～·,.;:?!)".contains(c)
                && c.width().unwrap_or_default() > 0
        });
        if breaks {
            parts.push(&word[start..at]);
            start = at;
        }
        before = Some(c);
    }
    parts.push(&word[start..]);
    parts
}

/// Scripts that are written without spaces and broken anywhere: ideographs, kana, full-width forms.
fn breakable(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The text, wrapped, and a line of `mark` below it.
pub(super) fn underlined(text: &str, mark: char, columns: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    let longest = lines.iter().map(|line| width(line)).max().unwrap_or_default();
    lines.push(mark.to_string().repeat(longest.clamp(3, columns.max(3))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_lines() {
        for (text, columns, lines) in [
            ("one two three", 7, vec!["one two", "three"]),
            ("one  two\nthree ", 20, vec!["one two", "three"]),
            ("https://example.org/a-long-one x", 10, vec!["https://example.org/a-long-one", "x"]),
            ("", 10, vec![""]),
            ("数据库引擎很快。好", 8, vec!["数据库引", "擎很快。", "好"]),
            ("数据库引擎快。", 6, vec!["数据库", "引擎", "快。"]),
            ("用 Rust 写的", 7, vec!["用 Rust", "写的"]),
            ("10\u{A0}ms x", 5, vec!["10\u{A0}ms", "x"]),
        ] {
            assert_eq!(wrap(text, columns), lines, "{text}");
        }
    }

    #[test]
    fn underlines_are_as_wide_as_the_text() {
        assert_eq!(underlined("发布 1.0", '=', 72), ["发布 1.0", "========"]);
        assert_eq!(underlined("", '-', 72), ["", "---"]);
    }
}
