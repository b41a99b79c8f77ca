//! The sender: leases batches and works them off, each message by the rule of the round.
//!
//! One commit holds the reply to a connection's last message and `handed` for its next; nothing goes on the wire before
//! its `handed` row is durable. So a crash leaves at most one message per connection in doubt, and the ledger lists it.

mod queue;
mod recorder;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::InDoubt;
use crate::delivery::Patience;
use crate::message::{Compiled, ComposeError, Signers};
use crate::store::{Closed, Lease, Store, StoreError};
use crate::transport::{Connection, Transport, TransportError};
use crate::types::{MailingId, NodeId};
use queue::Queue;
use recorder::Recorder;
use worker::{Work, Worker};

/// How long a batch is leased. Renewed by every commit and, when nothing commits, every third of this. Long enough to outlive a slow
/// relay's pause, short enough that a dead node's batches do not wait.
pub const LEASE: Duration = Duration::from_secs(30);

/// The sender of one process.
#[derive(Debug)]
pub struct Sender {
    /// Mailings, batches and the ledger.
    pub store: Store,
    /// How mail leaves.
    pub transport: Transport,
    /// What signs the mail.
    pub signers: Arc<Signers>,
    /// What happens to deliveries in doubt.
    pub in_doubt: InDoubt,
    /// How long a 4xx is retried.
    pub patience: Patience,
    /// The time of each reply.
    pub clock: Clock,
    /// Jitter of retries.
    pub chance: Chance,
    /// This run of this process.
    pub node: NodeId,
    /// Turns true when the process is asked to stop: what is in flight is finished, nothing new is begun.
    pub stop: watch::Receiver<bool>,
}

/// What one tick did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// There was no batch to lease.
    Idle,
    /// A batch was worked off, as far as it could be now.
    Worked {
        /// Of which mailing.
        mailing: MailingId,
        /// Accepted by the relay in this tick.
        accepted: u64,
    },
}

/// Why a tick ended early. Nothing is lost: the batch was given back, or its lease will expire.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The relay cannot be reached, or refuses us. Nobody's attempts were used up.
    #[error("the relay cannot be used: {0}")]
    Relay(#[from] TransportError),
    /// The mailing cannot be composed; it is paused.
    #[error("mailing {0} is paused: {1}")]
    Compose(MailingId, ComposeError),
}

impl Sender {
    /// Leases one batch and works it off.
    ///
    /// # Errors
    /// When the database or the relay is not there; call again later.
    pub async fn tick(&self) -> Result<Tick, SendError> {
        let Some(lease) = self.store.lease(self.node, LEASE, self.clock.now()).await? else {
            return Ok(Tick::Idle);
        };
        let result = self.work(&lease).await;
        if let Err(SendError::Relay(_) | SendError::Compose(..)) = &result {
            self.store.give_back(&lease).await?;
        }
        result
    }

    async fn work(&self, lease: &Lease) -> Result<Tick, SendError> {
        let Some(compiled) = self.compile(lease.mailing).await? else {
            return Ok(Tick::Idle);
        };
        // One connection first: a relay that is down costs one probe and touches nobody's delivery.
        let first = self.transport.connect().await?;
        let queue = Arc::new(Queue::new(self.store.clone(), lease.clone(), self.clock.clone(), self.in_doubt));
        let (recorder, recording) = Recorder::start(self.store.clone(), lease.clone(), self.clock.clone());
        let Work { accepted, trouble } = self.run_workers(first, &compiled, &queue, &recorder, lease).await;
        drop(recorder);
        let lost = recording.await.unwrap_or(true);
        if !lost {
            self.finish(lease, &queue).await?;
        }
        match trouble {
            // The relay took nothing: wait before the next lease.
            Some(error) if accepted == 0 => Err(error.into()),
            _ => Ok(Tick::Worked { mailing: lease.mailing, accepted }),
        }
    }

    /// The mailing's letter, compiled; `None` when it is gone. A letter that cannot be compiled pauses its mailing.
    async fn compile(&self, mailing: MailingId) -> Result<Option<Arc<Compiled>>, SendError> {
        let Some(letter) = self.store.letter(mailing).await? else { return Ok(None) };
        match Compiled::new(mailing, &letter, self.store.key(), &self.signers) {
            Ok(compiled) => Ok(Some(Arc::new(compiled))),
            Err(error) => {
                self.store.pause(mailing, &error.to_string()).await?;
                Err(SendError::Compose(mailing, error))
            }
        }
    }

    async fn run_workers(
        &self,
        first: Connection,
        compiled: &Arc<Compiled>,
        queue: &Arc<Queue>,
        recorder: &Recorder,
        lease: &Lease,
    ) -> Work {
        // Never more connections than there are people: a confirmation needs one.
        let most = self.transport.connections().min(queue.look_ahead().await).max(1);
        let mut tasks = tokio::task::JoinSet::new();
        let mut first = Some(first);
        for _ in 0..most {
            let worker = Worker {
                store: self.store.clone(),
                transport: self.transport.clone(),
                compiled: Arc::clone(compiled),
                queue: Arc::clone(queue),
                recorder: recorder.clone(),
                patience: self.patience,
                clock: self.clock.clone(),
                chance: self.chance.clone(),
                stop: self.stop.clone(),
                bucket: lease.bucket,
                mailing: lease.mailing,
            };
            tasks.spawn(worker.run(first.take()));
        }
        let mut all = Work::default();
        while let Some(done) = tasks.join_next().await {
            // A worker that panicked leaves its message in doubt, in the ledger; the others go on.
            let work = done.unwrap_or_default();
            all.accepted += work.accepted;
            all.trouble = all.trouble.or(work.trouble);
        }
        all
    }

    /// After a pass: done, or free for another one.
    async fn finish(&self, lease: &Lease, queue: &Queue) -> Result<(), StoreError> {
        if !queue.is_worked_off().await {
            return self.store.give_back(lease).await;
        }
        match self.store.close_batch(lease).await? {
            Ok(Closed::Done | Closed::Waits(_)) => Ok(()),
            Err(crate::store::LeaseLost) => {
                tracing::warn!(mailing = %lease.mailing, batch = lease.batch, "the lease was taken over before the batch was closed");
                Ok(())
            }
        }
    }
}
