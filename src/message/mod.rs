//! The mail as bytes: a frozen [`Letter`] is compiled once, then spliced for each recipient. Pure.
//!
//! The same letter, recipient and key give the same bytes on every node and every attempt.

mod compile;
mod encode;
mod headers;
mod segments;

pub use compile::{Compiled, ComposeError, Message, Recipient};

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
    /// Address of `Reply-To`, if any.
    pub reply_to: Option<String>,
    /// Envelope sender: where bounces go.
    pub return_path: String,
    /// Subject as plain text.
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
    /// `List-Archive`: the newsletter's home page.
    pub archive: String,
}
