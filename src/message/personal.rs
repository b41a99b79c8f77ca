//! A recipient's own words in a message. They are values, never template source, and encoded for the place where they stand.

use super::encode::{quoted_value, unstructured};
use super::slots::{FieldSlot, StraySlot, field, with_fallbacks};
use crate::types::{Fields, clean};

/// The part in which a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Html,
}

/// A field in a part of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Personal {
    part: Part,
    field: FieldSlot,
}

/// A subject with fields in it.
#[derive(Clone, Debug)]
pub(super) struct Subject(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Fixed(String),
    Field(FieldSlot),
}

impl FieldSlot {
    /// The recipient's value, else the fallback. Cleaned again, because it comes back from storage as text.
    fn value(&self, fields: &Fields) -> String {
        let own = fields.get(&self.name).map(clean).filter(|value| !value.is_empty());
        own.unwrap_or_else(|| self.fallback.clone())
    }
}

impl Personal {
    /// The number of a field among those of a letter: each is encoded once for a message, however often it stands there.
    pub fn number(all: &mut Vec<Self>, part: Part, field: FieldSlot) -> usize {
        let personal = Self { part, field };
        all.iter().position(|known| *known == personal).unwrap_or_else(|| {
            all.push(personal);
            all.len() - 1
        })
    }

    /// What fills its slot.
    pub fn encoded(&self, fields: &Fields) -> String {
        let value = self.field.value(fields);
        match self.part {
            Part::Text => quoted_value(&value),
            Part::Html => quoted_value(&escaped(&value)),
        }
    }
}

impl Subject {
    /// A subject's pieces; `None` when it is the same for everyone.
    pub fn parse(text: &str) -> Result<Option<Self>, StraySlot> {
        let (mut pieces, mut fixed, mut rest) = (Vec::new(), String::new(), text);
        while let Some(c) = rest.chars().next() {
            if let Some((slot, after)) = field(rest)? {
                pieces.extend([Piece::Fixed(std::mem::take(&mut fixed)), Piece::Field(slot)]);
                rest = after;
            } else {
                fixed.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
        if pieces.is_empty() {
            return Ok(None);
        }
        pieces.push(Piece::Fixed(fixed));
        // Somebody without any value must have a subject too.
        if with_fallbacks(text).trim().is_empty() { Err(StraySlot) } else { Ok(Some(Self(pieces))) }
    }

    /// What follows `Subject:` in the message to one recipient, without the CRLF that ends it.
    pub fn encoded(&self, fields: &Fields) -> String {
        let text: String = self.0.iter().map(|piece| piece.text(fields)).collect();
        let header = unstructured("Subject", text.trim());
        header.strip_prefix("Subject:").unwrap_or_default().trim_end_matches("\r\n").to_owned()
    }
}

impl Piece {
    fn text(&self, fields: &Fields) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Field(slot) => slot.value(fields),
        }
    }
}

/// For HTML text and quoted attributes.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
