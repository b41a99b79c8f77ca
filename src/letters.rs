//! The letters a newsletter writes: a template, the newsletter's sender, and the URLs that need a token. Pure.

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Cadence, Newsletter};
use crate::issue::Revision;
use crate::message::{CONFIRM_TOKEN, Letter, List, PREFERENCES_TOKEN, UNSUBSCRIBE_TOKEN};
use crate::renderer::mails::{ConfirmationMail, DigestIssue, DigestMail, Fit, Rendered};
use crate::renderer::{TemplateError, Templates};
use crate::site;

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
        issues: issues.iter().map(|issue| digest_issue(issue, &newsletter.language)).collect(),
        unsubscribe: format!("{}{UNSUBSCRIBE_TOKEN}", site::unsubscribe(base, &newsletter.id)),
        postal_address: newsletter.postal_address.clone(),
        limit: newsletter.html_limit,
        preferences: format!("{}{PREFERENCES_TOKEN}", site::preferences(base, &newsletter.id)),
    }
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
    Ok(digest_mail(base, newsletter, cadence, issues).render(templates)?.1)
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
        archive: site::home(base, &newsletter.id).to_string(),
    };
    Ok(Letter { list: Some(list), ..letterhead(newsletter, mail.render(templates)?.0, date) })
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
    Ok(letterhead(newsletter, mail.render(templates)?, date))
}

fn letterhead(newsletter: &Newsletter, mail: Rendered, date: DateTime<Utc>) -> Letter {
    let from = newsletter.from.address();
    Letter {
        newsletter: newsletter.id.to_string(),
        from_name: newsletter.from.name().map(str::to_owned),
        from: from.expose().to_owned(),
        reply_to: newsletter.reply_to.as_ref().map(|address| address.expose().to_owned()),
        return_path: newsletter.return_path.expose().to_owned(),
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
        date,
        domain: from.domain().to_owned(),
        language: newsletter.language.clone(),
        list: None,
    }
}

fn digest_issue(revision: &Revision, language: &str) -> DigestIssue {
    // The names of months are English; a number is right in every language.
    let english = language.split('-').next().is_some_and(|language| language.eq_ignore_ascii_case("en"));
    let date = if english { "%-d %B %Y" } else { "%Y-%m-%d" };
    DigestIssue {
        title: revision.title.clone(),
        url: revision.url.clone(),
        language: revision.language.clone().unwrap_or_else(|| language.to_owned()),
        date_words: revision.date.format(date).to_string(),
        authors: revision.authors.clone(),
        summary: revision.content.summary.clone(),
        html: revision.content.mail.clone(),
        text: revision.content.text.clone(),
    }
}
