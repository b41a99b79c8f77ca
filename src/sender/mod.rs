//! The sender: leases batches and works them off, each message by the rule of the round.
//!
//! One commit holds the reply to a connection's last message and `handed` for its next; nothing goes on the wire before
//! its `handed` row is durable. So a crash leaves at most one message per connection in doubt, and the ledger lists it.

mod breaker;
mod crew;
mod draft;
mod limits;
mod line;
mod parcels;
mod pass;
mod pool;
mod queue;
mod ration;
mod ready;
mod recorder;
mod turns;
mod waits;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{DomainGroup, InDoubt};
use crate::delivery::Patience;
use crate::message::{Compiled, ComposeError, Signers};
pub use crate::store::Lane;
use crate::store::{Lease, Store, StoreError};
use crate::transport::{Transport, TransportError};
use crate::types::{MailingId, NewsletterId, NodeId};
use breaker::Leave;
use crew::{Crew, Gate};
use draft::Composer;
use limits::{Domains, Limit};
use line::{Line, Shift};
use pass::Pass;
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
    /// How mail leaves: the outbox, or relays.
    pub transports: Vec<Transport>,
    /// The relays of each newsletter, by name; all when it names none.
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

/// The sender of one process. Lanes and crews may tick at the same time.
#[derive(Debug)]
pub struct Sender {
    parts: Parts,
    lines: Vec<Arc<Line>>,
    crews: Vec<Crew>,
    domains: Domains,
    /// Passes that some relay is stuck in, and the others of its crew are not.
    stuck: Mutex<JoinSet<()>>,
    /// Of the mailings worked on last; kept, so that slots are not lost with each batch.
    limits: Mutex<HashMap<MailingId, Arc<Limit>>>,
    /// As many clones as batches are worked on.
    at_work: Arc<()>,
    /// The letter of the last digest: a mailing's never changes, and has many batches.
    compiled: Mutex<Option<(MailingId, Arc<Compiled>)>>,
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
    queue: &'a Arc<Queue>,
    recorder: &'a Recorder,
}

