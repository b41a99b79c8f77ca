//! Requests to subscribe and unsubscribe, with their limits; what operators see; what is over.

use aws_lc_rs::digest;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{Asked, FailingView, HubLimits, TopicView};
use crate::store::row::Row;
use crate::store::sql::{Fault, Tx, args, write};
use crate::store::{Store, StoreError};
use crate::types::base32;
use crate::websub::{Mode, Request};

/// The name under which all requests are counted; no host has it.
const EVERYBODY: &str = "*";

impl Store {
    /// Notes that a request to the hub is to be verified, unless that is too much.
    pub async fn ask_hub(
        &self,
        request: &Request,
        limits: &HubLimits,
        now: DateTime<Utc>,
    ) -> Result<Asked, StoreError> {
        write!(self.pool, |tx| ask(tx, request, limits, now).await)
    }

    /// Ends subscriptions whose lease is over, and forgets counts of windows that began before `counted_since`.
    pub async fn expire_hub(&self, counted_since: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        write!(self.pool, |tx| {
            tx.execute("DELETE FROM hub_quota WHERE window_at < $1", args![counted_since]).await?;
            tx.execute("DELETE FROM hub_subscription WHERE expires_at <= $1", args![now]).await
        })
    }

    /// Every topic with its subscriptions, by URL.
    pub async fn hub_topics(&self, now: DateTime<Utc>) -> Result<Vec<TopicView>, StoreError> {
        let sql = "SELECT topic, COUNT(*) AS subscriptions, SUM(CASE WHEN failing_since IS NULL THEN 0 ELSE 1 END) AS failing \
             FROM hub_subscription WHERE expires_at > $1 GROUP BY topic ORDER BY topic";
        let view = |row: &Row| {
            let (subscriptions, failing) = (row.int("subscriptions")?, row.int("failing")?);
            Ok(TopicView { topic: row.text("topic")?, subscriptions, failing })
        };
        self.pool.fetch_all(sql, args![now]).await?.iter().map(view).collect()
    }

    /// Subscriptions whose pushes fail, those that have failed longest first; then pings of hubs elsewhere.
    pub async fn hub_failing(&self, limit: usize) -> Result<(Vec<FailingView>, Vec<FailingView>), StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let pushes = "SELECT topic, host, failing_since AS since, error FROM hub_subscription \
             WHERE failing_since IS NOT NULL ORDER BY failing_since, subscription LIMIT $1";
        let pings = "SELECT topic, host, first_at AS since, error FROM hub_errand \
             WHERE kind = 'ping' AND error IS NOT NULL ORDER BY first_at, errand LIMIT $1";
        let view = |row: &Row| {
            let (topic, host) = (row.text("topic")?, row.text("host")?);
            Ok(FailingView {
                topic,
                host,
                since: row.time("since")?,
                error: row.maybe_text("error")?.unwrap_or_default(),
            })
        };
        let pushes =
            self.pool.fetch_all(pushes, args![limit]).await?.iter().map(view).collect::<Result<_, StoreError>>()?;
        let pings =
            self.pool.fetch_all(pings, args![limit]).await?.iter().map(view).collect::<Result<_, StoreError>>()?;
        Ok((pushes, pings))
    }
}

/// The key of a subscription, and behind its kind of an errand: topic and target can be longer than an index takes.
pub(super) fn key(topic: &str, target: &str) -> String {
    // No URL has a line break.
    let hash = digest::digest(&digest::SHA256, format!("{topic}\n{target}").as_bytes());
    base32(hash.as_ref())
}

async fn ask(tx: &mut Tx, request: &Request, limits: &HubLimits, now: DateTime<Utc>) -> Result<Asked, Fault> {
    let Request { mode, topic, callback, lease, secret } = request;
    let (host, target) = (callback.host(), callback.url().as_str());
    let subscription = key(topic, target);
    let errand = format!("verify:{subscription}");
    let known = "SELECT subscription FROM hub_subscription WHERE subscription = $1";
    let known = tx.fetch_optional(known, args![&subscription]).await?.is_some();
    let asked = "SELECT errand FROM hub_errand WHERE errand = $1";
    if *mode == Mode::Unsubscribe && !known && tx.fetch_optional(asked, args![&errand]).await?.is_none() {
        return Ok(Asked::NotSubscribed);
    }
    // Who is subscribed can always renew, whatever strangers are doing.
    if !known && !count(tx, EVERYBODY, limits.requests, limits, now).await? {
        return Ok(Asked::Busy);
    }
    if !count(tx, &host, limits.host_requests, limits, now).await? {
        return Ok(Asked::Busy);
    }
    if *mode == Mode::Subscribe && !known && is_full(tx, topic, &host, limits).await? {
        return Ok(Asked::Full);
    }
    let sql = "INSERT INTO hub_errand (errand, kind, topic, target, host, subscription, mode, secret, lease_seconds, version, \
         attempt, first_at, due_at, owner, epoch, lease_until) VALUES ($1, 'verify', $2, $3, $4, $5, $6, $7, $8, 1, 0, $9, $9, '', 0, 0) \
         ON CONFLICT (errand) DO UPDATE SET mode = excluded.mode, secret = excluded.secret, \
         lease_seconds = excluded.lease_seconds, version = hub_errand.version + 1, attempt = 0, \
         first_at = excluded.first_at, due_at = excluded.due_at, error = NULL";
    let secret = secret.as_ref().map(|secret| secret.expose());
    tx.execute(sql, args![errand, topic, target, host, subscription, mode.as_str(), secret, *lease, now]).await?;
    Ok(Asked::Accepted)
}

/// Counts one request under a name; false when the running window is used up.
async fn count(tx: &mut Tx, name: &str, most: i64, limits: &HubLimits, now: DateTime<Utc>) -> Result<bool, Fault> {
    let window =
        TimeDelta::from_std(limits.window).ok().and_then(|window| now.duration_trunc(window).ok()).unwrap_or(now);
    let sql = "INSERT INTO hub_quota (name, window_at, used) VALUES ($1, $2, 1) ON CONFLICT (name) DO UPDATE SET \
         used = CASE WHEN hub_quota.window_at = excluded.window_at THEN hub_quota.used + 1 ELSE 1 END, \
         window_at = excluded.window_at WHERE hub_quota.window_at <> excluded.window_at OR hub_quota.used < $3";
    Ok(tx.execute(sql, args![name, window, most]).await? == 1)
}

/// Whether one more subscription would be too much; those that are not verified yet count too.
async fn is_full(tx: &mut Tx, topic: &str, host: &str, limits: &HubLimits) -> Result<bool, Fault> {
    let of_topic = "SELECT (SELECT COUNT(*) FROM hub_subscription WHERE topic = $1) \
         + (SELECT COUNT(*) FROM hub_errand WHERE kind = 'verify' AND topic = $1) AS used";
    let of_host = "SELECT (SELECT COUNT(*) FROM hub_subscription WHERE host = $1) \
         + (SELECT COUNT(*) FROM hub_errand WHERE kind = 'verify' AND host = $1) AS used";
    for (sql, name, most) in [(of_topic, topic, limits.topic), (of_host, host, limits.host)] {
        let used = tx.fetch_optional(sql, args![name]).await?.map(|row| row.int("used")).transpose()?;
        if used.is_some_and(|used| used >= most) {
            return Ok(true);
        }
    }
    Ok(false)
}
