//! A row of either database, read by column name into types that cannot be wrong.
//!
//! What cannot be read is [`StoreError::Value`], never a panic and never a default. No message repeats an address.

use std::fmt::Display;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::sql::{StoreError, Value};
use crate::types::{Bucket, CadenceId, MailingId, NewsletterId, SubscriberId};

/// How a local time stands in the database: its identity, so it has one spelling.
pub(super) const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// One row.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
    /// A row of a list that came as one JSON text.
    Listed {
        columns: &'static [&'static str],
        values: Vec<Value>,
    },
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self::Postgres(row)
    }
}

impl Row {
    /// The rows of a JSON list of lists, each with a value for each column.
    pub(super) fn listed(columns: &'static [&'static str], list: &str) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<Vec<Value>> = serde_json::from_str(list).map_err(|error| unreadable("list", &error))?;
        Ok(rows.into_iter().map(|values| Self::Listed { columns, values }).collect())
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        use sqlx::Row as _;
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
            Self::Listed { columns, values } => {
                return match at(columns, values, column)? {
                    Value::Text(text) => Ok(text.clone()),
                    Value::Int(number) => Err(unreadable(column, &format!("{number:?} is no text"))),
                };
            }
        };
        read.map_err(|error| unreadable(column, &error))
    }

    pub(super) fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        use sqlx::Row as _;
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
            Self::Listed { columns, values } => {
                return match at(columns, values, column)? {
                    Value::Int(number) => Ok(*number),
                    Value::Text(None) => Ok(None),
                    Value::Text(Some(_)) => Err(unreadable(column, &"it is no number")),
                };
            }
        };
        read.map_err(|error| unreadable(column, &error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| unreadable(column, &"it is empty"))
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or_else(|| unreadable(column, &"it is empty"))
    }

    /// A text that `read` makes something of.
    pub(super) fn parsed<T, E: Display>(
        &self,
        column: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        read(&self.text(column)?).map_err(|error| unreadable(column, &error))
    }

    /// A JSON text.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.parsed(column, |text| serde_json::from_str(text))
    }

    pub(super) fn time(&self, column: &str) -> Result<DateTime<Utc>, StoreError> {
        instant(column, self.int(column)?)
    }

    pub(super) fn maybe_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.maybe_int(column)?.map(|millis| instant(column, millis)).transpose()
    }

    pub(super) fn local(&self, column: &str) -> Result<NaiveDateTime, StoreError> {
        self.parsed(column, |text| NaiveDateTime::parse_from_str(text, LOCAL))
    }

    pub(super) fn bucket(&self) -> Result<Bucket, StoreError> {
        let number = self.int("bucket")?;
        u16::try_from(number).map(Bucket::new).map_err(|error| unreadable("bucket", &error))
    }

    pub(super) fn subscriber(&self) -> Result<SubscriberId, StoreError> {
        self.parsed("subscriber_id", SubscriberId::parse)
    }

    pub(super) fn mailing(&self) -> Result<MailingId, StoreError> {
        self.parsed("mailing_id", MailingId::parse)
    }

    pub(super) fn newsletter(&self) -> Result<NewsletterId, StoreError> {
        self.parsed("newsletter", NewsletterId::parse)
    }

    pub(super) fn cadence(&self) -> Result<CadenceId, StoreError> {
        self.parsed("cadence", CadenceId::parse)
    }
}

/// The value of a column.
fn at<'row>(columns: &[&str], values: &'row [Value], column: &str) -> Result<&'row Value, StoreError> {
    let place = columns.iter().position(|name| *name == column);
    place.and_then(|place| values.get(place)).ok_or_else(|| unreadable(column, &"the list does not have it"))
}

fn instant(column: &str, millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| unreadable(column, &format!("{millis} is no time")))
}

/// An error about a column.
pub(super) fn unreadable(column: &str, why: &dyn Display) -> StoreError {
    StoreError::Value(format!("column {column}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_list_is_read_like_any_other() {
        let rows = Row::listed(&["name", "size"], r#"[["a\"b\u0000",1],[null,null],["",9007199254740993]]"#).unwrap();
        let read = |row: &Row| (row.maybe_text("name").unwrap(), row.maybe_int("size").unwrap());
        assert_eq!(
            rows.iter().map(read).collect::<Vec<_>>(),
            [(Some("a\"b\0".into()), Some(1)), (None, None), (Some(String::new()), Some(9_007_199_254_740_993))]
        );
        assert!(rows[0].maybe_int("name").is_err() && rows[0].maybe_text("size").is_err());
        assert!(rows[0].maybe_text("other").is_err());
        assert!(Row::listed(&["name"], "[[1.5]]").is_err());
    }
}
