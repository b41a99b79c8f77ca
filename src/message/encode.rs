//! Quoted-printable with slots that never move a line (RFC 2045 section 6.7), and header text as encoded words
//! (RFC 2047). Everything written here is printable ASCII in lines of at most 76 characters that end with CRLF.

use super::SLOT_CHARACTERS;
use super::segments::{Segments, Slot};
use super::slots::{FieldSlot, StraySlot, field, token};
use crate::types::TOKEN_LENGTH;

/// Longest line of quoted-printable and of a header with encoded words, without CRLF.
const LINE: usize = 76;
/// Longest encoded word (RFC 2047 section 2).
const ENCODED_WORD: usize = 75;

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

/// Appends a body part. Any of LF, CRLF and CR ends a line of `text`; a last line is ended if it is not. `number` gives each
/// field its number.
pub(super) fn quoted_printable(
    text: &str,
    out: &mut Segments,
    mut number: impl FnMut(FieldSlot) -> usize,
) -> Result<(), StraySlot> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        quoted_line(line, out, &mut number)?;
        out.push("\r\n");
    }
    Ok(())
}

/// The value of a field between soft line breaks: it begins at the start of an encoded line and ends with a soft line break, so
/// that no other line moves, however long it is.
pub(super) fn quoted_value(value: &str) -> String {
    let mut out = Segments::default();
    // The mark after the value keeps it from being the end of a line, where white space would be encoded.
    if quoted_line(&format!("{value}="), &mut out, &mut |_| 0).is_err() {
        return String::new();
    }
    let encoded = out.fixed().strip_suffix("=3D").unwrap_or_default();
    let encoded = encoded.strip_suffix("=\r\n").unwrap_or(encoded);
    if encoded.is_empty() { String::new() } else { format!("{encoded}=\r\n") }
}

fn quoted_line(
    mut line: &str,
    out: &mut Segments,
    number: &mut impl FnMut(FieldSlot) -> usize,
) -> Result<(), StraySlot> {
    let mut column = 0;
    while !line.is_empty() {
        if let Some((field, rest)) = field(line)? {
            if column > 0 {
                out.push("=\r\n");
            }
            out.slot(Slot::Personal(number(field)));
            (line, column) = (rest, 0);
            continue;
        }
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
    if let Some((slot, rest)) = token(line) {
        return Ok((Atom::Slot(slot), rest));
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
mod tests;
