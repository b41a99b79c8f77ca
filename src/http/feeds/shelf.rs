//! The feeds of a newsletter in memory, and how they stay true: one question to the database at most every [`TRUSTED`], and a
//! document written anew when what it shows has changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::entries::Entries;
use super::served::{Freshness, Served, last_modified};
use super::target::{Name, Target};
use super::{about, base_of};
use crate::config::Newsletter;
use crate::feed::plan::{Document, Plan};
use crate::feed::{About, Feed};
use crate::http::Web;
use crate::http::coding::Coding;
use crate::store::{SourceState, StoreError};
use crate::types::FacetId;

/// How long an answer of the database is believed. What another node publishes is served here after this time at the latest; what
/// this node publishes, at once.
pub(super) const TRUSTED: Duration = Duration::from_millis(250);

/// How many bytes of documents are kept in memory for each newsletter. The feeds that people read are a few megabytes; the rest
/// is for archives that somebody walks through.
const ROOM: usize = 64 * 1024 * 1024;

/// How often a document is tried again whose issues change while they are read.
const TRIES: usize = 3;

/// The documents of one newsletter.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    known: RwLock<Option<Arc<Known>>>,
    /// Held by whoever asks the database; the others wait for the same answer.
    asking: tokio::sync::Mutex<()>,
    /// Held by whoever writes; the others wait for the same document.
    writing: tokio::sync::Mutex<()>,
    plan: Mutex<Option<(u64, Arc<Plan>)>>,
    /// The last one that was read: after a change, readers ask for the same document in the other formats.
    material: Mutex<Option<Material>>,
    entries: Entries,
    documents: RwLock<HashMap<Target, Arc<Kept>>>,
    uses: AtomicU64,
}

/// What the database said last.
#[derive(Debug)]
pub(super) struct Known {
    state: Arc<SourceState>,
    /// When readers last saw something change, as a header.
    last_modified: HeaderValue,
    /// Counts the states in which readers see something different.
    stamp: u64,
    asked: Instant,
    publications: u64,
}

/// A document in memory.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) served: Served,
    /// When an archived document was last changed; the current one changes with the newsletter.
    pub(super) archived: Option<Freshness>,
    version: String,
    /// The [`Known::stamp`] for which it was last found to be true.
    stamp: AtomicU64,
    used: AtomicU64,
}

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found {
    Document(Arc<Kept>),
    /// An archived document that has another name by now: where it is, below the feed.
    Elsewhere(String),
    Nothing,
}

impl Kept {
    /// Whether this is what the database said, and not what we had while it was away.
    pub(super) fn is_as_of(&self, known: &Known) -> bool {
        self.stamp.load(Ordering::Acquire) == known.stamp
    }
}

impl Known {
    pub(super) fn state(&self) -> &SourceState {
        &self.state
    }

    pub(super) fn last_modified(&self) -> HeaderValue {
        self.last_modified.clone()
    }
}

impl Shelf {
    /// What the database says of the newsletter; while it is away, what it said. `None` before the source was read.
    pub(super) async fn known(&self, web: &Web, newsletter: &Newsletter) -> Result<Option<Arc<Known>>, StoreError> {
        if let Some(known) = self.trusted(web) {
            return Ok(Some(known));
        }
        let _asking = self.asking.lock().await;
        if let Some(known) = self.trusted(web) {
            return Ok(Some(known));
        }
        match (self.ask(web, newsletter).await, self.before()) {
            (Err(error), Some(before)) => {
                tracing::warn!(newsletter = %newsletter.id, "the database does not answer: serving the feeds as they were: {error}");
                let Known { state, last_modified, stamp, .. } = &*before;
                Ok(Some(self.learnt(Known {
                    state: Arc::clone(state),
                    last_modified: last_modified.clone(),
                    stamp: *stamp,
                    asked: Instant::now(),
                    publications: web.store().publications(),
                })))
            }
            (answer, _) => answer,
        }
    }

    /// What the database says now: for whoever must not take what was for what is.
    pub(super) async fn fresh(&self, web: &Web, newsletter: &Newsletter) -> Result<Option<Arc<Known>>, StoreError> {
        let _asking = self.asking.lock().await;
        self.ask(web, newsletter).await
    }

