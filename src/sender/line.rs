//! One relay as a process uses it: its connections, its breaker, its rate.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Lane;
use super::breaker::{Breaker, Leave};
use super::crew::Place;
use super::limits::Limit;
use super::pool::{Held, Pool};
use super::queue::Queue;
use super::ration::Rations;
use super::turns::Turns;
use super::worker::{Work, Worker};
use crate::clock::Clock;
use crate::store::{Store, StoreError};
use crate::transport::{Transport, TransportError};

/// A relay.
#[derive(Debug)]
pub struct Line {
    pub transport: Transport,
    pub pool: Pool,
    pub breaker: Breaker,
    pub limit: Arc<Limit>,
    pub rations: Rations,
}

/// What a relay does in one tick.
pub struct Shift {
    pub line: Arc<Line>,
    pub lane: Lane,
    pub leave: Leave,
    pub queue: Arc<Queue>,
    pub turns: Turns,
    /// Its place in the turns.
    pub who: usize,
    /// Keeps it out of other batches until the shift is over.
    pub place: Place,
    /// Turns true when the process is asked to stop.
    pub stop: watch::Receiver<bool>,
    /// One for each connection that it may open.
    pub workers: Vec<Worker>,
}

impl Line {
    pub fn new(transport: Transport, store: &Store, clock: &Clock) -> Self {
        let name = transport.name().to_owned();
        Self {
            pool: Pool::new(transport.clone()),
            rations: Rations::new(store.clone(), name.clone(), transport.warm_up()),
            limit: Arc::new(Limit::of_relay(store.clone(), &transport)),
            breaker: Breaker::new(store.clone(), clock.clone(), name),
            transport,
        }
    }

    /// Whether a lane has nothing to expect of it for long: the day's messages or the hour's are used up.
    pub fn is_spent(&self, lane: Lane) -> bool {
        self.rations.are_spent() || self.limit.rests(lane)
    }

    /// A connection that came too late for its batch, if it comes.
    async fn later(self: Arc<Self>, connecting: JoinHandle<Result<Held, TransportError>>) {
        match connecting.await {
            Ok(Ok(held)) => self.pool.rest(held).await,
            Ok(Err(error)) => {
                if let Err(error) = self.breaker.fails(&error).await {
                    tracing::warn!(%error, "that a relay is down could not be noted");
                }
            }
            Err(_) => {}
        }
    }
}

impl Shift {
    /// Works until the queue is empty or the relay is of no use, and tells the breaker how it went.
    pub async fn run(self) -> Result<Work, StoreError> {
        let (line, leave) = (Arc::clone(&self.line), self.leave);
        let work = self.work().await;
        if work.answered > 0 {
            line.breaker.works(leave).await?;
        } else if let Some(error) = &work.trouble {
            // The relay said nothing about anyone.
            line.breaker.fails(error).await?;
        }
        Ok(work)
    }

    async fn work(self) -> Work {
        let Self { line, lane, leave: _, queue, turns, who, place: _place, mut stop, workers } = self;
        // One connection first: a relay that is down costs one probe and touches nobody's delivery.
        let mut connecting = tokio::spawn({
            let line = Arc::clone(&line);
            async move { line.pool.take(lane).await }
        });
        let first = tokio::select! {
            first = &mut connecting => first,
            _ = stop.wait_for(|stop| *stop) => {
                connecting.abort();
                return Work::default();
            }
            // The others have done all there was to do; whenever this one is there, its connection is for the next batch.
            () = queue.over() => {
                tokio::spawn(line.later(connecting));
                return Work::default();
            }
        };
        let mut first = match first {
            Ok(Ok(first)) => Some(first),
            Ok(Err(error)) => return Work { trouble: Some(error), ..Work::default() },
            // A panic, or the end of the process.
            Err(_) => return Work::default(),
        };
        let turn = Arc::new(turns.join(who));
        let mut tasks = tokio::task::JoinSet::new();
        for worker in workers {
            tasks.spawn(worker.run(first.take(), Arc::clone(&turn)));
        }
        let mut all = Work::default();
        while let Some(done) = tasks.join_next().await {
            // A worker that panicked leaves its message in doubt, in the ledger; the others go on.
            all.add(done.unwrap_or_default());
        }
        all
    }
}
