//! One source, whichever kind it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::directory::Directory;
use super::git::Repository;
use super::paths::Patterns;
use super::watch::Watch;
use crate::config;
use crate::issue::{self, Document};
use crate::types::Finding;

/// A content source of one newsletter.
#[derive(Debug)]
pub struct Source {
    kind: Kind,
    poked: Notify,
}

#[derive(Debug)]
enum Kind {
    Directory(Arc<Directory>, Watch),
    Git(Box<Repository>),
}

/// What the source held at one moment: a commit, or one walk of a directory.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The commit id; empty for a directory.
    pub commit: String,
    /// Path and blob id of every document that the patterns select, in the order of paths.
    pub documents: Vec<(String, String)>,
    /// Files that the patterns select but that are never read, and why.
    pub refused: Vec<Finding>,
}

/// Why a source cannot be read now. The last good state stays served.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory or repository is not there.
    #[error("{what} is not there: {why}. {remedy}")]
    Missing {
        /// The path or the URL without credentials.
        what: String,
        /// What the system said.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The git program failed or took too long.
    #[error("git {command} failed: {why}. {remedy}")]
    Git {
        /// The subcommand.
        command: String,
        /// Its last words, without credentials.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// A file could not be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A pattern of `include` or `exclude` is not one.
    #[error("{pattern:?} is not a pattern: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        why: String,
    },
    /// The patterns select more files than a newsletter has issues.
    #[error(
        "{what} has {count} documents. Set `folder`, `include` or `exclude` of the source so that only issues are selected."
    )]
    TooMany {
        /// The path or the URL without credentials.
        what: String,
        /// How many there are.
        count: usize,
    },
}

impl Source {
    /// Prepares a source; nothing is read yet. `mirror` is the directory for a repository's bare mirror.
    ///
    /// # Errors
    /// When a pattern is not one.
    pub fn open(config: &config::Source, mirror: &Path) -> Result<Self, SourceError> {
        let patterns = Patterns::new(&config.include, &config.exclude)?;
        let kind = match &config.place {
            config::SourcePlace::Directory(path) => {
                let root = if config.folder.is_empty() { path.clone() } else { path.join(&config.folder) };
                Kind::Directory(Arc::new(Directory::new(root.clone(), patterns)), Watch::new(root))
            }
            config::SourcePlace::Git { url, branch } => {
                let folder = config.folder.clone();
                Kind::Git(Box::new(Repository::new(mirror, url, branch.clone(), folder, patterns)))
            }
        };
        Ok(Self { kind, poked: Notify::new() })
    }

    /// Fetches (a repository) and lists what is there now. `deadline` bounds a fetch.
    ///
    /// # Errors
    /// When the source cannot be read; nothing has changed then.
    pub async fn snapshot(&self, deadline: Duration) -> Result<Snapshot, SourceError> {
        match &self.kind {
            Kind::Directory(directory, _) => {
                let directory = Arc::clone(directory);
                blocking(move || directory.snapshot()).await
            }
            Kind::Git(repository) => repository.snapshot(deadline).await,
        }
    }

    /// Reads documents of a snapshot, in their order. A document over the size limit comes back as a finding.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn read(
        &self,
        snapshot: &Snapshot,
        documents: &[(String, String)],
    ) -> Result<Vec<Result<Document, Finding>>, SourceError> {
        match &self.kind {
            Kind::Directory(directory, _) => {
                let directory = Arc::clone(directory);
                let paths: Vec<String> = documents.iter().map(|(path, _)| path.clone()).collect();
                blocking(move || directory.read(&paths)).await
            }
            Kind::Git(repository) => repository.read(&snapshot.commit, documents).await,
        }
    }

    /// Reads documents as [`Source::read`] does, and asks the history about those that nothing else dates.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn read_dated(
        &self,
        snapshot: &Snapshot,
        documents: &[(String, String)],
        reading: &issue::Reading,
    ) -> Result<Vec<Result<Document, Finding>>, SourceError> {
        let mut read = self.read(snapshot, documents).await?;
        let Kind::Git(repository) = &self.kind else { return Ok(read) };
        let undated = |document: &&mut Document| issue::needs_history(document, reading);
        let mut undated: Vec<&mut Document> = read.iter_mut().flatten().filter(undated).collect();
        if !undated.is_empty() {
            let paths: Vec<&str> = undated.iter().map(|document| document.path.as_str()).collect();
            let added = repository.added(&snapshot.commit, &paths).await?;
            for document in &mut undated {
                document.added_at = added.get(&document.path).copied();
            }
        }
        Ok(read)
    }

    /// The bytes of a file beside the issues as of the last snapshot that was fetched, `None` when it is not there, is not a plain file or is
    /// larger than `limit` bytes. Works before the first [`Source::snapshot`] of this run when a mirror exists.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn asset(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        match &self.kind {
            Kind::Directory(directory, _) => {
                let (directory, path) = (Arc::clone(directory), path.to_owned());
                blocking(move || directory.asset(&path, limit)).await
            }
            Kind::Git(repository) => repository.asset(path, limit).await,
        }
    }

    /// What blobs of earlier readings hold, in their order: `None` for one that is not there any more, or that would be too much
    /// with those before it. Of a directory nothing is there: it keeps no history.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn earlier(&self, blobs: &[&str]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        match &self.kind {
            Kind::Directory(..) => Ok(vec![None; blobs.len()]),
            Kind::Git(repository) => repository.earlier(blobs).await,
        }
    }

    /// Says that the source has changed, as a webhook does. Whoever waits in [`Source::changed`] of this process returns; if
    /// nobody does, the next wait returns at once. Any number of calls until then count as one.
    pub fn poke(&self) {
        self.poked.notify_one();
    }

    /// Waits until something in the source may have changed: file notification for a directory, or [`Source::poke`]. Where neither
    /// comes it never returns: polling is what finds the change.
    pub async fn changed(&self) {
        let seen = async {
            match &self.kind {
                Kind::Directory(_, watch) => watch.changed().await,
                Kind::Git(_) => std::future::pending().await,
            }
        };
        tokio::select! { () = seen => {}, () = self.poked.notified() => {} }
    }
}

/// Runs file system work away from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    // Fails only when the work panicked or the runtime shuts down.
    let failed = |error: tokio::task::JoinError| SourceError::Io {
        path: "the source".into(),
        source: std::io::Error::other(error),
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}
