//! A row of either database, read by column name into types that cannot be wrong.
//!
//! What cannot be read is [`StoreError::Value`], never a panic and never a default. No message repeats an address.

use std::fmt::Display;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::sql::StoreError;
use crate::types::{Bucket, CadenceId, MailingId, NewsletterId, SubscriberId};

/// How a local time stands in the database: its identity, so it has one spelling.
pub(super) const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// One row.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
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
    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        use sqlx::Row as _;
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        read.map_err(|error| unreadable(column, &error))
    }

    pub(super) fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        use sqlx::Row as _;
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
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

fn instant(column: &str, millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| unreadable(column, &format!("{millis} is no time")))
}

/// An error about a column.
pub(super) fn unreadable(column: &str, why: &dyn Display) -> StoreError {
    StoreError::Value(format!("column {column}: {why}"))
}
