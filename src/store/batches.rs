//! Leases of batches, and who is next in one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Closed, Lease, LeaseLost, Pending, Store, StoreError};
use crate::types::{NodeId, SubscriberId};

impl Store {
    /// Leases a batch of an open mailing that is free, expired or due again; confirmations first. Expiry is by the database's clock; `now` decides what is due.
    pub async fn lease(&self, owner: NodeId, span: Duration, now: DateTime<Utc>) -> Result<Option<Lease>, StoreError> {
        todo!()
    }
    /// Renews a lease. `Err(LeaseLost)` inside `Ok` when it is another's, or the mailing is not open any more.
    pub async fn renew(&self, lease: &Lease, span: Duration) -> Result<Result<(), LeaseLost>, StoreError> {
        todo!()
    }
    /// Gives a lease back unfinished, so that any node can take it at once.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        todo!()
    }
    /// Deliveries handed under an earlier epoch, with no recorded reply: in doubt. Number of the attempt that is in doubt.
    pub async fn in_doubt(&self, lease: &Lease) -> Result<Vec<Pending>, StoreError> {
        todo!()
    }
    /// Who has not been tried yet, in the order of ids, after `after`: the subscriptions confirmed by the mailing's cut (a confirmation: the one subscriber).
    /// People who are not eligible any more come too: handing decides, and writes why they are skipped.
    pub async fn untried(
        &self,
        lease: &Lease,
        after: Option<SubscriberId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        todo!()
    }
    /// Whose deferral is due at `now`, in the order of ids, after `after`.
    pub async fn due_again(
        &self,
        lease: &Lease,
        after: Option<SubscriberId>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Pending>, StoreError> {
        todo!()
    }
    /// Closes the batch after a pass: done when everyone in the range is settled, else free again from the earliest retry on.
    pub async fn close_batch(&self, lease: &Lease) -> Result<Result<Closed, LeaseLost>, StoreError> {
        todo!()
    }
}
