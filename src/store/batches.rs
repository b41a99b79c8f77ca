//! Leases of batches, and who is next in one.
//!
//! A lease has an owner, an epoch that counts the owners, and an expiry by the database's clock. It is found by an unlocked read
//! over all buckets and taken by a guarded update that names one. Readers below go by key within the leased range.

use std::sync::PoisonError;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::row::{Row, unreadable};
use super::sql::{Change, Fault, Tx, Value, args, rows, write};
use super::{Closed, Lane, Lease, LeaseLost, Pending, Store, StoreError};
use crate::types::{NewsletterId, NodeId, SubscriberId};

/// Candidates looked at for one lease: more than there are nodes that could take the first ones at the same moment.
const CANDIDATES: i64 = 64;

/// A batch that may be leased at `$1`, as columns of `batch`.
macro_rules! leasable {
    ($at:literal) => {
        concat!(
            "((batch.state = 'free' AND batch.due_at <= ",
            $at,
            ") OR (batch.state = 'leased' AND batch.lease_until <= {clock}))"
        )
    };
}

impl Store {
    /// Leases a batch of an open mailing that is free, expired or due again: corrections first, then the mailing whose turn is longest ago, so that
    /// mailings share fairly. Mailings of the newsletters `but` are left alone. Expiry is by the database's clock; `now` decides what is due.
    pub async fn lease(
        &self,
        owner: NodeId,
        lane: Lane,
        but: &[NewsletterId],
        span: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Lease>, StoreError> {
        self.free_loose().await?;
        let sql = concat!(
            "SELECT batch.bucket, batch.mailing_id, batch.batch, batch.epoch, batch.due_at, m.kind FROM mailing m \
             JOIN batch ON batch.mailing_id = m.mailing_id WHERE m.state = 'open' \
             AND (m.kind = 'confirmation') = ($3 = 'confirmation') AND ",
            leasable!("$1"),
            " AND m.newsletter NOT IN (SELECT v.value ->> 0 FROM {rows $4} AS v) \
             ORDER BY m.kind, m.turn, m.opened_at, m.mailing_id, batch.due_at, batch.bucket, batch.batch LIMIT $2"
        );
        let kind = match lane {
            Lane::Confirmations => "confirmation",
            Lane::Digests => "digest",
        };
        let but: Vec<_> = but.iter().map(|newsletter| args![newsletter]).collect();
        let mut candidates = self.pool.fetch_all(sql, args![now, CANDIDATES, kind, rows(&but)?]).await?;
        let equals = leading_equals(&candidates)?;
        if let Some(run) = candidates.get_mut(..equals) {
            run.rotate_left(owner.bytes().iter().fold(0, |n, byte| n * 31 + usize::from(*byte)) % equals.max(1));
        }
        for candidate in candidates {
            if let Some(lease) = self.take(&candidate, owner, span, now).await? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }

    /// Takes a candidate, unless another node was faster.
    async fn take(
        &self,
        candidate: &Row,
        owner: NodeId,
        span: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Lease>, StoreError> {
        let (bucket, mailing) = (candidate.bucket()?, candidate.mailing()?);
        let (batch, epoch) = (candidate.int("batch")?, candidate.int("epoch")?);
        let sql = concat!(
            "UPDATE batch SET state = 'leased', owner = $1, epoch = epoch + 1, lease_until = {clock} + $2 \
             WHERE bucket = $3 AND mailing_id = $4 AND batch = $5 AND epoch = $6 AND ",
            leasable!("$7"),
            " RETURNING epoch, first_subscriber, last_subscriber"
        );
        let turn = "UPDATE mailing SET turn = {clock} WHERE mailing_id = $1 AND kind <> 'confirmation'";
        let values = || args![owner, millis(span), bucket, mailing, batch, epoch, now];
        let row: Result<_, StoreError> = write!(self.pool, |tx| {
            let taken = tx.fetch_optional(sql, values()).await?;
            if taken.is_some() {
                tx.execute(turn, args![mailing]).await?;
            }
            Ok(taken)
        });
        let row = row.inspect_err(|_| {
            // It may have been committed all the same.
            let (first, last) = (String::new(), String::new());
            self.loosen(Lease { bucket, mailing, batch, first, last, owner, epoch: epoch + 1 });
        })?;
        row.map(|row| {
            let (first, last) = (row.text("first_subscriber")?, row.text("last_subscriber")?);
            Ok(Lease { bucket, mailing, batch, first, last, owner, epoch: row.int("epoch")? })
        })
        .transpose()
    }

    /// Renews a lease. `Err(LeaseLost)` inside `Ok` when it is another's, or the mailing is not open any more.
    pub async fn renew(&self, lease: &Lease, span: Duration) -> Result<Result<(), LeaseLost>, StoreError> {
        write!(self.pool, |tx| {
            let sql = "SELECT state FROM mailing WHERE mailing_id = $1 AND state = 'open'";
            let open = tx.fetch_optional(sql, args![lease.mailing]).await?.is_some();
            Ok(if open && hold(tx, lease, span, 0).await? { Ok(()) } else { Err(LeaseLost) })
        })
    }

    /// Gives a lease back unfinished, so that any node can take it at once. One that is lost already stays with its new owner.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        let result = write!(self.pool, |tx| release(tx, lease, "free", 0).await.map(|_| ()));
        result.inspect_err(|_| self.loosen(lease.clone()))
    }

    /// Frees the leases that nobody in this process uses. Owner and epoch guard it: what another node has taken since stays there.
    async fn free_loose(&self) -> Result<(), StoreError> {
        loop {
            let next = self.loose.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(lease) = next else { return Ok(()) };
            self.give_back(&lease).await?;
        }
    }

    /// Notes a lease to be freed as soon as the database answers; else all would wait until it expires.
    fn loosen(&self, lease: Lease) {
        self.loose.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
    }

    /// The same, for a batch with nothing to do before `due`.
    pub async fn give_back_until(&self, lease: &Lease, due: DateTime<Utc>) -> Result<(), StoreError> {
        write!(self.pool, |tx| release(tx, lease, "free", due.timestamp_millis()).await.map(|_| ()))
    }

    /// Deliveries handed under an earlier epoch, with no recorded reply and no later attempt: in doubt. Number of the attempt that is in doubt.
    pub async fn in_doubt(&self, lease: &Lease) -> Result<Vec<Pending>, StoreError> {
        let sql = "SELECT d.subscriber_id, COALESCE(s.address, '') AS address, COALESCE(c.fields, '{}') AS fields, m.request, d.attempt, \
             (SELECT MIN(f.at) FROM delivery f WHERE f.bucket = $1 AND f.mailing_id = $2 \
              AND f.subscriber_id = d.subscriber_id AND f.step = 0) AS first_at \
             FROM delivery d JOIN mailing m ON m.mailing_id = d.mailing_id \
             LEFT JOIN subscriber s ON s.bucket = d.bucket AND s.subscriber_id = d.subscriber_id \
             LEFT JOIN subscription c ON c.bucket = $1 AND c.subscriber_id = d.subscriber_id \
             AND c.newsletter = m.newsletter AND c.cadence = m.cadence AND m.kind <> 'confirmation' \
             WHERE d.bucket = $1 AND d.mailing_id = $2 AND d.subscriber_id >= $3 AND d.subscriber_id <= $4 AND d.step = 0 \
             AND d.epoch < $5 AND (SELECT COUNT(*) FROM delivery e WHERE e.bucket = $1 AND e.mailing_id = $2 \
             AND e.subscriber_id = d.subscriber_id AND (e.attempt > d.attempt OR (e.attempt = d.attempt AND e.step = 1))) = 0 \
             ORDER BY d.subscriber_id";
        let values = args![lease.bucket, lease.mailing, &lease.first, &lease.last, lease.epoch];
        self.pool.fetch_all(sql, values).await?.iter().map(tried).collect()
    }

    /// Who has not been tried yet, in the order of ids, after `after`: the subscriptions confirmed by the mailing's cut (a confirmation: the one subscriber).
    /// People who are not eligible any more come too, with the reason: the ledger must say why they are skipped. The address of
    /// someone who was removed is empty.
    pub async fn untried(
        &self,
        lease: &Lease,
        after: Option<SubscriberId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        // Counts and selections of one row, and no joins: PostgreSQL would sort all deliveries of the bucket for each page, or the rest of the batch,
        // or go through all subscriptions of the bucket for each person.
        // The audiences: who was a member at the cut, who got the mailing that is corrected, and the one person in the range of a confirmation's only batch.
        let sql = "SELECT newsletter, cadence, kind, cut, request, corrects FROM mailing WHERE mailing_id = $1";
        let Some(mailing) = self.pool.fetch_optional(sql, args![lease.mailing]).await? else { return Ok(Vec::new()) };
        let mut values = page(lease, after, limit);
        let sql = match mailing.text("kind")?.as_str() {
            "digest" => {
                values.extend(args![
                    mailing.text("newsletter")?.as_str(),
                    mailing.text("cadence")?.as_str(),
                    mailing.int("cut")?
                ]);
                "SELECT p.subscriber_id, COALESCE(s.address, '') AS address, \
                 COALESCE((SELECT c.fields FROM subscription c WHERE c.bucket = $1 AND c.subscriber_id = p.subscriber_id \
                 AND c.newsletter = $6 AND c.cadence = $7), '{}') AS fields, \
                 (SELECT c.state FROM subscription c WHERE c.bucket = $1 AND c.subscriber_id = p.subscriber_id \
                 AND c.newsletter = $6 AND c.cadence = $7) AS state, x.reason FROM membership p \
                 JOIN subscriber s ON s.bucket = $1 AND s.subscriber_id = p.subscriber_id \
                 LEFT JOIN suppression x ON x.bucket = $1 AND x.address_key = s.address_key \
                 WHERE p.bucket = $1 AND p.newsletter = $6 AND p.cadence = $7 AND p.joined_after < $8 AND $8 <= p.left_after \
                 AND p.subscriber_id >= $3 AND p.subscriber_id <= $4 \
                 AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
                 AND d.subscriber_id = p.subscriber_id) = 0 ORDER BY p.subscriber_id LIMIT $5"
            }
            "correction" => {
                values.extend(args![
                    mailing.text("newsletter")?.as_str(),
                    mailing.text("cadence")?.as_str(),
                    mailing.text("corrects")?.as_str()
                ]);
                "SELECT s.subscriber_id, COALESCE(s.address, '') AS address, \
                 COALESCE((SELECT c.fields FROM subscription c WHERE c.bucket = $1 AND c.subscriber_id = o.subscriber_id \
                 AND c.newsletter = $6 AND c.cadence = $7), '{}') AS fields, \
                 (SELECT c.state FROM subscription c WHERE c.bucket = $1 AND c.subscriber_id = o.subscriber_id \
                 AND c.newsletter = $6 AND c.cadence = $7) AS state, x.reason FROM delivery o \
                 JOIN subscriber s ON s.bucket = $1 AND s.subscriber_id = o.subscriber_id \
                 LEFT JOIN suppression x ON x.bucket = $1 AND x.address_key = s.address_key \
                 WHERE o.bucket = $1 AND o.mailing_id = $8 AND o.event = 'accepted' \
                 AND o.subscriber_id >= $3 AND o.subscriber_id <= $4 \
                 AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
                 AND d.subscriber_id = o.subscriber_id) = 0 ORDER BY o.subscriber_id LIMIT $5"
            }
            _ => {
                "SELECT s.subscriber_id, COALESCE(s.address, '') AS address, '{}' AS fields, 'confirmed' AS state, \
                 x.reason FROM subscriber s LEFT JOIN suppression x ON x.bucket = $1 AND x.address_key = s.address_key \
                 WHERE s.bucket = $1 AND s.subscriber_id >= $3 AND s.subscriber_id <= $4 \
                 AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
                 AND d.subscriber_id = s.subscriber_id) = 0 ORDER BY s.subscriber_id LIMIT $5"
            }
        };
        let request = mailing.int("request")?;
        let rows = self.pool.fetch_all(sql, values).await?;
        rows.iter().map(|row| Ok(Pending { skip: skip(row)?, ..person(row, request, 1, None)? })).collect()
    }

    /// Whose deferral is due at `now`, in the order of ids, after `after`. Once the next issue is out nobody is tried with this one again: they
    /// come with that reason to skip them.
    pub async fn due_again(
        &self,
        lease: &Lease,
        after: Option<SubscriberId>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Pending>, StoreError> {
        let sql = "SELECT r.subscriber_id, COALESCE(s.address, '') AS address, COALESCE(c.fields, '{}') AS fields, m.request, \
             r.attempt + 1 AS attempt, r.first_at, \
             (SELECT MIN(n.mailing_id) FROM mailing n WHERE m.kind = 'digest' AND n.newsletter = m.newsletter \
              AND n.cadence = m.cadence AND n.kind = 'digest' AND n.cut > m.cut) AS next \
             FROM retry r JOIN mailing m ON m.mailing_id = r.mailing_id \
             LEFT JOIN subscriber s ON s.bucket = r.bucket AND s.subscriber_id = r.subscriber_id \
             LEFT JOIN subscription c ON c.bucket = $1 AND c.subscriber_id = r.subscriber_id \
             AND c.newsletter = m.newsletter AND c.cadence = m.cadence AND m.kind <> 'confirmation' \
             WHERE r.bucket = $1 AND r.mailing_id = $2 AND r.subscriber_id >= $3 AND r.subscriber_id <= $4 \
             AND r.due_at <= $6 ORDER BY r.subscriber_id LIMIT $5";
        let mut values = page(lease, after, limit);
        values.extend(args![now]);
        let replaced = |row: &Row| {
            let next = row.maybe_text("next")?;
            let skip = next.map(|next| format!("replaced by the next issue, in mailing {next}"));
            Ok(Pending { skip, ..tried(row)? })
        };
        self.pool.fetch_all(sql, values).await?.iter().map(replaced).collect()
    }

    /// Closes the batch after a pass: done when everyone in the range is settled, else free again: from the earliest retry on
    /// when all that is left waits for one, at once when someone is untried or in doubt.
    pub async fn close_batch(&self, lease: &Lease) -> Result<Result<Closed, LeaseLost>, StoreError> {
        write!(self.pool, |tx| close(tx, lease).await)
    }
}

