//! A plain directory: walked without following links. Blocking; the caller runs it away from the async threads.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

use super::paths::{self, Patterns};
use super::{Snapshot, SourceError};
use crate::issue::{Document, MAX_DOCUMENT, too_large};
use crate::types::{Finding, hex};

/// A directory and what its files hashed to.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    patterns: Patterns,
    /// Blob ids by path, with the modification time and size they were made at, so that a poll of an unchanged directory
    /// reads no file. A file changed twice within the file system's clock tick and to the same size would be missed.
    blobs: Mutex<HashMap<String, (Stamp, String)>>,
}

/// When two of these are equal, the file is taken as unchanged.
type Stamp = (Option<SystemTime>, u64);

/// What a walk found, relative to the root.
#[derive(Default)]
struct Walk {
    files: Vec<(String, Metadata)>,
    refused: Vec<Finding>,
}

impl Directory {
    pub(super) fn new(root: PathBuf, patterns: Patterns) -> Self {
        Self { root, patterns, blobs: Mutex::default() }
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let mut walk = self.walk()?;
        walk.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        walk.refused.sort_by(|a, b| a.place.path.cmp(&b.place.path));
        paths::check_count(&self.root.display().to_string(), walk.files.len())?;
        let mut before = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blobs = HashMap::with_capacity(walk.files.len());
        let mut documents = Vec::with_capacity(walk.files.len());
        for (path, metadata) in walk.files {
            let stamp = (metadata.modified().ok(), metadata.len());
            let known = before.remove(&path).filter(|(then, _)| *then == stamp).map(|(_, blob)| blob);
            let blob = match known.map_or_else(|| self.hash(&path, metadata.len()), Ok) {
                Ok(blob) => blob,
                Err(error) if error.kind() == ErrorKind::NotFound => continue, // removed while we walked
                Err(error) => return Err(self.io(&path, error)),
            };
            blobs.insert(path.clone(), (stamp, blob.clone()));
            documents.push((path, blob));
        }
        *before = blobs;
        Ok(Snapshot { commit: String::new(), documents, refused: walk.refused })
    }

    pub(super) fn read(&self, paths: &[String]) -> Result<Vec<Result<Document, Finding>>, SourceError> {
        paths.iter().map(|path| self.document(path).map_err(|error| self.io(path, error))).collect()
    }

    pub(super) fn asset(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, SourceError> {
        match self.open(path).and_then(|opened| opened.map(|(file, _)| read_up_to(file, limit)).transpose()) {
            Ok(bytes) => Ok(bytes.flatten()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(self.io(path, error)),
        }
    }

    fn document(&self, path: &str) -> io::Result<Result<Document, Finding>> {
        let Some((file, metadata)) = self.open(path)? else { return Ok(Err(paths::refused_link(path))) };
        let Some(bytes) = read_up_to(file, MAX_DOCUMENT)? else { return Ok(Err(too_large(path, metadata.len()))) };
        let blob = blob_id(&bytes);
        Ok(Ok(Document { path: path.to_owned(), bytes, blob, changed_at: changed_at(&metadata), added_at: None }))
    }

    /// Lists selected files. A folder that vanishes meanwhile is empty; one that may not be read is an error, because to
    /// pass over it would withdraw its issues.
    fn walk(&self) -> Result<Walk, SourceError> {
        let mut walk = Walk::default();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(self.root.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if folder.is_empty() => return Err(self.missing(&error)),
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(self.io(&folder, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| self.io(&folder, error))?;
                let name = entry.file_name();
                let path = join(&folder, &name.to_string_lossy());
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && !paths::is_hidden(&path) && name.to_str().is_some() {
                    folders.push(path);
                } else if !kind.is_dir() && self.patterns.select(&path) {
                    if kind.is_symlink() {
                        walk.refused.push(paths::refused_link(&path));
                    } else if name.to_str().is_none() || !paths::is_plain(&path) {
                        walk.refused.push(paths::refused_name(&path));
                    } else if kind.is_file()
                        && let Ok(metadata) = entry.metadata()
                    {
                        walk.files.push((path, metadata));
                    }
                }
            }
        }
        Ok(walk)
    }

    /// Opens a plain file below the root; `None` when a part of the path is a link or the file is none. The parts are
    /// looked at before the file is opened: who can swap them in between can write issues anyway.
    fn open(&self, path: &str) -> io::Result<Option<(File, Metadata)>> {
        if !paths::is_plain(path) {
            return Ok(None);
        }
        let mut full = self.root.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            full.push(part);
            let kind = fs::symlink_metadata(&full)?.file_type();
            let fine = if parts.peek().is_some() { kind.is_dir() } else { kind.is_file() };
            if !fine {
                return Ok(None);
            }
        }
        let file = File::open(&full)?;
        let metadata = file.metadata()?;
        Ok(Some((file, metadata)))
    }

    /// The blob id of a file of any size.
    fn hash(&self, path: &str, size: u64) -> io::Result<String> {
        let Some((mut file, _)) = self.open(path)? else { return Err(ErrorKind::NotFound.into()) };
        let mut context = blob_context(size);
        let mut chunk = [0; 16 * 1024];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hex(context.finish().as_ref())),
                read => context.update(chunk.get(..read).unwrap_or_default()),
            }
        }
    }

    fn io(&self, path: &str, source: io::Error) -> SourceError {
        SourceError::Io { path: join(&self.root.display().to_string(), path), source }
    }

    fn missing(&self, error: &io::Error) -> SourceError {
        SourceError::Missing {
            what: format!("the directory {}", Path::new(&self.root).display()),
            why: error.to_string(),
            remedy: "Make it, or correct `path` of the source; the issues read last stay published until then.".into(),
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `None` when there is more.
fn read_up_to(file: File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((u64::try_from(read).unwrap_or(u64::MAX) <= limit).then_some(bytes))
}

fn changed_at(metadata: &Metadata) -> DateTime<Utc> {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    i64::try_from(since.as_millis()).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// SHA-1 is git's name for bytes, not a protection.
fn blob_context(size: u64) -> digest::Context {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("blob {size}\0").as_bytes());
    context
}

fn blob_id(bytes: &[u8]) -> String {
    let mut context = blob_context(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    context.update(bytes);
    hex(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blob_id_is_git_s() {
        // git hash-object
        assert_eq!(blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
