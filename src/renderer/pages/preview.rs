//! `web/preview.html`, for an editor on their own machine: an issue as each of its readers will get it.

use serde::Serialize;

use super::super::{TemplateError, Templates};
use super::IssueLine;
use crate::types::Finding;

/// The page.
#[derive(Clone, Debug, Serialize)]
pub struct PreviewPage {
    /// Changes with what is shown, so that the page knows when to load again.
    pub version: String,
    /// Title of the newsletter.
    pub newsletter: String,
    /// The issue; `None` while no document can be read.
    pub shown: Option<PreviewedIssue>,
    /// Why the document is not published, or not read at all.
    pub problems: Vec<String>,
    /// What its readers will miss.
    pub warnings: Vec<String>,
    /// Problems of other documents.
    pub elsewhere: Vec<String>,
    /// The other issues, newest first.
    pub issues: Vec<IssueLine>,
}

/// An issue and its mail.
#[derive(Clone, Debug, Serialize)]
pub struct PreviewedIssue {
    /// Title.
    pub title: String,
    /// Path of the document below the root of the source.
    pub path: String,
    /// Path of the preview's pages about this issue.
    pub base: String,
    /// What follows it: the choice of a digest, and of images.
    pub query: String,
    /// The mail is a digest of several issues.
    pub several: bool,
    /// Images are not shown.
    pub blocked: bool,
    /// Subject.
    pub subject: String,
    /// Sender, for people.
    pub from: String,
    /// The text part as it is sent.
    pub text: String,
    /// The whole message.
    pub source: String,
    /// Bytes of HTML in thousands, for people.
    pub size: String,
    /// The limit in thousands, for people.
    pub limit: String,
    /// Per cent of the limit.
    pub filled: usize,
    /// Styles are in a style sheet.
    pub lean: bool,
    /// Something is cut.
    pub cut: bool,
}

impl PreviewPage {
    /// Renders the page.
    ///
    /// # Errors
    /// When an overriding template names something that the page has not.
    pub fn render(&self, templates: &Templates) -> Result<String, TemplateError> {
        templates.render("web/preview.html", self)
    }
}

/// A finding in words, without the path that the page shows already.
#[must_use]
pub fn in_words(finding: &Finding) -> String {
    let Finding { rule: _, place, message, remedy } = finding;
    let line = place.line.map(|line| format!("Line {line}: ")).unwrap_or_default();
    format!("{line}{message}. {remedy}")
}