async fn close(tx: &mut Tx, lease: &Lease) -> Result<Result<Closed, LeaseLost>, Fault> {
    if !hold(tx, lease, Duration::ZERO, 0).await? {
        return Ok(Err(LeaseLost));
    }
    let unsettled = unsettled(tx, lease).await?;
    if unsettled == 0 {
        release(tx, lease, "done", 0).await?;
        return Ok(Ok(Closed::Done));
    }
    let sql = "SELECT COUNT(*) AS waiting, MIN(due_at) AS due_at, {clock} AS clock FROM retry WHERE bucket = $1 \
         AND mailing_id = $2 AND subscriber_id >= $3 AND subscriber_id <= $4";
    let values = args![lease.bucket, lease.mailing, &lease.first, &lease.last];
    let Some(row) = tx.fetch_optional(sql, values).await? else { return Ok(Err(LeaseLost)) };
    let all_wait = row.int("waiting")? == unsettled;
    let due = if all_wait { row.time("due_at")? } else { row.time("clock")? };
    release(tx, lease, "free", if all_wait { due.timestamp_millis() } else { 0 }).await?;
    Ok(Ok(Closed::Waits(due)))
}

/// How many of the audience in the leased range have no final outcome.
async fn unsettled(tx: &mut Tx, lease: &Lease) -> Result<i64, Fault> {
    // A count for each person, as in `untried`: PostgreSQL would go through all deliveries of the bucket for each of them.
    let digest = "SELECT COUNT(*) AS people FROM mailing m JOIN membership p ON p.bucket = $1 \
         AND p.newsletter = m.newsletter AND p.cadence = m.cadence AND p.joined_after < m.cut AND m.cut <= p.left_after \
         WHERE m.mailing_id = $2 AND m.kind = 'digest' AND p.subscriber_id >= $3 AND p.subscriber_id <= $4 \
         AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = p.subscriber_id AND d.event IN ('accepted', 'refused', 'skipped', 'held')) = 0";
    let confirmation = "SELECT COUNT(*) AS people FROM mailing m JOIN subscriber p ON p.bucket = $1 \
         WHERE m.mailing_id = $2 AND m.kind = 'confirmation' AND p.subscriber_id >= $3 AND p.subscriber_id <= $4 \
         AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = p.subscriber_id AND d.event IN ('accepted', 'refused', 'skipped', 'held')) = 0";
    let correction = "SELECT COUNT(*) AS people FROM mailing m JOIN delivery o ON o.bucket = $1 \
         AND o.mailing_id = m.corrects AND o.event = 'accepted' \
         WHERE m.mailing_id = $2 AND m.kind = 'correction' AND o.subscriber_id >= $3 AND o.subscriber_id <= $4 \
         AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = o.subscriber_id AND d.event IN ('accepted', 'refused', 'skipped', 'held')) = 0";
    let mut people = 0;
    for sql in [digest, correction, confirmation] {
        let values = args![lease.bucket, lease.mailing, &lease.first, &lease.last];
        if let Some(row) = tx.fetch_optional(sql, values).await? {
            people += row.int("people")?;
        }
    }
    Ok(people)
}

