//! The append-only ledger of deliveries.
//!
//! A group is one transaction. Its first statement renews the lease and locks the batch, so writes of one batch queue and a node
//! that lost its lease writes nothing. That queue is what makes the checks below safe: nobody else writes between them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::batches::{hold, holding, ineligible};
use super::row::{Row, unreadable};
use super::sql::{Change, Fault, Tx, Value, args, rows, write};
use super::subscribers::suppress;
use super::{Appended, Entry, Event, Lease, LeaseLost, Store, StoreError};
use crate::subscription::SuppressionReason;
use crate::types::SubscriberId;

/// Step 1 of attempts, at most one final one for each subscriber.
///
/// Here and below each row of the list is judged by counts of its own, which no planner can turn into a join: PostgreSQL would hash the
/// deliveries of a whole bucket for each commit, SQLite go through everyone and look each up in the list.
macro_rules! insert_outcomes {
    () => {
        "INSERT INTO delivery (bucket, mailing_id, subscriber_id, attempt, step, event, at, epoch, code, reply) \
         SELECT $1, $2, v.value ->> 0, CAST(v.value ->> 1 AS BIGINT), 1, v.value ->> 2, $3, $4, \
         CAST(v.value ->> 3 AS BIGINT), v.value ->> 4 FROM {rows $5} AS v \
         WHERE (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = v.value ->> 0 AND d.event IN ('accepted', 'refused', 'skipped', 'held')) = 0 \
         ON CONFLICT DO NOTHING"
    };
}

/// Step 0 of attempts of people who are still eligible, in a mailing that is open, that nobody has made yet.
macro_rules! insert_handed {
    () => {
        "INSERT INTO delivery (bucket, mailing_id, subscriber_id, attempt, step, event, at, epoch) \
         SELECT $1, $2, v.value ->> 0, CAST(v.value ->> 1 AS BIGINT), 0, 'handed', $3, $4 FROM {rows $5} AS v \
         WHERE (SELECT COUNT(*) FROM mailing m \
         JOIN subscriber s ON s.bucket = $1 AND s.subscriber_id = v.value ->> 0 AND s.address IS NOT NULL \
         JOIN subscription c ON c.bucket = $1 AND c.subscriber_id = v.value ->> 0 AND c.newsletter = m.newsletter \
         AND c.cadence = m.cadence WHERE m.mailing_id = $2 AND m.state = 'open' \
         AND ((m.kind IN ('digest', 'correction') AND c.state = 'confirmed') \
         OR (m.kind = 'confirmation' AND c.state = 'pending' AND c.request = m.request)) \
         AND (SELECT COUNT(*) FROM suppression x WHERE x.bucket = $1 AND x.address_key = s.address_key) = 0) = 1 \
         AND (SELECT COUNT(*) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
         AND d.subscriber_id = v.value ->> 0 \
         AND (d.attempt >= CAST(v.value ->> 1 AS BIGINT) OR d.event IN ('accepted', 'refused', 'skipped', 'held'))) = 0 \
         ON CONFLICT DO NOTHING"
    };
}

/// What was written.
macro_rules! and_say {
    ($sql:expr) => {
        concat!($sql, " RETURNING subscriber_id, attempt")
    };
}

/// What is the same for every row of a group.
struct Page<'a> {
    lease: &'a Lease,
    now: DateTime<Utc>,
}

/// Rows that a statement really wrote.
type Written = HashSet<(SubscriberId, u32)>;

