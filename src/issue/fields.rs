//! Reads the fields of an issue out of a header, and says in words what is wrong with one.
//!
//! A key may have several names; the first that has a value counts. A key with nothing after it is not there.

use std::collections::BTreeMap;

use crate::types::{Finding, Place, Rule};

use super::front_matter::{Field, Header, Value};

/// A header and the path its findings name.
pub(super) struct Fields<'a> {
    pub(super) path: &'a str,
    pub(super) header: &'a Header,
}

impl Fields<'_> {
    /// The key under the first of its names that has a value.
    fn filled(&self, names: &[&str]) -> Option<&Field> {
        let named = |name: &&str| {
            self.header.fields.iter().find(|field| field.key == **name && !matches!(field.value, Value::Empty))
        };
        names.iter().find_map(named)
    }

    /// The line of a key that stands there, even with nothing after it.
    pub(super) fn line(&self, names: &[&str]) -> Option<u32> {
        self.header.fields.iter().find(|field| names.contains(&field.key.as_str())).map(|field| field.line)
    }

    /// One line of plain text and the line of its key.
    pub(super) fn text(&self, names: &[&str], example: &str) -> Result<Option<(String, u32)>, Finding> {
        let Some(field) = self.filled(names) else { return Ok(None) };
        match &field.value {
            Value::Text(text) => Ok(Some((plain(text), field.line)).filter(|(text, _)| !text.is_empty())),
            _ => Err(self.wrong_kind(field, "one text", example)),
        }
    }

    /// A list of plain texts; a single text is a list of one, or many where the key speaks of many.
    pub(super) fn list(&self, names: &[&str], text_is: Many, example: &str) -> Result<Vec<String>, Finding> {
        let Some(field) = self.filled(names) else { return Ok(Vec::new()) };
        let wrong = || self.wrong_kind(field, "a text or a list of texts", example);
        let mut found = Vec::new();
        match (&field.value, text_is) {
            (Value::Text(text), Many::Yes) => {
                let separator = if text.contains(';') { ';' } else { ',' };
                found.extend(text.split(separator).map(plain));
            }
            (Value::Text(text), Many::No) => found.push(plain(text)),
            (Value::List(items), _) => {
                for item in items {
                    match item {
                        Value::Text(text) => found.push(plain(text)),
                        Value::Empty => {}
                        Value::List(_) | Value::Group => return Err(wrong()),
                    }
                }
            }
            _ => return Err(wrong()),
        }
        found.retain(|text| !text.is_empty());
        Ok(found)
    }

    /// Yes or no; `false` when the key is not there.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Finding> {
        let Some((text, line)) = self.text(&[name], "false")? else { return Ok(false) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.bad(line, format!("{name} is {text:?}, neither true nor false"), name, "false")),
        }
    }

    /// Whether one of the names has one of these words, in lower case, as its value. Any other value is fine: the names
    /// are other programs' and may mean something else.
    pub(super) fn says(&self, name: &str, words: &[&str]) -> bool {
        let value = self.filled(&[name]).map(|field| &field.value);
        matches!(value, Some(Value::Text(text)) if words.contains(&plain(text).to_lowercase().as_str()))
    }

    /// Whether every condition holds: the key, in lower case, has the value, or a list that it is in.
    pub(super) fn meet(&self, conditions: &BTreeMap<String, String>) -> bool {
        conditions.iter().all(|(key, wanted)| {
            let is_wanted = |value: &Value| matches!(value, Value::Text(text) if plain(text) == *wanted);
            match self.filled(&[key]).map(|field| &field.value) {
                Some(Value::List(items)) => items.iter().any(is_wanted),
                Some(value) => is_wanted(value),
                None => false,
            }
        })
    }

    /// A key whose value does not fit, with an example of one that does.
    pub(super) fn bad(&self, line: u32, message: String, key: &str, example: &str) -> Finding {
        Finding {
            rule: Rule::BadField,
            place: Place::line(self.path, line),
            message,
            remedy: format!("Write it like this: {}", self.header.kind.example(key, example)),
        }
    }

    fn wrong_kind(&self, field: &Field, wanted: &str, example: &str) -> Finding {
        let found = match field.value {
            Value::Group => "a group of keys",
            Value::List(_) if wanted.contains("list") => "a list of other things than texts",
            Value::List(_) => "a list",
            Value::Text(_) | Value::Empty => "a text",
        };
        self.bad(field.line, format!("{} is {found}, not {wanted}", field.key), &field.key, example)
    }
}

