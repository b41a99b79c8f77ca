//! Quoted-printable with slots that never move a line (RFC 2045 section 6.7), and header text as encoded words
//! (RFC 2047). Everything written here is printable ASCII in lines of at most 76 characters that end with CRLF.

use super::segments::{Segments, Slot};
use super::{CONFIRM_TOKEN, PREFERENCES_TOKEN, SLOT_CHARACTERS, UNSUBSCRIBE_TOKEN};
use crate::types::TOKEN_LENGTH;

/// Longest line of quoted-printable and of a header with encoded words, without CRLF.
const LINE: usize = 76;
/// Longest encoded word (RFC 2047 section 2).
const ENCODED_WORD: usize = 75;

/// How each token's slot stands in a body.
const TOKENS: [(&str, Slot); 3] =
    [(UNSUBSCRIBE_TOKEN, Slot::Unsubscribe), (PREFERENCES_TOKEN, Slot::Preferences), (CONFIRM_TOKEN, Slot::Confirm)];

/// A character that only slots may hold stands where no known slot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StraySlot;

/// What goes on a line in one piece.
#[derive(Clone, Copy)]
enum Atom {
    Literal(char),
    Encoded(char),
    Slot(Slot),
}

impl Atom {
    fn len(self) -> usize {
        match self {
            Self::Literal(_) => 1,
            Self::Encoded(c) => 3 * c.len_utf8(),
            Self::Slot(_) => TOKEN_LENGTH,
        }
    }

    fn write(self, out: &mut Segments) {
        match self {
            Self::Literal(c) => out.push(c.encode_utf8(&mut [0; 4])),
            Self::Encoded(c) => hex(c, |digit| out.push(digit.encode_utf8(&mut [0; 4]))),
            Self::Slot(slot) => out.slot(slot),
        }
    }
}

/// Appends a body part. Any of LF, CRLF and CR ends a line of `text`; a last line is ended if it is not.
pub(super) fn quoted_printable(text: &str, out: &mut Segments) -> Result<(), StraySlot> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        quoted_line(line, out)?;
        out.push("\r\n");
    }
    Ok(())
}

fn quoted_line(mut line: &str, out: &mut Segments) -> Result<(), StraySlot> {
    let mut column = 0;
    while !line.is_empty() {
        let (mut atom, mut rest) = next_atom(line, column == 0)?;
        // One column is kept for the `=` of a soft line break, unless the line ends here.
        if column + atom.len() > if rest.is_empty() { LINE } else { LINE - 1 } {
            out.push("=\r\n");
            column = 0;
            (atom, rest) = next_atom(line, true)?;
        }
        column += atom.len();
        atom.write(out);
        line = rest;
    }
    Ok(())
}

/// The first atom of a line, and the rest. At the start of an encoded line, `.` and the F of `From ` are encoded too, for
/// relays that forget to undo dot-stuffing and mailboxes that escape `From ` (RFC 2049 section 3).
fn next_atom(line: &str, at_start: bool) -> Result<(Atom, &str), StraySlot> {
    for (mark, slot) in TOKENS {
        if let Some(rest) = line.strip_prefix(mark) {
            return Ok((Atom::Slot(slot), rest));
        }
    }
    let Some(c) = line.chars().next() else { return Err(StraySlot) };
    if SLOT_CHARACTERS.contains(&c) {
        return Err(StraySlot);
    }
    let rest = line.get(c.len_utf8()..).unwrap_or_default();
    let literal = match c {
        ' ' | '\t' => !rest.is_empty(),
        '=' => false,
        '.' => !at_start,
        'F' => !(at_start && rest.starts_with("rom ")),
        _ => c.is_ascii_graphic(),
    };
    Ok((if literal { Atom::Literal(c) } else { Atom::Encoded(c) }, rest))
}

/// `=XX` for each UTF-8 byte of a character.
fn hex(c: char, mut push: impl FnMut(char)) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        push('=');
        push(char::from(DIGITS[usize::from(byte >> 4)]));
        push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// A header of free text, such as `Subject`, folded and with its CRLF.
