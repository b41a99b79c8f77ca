//! The distributor: tells whoever asked for it that a feed changed. Readers by our own hub, hubs elsewhere by a ping (WebSub).
//!
//! It compares feeds with what was distributed last, and works off the errands that follow. It decides nothing that another
//! node could decide differently at the same time: the store counts only the first, and leases each errand to one.

mod errand;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::hub::Outside;
use crate::store::{Store, StoreError, Topic};
use crate::types::NodeId;
use crate::websub;

/// Errands of one process that are under way at once.
const AT_ONCE: usize = 32;

/// How long to wait for others when one has ended.
const TOGETHER: Duration = Duration::from_millis(20);

/// How often leases, counts and forgotten topics are looked after.
const HOUSE: TimeDelta = TimeDelta::minutes(1);
/// How long counts of requests are kept: far longer than the window in which they count.
const COUNTS: TimeDelta = TimeDelta::hours(1);
/// How often a topic is looked for although nothing changed.
const SEEN: TimeDelta = TimeDelta::hours(1);
/// A topic that no node finds for this long is gone. Not at once: while nodes are updated, some know a newsletter that others do not.
const GONE: TimeDelta = TimeDelta::hours(24);

/// A feed as it is now.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its media type.
    pub content_type: String,
    /// Its `Link` header: what it is, and its hubs.
    pub links: String,
    /// What GET gives in identity coding.
    pub bytes: hyper::body::Bytes,
}

/// Gives the feed at a URL; `None` where there is none of ours, an error in words where it cannot be said now.
pub type Feeds = Arc<dyn Fn(String) -> Answer + Send + Sync>;

/// What [`Feeds`] gives.
pub type Answer = Pin<Box<dyn Future<Output = Result<Option<Content>, String>> + Send>>;

/// The distributor of one process.
pub struct Distributor {
    shared: Arc<Shared>,
    node: NodeId,
    /// Hubs elsewhere, each with its host.
    other_hubs: Vec<(String, String)>,
    /// The feeds that those are told about.
    pinged: Vec<String>,
    /// Of these, those that were not there yet to be followed.
    unfollowed: Vec<String>,
    kept_house: Option<DateTime<Utc>>,
    running: JoinSet<()>,
}

/// What every errand needs.
struct Shared {
    store: Store,
    outside: Outside,
    feeds: Feeds,
    clock: Clock,
    chance: Chance,
}

/// What a [`Distributor`] is made of.
pub struct Parts {
    /// Subscriptions and errands.
    pub store: Store,
    /// The way to strangers.
    pub outside: Outside,
    /// The way to our own feeds.
    pub feeds: Feeds,
    /// Hubs elsewhere.
    pub other_hubs: Vec<String>,
    /// The feeds about which `other_hubs` are told.
    pub pinged: Vec<String>,
    /// When an errand was done.
    pub clock: Clock,
    /// For challenges and jitter.
    pub chance: Chance,
    /// This process.
    pub node: NodeId,
}

/// What one look led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Feeds that are new, and whose subscribers are told now.
    pub changed: usize,
    /// Errands that were begun.
    pub begun: usize,
}

/// Why a look failed. It is repeated; what was begun goes on.
#[derive(Debug, thiserror::Error)]
pub enum DistributeError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A feed could not be written.
    #[error("the feed {topic} cannot be read: {why}")]
    Feed {
        /// Its URL.
        topic: String,
        /// Why.
        why: String,
    },
}

