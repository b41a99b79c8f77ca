//! The day's messages of a relay that is warmed up, in this process: a few are taken from the store and used one by one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Ration, Store, StoreError};

/// How long a plan that is over is not asked for again.
const UNLIMITED: Duration = Duration::from_secs(60);

/// What this process may still send today.
#[derive(Debug)]
pub struct Rations {
    store: Store,
    relay: String,
    /// Messages of each day; none when the relay needs no warming up.
    plan: Vec<u32>,
    state: Mutex<State>,
    /// One asks the store for all: what many took at once would be lost when the process ends.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    left: u32,
    /// When what is left is lost.
    day_ends: Instant,
    /// The store has no more before.
    spent_until: Instant,
}

impl Rations {
    /// Nothing is taken yet.
    pub fn new(store: Store, relay: String, plan: &[u32]) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State { left: 0, day_ends: now, spent_until: now });
        Self { store, relay, plan: plan.to_vec(), state, asking: tokio::sync::Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the day's messages are used up.
    pub fn are_spent(&self) -> bool {
        let state = self.lock();
        !self.plan.is_empty() && state.left == 0 && Instant::now() < state.spent_until
    }

    /// Takes one: false when there is none until tomorrow.
    pub async fn take(&self) -> Result<bool, StoreError> {
        if self.plan.is_empty() {
            return Ok(true);
        }
        if let Some(answer) = self.take_here(Instant::now()) {
            return Ok(answer);
        }
        let _alone = self.asking.lock().await;
        loop {
            if let Some(answer) = self.take_here(Instant::now()) {
                return Ok(answer);
            }
            let ration = self.store.take_ration(&self.relay, &self.plan).await?;
            let now = Instant::now();
            let mut state = self.lock();
            match ration {
                // Believed for a while, like a day of its own.
                Ration::Unlimited => (state.left, state.day_ends) = (u32::MAX, now + UNLIMITED),
                Ration::Messages { count, within } => {
                    state.left = state.left.saturating_add(count);
                    state.day_ends = now + within;
                }
                Ration::Tomorrow(wait) => state.spent_until = now + wait,
            }
        }
    }

    /// Takes one of those that are here; `None` when the store must be asked.
    fn take_here(&self, now: Instant) -> Option<bool> {
        let mut state = self.lock();
        if now >= state.day_ends {
            state.left = 0;
        }
        if state.left > 0 {
            state.left -= 1;
            return Some(true);
        }
        (now < state.spent_until).then_some(false)
    }

    /// Gives back one that nobody needed.
    pub fn put_back(&self) {
        let mut state = self.lock();
        if !self.plan.is_empty() && Instant::now() < state.day_ends {
            state.left = state.left.saturating_add(1);
        }
    }
}