/// Renews a lease, counts what is settled, and locks its batch until the transaction ends, so that a takeover and a write queue. False when it is lost.
pub(super) async fn hold(tx: &mut Tx, lease: &Lease, span: Duration, done: i64) -> Result<bool, Fault> {
    tx.change(vec![holding(lease, span, done)]).await
}

/// See [`hold`].
pub(super) fn holding(lease: &Lease, span: Duration, done: i64) -> Change {
    let sql = "UPDATE batch SET lease_until = {clock} + $1, done = done + $7 WHERE bucket = $2 AND mailing_id = $3 AND batch = $4 \
         AND owner = $5 AND epoch = $6 AND state = 'leased'";
    let Lease { bucket, mailing, batch, first: _, last: _, owner, epoch } = lease;
    Change { sql, args: args![millis(span), *bucket, *mailing, *batch, *owner, *epoch, done], rows: 1 }
}

/// Ends a lease. Its owner and epoch stay, so that nobody else's write fits them.
async fn release(tx: &mut Tx, lease: &Lease, state: &'static str, due_at: i64) -> Result<bool, Fault> {
    let sql = "UPDATE batch SET state = $1, due_at = $2 WHERE bucket = $3 AND mailing_id = $4 AND batch = $5 \
         AND owner = $6 AND epoch = $7 AND state = 'leased'";
    let Lease { bucket, mailing, batch, first: _, last: _, owner, epoch } = lease;
    Ok(tx.execute(sql, args![state, due_at, *bucket, *mailing, *batch, *owner, *epoch]).await? == 1)
}

