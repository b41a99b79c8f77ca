//! What goes wrong in a database, in words, and whether trying again helps.

use std::borrow::Cow;

/// What the database said, in words.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{what} cannot be opened: {why}. {remedy}")]
    Open {
        /// The database, without credentials.
        what: String,
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Sql(String),
    /// A row holds what the program cannot read: it was written by another program or another version.
    #[error("the database holds a value that cannot be read: {0}")]
    Value(String),
    /// There is no randomness for an id.
    #[error(transparent)]
    Chance(#[from] crate::chance::NoChance),
}

/// Why a transaction did not commit, before it is known whether it is tried again.
#[derive(Debug)]
pub(super) enum Fault {
    /// Another transaction was in the way: everything is as if nothing had been tried.
    Again(sqlx::Error),
    /// The database refused.
    Database(sqlx::Error),
    /// The program refused.
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default();
        // serialization_failure and deadlock_detected; SQLITE_BUSY and SQLITE_LOCKED in the low byte of an extended code.
        let again = match code.parse::<i64>() {
            Ok(number) if !error.as_database_error().is_some_and(is_postgres) => matches!(number & 0xff, 5 | 6),
            _ => matches!(&*code, "40001" | "40P01"),
        };
        if again { Self::Again(error) } else { Self::Database(error) }
    }
}

fn is_postgres(error: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::chance::NoChance> for Fault {
    fn from(error: crate::chance::NoChance) -> Self {
        Self::Store(error.into())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Again(error) | Fault::Database(error) => Self::Sql(in_words(&error)),
            Fault::Store(error) => error,
        }
    }
}

/// The database's own sentence, without the wrapping; it never holds a bound value of ours, nor a password.
pub(super) fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            format!("{} (code {})", error.message(), error.code().unwrap_or(Cow::Borrowed("unknown")))
        }
        sqlx::Error::PoolTimedOut => "no connection was free within the time limit".into(),
        sqlx::Error::Io(error) => format!("the connection broke: {error}"),
        other => other.to_string(),
    }
}
