//! Text that every format can carry: what XML 1.0 forbids is taken out once, for all of them.

/// A text of one line: white space of any kind becomes one space, so that titles and names read the same in an element, in an
/// attribute and in JSON.
pub(super) fn line(text: &str) -> String {
    let kept: String = text.chars().filter(|c| allowed(*c) || c.is_whitespace()).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of many lines. Line ends become `\n`: an XML reader does that anyway (XML 1.0 section 2.11), a JSON reader does not.
pub(super) fn block(text: &str) -> String {
    let clean = |c: char| allowed(c) && c != '\r';
    if text.chars().all(clean) {
        return text.to_owned();
    }
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| clean(*c)).collect()
}

/// The production `Char` of XML 1.0 section 2.2. What it forbids cannot be written in any way, not even as `&#0;`.
fn allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{0}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => false,
        _ => true,
    }
}

/// Plain text as HTML, for the element of RSS that readers take for HTML.
pub(super) fn as_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text between quotation marks in XML.
pub(super) fn attribute(text: &str) -> String {
    as_html(text).replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_line_ends_and_nothing_xml_forbids() {
        for (text, kept) in [
            ("plain", "plain"),
            ("  two\r\n lines\t", "two lines"),
            ("a\u{0}b\u{8}c\u{FFFE}d\u{FFFF}", "abcd"),
            ("form\u{C}feed", "form feed"),
            ("\u{1F980} stays, \u{7F}\u{E000} too", "\u{1F980} stays, \u{7F}\u{E000} too"),
            ("", ""),
        ] {
            assert_eq!(line(text), kept);
        }
    }

    #[test]
    fn a_block_keeps_its_lines_and_loses_what_xml_forbids() {
        for (text, kept) in [
            ("<p>one</p>\n\t<p>two</p>\n", "<p>one</p>\n\t<p>two</p>\n"),
            ("a\r\nb\rc\n", "a\nb\nc\n"),
            ("]]> \u{0}\u{1B}[0m \u{FFFF}", "]]> [0m "),
        ] {
            assert_eq!(block(text), kept);
        }
    }
}