/// Whether a text in place of a list is one item, or several with `;` between them, or with `,` where there is no `;`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    Yes,
    No,
}

/// Plain text on one line: white space (also line ends and tabs) is one space each, control characters are out.
pub(super) fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|c| !c.is_control()).collect();
        if !line.is_empty() && !word.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::front_matter;
    use super::*;

    fn with<T>(header: &str, read: impl Fn(&Fields<'_>) -> T) -> T {
        let text = format!("---\n{header}\n---\n");
        let parts = front_matter::read("a.md", &text, &[]).unwrap();
        read(&Fields { path: "a.md", header: &parts.header })
    }

    #[test]
    fn text_is_one_line_without_control_characters() {
        for (header, expected) in [
            ("title: \"  a\\n\\tb \\u0007c\\u0085d \"", "a b c d"),
            ("title: >\n  a\n  b\n", "a b"),
            ("title: 2020", "2020"),
            ("title: \"\\u001b[31mred\"", "[31mred"),
        ] {
            let found = with(header, |fields| fields.text(&["title"], "x").unwrap());
            assert_eq!(found.map(|(text, _)| text).as_deref(), Some(expected), "{header}");
        }
        assert_eq!(with("title: \"\\u0007 \"", |fields| fields.text(&["title"], "x").unwrap()), None);
    }

    #[test]
    fn the_first_name_with_a_value_counts() {
        let header = "description: b\nsummary:\nexcerpt: c";
        let found = with(header, |fields| fields.text(&["summary", "description", "excerpt"], "x").unwrap());
        assert_eq!(found, Some(("b".into(), 2)));
    }

    #[test]
    fn lists_are_texts_with_commas_or_lists() {
        for (header, expected) in [
            ("tags: rust, mail ,,x", vec!["rust", "mail", "x"]),
            ("tags: 'Rust, the language; mail;'", vec!["Rust, the language", "mail"]),
            ("tags: [rust, 2020, ~, ' ']", vec!["rust", "2020"]),
            ("tags:", vec![]),
            ("other: x", vec![]),
        ] {
            assert_eq!(with(header, |fields| fields.list(&["tags"], Many::Yes, "x").unwrap()), expected, "{header}");
        }
        let found =
            with("author: Ada, Countess of Lovelace", |fields| fields.list(&["author"], Many::No, "x").unwrap());
        assert_eq!(found, ["Ada, Countess of Lovelace"]);
    }

    #[test]
    fn conditions_are_equal_texts_or_items_of_a_list_and_all_must_hold() {
        let header = "Category: This Week in Birds\ntags: [news, 2020]\nnumber: 7\nextra: {type: newsletter}\nempty:";
        for (conditions, met) in [
            (vec![], true),
            (vec![("category", "This Week in Birds")], true),
            (vec![("category", "this week in birds")], false),
            (vec![("category", "This Week")], false),
            (vec![("tags", "news"), ("number", "7")], true),
            (vec![("tags", "2020")], true),
            (vec![("tags", "news"), ("number", "8")], false),
            (vec![("extra", "newsletter")], false),
            (vec![("type", "newsletter")], false),
            (vec![("empty", "")], false),
        ] {
            let map = conditions.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(with(header, |fields| fields.meet(&map)), met, "{conditions:?}");
        }
    }

    #[test]
    fn a_word_of_another_program_counts_and_any_other_value_does_not_disturb() {
        for (header, said) in [("status: Draft", true), ("status: published", false), ("status: [draft]", false)] {
            assert_eq!(with(header, |fields| fields.says("status", &["draft"])), said, "{header}");
        }
    }
}
