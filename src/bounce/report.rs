//! Reading a report.

use super::mime::{Entity, groups};
use super::{Bounce, Failure, Report};
use crate::delivery::{Enhanced, Reply, enhanced};
use crate::types::{
    EmailAddress, InstallKey, NewsletterId, Scope, TOKEN_LENGTH, Token, Unsubscribe, VERP_LENGTH, Verp,
};

/// What makes a report one about mail of this install.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// The key that our tokens are made with.
    pub key: &'a InstallKey,
    /// Our newsletters.
    pub newsletters: &'a [NewsletterId],
}

/// Why a mail is left to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A report that does not say which mail it is about.
    #[error(
        "it is a report with no token of this install in it: forged, of other mail, or of mail without `bounce_domain`"
    )]
    Foreign,
    /// No report at all.
    #[error("it is no report that a program can read")]
    NoReport,
}

/// Where a mail says whom it was sent to: the envelope, as the programs on its way wrote it down, and its header.
const RECIPIENTS: [&str; 5] = ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To"];

/// What in the copy of our mail names it.
const ORIGINAL: [&str; 2] = ["Return-Path", "CFBL-Feedback-ID"];

/// Reads a mail to us: all of it, or its first part where it is very long.
///
/// # Errors
/// When it is left to a person.
pub fn read(message: &[u8], ours: &Ours<'_>) -> Result<Report, Unread> {
    let message = Entity::read(message);
    if let Some(left) = message.decoded("Subject").and_then(|subject| unsubscribe(&subject, ours)) {
        return Ok(left);
    }
    let parts = message.parts_within();
    let addressed = || named(&message, &RECIPIENTS, ours);
    let copied = || parts.iter().filter_map(Entity::original).find_map(|copy| named(&copy, &ORIGINAL, ours));
    for part in &parts {
        match part.kind().as_str() {
            "message/delivery-status" | "message/global-delivery-status" => {
                let verp = addressed().or_else(copied).ok_or(Unread::Foreign)?;
                return Ok(failures(&part.text()).map_or(Report::Nothing, |bounce| Report::Bounce(verp, bounce)));
            }
            "message/feedback-report" => {
                let text = part.text();
                let report = Entity::read(text.as_bytes());
                let sender = || named(&report, &["Original-Mail-From"], ours);
                let verp = copied().or_else(sender).or_else(addressed).ok_or(Unread::Foreign)?;
                return if is_complaint(&report) { Ok(Report::Complaint(verp)) } else { Err(Unread::NoReport) };
            }
            _ => {}
        }
    }
    // RFC 3834 section 5: a holiday note, say.
    let is_automatic = message.values("Auto-Submitted").any(|value| value.to_lowercase().starts_with("auto-replied"));
    if is_automatic && addressed().is_some() { Ok(Report::Nothing) } else { Err(Unread::NoReport) }
}

/// Others, such as `auth-failure` and `not-spam`, are no complaints (RFC 5965 section 7.3).
fn is_complaint(report: &Entity<'_>) -> bool {
    let is_one = |kind: &str| ["abuse", "fraud", "opt-out"].iter().any(|one| kind.eq_ignore_ascii_case(one));
    report.values("Feedback-Type").any(is_one)
}

/// The first token of this install in some fields.
fn named(entity: &Entity<'_>, fields: &[&str], ours: &Ours<'_>) -> Option<Verp> {
    fields.iter().flat_map(|name| entity.values(name)).find_map(|text| verp(text, ours))
}

/// The first token of this install for a delivery in a text.
fn verp(text: &str, ours: &Ours<'_>) -> Option<Verp> {
    words(text, VERP_LENGTH).filter_map(|word| Verp::parse(word).ok()).find(|verp| verp.is_ours(ours.key))
}

/// The request of a subject such as `unsubscribe TOKEN`.
fn unsubscribe(subject: &str, ours: &Ours<'_>) -> Option<Report> {
    words(subject, TOKEN_LENGTH).find_map(|word| {
        let token = Token::<Unsubscribe>::parse(&word.to_ascii_lowercase()).ok()?;
        let (bucket, subscriber) = (token.bucket(), token.subscriber());
        let is_for =
            |newsletter: &&NewsletterId| token.answers(ours.key, &Scope { newsletter, bucket, subscriber, request: 0 });
        let newsletter = ours.newsletters.iter().find(is_for)?.clone();
        Some(Report::Unsubscribe { newsletter, bucket, subscriber })
    })
}

/// Words of letters and digits with this length.
fn words(text: &str, length: usize) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(move |word| word.len() == length)
}

/// The recipients that a delivery status notification says the mail did not reach; `None` when there is none.
fn failures(text: &str) -> Option<Bounce> {
    // The first group is about the message as a whole, and has no action.
    let failures: Vec<_> = groups(text).filter_map(|group| failure(&group)).collect();
    (!failures.is_empty()).then_some(Bounce(failures))
}

fn failure(group: &Entity<'_>) -> Option<Failure> {
    let of = |name: &'static str| group.values(name).next();
    if !of("Action")?.to_ascii_lowercase().starts_with("failed") {
        return None;
    }
    let diagnostic = of("Diagnostic-Code").map(reply);
    let recipients = ["Final-Recipient", "Original-Recipient"].into_iter().filter_map(of);
    Some(Failure {
        status: status(of("Status").and_then(enhanced), diagnostic.as_ref()),
        text: diagnostic.map(|reply| reply.nameless().into_owned()).unwrap_or_default(),
        recipients: recipients.filter_map(typed).collect(),
    })
}

/// The status; what the refusing server said of it where the program in between had no more to say than "it failed" (5.0.0).
fn status(stated: Option<Enhanced>, reply: Option<&Reply>) -> Enhanced {
    match (stated, reply.and_then(|reply| reply.enhanced)) {
        (Some((class, 0, _)), Some(said)) if said.0 == class => said,
        (Some(stated), _) => stated,
        (None, said) => said.unwrap_or((5, 0, 0)),
    }
}

/// `smtp; 550 5.1.1 No such user` (RFC 3464 section 2.3.6); the lines of a long reply are `550-5.1.1 ...`.
fn reply(diagnostic: &str) -> Reply {
    let said = diagnostic.split_once(';').map_or(diagnostic, |(_, said)| said).trim();
    let code = said.get(..3).and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
    match code {
        Some(code) => Reply::new(code, said.get(3..).unwrap_or_default().trim_start_matches(['-', ' '])),
        None => Reply::new(550, said),
    }
}

/// `rfc822; ada@example.org` (RFC 3464 section 2.3.1).
fn typed(value: &str) -> Option<EmailAddress> {
    let (_, address) = value.split_once(';')?;
    EmailAddress::parse(address.trim().trim_start_matches('<').trim_end_matches('>')).ok()
}
