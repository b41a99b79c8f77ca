//! Subscribers, subscriptions, consent and suppression.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};
use crate::chance::Chance;
use crate::message::Letter;
use crate::subscription::{Answer, Consent, Listed, Request, Subscription, SuppressionReason};
use crate::types::{Bucket, CadenceId, EmailAddress, NewsletterId, SubscriberId};

impl Store {
    /// Records a request to subscribe and, when [`crate::subscription::answer`] says so, opens the confirmation mailing of one, all in one transaction.
    pub async fn subscribe(
        &self,
        request: &Request,
        confirmation: &Letter,
        chance: &Chance,
    ) -> Result<Answer, StoreError> {
        todo!()
    }
    /// All subscriptions of a subscriber to a newsletter.
    pub async fn subscriptions(
        &self,
        newsletter: &NewsletterId,
        bucket: Bucket,
        subscriber: SubscriberId,
    ) -> Result<Vec<Subscription>, StoreError> {
        todo!()
    }
    /// `Pending -> Confirmed`, if the request is still the last one. A confirmed subscription replaces one to another cadence of the
    /// same newsletter. False when nothing changed.
    pub async fn confirm(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<bool, StoreError> {
        todo!()
    }
    /// Ends every subscription of the subscriber to the newsletter. True when one was pending or confirmed.
    pub async fn unsubscribe(
        &self,
        newsletter: &NewsletterId,
        bucket: Bucket,
        subscriber: SubscriberId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        todo!()
    }
    /// Adds a confirmed subscription on an operator's word. False when it stood already, when the address is suppressed, or when the person
    /// unsubscribed before: an import never brings anyone back.
    pub async fn add(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        address: &EmailAddress,
        consent: &Consent,
        now: DateTime<Utc>,
        chance: &Chance,
    ) -> Result<bool, StoreError> {
        todo!()
    }
    /// Ends all subscriptions of an address and erases the address from the subscriber's row; the ledger keeps the bare id. False when unknown.
    pub async fn remove(&self, address: &EmailAddress, now: DateTime<Utc>) -> Result<bool, StoreError> {
        todo!()
    }
    /// Never mail this address again, whatever the newsletter.
    pub async fn suppress(
        &self,
        address: &EmailAddress,
        reason: SuppressionReason,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// A page of subscriptions, in the order of bucket and subscriber, after `after`; of one newsletter, or of all.
    pub async fn list(
        &self,
        newsletter: Option<&NewsletterId>,
        after: Option<(Bucket, SubscriberId)>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        todo!()
    }
    /// Confirmed subscriptions of each cadence of a newsletter.
    pub async fn audience_sizes(&self, newsletter: &NewsletterId) -> Result<Vec<(CadenceId, i64)>, StoreError> {
        todo!()
    }
}
