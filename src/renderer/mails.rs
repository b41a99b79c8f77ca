//! What each mail says: one struct for each directory of `templates/email/`, which holds `subject.txt`, `body.txt` and `body.html`.

#[cfg(test)]
mod contrast;
mod cut;
mod fit;
mod furnish;
mod inline;

pub use fit::Fit;

use serde::Serialize;

use super::{TemplateError, Templates, one_line, without_slots};
use crate::issue::direction;

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
#[derive(Clone, Debug)]
pub struct DigestMail {
    /// Title of the newsletter.
    pub newsletter: String,
    /// BCP 47 tag.
    pub language: String,
    /// Absolute URL of its home page.
    pub home: String,
    /// Title of the cadence, for "you get this weekly".
    pub cadence: String,
    /// It corrects an issue that its readers had.
    pub correction: bool,
    /// Oldest first; at least one.
    pub issues: Vec<DigestIssue>,
    /// URL with the slot [`crate::message::UNSUBSCRIBE_TOKEN`] in it.
    pub unsubscribe: String,
    /// URL with the slot [`crate::message::PREFERENCES_TOKEN`] in it.
    pub preferences: String,
    /// Where the sender lives, on one line.
    pub postal_address: Option<String>,
    /// The most bytes of HTML, as a mail program counts them.
    pub limit: usize,
}

/// One issue of a digest.
#[derive(Clone, Debug)]
pub struct DigestIssue {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// BCP 47 tag.
    pub language: String,
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
    /// Where the sender lives, on one line.
    pub postal_address: Option<String>,
}

/// What the templates of a digest are given.
#[derive(Serialize)]
struct Context<'m> {
    newsletter: &'m str,
    language: &'m str,
    direction: &'static str,
    home: &'m str,
    cadence: &'m str,
    correction: bool,
    issues: Vec<IssueContext<'m>>,
    unsubscribe: &'m str,
    preferences: &'m str,
    postal_address: Option<&'m str>,
    /// The style sheet of the contents, where it is not in their elements.
    content_style: &'m str,
}

#[derive(Serialize)]
struct IssueContext<'m> {
    title: &'m str,
    url: &'m str,
    language: &'m str,
    direction: &'static str,
    date_words: &'m str,
    authors: &'m [String],
    summary: &'m str,
    html: String,
    text: &'m str,
    /// Name of the anchor before it.
    anchor: String,
    /// It ends early.
    cut: bool,
}

impl<'m> Context<'m> {
    /// The contents are still to come.
    fn new(mail: &'m DigestMail, content_style: &'m str) -> Self {
        let DigestMail {
            newsletter,
            language,
            home,
            cadence,
            correction,
            issues,
            unsubscribe,
            preferences,
            postal_address,
            limit: _,
        } = mail;
        let issues = issues.iter().zip(1..).map(|(issue, number)| IssueContext::new(issue, number)).collect();
        Self {
            newsletter,
            language,
            direction: direction(language),
            home,
            cadence,
            correction: *correction,
            issues,
            unsubscribe,
            preferences,
            postal_address: postal_address.as_deref(),
            content_style,
        }
    }
}

impl<'m> IssueContext<'m> {
    fn new(issue: &'m DigestIssue, number: usize) -> Self {
        let DigestIssue { title, url, language, date_words, authors, summary, html: _, text } = issue;
        Self {
            title,
            url,
            language,
            direction: direction(language),
            date_words,
            authors,
            summary,
            html: String::new(),
            text,
            anchor: format!("issue-{number}"),
            cut: false,
        }
    }
}

impl DigestIssue {
    /// Only the mail's own URL has a slot: a title that forges one would put a token where content wants it.
    fn cleaned(&self) -> Self {
        let Self { title, url, language, date_words, authors, summary, html, text } = self;
        Self {
            title: one_line(&without_slots(title)),
            url: without_slots(url),
            language: without_slots(language),
            date_words: without_slots(date_words),
            authors: authors.iter().map(|author| one_line(&without_slots(author))).collect(),
            summary: without_slots(summary),
            html: without_slots(html),
            text: without_slots(text),
        }
    }
}

impl DigestMail {
    /// Renders the mail, and says how its HTML came to its size.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<(Rendered, Fit), TemplateError> {
        let Self {
            newsletter,
            language,
            home,
            cadence,
            correction,
            issues,
            unsubscribe,
            preferences,
            postal_address,
            limit,
        } = self;
        let mail = Self {
            correction: *correction,
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            issues: issues.iter().map(DigestIssue::cleaned).collect(),
            unsubscribe: unsubscribe.clone(),
            preferences: preferences.clone(),
            postal_address: postal_address.as_deref().map(without_slots),
            limit: *limit,
        };
        let (html, fit) = fit::html(&mail, templates)?;
        let mut mail = mail;
        for (at, (kept, all)) in fit.cut.iter().zip(&fit.words) {
            if let Some(issue) = mail.issues.get_mut(*at) {
                issue.text = cut::text(issue.text.trim(), *kept, *all);
            }
        }
        let mut context = Context::new(&mail, "");
        for (at, issue) in context.issues.iter_mut().enumerate() {
            issue.cut = fit.cut.contains(&at);
        }
        let part = |file: &str| templates.render(&format!("email/digest/{file}"), &context);
        let rendered = Rendered { subject: one_line(&part("subject.txt")?), html, text: stuffed(&part("body.txt")?) };
        Ok((rendered, fit))
    }
}

impl ConfirmationMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        let Self { newsletter, language, home, cadence, confirm, postal_address } = self;
        #[derive(Serialize)]
        struct Whole {
            #[serde(flatten)]
            mail: ConfirmationMail,
            direction: &'static str,
            content_style: &'static str,
        }
        let mail = Self {
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            confirm: confirm.clone(),
            postal_address: postal_address.as_deref().map(without_slots),
        };
        let context = Whole { direction: direction(&mail.language), mail, content_style: "" };
        let part = |file: &str| templates.render(&format!("email/confirmation/{file}"), &context);
        let html = inline::document(&part("body.html")?, "email/confirmation/body.html")?;
        // A subject is one line, whatever a title holds.
        Ok(Rendered { subject: one_line(&part("subject.txt")?), html, text: stuffed(&part("body.txt")?) })
    }
}

/// Text as `format=flowed` has it on the wire: a line that begins with a space, or like the start of a mailbox entry, has one more
/// before it (RFC 3676 section 4.4).
pub(super) fn stuffed(text: &str) -> String {
    let line = |line: &str| {
        if line.starts_with([' ']) || line.starts_with("From ") { format!(" {line}") } else { line.to_owned() }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests;
