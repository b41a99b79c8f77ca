//! What a worker waits for before it takes a message: a connection, its relay's turn, a slot, a ration.

use std::time::Duration;

use super::pool::Held;
use super::turns::Turn;
use super::worker::{LOOK, Worker};
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

    /// Whether the relay's warm-up has a message left for today.
    pub(super) async fn has_ration(&self) -> bool {
        self.line.rations.take().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the plan of the relay's first days cannot be read");
            false
        })
    }

    /// Whether another message may go now. A patient worker waits for it, until it is another mailing's turn or the process stops.
    pub(super) async fn has_slot(&self, patient: bool) -> bool {
        for limit in [&self.limit, &self.line.limit] {
            loop {
                let wait = match limit.take().await {
                    Ok(None) => break,
                    Ok(Some(wait)) => wait,
                    Err(error) => {
                        tracing::error!(%error, "the rate cannot be read");
                        return false;
                    }
                };
                if !patient || *self.stop.borrow() || self.queue.is_over() {
                    return false;
                }
                tokio::time::sleep(wait.min(LOOK)).await;
            }
        }
        true
    }
}
