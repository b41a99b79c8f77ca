//! Finds and reads a header of `Key: value` lines without marks, as Python-Markdown's meta-data extension does for Pelican.

use super::{Field, Found, Kind, Value, line_number};

/// The header of a text that starts with one; `None` when no key of its first block is one of `telling`: a paragraph may
/// well begin with `Note: ...`. It ends at the first line that is blank, or is neither a key nor a continuation.
pub(super) fn find<'a>(text: &'a str, telling: &[&str]) -> Option<Found<'a>> {
    let (mut at, mut count, mut told) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        match key(line) {
            Some((key, _)) => told |= telling.contains(&key.to_lowercase().as_str()),
            None if count > 0 && continues(line) => {}
            None => break,
        }
        at += line.len();
        count += 1;
    }
    let (header, body) = text.split_at_checked(at)?;
    told.then(|| Found { kind: Kind::Lines, header, line: 1, body, body_line: line_number(count) })
}

/// The keys of a header, with lines counted within it. A key without a text has no value.
pub(super) fn read(header: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (number, line) in header.lines().enumerate() {
        match (key(line), fields.last_mut()) {
            (Some((key, text)), _) => {
                fields.push(Field { key: key.to_owned(), line: line_number(number), value: Value::Empty.and(text) });
            }
            (None, Some(field)) => field.value = std::mem::replace(&mut field.value, Value::Empty).and(line.trim()),
            (None, None) => {}
        }
    }
    fields
}

impl Value {
    /// The value with one more line.
    fn and(self, line: &str) -> Self {
        match self {
            Self::Text(text) => Self::Text(format!("{text}\n{line}")),
            _ if line.is_empty() => Self::Empty,
            _ => Self::Text(line.to_owned()),
        }
    }
}

/// Key and text of a line; at most three spaces stand before a key. What follows the colon of a URL is no value.
fn key(line: &str) -> Option<(&str, &str)> {
    let (key, text) = line.split_once(':')?;
    let name = key.trim_start_matches(' ');
    let fine = !name.is_empty()
        && key.len() - name.len() < 4
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !text.starts_with("//");
    fine.then(|| (name, text.trim()))
}

/// Whether a line that is no key goes on with the value before it.
fn continues(line: &str) -> bool {
    line.starts_with([' ', '\t']) && !line.trim().is_empty()
}
