//! Newsletters that take the text of their issues from the pages that the project's site generator built.
//!
//! Fields and identity come from the documents all the same; a page is found by the issue's public URL. While a page is
//! not there, its issue is held, and what was published before stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;

use crate::config::Newsletter;
use crate::content::{Snapshot, Source, SourceError};
use crate::issue::permalink::Permalink;
use crate::issue::{self, Document, Issue, Markup};
use crate::renderer::Cut;
use crate::types::{Finding, Place, Rule, hex};

/// The built site of one newsletter.
#[derive(Debug)]
pub struct Pages {
    source: Arc<Source>,
    permalink: Permalink,
    cut: Cut,
    /// What of the configuration decides what is taken out of a page.
    taking: String,
}

/// The pages of documents, by the documents' paths.
#[derive(Debug)]
pub struct Built {
    pages: HashMap<String, Result<Document, Finding>>,
    cut: Cut,
}

impl Pages {
    /// The pages that a newsletter is configured to take, if it is; `source` is where they are.
    #[must_use]
    pub fn new(newsletter: &Newsletter, source: &Arc<Source>) -> Option<Self> {
        let (pages, permalink) = (newsletter.pages.as_ref()?, newsletter.permalink.clone()?);
        // The selectors were read with the configuration.
        let cut = Cut::new(&pages.content, &pages.without).ok()?;
        let taking = format!("{:?} {:?}", pages.content, pages.without);
        Some(Self { source: Arc::clone(source), permalink, cut, taking })
    }

    /// What is there now.
    ///
    /// # Errors
    /// When the built site cannot be read.
    pub async fn snapshot(&self, deadline: Duration) -> Result<Snapshot, SourceError> {
        self.source.snapshot(deadline).await
    }

    /// Ends when something in the built site may have changed.
    pub(super) async fn changed(&self) {
        self.source.changed().await;
    }

    /// What rendering depends on: which pages there are, and what is taken out of them.
    pub(super) fn fingerprint(&self, snapshot: &Snapshot) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        for (path, blob) in &snapshot.documents {
            context.update(format!("{path}\0{blob}\0").as_bytes());
        }
        format!("{} {}", self.taking, hex(context.finish().as_ref().iter().take(16)))
    }

    /// Reads the pages of these documents.
    ///
    /// # Errors
    /// When the built site cannot be read.
    pub async fn of(
        &self,
        snapshot: &Snapshot,
        documents: impl Iterator<Item = &Document>,
        reading: &issue::Reading,
    ) -> Result<Built, SourceError> {
        let files: HashMap<&str, &str> =
            snapshot.documents.iter().map(|(path, blob)| (path.as_str(), blob.as_str())).collect();
        let (mut pages, mut wanted) = (HashMap::new(), Vec::new());
        for document in documents {
            // What does not parse is held for that, and what is no issue needs no page.
            let Ok(Some(issue)) = issue::parse(document, reading) else { continue };
            match self.file(&issue, &document.path, &files) {
                Ok(file) => wanted.push((document.path.clone(), file)),
                Err(finding) => drop(pages.insert(document.path.clone(), Err(finding))),
            }
        }
        let list: Vec<_> = wanted.iter().map(|(_, file)| file.clone()).collect();
        let read = self.source.read(snapshot, &list).await?;
        pages.extend(wanted.into_iter().map(|(path, _)| path).zip(read));
        Ok(Built { pages, cut: self.cut.clone() })
    }

    /// The file of the built site that is the page of an issue, with its blob.
    fn file(&self, issue: &Issue, path: &str, files: &HashMap<&str, &str>) -> Result<(String, String), Finding> {
        let url = self.permalink.url(issue, path).ok_or_else(|| {
            let remedy =
                "Set `permalink` of the newsletter to the rule of the site generator, or the key in the document.";
            not_built(path, "nothing says where its page on the project's site is".to_owned(), remedy)
        })?;
        let candidates = self.permalink.files(&url);
        let found = candidates.iter().find_map(|file| Some((file.clone(), (*files.get(file.as_str())?).to_owned())));
        found.ok_or_else(|| match candidates.first() {
            Some(file) => {
                let remedy =
                    "It is published as soon as the page is there. If the page has another name, correct `permalink`.";
                not_built(path, format!("its page is not built yet: the built site has no file {file}"), remedy)
            }
            None => {
                let remedy = "Correct `site` or `permalink` of the newsletter, or the key in the document.";
                not_built(path, format!("its page {url} is not on the site of the newsletter"), remedy)
            }
        })
    }
}

impl Built {
    /// Puts the text of its page into an issue. A page that was built later than the document was written is what changed.
    ///
    /// # Errors
    /// Why the document is held: its page is not there, or has no such element as is taken for the text.
    pub fn fill(&self, document: &mut Document, issue: &mut Issue) -> Result<(), Finding> {
        let page = match self.pages.get(&document.path) {
            Some(Ok(page)) => page,
            Some(Err(finding)) => return Err(Finding { place: Place::file(&document.path), ..finding.clone() }),
            None => return Ok(()),
        };
        let html = String::from_utf8_lossy(&page.bytes);
        issue.body = self.cut.take(&html, &issue.title).filter(|text| !text.trim().is_empty()).ok_or_else(|| {
            let message = format!("its page {} has no text in the element that `content` names", page.path);
            let remedy =
                "Set `content` of the newsletter's pages to a CSS selector of the element that holds the text.";
            not_built(&document.path, message, remedy)
        })?;
        issue.markup = Markup::Html;
        document.changed_at = document.changed_at.max(page.changed_at);
        Ok(())
    }
}

fn not_built(path: &str, message: String, remedy: &str) -> Finding {
    Finding { rule: Rule::NotBuilt, place: Place::file(path), message, remedy: remedy.to_owned() }
}