pub(super) fn unstructured(name: &str, text: &str) -> String {
    let mut header = Header::new(name);
    if is_plain(text) {
        header.words(text);
    } else {
        header.encoded(text);
    }
    header.end()
}

/// A header of a phrase and something in angle brackets, such as `From` and `List-Id` (RFC 5322 section 3.2.5).
pub(super) fn phrase(name: &str, phrase: &str, bracketed: &str) -> String {
    let mut header = Header::new(name);
    if is_plain(phrase) {
        header.words(&format!("\"{}\"", phrase.replace('\\', "\\\\").replace('"', "\\\"")));
    } else if !phrase.is_empty() {
        header.encoded(phrase);
    }
    header.word(&format!("<{bracketed}>"));
    header.end()
}

/// Whether every reader shows the text as it stands: printable ASCII, single spaces, nothing that reads as an encoded
/// word, and no word too long for a line.
fn is_plain(text: &str) -> bool {
    !text.contains("=?")
        && text
            .split(' ')
            .all(|word| (1..=LINE / 2).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic()))
}

/// A header while it is written: words, folded at [`LINE`].
struct Header {
    text: String,
    column: usize,
}

impl Header {
    fn new(name: &str) -> Self {
        Self { text: format!("{name}:"), column: name.len() + 1 }
    }

    fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > LINE {
            self.text.push_str("\r\n");
            self.column = 0;
        }
        self.text.push(' ');
        self.text.push_str(word);
        self.column += 1 + word.len();
    }

    fn words(&mut self, text: &str) {
        text.split(' ').for_each(|word| self.word(word));
    }

    /// Writes text as encoded words in the Q encoding, with only the characters that are safe in a phrase
    /// (RFC 2047 section 5). No character is split between words.
    fn encoded(&mut self, text: &str) {
        const START: &str = "=?utf-8?q?";
        let mut word = START.to_owned();
        for c in text.chars() {
            let mut piece = String::new();
            match c {
                ' ' => piece.push('_'),
                '!' | '*' | '+' | '-' | '/' => piece.push(c),
                _ if c.is_ascii_alphanumeric() => piece.push(c),
                _ => hex(c, |digit| piece.push(digit)),
            }
            // The first word shares its line with the header's name.
            let room = ENCODED_WORD.min(LINE.saturating_sub(self.column + 1));
            let room = if room < START.len() + 14 { ENCODED_WORD } else { room };
            if word.len() + piece.len() + 2 > room {
                self.word(&format!("{word}?="));
                START.clone_into(&mut word);
            }
            word.push_str(&piece);
        }
        self.word(&format!("{word}?="));
    }

    fn end(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::segments::Filling;
    use super::*;

    /// The encoded body, with each slot shown as 45 digits.
    fn encoded(text: &str) -> String {
        let mut out = Segments::default();
        quoted_printable(text, &mut out).unwrap();
        let token = "0".repeat(TOKEN_LENGTH);
        let filling =
            Filling { address: "", message_id: "", unsubscribe: &token, preferences: &token, confirm: &token };
        String::from_utf8(out.fill(&filling)).unwrap()
    }

    /// What a strict reader makes of quoted-printable.
    fn decoded(encoded: &str) -> String {
        let joined = encoded.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if *first == b'=' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    fn assert_wire(encoded: &str) {
        assert!(encoded.is_ascii() && encoded.ends_with("\r\n"));
        assert!(!encoded.replace("\r\n", "").contains(['\r', '\n', '\0']), "{encoded:?}");
        for line in encoded.split("\r\n") {
            assert!(line.len() <= LINE, "{} {line:?}", line.len());
        }
    }

    #[test]
    fn a_body_is_encoded_as_the_specification_has_it() {
        for (text, expected) in [
            ("", "\r\n"),
            ("a", "a\r\n"),
            ("a\n", "a\r\n"),
            ("a\n\nb\r\nc\rd\n\n", "a\r\n\r\nb\r\nc\r\nd\r\n\r\n"),
            ("1 + 1 = 2", "1 + 1 =3D 2\r\n"),
            ("end \nend\t\n", "end=20\r\nend=09\r\n"),
            ("a\tb", "a\tb\r\n"),
            ("ä€😀", "=C3=A4=E2=82=AC=F0=9F=98=80\r\n"),
            ("a\0b\u{b}\u{7f}", "a=00b=0B=7F\r\n"),
            (".\n..\na.b", "=2E\r\n=2E.\r\na.b\r\n"),
            ("From me\nFrom\nFro\n From me", "=46rom me\r\nFrom\r\nFro\r\n From me\r\n"),
            ("--=_boundary--", "--=3D_boundary--\r\n"),
        ] {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_line_is_too_long_wherever_a_wide_character_falls() {
        for before in 60..=80 {
            for wide in ["😀", "é", "=", ".", " ", "From x", "\u{202E}", UNSUBSCRIBE_TOKEN, CONFIRM_TOKEN] {
                for after in ["", "x", " ", "\nnext", ".end"] {
                    let text = format!("{}{wide}{after}", "x".repeat(before));
                    let encoded = encoded(&text);
                    assert_wire(&encoded);
                    let token = "0".repeat(TOKEN_LENGTH);
                    let filled = text.replace(UNSUBSCRIBE_TOKEN, &token).replace(CONFIRM_TOKEN, &token);
                    assert_eq!(decoded(&encoded), format!("{filled}\n").replace('\n', "\r\n"), "{before} {wide:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_of_76_is_not_broken_and_one_of_77_is() {
        assert_eq!(encoded(&"x".repeat(76)), format!("{}\r\n", "x".repeat(76)));
        assert_eq!(encoded(&"x".repeat(77)), format!("{}=\r\nxx\r\n", "x".repeat(75)));
        assert_eq!(encoded(&format!("{}.x", "x".repeat(75))), format!("{}=\r\n=2Ex\r\n", "x".repeat(75)));
    }

    #[test]
    fn a_slot_character_without_a_slot_is_refused() {
        for text in
            ["\u{E000}", "x\u{E001}", "\u{E000}unsubscribe", "\u{E000}admin\u{E001}", "\u{E000}un\nsubscribe\u{E001}"]
        {
            assert_eq!(quoted_printable(text, &mut Segments::default()), Err(StraySlot), "{text:?}");
        }
    }

    #[test]
    fn a_header_stands_as_it_is_only_where_every_reader_agrees() {
        for (text, header) in [
            ("Weekly news, no. 3", "Subject: Weekly news, no. 3\r\n"),
            ("Wöchentlich", "Subject: =?utf-8?q?W=C3=B6chentlich?=\r\n"),
            ("=?utf-8?q?Bcc:?=", "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3FBcc=3A=3F=3D?=\r\n"),
            (" two  spaces ", "Subject: =?utf-8?q?_two__spaces_?=\r\n"),
        ] {
            assert_eq!(unstructured("Subject", text), header);
        }
        assert_eq!(phrase("From", "", "a@example.org"), "From: <a@example.org>\r\n");
        assert_eq!(
            phrase("From", "The \"A\" \\ team", "a@b.example"),
            "From: \"The \\\"A\\\" \\\\ team\" <a@b.example>\r\n"
        );
        assert_eq!(phrase("List-Id", "Café", "c.example.org"), "List-Id: =?utf-8?q?Caf=C3=A9?= <c.example.org>\r\n");
    }

    #[test]
    fn long_headers_are_folded_and_no_line_is_too_long() {
        for text in ["word ".repeat(60).trim(), &"x".repeat(5_000), &"😀".repeat(500), &"日本語 ".repeat(90)] {
            let header = unstructured("Subject", text);
            assert_wire(&header);
            assert!(header.split("\r\n").skip(1).all(|line| line.is_empty() || line.starts_with(' ')));
        }
    }
}
