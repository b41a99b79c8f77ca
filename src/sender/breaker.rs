//! Whether a relay is there. All nodes share one row of the store: while it is down one of them looks every 30 seconds, with one
//! connection.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::delivery::Reply;
use crate::store::{Store, StoreError};
use crate::transport::TransportError;

/// Between two looks at a relay that is down: soon enough for mail that waits, seldom enough not to be a nuisance.
const PROBE: TimeDelta = TimeDelta::seconds(30);

/// Ticks in a row that got nowhere before a relay that can be connected to counts as down: one lost connection is no outage.
const MISSES: u32 = 3;

/// What may be done with the relay now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It works, as far as anyone knows.
    Free,
    /// It was down, and this node may look: with one connection.
    Probe,
    /// It is down, and it is not our turn.
    Wait,
}

/// The breaker of one relay in one process.
#[derive(Debug)]
pub struct Breaker {
    store: Store,
    clock: Clock,
    relay: String,
    misses: AtomicU32,
    refuses_us: AtomicBool,
}

impl Breaker {
    /// The breaker of a relay.
    #[must_use]
    pub fn new(store: Store, clock: Clock, relay: String) -> Self {
        Self { store, clock, relay, misses: AtomicU32::new(0), refuses_us: AtomicBool::new(false) }
    }

    /// Whether the relay is down and it is not yet time to look; changes nothing.
    pub async fn is_waiting(&self) -> Result<bool, StoreError> {
        let troubles = self.store.relay_troubles().await?;
        let now = self.clock.now();
        Ok(troubles.iter().any(|trouble| trouble.relay == self.relay && trouble.probe_at > now))
    }

    /// Asks before a connection is opened.
    pub async fn ask(&self) -> Result<Leave, StoreError> {
        let troubles = self.store.relay_troubles().await?;
        if !troubles.iter().any(|trouble| trouble.relay == self.relay) {
            return Ok(Leave::Free);
        }
        let now = self.clock.now();
        let won = self.store.may_probe(&self.relay, now, now + PROBE).await?;
        Ok(if won { Leave::Probe } else { Leave::Wait })
    }

    /// The relay did something with a message.
    pub async fn works(&self, leave: Leave) -> Result<(), StoreError> {
        self.misses.store(0, Ordering::Relaxed);
        self.refuses_us.store(false, Ordering::Relaxed);
        if leave == Leave::Probe {
            tracing::info!(relay = self.relay, "the relay works again");
            self.store.relay_works(&self.relay).await?;
        }
        Ok(())
    }

    /// Whether the last thing it said is that it will not have us: to wait is of no use then, somebody has to mend something.
    pub fn refuses_us(&self) -> bool {
        self.refuses_us.load(Ordering::Relaxed)
    }

    /// A whole tick got nowhere.
    pub async fn fails(&self, error: &TransportError) -> Result<(), StoreError> {
        let refuses_us = matches!(error, TransportError::Refused { reply: Reply { code: 500..=599, .. }, .. });
        self.refuses_us.store(refuses_us, Ordering::Relaxed);
        let there = !matches!(error, TransportError::Connect { .. } | TransportError::Refused { .. });
        if there && self.misses.fetch_add(1, Ordering::Relaxed) + 1 < MISSES {
            return Ok(());
        }
        let now = self.clock.now();
        self.store.relay_is_down(&self.relay, &error.to_string(), now, now + PROBE).await
    }
}
