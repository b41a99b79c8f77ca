//! Compile once, splice per recipient.

use std::fmt;

use bytes::Bytes;

use super::Letter;
use super::dkim::{Signers, Signing};
use super::encode::quoted_printable;
use super::fit::{self, Piece};
use super::headers;
use super::personal::{Part, Personal, Subject};
use super::segments::{Filling, Segments, Shared, Slot};
use crate::types::{
    Bucket, Confirm, EmailAddress, Fields, InstallKey, MailingId, NewsletterId, Preferences, Purpose, Scope,
    SubscriberId, Token, Unsubscribe, Verp, base32,
};

/// The local part of a return path before its token.
const BOUNCES: &str = "bounces+";

/// The renderer marks the lines that go on in the next one (RFC 3676). Quoted-printable encodes their spaces, so no relay can take
/// them away, and signatures cover them.
const FLOWED: &str = "text/plain; charset=utf-8; format=flowed; delsp=yes";

/// A letter encoded once, with holes where the recipient's parts go.
#[derive(Clone, Debug)]
pub struct Compiled {
    mailing: MailingId,
    newsletter: NewsletterId,
    return_path: ReturnPath,
    domain: String,
    key: InstallKey,
    head: Segments,
    body: Shared,
    subject: Option<Subject>,
    personal: Vec<Personal>,
    signing: Option<Signing>,
}

/// Where bounces go.
#[derive(Clone, Debug)]
enum ReturnPath {
    /// To one address for all.
    Fixed(EmailAddress),
    /// To an address of its own for each delivery, at this domain.
    Verp(String),
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
    /// What they told about themselves.
    pub fields: Fields,
}

/// One message, ready for the wire: CRLF line ends, no line over 998 octets, no bare CR, LF or NUL, and ASCII but for a recipient whose
/// address is not. Not dot-stuffed: that belongs to SMTP alone. `Debug` leaves the bytes out, because they hold the address and its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Envelope sender.
    pub return_path: EmailAddress,
    /// Envelope recipient.
    pub to: EmailAddress,
    /// The Message-ID without angle brackets.
    pub message_id: String,
    /// The bytes. Most are in pieces that all messages of the letter share.
    pub pieces: Vec<Piece>,
}

impl Message {
    /// The bytes, put together.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        fit::joined(&self.pieces)
    }
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
    /// The cryptography library failed.
    #[error("the message could not be signed")]
    Sign,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { return_path, to, message_id, pieces } = self;
        write!(f, "Message({message_id} from {return_path} to {to}, {pieces:?})")
    }
}