impl Distributor {
    /// A distributor; nothing is looked at yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, outside, feeds, other_hubs, pinged, clock, chance, node } = parts;
        let with_host = |hub: String| {
            let host = websub::Callback::parse(&hub).map(|url| url.host()).unwrap_or_default();
            (hub, host)
        };
        let has_others = !other_hubs.is_empty();
        Self {
            shared: Arc::new(Shared { store, outside, feeds, clock, chance }),
            node,
            other_hubs: other_hubs.into_iter().map(with_host).collect(),
            unfollowed: if has_others { pinged.clone() } else { Vec::new() },
            pinged,
            kept_house: None,
            running: JoinSet::new(),
        }
    }

    /// Looks for feeds that changed, and begins errands that are due, as many as there is room for. They go on behind it.
    ///
    /// # Errors
    /// When the database fails or a feed cannot be written.
    pub async fn tick(&mut self, now: DateTime<Utc>) -> Result<Tick, DistributeError> {
        while let Some(ended) = self.running.try_join_next() {
            passed_on(ended);
        }
        let mut kept = Ok(());
        if self.kept_house.is_none_or(|at| now - at >= HOUSE) {
            self.kept_house = Some(now);
            kept = self.keep_house(now).await;
        }
        // A feed that cannot be written now holds up nobody but its own readers.
        let changed = self.look(now).await;
        let begun = self.begin(now).await?;
        kept?;
        Ok(Tick { changed: changed?, begun })
    }

    /// Waits until everything that was begun is settled.
    pub async fn settled(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            passed_on(ended);
        }
    }

    /// Waits until something has ended and there is room for more; for ever while nothing is under way.
    pub async fn room(&mut self) {
        match self.running.join_next().await {
            Some(ended) => passed_on(ended),
            None => std::future::pending().await,
        }
        // Quick ones end together: one look for all of them.
        tokio::time::sleep(TOGETHER).await;
    }

    async fn look(&mut self, now: DateTime<Utc>) -> Result<usize, DistributeError> {
        // Before the feeds: they are then at least as new as this says.
        let version = self.shared.store.sources_version().await?;
        for url in std::mem::take(&mut self.unfollowed) {
            // Before its source was read there is nothing to follow; what it has at first is no news.
            if !self.shared.follow(&url, version, now).await.unwrap_or(false) {
                self.unfollowed.push(url);
            }
        }
        let (mut changed, mut failure) = (0, None);
        for known in self.shared.store.topics_behind(version).await? {
            match self.shared.topic(&known.url, version).await {
                Ok(Some(topic)) => {
                    let hubs = if self.pinged.contains(&topic.url) { self.other_hubs.as_slice() } else { &[] };
                    if self.shared.store.distribute(&topic, hubs, now).await? {
                        tracing::info!(topic = topic.url, "a feed changed: telling its subscribers");
                        changed += 1;
                    }
                }
                // Another node may know it; when none does for a day, it is retired.
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(changed), Err)
    }

    async fn begin(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let room = AT_ONCE.saturating_sub(self.running.len());
        if room == 0 {
            return Ok(0);
        }
        let errands = self.shared.store.lease_errands(self.node, errand::LEASE, room, now).await?;
        let begun = errands.len();
        for errand in errands {
            self.running.spawn(errand::run(Arc::clone(&self.shared), errand));
        }
        Ok(begun)
    }

    async fn keep_house(&self, now: DateTime<Utc>) -> Result<(), DistributeError> {
        let store = &self.shared.store;
        let over = store.expire_hub(now - COUNTS, now).await?;
        if over > 0 {
            tracing::info!(over, "subscriptions of readers were not renewed and are over");
        }
        for (url, seen_at) in store.topics_unseen(now - SEEN).await? {
            match self.shared.topic(&url, 0).await {
                Ok(Some(_)) => store.see_topic(&url, now).await?,
                Ok(None) if now - seen_at >= GONE && store.retire_topic(&url, now - SEEN, now).await? => {
                    tracing::warn!(topic = url, "a feed is not there any more: its subscribers are told");
                }
                // Not for long enough, or it cannot be said.
                Ok(None) | Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Shared {
    /// True when the topic is there.
    async fn follow(&self, url: &str, version: i64, now: DateTime<Utc>) -> Result<bool, DistributeError> {
        let Some(topic) = self.topic(url, version).await? else { return Ok(false) };
        self.store.follow_topic(&topic, now).await?;
        Ok(true)
    }

    async fn topic(&self, url: &str, version: i64) -> Result<Option<Topic>, DistributeError> {
        match (self.feeds)(url.to_owned()).await {
            Ok(content) => {
                let topic =
                    |content: Content| Topic { url: url.to_owned(), hash: websub::hash(&content.bytes), version };
                Ok(content.map(topic))
            }
            Err(why) => Err(DistributeError::Feed { topic: url.to_owned(), why }),
        }
    }
}

/// A panic in an errand is a bug like any other.
fn passed_on(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// The longest time a process waits between two looks: a new issue should be told within seconds, whichever node read it.
pub const LOOK: Duration = Duration::from_secs(1);
