//! Opening a mailing: the letter is frozen, the audience is cut, and its batches are written, in one transaction.
//!
//! Ids of subscribers are random, so a bucket's audience is split into equal key ranges by arithmetic; nobody's row is read.

use chrono::{DateTime, Utc};

use super::membership::{EVER, Member, raise_cut};
use super::publish::json;
use super::row::{LOCAL, Row};
use super::sql::{Fault, Tx, Value, args, rows, write};
use super::{NewCorrection, NewMailing, Store, StoreError};
use crate::chance::Chance;
use crate::message::Letter;
use crate::types::{Bucket, CadenceId, MailingId, NewsletterId, SubscriberId};

/// Subscribers of a batch, about: a minute of work for one node, so a dead node's batch is soon done by another, and small
/// enough that reading it is one short range scan.
const BATCH: u64 = 5_000;

impl Store {
    /// Opens a digest mailing: moves `last`, writes the mailing, its issues and its batches in one transaction. False when another node was faster,
    /// or an issue is in a mailing of this cadence already.
    pub async fn open_mailing(&self, mailing: &NewMailing) -> Result<bool, StoreError> {
        let letter = json(&mailing.letter)?;
        write!(self.pool, |tx| {
            let opened = open(tx, mailing, &letter).await?;
            if !opened {
                tx.undo();
            }
            Ok(opened)
        })
    }

    /// Opens the correction of an issue: a mailing to everyone who got the mailing that it corrects and is still subscribed. False when
    /// that mailing is not a finished digest, or this revision was sent as a correction already.
    pub async fn open_correction(&self, correction: &NewCorrection) -> Result<bool, StoreError> {
        let letter = json(&correction.letter)?;
        write!(self.pool, |tx| {
            let opened = open_correction(tx, correction, &letter).await?;
            if !opened {
                tx.undo();
            }
            Ok(opened)
        })
    }
}

async fn open(tx: &mut Tx, new: &NewMailing, letter: &str) -> Result<bool, Fault> {
    let NewMailing { mailing, newsletter, cadence, occurrence, last, issues, .. } = new;
    let occurrence = occurrence.format(LOCAL).to_string();
    let sql = "UPDATE cadence SET last = $1 WHERE newsletter = $2 AND cadence = $3 AND last = $4";
    let last = last.format(LOCAL).to_string();
    if tx.execute(sql, args![&occurrence, newsletter, cadence, last]).await? == 0 {
        return Ok(false);
    }
    let cut = raise_cut(tx).await?;
    let values = args![
        *mailing,
        "digest",
        newsletter,
        cadence,
        occurrence,
        new.letter.shown_subject(),
        letter,
        cut,
        0_i64,
        new.now,
        NO_MAILING
    ];
    if tx.execute(INSERT_MAILING, values).await? == 0 {
        return Ok(false);
    }
    for (issue, number) in issues {
        let sql = "INSERT INTO mailing_issue (newsletter, cadence, issue, variant, mailing_id, number) \
             VALUES ($1, $2, $3, '', $4, $5) ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![newsletter, cadence, issue, *mailing, *number]).await? == 0 {
            return Ok(false);
        }
    }
    // The cut was just raised, so the audience is everyone who has not left.
    let sql = "SELECT b.bucket FROM bucket b WHERE EXISTS (SELECT 1 FROM membership m WHERE m.bucket = b.bucket \
         AND m.newsletter = $1 AND m.cadence = $2 AND m.left_after = $3) ORDER BY b.bucket";
    let inhabited = tx.fetch_all(sql, args![newsletter, cadence, EVER]).await?;
    let inhabited = inhabited.iter().map(Row::bucket).collect::<Result<Vec<_>, _>>()?;
    let members = most_members(tx, newsletter, cadence, &inhabited).await?;
    write_batches(tx, *mailing, inhabited.into_iter().map(|bucket| (bucket, members))).await?;
    Ok(true)
}

/// The members of the fullest of a few buckets, about. Addresses are hashed into buckets and ids are random, so a share of the ids of some
/// buckets speaks for all of them, and a batch may well be a little larger or smaller than another. Whoever joins lands anywhere in a table: to count
/// the members of one bucket is to read most pages of all, which is seconds where there are ten million.
async fn most_members(
    tx: &mut Tx,
    newsletter: &NewsletterId,
    cadence: &CadenceId,
    inhabited: &[Bucket],
) -> Result<u64, Fault> {
    const BUCKETS: usize = 3;
    const SHARE: u64 = 32;
    let sql = "SELECT COUNT(*) AS members FROM membership WHERE bucket = $1 AND newsletter = $2 AND cadence = $3 \
         AND left_after = $4 AND subscriber_id <= $5";
    let Some((_, last)) = ranges(SHARE).next() else { return Ok(0) };
    let mut most = 0;
    for bucket in inhabited.iter().step_by(inhabited.len().div_ceil(BUCKETS).max(1)) {
        if let Some(row) = tx.fetch_optional(sql, args![*bucket, newsletter, cadence, EVER, last]).await? {
            most = most.max(SHARE * row.int("members")?.unsigned_abs());
        }
    }
    Ok(most)
}

