//! Cadences, mailings and their books.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{CadenceState, MailingView, NewMailing, Store, StoreError};
use crate::message::Letter;
use crate::types::{CadenceId, MailingId, NewsletterId};

impl Store {
    /// The state of a cadence; made with `since = now` and `last` when the scheduler sees the cadence for the first time.
    pub async fn cadence_state(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        now: DateTime<Utc>,
        last: NaiveDateTime,
    ) -> Result<CadenceState, StoreError> {
        todo!()
    }
    /// Deals with an occurrence that mails nothing: moves `last` on. False when another node was faster.
    pub async fn pass(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
        last: NaiveDateTime,
        occurrence: NaiveDateTime,
    ) -> Result<bool, StoreError> {
        todo!()
    }
    /// Opens a digest mailing: moves `last`, writes the mailing, its issues and its batches in one transaction. False when another node was faster,
    /// or an issue is in a mailing of this cadence already.
    pub async fn open_mailing(&self, mailing: &NewMailing) -> Result<bool, StoreError> {
        todo!()
    }
    /// The frozen mail of a mailing.
    pub async fn letter(&self, mailing: MailingId) -> Result<Option<Letter>, StoreError> {
        todo!()
    }
    /// The newest mailings with their books; digests only, or confirmations too.
    pub async fn mailings(&self, limit: usize, confirmations: bool) -> Result<Vec<MailingView>, StoreError> {
        todo!()
    }
    /// One mailing with its books.
    pub async fn mailing(&self, mailing: MailingId) -> Result<Option<MailingView>, StoreError> {
        todo!()
    }
    /// `Open -> Paused`, with the reason. False when it was not open.
    pub async fn pause(&self, mailing: MailingId, reason: &str) -> Result<bool, StoreError> {
        todo!()
    }
    /// `Paused -> Open`. False when it was not paused.
    pub async fn resume(&self, mailing: MailingId) -> Result<bool, StoreError> {
        todo!()
    }
    /// Finishes every open mailing whose batches are all done and whose books balance; returns those that finished. One whose batches are done and whose
    /// books do not balance is paused with a reason that shows the books.
    pub async fn finish_mailings(&self, now: DateTime<Utc>) -> Result<Vec<MailingView>, StoreError> {
        todo!()
    }
    /// Deletes finished confirmation mailings (and their batches and deliveries) older than `before`. Returns how many.
    pub async fn forget_confirmations(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        todo!()
    }
}
