//! The receiver: reads what is sent to us about our mail, and acts on it.

use chrono::{DateTime, Utc};

use crate::bounce::{self, Ours, Report};
use crate::mailbox::{MailboxError, Maildir};
use crate::store::{Noted, Store, StoreError};
use crate::types::NewsletterId;

/// How many mails one tick reads: a process that is told to stop does not wait long for it.
const TICK: usize = 200;

/// Why a tick ended early. What was read before is dealt with.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The inbox.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The receiver of an install. Several may share an inbox: a report that is read twice is written down once.
#[derive(Debug)]
pub struct Receiver {
    /// Where reports are written down.
    pub store: Store,
    /// The inbox.
    pub maildir: Maildir,
    /// The newsletters whose readers may unsubscribe by mail.
    pub newsletters: Vec<NewsletterId>,
}

impl Receiver {
    /// Reads what has arrived. A mail that was understood is removed once its report is durable; what was not is left to a person. True when
    /// there is more.
    ///
    /// # Errors
    /// When the inbox cannot be used, or the database fails: the mail stays where it is.
    pub async fn tick(&self, now: DateTime<Utc>) -> Result<bool, ReceiveError> {
        let ours = Ours { key: self.store.key(), newsletters: &self.newsletters };
        let arrived = self.maildir.arrived().await?;
        for name in arrived.iter().take(TICK) {
            let Some(message) = self.maildir.read(name).await? else { continue };
            match bounce::read(&message, &ours) {
                Ok(report) => {
                    self.act(report, now).await?;
                    self.maildir.remove(name).await?;
                }
                Err(why) => {
                    tracing::info!(inbox = %self.maildir, mail = name, %why, "a mail in the inbox is left to a person");
                    self.maildir.leave(name).await?;
                }
            }
        }
        Ok(arrived.len() > TICK)
    }

    async fn act(&self, report: Report, now: DateTime<Utc>) -> Result<(), StoreError> {
        match report {
            Report::Bounce(verp, bounce) => {
                let noted = self.store.bounced(&verp, &bounce, now).await?;
                if noted != Noted::Before {
                    let suppressed = noted == Noted::Suppressed;
                    tracing::info!(mailing = %verp.mailing, subscriber = %verp.subscriber, suppressed, "a mail came back");
                }
            }
            Report::Complaint(verp) => {
                if self.store.complained(&verp, now).await? != Noted::Before {
                    tracing::info!(mailing = %verp.mailing, subscriber = %verp.subscriber, "a reader called a mail spam");
                }
            }
            Report::Unsubscribe { newsletter, bucket, subscriber } => {
                let ended = self.store.unsubscribe(&newsletter, bucket, subscriber, now).await?;
                tracing::info!(%newsletter, ended, "a request to unsubscribe, by mail");
            }
            Report::Nothing => {}
        }
        Ok(())
    }
}
