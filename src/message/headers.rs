//! The header of a message (RFC 5322 section 3.6, RFC 2045, 2369, 2919, 3834, 8058). Every field of a letter is checked
//! here, because a letter comes back from storage as text. No bodies.

use chrono::Datelike;

use super::compile::ComposeError;
use super::encode::{phrase, unstructured};
use super::segments::{Segments, Slot};
use super::{Letter, List, SLOT_CHARACTERS};
use crate::types::EmailAddress;

/// Longest URL that leaves room for a token in a line of 998 octets.
const MAX_URL: usize = 900;

/// Appends the whole header with the empty line that ends it.
pub(super) fn write(letter: &Letter, boundary: &str, out: &mut Segments) -> Result<(), ComposeError> {
    originator(letter, out)?;
    out.push("To: ");
    out.slot(Slot::Address);
    out.push("\r\nMessage-ID: <");
    out.slot(Slot::MessageId);
    out.push(&format!("@{}>\r\n", domain(&letter.domain)?));
    if letter.subject.is_empty() {
        return Err(refuse("subject", "it is empty"));
    }
    out.push(&unstructured("Subject", text("subject", &letter.subject)?));
    out.push("MIME-Version: 1.0\r\n");
    out.push(&format!("Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n"));
    out.push(&format!("Content-Language: {}\r\n", language(&letter.language)?));
    if let Some(list) = &letter.list {
        list_headers(list, out)?;
    }
    out.push("Auto-Submitted: auto-generated\r\n\r\n");
    Ok(())
}

/// `Date`, `From` and `Reply-To`.
fn originator(letter: &Letter, out: &mut Segments) -> Result<(), ComposeError> {
    // Outside these years RFC 5322 has no way to write a date, and chrono panics.
    if !(1900..=9999).contains(&letter.date.year()) {
        return Err(refuse("date", "its year is not between 1900 and 9999"));
    }
    out.push(&format!("Date: {}\r\n", letter.date.to_rfc2822()));
    let name = text("from_name", letter.from_name.as_deref().unwrap_or_default())?;
    out.push(&phrase("From", name, address("from", &letter.from)?.expose()));
    if let Some(reply_to) = &letter.reply_to {
        out.push(&format!("Reply-To: {}\r\n", address("reply_to", reply_to)?.expose()));
    }
    Ok(())
}

/// What a digest has and a confirmation has not.
fn list_headers(list: &List, out: &mut Segments) -> Result<(), ComposeError> {
    let id = &list.id;
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(1..=255).contains(&id.len()) || !id.contains('.') || !id.chars().all(legal) {
        return Err(refuse("list.id", "it is not letters, digits, hyphens and dots, such as weekly.example.org"));
    }
    out.push(&phrase("List-Id", text("list.title", &list.title)?, id));
    out.push(&format!("List-Unsubscribe: <{}", url("list.unsubscribe", &list.unsubscribe)?));
    out.slot(Slot::Unsubscribe);
    out.push(">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    out.push(&format!("List-Archive: <{}>\r\n", url("list.archive", &list.archive)?));
    out.push("Precedence: bulk\r\n");
    Ok(())
}

pub(super) fn refuse(field: &'static str, why: impl Into<String>) -> ComposeError {
    ComposeError::Header { field, why: why.into() }
}

/// Free text: no control characters, which could end the header, and no slots, which nobody fills there.
fn text<'a>(field: &'static str, value: &'a str) -> Result<&'a str, ComposeError> {
    if value.chars().any(char::is_control) {
        return Err(refuse(field, "it holds a line break or another control character"));
    }
    if value.contains(SLOT_CHARACTERS) {
        return Err(refuse(field, "it holds a private-use character that is kept for slots"));
    }
    Ok(value)
}

pub(super) fn address(field: &'static str, value: &str) -> Result<EmailAddress, ComposeError> {
    EmailAddress::parse(value).map_err(|error| refuse(field, error.to_string()))
}

/// A domain, by the rules of the part after an address's `@`.
pub(super) fn domain(value: &str) -> Result<String, ComposeError> {
    Ok(address("domain", &format!("x@{value}"))?.domain().to_owned())
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
