//! What a subscriber tells about themselves, such as a name: cleaned once, so that no value can be more than a piece of text.

use std::collections::BTreeMap;
use std::fmt;

use super::{Slug, SlugError};

/// Values by the names that the newsletter gave them. An empty value is none. A person's own words: `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, String>);

/// The name of a field, as in `fields = ["name"]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldName(Slug);

/// The value of a field has more characters than [`FIELD_LENGTH`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has more than {FIELD_LENGTH} characters")]
pub struct FieldTooLong(String);

/// Most characters of a value. The longest names of people in use are shorter; a sermon in a greeting is not.
pub const FIELD_LENGTH: usize = 100;

impl FieldName {
    /// Accepts a text that is a [`Slug`].
    ///
    /// # Errors
    /// When the text is not a slug.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        Slug::parse(text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What a form calls it: `first-name` is `First name`.
    #[must_use]
    pub fn label(&self) -> String {
        let words = self.as_str().replace('-', " ");
        let (first, rest) = words.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    }
}

impl Fields {
    /// Sets a value, cleaned by [`clean`]; a blank one takes the field away.
    ///
    /// # Errors
    /// When it is too long.
    pub fn set(&mut self, name: &FieldName, value: &str) -> Result<(), FieldTooLong> {
        let value = clean(value);
        if value.chars().count() > FIELD_LENGTH {
            return Err(FieldTooLong(name.label()));
        }
        if value.is_empty() {
            self.0.remove(name.as_str());
        } else {
            self.0.insert(name.as_str().to_owned(), value);
        }
        Ok(())
    }

    /// The value of a field, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Text on one line, with single spaces, that neither ends anything nor reorders what stands around it: without control
/// characters, invisible directions ([`is_direction`]) and private-use characters.
#[must_use]
pub fn clean(text: &str) -> String {
    let kept = |c: &char| !is_direction(*c) && !matches!(*c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..);
    let spaced = text.chars().filter(kept).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bidirectional embeddings, overrides and isolates, and what ends them (Unicode Standard Annex 9). In a name or a title they can
/// make the text behind them read backwards, an address say; right-to-left scripts need none of them in one line of their own.
#[must_use]
pub fn is_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_piece_of_one_line() {
        let name = FieldName::parse("first-name").unwrap();
        assert_eq!(name.label(), "First name");
        let mut fields = Fields::default();
        for (typed, kept) in [
            (" Ada\t Lovelace\n", Some("Ada Lovelace")),
            ("a\r\nBcc: b\0c", Some("a Bcc: b c")),
            ("\u{202E}gro\u{2066}x", Some("grox")),
            ("\u{E000}confirm\u{E001}", Some("confirm")),
            ("{{ x }} =?utf-8?q?x?=", Some("{{ x }} =?utf-8?q?x?=")),
            ("שלום", Some("שלום")),
            (" \u{2028}\n", None),
        ] {
            fields.set(&name, typed).unwrap();
            assert_eq!(fields.get("first-name"), kept, "{typed:?}");
        }
        assert!(fields.set(&name, &"x".repeat(FIELD_LENGTH)).is_ok());
        let long = fields.set(&name, &"x".repeat(FIELD_LENGTH + 1)).unwrap_err();
        assert_eq!(long.to_string(), "First name has more than 100 characters");
        assert!(!format!("{fields:?}").contains("xxx"));
        assert_eq!(serde_json::to_string(&Fields::default()).unwrap(), "{}");
    }
}
