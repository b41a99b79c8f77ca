//! The letters a newsletter writes: a template, the newsletter's sender, and the URLs that need a token. Pure.

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Cadence, Newsletter};
use crate::issue::Revision;
use crate::message::{CONFIRM_TOKEN, Letter, List, UNSUBSCRIBE_TOKEN};
use crate::renderer::mails::{ConfirmationMail, DigestIssue, DigestMail, Rendered};
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
    let home = site::home(base, &newsletter.id);
    let unsubscribe = site::unsubscribe(base, &newsletter.id);
    let mail = DigestMail {
        newsletter: newsletter.title.clone(),
        language: newsletter.language.clone(),
        home: home.to_string(),
        cadence: cadence.title.clone(),
        issues: issues.iter().map(digest_issue).collect(),
        unsubscribe: format!("{unsubscribe}{UNSUBSCRIBE_TOKEN}"),
    };
    let list = List {
        // The domain of the sender outlives a move of the site, and RFC 2919 wants an id that never changes.
        id: format!("{}.{}", newsletter.id, newsletter.from.address().domain()),
        title: newsletter.title.clone(),
        unsubscribe: unsubscribe.to_string(),
        archive: home.to_string(),
    };
    Ok(Letter { list: Some(list), ..letterhead(newsletter, mail.render(templates)?, date) })
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
