//! When documents first came into the history of a repository.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::command::Git;
use super::failure::Failure;
use super::history::date;

/// How long history is read, from the newest commit to the first: some ten seconds for a hundred thousand commits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The author dates of the commits that added these paths, which are relative to `folder`, as of a commit. An author date
/// outlives a rebase, and with it the documents keep theirs when history is rewritten.
///
/// A path that was renamed without an edit is followed; one that was deleted and added again has its first date. Reading
/// half of a history would give dates that are too late, so when time runs out there are none.
pub(super) async fn added(
    git: &Git,
    commit: &str,
    folder: &str,
    paths: &[&str],
) -> Result<HashMap<String, DateTime<Utc>>, Failure> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let origins = paths.iter().map(|path| (format!("{prefix}{path}"), (*path).to_owned())).collect();
    let mut walk = Walk { origins, dates: HashMap::new() };
    match tokio::time::timeout(PATIENCE, read(git, commit, &mut walk)).await {
        Ok(done) => done.map(|()| walk.dates),
        Err(_) => Ok(HashMap::new()),
    }
}

/// Reads one `git log`, children before parents. Renames are found by object id alone: comparing contents would take minutes,
/// and in a partial clone would fetch them.
async fn read(git: &Git, commit: &str, walk: &mut Walk) -> Result<(), Failure> {
    let flags = ["log", "-z", "--topo-order", "--diff-filter=AR", "-M100%", "--name-status", "--no-show-signature"];
    let arguments: Vec<&str> = flags.into_iter().chain(["--format=%x01%at", commit]).collect();
    let mut child = git.start(&arguments, &[])?;
    let Some(output) = child.stdout.take() else { return Ok(()) };
    let mut fields = BufReader::new(output);
    let mut when = None;
    // `\x01seconds\0`, then for each change `A\0path\0` or `R100\0old\0new\0`, the first after a line end.
    while let Some(field) = next(&mut fields).await? {
        match field.trim_start_matches('\n') {
            seconds if seconds.starts_with('\x01') => when = date(&seconds.as_bytes()[1..]),
            "A" => {
                let path = next(&mut fields).await?.unwrap_or_default();
                walk.added(&path, when);
            }
            status if status.starts_with('R') => {
                let (old, new) = (next(&mut fields).await?, next(&mut fields).await?);
                walk.renamed(&old.unwrap_or_default(), &new.unwrap_or_default(), when);
            }
            _ => {}
        }
    }
    // A git that broke off has told half of it.
    let ended = child.wait().await.map_err(Failure::NotStarted)?;
    if ended.success() { Ok(()) } else { Err(Failure::Exit("the history ended early".into())) }
}

/// The next text that ends with a zero byte. A name that is not UTF-8 is no document's.
async fn next(output: &mut BufReader<tokio::process::ChildStdout>) -> Result<Option<String>, Failure> {
    let mut field = Vec::new();
    if output.read_until(0, &mut field).await.map_err(Failure::NotStarted)? == 0 {
        return Ok(None);
    }
    let field = field.strip_suffix(b"\0").unwrap_or(&field);
    Ok(Some(String::from_utf8_lossy(field).into_owned()))
}

/// A walk from the newest commit to the first.
struct Walk {
    /// What a document was called in the commit that is read, and what it is called now.
    origins: HashMap<String, String>,
    dates: HashMap<String, DateTime<Utc>>,
}

impl Walk {
    fn added(&mut self, path: &str, when: Option<DateTime<Utc>>) {
        if let (Some(now), Some(when)) = (self.origins.get(path), when) {
            self.dates.insert(now.clone(), when);
        }
    }

    /// What a document was called before belongs to it from here on, and no longer to what has the name now.
    fn renamed(&mut self, old: &str, new: &str, when: Option<DateTime<Utc>>) {
        self.added(new, when);
        if let Some(now) = self.origins.remove(new) {
            self.origins.insert(old.to_owned(), now);
        }
    }
}
