//! A git repository: a bare mirror, fetched and read through the git program.
//!
//! One ref of the mirror, `refs/tidings/head`, is the commit fetched last. Everything is read by object id, so that a
//! fetch meanwhile, also by another process on the same mirror, changes nothing for a reader.

mod added;
mod command;
mod failure;
mod history;
mod objects;
mod remote;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use self::command::Git;
use self::failure::Failure;
use self::objects::{Entry, Kind};
use self::remote::Remote;
use super::paths::{self, Patterns};
use super::{Snapshot, SourceError};
use crate::issue::{Document, MAX_DOCUMENT, too_large};
use crate::types::{Finding, Secret};

/// Reading from the mirror is local; this is for a disk that hangs.
const LOCAL: Duration = Duration::from_secs(60);

/// The commit that was fetched last.
const HEAD: &str = "refs/tidings/head";

/// A remote repository and its mirror here.
#[derive(Debug)]
pub(super) struct Repository {
    git: Git,
    remote: Remote,
    branch: Option<String>,
    folder: String,
    patterns: Patterns,
    /// One fetch of this process at a time.
    fetching: Mutex<()>,
}

impl Repository {
    pub(super) fn new(mirror: &Path, url: &Secret, branch: Option<String>, folder: String, patterns: Patterns) -> Self {
        let remote = Remote::new(url);
        Self { git: Git::new(mirror), remote, branch, folder, patterns, fetching: Mutex::default() }
    }

    pub(super) async fn snapshot(&self, deadline: Duration) -> Result<Snapshot, SourceError> {
        let _one = self.fetching.lock().await;
        self.make_mirror().await?;
        self.fetch(deadline).await?;
        let commit = self.local(&["rev-parse", "--verify", &format!("{HEAD}^{{commit}}")]).await?;
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let tree = self.local(&["ls-tree", "-r", "-z", &self.tree(&commit)]).await?;
        let (mut documents, mut refused) = (Vec::new(), Vec::new());
        for entry in objects::entries(&tree) {
            match self.select(&entry) {
                Some(Ok(())) => documents.push((entry.path.into_owned(), entry.id.to_owned())),
                Some(Err(finding)) => refused.push(finding),
                None => {}
            }
        }
        documents.sort();
        paths::check_count(&self.remote.shown, documents.len())?;
        Ok(Snapshot { commit, documents, refused })
    }

    /// Whether an entry of the tree is a document, or why it is refused; `None` when no pattern selects it.
    fn select(&self, entry: &Entry<'_>) -> Option<Result<(), Finding>> {
        if !self.patterns.select(&entry.path) {
            return None;
        }
        Some(match entry.kind {
            Kind::Link => Err(paths::refused_link(&entry.path)),
            Kind::Submodule => {
                Err(paths::refused(&entry.path, "it is a submodule, and submodules are not read", "Exclude it."))
            }
            Kind::File if entry.is_lossy || !paths::is_plain(&entry.path) => Err(paths::refused_name(&entry.path)),
            Kind::File => Ok(()),
            Kind::Other => return None,
        })
    }

