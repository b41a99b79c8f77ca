//! The sender: leases batches and works them off, each message by the rule of the round.
//!
//! One commit holds the reply to a connection's last message and `handed` for its next; nothing goes on the wire before
//! its `handed` row is durable. So a crash leaves at most one message per connection in doubt, and the ledger lists it.

mod breaker;
mod limits;
mod pool;
mod queue;
mod recorder;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::InDoubt;
use crate::delivery::Patience;
use crate::message::{Compiled, ComposeError};
pub use crate::store::Lane;
use crate::store::{Closed, Lease, Store, StoreError};
use crate::transport::{Transport, TransportError};
use crate::types::{MailingId, NodeId};
use breaker::{Breaker, Leave};
use limits::Limit;
use pool::{Held, Pool};
use queue::Queue;
use recorder::Recorder;
use worker::{Work, Worker};

/// How long a batch is leased. Renewed by every commit and, when nothing commits, every third of this. Long enough to outlive a slow
/// relay's pause, short enough that a dead node's batches do not wait.
pub const LEASE: Duration = Duration::from_secs(30);

/// How long a batch of a digest is worked on before another mailing has its turn.
const SLICE: Duration = Duration::from_secs(5);

/// More mailings than are ever open at once, confirmations aside.
const KEPT_LIMITS: usize = 1_000;

