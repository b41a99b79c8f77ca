//! `tidings preview`: an editor sees a document as it is being written, whatever state it is in.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::harness::{Process, eventually, git, issue, tidings};

const PATIENCE: Duration = Duration::from_secs(30);

struct Preview {
    url: String,
    _process: Process,
    /// Closed, the program could say nothing more.
    _said: BufReader<std::process::ChildStdout>,
}

impl Preview {
    /// Starts it with a configuration, and reads where it is.
    fn start(directory: &Path, source: &str, arguments: &[&str]) -> Self {
        let config = format!(
            "[data]\ndirectory = \"data\"\n[newsletters.news]\ntitle = \"The News\"\nfrom = \"news@news.example\"\nsite = \"https://site.example/\"\nhtml_limit = 20000\n[newsletters.news.source]\n{source}\n[newsletters.news.cadences.each]\ntitle = \"Each\"\ncron = \"* * * * *\"\n"
        );
        std::fs::write(directory.join("tidings.toml"), config).unwrap();
        let mut child = tidings(directory)
            .args(["--config", "tidings.toml", "preview"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://127.0.0.1:"))
            .unwrap_or_else(|| panic!("{line:?}"));
        Self { url: url.trim_end_matches('/').to_owned(), _process: Process(child), _said: said }
    }

    async fn get(&self, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}{path}", self.url)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    async fn shows(&self, path: &str, words: &str) {
        eventually(PATIENCE, words, async || self.get(path).await.contains(words)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_sees_each_state_of_a_document_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let work = directory.path().join("work");
    std::fs::create_dir_all(work.join("content")).unwrap();
    git(&work, &["init", "-q"]);
    let file = work.join("content/2026-03-first.md");
    std::fs::write(&file, issue("First", "2026-03-02", "Committed words.")).unwrap();
    git(&work, &["add", "."]);
    git(&work, &["commit", "-qm", "x"]);
    let draft = work.join("content/next.md");
    std::fs::write(&draft, issue("The next one\ndraft: true", "2099-03-02", "Not committed, [see](2026-03-first.md)."))
        .unwrap();

    let preview = Preview::start(directory.path(), "git = \"work\"\nfolder = \"content\"", &["next.md"]);
    preview.shows("/", "The next one").await;
    let page = preview.get("/").await;
    assert!(
        page.contains("Not committed, see [1]")
            && page.contains("multipart/alternative")
            && !page.contains("Nobody would"),
        "{page}"
    );
    let mail = preview.get("/issues/next/mail").await;
    assert!(mail.contains("Not committed") && mail.contains("/news/issues/2026-03-first"), "{mail}");
    assert!(preview.get("/issues/next/mail?several=1").await.contains("In this mail"));
    assert!(preview.get("/issues/next/page").await.contains("Not committed"));

    let waiting = preview.get("/version?after=nothing").await;
    std::fs::write(&draft, issue("The next one", "2099-03-02", "Better words. {{< info />}}")).unwrap();
    assert_ne!(preview.get(&format!("/version?after={waiting}")).await, waiting);
    preview.shows("/issues/next", "Better words.").await;
    preview.shows("/issues/next", "Line 7: the shortcode").await;

    std::fs::write(&draft, "---\ntitle: The next one\ndate: someday\n---\n\nWorse words.\n").unwrap();
    preview.shows("/issues/next", "Nobody would get this").await;
    let page = preview.get("/issues/next").await;
    assert!(page.contains("someday") && page.contains("Better words.") && !page.contains("Worse words."), "{page}");
    preview.shows("/issues/2026-03-first", "1 in other documents").await;

    std::fs::write(&draft, issue("The next one", "2099-03-02", &"## A section\n\nSome words in it.\n\n".repeat(600)))
        .unwrap();
    preview.shows("/issues/next", "its mail ends early").await;
    assert!(preview.get("/issues/next/mail").await.contains("Read the rest on the web"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_never_could_be_read_says_why_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("issues")).unwrap();
    let file = directory.path().join("issues/only.md");
    std::fs::write(&file, "---\ntitle: Only\n---\n\nWords.\n").unwrap();
    let preview = Preview::start(directory.path(), "directory = \"issues\"", &[]);
    preview.shows("/", "only.md").await;
    assert!(preview.get("/").await.contains("no-date"));
    std::fs::write(&file, issue("Only", "2026-03-02", "Words.")).unwrap();
    preview.shows("/", "Subject: <strong>Only").await;
}

#[test]
fn a_repository_elsewhere_needs_a_working_tree() {
    let directory = tempfile::tempdir().unwrap();
    let config = "[newsletters.news]\ntitle = \"N\"\nfrom = \"news@news.example\"\n[newsletters.news.source]\ngit = \"https://git.invalid/x.git\"\n[newsletters.news.cadences.each]\ntitle = \"Each\"\ncron = \"* * * * *\"\n";
    std::fs::write(directory.path().join("tidings.toml"), config).unwrap();
    let output = tidings(directory.path()).args(["--config", "tidings.toml", "preview"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("tidings preview --directory DIRECTORY"), "{error}");
}

#[test]
fn check_tells_which_mail_would_be_cut() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("issues")).unwrap();
    let body = "## A section\n\nSome words in it.\n\n".repeat(600);
    for (name, date) in [("new.md", "2099-03-02"), ("old.md", "2020-03-02")] {
        std::fs::write(directory.path().join("issues").join(name), issue("Long", date, &body)).unwrap();
    }
    let config = "[defaults]\nhtml_limit = 20000\n[newsletters.news]\ntitle = \"N\"\nfrom = \"news@news.example\"\n[newsletters.news.source]\ndirectory = \"issues\"\n[newsletters.news.cadences.each]\ntitle = \"Each\"\ncron = \"* * * * *\"\n";
    std::fs::write(directory.path().join("tidings.toml"), config).unwrap();
    let output = tidings(directory.path()).args(["--config", "tidings.toml", "check"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("warning: new.md: its mail ends early") && !said.contains("old.md"),
        "{said}"
    );
}