impl Store {
    /// Appends a group in one durable transaction, guarded by the lease's owner and epoch, and renews the lease by `span`. Zero rows in the guard: nothing
    /// is written and the lease is lost.
    ///
    /// Outcomes come before handing, whatever the order of the group. A mailing that is not open takes outcomes, and answers
    /// [`Appended::Paused`] to `Handed`.
    ///
    /// # Errors
    /// When the database fails, or when an entry is outside the leased range, or two of a kind are for one subscriber.
    pub async fn append(
        &self,
        lease: &Lease,
        span: Duration,
        entries: &[Entry],
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<Appended>, LeaseLost>, StoreError> {
        fit(lease, entries)?;
        let done = entries.iter().filter(|entry| entry.event.is_final()).count();
        let done = i64::try_from(done).unwrap_or_default();
        let page = Page { lease, now };
        let all = write!(self.pool, |tx| {
            let all = page.append_all(tx, holding(lease, span, done), entries).await?;
            if !all {
                tx.undo();
            }
            Ok(all)
        })?;
        if all {
            return Ok(Ok(vec![Appended::Written; entries.len()]));
        }
        write!(self.pool, |tx| {
            if !hold(tx, lease, span, done).await? {
                return Ok(Err(LeaseLost));
            }
            page.append(tx, entries).await.map(Ok)
        })
    }
}

/// A caller's mistake must not reach the ledger: an entry of another batch would escape the lock.
fn fit(lease: &Lease, entries: &[Entry]) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    for entry in entries {
        let id = entry.subscriber.to_string();
        if id < lease.first || id > lease.last {
            return Err(StoreError::Value(format!("subscriber {id} is not in batch {} of its lease", lease.batch)));
        }
        if !seen.insert((entry.subscriber, entry.event == Event::Handed)) {
            return Err(StoreError::Value(format!("subscriber {id} stands twice in one group")));
        }
    }
    Ok(())
}

