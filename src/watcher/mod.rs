//! The watcher: detects what changed in a newsletter's source, and publishes it.
//!
//! A reading is applied in one transaction or not at all, so the last good state stays served; only of a large one do
//! issues that are known already go ahead in parts. What is there at the
//! first reading is archive; only what appears later is news.

mod built;
mod pace;
mod reading;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use url::Url;

use crate::config::Newsletter;
use crate::content::{Snapshot, Source, SourceError};
use crate::issue::{Document, identity};
use crate::renderer::Templates;
use crate::store::{KnownIssue, PublishedIssue, Store, StoreError};
use crate::types::{Finding, IssueId};
pub use built::{Built, Pages};
pub use pace::pause;
use reading::Reading;

/// Longest time for a fetch. A first clone of a large repository takes minutes; a hung remote must not hold the watcher for ever.
const FETCH: Duration = Duration::from_secs(600);

/// Findings about text that is left out, in one look: the first look at years of issues finds hundreds.
const MOST_LOGGED: usize = 10;

/// The watcher of one newsletter.
#[derive(Debug)]
pub struct Watcher {
    store: Store,
    source: Arc<Source>,
    newsletter: Newsletter,
    base: Url,
    templates: Arc<Templates>,
    /// Where the text of issues comes from, when it is not their documents.
    pages: Option<Pages>,
    /// What the last look of this run saw, so that a look that sees the same is cheap.
    last: Option<Look>,
}

#[derive(Debug)]
struct Look {
    documents: Vec<(String, String)>,
    commit: String,
    refused: Vec<Finding>,
    /// When the next document dated in the future is due.
    wake_at: Option<DateTime<Utc>>,
}

/// What one look led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// New, changed, moved or rendered-again issues.
    pub published: usize,
    /// Issues that are no longer there.
    pub withdrawn: usize,
    /// Why documents are held, when the look was not a repeat of the last one.
    pub held: Vec<Finding>,
    /// What is left out of the published issues, because only a site generator understands it.
    pub left_out: Vec<Finding>,
}

/// Why a look failed. What was published before stays published.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rendering was cut off: the process is stopping.
    #[error("the reading was cut off")]
    CutOff,
}

impl Tick {
    /// Says what happened, where something did.
    pub fn log(&self, newsletter: &Newsletter) {
        if self.published + self.withdrawn > 0 {
            tracing::info!(newsletter = %newsletter.id, published = self.published, withdrawn = self.withdrawn, "the source changed");
        }
        for finding in &self.held {
            tracing::warn!(newsletter = %newsletter.id, "held: {finding}");
        }
        for finding in self.left_out.iter().take(MOST_LOGGED) {
            tracing::warn!(newsletter = %newsletter.id, "{finding}");
        }
        if let Some(more @ 1..) = self.left_out.len().checked_sub(MOST_LOGGED) {
            tracing::warn!(newsletter = %newsletter.id, more, "more is left out of issues; `tidings check` lists it all");
        }
    }
}

impl Watcher {
    /// A watcher; nothing is read yet. `base` is `server.url`; of the templates, the words inside issues are used.
    #[must_use]
    pub fn new(
        store: Store,
        source: Arc<Source>,
        newsletter: Newsletter,
        base: Url,
        templates: Arc<Templates>,
    ) -> Self {
        Self { store, source, newsletter, base, templates, pages: None, last: None }
    }

