//! The `DKIM-Signature` header (RFC 6376 section 3.5): `c=relaxed/simple`, no `l=`, and `t=` is the mailing's date.
//!
//! **Headers relaxed**, because relays fold and unfold them. **Body simple**, because there is nothing to relax: our bodies are
//! quoted-printable lines of ASCII without white space at their ends, so a relay that changes one has changed the text, and the
//! canonical form is the very bytes on the wire: nothing to compute, and the hash of what is the same for all is taken once.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::segments::{Segments, Shared};
use super::key::{SigningKey, pieces};

/// Headers that are signed where they stand. The others (`Precedence`, `Auto-Submitted` and their like) say nothing that a forger
/// wants, and gateways touch them.
const SIGNED: &[&str] = &[
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "message-id",
    "subject",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-help",
    "list-owner",
    "list-archive",
    "list-post",
    "archived-at",
    "feedback-id",
    "cfbl-address",
    "cfbl-feedback-id",
];

/// Named once more than they stand in the message, so that adding another breaks the signature (RFC 6376 section 8.15): whatever a
/// reader is shown, answers to, or presses.
const OVERSIGNED: &[&str] = &[
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

/// Longest line of the header, without CRLF.
const LINE: usize = 76;

/// A signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be signed: the cryptography library failed")]
pub(in super::super) struct SignError;

/// What is the same in the signatures of all messages of a letter.
#[derive(Clone)]
pub(in super::super) struct Signing {
    seals: Vec<Seal>,
    /// The hash so far, of the part of the body before the first slot.
    common: Context,
}

/// One signature up to `bh=`.
#[derive(Clone, Debug)]
struct Seal {
    key: Arc<SigningKey>,
    wire: String,
    canonical: String,
}

impl Signing {
    /// Prepares the signatures of a letter; `time` is its date in seconds.
    pub fn new(keys: &[Arc<SigningKey>], head: &Segments, body: &Shared, time: i64) -> Self {
        let names = signed_names(head.fixed());
        let seals = keys.iter().map(|key| Seal::new(key, &names, time)).collect();
        let mut common = Context::new(&SHA256);
        common.update(body.common());
        Self { seals, common }
    }

    /// The signature headers of one message, from its final header and the pieces of its final body.
    ///
    /// # Errors
    /// When the cryptography library fails.
    pub fn sign<'a>(&self, head: &[u8], body: impl Iterator<Item = &'a [u8]>) -> Result<String, SignError> {
        let mut body_hash = self.common.clone();
        // The first piece is what is the same for all.
        body.skip(1).for_each(|piece| body_hash.update(piece));
        let body_hash = STANDARD.encode(body_hash.finish());
        let mut canonical = Vec::with_capacity(head.len());
        fields(head).filter(|field| is_signed(field)).for_each(|field| relaxed(field, &mut canonical));
        let mut headers_hash = Context::new(&SHA256);
        headers_hash.update(&canonical);
        let mut headers = String::new();
        for seal in &self.seals {
            let mut hash = headers_hash.clone();
            // The signature's own header is hashed last, with an empty `b=` and without CRLF (RFC 6376 section 3.7).
            for part in [&seal.canonical, &body_hash, "; b="] {
                hash.update(part.as_bytes());
            }
            let signature = seal.key.sign(&hash.finish()).map_err(|_| SignError)?;
            for part in [&seal.wire, &body_hash, ";\r\n b="] {
                headers.push_str(part);
            }
            pieces(&signature, LINE - 3).enumerate().for_each(|(line, piece)| {
                headers.push_str(if line == 0 { "" } else { "\r\n " });
                headers.push_str(piece);
            });
            headers.push_str("\r\n");
        }
        Ok(headers)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.seals.iter().map(|seal| &seal.key)).finish()
    }
}

impl Seal {
    fn new(key: &Arc<SigningKey>, names: &[String], time: i64) -> Self {
        let (algorithm, domain, selector) = (key.algorithm().tag(), key.domain(), key.selector());
        let mut wire = format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/simple;\r\n d={domain};\r\n s={selector}; t={time};\r\n h="
        );
        let mut column = 3;
        for (at, name) in names.iter().enumerate() {
            let piece = format!("{name}{}", if at + 1 == names.len() { ";" } else { ":" });
            if column + piece.len() > LINE {
                wire.push_str("\r\n ");
                column = 1;
            }
            column += piece.len();
            wire.push_str(&piece);
        }
        wire.push_str("\r\n bh=");
        let mut canonical = Vec::new();
        relaxed(wire.as_bytes(), &mut canonical);
        let canonical = String::from_utf8_lossy(&canonical).trim_end().to_owned();
        Self { key: Arc::clone(key), wire, canonical }
    }
}

/// What stands in `h=`: the signed headers in their order, then the oversigned ones.
fn signed_names(head: &str) -> Vec<String> {
    let signed = fields(head.as_bytes()).filter(|field| is_signed(field)).map(name);
    signed.chain(OVERSIGNED.iter().map(|name| (*name).to_owned())).collect()
}

fn is_signed(field: &[u8]) -> bool {
    let colon = field.iter().position(|byte| *byte == b':').unwrap_or_default();
    field.get(..colon).is_some_and(|name| SIGNED.iter().any(|signed| name.eq_ignore_ascii_case(signed.as_bytes())))
}

fn name(field: &[u8]) -> String {
    let name = field.split(|byte| *byte == b':').next().unwrap_or_default();
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// The fields of a header, each with its folds and without its last CRLF.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() || rest.starts_with(b"\r\n") {
            return None;
        }
        let folded = |at: &usize| !matches!(rest.get(at + 2), Some(b' ' | b'\t'));
        let end = memchr::memmem::find_iter(rest, b"\r\n").find(folded).unwrap_or(rest.len());
        let (field, after) = rest.split_at(end);
        rest = after.get(2..).unwrap_or_default();
        Some(field)
    })
}

/// The relaxed form of a field, with CRLF (RFC 6376 section 3.4.2): the name in lower case, no folds, single spaces, none around the
/// colon and at the end.
fn relaxed(field: &[u8], out: &mut Vec<u8>) {
    let colon = field.iter().position(|byte| *byte == b':').unwrap_or(field.len());
    let (name, value) = field.split_at(colon);
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let start = out.len();
    for word in value.get(1..).unwrap_or_default().split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        if word.is_empty() {
            continue;
        }
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_relaxed_as_the_specification_has_it() {
        // RFC 6376 section 3.4.5, example 1.
        let head = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\nbody";
        let mut out = Vec::new();
        fields(head).for_each(|field| relaxed(field, &mut out));
        assert_eq!(out, b"a:X\r\nb:Y Z\r\n");
        let mut out = Vec::new();
        fields(b"Subject:\r\n").for_each(|field| relaxed(field, &mut out));
        assert_eq!(out, b"subject:\r\n");
    }

    #[test]
    fn what_is_signed_stands_in_its_order_and_what_a_reader_sees_once_more() {
        let names = signed_names("From: a\r\nX-Other: b\r\nList-Unsubscribe: <c>\r\n\r\n");
        assert_eq!(names[..2], ["from", "list-unsubscribe"]);
        assert_eq!(names.len(), 2 + OVERSIGNED.len());
        for name in ["from", "list-unsubscribe"] {
            assert_eq!(names.iter().filter(|n| *n == name).count(), 2);
        }
    }
}
