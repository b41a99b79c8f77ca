//! A git repository: a bare mirror, fetched and read through the git program.
//!
//! One ref of the mirror, `refs/tidings/head`, is the commit fetched last. Everything is read by object id, so that a
//! fetch meanwhile, also by another process on the same mirror, changes nothing for a reader. The mirror holds every
//! commit and tree, and of the files those that somebody needed: see `fetch`.

mod added;
mod command;
mod failure;
mod fetch;
mod history;
mod objects;
mod remote;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::sync::Mutex;

use self::command::{Git, MAX_OUTPUT, Output};
use self::failure::Failure;
use self::fetch::Asked;
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

/// The most bytes of earlier texts that are read at once: six thousand issues of an honest size.
const MAX_EARLIER: u64 = 32 * 1024 * 1024;

/// A remote repository and its mirror here.
#[derive(Debug)]
pub(super) struct Repository {
    git: Git,
    remote: Remote,
    branch: Option<String>,
    folder: String,
    patterns: Patterns,
    /// What the last look saw. Held during a look: one fetch of this process at a time.
    last: Mutex<Option<Snapshot>>,
    asked: Asked,
}

impl Repository {
    pub(super) fn new(mirror: &Path, url: &Secret, branch: Option<String>, folder: String, patterns: Patterns) -> Self {
        let (git, remote) = (Git::new(mirror), Remote::new(url));
        Self { git, remote, branch, folder, patterns, last: Mutex::default(), asked: Asked::default() }
    }

    pub(super) async fn snapshot(&self, deadline: Duration) -> Result<Snapshot, SourceError> {
        let mut last = self.last.lock().await;
        if self.make_mirror().await? {
            *last = None;
        }
        let before = match last.as_ref() {
            Some(last) => Some(last.commit.clone()),
            None => self.head().await.ok(), // a mirror that is new has none
        };
        self.fetch(deadline).await?;
        let commit = self.head().await?;
        if let Some(last) = last.as_ref().filter(|last| last.commit == commit) {
            return Ok(last.clone());
        }
        if let Some(before) = before {
            self.note_rewriting(&before, &commit).await;
        }
        let snapshot = self.list(commit).await?;
        let known: HashSet<&str> =
            last.iter().flat_map(|last| &last.documents).map(|(_, blob)| blob.as_str()).collect();
        let new = snapshot.documents.iter().map(|(_, blob)| blob.as_str()).filter(|blob| !known.contains(blob));
        self.complete(&new.collect::<Vec<_>>(), deadline).await?;
        *last = Some(snapshot.clone());
        Ok(snapshot)
    }

    async fn head(&self) -> Result<String, SourceError> {
        let commit = self.local(&["rev-parse", "--verify", "--quiet", &format!("{HEAD}^{{commit}}")]).await?;
        Ok(String::from_utf8_lossy(&commit).trim().to_owned())
    }

    /// Says that the branch is not what it was with something added. Nothing depends on it: an issue is known by its id,
    /// path and text, never by its commit.
    async fn note_rewriting(&self, before: &str, now: &str) {
        if before == now {
            return;
        }
        let asked = self.git.run(&["merge-base", "--is-ancestor", before, now], LOCAL).await;
        // The answer is no, or the older commit is not there any more.
        if matches!(asked, Err(Failure::Exit(_))) {
            let repository = &self.remote.shown;
            tracing::warn!(%repository, before, now, "history was rewritten, or this is another branch; issues stay who they are");
        }
    }

    /// The documents of a commit.
    async fn list(&self, commit: String) -> Result<Snapshot, SourceError> {
        let tree = self.tree(&commit);
        let arguments = ["ls-tree", "-r", "-z", &tree];
        let listed = self.git.run_reading(&arguments, Vec::new(), LOCAL, |output| self.selected(output)).await;
        let (mut documents, mut refused) = listed.map_err(|failure| self.explain("ls-tree", failure))?;
        documents.sort();
        documents.dedup_by(|second, first| {
            let double = second.0 == first.0;
            if double {
                refused.push(paths::refused_double(&second.0));
            }
            double
        });
        paths::check_count(&self.remote.shown, documents.len() + refused.len())?;
        Ok(Snapshot { commit, documents, refused })
    }

    /// Reads a listing and keeps what the patterns select.
    async fn selected(&self, output: Output) -> Result<(Vec<(String, String)>, Vec<Finding>), Failure> {
        let (mut documents, mut refused) = (Vec::new(), Vec::new());
        let mut output = output.take(MAX_OUTPUT);
        let mut record = Vec::new();
        while output.read_until(0, &mut record).await.map_err(Failure::NotStarted)? > 0 {
            if let Some(entry) = objects::entry(record.strip_suffix(b"\0").unwrap_or(&record)) {
                match self.select(&entry) {
                    Some(Ok(())) => documents.push((entry.path.into_owned(), entry.id.to_owned())),
                    Some(Err(finding)) => refused.push(finding),
                    None => {}
                }
            }
            record.clear();
        }
        if output.limit() == 0 { Err(Failure::TooMuch) } else { Ok((documents, refused)) }
    }

