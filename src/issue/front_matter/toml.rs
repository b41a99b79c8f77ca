//! Reads a TOML header with the `toml` crate's spanned tables.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Broken, Field, Value};

/// The keys of a header, with lines counted within it.
pub(super) fn read(header: &str) -> Result<Vec<Field>, Broken> {
    let table = DeTable::parse(header).map_err(|error| broken(&error, header))?;
    let mut keys: Vec<_> = table.into_inner().into_iter().collect();
    // The table sorts by name; a header has an order, and of two spellings of a key the first counts.
    keys.sort_by_key(|(key, _)| key.span().start);
    let field = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| Field {
        line: place(header, key.span().start).0,
        key: std::borrow::Cow::into_owned(key.into_inner()),
        value: plain(value.into_inner()),
    };
    Ok(keys.into_iter().map(field).collect())
}

fn plain(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Boolean(flag) => Value::Text(flag.to_string()),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| plain(item.into_inner())).collect()),
        DeValue::Table(_) => Value::Group,
    }
}

/// Line and column of a byte, from 1.
fn place(header: &str, at: usize) -> (u32, u32) {
    let before = header.get(..at).unwrap_or(header);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

fn broken(error: &toml::de::Error, header: &str) -> Broken {
    let (line, column) = place(header, error.span().map_or(0, |span| span.start));
    Broken {
        line,
        column: error.span().map(|_| column),
        why: error.message().replace('\n', ", "),
        remedy: "Correct the line; a text needs quotes: title = \"News: March\".".into(),
    }
}
