//! Topics: what was distributed last, and the fan-out of what is new.

use chrono::{DateTime, Utc};

use super::Topic;
use super::subscriptions::key;
use crate::store::row::Row;
use crate::store::sql::{Fault, Tx, args, write};
use crate::store::{Store, StoreError};

impl Store {
    /// A number that grows with every change of any source, on whichever node it is read. Feeds that are read after it are at
    /// least as new as it says.
    pub async fn sources_version(&self) -> Result<i64, StoreError> {
        // Added up here: the sum of BIGINT has a type of its own on PostgreSQL.
        let rows = self.pool.fetch_all("SELECT changed_at FROM source", args![]).await?;
        rows.iter().try_fold(0_i64, |sum, row| Ok(sum.wrapping_add(row.int("changed_at")?)))
    }

    /// Topics that were last compared with an older version than this.
    pub async fn topics_behind(&self, version: i64) -> Result<Vec<Topic>, StoreError> {
        let sql = "SELECT topic, hash, version FROM hub_topic WHERE version < $1 ORDER BY topic";
        self.pool.fetch_all(sql, args![version]).await?.iter().map(topic).collect()
    }

    /// Topics that no node has found to be there since then, with the time when one did last.
    pub async fn topics_unseen(&self, since: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let sql = "SELECT topic, seen_at FROM hub_topic WHERE seen_at < $1 ORDER BY topic";
        let rows = self.pool.fetch_all(sql, args![since]).await?;
        rows.iter().map(|row| Ok((row.text("topic")?, row.time("seen_at")?))).collect()
    }

    /// Notes that the topic is there.
    pub async fn see_topic(&self, topic: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE hub_topic SET seen_at = $1 WHERE topic = $2 AND seen_at < $1";
        write!(self.pool, |tx| tx.execute(sql, args![now, topic]).await.map(|_| ()))
    }

    /// Begins to follow a topic from what it is now; what is followed already stays as it is.
    pub async fn follow_topic(&self, topic: &Topic, now: DateTime<Utc>) -> Result<(), StoreError> {
        write!(self.pool, |tx| follow(tx, topic, now).await)
    }

    /// Notes what a topic is now. When it is new, everything that follows from it becomes due in the same transaction: a push
    /// to each subscriber, a ping to each of `hubs` (URL and host). True for the one node that was first.
    pub async fn distribute(
        &self,
        topic: &Topic,
        hubs: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        write!(self.pool, |tx| distribute(tx, topic, hubs, now).await)
    }

    /// Ends a topic that is not there any more: its subscribers are told. False when a node has found it since `unseen_since`.
    pub async fn retire_topic(
        &self,
        topic: &str,
        unseen_since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        write!(self.pool, |tx| retire(tx, topic, unseen_since, now).await)
    }
}

fn topic(row: &Row) -> Result<Topic, StoreError> {
    Ok(Topic { url: row.text("topic")?, hash: row.text("hash")?, version: row.int("version")? })
}

pub(super) async fn follow(tx: &mut Tx, topic: &Topic, now: DateTime<Utc>) -> Result<(), Fault> {
    let sql = "INSERT INTO hub_topic (topic, hash, version, seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    tx.execute(sql, args![&topic.url, &topic.hash, topic.version, now]).await.map(|_| ())
}

async fn distribute(tx: &mut Tx, topic: &Topic, hubs: &[(String, String)], now: DateTime<Utc>) -> Result<bool, Fault> {
    let Topic { url, hash, version } = topic;
    let sql =
        "UPDATE hub_topic SET hash = $1, version = $2, seen_at = $3 WHERE topic = $4 AND version < $2 AND hash <> $1";
    if tx.execute(sql, args![hash, *version, now, url]).await? == 0 {
        let sql = "UPDATE hub_topic SET version = $1, seen_at = $2 WHERE topic = $3 AND version < $1";
        tx.execute(sql, args![*version, now, url]).await?;
        return Ok(false);
    }
    let sql = "INSERT INTO hub_errand (errand, kind, topic, target, host, subscription, version, attempt, first_at, due_at, owner, \
         epoch, lease_until) SELECT 'push:' || subscription, 'push', topic, callback, host, subscription, 1, 0, $1, $1, '', 0, 0 \
         FROM hub_subscription WHERE topic = $2 AND expires_at > $1 ON CONFLICT (errand) DO UPDATE SET \
         version = hub_errand.version + 1, attempt = 0, first_at = excluded.first_at, due_at = excluded.due_at, error = NULL";
    tx.execute(sql, args![now, url]).await?;
    for (hub, host) in hubs {
        let sql = "INSERT INTO hub_errand (errand, kind, topic, target, host, subscription, version, attempt, first_at, due_at, \
             owner, epoch, lease_until) VALUES ($1, 'ping', $2, $3, $4, '', 1, 0, $5, $5, '', 0, 0) ON CONFLICT (errand) \
             DO UPDATE SET version = hub_errand.version + 1, attempt = 0, first_at = excluded.first_at, \
             due_at = excluded.due_at, error = NULL";
        tx.execute(sql, args![format!("ping:{}", key(url, hub)), url, hub, host, now]).await?;
    }
    Ok(true)
}

async fn retire(tx: &mut Tx, topic: &str, unseen_since: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, Fault> {
    let sql = "DELETE FROM hub_topic WHERE topic = $1 AND seen_at < $2";
    if tx.execute(sql, args![topic, unseen_since]).await? == 0 {
        return Ok(false);
    }
    tx.execute("DELETE FROM hub_errand WHERE topic = $1", args![topic]).await?;
    let sql = "INSERT INTO hub_errand (errand, kind, topic, target, host, subscription, version, attempt, first_at, due_at, owner, \
         epoch, lease_until) SELECT 'deny:' || subscription, 'deny', topic, callback, host, subscription, 1, 0, $1, $1, '', 0, 0 \
         FROM hub_subscription WHERE topic = $2 AND expires_at > $1";
    tx.execute(sql, args![now, topic]).await?;
    tx.execute("DELETE FROM hub_subscription WHERE topic = $1", args![topic]).await?;
    Ok(true)
}
