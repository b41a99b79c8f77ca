//! One pass over a leased batch: the relays work on it, then it is closed or free for another pass.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::line::Shift;
use super::queue::{Queue, Rest};
use super::worker::Work;
use crate::clock::Clock;
use crate::store::{Closed, Lease, LeaseLost, Store, StoreError};

/// How long relays that have nothing left to do wait for the others of their crew. Longer than a reply of a relay that gets on takes, since
/// who is left behind joins again only with the next batch; and a tarpit costs the others this once in each of its messages.
const PATIENCE: Duration = Duration::from_secs(1);

/// A pass.
pub struct Pass {
    store: Store,
    clock: Clock,
    lease: Lease,
    queue: std::sync::Arc<Queue>,
    /// Says whether the lease was lost.
    recording: JoinHandle<bool>,
    shifts: JoinSet<Result<Work, StoreError>>,
    work: Work,
    /// The first failure of the database. The other relays go on: what they have in flight must be recorded.
    failure: Option<StoreError>,
}

impl Pass {
    /// A pass over the batch of a lease. `recording` ends when the shifts do.
    pub fn new(
        store: Store,
        clock: Clock,
        lease: Lease,
        queue: std::sync::Arc<Queue>,
        recording: JoinHandle<bool>,
    ) -> Self {
        let (shifts, work) = (JoinSet::new(), Work::default());
        Self { store, clock, lease, queue, recording, shifts, work, failure: None }
    }

    /// Runs the shifts to their end. When some relay is stuck and the others have nothing left to do: what they did, and the rest of
    /// the pass, to be ended later.
    pub async fn run(mut self, shifts: Vec<Shift>) -> Result<Result<Work, (Work, Self)>, StoreError> {
        for shift in shifts {
            self.shifts.spawn(shift.run());
        }
        while !self.queue.is_over()
            && let Some(done) = self.shifts.join_next().await
        {
            self.note(done);
        }
        let others = async {
            while let Some(done) = self.shifts.join_next().await {
                self.note(done);
            }
        };
        if tokio::time::timeout(PATIENCE, others).await.is_ok() {
            return self.end().await.map(Ok);
        }
        Ok(Err((std::mem::take(&mut self.work), self)))
    }

    /// Ends a pass that nobody waits for. What goes wrong is logged here; the lease expires by itself.
    pub async fn end_late(self) {
        if let Err(error) = self.end().await {
            tracing::error!(%error, "a batch with a slow relay could not be closed");
        }
    }

    async fn end(mut self) -> Result<Work, StoreError> {
        while let Some(done) = self.shifts.join_next().await {
            self.note(done);
        }
        let lost = (&mut self.recording).await.unwrap_or(true);
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if !lost {
            self.finish().await?;
        }
        Ok(self.work)
    }

    fn note(&mut self, done: Result<Result<Work, StoreError>, JoinError>) {
        match done.unwrap_or_else(|_| Ok(Work::default())) {
            Ok(work) => self.work.add(work),
            Err(failure) => self.failure = self.failure.take().or(Some(failure)),
        }
    }

    /// The batch is done, or free for another pass.
    async fn finish(&self) -> Result<(), StoreError> {
        let Self { store, lease, .. } = self;
        match self.queue.rest().await {
            Rest::Nobody => {}
            Rest::Somebody => return store.give_back(lease).await,
            Rest::Waiting(wait) => return store.give_back_until(lease, self.clock.now() + wait).await,
        }
        match store.close_batch(lease).await? {
            Ok(Closed::Done | Closed::Waits(_)) => Ok(()),
            Err(LeaseLost) => {
                tracing::warn!(mailing = %lease.mailing, batch = lease.batch, "the lease was taken over before the batch was closed");
                Ok(())
            }
        }
    }
}
