//! What may go on the wire, and how: the check that every message passes before it is sent, and dot-stuffing.
//!
//! A message is pieces, and most of its bytes are in pieces that all messages of a letter share. Those are looked at once; of each message
//! only its own are, and what stands where two meet.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memmem, memrchr};

/// Longest line of a message without CRLF (RFC 5322 section 2.1.1).
const MAX_LINE: usize = 998;

/// A piece of a message, with what one look at it told. `Debug` leaves the bytes out, because they may hold an address and its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    bytes: Bytes,
    seen: Seen,
}

/// What need not be looked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// Wherever it stands, nothing inside is wrong: ASCII, no NUL, whole line ends, no line that is too long.
    sound: bool,
    /// Bytes up to its first line end and with it.
    first: usize,
    /// Bytes after its last line end; `None` where no line ends.
    last: Option<usize>,
    /// A line that begins inside begins with a dot.
    dot: bool,
}

impl Piece {
    /// Looks at bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let Survey { high, nul, crs, lfs, crlfs } = Survey::of(&bytes);
        let first = memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        let last = memrchr(b'\n', &bytes).map(|at| bytes.len() - at - 1);
        let inside = last.and_then(|last| bytes.get(first..bytes.len() - last)).unwrap_or_default();
        let sound = !high && !nul && crs == crlfs && lfs == crlfs && are_short(inside);
        let dot = memmem::find(&bytes, b"\n.").is_some();
        Self { bytes, seen: Seen { sound, first, last, dot } }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Piece({} bytes)", self.bytes.len())
    }
}

/// Pieces as one.
#[must_use]
pub fn joined(pieces: &[Piece]) -> Vec<u8> {
    let mut all = Vec::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
    pieces.iter().for_each(|piece| all.extend_from_slice(&piece.bytes));
    all
}

/// Whether the pieces are together a content that is fit: ASCII lines of at most 998 octets, each ended by CRLF, no NUL and no other CR
/// or LF; the header may have UTF-8. The answer says whether a line begins with a dot, which must be doubled.
///
/// # Errors
/// What is wrong, and in which line.
pub fn check_pieces(pieces: &[Piece]) -> Result<bool, String> {
    if let Some(dot) = plainly_fit(pieces) {
        return Ok(dot);
    }
    let all = joined(pieces);
    check(&all)?;
    Ok(all.starts_with(b".") || memmem::find(&all, b"\n.").is_some())
}

/// The same from what was seen of each piece; `None` where that does not tell.
fn plainly_fit(pieces: &[Piece]) -> Option<bool> {
    // Bytes of the line that is not ended yet.
    let (mut line, mut dot) = (0, false);
    for Piece { bytes, seen: Seen { sound, first, last, dot: inside } } in pieces {
        dot |= *inside || (line == 0 && bytes.starts_with(b"."));
        let longest = line + first;
        if !sound || longest > MAX_LINE + 2 {
            return None;
        }
        line = last.unwrap_or(longest);
    }
    (line == 0).then_some(dot)
}

/// Whether a content is fit: ASCII lines of at most 998 octets, each ended by CRLF, no NUL and no other CR or LF. The header
/// may have UTF-8 in it: it goes to somebody whose address has, by SMTPUTF8 (RFC 6532).
///
/// Anything else could be read as the end of the message by one server and as text by the next ("SMTP smuggling").
///
/// # Errors
/// What is wrong, and in which line.
fn check(content: &[u8]) -> Result<(), String> {
    let survey = Survey::of(content);
    if survey.high {
        std::str::from_utf8(content).map_err(|_| "it has bytes that are no UTF-8".to_owned())?;
        let body = memmem::find(content, b"\r\n\r\n").unwrap_or_default();
        if !content.get(body..).is_some_and(<[u8]>::is_ascii) {
            return Err("its body has a byte over 127".to_owned());
        }
    }
    if survey.nul {
        return Err("it has a NUL".to_owned());
    }
    if survey.crs != survey.crlfs || survey.lfs != survey.crlfs || !are_short(content) {
        return Err(unfit_line(content));
    }
    Ok(())
}

/// What one look at every byte tells.
#[derive(Default)]
struct Survey {
    /// Some byte is over 127.
    high: bool,
    /// Some byte is 0.
    nul: bool,
    crs: usize,
    lfs: usize,
    crlfs: usize,
}

impl Survey {
    /// In blocks that stay in the processor's cache, and without a branch, so that the compiler makes vector instructions of it.
    fn of(content: &[u8]) -> Self {
        const BLOCK: usize = 128;
        let mut survey = Self::default();
        let nexts = content.get(1..).unwrap_or_default().chunks(BLOCK).chain([&[][..]]);
        for (block, nexts) in content.chunks(BLOCK).zip(nexts) {
            survey.high |= block.iter().fold(0, |all, byte| all | byte) > 127;
            survey.nul |= block.iter().fold(false, |any, byte| any | (*byte == 0));
            // A block's count fits into a byte.
            let count = |wanted: u8| block.iter().map(|byte| u8::from(*byte == wanted)).sum::<u8>();
            survey.crs += usize::from(count(b'\r'));
            survey.lfs += usize::from(count(b'\n'));
            let pair = |(cr, lf): (&u8, &u8)| u8::from((*cr == b'\r') & (*lf == b'\n'));
            survey.crlfs += usize::from(block.iter().zip(nexts).map(pair).sum::<u8>());
        }
        survey
    }
}

/// Whether all lines are ended and none is too long, without a look at each.
fn are_short(content: &[u8]) -> bool {
    // From any line's start, the last line end within the longest line is a line end of the text.
    let mut start = 0;
    while let Some(rest) = content.get(start..).filter(|rest| !rest.is_empty()) {
        let longest = rest.get(..MAX_LINE + 2).unwrap_or(rest);
        let Some(end) = memrchr(b'\n', longest) else { return false };
        start += end + 1;
    }
    true
}