async fn open_correction(tx: &mut Tx, new: &NewCorrection, letter: &str) -> Result<bool, Fault> {
    let NewCorrection { mailing, corrects, issue, number, now, .. } = new;
    let sql =
        "SELECT newsletter, cadence FROM mailing WHERE mailing_id = $1 AND kind = 'digest' AND state = 'finished'";
    let Some(original) = tx.fetch_optional(sql, args![*corrects]).await? else { return Ok(false) };
    let (newsletter, cadence) = (original.newsletter()?, original.cadence()?);
    let sql = "INSERT INTO mailing_issue (newsletter, cadence, issue, variant, mailing_id, number) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let variant = format!("correction {number}");
    if tx.execute(sql, args![&newsletter, &cadence, issue, variant, *mailing, *number]).await? == 0 {
        return Ok(false);
    }
    let subject = new.letter.shown_subject();
    let values =
        args![*mailing, "correction", &newsletter, &cadence, *mailing, subject, letter, 0_i64, 0_i64, *now, *corrects];
    tx.execute(INSERT_MAILING, values).await?;
    let sql = "SELECT b.bucket, COUNT(*) AS members FROM bucket b JOIN delivery d ON d.bucket = b.bucket \
         AND d.mailing_id = $1 WHERE d.event = 'accepted' GROUP BY b.bucket ORDER BY b.bucket";
    let members = tx.fetch_all(sql, args![*corrects]).await?;
    let members = members.iter().map(|row| Ok((row.bucket()?, row.int("members")?.unsigned_abs())));
    let members = members.collect::<Result<Vec<_>, super::StoreError>>()?;
    write_batches(tx, *mailing, members.into_iter()).await?;
    Ok(true)
}

/// For a mailing that corrects none.
const NO_MAILING: Option<&str> = None;

const INSERT_MAILING: &str = "INSERT INTO mailing (mailing_id, kind, newsletter, cadence, occurrence, state, subject, \
     letter, cut, request, opened_at, corrects, turn, sampled, sampled_at) \
     VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, 0, 0, 0) ON CONFLICT DO NOTHING";

/// At least one batch for each bucket that has anyone in the audience.
async fn write_batches(
    tx: &mut Tx,
    mailing: MailingId,
    members: impl Iterator<Item = (Bucket, u64)>,
) -> Result<(), Fault> {
    let mut batches = Vec::new();
    for (bucket, members) in members {
        for (batch, (first, last)) in (0_i64..).zip(ranges(members.div_ceil(BATCH).max(1))) {
            batches.push(args![bucket, mailing, batch, first, last]);
        }
    }
    insert_batches(tx, &batches).await
}

async fn insert_batches(tx: &mut Tx, batches: &[Vec<Value>]) -> Result<(), Fault> {
    let sql = "INSERT INTO batch (bucket, mailing_id, batch, first_subscriber, last_subscriber, state, due_at, owner, epoch, \
         lease_until, done) SELECT CAST(v.value ->> 0 AS BIGINT), v.value ->> 1, CAST(v.value ->> 2 AS BIGINT), v.value ->> 3, \
         v.value ->> 4, 'free', 0, '', 0, 0, 0 FROM {rows $1} AS v WHERE 1 = 1 ON CONFLICT DO NOTHING";
    tx.execute(sql, args![rows(batches)?]).await.map(|_| ())
}

/// Splits all ids into equal ranges, first and last included, without a gap.
fn ranges(parts: u64) -> impl Iterator<Item = (SubscriberId, SubscriberId)> {
    const IDS: u128 = 1 << 80;
    let id = |number: u128| {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&number.to_be_bytes()[6..]);
        SubscriberId::from_bytes(bytes)
    };
    let parts = u128::from(parts);
    // A part's number is below 2^47 for any number of people there can be, so the product fits.
    let start = move |part: u128| part * IDS / parts;
    (0..parts).map(move |part| (id(start(part)), id(start(part + 1) - 1)))
}

/// Opens the confirmation of one request: a mailing to one person, in the transaction that records the request.
pub(super) async fn open_confirmation(
    tx: &mut Tx,
    member: Member<'_>,
    cadence: &CadenceId,
    request: i64,
    letter: &Letter,
    now: DateTime<Utc>,
    chance: &Chance,
) -> Result<(), Fault> {
    let Member { newsletter, bucket, subscriber } = member;
    let mailing = MailingId::from_bytes(chance.bytes()?);
    let (subject, letter) = (letter.shown_subject(), json(letter)?);
    let values =
        args![mailing, "confirmation", newsletter, cadence, mailing, subject, letter, 0_i64, request, now, NO_MAILING];
    tx.execute(INSERT_MAILING, values).await?;
    insert_batches(tx, &[args![bucket, mailing, 0_i64, subscriber, subscriber]]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_id_once() {
        for parts in [1, 2, 3, 7, 64, 2_000] {
            let all: Vec<_> = ranges(parts).collect();
            assert_eq!(all.len() as u64, parts);
            assert_eq!(all[0].0, SubscriberId::from_bytes([0; 10]));
            assert_eq!(all[all.len() - 1].1, SubscriberId::from_bytes([255; 10]));
            for pair in all.windows(2) {
                let number = |id: SubscriberId| id.bytes().iter().fold(0u128, |n, byte| (n << 8) | u128::from(*byte));
                assert_eq!(number(pair[0].1) + 1, number(pair[1].0));
            }
        }
    }
}
