//! The mail as bytes: a frozen [`Letter`] is compiled once, then spliced for each recipient. Pure.
//!
//! The same letter, recipient and keys give the same bytes on every node and every attempt.

mod compile;
mod dkim;
mod encode;
pub mod fit;
mod headers;
mod personal;
mod segments;
mod slots;

pub use compile::{Compiled, ComposeError, Message, Recipient};
pub use dkim::{Algorithm, KeyError, Signers, SigningKey};
pub use slots::{field_names, field_slot, with_fallbacks};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Stands in a letter's HTML or text where the recipient's unsubscribe token goes. Private-use characters:
/// the renderer takes them out of all content, so no content can forge a slot.
pub const UNSUBSCRIBE_TOKEN: &str = "\u{E000}unsubscribe\u{E001}";
/// Stands where the token of the recipient's preferences page goes.
pub const PREFERENCES_TOKEN: &str = "\u{E000}preferences\u{E001}";
/// Stands where the recipient's confirmation token goes.
pub const CONFIRM_TOKEN: &str = "\u{E000}confirm\u{E001}";
/// Private-use characters that only slots may hold; a letter with one anywhere else is refused.
pub const SLOT_CHARACTERS: [char; 2] = ['\u{E000}', '\u{E001}'];

/// A mailing's mail, frozen when the mailing opens: everything that is the same for each recipient.
///
/// Stored as JSON with the mailing, so sending never reads git, templates or configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The newsletter's name; tokens are bound to it.
    pub newsletter: String,
    /// Display name of `From`, without control characters.
    pub from_name: Option<String>,
    /// Address of `From`.
    pub from: String,
    /// Address of `Sender`, when somebody else sends for `From` (RFC 5322 section 3.6.2).
    pub sender: Option<String>,
    /// Address of `Reply-To`, if any.
    pub reply_to: Option<String>,
    /// Envelope sender: where bounces go, unless there is a `bounce_domain`.
    pub return_path: String,
    /// The envelope sender is `bounces+TOKEN@` this domain, with a token of its own for each recipient.
    pub bounce_domain: Option<String>,
    /// `CFBL-Address` (RFC 9477): where mailbox providers send complaints.
    pub complaint_address: Option<String>,
    /// Subject as plain text, with slots for fields.
    pub subject: String,
    /// HTML with slots.
    pub html: String,
    /// Plain text with slots, lines ended by `\n`.
    pub text: String,
    /// `Date`, and part of the Message-ID.
    pub date: DateTime<Utc>,
    /// Domain of the Message-ID: the domain of `from`.
    pub domain: String,
    /// BCP 47 tag for `Content-Language`.
    pub language: String,
    /// Present on a digest, absent on a confirmation.
    pub list: Option<List>,
}

/// The list headers of a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// `List-Id` identifier (RFC 2919), such as `weekly.news.example.org`; stable for ever.
    pub id: String,
    /// Title before the identifier.
    pub title: String,
    /// `List-Unsubscribe` (RFC 2369, 8058) is this URL followed by the recipient's token.
    pub unsubscribe: String,
    /// Where mail with the subject `unsubscribe TOKEN` ends a subscription: the second choice of `List-Unsubscribe`.
    pub unsubscribe_address: Option<String>,
    /// `List-Help` is this URL followed by the recipient's token: the preferences page, which says what can be done.
    pub help: String,
    /// `List-Owner`: the address of a person.
    pub owner: String,
    /// `List-Archive`: the newsletter's home page.
    pub archive: String,
    /// `Archived-At` (RFC 5064): the page of the one issue in the mail.
    pub archived_at: Option<String>,
}

impl Letter {
    /// The subject for people who run the newsletter: as a subscriber without fields reads it.
    #[must_use]
    pub fn shown_subject(&self) -> String {
        slots::with_fallbacks(&self.subject)
    }
}
