//! Errands: who makes a request, and what follows from its answer.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::topics::follow;
use super::{Errand, Settled, millis};
use crate::store::row::{Row, unreadable};
use crate::store::sql::{Fault, Tx, args, write};
use crate::store::{LeaseLost, Store, StoreError};
use crate::types::{NodeId, Secret};
use crate::websub::{Kind, Mode};

/// How many errands to one host are under way at once, on all nodes together: a slow one must not take all the places, and a
/// small one must not be overrun.
const AT_ONE_HOST: i64 = 4;

impl Store {
    /// Leases up to `limit` errands that are due, the oldest first. Expiry is by the database's clock; `now` decides what is due.
    pub async fn lease_errands(
        &self,
        owner: NodeId,
        span: Duration,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Errand>, StoreError> {
        // What is under way comes first in its host's count.
        let sql = "SELECT e.errand, e.kind, e.topic, e.target, e.subscription, e.mode, e.lease_seconds, e.version, e.attempt, \
             e.first_at, e.epoch, COALESCE(s.secret, e.secret) AS secret, s.failing_since, s.expires_at \
             FROM (SELECT errand, lease_until, ROW_NUMBER() OVER (PARTITION BY host ORDER BY \
             CASE WHEN lease_until > {clock} THEN 0 ELSE 1 END, due_at, errand) AS place \
             FROM hub_errand WHERE due_at <= $1) AS due \
             JOIN hub_errand e ON e.errand = due.errand LEFT JOIN hub_subscription s ON s.subscription = e.subscription AND e.kind = 'push' \
             WHERE due.place <= $2 AND due.lease_until <= {clock} ORDER BY e.due_at, e.errand LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.pool.fetch_all(sql, args![now, AT_ONE_HOST, limit]).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = rows.iter().map(|row| errand(row, owner, now)).collect::<Result<Vec<_>, _>>()?;
        // Every node locks them in the same order.
        found.sort_by(|a, b| a.id.cmp(&b.id));
        write!(self.pool, |tx| take(tx, &found, span).await)
    }

    /// Records what came of an errand, and what follows from it, in one transaction.
    pub async fn settle_errand(
        &self,
        errand: &Errand,
        settled: &Settled,
        now: DateTime<Utc>,
    ) -> Result<Result<(), LeaseLost>, StoreError> {
        write!(self.pool, |tx| settle(tx, errand, settled, now).await)
    }
}

fn errand(row: &Row, owner: NodeId, now: DateTime<Utc>) -> Result<Errand, StoreError> {
    let kind =
        row.parsed("kind", |text| Kind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or("no errand"))?;
    let mode = row.maybe_text("mode")?.map(|text| Mode::parse(&text).ok_or_else(|| unreadable("mode", &text)));
    let expires_at = row.maybe_time("expires_at")?;
    let attempt = u32::try_from(row.int("attempt")?).map_err(|error| unreadable("attempt", &error))?;
    Ok(Errand {
        id: row.text("errand")?,
        kind,
        topic: row.text("topic")?,
        target: row.text("target")?,
        subscription: row.text("subscription")?,
        mode: mode.transpose()?,
        secret: row.maybe_text("secret")?.map(Secret::new),
        lease_seconds: row.maybe_int("lease_seconds")?.unwrap_or_default(),
        attempt: attempt + 1,
        failing_since: row.maybe_time("failing_since")?.map_or_else(|| row.time("first_at"), Ok)?,
        wanted: kind != Kind::Push || expires_at.is_some_and(|at| at > now),
        version: row.int("version")?,
        owner,
        epoch: row.int("epoch")? + 1,
    })
}

/// Takes those that nobody else has taken or changed since they were found.
async fn take(tx: &mut Tx, found: &[Errand], span: Duration) -> Result<Vec<Errand>, Fault> {
    let mut taken = Vec::new();
    for errand in found {
        let sql = "UPDATE hub_errand SET owner = $1, epoch = epoch + 1, attempt = attempt + 1, lease_until = {clock} + $2 \
             WHERE errand = $3 AND epoch = $4 AND version = $5 AND lease_until <= {clock}";
        let values = args![errand.owner, millis(span), &errand.id, errand.epoch - 1, errand.version];
        if tx.execute(sql, values).await? == 1 {
            taken.push(errand.clone());
        }
    }
    Ok(taken)
}

async fn settle(
    tx: &mut Tx,
    errand: &Errand,
    settled: &Settled,
    now: DateTime<Utc>,
) -> Result<Result<(), LeaseLost>, Fault> {
    let sql = "UPDATE hub_errand SET lease_until = 0 WHERE errand = $1 AND owner = $2 AND epoch = $3 RETURNING version";
    let Some(row) = tx.fetch_optional(sql, args![&errand.id, errand.owner, errand.epoch]).await? else {
        return Ok(Err(LeaseLost));
    };
    // Something newer became due while this was under way: it stays due, and a verification of what is not asked any more
    // decides nothing.
    let superseded = row.int("version")? != errand.version;
    if superseded && errand.kind == Kind::Verify {
        return Ok(Ok(()));
    }
    match settled {
        Settled::Done(topic) => {
            match (errand.kind, errand.mode, topic) {
                (Kind::Push, ..) => pushed(tx, errand, now).await?,
                (Kind::Verify, Some(Mode::Unsubscribe), _) => end(tx, errand).await?,
                (Kind::Verify, Some(Mode::Subscribe), Some(topic)) => {
                    begin(tx, errand, now).await?;
                    follow(tx, topic, now).await?;
                }
                (Kind::Verify | Kind::Deny | Kind::Ping, ..) => {}
            }
            if !superseded {
                delete(tx, errand).await?;
            }
        }
        Settled::Again { due_at, why } => {
            if errand.kind == Kind::Push {
                let sql = "UPDATE hub_subscription SET failing_since = COALESCE(failing_since, $1), error = $2 WHERE subscription = $3";
                tx.execute(sql, args![now, why, &errand.subscription]).await?;
            }
            if !superseded {
                let sql = "UPDATE hub_errand SET due_at = $1, error = $2 WHERE errand = $3";
                tx.execute(sql, args![*due_at, why, &errand.id]).await?;
            }
        }
        Settled::Over => {
            // A push that nobody wanted any more ends nothing: the reader may have come back since.
            let ends = errand.kind == Kind::Push && errand.wanted;
            if ends {
                end(tx, errand).await?;
            }
            if !superseded || ends {
                delete(tx, errand).await?;
            }
        }
    }
    Ok(Ok(()))
}

async fn delete(tx: &mut Tx, errand: &Errand) -> Result<(), Fault> {
    tx.execute("DELETE FROM hub_errand WHERE errand = $1", args![&errand.id]).await.map(|_| ())
}

async fn pushed(tx: &mut Tx, errand: &Errand, now: DateTime<Utc>) -> Result<(), Fault> {
    let sql = "UPDATE hub_subscription SET pushed_at = $1, failing_since = NULL, error = NULL WHERE subscription = $2";
    tx.execute(sql, args![now, &errand.subscription]).await.map(|_| ())
}

/// A subscription begins, or is renewed with the lease and the secret of this time (section 5.1: each request overrides).
async fn begin(tx: &mut Tx, errand: &Errand, now: DateTime<Utc>) -> Result<(), Fault> {
    let expires_at = now.timestamp_millis().saturating_add(errand.lease_seconds.saturating_mul(1_000));
    let sql = "INSERT INTO hub_subscription (subscription, topic, callback, host, secret, since, expires_at) \
         SELECT subscription, topic, target, host, secret, $1, $2 FROM hub_errand WHERE errand = $3 \
         ON CONFLICT (subscription) DO UPDATE SET secret = excluded.secret, expires_at = excluded.expires_at";
    tx.execute(sql, args![now, expires_at, &errand.id]).await.map(|_| ())
}

async fn end(tx: &mut Tx, errand: &Errand) -> Result<(), Fault> {
    tx.execute("DELETE FROM hub_subscription WHERE subscription = $1", args![&errand.subscription]).await.map(|_| ())
}