/// What a sender is made of.
#[derive(Debug)]
pub struct Parts {
    /// Mailings, batches and the ledger.
    pub store: Store,
    /// How mail leaves.
    pub transport: Transport,
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

/// The sender of one process. Its lanes may tick at the same time.
#[derive(Debug)]
pub struct Sender {
    parts: Parts,
    pool: Pool,
    breaker: Breaker,
    relay_limit: Arc<Limit>,
    /// Of the mailings worked on last; kept, so that slots are not lost with each batch.
    limits: Mutex<HashMap<MailingId, Arc<Limit>>>,
}

/// What one tick did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// There was no batch to lease.
    Idle,
    /// The relay is down, and it is not this node's turn to look whether it still is; or the process stops.
    Waits,
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
    /// A sender without connections.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let pool = Pool::new(parts.transport.clone());
        let breaker = Breaker::new(parts.store.clone(), parts.clock.clone(), parts.transport.name());
        let relay_limit = Arc::new(Limit::of_relay(parts.store.clone(), &parts.transport));
        Self { parts, pool, breaker, relay_limit, limits: Mutex::default() }
    }

    fn limit(&self, mailing: MailingId) -> Arc<Limit> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() > KEPT_LIMITS {
            limits.clear();
        }
        let new = || Arc::new(Limit::of_mailing(self.parts.store.clone(), mailing));
        Arc::clone(limits.entry(mailing).or_insert_with(new))
    }

    /// Leases one batch of a lane and works on it: to its end, or until another mailing has its turn.
    ///
    /// # Errors
    /// When the database or the relay is not there; call again later.
    pub async fn tick(&self, lane: Lane) -> Result<Tick, SendError> {
        let Parts { store, clock, node, .. } = &self.parts;
        self.pool.sweep().await;
        if self.breaker.is_waiting().await? {
            return Ok(Tick::Waits);
        }
        let Some(lease) = store.lease(*node, lane, LEASE, clock.now()).await? else {
            return Ok(Tick::Idle);
        };
        let result = self.work(lane, &lease).await;
        if let Err(SendError::Relay(_) | SendError::Compose(..)) | Ok(Tick::Waits) = &result {
            store.give_back(&lease).await?;
        }
        result
    }

    /// Says goodbye on every connection that rests.
    pub async fn close(&self) {
        self.pool.close_all().await;
    }

    async fn work(&self, lane: Lane, lease: &Lease) -> Result<Tick, SendError> {
        let Parts { store, clock, in_doubt, .. } = &self.parts;
        let Some(compiled) = self.compile(lease.mailing).await? else {
            return Ok(Tick::Idle);
        };
        let leave = self.breaker.ask().await?;
        if leave == Leave::Wait {
            return Ok(Tick::Waits);
        }
        // One connection first: a relay that is down costs one probe and touches nobody's delivery.
        let mut stop = self.parts.stop.clone();
        let first = tokio::select! {
            first = self.pool.take(lane) => first,
            _ = stop.wait_for(|stop| *stop) => return Ok(Tick::Waits),
        };
        let first = match first {
            Ok(first) => first,
            Err(error) => {
                self.breaker.fails(&error).await?;
                return Err(error.into());
            }
        };
        let until = (lane == Lane::Digests).then(|| Instant::now() + SLICE);
        let queue = Arc::new(Queue::new(store.clone(), lease.clone(), clock.clone(), *in_doubt, until));
        let (recorder, recording) = Recorder::start(store.clone(), lease.clone(), clock.clone());
        // A probe is one connection, and so is a confirmation; and never more connections than people.
        let most = if leave == Leave::Probe { 1 } else { self.pool.most(lane) };
        let most = most.min(queue.look_ahead().await).max(1);
        let workers = (0..most).map(|_| self.worker(lane, lease, &compiled, &queue, &recorder)).collect();
        let Work { accepted, answered, trouble } = run(workers, first).await;
        drop(recorder);
        let lost = recording.await.unwrap_or(true);
        if !lost {
            self.finish(lease, &queue).await?;
        }
        if answered > 0 {
            self.breaker.works(leave).await?;
        }
        match trouble {
            // The relay said nothing about anyone: wait before the next lease.
            Some(error) if answered == 0 => {
                self.breaker.fails(&error).await?;
                Err(error.into())
            }
            _ => Ok(Tick::Worked { mailing: lease.mailing, accepted }),
        }
    }

    /// The mailing's letter, compiled; `None` when it is gone. A letter that cannot be compiled pauses its mailing.
    async fn compile(&self, mailing: MailingId) -> Result<Option<Arc<Compiled>>, SendError> {
        let store = &self.parts.store;
        let Some(letter) = store.letter(mailing).await? else { return Ok(None) };
        match Compiled::new(mailing, &letter, store.key()) {
            Ok(compiled) => Ok(Some(Arc::new(compiled))),
            Err(error) => {
                store.pause(mailing, &error.to_string()).await?;
                Err(SendError::Compose(mailing, error))
            }
        }
    }

    fn worker(
        &self,
        lane: Lane,
        lease: &Lease,
        compiled: &Arc<Compiled>,
        queue: &Arc<Queue>,
        recorder: &Recorder,
    ) -> Worker {
        let Parts { store, patience, clock, chance, stop, .. } = &self.parts;
        Worker {
            store: store.clone(),
            pool: self.pool.clone(),
            lane,
            compiled: Arc::clone(compiled),
            limits: [self.limit(lease.mailing), Arc::clone(&self.relay_limit)],
            queue: Arc::clone(queue),
            recorder: recorder.clone(),
            patience: *patience,
            clock: clock.clone(),
            chance: chance.clone(),
            stop: stop.clone(),
            bucket: lease.bucket,
            mailing: lease.mailing,
        }
    }

    /// After a pass: done, or free for another one.
    async fn finish(&self, lease: &Lease, queue: &Queue) -> Result<(), StoreError> {
        let store = &self.parts.store;
        if !queue.is_worked_off().await {
            return store.give_back(lease).await;
        }
        match store.close_batch(lease).await? {
            Ok(Closed::Done | Closed::Waits(_)) => Ok(()),
            Err(crate::store::LeaseLost) => {
                tracing::warn!(mailing = %lease.mailing, batch = lease.batch, "the lease was taken over before the batch was closed");
                Ok(())
            }
        }
    }
}

/// Runs workers to their end; the first has a connection already.
async fn run(workers: Vec<Worker>, first: Held) -> Work {
    let mut first = Some(first);
    let mut tasks: tokio::task::JoinSet<Work> = workers.into_iter().map(|worker| worker.run(first.take())).collect();
    let mut all = Work::default();
    while let Some(done) = tasks.join_next().await {
        // A worker that panicked leaves its message in doubt, in the ledger; the others go on.
        let work = done.unwrap_or_default();
        all.accepted += work.accepted;
        all.answered += work.answered;
        all.trouble = all.trouble.or(work.trouble);
    }
    all
}
