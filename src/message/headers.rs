//! The header of a message (RFC 5322 section 3.6, RFC 2045, 2369, 2919, 3834, 5064, 8058, 9477). Every field of a letter is
//! checked here, because a letter comes back from storage as text. No bodies.
//!
//! A confirmation is an answer to a form and no mail of a list: it has no `List-` header and no `Precedence`, which would say so.

use std::borrow::Cow;

use chrono::Datelike;

use super::compile::ComposeError;
use super::encode::{phrase, unstructured};
use super::personal::Subject;
use super::segments::{Segments, Slot};
use super::{Letter, List, SLOT_CHARACTERS};
use crate::types::{EmailAddress, MailingId, base32, is_direction};

/// Longest URL that leaves room for a token in a line of 998 octets.
const MAX_URL: usize = 900;

/// Appends the whole header with the empty line that ends it; the subject, where each recipient has their own.
pub(super) fn write(
    letter: &Letter,
    mailing: MailingId,
    boundary: &str,
    out: &mut Segments,
) -> Result<Option<Subject>, ComposeError> {
    originator(letter, out)?;
    out.push("To: ");
    out.slot(Slot::Address);
    out.push("\r\nMessage-ID: <");
    out.slot(Slot::MessageId);
    out.push(&format!("@{}>\r\n", domain("domain", &letter.domain)?));
    let subject = subject(letter, out)?;
    out.push("MIME-Version: 1.0\r\n");
    out.push(&format!("Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n"));
    out.push(&format!("Content-Language: {}\r\n", language(&letter.language)?));
    if let Some(list) = &letter.list {
        list_headers(list, out)?;
    }
    feedback(letter, mailing, out)?;
    // No answer of a machine is of use (RFC 3834 section 5). Exchange has a header of its own for it; `All` would also keep back
    // reports of failed delivery.
    out.push("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n\r\n");
    Ok(subject)
}

/// `Date`, `From`, `Sender` and `Reply-To`.
fn originator(letter: &Letter, out: &mut Segments) -> Result<(), ComposeError> {
    // Outside these years RFC 5322 has no way to write a date, and chrono panics.
    if !(1900..=9999).contains(&letter.date.year()) {
        return Err(refuse("date", "its year is not between 1900 and 9999"));
    }
    out.push(&format!("Date: {}\r\n", letter.date.to_rfc2822()));
    let name = text("from_name", letter.from_name.as_deref().unwrap_or_default())?;
    let from = address("from", &letter.from)?;
    out.push(&phrase("From", &name, from.expose()));
    if let Some(sender) = &letter.sender {
        let sender = address("sender", sender)?;
        // RFC 5322 section 3.6.2: not when it says the same as From.
        if sender.key() != from.key() {
            out.push(&format!("Sender: {}\r\n", sender.expose()));
        }
    }
    if let Some(reply_to) = &letter.reply_to {
        out.push(&format!("Reply-To: {}\r\n", address("reply_to", reply_to)?.expose()));
    }
    Ok(())
}

fn subject(letter: &Letter, out: &mut Segments) -> Result<Option<Subject>, ComposeError> {
    if letter.subject.is_empty() {
        return Err(refuse("subject", "it is empty"));
    }
    let personal = Subject::parse(&letter.subject)
        .map_err(|_| refuse("subject", "it has a slot that nobody fills, or nothing but fields without a fallback"))?;
    if personal.is_some() {
        text("subject", &letter.shown_subject())?;
        out.push("Subject:");
        out.slot(Slot::Subject);
        out.push("\r\n");
    } else {
        out.push(&unstructured("Subject", &text("subject", &letter.subject)?));
    }
    Ok(personal)
}

/// What a digest has and a confirmation has not.
fn list_headers(list: &List, out: &mut Segments) -> Result<(), ComposeError> {
    let id = &list.id;
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=255).contains(&id.len()) || !id.contains('.') || !id.chars().all(legal) {
        return Err(refuse("list.id", "it is not letters, digits, hyphens and dots, such as weekly.example.org"));
    }
    out.push(&phrase("List-Id", &text("list.title", &list.title)?, id));
    out.push(&format!("List-Unsubscribe: <{}", url("list.unsubscribe", &list.unsubscribe)?));
    out.slot(Slot::Unsubscribe);
    // By preference: the page works at once, a mail waits for somebody to read it (RFC 2369 section 2).
    if let Some(by_mail) = &list.unsubscribe_address {
        let by_mail = mailto("list.unsubscribe_address", by_mail)?;
        out.push(&format!(">,\r\n <{by_mail}?subject=unsubscribe%20"));
        out.slot(Slot::Unsubscribe);
    }
    out.push(">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    out.push(&format!("List-Help: <{}", url("list.help", &list.help)?));
    out.slot(Slot::Preferences);
    out.push(&format!(">\r\nList-Owner: <{}>\r\n", mailto("list.owner", &list.owner)?));
    out.push(&format!("List-Archive: <{}>\r\n", url("list.archive", &list.archive)?));
    out.push("List-Post: NO\r\n");
    if let Some(archived_at) = &list.archived_at {
        out.push(&format!("Archived-At: <{}>\r\n", url("list.archived_at", archived_at)?));
    }
    out.push("Precedence: bulk\r\n");
    Ok(())
}

