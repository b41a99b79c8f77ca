//! The content port on real repositories and real directories.

mod directory;
mod git;
mod partial;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tidings::config;
use tidings::content::{Snapshot, Source, SourceError};
use tidings::types::Secret;

const DEADLINE: Duration = Duration::from_secs(30);

/// A repository with a work tree, and room for the mirror beside it.
struct Repo {
    home: TempDir,
}

impl Repo {
    fn new() -> Self {
        let repo = Self { home: TempDir::new().unwrap() };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("work")
    }

    fn mirror(&self) -> PathBuf {
        self.home.path().join("mirrors/news.git")
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_at(0, arguments, "")
    }

    /// Runs git at a number of seconds after the start of 2020, UTC.
    fn git_at(&self, seconds: i64, arguments: &[&str], input: &str) -> String {
        let date = format!("{} +0000", 1_577_836_800 + seconds);
        let mut child = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([("GIT_AUTHOR_NAME", "Ed"), ("GIT_AUTHOR_EMAIL", "ed@news.example"), ("GIT_AUTHOR_DATE", &date)])
            .envs([("GIT_COMMITTER_NAME", "Ed"), ("GIT_COMMITTER_EMAIL", "ed@news.example")])
            .env("GIT_COMMITTER_DATE", &date)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.path(), path, text);
    }

    fn commit(&self, seconds: i64) -> String {
        self.git(&["add", "--all"]);
        self.git_at(seconds, &["commit", "--quiet", "--allow-empty", "--message", "x"], "");
        self.git(&["rev-parse", "HEAD"])
    }

    fn source(&self) -> Source {
        self.source_of(self.path().to_str().unwrap(), None, "").unwrap()
    }

    fn source_of(&self, url: &str, branch: Option<&str>, folder: &str) -> Result<Source, SourceError> {
        let place = config::SourcePlace::Git { url: Secret::new(url), branch: branch.map(str::to_owned) };
        Source::open(&configured(place, folder), &self.mirror())
    }

    async fn failure(&self, url: &str, branch: Option<&str>, folder: &str) -> String {
        let source = self.source_of(url, branch, folder).unwrap();
        let error = source.snapshot(DEADLINE).await.unwrap_err().to_string();
        error.replace(self.home.path().to_str().unwrap(), "HOME")
    }
}

fn configured(place: config::SourcePlace, folder: &str) -> config::Source {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    config::Source {
        place,
        webhook_secret: None,
        folder: folder.into(),
        include: texts(&["**/*.md", "**/*.markdown"]),
        exclude: texts(&["**/README.md", "**/_*.md"]),
    }
}

fn directory_source(path: &Path) -> Source {
    let place = config::SourcePlace::Directory(path.to_owned());
    Source::open(&configured(place, ""), Path::new("unused")).unwrap()
}

fn write(root: &Path, path: &str, text: &str) {
    let full = root.join(path);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, text).unwrap();
}

fn listed(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.documents.iter().map(|(path, _)| path.as_str()).collect()
}

async fn texts(source: &Source, snapshot: &Snapshot) -> Vec<String> {
    let read = source.read(snapshot, &snapshot.documents).await.unwrap();
    read.into_iter().map(|document| String::from_utf8(document.unwrap().bytes).unwrap()).collect()
}

#[test]
fn a_pattern_that_is_none_is_refused_at_once() {
    let mut source = configured(config::SourcePlace::Directory("x".into()), "");
    source.exclude.push("{a".into());
    let error = Source::open(&source, Path::new("m")).unwrap_err().to_string();
    assert!(error.starts_with("\"{a\" is not a pattern: "), "{error}");
}