    fn before(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self, web: &Web, newsletter: &Newsletter) -> Result<Option<Arc<Known>>, StoreError> {
        // Both are read before the database is asked: a change after that is found by the next question.
        let (asked, publications) = (Instant::now(), web.store().publications());
        let Some(state) = web.store().source_state(&newsletter.id).await? else { return Ok(None) };
        let stamp = match &self.before() {
            Some(before) if same(&before.state, &state) => before.stamp,
            before => before.as_ref().map_or(0, |before| before.stamp) + 1,
        };
        let last_modified = last_modified(state.changed_at);
        Ok(Some(self.learnt(Known { state: Arc::new(state), last_modified, stamp, asked, publications })))
    }

    fn learnt(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        known
    }

    fn trusted(&self, web: &Web) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let publications = web.store().publications();
        known.as_ref().filter(|known| known.publications == publications && known.asked.elapsed() < TRUSTED).cloned()
    }

    /// The document of a path, where it is in memory and known to be true.
    pub(super) fn at_hand(&self, web: &Web, target: &Target) -> Option<(Arc<Known>, Arc<Kept>)> {
        let known = self.trusted(web)?;
        let kept = self.kept(target).filter(|kept| kept.is_as_of(&known))?;
        Some((known, kept))
    }

    /// The document of a path, written anew, for somebody who takes `coding`, where it must be. While the database is away, the one
    /// we have.
    pub(super) async fn find(
        &self,
        web: &Web,
        newsletter: &Newsletter,
        known: &Known,
        target: &Target,
        coding: Coding,
    ) -> Result<Found, StoreError> {
        let kept = self.kept(target);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_as_of(known)) {
            return Ok(Found::Document(Arc::clone(kept)));
        }
        let _writing = self.writing.lock().await;
        match self.refreshed(web, newsletter, known, target, coding).await {
            Err(error) => {
                let kept = kept.ok_or(error)?;
                tracing::warn!(newsletter = %newsletter.id, "the database does not answer: serving a feed as it was");
                Ok(Found::Document(kept))
            }
            found => found,
        }
    }

    async fn refreshed(
        &self,
        web: &Web,
        newsletter: &Newsletter,
        known: &Known,
        target: &Target,
        coding: Coding,
    ) -> Result<Found, StoreError> {
        let kept = self.kept(target);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_as_of(known)) {
            return Ok(Found::Document(Arc::clone(kept)));
        }
        let read = self.material.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(material) = read.filter(|read| read.is_of(target, known.stamp)) {
            let (feed, format) = (Arc::clone(&material.feed), target.format);
            let write = move || Served::write(&feed, format, coding);
            let served = tokio::task::spawn_blocking(write).await.map_err(stopping)?;
            return Ok(Found::Document(self.keep(target, &material, served)));
        }
        let Some(about) = about(web, newsletter, known.state(), target.facet.as_ref()).await? else {
            return Ok(Found::Nothing);
        };
        for _ in 0..TRIES {
            let plan = self.plan(web, newsletter, known, target.facet.as_ref(), &about).await?;
            let document = match resolve(&plan, &target.name) {
                Ok(document) => document,
                Err(other) => return Ok(other),
            };
            let (Some(lines), Some(version)) = (plan.lines(document), plan.version(document)) else {
                return Ok(Found::Nothing);
            };
            if let Some(kept) = kept.as_ref().filter(|kept| kept.version == version) {
                kept.stamp.store(known.stamp, Ordering::Release);
                return Ok(Found::Document(Arc::clone(kept)));
            }
            let mut entries = self.entries.of(lines);
            let revisions = web.store().revisions(&newsletter.id, &entries.missing()).await?;
            let (about, base, format) = (about.clone(), base(&about, &plan, document), target.format);
            let chain = plan.chain(&about.home, document);
            let write = move || {
                let feed = Feed::assemble(&about, &base, chain, entries.complete(&revisions, &about)?);
                let served = Served::write(&feed, format, coding);
                Some((entries, Arc::new(feed), served))
            };
            if let Some((entries, feed, served)) = tokio::task::spawn_blocking(write).await.map_err(stopping)? {
                if document == Document::Current {
                    self.entries.keep(entries);
                }
                let (facet, name) = (target.facet.clone(), target.name.clone());
                let material = Material { facet, name, stamp: known.stamp, version, feed };
                let kept = self.keep(target, &material, served);
                *self.material.lock().unwrap_or_else(PoisonError::into_inner) = Some(material);
                return Ok(Found::Document(kept));
            }
            // Something was published between the two questions: plan again.
            *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Err(StoreError::Value("the issues of a feed change faster than they can be read".into()))
    }

    async fn plan(
        &self,
        web: &Web,
        newsletter: &Newsletter,
        known: &Known,
        facet: Option<&FacetId>,
        about: &About,
    ) -> Result<Arc<Plan>, StoreError> {
        if facet.is_none()
            && let Some((stamp, plan)) = &*self.plan.lock().unwrap_or_else(PoisonError::into_inner)
            && *stamp == known.stamp
        {
            return Ok(Arc::clone(plan));
        }
        let lines = web.store().feed_lines(&newsletter.id, facet).await?;
        let plan = Arc::new(Plan::new(about, lines, newsletter.feed));
        if facet.is_none() {
            *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((known.stamp, Arc::clone(&plan)));
        }
        Ok(plan)
    }

    fn kept(&self, target: &Target) -> Option<Arc<Kept>> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        let kept = documents.get(target)?;
        kept.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(kept))
    }

    /// Puts a document on the shelf, and takes those away that were used longest ago where room is short.
    fn keep(&self, target: &Target, material: &Material, served: Served) -> Arc<Kept> {
        let for_ever = matches!(target.name, Name::Archived { .. });
        let kept = Arc::new(Kept {
            served,
            archived: for_ever.then(|| Freshness::for_ever(material.feed.updated)),
            version: material.version.clone(),
            stamp: AtomicU64::new(material.stamp),
            used: AtomicU64::new(self.uses.fetch_add(1, Ordering::Relaxed)),
        });
        self.put(target, &kept);
        kept
    }

    fn put(&self, target: &Target, kept: &Arc<Kept>) {
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        documents.insert(target.clone(), Arc::clone(kept));
        let mut held: usize = documents.values().map(|kept| kept.served.size()).sum();
        if held <= ROOM {
            return;
        }
        let mut by_use: Vec<_> =
            documents.iter().map(|(target, kept)| (kept.used.load(Ordering::Relaxed), target.clone())).collect();
        by_use.sort_by_key(|(used, _)| *used);
        for (_, oldest) in by_use.into_iter().take_while(|(_, oldest)| oldest != target) {
            if held <= ROOM / 4 * 3 {
                break;
            }
            held -= documents.remove(&oldest).map_or(0, |kept| kept.served.size());
        }
    }
}

