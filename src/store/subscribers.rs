//! Subscribers and their subscriptions: looking them up, ending them, and never mailing an address again.

use chrono::{DateTime, Utc};

use super::membership::{end, gate};
use super::row::{Row, unreadable};
use super::sql::{Fault, Tx, args, write};
use super::{Store, StoreError};
use crate::subscription::{Listed, State, Subscription, SuppressionReason};
use crate::types::{Bucket, CadenceId, EmailAddress, NewsletterId, SubscriberId};

/// Every column of a subscription with its subscriber, as [`subscription`] reads them.
macro_rules! subscription_columns {
    () => {
        "s.newsletter, s.cadence, s.bucket, s.subscriber_id, s.state, s.request, s.requested_at, s.confirmed_at, \
         s.unsubscribed_at, s.fields, p.address"
    };
}

/// A subscriber's subscriptions to a newsletter.
const OF_NEWSLETTER: &str = concat!(
    "SELECT ",
    subscription_columns!(),
    " FROM subscription s JOIN subscriber p ON p.bucket = s.bucket AND p.subscriber_id = s.subscriber_id \
     WHERE s.bucket = $1 AND s.subscriber_id = $2 AND s.newsletter = $3 ORDER BY s.cadence"
);

impl Store {
    /// All subscriptions of a subscriber to a newsletter. An address that cannot be read is `None`, as a removed one: the person
    /// behind it must still be able to leave.
    pub async fn subscriptions(
        &self,
        newsletter: &NewsletterId,
        bucket: Bucket,
        subscriber: SubscriberId,
    ) -> Result<Vec<Subscription>, StoreError> {
        let rows = self.pool.fetch_all(OF_NEWSLETTER, args![bucket, subscriber, newsletter]).await?;
        rows.iter().map(subscription).collect()
    }

    /// Ends every subscription of the subscriber to the newsletter. True when one was pending or confirmed.
    pub async fn unsubscribe(
        &self,
        newsletter: &NewsletterId,
        bucket: Bucket,
        subscriber: SubscriberId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        // A bucket that is not in this database comes from a forged or foreign link: there is nobody to end anything for.
        if !self.has(bucket) {
            return Ok(false);
        }
        write!(self.pool, |tx| {
            let cut = gate(tx, bucket).await?;
            let standing = of_newsletter(tx, newsletter, bucket, subscriber).await?;
            end_all(tx, &standing, "unsubscribed", cut, now).await
        })
    }

    /// Ends all subscriptions of an address and erases the address from the subscriber's row; the ledger keeps the bare id. False when unknown.
    /// A suppression of the address stays: it protects the person.
    pub async fn remove(&self, address: &EmailAddress, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let bucket = address.key().bucket(self.buckets);
        write!(self.pool, |tx| remove(tx, bucket, address, now).await)
    }

    /// Never mail this address again, whatever the newsletter. The first reason stays.
    pub async fn suppress(
        &self,
        address: &EmailAddress,
        reason: SuppressionReason,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let key = address.key();
        let values = || args![key.bucket(self.buckets), key.expose(), reason.as_str(), now];
        let sql =
            "INSERT INTO suppression (bucket, address_key, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        write!(self.pool, |tx| tx.execute(sql, values()).await.map(|_| ()))
    }

    /// Lets an address be mailed again, and gives the reason why it was not; `None` when it was. What came back before does not count any more.
    pub async fn unsuppress(&self, address: &EmailAddress) -> Result<Option<String>, StoreError> {
        let bucket = address.key().bucket(self.buckets);
        write!(self.pool, |tx| unsuppress(tx, bucket, address).await)
    }

