//! Requests to subscribe, and what answers them: confirming, and adding on an operator's word.

use chrono::{DateTime, Utc};

use super::membership::{Member, end, gate, join, note};
use super::opening::open_confirmation;
use super::publish::json;
use super::sql::{Fault, Tx, args, write};
use super::subscribers::{find, of_newsletter, suppression};
use super::{Store, StoreError};
use crate::chance::Chance;
use crate::message::Letter;
use crate::subscription::{Answer, CONFIRMATION_INTERVAL, Choice, Consent, Request, State, Subscription, answer};
use crate::types::{Bucket, CadenceId, EmailAddress, Fields, NewsletterId, SubscriberId};

impl Store {
    /// Records a request to subscribe and, when [`crate::subscription::answer`] says so, opens the confirmation mailing of one, all in one transaction.
    ///
    /// The request's number counts over all cadences of the newsletter, so a token, which does not name the cadence, answers one
    /// subscription only. A pending request for another cadence counts as the current one: the form cannot be used to mail a
    /// stranger once for each cadence.
    pub async fn subscribe(
        &self,
        request: &Request,
        confirmation: &Letter,
        chance: &Chance,
    ) -> Result<Answer, StoreError> {
        let bucket = request.address.key().bucket(self.buckets);
        write!(self.pool, |tx| subscribe(tx, bucket, request, confirmation, chance).await)
    }

    /// `Pending -> Confirmed`, if the request is still the last one. A confirmed subscription replaces one to another cadence of the
    /// same newsletter. False when nothing changed.
    pub async fn confirm(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<bool, StoreError> {
        write!(self.pool, |tx| confirm(tx, subscription, now).await)
    }

    /// Gives a confirmed subscription another cadence or other fields, on the word of whoever has the link of one of its mails. False
    /// when it is not confirmed any more, or nothing is different.
    pub async fn choose(&self, subscription: &Subscription, choice: &Choice) -> Result<bool, StoreError> {
        write!(self.pool, |tx| choose(tx, subscription, choice).await)
    }

    /// Adds a confirmed subscription on an operator's word. False when the person has the newsletter already, in whatever cadence; when
    /// the address is suppressed; or when the person unsubscribed before: an import never brings anyone back, nor
    /// changes what someone chose.
    pub async fn add(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        address: &EmailAddress,
        consent: &Consent,
        now: DateTime<Utc>,
        chance: &Chance,
    ) -> Result<bool, StoreError> {
        let (newsletter, cadence) = (newsletter.clone(), cadence.clone());
        let (address, consent, fields) = (address.clone(), consent.clone(), Fields::default());
        self.admit(&Request { newsletter, cadence, address, now, consent, fields }, chance).await
    }

    /// What [`Store::add`] does, with what is known of the person.
    pub async fn admit(&self, request: &Request, chance: &Chance) -> Result<bool, StoreError> {
        let bucket = request.address.key().bucket(self.buckets);
        write!(self.pool, |tx| add(tx, bucket, request, chance).await)
    }
}

async fn subscribe(
    tx: &mut Tx,
    bucket: Bucket,
    request: &Request,
    letter: &Letter,
    chance: &Chance,
) -> Result<Answer, Fault> {
    gate(tx, bucket).await?;
    let known = find(tx, bucket, &request.address).await?;
    let others = match known {
        Some(subscriber) => of_newsletter(tx, &request.newsletter, bucket, subscriber).await?,
        None => Vec::new(),
    };
    let suppressed = suppression(tx, bucket, &request.address).await?.is_some();
    let answer = answer(not_before(&others, request.now), suppressed, current(&others, &request.cadence));
    if answer == Answer::Confirm {
        let subscriber = known_or_new(tx, bucket, known, request, chance).await?;
        let number = next_request(&others);
        record(tx, bucket, subscriber, request, number, State::Pending).await?;
        let member = Member { newsletter: &request.newsletter, bucket, subscriber };
        note(tx, member, &request.cadence, number, "requested", Some(&request.consent), request.now).await?;
        open_confirmation(tx, member, &request.cadence, number, letter, request.now, chance).await?;
    }
    Ok(answer)
}

/// The subscription that decides about a request: the same cadence when it is confirmed, else the newest pending request for any
/// cadence, else what there is of this cadence.
fn current<'a>(others: &'a [Subscription], cadence: &CadenceId) -> Option<&'a Subscription> {
    let same = others.iter().find(|s| s.cadence == *cadence);
    let pending = others.iter().filter(|s| s.state == State::Pending).max_by_key(|s| s.requested_at);
    same.filter(|s| s.state == State::Confirmed).or(pending).or(same)
}

/// The time of a request for the rule of [`answer`]. Requests queue at the gate, and nodes have clocks of their own, so one that
/// comes second may be dated a little before the first; it must not look as if the first were long ago. A date further
/// ahead is a clock that was wrong, and locks nobody out.
fn not_before(others: &[Subscription], now: DateTime<Utc>) -> DateTime<Utc> {
    let close =
        |at: &DateTime<Utc>| at.signed_duration_since(now).to_std().is_ok_and(|ahead| ahead < CONFIRMATION_INTERVAL);
    others.iter().map(|s| s.requested_at).filter(close).fold(now, DateTime::max)
}

