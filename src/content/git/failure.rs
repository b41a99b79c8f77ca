//! What git's failures mean, in words.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::remote::Remote;
use crate::content::SourceError;

/// Why a git command gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program did not start, or its pipes broke.
    NotStarted(io::Error),
    /// It was killed after this long.
    Late(Duration),
    /// It wrote more than anything sensible.
    TooMuch,
    /// It failed; what it wrote to standard error.
    Exit(String),
}

impl Failure {
    /// In words, when the mirror was read.
    pub(super) fn of_mirror(self, command: &str, remote: &Remote, folder: &str, mirror: &Path) -> SourceError {
        let of_folder = ["Not a valid object name", "not a tree object"];
        match &self {
            Self::Exit(words) if !folder.is_empty() && of_folder.iter().any(|sign| words.contains(sign)) => {
                SourceError::Missing {
                    what: format!("the folder {folder} in {}", remote.shown),
                    why: "the newest commit has no such folder".into(),
                    remedy: "Correct `folder` of the source.".into(),
                }
            }
            _ => {
                let remedy = format!(
                    "If it happens again, delete {}: it is a copy, and is made again from the repository.",
                    mirror.display()
                );
                self.plain(command, remote, remedy)
            }
        }
    }

    /// In words, when the remote repository was fetched.
    pub(super) fn of_fetch(self, remote: &Remote, branch: Option<&str>) -> SourceError {
        let Self::Exit(words) = &self else {
            let remedy = "Look whether the repository answers; a first fetch takes the longest.";
            return self.plain("fetch", remote, remedy.into());
        };
        let missing = |what: String, why: &str, remedy: &str| SourceError::Missing {
            what,
            why: why.to_owned(),
            remedy: remedy.to_owned(),
        };
        let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
        if says(&["couldn't find remote ref"]) {
            return match branch {
                Some(branch) => missing(
                    format!("the branch {branch} of {}", remote.shown),
                    "the repository has no such branch",
                    "Correct `branch` of the source, or leave it out for the default branch.",
                ),
                None => missing(
                    format!("the default branch of {}", remote.shown),
                    "the repository has no commit there",
                    "Push a commit, or set `branch` of the source.",
                ),
            };
        }
        if says(&["Authentication failed", "could not read Username", "could not read Password", "Permission denied"]) {
            return missing(
                format!("the repository {}", remote.shown),
                &remote.last_words(words),
                "Look whether the credentials of the source are right and may read the repository.",
            );
        }
        if says(&["does not appear to be a git repository", "not found", "does not exist", "No such file"]) {
            return missing(
                format!("the repository {}", remote.shown),
                &remote.last_words(words),
                "Correct `url` of the source; a private repository also needs credentials.",
            );
        }
        let remedy = format!("Try `git ls-remote {}` on this machine; the next poll tries again.", remote.shown);
        self.plain("fetch", remote, remedy)
    }

    fn plain(self, command: &str, remote: &Remote, remedy: String) -> SourceError {
        let why = match self {
            Self::NotStarted(error) if error.kind() == io::ErrorKind::NotFound => {
                return SourceError::Missing {
                    what: "the program git".into(),
                    why: error.to_string(),
                    remedy: "Install git and see that it is in PATH, or use a directory as the source.".into(),
                };
            }
            Self::NotStarted(error) => error.to_string(),
            Self::Late(deadline) => {
                format!("{} took longer than {} s", remote.shown, deadline.as_secs_f32())
            }
            Self::TooMuch => "the repository lists more than can be read".into(),
            Self::Exit(words) => remote.last_words(&words),
        };
        SourceError::Git { command: command.to_owned(), why, remedy }
    }
}
