//! What all nodes know of a relay that is down: one row while it is, and the right to look whether it still is.

use chrono::{DateTime, Utc};

use super::row::Row;
use super::sql::{args, write};
use super::{RelayTrouble, Store, StoreError};

impl Store {
    /// The relays that are down, by name.
    pub async fn relay_troubles(&self) -> Result<Vec<RelayTrouble>, StoreError> {
        let sql = "SELECT relay, since, probe_at, reason FROM relay ORDER BY relay";
        let trouble = |row: &Row| {
            let (relay, reason) = (row.text("relay")?, row.text("reason")?);
            Ok(RelayTrouble { relay, since: row.time("since")?, probe_at: row.time("probe_at")?, reason })
        };
        self.pool.fetch_all(sql, args![]).await?.iter().map(trouble).collect()
    }

    /// Notes that a relay is down: no node opens a connection to it before `probe_at`.
    pub async fn relay_is_down(
        &self,
        relay: &str,
        reason: &str,
        now: DateTime<Utc>,
        probe_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO relay (relay, since, probe_at, reason) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (relay) DO UPDATE SET probe_at = excluded.probe_at, reason = excluded.reason";
        let values = || args![relay, now, probe_at, reason];
        write!(self.pool, |tx| tx.execute(sql, values()).await.map(|_| ()))
    }

    /// Takes the right to look whether a relay is still down; false when it is not time, or another node has taken it.
    pub async fn may_probe(&self, relay: &str, now: DateTime<Utc>, next: DateTime<Utc>) -> Result<bool, StoreError> {
        let sql = "UPDATE relay SET probe_at = $1 WHERE relay = $2 AND probe_at <= $3";
        write!(self.pool, |tx| Ok(tx.execute(sql, args![next, relay, now]).await? == 1))
    }

    /// Forgets relays that nobody has looked at since: they are not in anyone's configuration any more, or have no mail.
    pub async fn forget_relays(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        // A read first: this is asked every second, and a writer should not be in the way for nothing.
        if self.relay_troubles().await?.iter().all(|trouble| trouble.probe_at >= before) {
            return Ok(());
        }
        let sql = "DELETE FROM relay WHERE probe_at < $1";
        write!(self.pool, |tx| tx.execute(sql, args![before]).await.map(|_| ()))
    }

    /// Notes that a relay works again.
    pub async fn relay_works(&self, relay: &str) -> Result<(), StoreError> {
        write!(self.pool, |tx| tx.execute("DELETE FROM relay WHERE relay = $1", args![relay]).await.map(|_| ()))
    }
}
