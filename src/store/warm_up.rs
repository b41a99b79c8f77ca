//! The warm-up of relays, for all nodes together: a node takes a few of the day's messages at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::row::Row;
use super::sql::{args, write};
use super::{Ration, Store, StoreError};
use crate::delivery::warm_up::Warmth;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

impl Store {
    /// Where a relay stands in its plan on the day of `now`.
    pub async fn warmth(&self, relay: &str, plan: &[u32], now: DateTime<Utc>) -> Result<Warmth, StoreError> {
        let sql = "SELECT day, step, taken FROM warm_up WHERE relay = $1";
        let before = self.pool.fetch_optional(sql, args![relay]).await?.as_ref().map(warmth).transpose()?;
        Ok(before.unwrap_or_default().on(now.timestamp_millis().div_euclid(DAY), plan))
    }

    /// Takes some of what a relay's plan allows today, by the database's clock. What a node takes and does not use is lost at the end
    /// of the day, so no more than a twentieth of the day's messages is taken at once.
    pub async fn take_ration(&self, relay: &str, plan: &[u32]) -> Result<Ration, StoreError> {
        write!(self.pool, |tx| {
            let sql = "INSERT INTO warm_up (relay, day, step, taken) VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING";
            tx.execute(sql, args![relay]).await?;
            // Changes nothing, and makes other nodes wait until this transaction ends.
            let sql = "UPDATE warm_up SET taken = taken WHERE relay = $1 RETURNING day, step, taken, {clock} AS clock";
            let Some(row) = tx.fetch_optional(sql, args![relay]).await? else { return Ok(Ration::Unlimited) };
            let before = warmth(&row)?;
            let clock = row.int("clock")?;
            let mut now = before.on(clock.div_euclid(DAY), plan);
            let tomorrow = Duration::from_millis((DAY - clock.rem_euclid(DAY)).unsigned_abs());
            let Some(allowed) = now.allowed(plan) else { return Ok(Ration::Unlimited) };
            let count = (allowed - now.taken).clamp(0, (allowed / 20).max(1));
            now.taken += count;
            if now != before {
                let sql = "UPDATE warm_up SET day = $1, step = $2, taken = $3 WHERE relay = $4";
                tx.execute(sql, args![now.day, now.step, now.taken, relay]).await?;
            }
            Ok(match u32::try_from(count) {
                Ok(count @ 1..) => Ration::Messages { count, within: tomorrow },
                _ => Ration::Tomorrow(tomorrow),
            })
        })
    }
}

fn warmth(row: &Row) -> Result<Warmth, StoreError> {
    Ok(Warmth { day: row.int("day")?, step: row.int("step")?, taken: row.int("taken")? })
}
