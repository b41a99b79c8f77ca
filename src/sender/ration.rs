//! The day's messages of a relay that is warmed up, in this process: a few are taken from the store and used one by one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Ration, Store, StoreError};

/// What this process may still send today.
#[derive(Debug)]
pub struct Rations {
    store: Store,
    relay: String,
    /// Messages of each day; none when the relay needs no warming up.
    plan: Vec<u32>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    left: u32,
    /// When what is left is lost, or when there is more.
    until: Instant,
}

impl Rations {
    /// Nothing is taken yet.
    pub fn new(store: Store, relay: String, plan: &[u32]) -> Self {
        Self { store, relay, plan: plan.to_vec(), state: Mutex::new(State { left: 0, until: Instant::now() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the day's messages are used up.
    pub fn are_spent(&self) -> bool {
        let state = self.lock();
        !self.plan.is_empty() && state.left == 0 && Instant::now() < state.until
    }

    /// Takes one: false when there is none until tomorrow.
    pub async fn take(&self) -> Result<bool, StoreError> {
        if self.plan.is_empty() {
            return Ok(true);
        }
        loop {
            let now = Instant::now();
            {
                let mut state = self.lock();
                if now < state.until {
                    let some = state.left > 0;
                    state.left = state.left.saturating_sub(1);
                    if state.left == 0 && some {
                        // Ask the store again.
                        state.until = now;
                    }
                    return Ok(some);
                }
            }
            let (left, until) = match self.store.take_ration(&self.relay, &self.plan).await? {
                Ration::Unlimited => (u32::MAX, Duration::from_secs(60)),
                Ration::Messages { count, within } => (count, within),
                Ration::Tomorrow(wait) => (0, wait),
            };
            let mut state = self.lock();
            // Two connections may have asked at once.
            let left = if state.until > now { state.left.saturating_add(left) } else { left };
            *state = State { left, until: now + until };
        }
    }

    /// Gives back one that nobody needed.
    pub fn put_back(&self) {
        let mut state = self.lock();
        if !self.plan.is_empty() && Instant::now() < state.until {
            state.left = state.left.saturating_add(1);
        }
    }
}
