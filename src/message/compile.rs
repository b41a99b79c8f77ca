//! Compile once, splice per recipient.

use super::Letter;
use crate::types::{Bucket, EmailAddress, InstallKey, MailingId, SubscriberId};

/// A letter encoded once, with holes where the recipient's parts go.
#[derive(Clone, Debug)]
pub struct Compiled {}

/// Whom one message is for.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The subscriber's bucket.
    pub bucket: Bucket,
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// Where it goes.
    pub address: EmailAddress,
    /// The request that a confirmation token answers; 0 otherwise.
    pub request: i64,
}

/// One message, ready for the wire: CRLF line ends, no line over 998 octets, no bare CR, LF or NUL.
/// Not dot-stuffed: that belongs to SMTP alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Envelope sender.
    pub return_path: String,
    /// Envelope recipient.
    pub to: EmailAddress,
    /// The Message-ID without angle brackets.
    pub message_id: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A letter that cannot become a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A field of the letter is not what a header may hold.
    #[error("the letter's {field} cannot stand in a header: {why}")]
    Header {
        /// Which field.
        field: &'static str,
        /// Why.
        why: String,
    },
}

impl Compiled {
    /// Encodes a letter.
    ///
    /// # Errors
    /// When a field cannot stand in a header.
    pub fn new(mailing: MailingId, letter: &Letter, key: &InstallKey) -> Result<Self, ComposeError> {
        let _ = (mailing, letter, key);
        todo!()
    }

    /// The message to one recipient.
    #[must_use]
    pub fn splice(&self, recipient: &Recipient) -> Message {
        let _ = recipient;
        todo!()
    }
}