    /// Reads blobs with two processes however many they are: one says the sizes, so that nothing large is read.
    pub(super) async fn read(
        &self,
        commit: &str,
        documents: &[(String, String)],
    ) -> Result<Vec<Result<Document, Finding>>, SourceError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        if !objects::is_id(commit) {
            return Err(SourceError::Git {
                command: "log".into(),
                why: format!("{commit:?} is no commit"),
                remedy: "Take a snapshot first.".into(),
            });
        }
        let ids: Vec<&str> = documents.iter().map(|(_, blob)| blob.as_str()).collect();
        let sizes = self.sizes(&ids).await?;
        let small = |id: &&str| sizes.get(*id).is_some_and(|size| *size <= MAX_DOCUMENT);
        let blobs = self.blobs(&ids.into_iter().filter(small).collect::<Vec<_>>()).await?;
        let paths: Vec<&str> = documents.iter().map(|(path, _)| path.as_str()).collect();
        let dates = history::dates(&self.git, commit, &self.folder, &paths).await;
        let dates = dates.map_err(|failure| self.explain("log", failure))?;
        let mut read = Vec::with_capacity(documents.len());
        for (path, blob) in documents {
            read.push(match (sizes.get(blob.as_str()), blobs.get(blob.as_str())) {
                (_, Some(bytes)) => {
                    let changed_at = dates.of(path);
                    Ok(Document {
                        path: path.clone(),
                        bytes: bytes.clone(),
                        blob: blob.clone(),
                        changed_at,
                        added_at: None,
                    })
                }
                (Some(size), None) => Err(too_large(path, *size)),
                (None, None) => return Err(vanished(path, blob)),
            });
        }
        Ok(read)
    }

    pub(super) async fn added(
        &self,
        commit: &str,
        paths: &[&str],
    ) -> Result<HashMap<String, DateTime<Utc>>, SourceError> {
        added::added(&self.git, commit, &self.folder, paths).await.map_err(|failure| self.explain("log", failure))
    }

    pub(super) async fn asset(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        if !paths::is_plain(path) || !self.git.has_mirror() {
            return Ok(None);
        }
        let tree = self.tree(HEAD);
        let listed = self.git.run(&["ls-tree", "-z", "--long", &tree, "--", path], LOCAL).await;
        let listed = match listed {
            Ok(listed) => listed,
            // Nothing was fetched yet, or the folder is not there now.
            Err(Failure::Exit(words)) if words.contains("Not a valid object name") => return Ok(None),
            Err(failure) => return Err(self.explain("ls-tree", failure)),
        };
        let found = objects::entries(&listed).find(|entry| entry.path == path && matches!(entry.kind, Kind::File));
        match found {
            Some(entry) if entry.size.is_some_and(|size| size <= limit) => {
                self.local(&["cat-file", "blob", entry.id]).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn make_mirror(&self) -> Result<(), SourceError> {
        let io = |source| SourceError::Io { path: self.git.mirror().display().to_string(), source };
        tokio::fs::create_dir_all(self.git.mirror()).await.map_err(io)?;
        self.git.write_settings().await.map_err(io)?;
        if !self.git.has_mirror() {
            self.local(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main"]).await?;
        }
        Ok(())
    }

    async fn fetch(&self, deadline: Duration) -> Result<(), SourceError> {
        let branch = self.branch.as_deref();
        if let Some(branch) = branch.filter(|branch| !remote::is_branch_name(branch)) {
            return Err(SourceError::Missing {
                what: format!("the branch {branch:?}"),
                why: "that cannot be the name of a branch".into(),
                remedy: "Correct `branch` of the source.".into(),
            });
        }
        let from = branch.map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
        let refspec = format!("+{from}:{HEAD}");
        let flags = ["fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head", "--no-recurse-submodules"];
        let arguments: Vec<&str> = flags.into_iter().chain([remote::NAME, &refspec]).collect();
        let fetched = self.git.run_with(&arguments, &self.remote.environment(), Vec::new(), deadline).await;
        fetched.map(drop).map_err(|failure| failure.of_fetch(&self.remote, branch))
    }

    /// The tree that is the root of the source.
    fn tree(&self, commit: &str) -> String {
        format!("{commit}:{}", self.folder)
    }

    async fn local(&self, arguments: &[&str]) -> Result<Vec<u8>, SourceError> {
        let command = arguments.first().copied().unwrap_or_default();
        self.git.run(arguments, LOCAL).await.map_err(|failure| self.explain(command, failure))
    }

    fn explain(&self, command: &str, failure: Failure) -> SourceError {
        failure.of_mirror(command, &self.remote, &self.folder, self.git.mirror())
    }

    async fn sizes<'a>(&self, ids: &[&'a str]) -> Result<HashMap<&'a str, u64>, SourceError> {
        let output = self.batch("--batch-check=%(objectname) %(objecttype) %(objectsize)", ids).await?;
        Ok(objects::sizes(&output, ids))
    }

    async fn blobs<'a>(&self, ids: &[&'a str]) -> Result<HashMap<&'a str, Vec<u8>>, SourceError> {
        let output = self.batch("--batch", ids).await?;
        Ok(objects::blobs(&output, ids))
    }

    /// Feeds ids to one `git cat-file`. What is no id would be a line of its own meaning, so it is not fed.
    async fn batch(&self, mode: &str, ids: &[&str]) -> Result<Vec<u8>, SourceError> {
        let lines: String = ids.iter().filter(|id| objects::is_id(id)).map(|id| format!("{id}\n")).collect();
        let read = self.git.run_with(&["cat-file", mode], &[], lines.into_bytes(), LOCAL).await;
        read.map_err(|failure| self.explain("cat-file", failure))
    }
}

/// A blob that was listed is gone: the branch was rewritten and the mirror tidied up in between.
fn vanished(path: &str, blob: &str) -> SourceError {
    SourceError::Git {
        command: "cat-file".into(),
        why: format!("{path} has no object {blob} in the mirror any more"),
        remedy: "The next look at the repository reads it as it is then.".into(),
    }
}
