//! How fast mail may go, for all nodes together: messages have slots in time, and a node takes the next few.
//!
//! A scope (a mailing, a relay) has the time of its next free slot. A node moves that time on by a guarded update and has the slots
//! between; so any number of nodes keep one rate, and a change of it is there as soon as the slots that were taken are used up.

use std::time::Duration;

use super::sql::{args, write};
use super::{Grant, Store, StoreError};

/// How far ahead slots are taken: a change of rate is felt within this and the cache of "no limit".
const BLOCK: Duration = Duration::from_millis(400);

impl Store {
    /// Sets or lifts the limit of a scope: the time between two messages.
    pub async fn set_spacing(&self, scope: &str, spacing: Option<Duration>) -> Result<(), StoreError> {
        let sql = "INSERT INTO allowance (scope, spacing, next_at) VALUES ($1, $2, 0) \
             ON CONFLICT (scope) DO UPDATE SET spacing = excluded.spacing";
        let spacing = spacing.map(micros);
        write!(self.pool, |tx| tx.execute(sql, args![scope, spacing]).await.map(|_| ()))
    }

    /// The limit of a scope.
    pub async fn spacing(&self, scope: &str) -> Result<Option<Duration>, StoreError> {
        let sql = "SELECT spacing FROM allowance WHERE scope = $1";
        let row = self.pool.fetch_optional(sql, args![scope]).await?;
        let spacing = row.map(|row| row.maybe_int("spacing")).transpose()?.flatten();
        Ok(spacing.map(|micros| Duration::from_micros(micros.unsigned_abs())))
    }

    /// Takes the next slots of a scope. A limit that is `configured` replaces the one that stands.
    pub async fn reserve(&self, scope: &str, configured: Option<Duration>) -> Result<Grant, StoreError> {
        if configured.is_some() && self.spacing(scope).await? != configured {
            self.set_spacing(scope, configured).await?;
        }
        let sql = "SELECT spacing, next_at, {clock} * 1000 AS clock FROM allowance WHERE scope = $1";
        let Some(row) = self.pool.fetch_optional(sql, args![scope]).await? else { return Ok(Grant::Unlimited) };
        let Some(spacing) = row.maybe_int("spacing")? else { return Ok(Grant::Unlimited) };
        let (next, clock) = (row.int("next_at")?, row.int("clock")?);
        let wait = |until: i64| Duration::from_micros(until.saturating_sub(clock).max(0).unsigned_abs());
        if next > clock + micros(BLOCK) {
            return Ok(Grant::Later(wait(next).saturating_sub(BLOCK)));
        }
        let count = (micros(BLOCK) / spacing.max(1)).max(1);
        let first = next.max(clock);
        let sql = "UPDATE allowance SET next_at = $1 WHERE scope = $2 AND spacing = $3 AND next_at = $4";
        let after = first.saturating_add(spacing.saturating_mul(count));
        let won = write!(self.pool, |tx| Ok(tx.execute(sql, args![after, scope, spacing, next]).await? == 1))?;
        if !won {
            // Another node was faster, or the rate changed: look again.
            return Ok(Grant::Later(Duration::from_millis(5)));
        }
        let spacing = Duration::from_micros(spacing.unsigned_abs());
        Ok(Grant::Slots { first: wait(first), spacing, count: u32::try_from(count).unwrap_or(u32::MAX) })
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