/// Where complaints go, and what they are counted by.
fn feedback(letter: &Letter, mailing: MailingId, out: &mut Segments) -> Result<(), ComposeError> {
    // Gmail counts complaints by these: the mailing, the newsletter, the kind, and the sender, 5 to 15 characters that never
    // change. A confirmation is a mailing of one, of which no count is shown.
    let newsletter = &letter.newsletter;
    let (campaign, kind) =
        if letter.list.is_some() { (mailing.to_string(), "digest") } else { (String::new(), "confirmation") };
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, letter.domain.as_bytes());
    let sender = base32(hash.as_ref().get(..6).unwrap_or_default());
    out.push(&format!("Feedback-ID: {campaign}:{newsletter}:{kind}:{sender}\r\n"));
    if let Some(complaints) = &letter.complaint_address {
        let complaints = address("complaint_address", complaints)?;
        out.push(&format!("CFBL-Address: {}; report=arf\r\nCFBL-Feedback-ID: ", complaints.expose()));
        out.slot(Slot::Verp);
        out.push("\r\n");
    }
    Ok(())
}

pub(super) fn refuse(field: &'static str, why: impl Into<String>) -> ComposeError {
    ComposeError::Header { field, why: why.into() }
}

/// Free text: no control characters, which could end the header, and no slots, which nobody fills there. What turns the direction of
/// text around is left out: a title that ends in the middle of it would make the address behind it read backwards.
fn text<'a>(field: &'static str, value: &'a str) -> Result<Cow<'a, str>, ComposeError> {
    if value.chars().any(char::is_control) {
        return Err(refuse(field, "it holds a line break or another control character"));
    }
    if value.contains(SLOT_CHARACTERS) {
        return Err(refuse(field, "it holds a private-use character that is kept for slots"));
    }
    Ok(if value.contains(is_direction) { value.replace(is_direction, "").into() } else { value.into() })
}

/// An address that every relay takes: only a recipient's may need SMTPUTF8, because nobody else gets that mail.
pub(super) fn address(field: &'static str, value: &str) -> Result<EmailAddress, ComposeError> {
    let address = EmailAddress::parse(value).map_err(|error| refuse(field, error.to_string()))?;
    if address.is_ascii() { Ok(address) } else { Err(refuse(field, "the part before its @ is not ASCII")) }
}

/// The URL of an address (RFC 6068 section 2), with what means something in URLs percent-encoded.
fn mailto(field: &'static str, value: &str) -> Result<String, ComposeError> {
    let address = address(field, value)?;
    let mut local = String::new();
    for c in address.local().chars() {
        if c.is_ascii_alphanumeric() || "!$'*+-._~".contains(c) {
            local.push(c);
        } else {
            local.push_str(&format!("%{:02X}", u32::from(c)));
        }
    }
    Ok(format!("mailto:{local}@{}", address.domain()))
}

/// A domain, by the rules of the part after an address's `@`.
pub(super) fn domain(field: &'static str, value: &str) -> Result<String, ComposeError> {
    Ok(address(field, &format!("x@{value}"))?.domain().to_owned())
}

/// A BCP 47 tag, by its characters.
fn language(value: &str) -> Result<&str, ComposeError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !(1..=35).contains(&value.len()) || !value.chars().all(legal) {
        return Err(refuse("language", "it is not a language tag such as en or pt-BR"));
    }
    Ok(value)
}

/// An absolute URL as it may stand between angle brackets.
fn url<'a>(field: &'static str, value: &'a str) -> Result<&'a str, ComposeError> {
    let web = value.starts_with("https://") || value.starts_with("http://");
    if !web || value.len() > MAX_URL || !value.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b)) {
        return Err(refuse(field, "it is not an absolute http or https URL of at most 900 characters"));
    }
    Ok(value)
}