    /// Whether an entry of the tree is a document, or why it is refused; `None` when no pattern selects it.
    fn select(&self, entry: &Entry<'_>) -> Option<Result<(), Finding>> {
        let path = entry.path.as_ref();
        if self.patterns.names_odd(path) {
            return Some(Err(paths::refused_odd(path)));
        }
        if !self.patterns.select(path) {
            return None;
        }
        Some(match entry.kind {
            Kind::Link => Err(paths::refused_link(path)),
            Kind::Submodule => {
                Err(paths::refused(path, "it is a submodule, and submodules are not read", "Exclude it."))
            }
            Kind::File if entry.is_lossy || !paths::is_plain(path) => Err(paths::refused_name(path)),
            Kind::File if path.len() > paths::MAX_PATH => Err(paths::refused_length(path)),
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
        let mut blobs = self.blobs(&ids.into_iter().filter(small).collect::<Vec<_>>()).await?.into_iter();
        let paths: Vec<&str> = documents.iter().map(|(path, _)| path.as_str()).collect();
        let dates = history::dates(&self.git, commit, &self.folder, &paths).await;
        let dates = dates.map_err(|failure| self.explain("log", failure))?;
        let mut read = Vec::with_capacity(documents.len());
        for (path, blob) in documents {
            read.push(match sizes.get(blob.as_str()) {
                Some(size) if *size > MAX_DOCUMENT => Err(too_large(path, *size)),
                Some(_) => {
                    let bytes = blobs.next().flatten().ok_or_else(|| vanished(path, blob))?;
                    let (path, blob) = (path.clone(), blob.clone());
                    let changed_at = dates.of(&path);
                    Ok(Document { path, bytes, blob, changed_at, added_at: None })
                }
                None => return Err(vanished(path, blob)),
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

    /// What blobs of earlier readings hold, as far as they are there; the first ones, when together they are too much.
    pub(super) async fn earlier(&self, ids: &[&str]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        if ids.is_empty() || !self.git.has_mirror() {
            return Ok(vec![None; ids.len()]);
        }
        let sizes = self.sizes(ids).await?;
        let mut left = MAX_EARLIER;
        let mut there = |id: &str| {
            let size = sizes.get(id).copied().filter(|size| *size <= MAX_DOCUMENT && *size <= left)?;
            left -= size;
            Some(())
        };
        let wanted: Vec<bool> = ids.iter().map(|id| there(id).is_some()).collect();
        let asked: Vec<&str> = ids.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(id, _)| *id).collect();
        let mut blobs = self.blobs(&asked).await?.into_iter();
        Ok(wanted.into_iter().map(|wanted| if wanted { blobs.next().flatten() } else { None }).collect())
    }

    pub(super) async fn asset(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        if !paths::is_plain(path) || !self.git.has_mirror() {
            return Ok(None);
        }
        let listed = self.git.run(&["ls-tree", "-z", &self.tree(HEAD), "--", path], LOCAL).await;
        let listed = match listed {
            Ok(listed) => listed,
            // Nothing was fetched yet, or the folder is not there now.
            Err(Failure::Exit(words)) if words.contains("Not a valid object name") => return Ok(None),
            Err(failure) => return Err(self.explain("ls-tree", failure)),
        };
        let entry = listed.split(|byte| *byte == 0).find_map(objects::entry);
        let Some(entry) = entry.filter(|entry| entry.path == path && entry.kind == Kind::File) else { return Ok(None) };
        let size = match self.sizes(&[entry.id]).await?.get(entry.id) {
            Some(size) => Some(*size),
            None => {
                self.fetch_asked(entry.id).await?;
                self.sizes(&[entry.id]).await?.get(entry.id).copied()
            }
        };
        if size.is_none_or(|size| size > limit) {
            return Ok(None);
        }
        self.local(&["cat-file", "blob", entry.id]).await.map(Some)
    }

    /// Whether there was none, or none any more.
    async fn make_mirror(&self) -> Result<bool, SourceError> {
        let io = |source| SourceError::Io { path: self.git.mirror().display().to_string(), source };
        tokio::fs::create_dir_all(self.git.mirror()).await.map_err(io)?;
        self.git.write_settings().await.map_err(io)?;
        if self.git.has_mirror() {
            return Ok(false);
        }
        self.local(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main"]).await?;
        Ok(true)
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
        let mode = "--batch-check=%(objectname) %(objecttype) %(objectsize)";
        let output = self.git.run_with(&["cat-file", mode], &[], lines(ids), LOCAL).await;
        Ok(objects::sizes(&output.map_err(|failure| self.explain("cat-file", failure))?, ids))
    }

    /// The blobs in the order of their ids, `None` for one that is not there.
    async fn blobs(&self, ids: &[&str]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let read = |output| async { objects::blobs(output, ids.len()).await.map_err(Failure::NotStarted) };
        let blobs = self.git.run_reading(&["cat-file", "--batch"], lines(ids), LOCAL, read).await;
        blobs.map_err(|failure| self.explain("cat-file", failure))
    }
}

/// Ids as input of git. What is no id would be a line of its own meaning, so it is not fed.
fn lines(ids: &[&str]) -> Vec<u8> {
    ids.iter().filter(|id| objects::is_id(id)).flat_map(|id| [id.as_bytes(), b"\n"].concat()).collect()
}

/// A blob that was listed is gone: the branch was rewritten and the mirror tidied up in between.
fn vanished(path: &str, blob: &str) -> SourceError {
    SourceError::Git {
        command: "cat-file".into(),
        why: format!("{path} has no object {blob} in the mirror any more"),
        remedy: "The next look at the repository reads it as it is then.".into(),
    }
}
