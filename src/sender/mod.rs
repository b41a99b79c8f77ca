//! The sender: leases batches and works them off, each message by the rule of the round.
//!
//! One commit holds the reply to a connection's last message and `handed` for its next; nothing goes on the wire before
//! its `handed` row is durable. So a crash leaves at most one message per connection in doubt, and the ledger lists it.

mod breaker;
mod limits;
mod line;
mod pool;
mod queue;
mod ration;
mod recorder;
mod turns;
mod waits;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{DomainGroup, InDoubt};
use crate::delivery::Patience;
use crate::message::{Compiled, ComposeError, Signers};
pub use crate::store::Lane;
use crate::store::{Closed, Lease, Store, StoreError};
use crate::transport::{Transport, TransportError};
use crate::types::{MailingId, NewsletterId, NodeId};
use breaker::Leave;
use limits::{Domains, Limit};
use line::{Line, Shift};
use queue::{Queue, Rest};
use recorder::Recorder;
use turns::Turns;
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
    /// How mail leaves: the outbox, or relays.
    pub transports: Vec<Transport>,
    /// The relays of each newsletter, by name; all for one that is not here.
    pub relays: BTreeMap<NewsletterId, Vec<String>>,
    /// Recipients' domains with a rate of their own.
    pub domains: Vec<DomainGroup>,
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

/// The sender of one process. Its lanes may tick at the same time.
#[derive(Debug)]
pub struct Sender {
    parts: Parts,
    lines: Vec<Arc<Line>>,
    domains: Domains,
    /// Of each set of relays that shares the mail of some newsletters.
    turns: Mutex<HashMap<Vec<usize>, Turns>>,
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

/// What is the same for all relays that work on a batch.
struct Order<'a> {
    lane: Lane,
    lease: &'a Lease,
    compiled: &'a Arc<Compiled>,
    queue: &'a Arc<Queue>,
    recorder: &'a Recorder,
}

impl Sender {
    /// A sender without connections.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, clock, .. } = &parts;
        let line = |transport: &Transport| Arc::new(Line::new(transport.clone(), store, clock));
        let lines = parts.transports.iter().map(line).collect();
        let domains = Domains::new(store, &parts.domains);
        Self { parts, lines, domains, turns: Mutex::default(), limits: Mutex::default() }
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
        let mut waiting = 0;
        for line in &self.lines {
            line.pool.sweep().await;
            waiting += usize::from(line.breaker.is_waiting().await?);
        }
        if waiting == self.lines.len() {
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
        for line in &self.lines {
            line.pool.close_all().await;
        }
    }

    async fn work(&self, lane: Lane, lease: &Lease) -> Result<Tick, SendError> {
        let Parts { store, clock, in_doubt, .. } = &self.parts;
        let Some(compiled) = self.compile(lease.mailing).await? else {
            return Ok(Tick::Idle);
        };
        let until = (lane == Lane::Digests).then(|| Instant::now() + SLICE);
        let queue = Arc::new(Queue::new(store.clone(), lease.clone(), clock.clone(), *in_doubt, until));
        let people = queue.look_ahead().await.max(1);
        let (recorder, recording) = Recorder::start(store.clone(), lease.clone(), clock.clone());
        let order = Order { lane, lease, compiled: &compiled, queue: &queue, recorder: &recorder };
        let shifts = self.shifts(&order, people).await?;
        if shifts.is_empty() {
            return Ok(Tick::Waits);
        }
        let mut tasks: tokio::task::JoinSet<_> = shifts.into_iter().map(Shift::run).collect();
        let mut all = Work::default();
        while let Some(done) = tasks.join_next().await {
            let work = done.unwrap_or_else(|_| Ok(Work::default()))?;
            all.accepted += work.accepted;
            all.answered += work.answered;
            all.trouble = all.trouble.or(work.trouble);
        }
        let Work { accepted, answered, trouble } = all;
        drop(recorder);
        let lost = recording.await.unwrap_or(true);
        if !lost {
            self.finish(lease, &queue).await?;
        }
        match trouble {
            // No relay said anything about anyone: wait before the next lease.
            Some(error) if answered == 0 => Err(error.into()),
            _ => Ok(Tick::Worked { mailing: lease.mailing, accepted }),
        }
    }

    /// The relays that may work on a batch now, never more than people; those that are down are left out.
    async fn shifts(&self, order: &Order<'_>, people: usize) -> Result<Vec<Shift>, StoreError> {
        let members = self.members(order.lease.mailing).await?;
        let turns = self.turns(&members);
        let mut shifts = Vec::new();
        for who in turns.order() {
            let Some(line) = members.get(who).and_then(|line| self.lines.get(*line)) else { continue };
            if shifts.len() == people {
                break;
            }
            if line.rations.are_spent() {
                continue;
            }
            let leave = line.breaker.ask().await?;
            if leave == Leave::Wait {
                continue;
            }
            // A probe is one connection, and so is a confirmation; and never more connections than people.
            let most = if leave == Leave::Probe { 1 } else { line.pool.most(order.lane).min(people) };
            shifts.push(Shift {
                line: Arc::clone(line),
                lane: order.lane,
                leave,
                queue: Arc::clone(order.queue),
                turns: turns.clone(),
                who,
                stop: self.parts.stop.clone(),
                workers: (0..most).map(|_| self.worker(line, order)).collect(),
            });
        }
        Ok(shifts)
    }

    /// Which relays a mailing goes over.
    async fn members(&self, mailing: MailingId) -> Result<Vec<usize>, StoreError> {
        let all = 0..self.lines.len();
        if all.len() == 1 || self.parts.relays.is_empty() {
            return Ok(all.collect());
        }
        let newsletter = self.parts.store.newsletter_of(mailing).await?;
        let names = newsletter.and_then(|newsletter| self.parts.relays.get(&newsletter)).map_or(&[][..], Vec::as_slice);
        let serves = |line: &usize| self.lines.get(*line).is_some_and(|line| line.transport.serves(names));
        Ok(all.filter(serves).collect())
    }

    fn turns(&self, members: &[usize]) -> Turns {
        let weights = || {
            let weight = |line: &usize| self.lines.get(*line).and_then(|line| line.transport.weight());
            Turns::new(&members.iter().map(weight).collect::<Vec<_>>())
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(members.to_vec()).or_insert_with(weights).clone()
    }

    /// The mailing's letter, compiled; `None` when it is gone. A letter that cannot be compiled pauses its mailing.
    async fn compile(&self, mailing: MailingId) -> Result<Option<Arc<Compiled>>, SendError> {
        let store = &self.parts.store;
        let Some(letter) = store.letter(mailing).await? else { return Ok(None) };
        match Compiled::new(mailing, &letter, store.key(), &self.parts.signers) {
            Ok(compiled) => Ok(Some(Arc::new(compiled))),
            Err(error) => {
                store.pause(mailing, &error.to_string()).await?;
                Err(SendError::Compose(mailing, error))
            }
        }
    }

    fn worker(&self, line: &Arc<Line>, order: &Order<'_>) -> Worker {
        let Parts { store, patience, clock, chance, stop, .. } = &self.parts;
        let Order { lane, lease, compiled, queue, recorder } = *order;
        Worker {
            store: store.clone(),
            line: Arc::clone(line),
            lane,
            compiled: Arc::clone(compiled),
            limit: self.limit(lease.mailing),
            domains: self.domains.clone(),
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
        match queue.rest().await {
            Rest::Nobody => {}
            Rest::Somebody => return store.give_back(lease).await,
            Rest::Waiting(wait) => return store.give_back_until(lease, self.parts.clock.now() + wait).await,
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
