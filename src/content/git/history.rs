//! When the content of a path last changed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::LOCAL;
use super::command::Git;
use super::failure::Failure;

/// Documents whose history is looked at one by one. A poll finds a few that changed; a first reading, where the answer is
/// not used, or a reading of everything after an upgrade finds more, and they get the date of the commit that is read.
const MOST_PATHS: usize = 100;

/// How long history is read. It goes backwards and stops as soon as every path was seen, so what changed just now is found
/// at once; what is not found in time gets the date of the commit that is read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Committer dates by path.
#[derive(Debug)]
pub(super) struct Dates {
    commit: DateTime<Utc>,
    paths: HashMap<String, DateTime<Utc>>,
}

impl Dates {
    pub(super) fn of(&self, path: &str) -> DateTime<Utc> {
        self.paths.get(path).copied().unwrap_or(self.commit)
    }
}

/// The dates of paths, which are relative to `folder`, as of a commit.
pub(super) async fn dates(git: &Git, commit: &str, folder: &str, paths: &[&str]) -> Result<Dates, Failure> {
    let shown = git.run(&["log", "-1", "--no-show-signature", "--format=%ct", commit], LOCAL).await?;
    let mut dates = Dates { commit: date(&shown).unwrap_or_default(), paths: HashMap::new() };
    if paths.len() <= MOST_PATHS {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        // Out of time is no failure: what was found until then is right.
        let _ = tokio::time::timeout(PATIENCE, walk(git, commit, &prefix, paths, &mut dates.paths)).await;
    }
    Ok(dates)
}

/// Reads one `git log`, newest commit first, until every path was seen. `-c` names the paths that a merge itself changed.
async fn walk(
    git: &Git,
    commit: &str,
    prefix: &str,
    paths: &[&str],
    found: &mut HashMap<String, DateTime<Utc>>,
) -> Result<(), Failure> {
    let mut open: HashSet<&str> = paths.iter().copied().collect();
    let full: Vec<String> = open.iter().map(|path| format!("{prefix}{path}")).collect();
    let flags = ["log", "-z", "-c", "--name-only", "--no-renames", "--no-show-signature", "--format=%x01%ct"];
    let arguments: Vec<&str> = flags.into_iter().chain([commit, "--"]).chain(full.iter().map(String::as_str)).collect();
    let mut child = git.start(&arguments, &[])?;
    let Some(output) = child.stdout.take() else { return Ok(()) };
    let mut output = BufReader::new(output);
    let (mut record, mut when) = (Vec::new(), None);
    while !open.is_empty() {
        record.clear();
        if output.read_until(0, &mut record).await.map_err(Failure::NotStarted)? == 0 {
            break;
        }
        // `\x01seconds\0`, an empty record, then `\npath\0path\0`.
        let text = record.strip_suffix(b"\0").unwrap_or(&record);
        if let Some(seconds) = text.strip_prefix(b"\x01") {
            when = date(seconds);
            continue;
        }
        let path = std::str::from_utf8(text.strip_prefix(b"\n").unwrap_or(text)).unwrap_or_default();
        if let (Some(path), Some(when)) = (path.strip_prefix(prefix).and_then(|path| open.take(path)), when) {
            found.insert(path.to_owned(), when);
        }
    }
    Ok(())
}

pub(super) fn date(seconds: &[u8]) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(std::str::from_utf8(seconds).ok()?.trim().parse().ok()?, 0)
}
