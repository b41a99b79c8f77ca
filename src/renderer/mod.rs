//! The renderer: Markdown to sanitised HTML and plain text, and templates to pages and mails. Pure once templates are loaded.

pub mod mails;
pub mod markdown;
pub mod pages;
mod sanitise;
mod templates;
mod text;
mod urls;

pub use templates::{TemplateError, Templates};

use url::Url;

use crate::issue::{Content, Issue};

/// Changes whenever the same Markdown would render differently, so that the watcher renders everything again.
pub const VERSION: u32 = 1;

/// Where an issue stands, for making its URLs absolute.
#[derive(Clone, Debug)]
pub struct Links {
    /// Path of the document below the root of the source, such as `2020/03/index.md`.
    pub path: String,
    /// Public URL of the issue: fragment links point to it.
    pub issue: Url,
    /// URL below which files of the source are served, ending with `/`: `files` + path of the file.
    pub files: Url,
    /// Public URLs of the newsletter's documents by path, so that a link to `../2020/02.md` reaches the page of that issue.
    pub documents: std::sync::Arc<std::collections::HashMap<String, Url>>,
}

/// Renders an issue's Markdown. Never fails: whatever the Markdown holds, what comes out is safe HTML.
#[must_use]
pub fn render(issue: &Issue, links: &Links) -> Content {
    let _ = (issue, links);
    todo!()
}
