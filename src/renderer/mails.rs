//! What each mail says: one struct for each directory of `templates/email/`, which holds `subject.txt`, `body.txt` and `body.html`.

use serde::Serialize;

use super::{TemplateError, Templates};

/// Subject and bodies with the slots of [`crate::message`] in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line of plain text.
    pub subject: String,
    /// The HTML part: a whole document.
    pub html: String,
    /// The text part.
    pub text: String,
}

/// `email/digest/`.
#[derive(Clone, Debug, Serialize)]
pub struct DigestMail {
    /// Title of the newsletter.
    pub newsletter: String,
    /// BCP 47 tag.
    pub language: String,
    /// Absolute URL of its home page.
    pub home: String,
    /// Title of the cadence, for "you get this weekly".
    pub cadence: String,
    /// Oldest first; at least one.
    pub issues: Vec<DigestIssue>,
    /// URL with the slot [`crate::message::UNSUBSCRIBE_TOKEN`] in it.
    pub unsubscribe: String,
}

/// One issue of a digest.
#[derive(Clone, Debug, Serialize)]
pub struct DigestIssue {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// The date for people.
    pub date_words: String,
    /// Names.
    pub authors: Vec<String>,
    /// Summary: the preheader of a mail with one issue.
    pub summary: String,
    /// Sanitised HTML for mail.
    pub html: String,
    /// Plain text.
    pub text: String,
}

/// `email/confirmation/`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmationMail {
    /// Title of the newsletter.
    pub newsletter: String,
    /// BCP 47 tag.
    pub language: String,
    /// Absolute URL of its home page.
    pub home: String,
    /// Title of the cadence.
    pub cadence: String,
    /// URL with the slot [`crate::message::CONFIRM_TOKEN`] in it.
    pub confirm: String,
}

impl DigestMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        render("digest", self, templates)
    }
}

impl ConfirmationMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        render("confirmation", self, templates)
    }
}

fn render(name: &str, context: impl Serialize, templates: &Templates) -> Result<Rendered, TemplateError> {
    let part = |file: &str| templates.render(&format!("email/{name}/{file}"), &context);
    // A subject is one line, whatever a title holds.
    let subject = part("subject.txt")?.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Rendered { subject, html: part("body.html")?, text: part("body.txt")? })
}
