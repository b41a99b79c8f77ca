//! Values for the markers of a statement, and lists of rows of them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::StoreError;

/// A value for a marker.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
}

/// By hand, since what serde derives tries one kind after the other, with a copy of each text and an error for each number.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl Visitor<'_> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a whole number or null")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Text(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::from).map_err(E::custom)
    }
}

macro_rules! value_from {
    ($($from:ty, $value:ident => $made:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self { $made }
        })*
    };
}

value_from! {
    &str, v => Self::Text(Some(v.to_owned()));
    String, v => Self::Text(Some(v));
    &String, v => Self::Text(Some(v.clone()));
    Option<String>, v => Self::Text(v);
    Option<&str>, v => Self::Text(v.map(str::to_owned));
    i64, v => Self::Int(Some(v));
    Option<i64>, v => Self::Int(v);
    bool, v => Self::Int(Some(i64::from(v)));
    u32, v => Self::Int(Some(i64::from(v)));
    chrono::DateTime<chrono::Utc>, v => Self::Int(Some(v.timestamp_millis()));
    Option<chrono::DateTime<chrono::Utc>>, v => Self::Int(v.map(|at| at.timestamp_millis()));
    crate::types::Bucket, v => Self::Int(Some(i64::from(v.number())));
    crate::types::SubscriberId, v => Self::Text(Some(v.to_string()));
    crate::types::MailingId, v => Self::Text(Some(v.to_string()));
    crate::types::NodeId, v => Self::Text(Some(v.to_string()));
    &crate::types::NewsletterId, v => Self::Text(Some(v.as_str().to_owned()));
    &crate::types::CadenceId, v => Self::Text(Some(v.as_str().to_owned()));
    &crate::types::IssueId, v => Self::Text(Some(v.as_str().to_owned()));
}

/// The values of a statement, in the order of their markers.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Value::from($value)),*] };
}
pub(super) use args;

/// A list of rows as the one value of a statement: JSON, which `{rows $n}` reads again. A marker for each value would make a statement for each
/// number of rows, and binding hundreds of them was most of the price of a commit.
pub(super) fn rows(rows: &[Vec<Value>]) -> Result<Value, StoreError> {
    let text = serde_json::to_string(rows).map_err(|error| StoreError::Value(error.to_string()))?;
    Ok(Value::Text(Some(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lists_in_a_list() {
        let text = rows(&[args!["a\"b", 1_i64, None::<i64>], args!["", -2_i64, 3_i64]]).unwrap();
        assert!(matches!(text, Value::Text(Some(text)) if text == r#"[["a\"b",1,null],["",-2,3]]"#));
    }
}
