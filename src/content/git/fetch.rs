//! What is fetched: every commit and tree, and of the files those that somebody needs (gitrepository-layout: a partial
//! clone). Thousands of images stay where they are until a reader asks for one.
//!
//! A server that gives no parts sends everything, which works as well and costs more. Git never fetches by itself here:
//! `GIT_NO_LAZY_FETCH` is set, so that no command waits for a server unless this file asked it to.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::failure::Failure;
use super::{HEAD, Repository, lines, remote};
use crate::content::SourceError;

/// Commits and trees without files.
const PART: &str = "--filter=blob:none";

/// A file of the mirror that says: this server gives no single files, so take all of them.
const TAKE_ALL: &str = "tidings.all";

/// How long a reader waits for an image that nobody asked for before.
const READER: Duration = Duration::from_secs(20);

/// For so long nothing is fetched for readers after that failed: a page with twenty images is no twenty attempts.
const REST: Duration = Duration::from_secs(30);

/// What readers' requests may fetch.
#[derive(Debug)]
pub(super) struct Asked {
    /// Few at once, for the server's sake and ours.
    turns: Semaphore,
    failed: std::sync::Mutex<Option<Instant>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { turns: Semaphore::new(2), failed: std::sync::Mutex::default() }
    }
}

impl Repository {
    /// Fetches the branch into [`HEAD`].
    pub(super) async fn fetch(&self, deadline: Duration) -> Result<(), SourceError> {
        let branch = self.branch.as_deref();
        if let Some(branch) = branch.filter(|branch| !remote::is_branch_name(branch)) {
            return Err(SourceError::Missing {
                what: format!("the branch {branch:?}"),
                why: "that cannot be the name of a branch".into(),
                remedy: "Correct `branch` of the source.".into(),
            });
        }
        let filter = if self.takes_all() { "--no-filter" } else { PART };
        match self.fetch_branch(&[filter], deadline).await {
            // A server that cannot give parts mostly says so in a warning and sends everything. Some fail.
            Err(Failure::Exit(words)) if filter == PART && words.contains("filter") => self.fetch_all(deadline).await,
            fetched => fetched,
        }
        .map_err(|failure| failure.of_fetch(&self.remote, branch))
    }

    /// Sees to it that objects of the newest commit are in the mirror.
    pub(super) async fn complete(&self, ids: &[&str], deadline: Duration) -> Result<(), SourceError> {
        let there = self.sizes(ids).await?;
        let missing: HashSet<&str> = ids.iter().copied().filter(|id| !there.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<&str> = missing.into_iter().collect();
        let fetched = match self.fetch_objects(&missing, deadline).await {
            Err(Failure::Exit(words)) if refuses_ids(&words) => self.fetch_all(deadline).await,
            fetched => fetched,
        };
        fetched.map_err(|failure| failure.of_fetch(&self.remote, self.branch.as_deref()))
    }

    /// Fetches a file that a reader asked for.
    pub(super) async fn fetch_asked(&self, id: &str) -> Result<(), SourceError> {
        let resting = |at: Instant| at.elapsed() < REST;
        if self.asked.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(resting) {
            return Err(self.resting());
        }
        let Ok(_turn) = tokio::time::timeout(READER, self.asked.turns.acquire()).await else {
            return Err(self.resting());
        };
        // Whoever had the turn before may have asked for the same.
        let fetched = self.complete(&[id], READER).await;
        let failed = fetched.is_err().then(Instant::now);
        *self.asked.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        fetched
    }

    fn resting(&self) -> SourceError {
        SourceError::Git {
            command: "fetch".into(),
            why: format!("a file was wanted of {}, which did not answer a moment ago", self.remote.shown),
            remedy: "It is tried again in half a minute.".into(),
        }
    }

    /// Objects by id, as git itself asks for the missing objects of a partial clone. Without negotiation: the server
    /// must not think that we have the files of the commits that we have.
    async fn fetch_objects(&self, ids: &[&str], deadline: Duration) -> Result<(), Failure> {
        let flags = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--no-auto-maintenance", PART, "--stdin"];
        self.run_fetch(&flags, &[], lines(ids), deadline).await
    }

    /// Everything, also of commits that are here already; and so from now on.
    async fn fetch_all(&self, deadline: Duration) -> Result<(), Failure> {
        let repository = &self.remote.shown;
        tracing::info!(%repository, "the server gives no single files, so all of the repository is fetched");
        self.fetch_branch(&["--no-filter", "--refetch"], deadline).await?;
        let mark = tokio::fs::write(self.git.mirror().join(TAKE_ALL), "This server gives no single files.\n");
        mark.await.map_err(Failure::NotStarted)
    }

    fn takes_all(&self) -> bool {
        self.git.mirror().join(TAKE_ALL).exists()
    }

    async fn fetch_branch(&self, more: &[&str], deadline: Duration) -> Result<(), Failure> {
        let from = self.branch.as_ref().map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
        let flags: Vec<&str> = ["fetch", "--force"].into_iter().chain(more.iter().copied()).collect();
        self.run_fetch(&flags, &[&format!("+{from}:{HEAD}")], Vec::new(), deadline).await
    }

    async fn run_fetch(
        &self,
        flags: &[&str],
        refspecs: &[&str],
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<(), Failure> {
        let always = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", remote::NAME];
        let arguments: Vec<&str> = flags.iter().chain(&always).chain(refspecs).copied().collect();
        let fetched = self.git.run_with(&arguments, &self.remote.environment(), input, deadline).await;
        if let Err(Failure::Late(_)) = fetched {
            self.git.sweep().await;
        }
        fetched.map(drop)
    }
}

/// Whether a server of the old protocol refuses to give objects by id.
fn refuses_ids(words: &str) -> bool {
    ["unadvertised object", "not our ref", "no such remote ref", "couldn't find remote ref"]
        .iter()
        .any(|sign| words.contains(sign))
}
