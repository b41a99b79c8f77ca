//! What operators order of a mailing, the same by command and by HTTP. Every node obeys within a second: whatever is handed asks the mailing's state in the same
//! statement, and slots are taken for less than half a second.

use serde::Serialize;

use crate::delivery::rate::Rate;
use crate::store::{MailingState, Store, StoreError};
use crate::types::MailingId;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop for now.
    Pause,
    /// Go on.
    Resume,
    /// Stop for ever.
    Cancel,
    /// So fast; `None` for no limit.
    Rate(Option<Rate>),
}

/// What an order led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obeyed {
    /// Whether it changed anything.
    pub changed: bool,
    /// The state now: `open`, `paused`, `finished` or `cancelled`.
    pub state: String,
}

impl Obeyed {
    /// What the mailing is or does now.
    #[must_use]
    pub fn words(&self, order: &Order) -> String {
        match order {
            Order::Pause | Order::Resume | Order::Cancel => format!("is {}", self.state),
            Order::Rate(Some(rate)) => format!("goes at most at {rate}"),
            Order::Rate(None) => "goes as fast as the relay takes it".to_owned(),
        }
    }
}

/// Carries out an order; `None` when there is no such mailing.
///
/// # Errors
/// When the database fails.
pub async fn obey(store: &Store, mailing: MailingId, order: &Order) -> Result<Option<Obeyed>, StoreError> {
    let Some(before) = store.mailing_state(mailing).await? else { return Ok(None) };
    let changed = match order {
        Order::Pause => store.pause(mailing, "paused by an operator").await?,
        Order::Resume => store.resume(mailing).await?,
        Order::Cancel => store.cancel(mailing, "cancelled by an operator").await?,
        Order::Rate(rate) => {
            let moves = matches!(before, MailingState::Open | MailingState::Paused);
            if moves {
                store.set_rate(&format!("mailing {mailing}"), *rate).await?;
            }
            moves
        }
    };
    let state = store.mailing_state(mailing).await?.unwrap_or(before);
    Ok(Some(Obeyed { changed, state: format!("{state:?}").to_lowercase() }))
}
