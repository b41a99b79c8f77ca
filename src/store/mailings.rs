//! Cadences and mailings, and how a mailing ends. How it begins is in `opening`.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::books::{BOOKS, books};
use super::row::{LOCAL, Row, unreadable};
use super::sql::{Fault, Tx, args, rows, write};
use super::{CadenceState, MailingState, MailingView, Store, StoreError};
use crate::delivery::books::Books;
use crate::message::Letter;
use crate::types::{CadenceId, MailingId, NewsletterId};

/// Every column of a mailing's view, as [`view`] reads them.
macro_rules! mailing_columns {
    () => {
        "SELECT mailing_id, kind, newsletter, cadence, occurrence, state, reason, subject, opened_at, finished_at, audience, \
         accepted, refused, skipped, held FROM mailing "
    };
}

impl Store {
    /// The state of a cadence; made with `since = now` and `last` when the scheduler sees the cadence for the first time.
    pub async fn cadence_state(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        now: DateTime<Utc>,
        last: NaiveDateTime,
    ) -> Result<CadenceState, StoreError> {
        if let Some(known) = self.known_cadence(newsletter, cadence).await? {
            return Ok(known);
        }
        let sql =
            "INSERT INTO cadence (newsletter, cadence, since, last) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let values = || args![newsletter, cadence, now, last.format(LOCAL).to_string()];
        write!(self.pool, |tx| tx.execute(sql, values()).await.map(|_| ()))?;
        let known = self.known_cadence(newsletter, cadence).await?;
        known.ok_or_else(|| StoreError::Value("table cadence: a row vanished".into()))
    }

    async fn known_cadence(&self, of: &NewsletterId, cadence: &CadenceId) -> Result<Option<CadenceState>, StoreError> {
        let sql = "SELECT since, last FROM cadence WHERE newsletter = $1 AND cadence = $2";
        let row = self.pool.fetch_optional(sql, args![of, cadence]).await?;
        row.map(|row| Ok(CadenceState { since: row.time("since")?, last: row.local("last")? })).transpose()
    }

    /// Deals with an occurrence that mails nothing: moves `last` on. False when another node was faster.
    pub async fn pass(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        last: NaiveDateTime,
        occurrence: NaiveDateTime,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE cadence SET last = $1 WHERE newsletter = $2 AND cadence = $3 AND last = $4";
        let local = |time: NaiveDateTime| time.format(LOCAL).to_string();
        let values = || args![local(occurrence), newsletter, cadence, local(last)];
        write!(self.pool, |tx| Ok(tx.execute(sql, values()).await? == 1))
    }

    /// The frozen mail of a mailing.
    pub async fn letter(&self, mailing: MailingId) -> Result<Option<Letter>, StoreError> {
        let row = self.pool.fetch_optional("SELECT letter FROM mailing WHERE mailing_id = $1", args![mailing]).await?;
        row.map(|row| row.json("letter")).transpose()
    }

    /// Where a mailing stands.
    pub async fn mailing_state(&self, mailing: MailingId) -> Result<Option<MailingState>, StoreError> {
        let sql = "SELECT state FROM mailing WHERE mailing_id = $1";
        self.pool.fetch_optional(sql, args![mailing]).await?.map(|row| state(&row)).transpose()
    }

    /// The newest mailings with their books; digests and corrections only, or confirmations too.
    pub async fn mailings(&self, limit: usize, confirmations: bool) -> Result<Vec<MailingView>, StoreError> {
        let sql = concat!(
            mailing_columns!(),
            "WHERE kind <> 'confirmation' OR $1 = 1 ORDER BY opened_at DESC, mailing_id LIMIT $2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.views(self.pool.fetch_all(sql, args![confirmations, limit]).await?).await
    }

    /// One mailing with its books.
    pub async fn mailing(&self, mailing: MailingId) -> Result<Option<MailingView>, StoreError> {
        let sql = concat!(mailing_columns!(), "WHERE mailing_id = $1");
        Ok(self.views(self.pool.fetch_all(sql, args![mailing]).await?).await?.pop())
    }

    /// The books of a finished mailing were written when it finished; those of others are counted now.
    async fn views(&self, rows: Vec<Row>) -> Result<Vec<MailingView>, StoreError> {
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            let counted = match row.maybe_int("audience")? {
                Some(_) => Books {
                    audience: row.int("audience")?,
                    accepted: row.int("accepted")?,
                    refused: row.int("refused")?,
                    skipped: row.int("skipped")?,
                    held: row.int("held")?,
                    ..Books::default()
                },
                None => match self.pool.fetch_optional(BOOKS, args![row.mailing()?]).await? {
                    Some(counts) => books(&counts)?,
                    None => continue,
                },
            };
            views.push(view(&row, counted)?);
        }
        Ok(views)
    }

    /// `Open -> Paused`, with the reason. False when it was not open.
    pub async fn pause(&self, mailing: MailingId, reason: &str) -> Result<bool, StoreError> {
        write!(self.pool, |tx| pause(tx, mailing, reason).await)
    }

