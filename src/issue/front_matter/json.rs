//! Finds and reads a JSON header with serde_json.

use std::cell::Cell;
use std::fmt;
use std::io;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{Broken, Field, Found, Kind, Unclosed, Value, line_number};

/// The header of a text that starts with an object; `None` when it does not. A brace with anything but a key after it
/// is text: `{{< shortcode >}}`, `{% liquid %}`, `{: .attributes}`.
pub(super) fn find(text: &str) -> Option<Result<Found<'_>, Unclosed>> {
    let inside = text.trim_start().strip_prefix('{')?;
    if !inside.trim_start().starts_with('"') {
        return None;
    }
    let Some((header, rest)) = end(text).and_then(|end| text.split_at_checked(end)) else {
        let remedy = "Look whether a quote, a \"]\" or the last \"}\" is missing.";
        return Some(Err(Unclosed { mark: "{", remedy }));
    };
    let lines = header.matches('\n').count();
    // The rest of the line of the last brace is no part of the text unless something stands there.
    let (body, after) = match rest.split_once('\n') {
        Some((blank, body)) if blank.trim().is_empty() => (body, 1),
        _ => (rest, 0),
    };
    Some(Ok(Found { kind: Kind::Json, header, line: 1, body, body_line: line_number(lines + after) }))
}

/// The byte after the brace that closes the first one.
fn end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The keys of a header, with lines counted within it.
pub(super) fn read(header: &str) -> Result<Vec<Field>, Broken> {
    let lines = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_reader(Counting { bytes: header.as_bytes(), lines: &lines });
    Keys { lines: &lines }.deserialize(&mut reader).map_err(|error| {
        let why = error.to_string();
        Broken {
            line: u32::try_from(error.line()).unwrap_or(u32::MAX),
            column: u32::try_from(error.column()).ok(),
            why: why.split(" at line ").next().unwrap_or_default().to_owned(),
            remedy: "Correct the line; a key is written \"title\": \"News: March\", with a comma before the next."
                .into(),
        }
    })
}

/// A header that counts the line ends which were read, so that a key knows its line: serde_json reads byte by byte and
/// stops behind the quote of a key.
struct Counting<'a> {
    bytes: &'a [u8],
    lines: &'a Cell<usize>,
}

impl io::Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let ends = buffer.iter().take(read).filter(|byte| **byte == b'\n').count();
        self.lines.set(self.lines.get() + ends);
        Ok(read)
    }
}

/// Reads the object at the top.
struct Keys<'a> {
    lines: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Vec<Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Field>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Vec<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Vec<Field>, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = entries.next_key()? {
            let line = line_number(self.lines.get());
            fields.push(Field { key, line, value: plain(entries.next_value()?) });
        }
        Ok(fields)
    }
}

fn plain(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Empty,
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Bool(flag) => Value::Text(flag.to_string()),
        serde_json::Value::Number(number) => Value::Text(number.to_string()),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(plain).collect()),
        serde_json::Value::Object(_) => Value::Group,
    }
}
