//! Mail that is sent to us about our mail: bounces (RFC 3464), complaints (RFC 5965) and requests to unsubscribe (RFC 2369). Pure.
//!
//! Anybody can write such a mail. What makes one true is a token in it that only this install can make, and that only those know who had
//! the mail in their hands; a report without one changes nothing, and a person may look at it.

mod mime;
mod report;

use chrono::{DateTime, TimeDelta, Utc};

pub use report::{Ours, Unread, read};

use crate::delivery::{Enhanced, names_no_mailbox};
use crate::types::{Bucket, EmailAddress, NewsletterId, SubscriberId, Verp};

/// What a mail to us says.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// A mail could not be delivered, for good.
    Bounce(Verp, Bounce),
    /// A reader called a mail spam.
    Complaint(Verp),
    /// A reader wants no more of a newsletter.
    Unsubscribe {
        /// The newsletter.
        newsletter: NewsletterId,
        /// The reader's bucket.
        bucket: Bucket,
        /// The reader.
        subscriber: SubscriberId,
    },
    /// Somebody's program answers a mail of ours, and there is nothing to do: it was delivered, is late, or its reader is on holiday.
    Nothing,
}

/// Why a mail came back, by each recipient that the report names: there are several where ours is an alias, and the first may be another.
#[derive(Debug, PartialEq, Eq)]
pub struct Bounce(Vec<Failure>);

/// What became of a mail at one recipient (RFC 3464 section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Class, subject and detail, such as 5.1.1 (RFC 3463).
    pub status: Enhanced,
    /// What the refusing server said; at most 500 characters, no control characters, no addresses.
    pub text: String,
    /// The addresses it goes by: the one we wrote to, and the one it was for at last.
    recipients: Vec<EmailAddress>,
}

/// Who is to blame for a mail that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// There is no such mailbox: it is never mailed again.
    Gone,
    /// The mailbox, for this time: it is full, or its server does not say more. See [`is_dead`].
    Mailbox,
    /// Us, or the way there: refused as spam, by a policy, or not reached. It says nothing about the mailbox.
    Us,
}

impl Bounce {
    /// The failure of the address that we wrote to; where the report names others only, the first. `None` for an address that was removed.
    #[must_use]
    pub fn of(&self, address: Option<&EmailAddress>) -> Option<&Failure> {
        self.0.iter().find(|failure| failure.is_of(address)).or(self.0.first())
    }
}

impl Failure {
    /// Who is to blame. A mailbox is gone only when it is the one we wrote to: one of several behind an alias takes nothing away
    /// from the others.
    #[must_use]
    pub fn blame(&self, address: Option<&EmailAddress>) -> Blame {
        match self.status {
            status if names_no_mailbox(status) && self.is_of(address) => Blame::Gone,
            // Security and policy, whatever the class.
            (_, 7, _) => Blame::Us,
            (5, ..) => Blame::Mailbox,
            // Tried for days: what it was about counts, and a network or a server that was away is not the mailbox.
            (_, 1 | 2, _) => Blame::Mailbox,
            _ => Blame::Us,
        }
    }

    fn is_of(&self, address: Option<&EmailAddress>) -> bool {
        address.is_some_and(|address| self.recipients.iter().any(|recipient| recipient.key() == address.key()))
    }
}

/// How many mailings in a row must have come back, and over how long, before a mailbox counts as gone.
const RUN: usize = 3;
const RUN_SPAN: TimeDelta = TimeDelta::days(7);

/// Of how many mailings, the newest first, [`is_dead`] needs to know: who gets several a day has more of them within the week.
pub const HISTORY: usize = 50;

/// Whether nobody reads a mailbox any more: of the mailings that a relay took for it, each with its opening and whether it came back by
/// the mailbox's fault, the newest first, at least three in a row came back, over at least a week.
#[must_use]
pub fn is_dead(mailings: &[(DateTime<Utc>, bool)]) -> bool {
    let run: Vec<_> = mailings.iter().take_while(|(_, back)| *back).map(|(at, _)| *at).collect();
    run.len() >= RUN && run.first().zip(run.last()).is_some_and(|(newest, oldest)| *newest - *oldest >= RUN_SPAN)
}

#[cfg(test)]
mod tests;