/// How many of the first candidates are as good as the first: all confirmations, or all batches of the first mailing that nobody gave
/// back until later; those come after them, in the order of their times. Nodes
/// start at different ones of them, so that they do not fight for one row.
fn leading_equals(candidates: &[Row]) -> Result<usize, StoreError> {
    let class = |row: &Row| {
        let kind = row.text("kind")?;
        let untouched_or_due = row.int("due_at")?;
        Ok(if kind == "confirmation" { kind } else { format!("{} {untouched_or_due}", row.text("mailing_id")?) })
    };
    let classes = candidates.iter().map(class).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(classes.iter().take_while(|class| Some(*class) == classes.first()).count())
}

/// Bucket, mailing, first, last and limit of a reader.
fn page(lease: &Lease, after: Option<SubscriberId>, limit: usize) -> Vec<Value> {
    // One lower bound: of two, SQLite takes the wrong one to begin at, and goes through all of the batch that is done for each page. Between
    // an id and the next one, all of one length, is the id with something behind it.
    let first = after.map_or_else(|| lease.first.clone(), |id| format!("{id}0"));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    args![lease.bucket, lease.mailing, first, &lease.last, limit]
}

/// Someone of whom the ledger knows an attempt.
fn tried(row: &Row) -> Result<Pending, StoreError> {
    let attempt = u32::try_from(row.int("attempt")?).map_err(|error| unreadable("attempt", &error))?;
    person(row, row.int("request")?, attempt, row.maybe_time("first_at")?)
}

