//! Who is in which audience: the one rule that makes the books balance.
//!
//! Mailings are counted as they open; the count is the mailing's cut. A subscription that is confirmed notes the cut it
//! joined after, one that ends the cut it left after, and the audience of cut c is everyone with joined < c <= left. Every
//! join and leave locks its bucket's row ([`gate`]), which an opening raises in all buckets: the order of commits decides, so an
//! opened mailing's audience never changes, whoever comes, goes, comes back or changes the cadence meanwhile, and whatever
//! any clock says. Whether someone in the audience still gets the mail is asked when it is handed.

use chrono::{DateTime, Utc};

use super::sql::{Fault, Tx, args};
use crate::subscription::{Consent, State, Subscription};
use crate::types::{Bucket, CadenceId, NewsletterId, SubscriberId};

/// `left_after` of who is still there.
pub(super) const EVER: i64 = i64::MAX;

/// One subscriber's place with one newsletter.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) newsletter: &'a NewsletterId,
    pub(super) bucket: Bucket,
    pub(super) subscriber: SubscriberId,
}

/// Locks the bucket until the transaction ends and gives the cut. First statement of every transaction that touches a
/// subscriber: it also makes two requests of one person queue.
pub(super) async fn gate(tx: &mut Tx, bucket: Bucket) -> Result<i64, Fault> {
    let row = tx.fetch_optional("UPDATE bucket SET cut = cut WHERE bucket = $1 RETURNING cut", args![bucket]).await?;
    row.map_or_else(
        || Err(Fault::Store(super::StoreError::Value(format!("bucket {} is not in this database", bucket.number())))),
        |row| Ok(row.int("cut")?),
    )
}

/// Raises the cut in every bucket, waiting for every join and leave that is under way, and gives it. Bucket 0 first, on which two
/// openings queue; a join or leave locks one bucket and waits for nothing else, so nobody waits in a circle.
pub(super) async fn raise_cut(tx: &mut Tx) -> Result<i64, Fault> {
    let row = tx.fetch_optional("UPDATE bucket SET cut = cut + 1 WHERE bucket = 0 RETURNING cut", args![]).await?;
    let cut = match row {
        Some(row) => row.int("cut")?,
        None => return Err(Fault::Store(super::StoreError::Value("table bucket is empty".into()))),
    };
    tx.execute("UPDATE bucket SET cut = $1 WHERE bucket <> 0", args![cut]).await?;
    Ok(cut)
}

/// From now on in the audience of a cadence. Whoever left and comes back between two mailings never left.
pub(super) async fn join(tx: &mut Tx, member: Member<'_>, cadence: &CadenceId, cut: i64) -> Result<(), Fault> {
    let sql = "INSERT INTO membership (bucket, newsletter, cadence, subscriber_id, joined_after, left_after) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (bucket, newsletter, cadence, subscriber_id, joined_after) DO UPDATE SET left_after = excluded.left_after";
    let Member { newsletter, bucket, subscriber } = member;
    tx.execute(sql, args![bucket, newsletter, cadence, subscriber, cut, EVER]).await.map(|_| ())
}

/// From now on in no audience of this cadence.
async fn leave(tx: &mut Tx, member: Member<'_>, cadence: &CadenceId, cut: i64) -> Result<(), Fault> {
    let sql = "UPDATE membership SET left_after = $1 WHERE bucket = $2 AND newsletter = $3 AND cadence = $4 \
         AND subscriber_id = $5 AND left_after = $6";
    let Member { newsletter, bucket, subscriber } = member;
    tx.execute(sql, args![cut, bucket, newsletter, cadence, subscriber, EVER]).await.map(|_| ())
}

/// Ends a subscription that is pending or confirmed, and writes down how.
pub(super) async fn end(
    tx: &mut Tx,
    subscription: &Subscription,
    how: &'static str,
    cut: i64,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let Subscription { newsletter, cadence, bucket, subscriber, request, state, .. } = subscription;
    let member = Member { newsletter, bucket: *bucket, subscriber: *subscriber };
    let sql = "UPDATE subscription SET state = 'unsubscribed', unsubscribed_at = $1, fields = '{}' \
         WHERE bucket = $2 AND subscriber_id = $3 AND newsletter = $4 AND cadence = $5";
    tx.execute(sql, args![now, *bucket, *subscriber, newsletter, cadence]).await?;
    if *state == State::Confirmed {
        leave(tx, member, cadence, cut).await?;
    }
    note(tx, member, cadence, *request, how, None, now).await
}

/// Adds a line to the record of consent. The same line twice is one.
pub(super) async fn note(
    tx: &mut Tx,
    member: Member<'_>,
    cadence: &CadenceId,
    request: i64,
    event: &'static str,
    consent: Option<&Consent>,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO consent (bucket, subscriber_id, newsletter, cadence, request, event, source, note, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let Member { newsletter, bucket, subscriber } = member;
    let (source, note) = consent.map_or(("", ""), |consent| (consent.source.as_str(), consent.note.as_str()));
    let values = args![bucket, subscriber, newsletter, cadence, request, event, source, note, now];
    tx.execute(sql, values).await.map(|_| ())
}
