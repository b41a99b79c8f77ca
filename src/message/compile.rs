//! Compile once, splice per recipient.

use std::fmt;

use super::Letter;
use super::encode::quoted_printable;
use super::headers;
use super::segments::{Filling, Segments, Slot};
use crate::types::{
    Bucket, Confirm, EmailAddress, InstallKey, MailingId, NewsletterId, Preferences, Purpose, Scope, SubscriberId,
    Token, Unsubscribe, base32,
};

/// The renderer marks the lines that go on in the next one (RFC 3676). Quoted-printable encodes their spaces, so no relay can take
/// them away, and signatures cover them.
const FLOWED: &str = "text/plain; charset=utf-8; format=flowed; delsp=yes";

/// A letter encoded once, with holes where the recipient's parts go.
#[derive(Clone, Debug)]
pub struct Compiled {
    mailing: MailingId,
    newsletter: NewsletterId,
    return_path: EmailAddress,
    domain: String,
    key: InstallKey,
    segments: Segments,
}

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
/// Not dot-stuffed: that belongs to SMTP alone. `Debug` leaves the bytes out, because they hold the address and its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Envelope sender.
    pub return_path: EmailAddress,
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
    /// A field of the letter is not what a header or an envelope may hold.
    #[error("the letter's {field} cannot stand in a header: {why}")]
    Header {
        /// Which field.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// A body holds a slot that nobody knows, or half of one. Its content was not cleaned of private-use characters.
    #[error("the letter's {part} holds a private-use character that is kept for slots, and no slot that we know")]
    Slot {
        /// `html` or `text`.
        part: &'static str,
    },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { return_path, to, message_id, bytes } = self;
        write!(f, "Message({message_id} from {return_path} to {to}, {} bytes)", bytes.len())
    }
}

impl Compiled {
    /// Encodes a letter. Nothing in it is trusted: it comes back from storage.
    ///
    /// # Errors
    /// When a field cannot stand in a header, or a body holds a slot that is none.
    pub fn new(mailing: MailingId, letter: &Letter, key: &InstallKey) -> Result<Self, ComposeError> {
        let newsletter = NewsletterId::parse(&letter.newsletter)
            .map_err(|error| headers::refuse("newsletter", error.to_string()))?;
        let return_path = headers::address("return_path", &letter.return_path)?;
        // `=_` cannot occur in quoted-printable, so no part can hold the boundary (RFC 2045 section 6.7).
        let boundary = format!("=_{mailing}");
        let mut segments = Segments::default();
        headers::write(letter, &boundary, &mut segments)?;
        // The last alternative is the preferred one (RFC 2046 section 5.1.4).
        let parts = [("text", FLOWED, &letter.text), ("html", "text/html; charset=utf-8", &letter.html)];
        for (part, kind, body) in parts {
            segments.push(&format!("--{boundary}\r\nContent-Type: {kind}\r\n"));
            segments.push("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            quoted_printable(body, &mut segments).map_err(|_| ComposeError::Slot { part })?;
        }
        segments.push(&format!("--{boundary}--\r\n"));
        Ok(Self {
            mailing,
            newsletter,
            return_path,
            domain: headers::domain(&letter.domain)?,
            key: key.clone(),
            segments,
        })
    }

    /// The message to one recipient: the same bytes whenever and wherever it is asked for.
    #[must_use]
    pub fn splice(&self, recipient: &Recipient) -> Message {
        let id = self.message_id(recipient.subscriber);
        let bytes = self.segments.fill(&Filling {
            address: recipient.address.expose(),
            message_id: &id,
            unsubscribe: &self.token::<Unsubscribe>(Slot::Unsubscribe, recipient, 0),
            preferences: &self.token::<Preferences>(Slot::Preferences, recipient, 0),
            confirm: &self.token::<Confirm>(Slot::Confirm, recipient, recipient.request),
        });
        Message {
            return_path: self.return_path.clone(),
            to: recipient.address.clone(),
            message_id: format!("{id}@{}", self.domain),
            bytes,
        }
    }

    /// 160 bits of a keyed hash: stable across attempts, and nobody outside can link a reader's mails by it.
    fn message_id(&self, subscriber: SubscriberId) -> String {
        let mac = self.key.mac(&[b"message-id", self.mailing.bytes(), subscriber.bytes()]);
        base32(mac.split_at(20).0)
    }

    /// A token, if the letter has a slot for one.
    fn token<P: Purpose>(&self, slot: Slot, recipient: &Recipient, request: i64) -> String {
        if !self.segments.has(slot) {
            return String::new();
        }
        let Recipient { bucket, subscriber, .. } = *recipient;
        Token::<P>::mint(&self.key, &Scope { newsletter: &self.newsletter, bucket, subscriber, request }).to_string()
    }
}

#[cfg(test)]
mod tests;