impl Compiled {
    /// Encodes a letter. Nothing in it is trusted: it comes back from storage. It is signed by the keys of its newsletter.
    ///
    /// # Errors
    /// When a field cannot stand in a header, or a body holds a slot that is none.
    pub fn new(mailing: MailingId, letter: &Letter, key: &InstallKey, signers: &Signers) -> Result<Self, ComposeError> {
        let newsletter = NewsletterId::parse(&letter.newsletter)
            .map_err(|error| headers::refuse("newsletter", error.to_string()))?;
        let return_path = return_path(letter)?;
        // `=_` cannot occur in quoted-printable, so no part can hold the boundary (RFC 2045 section 6.7).
        let boundary = format!("=_{mailing}");
        let (mut head, mut body, mut personal) = (Segments::default(), Segments::default(), Vec::new());
        let subject = headers::write(letter, mailing, &boundary, &mut head)?;
        // The last alternative is the preferred one (RFC 2046 section 5.1.4).
        let parts = [
            (Part::Text, "text", FLOWED, &letter.text),
            (Part::Html, "html", "text/html; charset=utf-8", &letter.html),
        ];
        for (part, name, kind, content) in parts {
            body.push(&format!("--{boundary}\r\nContent-Type: {kind}\r\n"));
            body.push("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            quoted_printable(content, &mut body, |field| Personal::number(&mut personal, part, field))
                .map_err(|_| ComposeError::Slot { part: name })?;
        }
        body.push(&format!("--{boundary}--\r\n"));
        let body = body.shared();
        let keys = signers.of(&newsletter);
        let signing = (!keys.is_empty()).then(|| Signing::new(keys, &head, &body, letter.date.timestamp()));
        let domain = headers::domain("domain", &letter.domain)?;
        let key = key.clone();
        Ok(Self { mailing, newsletter, return_path, domain, key, head, body, subject, personal, signing })
    }

    /// The message to one recipient: the same bytes whenever and wherever it is asked for.
    ///
    /// # Errors
    /// Only when the cryptography library fails to sign: never send such a message unsigned.
    pub fn splice(&self, recipient: &Recipient) -> Result<Message, ComposeError> {
        let Recipient { subscriber, address, request, fields, .. } = recipient;
        let id = self.local_part(*subscriber);
        let verp = self.verp(recipient);
        let subject = self.subject.as_ref().map(|subject| subject.encoded(fields)).unwrap_or_default();
        let personal: Vec<String> = self.personal.iter().map(|personal| personal.encoded(fields)).collect();
        let filling = Filling {
            address: address.expose(),
            message_id: &id,
            verp: &verp,
            unsubscribe: &self.token::<Unsubscribe>(Slot::Unsubscribe, recipient, 0),
            preferences: &self.token::<Preferences>(Slot::Preferences, recipient, 0),
            confirm: &self.token::<Confirm>(Slot::Confirm, recipient, *request),
            subject: &subject,
            personal: &personal,
        };
        let pieces = self.pieces(&filling)?;
        Ok(Message {
            return_path: self.return_path(&verp)?,
            to: address.clone(),
            message_id: format!("{id}@{}", self.domain),
            pieces,
        })
    }

    /// Signatures, header and body. What is this message's own lies in one place, and the pieces are slices of it.
    fn pieces(&self, filling: &Filling<'_>) -> Result<Vec<Piece>, ComposeError> {
        let mut head = Vec::with_capacity(self.head.len(filling));
        self.head.fill(filling, &mut head);
        // The signatures stand first and are known last; they sign the body without a copy of it.
        let signatures = match &self.signing {
            Some(signing) => signing.sign(&head, self.body.bytes(filling)).map_err(|_| ComposeError::Sign)?,
            None => String::new(),
        };
        let header = signatures.len() + head.len();
        let mut own = Vec::with_capacity(header + self.body.own(filling).map(str::len).sum::<usize>());
        own.extend_from_slice(signatures.as_bytes());
        own.extend_from_slice(&head);
        self.body.own(filling).for_each(|part| own.extend_from_slice(part.as_bytes()));
        let own = Bytes::from(own);
        let first = Piece::new(own.slice(..header));
        Ok(std::iter::once(first).chain(self.body.pieces(filling, &own, header)).collect())
    }

    fn verp(&self, recipient: &Recipient) -> String {
        if matches!(self.return_path, ReturnPath::Fixed(_)) && !self.head.has(Slot::Verp) {
            return String::new();
        }
        Verp::mint(&self.key, self.mailing, recipient.bucket, recipient.subscriber).to_string()
    }

    fn return_path(&self, verp: &str) -> Result<EmailAddress, ComposeError> {
        match &self.return_path {
            ReturnPath::Fixed(address) => Ok(address.clone()),
            ReturnPath::Verp(domain) => headers::address("bounce_domain", &format!("{BOUNCES}{verp}@{domain}")),
        }
    }

    /// The Message-ID of the message to a subscriber, without angle brackets. It needs neither the address nor a key to sign with.
    #[must_use]
    pub fn message_id(&self, subscriber: SubscriberId) -> String {
        format!("{}@{}", self.local_part(subscriber), self.domain)
    }

    /// 160 bits of a keyed hash: stable across attempts, and nobody outside can link a reader's mails by it.
    fn local_part(&self, subscriber: SubscriberId) -> String {
        let mac = self.key.mac(&[b"message-id", self.mailing.bytes(), subscriber.bytes()]);
        base32(mac.split_at(20).0)
    }

    /// A token, if the letter has a slot for one.
    fn token<P: Purpose>(&self, slot: Slot, recipient: &Recipient, request: i64) -> String {
        if !self.head.has(slot) && !self.body.has(slot) {
            return String::new();
        }
        let Recipient { bucket, subscriber, .. } = *recipient;
        Token::<P>::mint(&self.key, &Scope { newsletter: &self.newsletter, bucket, subscriber, request }).to_string()
    }
}

fn return_path(letter: &Letter) -> Result<ReturnPath, ComposeError> {
    let fixed = headers::address("return_path", &letter.return_path)?;
    match &letter.bounce_domain {
        Some(domain) => Ok(ReturnPath::Verp(headers::domain("bounce_domain", domain)?)),
        None => Ok(ReturnPath::Fixed(fixed)),
    }
}

#[cfg(test)]
mod tests;
