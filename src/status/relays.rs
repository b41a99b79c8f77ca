//! Relays: which are down, and how far those are that are warmed up.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{Mail, Transport};
use crate::store::{RelayTrouble, Store, StoreError};

/// A relay that is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelayStatus {
    /// Its name.
    pub relay: String,
    /// Since when.
    pub down_since: DateTime<Utc>,
    /// What happened.
    pub reason: String,
}

/// A relay on one of its first days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WarmUpStatus {
    /// Its name.
    pub relay: String,
    /// The day of its plan, counted from 1.
    pub day: i64,
    /// Days of the plan.
    pub days: usize,
    /// Messages that it may have today (UTC).
    pub allowed: i64,
    /// Messages that nodes have taken of these; each node takes some at a time and may not have sent the last few yet.
    pub used: i64,
}

impl From<RelayTrouble> for RelayStatus {
    fn from(trouble: RelayTrouble) -> Self {
        let RelayTrouble { relay, since, probe_at: _, reason } = trouble;
        Self { relay, down_since: since, reason }
    }
}

/// The relays that are still warmed up; one whose plan is over is like any other.
pub(super) async fn warm_up(store: &Store, mail: &Mail, now: DateTime<Utc>) -> Result<Vec<WarmUpStatus>, StoreError> {
    let Transport::Smtp(relays) = &mail.transport else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for relay in relays.iter().filter(|relay| !relay.warm_up.is_empty()) {
        let plan = &relay.warm_up;
        let today = store.warmth(&relay.name, plan, now).await?;
        if let Some(allowed) = today.allowed(plan) {
            let (relay, day, days, used) = (relay.name.clone(), today.step + 1, plan.len(), today.taken);
            all.push(WarmUpStatus { relay, day, days, allowed, used });
        }
    }
    Ok(all)
}
