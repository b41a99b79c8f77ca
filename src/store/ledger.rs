//! The append-only ledger of deliveries.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Appended, Entry, Lease, LeaseLost, Store, StoreError};
use crate::types::{MailingId, SubscriberId};

impl Store {
    /// Appends a group in one durable transaction, guarded by the lease's owner and epoch, and renews the lease by `span`. Zero rows in the guard: nothing
    /// is written and the lease is lost.
    pub async fn append(
        &self,
        lease: &Lease,
        span: Duration,
        entries: &[Entry],
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<Appended>, LeaseLost>, StoreError> {
        todo!()
    }
    /// Attempts of a mailing that were handed and have no recorded reply, in the order of bucket, subscriber and attempt, at most `limit`: in flight, in
    /// doubt, held, or sent again since. After a crash this is the exact list of what may have been delivered twice.
    pub async fn doubts(&self, mailing: MailingId, limit: usize) -> Result<Vec<(SubscriberId, u32)>, StoreError> {
        todo!()
    }
}
