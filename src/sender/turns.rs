//! The turns of the relays that share the mail of some newsletters, in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::shares::Shares;

/// The turns of some relays. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns {
    shares: Arc<Mutex<Shares>>,
    start: Instant,
}

/// One relay's place in the turns, from its first connection on.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    who: usize,
}

impl Turns {
    /// The turns of relays with these weights.
    pub fn new(weights: &[Option<u32>]) -> Self {
        Self { shares: Arc::new(Mutex::new(Shares::new(weights))), start: Instant::now() }
    }

    /// See [`Shares::order`].
    pub fn order(&self) -> Vec<usize> {
        self.lock().order()
    }

    /// A relay joins, until the turn is dropped.
    pub fn join(&self, who: usize) -> Turn {
        self.lock().join(who, self.now());
        Turn { turns: self.clone(), who }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether the relay may take a message now.
    pub fn is_mine(&self) -> bool {
        self.turns.lock().may_take(self.who, self.turns.now())
    }

    /// It took one.
    pub fn take(&self) {
        self.turns.lock().take(self.who, self.turns.now());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().leave(self.who);
    }
}
