//! The housekeeper: closes the books of mailings, and forgets what nobody needs any more.

use chrono::{DateTime, Utc};

use crate::store::{MailingView, Store, StoreError};

/// How long a confirmation is kept: long enough to answer "I never got the mail". A request that is not confirmed in that time is forgotten.
const KEEP_CONFIRMATIONS: chrono::Duration = chrono::Duration::days(30);

/// How long a relay is said to be down that nobody looks at any more.
const KEEP_RELAYS: chrono::Duration = chrono::Duration::hours(1);

/// The housekeeper of an install. Any number may run: the store settles who closes what.
#[derive(Debug)]
pub struct Housekeeper {
    /// What it keeps in order.
    pub store: Store,
}

impl Housekeeper {
    /// Finishes mailings whose batches are done and whose books balance, samples the progress of the others, and forgets old confirmations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self, now: DateTime<Utc>) -> Result<Vec<MailingView>, StoreError> {
        let finished = self.store.finish_mailings(now).await?;
        self.store.sample_progress(now).await?;
        self.store.forget_relays(now - KEEP_RELAYS).await?;
        self.store.forget_confirmations(now - KEEP_CONFIRMATIONS, now).await?;
        Ok(finished)
    }
}
