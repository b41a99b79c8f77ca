//! Deliveries in doubt, for operators: the list, and settling what is held or left by a dead node.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::batches::millis;
use super::books::{BOOKS, books};
use super::row::{Row, unreadable};
use super::sql::{Fault, Tx, args, write};
use super::{Doubt, DoubtState, Settlement, Store, StoreError};
use crate::types::{EmailAddress, MailingId, SubscriberId};

impl Store {
    /// Attempts of a mailing that were handed and have no recorded reply, in the order of bucket, subscriber and attempt, at most `limit`: in flight, in
    /// doubt, held, or sent again since. After a crash this is the exact list of what may have been delivered twice.
    pub async fn doubts(&self, mailing: MailingId, limit: usize) -> Result<Vec<(SubscriberId, u32)>, StoreError> {
        let doubts = self.doubt_list(mailing, limit).await?;
        Ok(doubts.into_iter().map(|doubt| (doubt.subscriber, doubt.attempt)).collect())
    }

    /// The same with what became of each.
    pub async fn doubt_list(&self, mailing: MailingId, limit: usize) -> Result<Vec<Doubt>, StoreError> {
        let sql = "SELECT d.bucket, d.mailing_id, d.subscriber_id, d.attempt, d.at, s.address, \
             (SELECT MAX(e.event) FROM delivery e WHERE e.bucket = d.bucket AND e.mailing_id = d.mailing_id \
              AND e.subscriber_id = d.subscriber_id AND e.attempt = d.attempt AND e.step = 1) AS event, \
             (SELECT MAX(e.attempt) FROM delivery e WHERE e.bucket = d.bucket AND e.mailing_id = d.mailing_id \
              AND e.subscriber_id = d.subscriber_id) AS last \
             FROM bucket b JOIN delivery d ON d.bucket = b.bucket AND d.mailing_id = $1 \
             LEFT JOIN subscriber s ON s.bucket = d.bucket AND s.subscriber_id = d.subscriber_id \
             WHERE d.step = 0 AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.bucket = d.bucket \
             AND e.mailing_id = d.mailing_id AND e.subscriber_id = d.subscriber_id AND e.attempt = d.attempt \
             AND e.event IN ('accepted', 'deferred', 'refused')) ORDER BY d.bucket, d.subscriber_id, d.attempt LIMIT $2";
        let rows = self.pool.fetch_all(sql, args![mailing, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        rows.iter().map(doubt).collect()
    }

    /// Mailings that have something held in doubt or handed without an answer, newest first.
    pub async fn doubtful_mailings(&self) -> Result<Vec<MailingId>, StoreError> {
        let sql = "SELECT m.mailing_id FROM mailing m WHERE m.held > 0 OR (m.state IN ('open', 'paused') AND EXISTS \
             (SELECT 1 FROM bucket b JOIN delivery d ON d.bucket = b.bucket AND d.mailing_id = m.mailing_id \
              WHERE d.step = 0 AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.bucket = d.bucket \
              AND e.mailing_id = d.mailing_id AND e.subscriber_id = d.subscriber_id AND e.attempt = d.attempt \
              AND e.event IN ('accepted', 'deferred', 'refused')))) ORDER BY m.opened_at DESC";
        self.pool.fetch_all(sql, args![]).await?.iter().map(Row::mailing).collect()
    }

    /// Settles a doubt that is held, or open with no node at work on its batch. False, and nothing is written, when a node works on it now, or it is
    /// settled or sent again already. A finished mailing's books are written anew; one that has something to send again is opened again.
    pub async fn settle(&self, doubt: &Doubt, settlement: &Settlement, now: DateTime<Utc>) -> Result<bool, StoreError> {
        write!(self.pool, |tx| {
            let settled = settle(tx, doubt, settlement, now).await?;
            if !settled {
                tx.undo();
            }
            Ok(settled)
        })
    }
}

async fn settle(tx: &mut Tx, doubt: &Doubt, settlement: &Settlement, now: DateTime<Utc>) -> Result<bool, Fault> {
    if !lock_batch(tx, doubt).await? {
        return Ok(false);
    }
    // What a node that died left open is first written down as held, as the next owner would under the policy `hold`.
    let Doubt { bucket, mailing, subscriber, attempt, .. } = doubt;
    let key = || args![*bucket, *mailing, *subscriber, *attempt];
    let sql = "INSERT INTO delivery (bucket, mailing_id, subscriber_id, attempt, step, event, at, epoch) \
         SELECT $1, $2, $3, $4, 1, 'held', d.at, d.epoch FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = $3 AND d.attempt = $4 AND d.step = 0 AND NOT EXISTS (SELECT 1 FROM delivery e \
         WHERE e.bucket = $1 AND e.mailing_id = $2 AND e.subscriber_id = $3 \
         AND (e.attempt > $4 OR (e.attempt = $4 AND e.step = 1))) ON CONFLICT DO NOTHING";
    tx.execute(sql, key()).await?;
    let (event, code, text, again) = match settlement {
        Settlement::Delivered(evidence) => ("accepted", Some(250), evidence, false),
        Settlement::Resend => ("released", None, &String::new(), true),
    };
    let sql = "UPDATE delivery SET event = $5, code = $6, reply = $7, at = $8 WHERE bucket = $1 AND mailing_id = $2 \
         AND subscriber_id = $3 AND attempt = $4 AND step = 1 AND event = 'held'";
    let mut values = key();
    values.extend(args![event, code, text, now]);
    if tx.execute(sql, values).await? == 0 {
        return Ok(false);
    }
    if again {
        let sql = "INSERT INTO retry (bucket, mailing_id, subscriber_id, attempt, due_at, first_at) \
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING";
        let mut values = key();
        values.extend(args![now]);
        tx.execute(sql, values).await?;
    }
    reopen(tx, doubt, again).await?;
    Ok(true)
}

/// Locks the batch of a doubt until the transaction ends; false while a node works on it.
async fn lock_batch(tx: &mut Tx, doubt: &Doubt) -> Result<bool, Fault> {
    let sql = "UPDATE batch SET epoch = epoch WHERE bucket = $1 AND mailing_id = $2 AND first_subscriber <= $3 \
         AND last_subscriber >= $3 AND (state <> 'leased' OR lease_until <= {clock} - $4)";
    // A node that was suspended may still write until someone has taken its lease; leave it a moment.
    let grace = millis(Duration::from_secs(1));
    Ok(tx.execute(sql, args![doubt.bucket, doubt.mailing, doubt.subscriber, grace]).await? == 1)
}

/// Makes the batch and the mailing follow: free and open when there is something to send, else the books of a finished mailing.
async fn reopen(tx: &mut Tx, doubt: &Doubt, again: bool) -> Result<(), Fault> {
    let Doubt { bucket, mailing, subscriber, .. } = doubt;
    if again {
        // The next lease has a new epoch, so whoever held it before can write no more.
        let sql = "UPDATE batch SET state = 'free', due_at = 0 WHERE bucket = $1 AND mailing_id = $2 \
             AND first_subscriber <= $3 AND last_subscriber >= $3";
        tx.execute(sql, args![*bucket, *mailing, *subscriber]).await?;
        let sql = "UPDATE mailing SET state = 'open', finished_at = NULL, audience = NULL, accepted = NULL, refused = NULL, \
             skipped = NULL, held = NULL WHERE mailing_id = $1 AND state = 'finished'";
        tx.execute(sql, args![*mailing]).await?;
        return Ok(());
    }
    let Some(row) = tx.fetch_optional(BOOKS, args![*mailing]).await? else { return Ok(()) };
    let counted = books(&row)?;
    let sql = "UPDATE mailing SET accepted = $1, held = $2 WHERE mailing_id = $3 AND state = 'finished'";
    tx.execute(sql, args![counted.accepted, counted.held, *mailing]).await.map(|_| ())
}

fn doubt(row: &Row) -> Result<Doubt, StoreError> {
    let attempt = u32::try_from(row.int("attempt")?).map_err(|error| unreadable("attempt", &error))?;
    let address = row.maybe_text("address")?;
    let state = match (row.maybe_text("event")?.as_deref(), row.int("last")? > i64::from(attempt)) {
        (_, true) => DoubtState::SentAgain,
        (Some("held"), _) => DoubtState::Held,
        (Some("released"), _) => DoubtState::Waits,
        (_, _) => DoubtState::Open,
    };
    Ok(Doubt {
        bucket: row.bucket()?,
        mailing: row.mailing()?,
        subscriber: row.subscriber()?,
        // One that cannot be read is shown by its number alone.
        address: address.and_then(|address| EmailAddress::parse(&address).ok()),
        attempt,
        handed_at: row.time("at")?,
        state,
    })
}
