//! The store port: all SQL, written once for SQLite and PostgreSQL.
//!
//! Statements use `$n` markers and the dialect both accept; times are UTC epoch milliseconds; the only clock asked is the
//! database's, for leases. The database decides races: guarded writes, then a look at the rows affected.

mod batches;
mod issues;
mod ledger;
mod mailings;
mod migrations;
mod model;
mod sql;
mod subscribers;

pub use model::*;
pub use sql::StoreError;

use crate::types::InstallKey;

/// The database of an install. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {}

impl Store {
    /// Opens `sqlite:PATH` (created when missing) or `postgres://...`, and brings the schema up to date. The first open makes the install key
    /// and fixes the bucket count: 16 on SQLite, 64 on PostgreSQL.
    ///
    /// # Errors
    /// When the file is not a database, the server does not answer, or the schema is newer than this program; each in words.
    pub async fn open(url: &crate::types::Secret, chance: &crate::chance::Chance) -> Result<Self, StoreError> {
        let _ = (url, chance);
        todo!()
    }

    /// The install's key.
    #[must_use]
    pub fn key(&self) -> &InstallKey {
        todo!()
    }

    /// The install's bucket count.
    #[must_use]
    pub fn buckets(&self) -> u16 {
        todo!()
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Closes all connections; for SQLite also folds the write-ahead log into the file.
    pub async fn close(&self) {
        todo!()
    }
}