    /// Takes the text of issues from built pages.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>) -> Self {
        Self { pages, ..self }
    }

    /// The newsletter.
    #[must_use]
    pub fn newsletter(&self) -> &Newsletter {
        &self.newsletter
    }

    /// Waits until something may have changed; see [`Source::changed`].
    pub async fn changed(&self) {
        match &self.pages {
            Some(pages) => tokio::select! { () = self.source.changed() => {}, () = pages.changed() => {} },
            None => self.source.changed().await,
        }
    }

    /// Looks at the source once, and publishes what changed.
    ///
    /// # Errors
    /// When the source or the database cannot be used; the reason is noted in the store where that is possible.
    pub async fn tick(&mut self, now: DateTime<Utc>) -> Result<Tick, WatchError> {
        let result = self.look(now).await;
        if let Err(error @ WatchError::Source(_)) = &result {
            // The next look must not be taken for a repeat of the one before this failure.
            self.last = None;
            self.store.note_look(&self.newsletter.id, now, Err(&error.to_string())).await?;
        }
        result
    }

    async fn look(&mut self, now: DateTime<Utc>) -> Result<Tick, WatchError> {
        let snapshot = self.source.snapshot(FETCH).await?;
        let state = self.store.source_state(&self.newsletter.id).await?;
        let site = match &self.pages {
            Some(pages) => Some((pages, pages.snapshot(FETCH).await?)),
            None => None,
        };
        let built = site.as_ref().map(|(pages, site)| pages.fingerprint(site));
        let fingerprint =
            reading::fingerprint(&self.newsletter, &self.base, self.templates.words_digest(), built.as_deref());
        let render_all = state.as_ref().is_some_and(|state| state.fingerprint != fingerprint);
        if let Some(last) = self.last.as_ref().filter(|last| !render_all && last.repeats(&snapshot, now)) {
            self.store.note_look(&self.newsletter.id, now, Ok(last.wake_at)).await?;
            return Ok(Tick::default());
        }
        let known = self.store.known_issues(&self.newsletter.id).await?;
        let wanted = if render_all {
            snapshot.documents.clone()
        } else {
            identity::changes(&known.iter().map(identity_of).collect::<Vec<_>>(), &snapshot.documents)
        };
        let read = self.source.read_dated(&snapshot, &wanted, &self.newsletter.reading).await?;
        let built = match &site {
            Some((pages, site)) => Some(pages.of(site, read.iter().flatten(), &self.newsletter.reading).await?),
            None => None,
        };
        let earlier = self.earlier(&known, &snapshot, &read).await?;
        let reading = Reading {
            newsletter: self.newsletter.clone(),
            base: self.base.clone(),
            templates: Arc::clone(&self.templates),
            first: state.is_none(),
            fingerprint,
            now,
            known,
            snapshot,
            read,
            built,
            earlier,
        };
        self.apply(reading, state.is_none()).await
    }

    /// What the issues said that are at no path now, when there are documents that one of them may be.
    async fn earlier(
        &self,
        known: &[KnownIssue],
        snapshot: &Snapshot,
        read: &[Read],
    ) -> Result<Vec<(IssueId, Vec<u8>)>, WatchError> {
        let paths: HashSet<&str> = known.iter().map(|known| known.path.as_str()).collect();
        if paths.is_empty() || read.iter().flatten().all(|document| paths.contains(document.path.as_str())) {
            return Ok(Vec::new());
        }
        let there: HashSet<&str> = snapshot.documents.iter().map(|(path, _)| path.as_str()).collect();
        let mut gone: Vec<_> = known.iter().filter(|known| !there.contains(known.path.as_str())).collect();
        gone.sort_by_key(|known| !known.published);
        let blobs: Vec<&str> = gone.iter().map(|known| known.blob.as_str()).collect();
        let texts = self.source.earlier(&blobs).await?;
        Ok(gone.into_iter().zip(texts).filter_map(|(known, text)| Some((known.issue.clone(), text?))).collect())
    }

    async fn apply(&mut self, reading: Reading, first: bool) -> Result<Tick, WatchError> {
        let (documents, commit) = (reading.snapshot.documents.clone(), reading.snapshot.commit.clone());
        let (refused, now) = (reading.snapshot.refused.clone(), reading.now);
        // Rendering thousands of issues takes seconds of processor time: not on a thread that serves pages.
        let (newsletter, mut ahead) = (self.newsletter.id.clone(), 0);
        // One part is written while the next is rendered, so that no more than two are held in memory.
        let (parts, mut rendered) = mpsc::channel::<Vec<PublishedIssue>>(1);
        let rendering =
            tokio::task::spawn_blocking(move || reading.publication(|part| parts.blocking_send(part).is_ok()));
        while let Some(part) = rendered.recv().await {
            self.store.publish_part(&newsletter, &part, now).await?;
            ahead += part.len();
        }
        let (publication, left_out) = rendering.await.map_err(|_| WatchError::CutOff)?;
        let held = self.store.holds(&self.newsletter.id).await?;
        let news = first || ahead > 0 || !publication.issues.is_empty() || !publication.withdrawn.is_empty();
        let tick = Tick {
            published: ahead + publication.issues.len(),
            withdrawn: publication.withdrawn.len(),
            held: publication.holds.iter().filter(|finding| !held.contains(finding)).cloned().collect(),
            left_out,
        };
        let wake_at = publication.next_at;
        if news || held != publication.holds {
            self.store.publish(&publication).await?;
        } else {
            self.store.note_look(&self.newsletter.id, now, Ok(wake_at)).await?;
        }
        self.last = Some(Look { documents, commit, refused, wake_at });
        Ok(tick)
    }
}

impl Look {
    fn repeats(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
        self.commit == snapshot.commit
            && self.documents == snapshot.documents
            && self.refused == snapshot.refused
            && self.wake_at.is_none_or(|at| at > now)
    }
}

fn identity_of(known: &KnownIssue) -> identity::Known {
    identity::Known {
        issue: known.issue.clone(),
        path: known.path.clone(),
        blob: known.blob.clone(),
        published: known.published,
    }
}

/// What a source gave for one document.
type Read = Result<Document, Finding>;
