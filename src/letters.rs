//! The letters a newsletter writes: a template, the newsletter's sender, and the URLs that need a token. Pure.

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Cadence, Newsletter};
use crate::issue::Revision;
use crate::message::{CONFIRM_TOKEN, Letter, List, PREFERENCES_TOKEN, UNSUBSCRIBE_TOKEN, field_names};
use crate::renderer::mails::{ConfirmationMail, DigestIssue, DigestMail, Rendered};
use crate::renderer::{TemplateError, Templates};
use crate::site;
use crate::types::EmailAddress;

/// The digest of these issues. `base` is `server.url`; `date` becomes the mail's `Date`.
///
/// # Errors
/// When an overriding template does not render.
pub fn digest(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    cadence: &Cadence,
    issues: &[Revision],
    date: DateTime<Utc>,
) -> Result<Letter, TemplateError> {
    of_issues(base, templates, newsletter, digest_mail(base, newsletter, cadence, issues), date)
}

/// The correction of an issue, marked as such, for those who had it.
///
/// # Errors
/// When an overriding template does not render.
pub fn correction(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    cadence: &Cadence,
    issue: &Revision,
    date: DateTime<Utc>,
) -> Result<Letter, TemplateError> {
    let mail = digest_mail(base, newsletter, cadence, std::slice::from_ref(issue));
    of_issues(base, templates, newsletter, DigestMail { correction: true, ..mail }, date)
}

fn digest_mail(base: &Url, newsletter: &Newsletter, cadence: &Cadence, issues: &[Revision]) -> DigestMail {
    DigestMail {
        newsletter: newsletter.title.clone(),
        language: newsletter.language.clone(),
        home: site::home(base, &newsletter.id).to_string(),
        cadence: cadence.title.clone(),
        correction: false,
        issues: issues.iter().map(digest_issue).collect(),
        unsubscribe: format!("{}{UNSUBSCRIBE_TOKEN}", site::unsubscribe(base, &newsletter.id)),
        preferences: format!("{}{PREFERENCES_TOKEN}", site::preferences(base, &newsletter.id)),
    }
}

fn of_issues(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    mail: DigestMail,
    date: DateTime<Utc>,
) -> Result<Letter, TemplateError> {
    let list = List {
        // The domain of the sender outlives a move of the site, and RFC 2919 wants an id that never changes.
        id: format!("{}.{}", newsletter.id, newsletter.from.address().domain()),
        title: newsletter.title.clone(),
        unsubscribe: site::unsubscribe(base, &newsletter.id).to_string(),
        unsubscribe_address: newsletter.unsubscribe_address.as_ref().map(|address| address.expose().to_owned()),
        help: site::preferences(base, &newsletter.id).to_string(),
        owner: newsletter.reply_to.as_ref().unwrap_or(newsletter.from.address()).expose().to_owned(),
        archive: site::home(base, &newsletter.id).to_string(),
        archived_at: if let [issue] = mail.issues.as_slice() { Some(issue.url.clone()) } else { None },
    };
    Ok(Letter { list: Some(list), ..letterhead(newsletter, mail.render(templates)?, date)? })
}

/// The mail that asks a person to confirm their subscription.
///
/// # Errors
/// When an overriding template does not render.
pub fn confirmation(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    cadence: &Cadence,
    date: DateTime<Utc>,
) -> Result<Letter, TemplateError> {
    let mail = ConfirmationMail {
        newsletter: newsletter.title.clone(),
        language: newsletter.language.clone(),
        home: site::home(base, &newsletter.id).to_string(),
        cadence: cadence.title.clone(),
        confirm: format!("{}{CONFIRM_TOKEN}", site::confirm(base, &newsletter.id)),
    };
    letterhead(newsletter, mail.render(templates)?, date)
}

fn letterhead(newsletter: &Newsletter, mail: Rendered, date: DateTime<Utc>) -> Result<Letter, TemplateError> {
    let known = |name: &&str| newsletter.fields.iter().any(|field| field.as_str() == *name);
    if let Some(unknown) =
        [&mail.subject, &mail.html, &mail.text].into_iter().flat_map(|part| field_names(part)).find(|name| !known(name))
    {
        let why = format!(
            "the newsletter {} has no field {unknown:?}; add it to `fields`, or take it out of the template",
            newsletter.id
        );
        return Err(TemplateError { name: "email".to_owned(), line: None, why });
    }
    let from = newsletter.from.address();
    let text = |address: &EmailAddress| address.expose().to_owned();
    Ok(Letter {
        newsletter: newsletter.id.to_string(),
        from_name: newsletter.from.name().map(str::to_owned),
        from: from.expose().to_owned(),
        sender: newsletter.sender.as_ref().map(text),
        reply_to: newsletter.reply_to.as_ref().map(text),
        return_path: text(&newsletter.return_path),
        bounce_domain: newsletter.bounce_domain.clone(),
        complaint_address: newsletter.complaint_address.as_ref().map(text),
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
        date,
        domain: from.domain().to_owned(),
        language: newsletter.language.clone(),
        list: None,
    })
}

fn digest_issue(revision: &Revision) -> DigestIssue {
    DigestIssue {
        title: revision.title.clone(),
        url: revision.url.clone(),
        date_words: revision.date.format("%-d %B %Y").to_string(),
        authors: revision.authors.clone(),
        summary: revision.content.summary.clone(),
        html: revision.content.mail.clone(),
        text: revision.content.text.clone(),
    }
}
