//! The letters a newsletter writes: a template, the newsletter's sender, and the URLs that need a token. Pure.

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Cadence, Newsletter};
use crate::issue::{Content, Issue, Revision};
use crate::message::{
    CONFIRM_TOKEN, Compiled, ComposeError, Letter, List, Message, PREFERENCES_TOKEN, Recipient, Signers,
    UNSUBSCRIBE_TOKEN, field_names, with_fallbacks,
};
use crate::renderer::mails::{ConfirmationMail, DigestIssue, DigestMail, Fit, Rendered};
use crate::renderer::{Phrases, TemplateError, Templates};
use crate::site;
use crate::types::{EmailAddress, Fields, Finding, InstallKey, MailingId, Place, Rule, SubscriberId};

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
    of_issues(base, templates, newsletter, digest_mail(base, templates, newsletter, cadence, issues), date)
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
    let mail = digest_mail(base, templates, newsletter, cadence, std::slice::from_ref(issue));
    of_issues(base, templates, newsletter, DigestMail { correction: true, ..mail }, date)
}

fn digest_mail(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    cadence: &Cadence,
    issues: &[Revision],
) -> DigestMail {
    let phrases = templates.phrases(&newsletter.language);
    DigestMail {
        newsletter: newsletter.title.clone(),
        language: newsletter.language.clone(),
        home: site::home(base, &newsletter.id).to_string(),
        cadence: cadence.title.clone(),
        correction: false,
        issues: issues.iter().map(|issue| digest_issue(issue, &newsletter.language, phrases)).collect(),
        unsubscribe: format!("{}{UNSUBSCRIBE_TOKEN}", site::unsubscribe(base, &newsletter.id)),
        postal_address: newsletter.postal_address.clone(),
        limit: newsletter.html_limit,
        preferences: format!("{}{PREFERENCES_TOKEN}", site::preferences(base, &newsletter.id)),
    }
}

/// As [`fit`], of one document that is not published yet; the rest of its mail is the first cadence's.
///
/// # Errors
/// When an overriding template does not render.
pub fn fit_of(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    issue: &Issue,
    url: &Url,
    content: &Content,
) -> Result<Fit, TemplateError> {
    let Some(cadence) = newsletter.cadences.first() else { return Ok(Fit::default()) };
    let mail = DigestMail {
        issues: vec![DigestIssue {
            title: issue.title.clone(),
            url: url.to_string(),
            language: newsletter.language.clone(),
            date_words: templates.phrases(&newsletter.language).date(issue.date),
            authors: issue.authors.clone(),
            summary: content.summary.clone(),
            html: content.mail.clone(),
            text: String::new(),
        }],
        ..digest_mail(base, templates, newsletter, cadence, &[])
    };
    Ok(mail.render(templates)?.1)
}

/// What readers of the mail miss: a warning for `check` and the preview.
#[must_use]
pub fn finding(fit: &Fit, newsletter: &Newsletter, path: &str) -> Option<Finding> {
    (!fit.cut.is_empty()).then(|| Finding {
        rule: Rule::CutInMail,
        place: Place::file(path),
        message: format!(
            "its mail ends early, with a link to the rest: more than {} bytes of HTML",
            newsletter.html_limit
        ),
        remedy: "Shorten it, or make two of it; html_limit says why.".to_owned(),
    })
}

/// The message as somebody gets it who does not exist: for looking at it.
///
/// # Errors
/// When the letter cannot become a message.
pub fn sample(letter: &Letter, key: &InstallKey, signers: &Signers, buckets: u16) -> Result<Message, ComposeError> {
    let address = EmailAddress::parse("reader@example.org")
        .map_err(|error| ComposeError::Header { field: "to", why: error.to_string() })?;
    let recipient = Recipient {
        bucket: address.key().bucket(buckets),
        subscriber: SubscriberId::from_bytes([0; 10]),
        address,
        request: 0,
        fields: Fields::default(),
    };
    Compiled::new(MailingId::from_bytes([0; 10]), letter, key, signers)?.splice(&recipient)
}

/// A part of a letter with the word `token` where a reader's tokens go, and what people read who gave no name.
#[must_use]
pub fn shown(part: &str) -> String {
    let tokens = [UNSUBSCRIBE_TOKEN, PREFERENCES_TOKEN, CONFIRM_TOKEN];
    with_fallbacks(&tokens.iter().fold(part.to_owned(), |part, slot| part.replace(slot, "token")))
}

/// How the HTML of the digest of these issues comes to its size.
///
/// # Errors
/// When an overriding template does not render.
pub fn fit(
    base: &Url,
    templates: &Templates,
    newsletter: &Newsletter,
    cadence: &Cadence,
    issues: &[Revision],
) -> Result<Fit, TemplateError> {
    Ok(digest_mail(base, templates, newsletter, cadence, issues).render(templates)?.1)
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
    Ok(Letter { list: Some(list), ..letterhead(newsletter, mail.render(templates)?.0, date)? })
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
        postal_address: newsletter.postal_address.clone(),
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

fn digest_issue(revision: &Revision, language: &str, phrases: Phrases<'_>) -> DigestIssue {
    DigestIssue {
        title: revision.title.clone(),
        url: revision.url.clone(),
        language: revision.language.clone().unwrap_or_else(|| language.to_owned()),
        date_words: phrases.date(revision.date),
        authors: revision.authors.clone(),
        summary: revision.content.summary.clone(),
        html: revision.content.mail.clone(),
        text: revision.content.text.clone(),
    }
}
