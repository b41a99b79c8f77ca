//! The store port: all SQL, written once for SQLite and PostgreSQL.
//!
//! Statements use `$n` markers and the dialect both accept; times are UTC epoch milliseconds; the only clock asked is the
//! database's, for leases. The database decides races: guarded writes, then a look at the rows affected.

mod allowances;
mod archive;
mod batches;
mod books;
mod confirmations;
mod decisions;
mod doubts;
mod fault;
mod hub;
mod install;
mod issues;
mod ledger;
mod mailings;
mod membership;
mod migrations;
mod model;
mod open;
mod opening;
mod progress;
mod publish;
mod relays;
mod returned;
mod row;
mod sql;
mod subscribe;
mod subscribers;
mod value;
mod warm_up;

pub use fault::StoreError;
pub use hub::{Asked, Errand, FailingView, HubLimits, Settled, Topic, TopicView};
pub use model::*;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::chance::Chance;
use crate::types::{Bucket, InstallKey, Secret};

/// The database of an install. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: sql::Pool,
    key: InstallKey,
    buckets: u16,
    publications: Arc<AtomicU64>,
    /// Leases of this process that nobody uses and that may still stand in the database: the answer to a commit was lost.
    loose: Arc<Mutex<Vec<Lease>>>,
}

impl Store {
    /// Opens `sqlite:PATH` (created when missing) or `postgres://...`, and brings the schema up to date. The first open makes the install key
    /// and fixes the bucket count: 16 on SQLite, 64 on PostgreSQL.
    ///
    /// # Errors
    /// When the file is not a database, the server does not answer, or the schema is newer than this program; each in words.
    pub async fn open(url: &Secret, chance: &Chance) -> Result<Self, StoreError> {
        let pool = open::open(url).await?;
        install::check_order(&pool).await?;
        migrations::migrate(&pool).await?;
        let (key, buckets) = install::install(&pool, chance).await?;
        Ok(Self { pool, key, buckets, publications: Arc::default(), loose: Arc::default() })
    }

    /// The install's key.
    #[must_use]
    pub fn key(&self) -> &InstallKey {
        &self.key
    }

    /// The install's bucket count.
    #[must_use]
    pub fn buckets(&self) -> u16 {
        self.buckets
    }

    /// Whether a bucket is one of this database's: a token may name any.
    fn has(&self, bucket: Bucket) -> bool {
        bucket.number() < self.buckets
    }

    /// How often this process published: who compares it before asking the database sees the changes of this node at once.
    #[must_use]
    pub fn publications(&self) -> u64 {
        self.publications.load(Ordering::Acquire)
    }

    fn count_publication(&self) {
        self.publications.fetch_add(1, Ordering::Release);
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(install::ping(&self.pool).await?)
    }

    /// Closes all connections; for SQLite also folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
