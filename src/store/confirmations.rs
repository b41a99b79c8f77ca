//! Confirmations: mailings of one. Which are paused, and how they and what nobody confirmed are forgotten.

use chrono::{DateTime, Utc};

use super::membership::{Member, gate, note};
use super::row::Row;
use super::sql::{Fault, Tx, args, write};
use super::{PausedConfirmations, Store, StoreError};
use crate::types::{Bucket, CadenceId, MailingId, NewsletterId, SubscriberId};

/// How many are looked for at once.
const FORGET: i64 = 100;

/// A confirmation whose time is over.
struct Old {
    mailing: MailingId,
    bucket: Bucket,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    cadence: CadenceId,
    request: i64,
}

impl Store {
    /// `Paused -> Open` for every confirmation; how many. One whose request is not the last any more is skipped when its turn comes.
    pub async fn resume_confirmations(&self) -> Result<u64, StoreError> {
        let sql = "UPDATE mailing SET state = 'open', reason = NULL WHERE state = 'paused' AND kind = 'confirmation'";
        write!(self.pool, |tx| tx.execute(sql, args![]).await)
    }

    /// Confirmations that are paused, for each newsletter that has some.
    pub async fn paused_confirmations(&self) -> Result<Vec<PausedConfirmations>, StoreError> {
        let sql = "SELECT newsletter, COUNT(*) AS people, MIN(opened_at) AS since, MIN(reason) AS reason FROM mailing \
             WHERE state = 'paused' AND kind = 'confirmation' GROUP BY newsletter ORDER BY newsletter";
        let read = |row: &Row| {
            Ok(PausedConfirmations {
                newsletter: row.newsletter()?.to_string(),
                people: row.int("people")?,
                since: row.time("since")?,
                reason: row.maybe_text("reason")?.unwrap_or_default(),
            })
        };
        self.pool.fetch_all(sql, args![]).await?.iter().map(read).collect()
    }

    /// Forgets confirmations that were opened before `before` and are not under way, with their batches, deliveries and bounces; how many. A request that
    /// nobody confirmed ends with its confirmation, and the address of a person who has nothing else here is erased.
    pub async fn forget_confirmations(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let sql = "SELECT m.mailing_id, m.newsletter, m.cadence, m.request, b.bucket, b.first_subscriber AS subscriber_id \
             FROM mailing m JOIN batch b ON b.mailing_id = m.mailing_id \
             WHERE m.state IN ('finished', 'paused', 'cancelled') AND m.kind = 'confirmation' AND m.opened_at < $1 \
             ORDER BY b.bucket, m.opened_at, m.mailing_id LIMIT $2";
        let mut forgotten = 0;
        loop {
            let rows = self.pool.fetch_all(sql, args![before, FORGET]).await?;
            let old = rows.iter().map(old).collect::<Result<Vec<_>, StoreError>>()?;
            if old.is_empty() {
                return Ok(forgotten);
            }
            // One bucket at a time: whoever held the gates of two would wait in a circle with another.
            for of_bucket in old.chunk_by(|a, b| a.bucket == b.bucket) {
                forgotten += write!(self.pool, |tx| forget(tx, of_bucket, now).await)?;
            }
        }
    }
}

fn old(row: &Row) -> Result<Old, StoreError> {
    Ok(Old {
        mailing: row.mailing()?,
        bucket: row.bucket()?,
        subscriber: row.subscriber()?,
        newsletter: row.newsletter()?,
        cadence: row.cadence()?,
        request: row.int("request")?,
    })
}

async fn forget(tx: &mut Tx, old: &[Old], now: DateTime<Utc>) -> Result<u64, Fault> {
    let mut forgotten = 0;
    if let Some(first) = old.first() {
        gate(tx, first.bucket).await?;
    }
    for old in old {
        for table in [
            "DELETE FROM delivery WHERE bucket = $1 AND mailing_id = $2",
            "DELETE FROM batch WHERE bucket = $1 AND mailing_id = $2",
            "DELETE FROM returned WHERE bucket = $1 AND mailing_id = $2",
        ] {
            tx.execute(table, args![old.bucket, old.mailing]).await?;
        }
        forgotten += tx.execute("DELETE FROM mailing WHERE mailing_id = $1", args![old.mailing]).await?;
        lapse(tx, old, now).await?;
    }
    Ok(forgotten)
}

/// Ends a request that nobody confirmed. Who had left before is remembered as having left; who never was here is nobody's business.
async fn lapse(tx: &mut Tx, old: &Old, now: DateTime<Utc>) -> Result<(), Fault> {
    let Old { mailing: _, bucket, subscriber, newsletter, cadence, request } = old;
    let sql = "UPDATE subscription SET state = 'unsubscribed', fields = '{}' WHERE bucket = $1 AND subscriber_id = $2 \
         AND newsletter = $3 AND cadence = $4 AND state = 'pending' AND request = $5";
    if tx.execute(sql, args![*bucket, *subscriber, newsletter, cadence, *request]).await? == 0 {
        return Ok(());
    }
    let member = Member { newsletter, bucket: *bucket, subscriber: *subscriber };
    note(tx, member, cadence, *request, "lapsed", None, now).await?;
    let sql = "UPDATE subscriber SET address = NULL, address_key = NULL WHERE bucket = $1 AND subscriber_id = $2 \
         AND (SELECT COUNT(*) FROM subscription s WHERE s.bucket = $1 AND s.subscriber_id = $2 \
         AND (s.state IN ('pending', 'confirmed') OR s.unsubscribed_at IS NOT NULL)) = 0";
    tx.execute(sql, args![*bucket, *subscriber]).await.map(|_| ())
}
