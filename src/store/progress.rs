//! How far mailings are, without counting the ledger: batches count what they settle, and a sample every few seconds makes it a rate.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::allowances::Standing;
use super::mailings::state;
use super::row::Row;
use super::sql::{args, write};
use super::{Progress, Refusal, Store, StoreError};
use crate::delivery::allowance::Share;
use crate::delivery::rate;
use crate::types::MailingId;

/// Between two samples of a mailing's progress, whichever node takes them.
const SAMPLE: Duration = Duration::from_secs(2);

impl Store {
    /// Mailings that are open or paused, confirmations aside, newest first.
    pub async fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        let sql = "SELECT m.mailing_id, m.newsletter, m.subject, m.state, m.reason, m.people, m.rate, a.rate AS allowed, a.next_at, a.counts, \
             {clock} * 1000 AS clock, \
             (SELECT CAST(SUM(b.done) AS BIGINT) FROM batch b WHERE b.mailing_id = m.mailing_id) AS done \
             FROM mailing m LEFT JOIN allowance a ON a.scope = 'mailing ' || m.mailing_id \
             WHERE m.state IN ('open', 'paused') AND m.kind <> 'confirmation' ORDER BY m.opened_at DESC, m.mailing_id";
        self.pool.fetch_all(sql, args![]).await?.iter().map(progress).collect()
    }

    /// Counts the people of mailings that were just opened, and makes a rate of what was done since the last sample. Any number of nodes may do
    /// it: one of them does.
    pub async fn sample_progress(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "SELECT m.mailing_id, m.people, m.rate, m.sampled, m.sampled_at, \
             (SELECT CAST(SUM(b.done) AS BIGINT) FROM batch b WHERE b.mailing_id = m.mailing_id) AS done \
             FROM mailing m WHERE m.state IN ('open', 'paused') AND m.kind <> 'confirmation' AND m.sampled_at <= $1";
        let before = now - SAMPLE;
        for row in self.pool.fetch_all(sql, args![before]).await? {
            let (mailing, done, last) = (row.mailing()?, total(&row)?, row.int("sampled")?);
            let span = now.signed_duration_since(row.time("sampled_at")?).to_std().unwrap_or(SAMPLE);
            let known = row.maybe_int("rate")?.map(|millis| millis as f64 / 1_000.0);
            // The first sample only says where the count begins.
            let first = row.int("sampled_at")? == 0;
            let per_second = if first { 0.0 } else { rate::smooth(known, done - last, span) };
            let people = match row.maybe_int("people")? {
                Some(people) => people,
                None => self.mailing(mailing).await?.map_or(0, |view| view.books.audience),
            };
            let sql = "UPDATE mailing SET people = $1, rate = $2, sampled = $3, sampled_at = $4 \
                 WHERE mailing_id = $5 AND sampled_at = $6";
            let millis = (per_second * 1_000.0) as i64;
            let seen = row.int("sampled_at")?;
            write!(self.pool, |tx| {
                tx.execute(sql, args![people, millis, done, now, mailing, seen]).await.map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Why deliveries of a mailing were refused or deferred, most frequent first: the reply's code, its enhanced code where it has one, and an example.
    pub async fn refusals(&self, mailing: MailingId) -> Result<Vec<Refusal>, StoreError> {
        let sql = "SELECT d.event, d.code, substr(d.reply, 1, 5) AS enhanced, COUNT(*) AS times, MIN(d.reply) AS example \
             FROM bucket b JOIN delivery d ON d.bucket = b.bucket AND d.mailing_id = $1 \
             WHERE d.event IN ('refused', 'deferred') GROUP BY d.event, d.code, substr(d.reply, 1, 5) \
             ORDER BY times DESC, d.code, enhanced LIMIT 20";
        let refusal = |row: &Row| {
            Ok(Refusal {
                refused: row.text("event")? == "refused",
                code: row.maybe_int("code")?.unwrap_or_default(),
                example: row.maybe_text("example")?.unwrap_or_default(),
                times: row.int("times")?,
            })
        };
        self.pool.fetch_all(sql, args![mailing]).await?.iter().map(refusal).collect()
    }
}

fn total(row: &Row) -> Result<i64, StoreError> {
    Ok(row.maybe_int("done")?.unwrap_or_default())
}

fn progress(row: &Row) -> Result<Progress, StoreError> {
    let people = row.maybe_int("people")?;
    let done = total(row)?;
    Ok(Progress {
        mailing: row.mailing()?,
        newsletter: row.newsletter()?,
        subject: row.text("subject")?,
        state: state(row)?,
        reason: row.maybe_text("reason")?,
        people,
        // A commit whose answer was lost is counted twice here, and once in the books.
        done: people.map_or(done, |people| done.min(people)),
        per_second: row.maybe_int("rate")?.unwrap_or_default() as f64 / 1_000.0,
        rate: Standing::read(row)?.map(|standing| standing.usage(Share::All)),
    })
}