impl Page<'_> {
    /// The usual case: the lease holds, every entry is new and everyone eligible, so that nothing has to be read back, which takes as long as writing. False
    /// when it is not so; then the transaction must be undone.
    async fn append_all(&self, tx: &mut Tx, holding: Change, entries: &[Entry]) -> Result<bool, Fault> {
        let (handed, outcomes) = parted(entries);
        let mut changes = vec![holding];
        for (sql, list) in [(insert_outcomes!(), outcome_rows(&outcomes)), (insert_handed!(), handed_rows(&handed))] {
            if !list.is_empty() {
                changes.push(Change { sql, args: self.values(&list)?, rows: list.len() as u64 });
            }
        }
        if !tx.change(changes).await? {
            return Ok(false);
        }
        self.follow(tx, entries.iter(), outcomes.into_iter()).await?;
        Ok(true)
    }

    async fn append(&self, tx: &mut Tx, entries: &[Entry]) -> Result<Vec<Appended>, Fault> {
        let (handed, outcomes) = parted(entries);
        let mut written = self.insert(tx, and_say!(insert_outcomes!()), &outcome_rows(&outcomes)).await?;
        let on_wire = self.insert(tx, and_say!(insert_handed!()), &handed_rows(&handed)).await?;
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = (entry.subscriber, entry.attempt);
            let done = if entry.event == Event::Handed { &on_wire } else { &written };
            answers.push(match (done.contains(&key), &entry.event) {
                (true, _) => Appended::Written,
                (false, Event::Handed) => self.not_handed(tx, entry).await?,
                (false, _) => self.not_written(tx, entry).await?,
            });
            if answers.last() == Some(&Appended::NotEligible) {
                written.insert(key);
            }
        }
        let moved = |entry: &&Entry| {
            let key = (entry.subscriber, entry.attempt);
            written.contains(&key) || on_wire.contains(&key)
        };
        let new = outcomes.into_iter().filter(|e| written.contains(&(e.subscriber, e.attempt)));
        self.follow(tx, entries.iter().filter(moved), new).await?;
        Ok(answers)
    }

    /// What follows from what was written: `moved` are all of it, `new` its outcomes.
    async fn follow<'e>(
        &self,
        tx: &mut Tx,
        moved: impl Iterator<Item = &'e Entry>,
        new: impl Iterator<Item = &'e Entry>,
    ) -> Result<(), Fault> {
        // Whoever waited for this attempt waits no more: it is handed, or settled without.
        let moved: Vec<_> = moved.filter(|entry| entry.attempt > 1).map(|entry| args![entry.subscriber]).collect();
        self.delete_retries(tx, &moved).await?;
        let new: Vec<&Entry> = new.collect();
        self.insert_retries(tx, &new).await?;
        for entry in new {
            if matches!(entry.event, Event::Refused { suppress: true, .. }) {
                suppress(tx, self.lease.bucket, entry.subscriber, SuppressionReason::Bounce, self.now).await?;
            }
        }
        Ok(())
    }

    /// Runs a statement that inserts a list into the ledger and says what it wrote.
    async fn insert(&self, tx: &mut Tx, sql: &'static str, list: &[Vec<Value>]) -> Result<Written, Fault> {
        if list.is_empty() {
            return Ok(Written::new());
        }
        Ok(keys(&tx.fetch_all(sql, self.values(list)?).await?)?)
    }

    /// Bucket, mailing, time and epoch, then the list.
    fn values(&self, list: &[Vec<Value>]) -> Result<Vec<Value>, StoreError> {
        let Lease { bucket, mailing, epoch, .. } = self.lease;
        Ok(args![*bucket, *mailing, self.now, *epoch, rows(list)?])
    }

    /// Why a `Handed` was not written; someone who is not eligible is skipped here and now.
    async fn not_handed(&self, tx: &mut Tx, entry: &Entry) -> Result<Appended, Fault> {
        let sql = "SELECT attempt, step, event, epoch FROM delivery WHERE bucket = $1 AND mailing_id = $2 AND subscriber_id = $3 \
             AND (attempt >= $4 OR event IN ('accepted', 'refused', 'skipped', 'held')) ORDER BY attempt, step";
        let Lease { bucket, mailing, epoch, .. } = self.lease;
        let rows = tx.fetch_all(sql, args![*bucket, *mailing, entry.subscriber, entry.attempt]).await?;
        if let [row] = rows.as_slice() {
            let same = attempt(row)? == entry.attempt && row.int("epoch")? == *epoch;
            match row.text("event")?.as_str() {
                "handed" if same => return Ok(Appended::Present),
                "skipped" if same => return Ok(Appended::NotEligible),
                _ => {}
            }
        }
        if !rows.is_empty() {
            return Ok(Appended::Stale);
        }
        let Some(reason) = self.why_not_eligible(tx, entry.subscriber).await? else { return Ok(Appended::Paused) };
        let skipped = Entry { event: Event::Skipped(reason), ..entry.clone() };
        self.insert(tx, and_say!(insert_outcomes!()), &outcome_rows(&[&skipped])).await?;
        Ok(Appended::NotEligible)
    }

    /// The reason for the ledger; `None` when the mailing is not open, and so nothing is decided about anyone.
    async fn why_not_eligible(&self, tx: &mut Tx, subscriber: SubscriberId) -> Result<Option<String>, Fault> {
        let sql = "SELECT s.address_key, x.reason, c.state FROM mailing m \
             LEFT JOIN subscriber s ON s.bucket = $1 AND s.subscriber_id = $3 \
             LEFT JOIN suppression x ON x.bucket = $1 AND x.address_key = s.address_key \
             LEFT JOIN subscription c ON c.bucket = $1 AND c.subscriber_id = $3 AND c.newsletter = m.newsletter \
             AND c.cadence = m.cadence WHERE m.mailing_id = $2 AND m.state = 'open'";
        let Some(row) = tx.fetch_optional(sql, args![self.lease.bucket, self.lease.mailing, subscriber]).await? else {
            return Ok(None);
        };
        let removed = row.maybe_text("address_key")?.is_none();
        Ok(Some(ineligible(removed, row.maybe_text("reason")?, row.maybe_text("state")?)))
    }

    /// Whether an outcome that was not written stood there already.
    async fn not_written(&self, tx: &mut Tx, entry: &Entry) -> Result<Appended, Fault> {
        let sql = "SELECT event FROM delivery WHERE bucket = $1 AND mailing_id = $2 AND subscriber_id = $3 AND attempt = $4 \
             AND step = 1 AND event = $5";
        let (word, ..) = words(&entry.event);
        let values = args![self.lease.bucket, self.lease.mailing, entry.subscriber, entry.attempt, word];
        Ok(if tx.fetch_optional(sql, values).await?.is_some() { Appended::Present } else { Appended::Stale })
    }

    async fn delete_retries(&self, tx: &mut Tx, list: &[Vec<Value>]) -> Result<(), Fault> {
        if list.is_empty() {
            return Ok(());
        }
        let sql = "DELETE FROM retry WHERE bucket = $1 AND mailing_id = $2 \
             AND subscriber_id IN (SELECT v.value ->> 0 FROM {rows $3} AS v)";
        tx.execute(sql, args![self.lease.bucket, self.lease.mailing, rows(list)?]).await.map(|_| ())
    }

    /// Who waits for another attempt; the first one's time is in the ledger.
    async fn insert_retries(&self, tx: &mut Tx, outcomes: &[&Entry]) -> Result<(), Fault> {
        let row = |entry: &&Entry| match &entry.event {
            Event::Deferred { retry_at, .. } => Some(args![entry.subscriber, entry.attempt, *retry_at]),
            _ => None,
        };
        let list: Vec<_> = outcomes.iter().filter_map(row).collect();
        if list.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO retry (bucket, mailing_id, subscriber_id, attempt, due_at, first_at) \
             SELECT $1, $2, v.value ->> 0, CAST(v.value ->> 1 AS BIGINT), CAST(v.value ->> 2 AS BIGINT), \
             COALESCE((SELECT MIN(d.at) FROM delivery d WHERE d.bucket = $1 AND d.mailing_id = $2 \
             AND d.subscriber_id = v.value ->> 0), $3) FROM {rows $4} AS v WHERE 1 = 1 ON CONFLICT DO NOTHING";
        tx.execute(sql, args![self.lease.bucket, self.lease.mailing, self.now, rows(&list)?]).await.map(|_| ())
    }
}