fn person(row: &Row, request: i64, attempt: u32, first_at: Option<DateTime<Utc>>) -> Result<Pending, StoreError> {
    let (subscriber, address) = (row.subscriber()?, row.text("address")?);
    Ok(Pending { subscriber, address, fields: row.json("fields")?, skip: None, request, attempt, first_at })
}

/// Why someone who was in the audience is not eligible any more; `None` when they are.
fn skip(row: &Row) -> Result<Option<String>, StoreError> {
    let (removed, suppressed) = (row.text("address")?.is_empty(), row.maybe_text("reason")?);
    let state = row.maybe_text("state")?;
    let eligible = !removed && suppressed.is_none() && state.as_deref() == Some("confirmed");
    Ok((!eligible).then(|| ineligible(removed, suppressed, state)))
}

/// The words of the ledger for someone who is skipped.
pub(super) fn ineligible(removed: bool, suppressed: Option<String>, state: Option<String>) -> String {
    match (removed, suppressed, state) {
        (true, ..) => "removed".to_owned(),
        (_, Some(reason), _) => format!("suppressed: {reason}"),
        (_, _, Some(state)) => format!("the subscription is {state}"),
        (_, _, None) => "not subscribed".to_owned(),
    }
}

/// A span as the database's clock counts.
pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2)
}
