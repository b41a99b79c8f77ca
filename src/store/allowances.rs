//! How fast mail may go, for all nodes together: messages have slots in time, and a node takes the next few.
//!
//! A scope (a mailing, a relay) has a row with the time of its next free slot and what was given lately. A node moves it on by a guarded
//! update and has the slots between; so any number of nodes keep one rate, and all spans of a rate are taken from, or none is.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::row::{Row, unreadable};
use super::sql::{args, write};
use super::{RateUse, Store, StoreError};
use crate::delivery::allowance::{Allowance, Grant, Lapse, Share};
use crate::delivery::rate::Rate;

/// How often a node that loses a race for slots tries again at once.
const TRIES: usize = 8;

/// Shorter waits are the spacing of messages, and nothing to tell anyone.
const SHOWN: Duration = Duration::from_secs(5);

impl Store {
    /// Sets or lifts the limit of a scope. What was given already counts under the new one too.
    pub async fn set_rate(&self, scope: &str, rate: Option<Rate>) -> Result<(), StoreError> {
        let sql = "INSERT INTO allowance (scope, rate, next_at, counts) VALUES ($1, $2, 0, '[]') \
             ON CONFLICT (scope) DO UPDATE SET rate = excluded.rate";
        let rate = rate.map(|rate| rate.to_string());
        write!(self.pool, |tx| tx.execute(sql, args![scope, rate.as_deref()]).await.map(|_| ()))
    }

    /// Takes the next slots of a scope, of as much of its rate as `share` says. A rate that is `configured` replaces the one that stands. Slots
    /// that were taken under a time and not used before it may be put back.
    pub async fn reserve(
        &self,
        scope: &str,
        configured: Option<Rate>,
        share: Share,
        unused: Option<(Lapse, u32)>,
    ) -> Result<Grant, StoreError> {
        for _ in 0..TRIES {
            let mut standing = self.allowance(scope).await?;
            if configured.is_some() && standing.as_ref().map(|standing| standing.rate) != configured {
                self.set_rate(scope, configured).await?;
                standing = self.allowance(scope).await?;
            }
            let Some(Standing { rate, before, counts, clock }) = standing else { return Ok(Grant::Unlimited) };
            let mut after = before.clone();
            if let Some((lapse, count)) = unused {
                after.put_back(rate, lapse.at, count);
            }
            let grant = after.take(rate, share, clock);
            if after == before {
                return Ok(grant);
            }
            if self.replace(scope, rate, (&before, &counts), &after).await? {
                return Ok(grant);
            }
            // Another node was faster, or the rate changed: look again.
        }
        Ok(Grant::Later(Duration::from_millis(5)))
    }

    /// Puts slots back that were taken under a time, and that nobody here has a use for.
    pub async fn put_back(&self, scope: &str, lapse: Lapse, count: u32) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let Some(Standing { rate, before, counts, .. }) = self.allowance(scope).await? else { break };
            let mut after = before.clone();
            after.put_back(rate, lapse.at, count);
            if after == before || self.replace(scope, rate, (&before, &counts), &after).await? {
                break;
            }
        }
        Ok(())
    }

    /// Writes what follows from what was read; false when that stands there no more.
    async fn replace(
        &self,
        scope: &str,
        rate: Rate,
        (before, counts): (&Allowance, &str),
        after: &Allowance,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE allowance SET next_at = $1, counts = $2 \
             WHERE scope = $3 AND rate = $4 AND next_at = $5 AND counts = $6";
        let values = || args![after.next, &after.counts(), scope, &rate.to_string(), before.next, counts];
        write!(self.pool, |tx| Ok(tx.execute(sql, values()).await? == 1))
    }

    /// How much of a scope's rate is used: what nodes have taken, of which each may not have sent the last few yet.
    pub async fn rate_use(&self, scope: &str, rate: Rate) -> Result<RateUse, StoreError> {
        let nothing = || RateUse { rate, spans: rate.counted().map(|span| (span, 0)).collect(), waits_until: None };
        let standing = self.allowance(scope).await?;
        Ok(standing.map_or_else(nothing, |standing| Standing { rate, ..standing }.usage(Share::Most)))
    }

    async fn allowance(&self, scope: &str) -> Result<Option<Standing>, StoreError> {
        let sql = "SELECT rate AS allowed, next_at, counts, {clock} * 1000 AS clock FROM allowance WHERE scope = $1";
        let row = self.pool.fetch_optional(sql, args![scope]).await?;
        Ok(row.as_ref().map(Standing::read).transpose()?.flatten())
    }
}

/// A row of `allowance` that has a rate.
pub(super) struct Standing {
    rate: Rate,
    before: Allowance,
    /// As it stands in the database, to guard the update.
    counts: String,
    /// In microseconds.
    clock: i64,
}

impl Standing {
    /// `None` when there is no limit.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(rate) = row.maybe_text("allowed")? else { return Ok(None) };
        let rate = Rate::parse(&rate).map_err(|error| unreadable("rate", &error))?;
        let counts = row.text("counts")?;
        let before = Allowance::read(row.int("next_at")?, &counts);
        let before = before.ok_or_else(|| unreadable("counts", &"it is no list of counts"))?;
        Ok(Some(Self { rate, before, counts, clock: row.int("clock")? }))
    }

    pub(super) fn usage(&self, share: Share) -> RateUse {
        let Self { rate, before, counts: _, clock } = self;
        let spans = rate.counted().map(|span| (span, before.taken(span, *clock))).collect();
        let waits = before.wait(*rate, share, *clock).filter(|wait| *wait >= SHOWN);
        let waits = waits.and_then(|wait| TimeDelta::from_std(wait).ok());
        let waits_until = waits.and_then(|wait| DateTime::<Utc>::from_timestamp_micros(*clock).map(|now| now + wait));
        RateUse { rate: *rate, spans, waits_until }
    }
}
