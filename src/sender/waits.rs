//! What a worker waits for before it takes a message: a connection, its relay's turn, a slot, a ration.

use std::time::Duration;

use super::limits::LONG;
use super::pool::Held;
use super::turns::Turn;
use super::worker::{LOOK, Worker};
use crate::store::StoreError;
use crate::transport::TransportError;

/// How often a relay looks whether it is its turn: less than a message takes.
const GLANCE: Duration = Duration::from_millis(2);

impl Worker {
    /// A connection, unless the process stops first or nobody is left.
    pub(super) async fn connect(&self) -> Result<Option<Held>, TransportError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            held = self.line.pool.take(self.lane) => held.map(Some),
            _ = stop.wait_for(|stop| *stop) => Ok(None),
            () = self.queue.over() => Ok(None),
        }
    }

    /// Whether it is this relay's turn among those that share the mail. A patient worker waits for it.
    pub(super) async fn has_turn(&self, turn: &Turn, patient: bool) -> bool {
        while !turn.is_mine() {
            if !patient || *self.stop.borrow() || self.queue.is_over() {
                return false;
            }
            tokio::time::sleep(GLANCE).await;
        }
        true
    }

    /// Whether another message may go now: it takes something of all that is limited, or of nothing. A patient worker waits for it, until it is
    /// another mailing's turn or the process stops.
    pub(super) async fn may_go(&self, patient: bool) -> bool {
        if !self.has_slots(patient).await {
            return false;
        }
        let has = self.has_ration().await;
        if !has {
            self.put_slots_back().await;
        }
        has
    }

    /// Gives back what a message was allowed that there is not.
    pub(super) async fn put_back(&self) {
        self.line.rations.put_back();
        self.put_slots_back().await;
    }

    async fn put_slots_back(&self) {
        self.limit.put_back().await;
        self.line.limit.put_back().await;
    }

    /// Whether the relay's warm-up has a message left for today.
    async fn has_ration(&self) -> bool {
        self.line.rations.take().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the plan of the relay's first days cannot be read");
            false
        })
    }

    /// A slot of the mailing and one of the relay. While it waits for one it has neither: others may have a use for the other.
    async fn has_slots(&self, patient: bool) -> bool {
        loop {
            let wait = match self.take_slots().await {
                Ok(None) => return true,
                Ok(Some(wait)) => wait,
                Err(error) => {
                    tracing::error!(%error, "the rate cannot be read");
                    return false;
                }
            };
            if !patient || wait > LONG || *self.stop.borrow() || self.queue.is_over() {
                return false;
            }
            tokio::time::sleep(wait.min(LOOK)).await;
        }
    }

    async fn take_slots(&self) -> Result<Option<Duration>, StoreError> {
        if let Some(wait) = self.limit.take(self.lane).await? {
            return Ok(Some(wait));
        }
        let relay = self.line.limit.take(self.lane).await;
        if !matches!(relay, Ok(None)) {
            self.limit.put_back().await;
        }
        relay
    }
}