async fn confirm(tx: &mut Tx, subscription: &Subscription, now: DateTime<Utc>) -> Result<bool, Fault> {
    let Subscription { newsletter, cadence, bucket, subscriber, request, .. } = subscription;
    let member = Member { newsletter, bucket: *bucket, subscriber: *subscriber };
    let cut = gate(tx, *bucket).await?;
    let sql = "UPDATE subscription SET state = 'confirmed', confirmed_at = $1, unsubscribed_at = NULL WHERE bucket = $2 \
         AND subscriber_id = $3 AND newsletter = $4 AND cadence = $5 AND state = 'pending' AND request = $6";
    if tx.execute(sql, args![now, *bucket, *subscriber, newsletter, cadence, *request]).await? == 0 {
        return Ok(false);
    }
    for other in of_newsletter(tx, newsletter, *bucket, *subscriber).await? {
        if other.state == State::Confirmed && other.cadence != *cadence {
            end(tx, &other, "replaced", cut, now).await?;
        }
    }
    join(tx, member, cadence, cut).await?;
    note(tx, member, cadence, *request, "confirmed", None, now).await?;
    Ok(true)
}

async fn choose(tx: &mut Tx, subscription: &Subscription, choice: &Choice) -> Result<bool, Fault> {
    let Subscription { newsletter, bucket, subscriber, .. } = subscription;
    let member = Member { newsletter, bucket: *bucket, subscriber: *subscriber };
    let Choice { cadence, fields, now, consent } = choice;
    let cut = gate(tx, *bucket).await?;
    let standing = of_newsletter(tx, newsletter, *bucket, *subscriber).await?;
    let Some(confirmed) = standing.iter().find(|s| s.state == State::Confirmed) else { return Ok(false) };
    if confirmed.cadence == *cadence {
        let sql = "UPDATE subscription SET fields = $1 WHERE bucket = $2 AND subscriber_id = $3 AND newsletter = $4 \
             AND cadence = $5 AND fields <> $1";
        let values = args![json(fields)?, *bucket, *subscriber, newsletter, cadence];
        return Ok(tx.execute(sql, values).await? == 1);
    }
    let Some(address) = confirmed.address.clone() else { return Ok(false) };
    end(tx, confirmed, "replaced", cut, *now).await?;
    let number = next_request(&standing);
    let (newsletter, cadence, consent) = (newsletter.clone(), cadence.clone(), consent.clone());
    let request = Request { newsletter, cadence, address, now: *now, consent, fields: fields.clone() };
    record(tx, *bucket, *subscriber, &request, number, State::Confirmed).await?;
    join(tx, member, &request.cadence, cut).await?;
    note(tx, member, &request.cadence, number, "chosen", Some(&request.consent), *now).await?;
    Ok(true)
}

async fn add(tx: &mut Tx, bucket: Bucket, request: &Request, chance: &Chance) -> Result<bool, Fault> {
    let cut = gate(tx, bucket).await?;
    let known = find(tx, bucket, &request.address).await?;
    let others = match known {
        Some(subscriber) => of_newsletter(tx, &request.newsletter, bucket, subscriber).await?,
        None => Vec::new(),
    };
    // A person who left and asked again, but did not confirm, still counts as having left.
    let stands = others.iter().any(|s| s.state == State::Confirmed || s.unsubscribed_at.is_some());
    if stands || suppression(tx, bucket, &request.address).await?.is_some() {
        return Ok(false);
    }
    let subscriber = known_or_new(tx, bucket, known, request, chance).await?;
    let number = next_request(&others);
    record(tx, bucket, subscriber, request, number, State::Confirmed).await?;
    let member = Member { newsletter: &request.newsletter, bucket, subscriber };
    join(tx, member, &request.cadence, cut).await?;
    note(tx, member, &request.cadence, number, "added", Some(&request.consent), request.now).await?;
    Ok(true)
}

fn next_request(others: &[Subscription]) -> i64 {
    1 + others.iter().map(|s| s.request).max().unwrap_or(0)
}

async fn known_or_new(
    tx: &mut Tx,
    bucket: Bucket,
    known: Option<SubscriberId>,
    request: &Request,
    chance: &Chance,
) -> Result<SubscriberId, Fault> {
    if let Some(subscriber) = known {
        return Ok(subscriber);
    }
    let subscriber = SubscriberId::from_bytes(chance.bytes()?);
    let sql =
        "INSERT INTO subscriber (bucket, subscriber_id, address, address_key, created_at) VALUES ($1, $2, $3, $4, $5)";
    let (address, key) = (request.address.expose(), request.address.key());
    tx.execute(sql, args![bucket, subscriber, address, key.expose(), request.now]).await?;
    Ok(subscriber)
}

/// Writes a subscription in its new state, over the one that stands.
async fn record(
    tx: &mut Tx,
    bucket: Bucket,
    subscriber: SubscriberId,
    request: &Request,
    number: i64,
    state: State,
) -> Result<(), Fault> {
    let sql = "INSERT INTO subscription (bucket, subscriber_id, newsletter, cadence, state, request, requested_at, confirmed_at, \
         fields) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (bucket, subscriber_id, newsletter, cadence) DO UPDATE SET \
         state = excluded.state, request = excluded.request, requested_at = excluded.requested_at, fields = excluded.fields, \
         confirmed_at = COALESCE(excluded.confirmed_at, subscription.confirmed_at), unsubscribed_at = \
         CASE WHEN excluded.state = 'confirmed' THEN NULL ELSE subscription.unsubscribed_at END";
    let confirmed_at = (state == State::Confirmed).then_some(request.now);
    let Request { newsletter, cadence, now, fields, .. } = request;
    let fields = json(fields)?;
    let values = args![bucket, subscriber, newsletter, cadence, state.as_str(), number, *now, confirmed_at, fields];
    tx.execute(sql, values).await.map(|_| ())
}
