//! The rate of a mailing or a relay in this process: slots in time that the store gives, used up one by one.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{Grant, Store, StoreError};

/// How long "no limit" is believed: a limit that an operator sets is felt within this.
const BELIEVED: Duration = Duration::from_millis(400);

/// The rate of one scope.
#[derive(Debug)]
pub struct Limit {
    store: Store,
    scope: String,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is known, or all slots are used.
    Ask,
    Unlimited(Instant),
    Slots {
        next: Instant,
        spacing: Duration,
        left: u32,
    },
}

impl Limit {
    /// Nothing is asked yet.
    pub fn new(store: Store, scope: String) -> Self {
        Self { store, scope, state: Mutex::new(State::Ask) }
    }

    /// Takes a slot: `None`, go on; else how long to wait before asking again.
    pub async fn take(&self) -> Result<Option<Duration>, StoreError> {
        let mut state = self.state.lock().await;
        loop {
            let now = Instant::now();
            match &mut *state {
                State::Unlimited(until) if now < *until => return Ok(None),
                State::Slots { next, spacing, left: left @ 1.. } => {
                    if *next > now {
                        return Ok(Some(*next - now));
                    }
                    *left -= 1;
                    *next += *spacing;
                    return Ok(None);
                }
                _ => match self.store.reserve(&self.scope).await? {
                    Grant::Unlimited => *state = State::Unlimited(Instant::now() + BELIEVED),
                    Grant::Slots { first, spacing, count } => {
                        *state = State::Slots { next: Instant::now() + first, spacing, left: count };
                    }
                    Grant::Later(wait) => return Ok(Some(wait.max(Duration::from_millis(1)))),
                },
            }
        }
    }
}