    /// `Open -> Paused`, with the reason, for everything but confirmations and the mailings of the newsletters `but`; which.
    pub async fn pause_all(&self, but: &[NewsletterId], reason: &str) -> Result<Vec<MailingId>, StoreError> {
        let sql = "UPDATE mailing SET state = 'paused', reason = $1 WHERE state = 'open' AND kind <> 'confirmation' \
             AND newsletter NOT IN (SELECT v.value ->> 0 FROM {rows $2} AS v) RETURNING mailing_id";
        let but: Vec<_> = but.iter().map(|newsletter| args![newsletter]).collect();
        let but = rows(&but)?;
        let paused = write!(self.pool, |tx| tx.fetch_all(sql, args![reason, but.clone()]).await)?;
        paused.iter().map(Row::mailing).collect()
    }

    /// `Paused -> Open`. False when it was not paused.
    pub async fn resume(&self, mailing: MailingId) -> Result<bool, StoreError> {
        let sql = "UPDATE mailing SET state = 'open', reason = NULL WHERE mailing_id = $1 AND state = 'paused'";
        write!(self.pool, |tx| Ok(tx.execute(sql, args![mailing]).await? == 1))
    }

    /// `Open | Paused -> Cancelled`, with the reason: nobody else gets it, ever. False when it was neither.
    pub async fn cancel(&self, mailing: MailingId, reason: &str) -> Result<bool, StoreError> {
        let sql =
            "UPDATE mailing SET state = 'cancelled', reason = $1 WHERE mailing_id = $2 AND state IN ('open', 'paused')";
        write!(self.pool, |tx| Ok(tx.execute(sql, args![reason, mailing]).await? == 1))
    }

    /// Finishes every open mailing whose batches are all done and whose books balance; returns those that finished. One whose batches are done and whose
    /// books do not balance is paused with a reason that shows the books.
    pub async fn finish_mailings(&self, now: DateTime<Utc>) -> Result<Vec<MailingView>, StoreError> {
        let sql = concat!(
            mailing_columns!(),
            "WHERE state = 'open' AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.mailing_id = mailing.mailing_id \
             AND b.state IN ('free', 'leased')) ORDER BY opened_at, mailing_id"
        );
        let mut finished = Vec::new();
        for row in self.pool.fetch_all(sql, args![]).await? {
            let mailing = row.mailing()?;
            if let Some(books) = write!(self.pool, |tx| finish(tx, mailing, now).await)? {
                let view = view(&row, books)?;
                finished.push(MailingView { state: MailingState::Finished, finished_at: Some(now), ..view });
            }
        }
        Ok(finished)
    }
}

/// Finishes or pauses one mailing; its books when it finished. All its batches are done, so its ledger moves no more.
async fn finish(tx: &mut Tx, mailing: MailingId, now: DateTime<Utc>) -> Result<Option<Books>, Fault> {
    let Some(row) = tx.fetch_optional(BOOKS, args![mailing]).await? else { return Ok(None) };
    let counted = books(&row)?;
    if !counted.balance() {
        pause(tx, mailing, &reason(&counted)).await?;
        return Ok(None);
    }
    let sql = "UPDATE mailing SET state = 'finished', finished_at = $1, audience = $2, accepted = $3, refused = $4, \
         skipped = $5, held = $6 WHERE mailing_id = $7 AND state = 'open'";
    let Books { audience, accepted, refused, skipped, held, deferred: _, open: _ } = counted;
    let changed = tx.execute(sql, args![now, audience, accepted, refused, skipped, held, mailing]).await?;
    Ok((changed == 1).then_some(counted))
}

fn reason(books: &Books) -> String {
    let Books { audience, accepted, refused, skipped, held, deferred, open } = books;
    format!(
        "the books do not balance: an audience of {audience}, but {accepted} accepted + {refused} refused + {skipped} skipped \
         + {held} held, {deferred} deferred, {open} open"
    )
}

async fn pause(tx: &mut Tx, mailing: MailingId, reason: &str) -> Result<bool, Fault> {
    let sql = "UPDATE mailing SET state = 'paused', reason = $1 WHERE mailing_id = $2 AND state = 'open'";
    Ok(tx.execute(sql, args![reason, mailing]).await? == 1)
}

/// Reads the columns of [`mailing_columns`].
fn view(row: &Row, books: Books) -> Result<MailingView, StoreError> {
    let kind = row.text("kind")?;
    Ok(MailingView {
        mailing: row.mailing()?,
        newsletter: row.newsletter()?,
        cadence: (kind != "confirmation").then(|| row.cadence()).transpose()?,
        occurrence: (kind == "digest").then(|| row.local("occurrence")).transpose()?,
        state: state(row)?,
        reason: row.maybe_text("reason")?,
        subject: row.text("subject")?,
        opened_at: row.time("opened_at")?,
        finished_at: row.maybe_time("finished_at")?,
        books,
    })
}

/// Reads the column `state`.
pub(super) fn state(row: &Row) -> Result<MailingState, StoreError> {
    match row.text("state")?.as_str() {
        "open" => Ok(MailingState::Open),
        "paused" => Ok(MailingState::Paused),
        "finished" => Ok(MailingState::Finished),
        "cancelled" => Ok(MailingState::Cancelled),
        other => Err(unreadable("state", &other)),
    }
}