    /// A page of subscriptions, in the order of bucket and subscriber, after `after`; of one newsletter, or of all. `limit` counts
    /// subscribers, so that a page never ends in the middle of one's subscriptions; the list is over when a page is empty.
    pub async fn list(
        &self,
        newsletter: Option<&NewsletterId>,
        after: Option<(Bucket, SubscriberId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let sql = concat!(
            "SELECT ",
            subscription_columns!(),
            ", x.reason FROM (SELECT DISTINCT bucket, subscriber_id FROM subscription \
             WHERE (bucket, subscriber_id) > ($1, $2) AND ($3 = '' OR newsletter = $3) \
             ORDER BY bucket, subscriber_id LIMIT $4) AS page \
             JOIN subscription s ON s.bucket = page.bucket AND s.subscriber_id = page.subscriber_id \
             JOIN subscriber p ON p.bucket = s.bucket AND p.subscriber_id = s.subscriber_id \
             LEFT JOIN suppression x ON x.bucket = p.bucket AND x.address_key = p.address_key \
             WHERE ($3 = '' OR s.newsletter = $3) ORDER BY s.bucket, s.subscriber_id, s.newsletter, s.cadence"
        );
        let (bucket, subscriber) = after.map_or((-1, String::new()), |(b, s)| (i64::from(b.number()), s.to_string()));
        let newsletter = newsletter.map_or("", NewsletterId::as_str);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.pool.fetch_all(sql, args![bucket, subscriber, newsletter, limit]).await?;
        let listed = |row: &Row| Ok(Listed { subscription: subscription(row)?, suppressed: row.maybe_text("reason")? });
        rows.iter().map(listed).collect()
    }

    /// Confirmed subscriptions of each cadence of a newsletter.
    pub async fn audience_sizes(&self, newsletter: &NewsletterId) -> Result<Vec<(CadenceId, i64)>, StoreError> {
        let sql = "SELECT m.cadence, COUNT(*) AS members FROM bucket b JOIN membership m ON m.bucket = b.bucket \
             AND m.newsletter = $1 WHERE m.left_after = $2 GROUP BY m.cadence ORDER BY m.cadence";
        let rows = self.pool.fetch_all(sql, args![newsletter, super::membership::EVER]).await?;
        rows.iter().map(|row| Ok((row.cadence()?, row.int("members")?))).collect()
    }
}

async fn unsuppress(tx: &mut Tx, bucket: Bucket, address: &EmailAddress) -> Result<Option<String>, Fault> {
    gate(tx, bucket).await?;
    let Some(reason) = suppression(tx, bucket, address).await? else { return Ok(None) };
    let sql = "DELETE FROM suppression WHERE bucket = $1 AND address_key = $2";
    tx.execute(sql, args![bucket, address.key().expose()]).await?;
    if let Some(subscriber) = find(tx, bucket, address).await? {
        let sql = "UPDATE returned SET counts = 0 WHERE bucket = $1 AND subscriber_id = $2";
        tx.execute(sql, args![bucket, subscriber]).await?;
    }
    Ok(Some(reason))
}

/// Why an address is never mailed.
pub(super) async fn suppression(tx: &mut Tx, bucket: Bucket, address: &EmailAddress) -> Result<Option<String>, Fault> {
    let sql = "SELECT reason FROM suppression WHERE bucket = $1 AND address_key = $2";
    let row = tx.fetch_optional(sql, args![bucket, address.key().expose()]).await?;
    Ok(row.map(|row| row.text("reason")).transpose()?)
}

/// Never mail the address of a subscriber again, if there still is one. The first reason stays.
pub(super) async fn suppress(
    tx: &mut Tx,
    bucket: Bucket,
    subscriber: SubscriberId,
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO suppression (bucket, address_key, reason, at) SELECT bucket, address_key, $1, $2 FROM subscriber \
         WHERE bucket = $3 AND subscriber_id = $4 AND address_key IS NOT NULL ON CONFLICT DO NOTHING";
    tx.execute(sql, args![reason.as_str(), now, bucket, subscriber]).await.map(|_| ())
}

async fn remove(tx: &mut Tx, bucket: Bucket, address: &EmailAddress, now: DateTime<Utc>) -> Result<bool, Fault> {
    let cut = gate(tx, bucket).await?;
    let Some(subscriber) = find(tx, bucket, address).await? else { return Ok(false) };
    let sql = concat!(
        "SELECT ",
        subscription_columns!(),
        " FROM subscription s JOIN subscriber p ON p.bucket = s.bucket AND p.subscriber_id = s.subscriber_id \
         WHERE s.bucket = $1 AND s.subscriber_id = $2 ORDER BY s.newsletter, s.cadence"
    );
    let rows = tx.fetch_all(sql, args![bucket, subscriber]).await?;
    let standing = rows.iter().map(subscription).collect::<Result<Vec<_>, _>>()?;
    end_all(tx, &standing, "removed", cut, now).await?;
    let erase = "UPDATE subscriber SET address = NULL, address_key = NULL WHERE bucket = $1 AND subscriber_id = $2";
    tx.execute(erase, args![bucket, subscriber]).await?;
    Ok(true)
}

/// Ends those that are pending or confirmed; whether there was one.
async fn end_all(
    tx: &mut Tx,
    subscriptions: &[Subscription],
    how: &'static str,
    cut: i64,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let mut any = false;
    for standing in subscriptions.iter().filter(|s| s.state != State::Unsubscribed) {
        end(tx, standing, how, cut, now).await?;
        any = true;
    }
    Ok(any)
}

/// The subscriber with this address.
pub(super) async fn find(tx: &mut Tx, bucket: Bucket, address: &EmailAddress) -> Result<Option<SubscriberId>, Fault> {
    let sql = "SELECT subscriber_id FROM subscriber WHERE bucket = $1 AND address_key = $2";
    let row = tx.fetch_optional(sql, args![bucket, address.key().expose()]).await?;
    Ok(row.map(|row| row.subscriber()).transpose()?)
}

/// A subscriber's subscriptions to a newsletter, within a transaction.
pub(super) async fn of_newsletter(
    tx: &mut Tx,
    newsletter: &NewsletterId,
    bucket: Bucket,
    subscriber: SubscriberId,
) -> Result<Vec<Subscription>, Fault> {
    let rows = tx.fetch_all(OF_NEWSLETTER, args![bucket, subscriber, newsletter]).await?;
    Ok(rows.iter().map(subscription).collect::<Result<_, _>>()?)
}

/// Reads the columns of [`subscription_columns`].
fn subscription(row: &Row) -> Result<Subscription, StoreError> {
    let state = row.text("state")?;
    Ok(Subscription {
        newsletter: row.newsletter()?,
        cadence: row.cadence()?,
        bucket: row.bucket()?,
        subscriber: row.subscriber()?,
        address: row.maybe_text("address")?.and_then(|text| EmailAddress::parse(&text).ok()),
        state: State::parse(&state).ok_or_else(|| unreadable("state", &state))?,
        request: row.int("request")?,
        requested_at: row.time("requested_at")?,
        confirmed_at: row.maybe_time("confirmed_at")?,
        unsubscribed_at: row.maybe_time("unsubscribed_at")?,
        fields: row.json("fields")?,
    })
}
