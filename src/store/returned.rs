//! Mail that came back, and complaints: each is written down once, with what follows for the address.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::membership::gate;
use super::row::Row;
use super::sql::{Fault, Tx, args, rows, write};
use super::subscribers::suppress;
use super::{Noted, Return, Store, StoreError};
use crate::bounce::{self, Blame, Bounce};
use crate::subscription::SuppressionReason;
use crate::types::{EmailAddress, MailingId, Verp};

/// A row of the table `returned`.
struct Entry<'a> {
    kind: &'static str,
    status: &'a str,
    reason: &'a str,
    counts: bool,
}

impl Store {
    /// Writes down that a mail came back. A mailbox that is gone is never mailed again, nor is one whose mail comes back all the time
    /// ([`bounce::is_dead`]).
    pub async fn bounced(&self, verp: &Verp, bounce: &Bounce, now: DateTime<Utc>) -> Result<Noted, StoreError> {
        if !self.has(verp.bucket) {
            return Ok(Noted::Before);
        }
        write!(self.pool, |tx| bounced(tx, verp, bounce, now).await)
    }

    /// Writes down that a reader called a mail spam, and never mails them again.
    pub async fn complained(&self, verp: &Verp, now: DateTime<Utc>) -> Result<Noted, StoreError> {
        if !self.has(verp.bucket) {
            return Ok(Noted::Before);
        }
        write!(self.pool, |tx| complained(tx, verp, now).await)
    }

    /// What came back of mailings, and complaints, by their status, the most frequent first. A mailing of which nothing came back is not in it.
    pub async fn returns(&self, mailings: &[MailingId]) -> Result<BTreeMap<MailingId, Vec<Return>>, StoreError> {
        let sql = "SELECT mailing_id, kind, status, COUNT(*) AS times, MIN(reason) AS example FROM returned \
             WHERE mailing_id IN (SELECT v.value ->> 0 FROM {rows $1} AS v) \
             GROUP BY mailing_id, kind, status ORDER BY times DESC, kind, status";
        let wanted: Vec<_> = mailings.iter().map(|mailing| args![*mailing]).collect();
        let mut returns: BTreeMap<MailingId, Vec<Return>> = BTreeMap::new();
        for row in self.pool.fetch_all(sql, args![rows(&wanted)?]).await? {
            returns.entry(row.mailing()?).or_default().push(Return {
                complaint: row.text("kind")? == "complaint",
                status: row.text("status")?,
                example: row.text("example")?,
                times: row.int("times")?,
            });
        }
        Ok(returns)
    }
}

async fn bounced(tx: &mut Tx, verp: &Verp, bounce: &Bounce, now: DateTime<Utc>) -> Result<Noted, Fault> {
    gate(tx, verp.bucket).await?;
    let sql = "SELECT address FROM subscriber WHERE bucket = $1 AND subscriber_id = $2";
    let Some(row) = tx.fetch_optional(sql, args![verp.bucket, verp.subscriber]).await? else {
        return Ok(Noted::Before);
    };
    let address = row.maybe_text("address")?.and_then(|text| EmailAddress::parse(&text).ok());
    let Some(failure) = bounce.of(address.as_ref()) else { return Ok(Noted::Before) };
    let blame = failure.blame(address.as_ref());
    let (class, subject, detail) = failure.status;
    let status = format!("{class}.{subject}.{detail}");
    let entry = Entry { kind: "bounce", status: &status, reason: &failure.text, counts: blame != Blame::Us };
    if !insert(tx, verp, &entry, now).await? {
        return Ok(Noted::Before);
    }
    let is_over = match blame {
        Blame::Gone => true,
        Blame::Mailbox => bounce::is_dead(&history(tx, verp).await?),
        Blame::Us => false,
    };
    if is_over {
        suppress(tx, verp.bucket, verp.subscriber, SuppressionReason::Bounce, now).await?;
    }
    Ok(if is_over { Noted::Suppressed } else { Noted::Now })
}

async fn complained(tx: &mut Tx, verp: &Verp, now: DateTime<Utc>) -> Result<Noted, Fault> {
    gate(tx, verp.bucket).await?;
    let entry = Entry { kind: "complaint", status: "", reason: "", counts: false };
    if !insert(tx, verp, &entry, now).await? {
        return Ok(Noted::Before);
    }
    suppress(tx, verp.bucket, verp.subscriber, SuppressionReason::Complaint, now).await?;
    Ok(Noted::Suppressed)
}

/// Whether it is new, and about somebody.
async fn insert(tx: &mut Tx, verp: &Verp, entry: &Entry<'_>, now: DateTime<Utc>) -> Result<bool, Fault> {
    let sql = "INSERT INTO returned (bucket, subscriber_id, mailing_id, kind, at, status, reason, counts) \
         SELECT bucket, subscriber_id, $1, $2, $3, $4, $5, $6 FROM subscriber \
         WHERE bucket = $7 AND subscriber_id = $8 ON CONFLICT DO NOTHING";
    let Entry { kind, status, reason, counts } = *entry;
    let values = args![verp.mailing, kind, now, status, reason, counts, verp.bucket, verp.subscriber];
    Ok(tx.execute(sql, values).await? == 1)
}

/// The mailings that a relay took for this person, from the one of the bounce back: when each opened, and whether it came back. A later
/// one may still come back, and says nothing yet.
async fn history(tx: &mut Tx, verp: &Verp) -> Result<Vec<(DateTime<Utc>, bool)>, Fault> {
    let sql = "SELECT m.opened_at, (SELECT COUNT(*) FROM returned r WHERE r.bucket = $1 AND r.subscriber_id = $2 \
         AND r.mailing_id = m.mailing_id AND r.kind = 'bounce' AND r.counts = 1) AS back \
         FROM mailing m JOIN delivery d ON d.bucket = $1 AND d.mailing_id = m.mailing_id AND d.subscriber_id = $2 \
         WHERE d.event = 'accepted' AND m.state IN ('open', 'paused', 'finished', 'cancelled') \
         AND m.kind IN ('digest', 'correction') \
         AND m.opened_at <= (SELECT t.opened_at FROM mailing t WHERE t.mailing_id = $3) \
         ORDER BY m.opened_at DESC, m.mailing_id LIMIT $4";
    let limit = i64::try_from(bounce::HISTORY).unwrap_or(i64::MAX);
    let rows = tx.fetch_all(sql, args![verp.bucket, verp.subscriber, verp.mailing, limit]).await?;
    let read = |row: &Row| Ok((row.time("opened_at")?, row.int("back")? > 0));
    Ok(rows.iter().map(read).collect::<Result<_, StoreError>>()?)
}