/// What is wrong with the first line that is not fit.
fn unfit_line(content: &[u8]) -> String {
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    for (number, line) in (1..).zip(lines) {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let Some(line) = line.strip_suffix(b"\r") else { return format!("line {number} ends with a bare LF") };
        if line.len() > MAX_LINE {
            return format!("line {number} has {} octets, and {MAX_LINE} are allowed", line.len());
        }
        if memchr(b'\r', line).is_some() {
            return format!("line {number} has a bare CR");
        }
    }
    "its last line does not end with CRLF".to_owned()
}

/// A checked content with every leading dot doubled (RFC 5321 section 4.5.2); the final dot is not there.
#[must_use]
pub fn stuffed(content: &[u8]) -> Vec<u8> {
    let dots = memmem::find_iter(content, "\n.").map(|at| at + 1);
    let first = content.starts_with(b".");
    let mut out = Vec::with_capacity(content.len() + 512);
    let mut done = 0;
    for at in first.then_some(0).into_iter().chain(dots) {
        out.extend_from_slice(content.get(done..at).unwrap_or_default());
        out.push(b'.');
        done = at;
    }
    out.extend_from_slice(content.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_server_reads_alike_is_fit() {
        let longest = format!("{}\r\n", "x".repeat(998));
        for fit in ["", "\r\n", "a\r\n", "To: é@example.org\r\n\r\na\r\n", "a\r\n\r\n.b\r\n", longest.as_str()] {
            assert!(check(fit.as_bytes()).is_ok(), "{fit:?}");
        }
        // A defect counts wherever it stands in a block.
        for at in 0..300 {
            let mut content = "x".repeat(300).into_bytes();
            content.extend_from_slice(b"\r\n");
            content.insert(at, b'\r');
            assert!(check(&content).is_err(), "a bare CR at {at}");
            content[at] = 0;
            assert_eq!(check(&content), Err("it has a NUL".to_owned()), "at {at}");
            content[at] = 0xff;
            assert_eq!(check(&content), Err("it has bytes that are no UTF-8".to_owned()), "at {at}");
        }
        let too_long = format!("a\r\n{}\r\n", "x".repeat(999));
        for (unfit, why) in [
            ("a", "its last line does not end with CRLF"),
            ("a\r\nb", "its last line does not end with CRLF"),
            ("a\r\nb\nc\r\n", "line 2 ends with a bare LF"),
            ("\n", "line 1 ends with a bare LF"),
            ("a\r\n.\n\r\n", "line 2 ends with a bare LF"),
            ("a\rb\r\n", "line 1 has a bare CR"),
            ("a\r\r\n", "line 1 has a bare CR"),
            ("a\r\n\r", "its last line does not end with CRLF"),
            ("a\0b\r\n", "it has a NUL"),
            ("é\r\n", "its body has a byte over 127"),
            ("To: é\r\n\r\né\r\n", "its body has a byte over 127"),
            (too_long.as_str(), "line 2 has 999 octets, and 998 are allowed"),
        ] {
            assert_eq!(check(unfit.as_bytes()), Err(why.to_owned()), "{unfit:?}");
        }
    }

    #[test]
    fn pieces_are_judged_as_what_they_are_together() {
        let long = |length: usize| format!("a\r\n{}\r\nb\r\n", "x".repeat(length));
        for text in [
            "",
            "a\r\nb\r\n",
            "a\r\n.b\r\n",
            ".a\r\n",
            "a\rb\r\n",
            "a\nb\r\n",
            "a\r\n\r",
            "a\r\nb",
            "a\0\r\n",
            "To: é\r\n\r\na\r\n",
            "a\r\n\r\né\r\n",
            "\r\n\r\n..\r\n",
            &long(998),
            &long(999),
        ] {
            let expected = check(text.as_bytes()).map(|()| text.starts_with('.') || text.contains("\n."));
            // Every place to part it once, and near line ends twice.
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            for first in 0..=bytes.len() {
                for second in [first, (first + 1).min(bytes.len()), (first + 2).min(bytes.len()), bytes.len()] {
                    let parts = [0..first, first..second, second..bytes.len()];
                    let pieces = parts.map(|part| Piece::new(bytes.slice(part)));
                    assert_eq!(check_pieces(&pieces), expected, "{text:?} parted at {first} and {second}");
                    assert_eq!(joined(&pieces), bytes);
                }
            }
        }
        // Nothing is put together where that is not needed.
        let sound = ["a\r\nb", "", "c\r", "\n"].map(|text| Piece::new(text.as_bytes().to_vec()));
        assert_eq!((plainly_fit(&sound[..2]), plainly_fit(&sound)), (None, None));
        let sound = ["a\r\nb", "", "c", "d\r\n\r\n", ".e\r\n"].map(|text| Piece::new(text.as_bytes().to_vec()));
        assert_eq!((plainly_fit(&sound[..4]), plainly_fit(&sound)), (Some(false), Some(true)));
    }

    #[test]
    fn every_leading_dot_is_doubled_and_no_other() {
        for (text, stuffed) in [
            ("", ""),
            ("a.b\r\n", "a.b\r\n"),
            (".\r\n", "..\r\n"),
            ("a\r\n.\r\n", "a\r\n..\r\n"),
            ("..a\r\n.\r\n\r\n.b\r\na\r\n", "...a\r\n..\r\n\r\n..b\r\na\r\n"),
        ] {
            assert_eq!(super::stuffed(text.as_bytes()), stuffed.as_bytes(), "{text:?}");
        }
    }
}