/// What a document is written from, in whatever format.
#[derive(Clone, Debug)]
struct Material {
    facet: Option<FacetId>,
    name: Name,
    /// The [`Known::stamp`] for which it was read.
    stamp: u64,
    version: String,
    feed: Arc<Feed>,
}

impl Material {
    fn is_of(&self, target: &Target, stamp: u64) -> bool {
        self.stamp == stamp && self.facet == target.facet && self.name == target.name
    }
}

/// Where the feeds of a document are.
fn base(about: &About, plan: &Plan, document: Document) -> String {
    let folder = match document {
        Document::Current => None,
        Document::Archived(number) => plan.folder(number),
    };
    base_of(&about.home, folder.as_deref().unwrap_or_default())
}

fn stopping(_: JoinError) -> StoreError {
    StoreError::Value("the process is stopping".into())
}

/// Whether readers see the same.
fn same(a: &SourceState, b: &SourceState) -> bool {
    a.changed_at == b.changed_at && a.fingerprint == b.fingerprint
}

/// The document that a name stands for now.
fn resolve(plan: &Plan, name: &Name) -> Result<Document, Found> {
    match name {
        Name::Current => Ok(Document::Current),
        Name::Archived { number, folder } => match plan.folder(*number) {
            Some(now) if now == *folder => Ok(Document::Archived(*number)),
            Some(now) => Err(Found::Elsewhere(now)),
            None => Err(Found::Nothing),
        },
        Name::Numbered(number) if *number <= plan.archived() => Ok(Document::Archived(*number)),
        // What comes after the last archived document.
        Name::Numbered(number) if *number == plan.archived() + 1 && *number > 1 => Ok(Document::Current),
        Name::Numbered(_) => Err(Found::Nothing),
    }
}