impl Sender {
    /// A sender without connections.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, clock, .. } = &parts;
        let line = |transport: &Transport| Arc::new(Line::new(transport.clone(), store, clock));
        let lines: Vec<_> = parts.transports.iter().map(line).collect();
        let crews = Crew::all(&lines, &parts.relays);
        let domains = Domains::new(store, &parts.domains);
        Self {
            parts,
            lines,
            crews,
            domains,
            stuck: Mutex::default(),
            limits: Mutex::default(),
            at_work: Arc::default(),
            compiled: Mutex::default(),
        }
    }

    /// How many crews there are: sets of relays that share the mail of some newsletters. Their ticks do not wait for each other.
    #[must_use]
    pub fn crews(&self) -> usize {
        self.crews.len()
    }

    fn limit(&self, mailing: MailingId) -> Arc<Limit> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() > KEPT_LIMITS {
            limits.clear();
        }
        let new = || Arc::new(Limit::of_mailing(self.parts.store.clone(), mailing));
        Arc::clone(limits.entry(mailing).or_insert_with(new))
    }

    /// Leases one batch of a lane for a crew and works on it: to its end, or until another mailing has its turn. Two may tick for a lane and a crew:
    /// one begins when the other's batch has nobody left, and only waits for replies.
    ///
    /// # Errors
    /// When the database or the relay is not there; call again later.
    pub async fn tick(&self, lane: Lane, crew: usize) -> Result<Tick, SendError> {
        let Parts { store, clock, node, .. } = &self.parts;
        let Some(crew) = self.crews.get(crew) else { return Ok(Tick::Idle) };
        let Some(gate) = crew.gate(lane).await else { return Ok(Tick::Idle) };
        // It may have been told to stop while it waited.
        if *self.parts.stop.borrow() {
            return Ok(Tick::Waits);
        }
        let mut able = false;
        for member in &crew.members {
            let line = &member.line;
            line.pool.sweep().await;
            able |= member.is_free(lane) && !line.is_spent(lane) && !line.breaker.is_waiting().await?;
        }
        // A batch is left to nodes that can do something with it.
        if !able {
            return Ok(Tick::Waits);
        }
        let Some(lease) = store.lease(*node, lane, &crew.others, LEASE, clock.now()).await? else {
            self.release().await?;
            return Ok(Tick::Idle);
        };
        let at_work = Arc::clone(&self.at_work);
        let result = self.work(crew, lane, &lease, gate).await;
        drop(at_work);
        match &result {
            Ok(Tick::Waits) => store.give_back(&lease).await?,
            Ok(Tick::Idle | Tick::Worked { .. }) => {}
            // What went wrong first is what to report; if the database is away, the lease expires by itself.
            Err(_) => store.give_back(&lease).await.unwrap_or_default(),
        }
        result
    }

    /// Gives back the slots of all limits that this process has a rest of, unless somebody is at work, who may need them.
    async fn release(&self) -> Result<(), StoreError> {
        if Arc::strong_count(&self.at_work) > 1 {
            return Ok(());
        }
        self.domains.release().await?;
        for line in &self.lines {
            line.limit.release().await?;
        }
        let mailings: Vec<_> = self.limits.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for limit in mailings {
            limit.release().await?;
        }
        Ok(())
    }

    /// Waits for relays that are stuck, then says goodbye on every connection that rests.
    pub async fn close(&self) {
        let mut stuck = std::mem::take(&mut *self.stuck.lock().unwrap_or_else(PoisonError::into_inner));
        while stuck.join_next().await.is_some() {}
        for line in &self.lines {
            line.pool.close_all().await;
        }
    }

    async fn work(&self, crew: &Crew, lane: Lane, lease: &Lease, gate: Gate) -> Result<Tick, SendError> {
        let Parts { store, clock, in_doubt, .. } = &self.parts;
        // A mailing whose hour is used up leaves its turn to others.
        if self.limit(lease.mailing).long_wait(lane).await?.is_some() {
            return Ok(Tick::Waits);
        }
        let Some(compiled) = self.compile(lane, lease.mailing).await? else {
            return Ok(Tick::Idle);
        };
        let until = (lane == Lane::Digests).then(|| Instant::now() + SLICE);
        let queue = Queue::new(store.clone(), lease.clone(), clock.clone(), *in_doubt, until, gate);
        let queue = Arc::new(queue);
        let people = queue.look_ahead().await.max(1);
        let (recorder, recording) = Recorder::start(store.clone(), lease.clone(), clock.clone());
        let order = Order { lane, lease, queue: &queue, recorder: &recorder };
        let shifts = self.shifts(crew, &order, people).await?;
        if shifts.is_empty() {
            return Ok(Tick::Waits);
        }
        Composer { compiled, bucket: lease.bucket }.start(queue.ready(), people);
        let pass = Pass::new(store.clone(), clock.clone(), lease.clone(), queue, recording);
        drop(recorder);
        let Work { accepted, answered, trouble } = match pass.run(shifts).await? {
            Ok(work) => work,
            Err((work, rest)) => {
                let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
                while stuck.try_join_next().is_some() {}
                stuck.spawn(rest.end_late());
                if let Some(error) = &work.trouble {
                    tracing::warn!(mailing = %lease.mailing, %error, "a relay cannot be used; another has not answered yet");
                }
                // An error would give the lease back, and with it what is on its way.
                Work { trouble: None, ..work }
            }
        };
        match trouble {
            // No relay said anything about anyone: wait before the next lease.
            Some(error) if answered == 0 => {
                self.look_whose_fault(crew, &error).await?;
                Err(error.into())
            }
            _ => Ok(Tick::Worked { mailing: lease.mailing, accepted }),
        }
    }

    /// A crew of which each relay refuses us (a wrong password, say) needs an operator, and so its mailings pause, whichever mail met the refusal. A
    /// confirmation does not: there may be hundreds, each a mailing, and somebody waits for it. It goes out by itself when the relay takes us again.
    async fn look_whose_fault(&self, crew: &Crew, error: &TransportError) -> Result<(), StoreError> {
        if crew.members.iter().all(|member| member.line.breaker.refuses_us()) {
            for mailing in self.parts.store.pause_all(&crew.others, &error.to_string()).await? {
                tracing::error!(%mailing, %error, "the mailing is paused; mend the cause, then `tidings resume`");
            }
        }
        Ok(())
    }

    /// The relays that may work on a batch now, never more than people; those that are down, or stuck in another batch, are left out.
    async fn shifts(&self, crew: &Crew, order: &Order<'_>, people: usize) -> Result<Vec<Shift>, StoreError> {
        let mut shifts = Vec::new();
        for who in crew.turns.order() {
            let Some(member) = crew.members.get(who) else { continue };
            if shifts.len() == people {
                break;
            }
            let line = &member.line;
            if line.is_spent(order.lane) {
                continue;
            }
            let Some(place) = member.join(order.lane) else { continue };
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
                turns: crew.turns.clone(),
                who,
                place,
                stop: self.parts.stop.clone(),
                workers: (0..most).map(|_| self.worker(line, order)).collect(),
            });
        }
        Ok(shifts)
    }

    /// The mailing's letter, compiled; `None` when it is gone. A letter that cannot be compiled pauses its mailing.
    async fn compile(&self, lane: Lane, mailing: MailingId) -> Result<Option<Arc<Compiled>>, SendError> {
        let store = &self.parts.store;
        let last = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = last().as_ref().filter(|(known, _)| *known == mailing) {
            return Ok(Some(Arc::clone(compiled)));
        }
        let Some(letter) = store.letter(mailing).await? else { return Ok(None) };
        match Compiled::new(mailing, &letter, store.key(), &self.parts.signers) {
            Ok(compiled) => {
                let compiled = Arc::new(compiled);
                if lane == Lane::Digests {
                    *last() = Some((mailing, Arc::clone(&compiled)));
                }
                Ok(Some(compiled))
            }
            Err(error) => {
                store.pause(mailing, &error.to_string()).await?;
                Err(SendError::Compose(mailing, error))
            }
        }
    }

    fn worker(&self, line: &Arc<Line>, order: &Order<'_>) -> Worker {
        let Parts { store, patience, clock, chance, stop, .. } = &self.parts;
        let Order { lane, lease, queue, recorder } = *order;
        Worker {
            store: store.clone(),
            line: Arc::clone(line),
            lane,
            limit: self.limit(lease.mailing),
            domains: self.domains.clone(),
            queue: Arc::clone(queue),
            recorder: recorder.clone(),
            patience: *patience,
            clock: clock.clone(),
            chance: chance.clone(),
            stop: stop.clone(),
            mailing: lease.mailing,
        }
    }
}
