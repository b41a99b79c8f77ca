//! The open connections of one relay: kept over batches, bounded, one of them for confirmations.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Lane;
use crate::delivery::concurrency::Concurrency;
use crate::transport::{Connection, Transport, TransportError};

/// The connections of one relay. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    transport: Transport,
    /// How many messages a connection carries before it is closed.
    messages: u32,
    /// How long a connection may rest before it is closed.
    idle: Duration,
    /// As many as the relay is worth now.
    digests: Arc<Semaphore>,
    confirmations: Arc<Semaphore>,
    resting: Arc<Mutex<Vec<(Open, Instant)>>>,
    worth: Arc<Mutex<Worth>>,
    since: Instant,
}

/// How many connections digests may have.
#[derive(Debug)]
struct Worth {
    concurrency: Concurrency,
    /// Connections in use that are too many now.
    too_many: usize,
}

/// An open connection, and what it has carried.
#[derive(Debug)]
struct Open {
    connection: Connection,
    carried: u32,
}

/// A connection in use: no other may be opened in its place until it is dropped or given back.
#[derive(Debug)]
pub struct Held {
    open: Open,
    /// It rested before, so the relay may have closed it meanwhile: that is nobody's fault.
    pub rested: bool,
    permit: OwnedSemaphorePermit,
}

impl Held {
    /// The connection.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.open.connection
    }

    /// Counts a message.
    pub fn carry(&mut self) {
        self.open.carried += 1;
    }
}

impl Pool {
    /// An empty pool. With two connections or more, one is kept for confirmations, so that no digest can delay them; with one, they
    /// take turns.
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        let limits = transport.limits();
        let concurrency = Concurrency::new(limits.connections.saturating_sub(1).max(1));
        let digests = Arc::new(Semaphore::new(concurrency.now()));
        let confirmations = if limits.connections > 1 { Arc::new(Semaphore::new(1)) } else { Arc::clone(&digests) };
        Self {
            transport,
            messages: limits.messages,
            idle: limits.idle,
            digests,
            confirmations,
            resting: Arc::default(),
            worth: Arc::new(Mutex::new(Worth { concurrency, too_many: 0 })),
            since: Instant::now(),
        }
    }

    /// How many connections a lane has at most.
    #[must_use]
    pub fn most(&self, lane: Lane) -> usize {
        match lane {
            Lane::Confirmations => 1,
            Lane::Digests => self.transport.limits().connections.saturating_sub(1).max(1),
        }
    }

    /// A connection that rests, else a new one; waits for its turn.
    ///
    /// # Errors
    /// When the relay gives none.
    pub async fn take(&self, lane: Lane) -> Result<Held, TransportError> {
        let turns = match lane {
            Lane::Confirmations => &self.confirmations,
            Lane::Digests => &self.digests,
        };
        let closed = |_| TransportError::Lost("the process stops".to_owned());
        let permit = Arc::clone(turns).acquire_owned().await.map_err(closed)?;
        self.sweep().await;
        let rests = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some((open, _)) = rests {
            return Ok(Held { open, rested: true, permit });
        }
        let open = Open { connection: self.transport.connect().await?, carried: 0 };
        Ok(Held { open, rested: false, permit })
    }

    /// A reply to a message came after `took`.
    pub fn replied(&self, took: Duration) {
        let mut worth = self.worth.lock().unwrap_or_else(PoisonError::into_inner);
        let before = worth.concurrency.now();
        worth.concurrency.replied(took, self.since.elapsed());
        self.follow(&mut worth, before);
    }

    /// The relay said that it has too much to do.
    pub fn is_busy(&self) {
        let mut worth = self.worth.lock().unwrap_or_else(PoisonError::into_inner);
        let before = worth.concurrency.now();
        worth.concurrency.busy(self.since.elapsed());
        self.follow(&mut worth, before);
    }

    /// Makes the permits follow. One that is in use goes when its connection is asked [`Pool::is_too_many`].
    fn follow(&self, worth: &mut Worth, before: usize) {
        let now = worth.concurrency.now();
        for _ in before..now {
            match worth.too_many.checked_sub(1) {
                Some(fewer) => worth.too_many = fewer,
                None => self.digests.add_permits(1),
            }
        }
        let fewer = before.saturating_sub(now);
        worth.too_many += fewer - self.digests.forget_permits(fewer);
    }

    /// Whether a connection should go because the relay is worth fewer now; asked once for each that goes.
    #[must_use]
    pub fn is_too_many(&self, lane: Lane) -> bool {
        let mut worth = self.worth.lock().unwrap_or_else(PoisonError::into_inner);
        let goes = lane == Lane::Digests && worth.too_many > 0;
        worth.too_many -= usize::from(goes);
        goes
    }

    /// Closes a connection for good: no other takes its place.
    pub async fn give_up(&self, held: Held) {
        held.permit.forget();
        held.open.connection.quit().await;
    }

    /// Gives back a connection that is between two transactions.
    pub async fn rest(&self, held: Held) {
        if self.is_worn(&held, 0) {
            held.open.connection.quit().await;
            return;
        }
        let resting = (held.open, Instant::now());
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(resting);
    }

    /// Whether a connection has carried its share, once those on their way are there.
    #[must_use]
    pub fn is_worn(&self, held: &Held, flying: u32) -> bool {
        held.open.carried + flying >= self.messages
    }

    /// Closes what has rested too long.
    pub async fn sweep(&self) {
        self.close(self.idle).await;
    }

    /// Closes everything that rests.
    pub async fn close_all(&self) {
        self.close(Duration::ZERO).await;
    }

    async fn close(&self, longest: Duration) {
        let old: Vec<_> = {
            let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            resting.extract_if(.., |(_, since)| since.elapsed() >= longest).collect()
        };
        let goodbyes = old.into_iter().map(|(open, _)| open.connection.quit());
        let mut all: tokio::task::JoinSet<()> = goodbyes.collect();
        while all.join_next().await.is_some() {}
    }
}