/// What is handed, and outcomes.
fn parted(entries: &[Entry]) -> (Vec<&Entry>, Vec<&Entry>) {
    entries.iter().partition(|entry| entry.event == Event::Handed)
}

/// Subscriber and attempt.
fn handed_rows(handed: &[&Entry]) -> Vec<Vec<Value>> {
    handed.iter().map(|entry| args![entry.subscriber, entry.attempt]).collect()
}

/// Subscriber, attempt, event, code, text.
fn outcome_rows(outcomes: &[&Entry]) -> Vec<Vec<Value>> {
    let row = |entry: &&Entry| {
        let (event, code, text) = words(&entry.event);
        args![entry.subscriber, entry.attempt, event, code, text.as_deref()]
    };
    outcomes.iter().map(row).collect()
}

/// An event as the ledger writes it.
fn words(event: &Event) -> (&'static str, Option<i64>, Option<Cow<'_, str>>) {
    let (word, reply) = match event {
        Event::Handed => return ("handed", None, None),
        Event::Skipped(reason) => return ("skipped", None, Some(Cow::Borrowed(reason))),
        Event::Held => return ("held", None, None),
        Event::Accepted(reply) => ("accepted", reply),
        Event::Deferred { reply, .. } => ("deferred", reply),
        Event::Refused { reply, .. } => ("refused", reply),
    };
    (word, Some(i64::from(reply.code)), Some(reply.nameless()))
}

fn keys(rows: &[Row]) -> Result<Written, StoreError> {
    rows.iter().map(|row| Ok((row.subscriber()?, attempt(row)?))).collect()
}

fn attempt(row: &Row) -> Result<u32, StoreError> {
    u32::try_from(row.int("attempt")?).map_err(|error| unreadable("attempt", &error))
}
