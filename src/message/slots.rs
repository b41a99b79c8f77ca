//! How slots stand in rendered text: between two private-use characters that no content can hold.

use url::form_urlencoded::{byte_serialize, parse};

use super::segments::Slot;
use super::{CONFIRM_TOKEN, PREFERENCES_TOKEN, SLOT_CHARACTERS, UNSUBSCRIBE_TOKEN};
use crate::types::clean;

/// How each token's slot stands in a body.
const TOKENS: [(&str, Slot); 3] =
    [(UNSUBSCRIBE_TOKEN, Slot::Unsubscribe), (PREFERENCES_TOKEN, Slot::Preferences), (CONFIRM_TOKEN, Slot::Confirm)];

const FIELD: &str = "\u{E000}field.";

/// A character that only slots may hold stands where no known slot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StraySlot;

/// A subscriber's field, and what stands there for people who have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldSlot {
    pub name: String,
    pub fallback: String,
}

/// The slot of a subscriber's field, for a template. What it becomes is escaped for the part it stands in; `fallback` is what
/// people without a value read. In the slot it is percent-encoded, so that neither wrapping nor escaping can harm it.
#[must_use]
pub fn field_slot(name: &str, fallback: &str) -> String {
    let encoded: String = byte_serialize(fallback.as_bytes()).collect();
    format!("{FIELD}{name}.{encoded}\u{E001}")
}

/// The names of the fields that a rendered text has slots for.
#[must_use]
pub fn field_names(text: &str) -> Vec<&str> {
    text.split(FIELD).skip(1).filter_map(|rest| Some(rest.split_once('.')?.0)).collect()
}

/// A rendered line as people without any value read it.
#[must_use]
pub fn with_fallbacks(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(SLOT_CHARACTERS) {
        let (before, slot) = rest.split_at(at);
        shown.push_str(before);
        match field(slot) {
            Ok(Some((field, after))) => {
                shown.push_str(&field.fallback);
                rest = after;
            }
            _ => rest = slot.get(SLOT_CHARACTERS[0].len_utf8()..).unwrap_or_default(),
        }
    }
    shown + rest
}

/// The token's slot at the start of a text, and the rest.
pub(super) fn token(text: &str) -> Option<(Slot, &str)> {
    TOKENS.iter().find_map(|(mark, slot)| Some((*slot, text.strip_prefix(mark)?)))
}

/// The field's slot at the start of a text, and the rest.
pub(super) fn field(text: &str) -> Result<Option<(FieldSlot, &str)>, StraySlot> {
    let Some(rest) = text.strip_prefix(FIELD) else { return Ok(None) };
    let (slot, rest) = rest.split_once('\u{E001}').ok_or(StraySlot)?;
    let (name, encoded) = slot.split_once('.').ok_or(StraySlot)?;
    let fallback = parse(encoded.as_bytes()).next().map(|(text, _)| clean(&text)).unwrap_or_default();
    Ok(Some((FieldSlot { name: name.to_owned(), fallback }, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_survives_what_templates_do_to_text() {
        for fallback in ["there", "", "dear <reader> & \"friend\"", "a.b+c=d%20é"] {
            let slot = field_slot("first-name", fallback);
            assert!(!slot.contains([' ', '<', '&', '"', '\'']), "{slot}");
            let text = format!("{slot}, hello");
            let (field, rest) = field(&text).unwrap().unwrap();
            assert_eq!((field.name.as_str(), field.fallback.as_str(), rest), ("first-name", fallback, ", hello"));
            assert_eq!(field_names(&format!("Hi {text} {slot}")), ["first-name", "first-name"]);
            assert_eq!(with_fallbacks(&format!("Hi {text}!")), format!("Hi {fallback}, hello!"));
        }
        assert_eq!(field("\u{E000}field.x"), Err(StraySlot));
        assert_eq!(field("field"), Ok(None));
        assert_eq!(with_fallbacks("a\u{E001}b\u{E000}c"), "abc");
    }
}
