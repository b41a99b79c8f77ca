//! Bodies and headers as the specifications have them, wherever a line ends.

use super::super::segments::Filling;
use super::super::slots::field_slot;
use super::super::{CONFIRM_TOKEN, UNSUBSCRIBE_TOKEN};
use super::*;

/// A value longer than a line, with white space at its end.
const VALUE: &str =
    ".From = é😀 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ";

/// The encoded body, with each slot shown as 45 digits.
fn encoded(text: &str) -> String {
    let mut out = Segments::default();
    quoted_printable(text, &mut out, |_| 0).unwrap();
    let (token, value) = ("0".repeat(TOKEN_LENGTH), [quoted_value(VALUE)]);
    let filling =
        Filling { unsubscribe: &token, preferences: &token, confirm: &token, personal: &value, ..Filling::default() };
    let mut bytes = Vec::new();
    out.fill(&filling, &mut bytes);
    String::from_utf8(bytes).unwrap()
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
        for wide in
            ["😀", "é", "=", ".", " ", "From x", "\u{202E}", UNSUBSCRIBE_TOKEN, CONFIRM_TOKEN, &field_slot("a", "b")]
        {
            for after in ["", "x", " ", "\nnext", ".end"] {
                let text = format!("{}{wide}{after}", "x".repeat(before));
                let encoded = encoded(&text);
                assert_wire(&encoded);
                let token = "0".repeat(TOKEN_LENGTH);
                let filled = text.replace(UNSUBSCRIBE_TOKEN, &token).replace(CONFIRM_TOKEN, &token);
                let filled = filled.replace(&field_slot("a", "b"), VALUE);
                assert_eq!(decoded(&encoded), format!("{filled}\n").replace('\n', "\r\n"), "{before} {wide:?}");
            }
        }
    }
}

#[test]
fn a_value_of_any_length_ends_with_a_soft_line_break() {
    assert_eq!(quoted_value(""), "");
    assert_eq!(quoted_value("Ada "), "Ada =\r\n");
    for length in 60..=90 {
        let value = format!("{}é.", "x".repeat(length));
        let encoded = quoted_value(&value);
        assert_wire(&encoded);
        assert!(encoded.ends_with("=\r\n") && !encoded.ends_with("=\r\n=\r\n"), "{encoded}");
        assert_eq!(decoded(&encoded), value);
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
        assert_eq!(quoted_printable(text, &mut Segments::default(), |_| 0), Err(StraySlot), "{text:?}");
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
