//! Repositories made to do harm: bounded time, a finding that names the path, and everything else served.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::harness::{Backend, TestApp, git, issue};

/// Far more than any of these takes, and far less than what would be harm.
const BOUND: Duration = Duration::from_secs(60);

/// A repository with one good issue, served by an app.
struct Attack {
    repository: TempDir,
    app: TestApp,
}

impl Attack {
    async fn start() -> Self {
        Self::start_on(Backend::Sqlite).await.unwrap()
    }

    async fn start_on(backend: Backend) -> Option<Self> {
        let repository = TempDir::new().unwrap();
        git(repository.path(), &["init", "--quiet"]);
        let configuration = format!(
            "[newsletters.weekly]\ntitle = \"W\"\nfrom = \"w@news.example\"\nsource.git = {:?}\nfeed_entries = 1000\nfeed_kilobytes = 65536\n\
             cadences.mondays = {{ title = \"M\", cron = \"0 9 * * 1\" }}\n",
            repository.path().display().to_string()
        );
        let app = TestApp::start_with(backend, &configuration).await?;
        let attack = Self { repository, app };
        attack.write("good.md", issue("Good", "2026-02-05", "Harmless."));
        attack.commit();
        Some(attack)
    }

    fn path(&self) -> &Path {
        self.repository.path()
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let full = self.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    fn commit(&self) {
        git(self.path(), &["add", "--all"]);
        git(self.path(), &["commit", "--quiet", "--message", "x"]);
    }

    /// Runs git with input; what it wrote.
    fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .current_dir(self.path())
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn blob(&self, text: &str) -> String {
        self.feed(&["hash-object", "-w", "--stdin"], text.as_bytes())
    }

    /// Writes a tree as it is given, also one that git would not write: mode, name, object.
    fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend((0..20).map(|byte| u8::from_str_radix(&id[byte * 2..byte * 2 + 2], 16).unwrap()));
        }
        self.feed(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &bytes)
    }

    /// Makes a tree the newest commit, with the good issue beside what is given.
    fn commit_tree(&self, entries: &[(&str, &[u8], &str)]) {
        let good = self.blob(&issue("Good", "2026-02-05", "Harmless."));
        let all: Vec<_> = entries.iter().copied().chain([("100644", b"good.md".as_slice(), good.as_str())]).collect();
        let tree = self.tree(&all);
        let commit = git(self.path(), &["commit-tree", &tree, "-m", "x"]);
        git(self.path(), &["update-ref", "HEAD", &commit]);
    }

    /// One look, in bounded time, after which the good issue is served.
    async fn look(&mut self) -> Seen {
        let started = Instant::now();
        self.app.watch().await.unwrap();
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
        self.seen().await
    }

    async fn seen(&self) -> Seen {
        let feed = self.app.get("/weekly/atom.xml").await.body;
        let entries = feed_rs::parser::parse(feed.as_bytes()).unwrap().entries;
        let titles: Vec<String> = entries.iter().map(|entry| entry.title.as_ref().unwrap().content.clone()).collect();
        assert!(titles.iter().any(|title| title == "Good"), "{titles:?}");
        assert_eq!(self.app.get("/weekly/issues/good").await.status, 200);
        let status = self.app.get(&format!("{}/status", self.app.private)).await.body;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let hold =
            |hold: &serde_json::Value| format!("{} {}", hold["path"].as_str().unwrap(), hold["rule"].as_str().unwrap());
        let holds = status["newsletters"][0]["holds"].as_array().unwrap().iter().map(hold).collect();
        Seen { titles, holds }
    }

    fn mirror(&self) -> PathBuf {
        self.app.path("data/mirrors/weekly")
    }
}

struct Seen {
    titles: Vec<String>,
    holds: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_submodules_are_named_and_not_followed() {
    let mut attack = Attack::start().await;
    let secret = attack.app.path("secret.md");
    fs::write(&secret, issue("Secret", "2026-02-06", "Of the machine.")).unwrap();
    symlink(&secret, attack.path().join("absolute.md")).unwrap();
    symlink("../".repeat(40) + "etc/passwd", attack.path().join("relative.md")).unwrap();
    symlink("good.md", attack.path().join("inside.md")).unwrap();
    symlink(attack.app.directory.path(), attack.path().join("folder")).unwrap();
    attack.write(
        "shows.md",
        issue("Shows", "2026-02-07", "![a](folder/secret.md) ![b](relative.md) ![c](/../../etc/passwd)"),
    );
    attack.write(
        ".gitmodules",
        "[submodule \"x\"]\npath = sub.md\nurl = --upload-pack=touch /tmp/owned\nupdate = !touch owned\n",
    );
    git(attack.path(), &["add", "--all"]);
    git(attack.path(), &["update-index", "--add", "--cacheinfo", &format!("160000,{},sub.md", "1".repeat(40))]);
    git(attack.path(), &["commit", "--quiet", "--message", "x"]);
    let seen = attack.look().await;
    let expected = ["absolute.md", "inside.md", "relative.md", "sub.md"].map(|path| format!("{path} unsafe-path"));
    assert_eq!(seen.holds, expected);
    assert_eq!(seen.titles, ["Shows", "Good"]);
    for path in ["folder/secret.md", "relative.md", "absolute.md", "sub.md", "etc/passwd", ".gitmodules"] {
        assert_eq!(attack.app.get(&format!("/weekly/files/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_would_leave_the_tree_or_that_no_url_can_hold_are_named() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(mut attack) = Attack::start_on(backend).await else { continue };
        let bad = attack.blob(&issue("Bad", "2026-02-06", "x"));
        let file = |name: &'static [u8]| ("100644", name, bad.as_str());
        let up = attack.tree(&[file(b"a.md")]);
        let long = vec![b'l'; 1500];
        let long_name = [&long, b".md".as_slice()].concat();
        attack.commit_tree(&[
            ("40000", b"..", &up),
            ("40000", b".", &up),
            ("40000", b".git", &up),
            ("40000", b".GIT", &up),
            file(b"x/../../y.md"),
            file(b"/abs.md"),
            file(b"new\nline.md"),
            file(b"escape\x1b[31m.md"),
            file(b"not-utf8-\xff\xfe.md"),
            file(b"back\\slash.md"),
            file(b"twice.md"),
            file(b"twice.md"),
            ("100644", &long_name, &bad),
            ("100644", b"\xe2\x80\xae\xe2\x81\xa6bidi.md", &bad),
            file(b"Case.md"),
            file(b"case.md"),
            file(b"CASE.md"),
        ]);
        let seen = attack.look().await;
        let long = format!("{}... unsafe-path", "l".repeat(1000));
        let mut expected = [
            "../a.md",
            "./a.md",
            ".git/a.md",
            ".GIT/a.md",
            "x/../../y.md",
            "/abs.md",
            "new\\nline.md",
            "escape\\u{1b}[31m.md",
            "not-utf8-\u{fffd}\u{fffd}.md",
            "back\\slash.md",
            "twice.md",
        ]
        .map(|path| format!("{path} unsafe-path"))
        .to_vec();
        expected.push(long);
        expected.sort();
        let mut holds = seen.holds;
        holds.sort();
        assert_eq!(holds, expected);
        assert_eq!(
            seen.titles.iter().filter(|title| *title == "Bad").count(),
            5,
            "three cases, one of twice, one bidi"
        );
        for slug in ["case", "case-2", "case-3", "twice"] {
            assert_eq!(attack.app.get(&format!("/weekly/issues/{slug}")).await.status, 200, "{slug}");
        }
        assert!(!attack.mirror().join("../a.md").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_tree_is_named_and_one_without_end_leaves_the_last_good_state() {
    let mut attack = Attack::start().await;
    attack.look().await;
    let bad = attack.blob(&issue("Deep", "2026-02-06", "x"));
    let mut tree = attack.tree(&[("100644", b"deep.md", &bad)]);
    for _ in 0..1_900 {
        tree = attack.tree(&[("40000", b"d", &tree)]);
    }
    attack.commit_tree(&[("40000", b"d", &tree)]);
    let seen = attack.look().await;
    assert_eq!(seen.holds.len(), 1);
    assert!(seen.holds[0].starts_with("d/d/d/") && seen.holds[0].ends_with("... unsafe-path"), "{:?}", seen.holds);
    assert_eq!(seen.titles, ["Good"]);

    // Ten trees that each name the next one ten times: ten thousand million files in a kilobyte.
    let mut tree = attack.tree(&[("100644", b"bomb.md", &bad)]);
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        tree = attack.tree(&names.iter().map(|name| ("40000", name.as_bytes(), tree.as_str())).collect::<Vec<_>>());
    }
    attack.commit_tree(&[("40000", b"bomb", &tree)]);
    let started = Instant::now();
    let error = attack.app.watch().await.unwrap_err();
    assert!(error.contains("lists more than can be read"), "{error}");
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert_eq!(attack.seen().await.titles, ["Good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_hundred_megabytes_is_named_with_its_size() {
    let mut attack = Attack::start().await;
    let huge = attack.path().join("huge.md");
    fs::File::create(&huge).unwrap().set_len(100 * 1024 * 1024).unwrap();
    attack.write("large.md", vec![b'x'; 1024 * 1024 + 1]);
    attack.commit();
    let seen = attack.look().await;
    assert_eq!(seen.holds, ["huge.md too-large", "large.md too-large"]);
    assert_eq!(seen.titles, ["Good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_made_to_be_slow_are_read_in_time_or_named() {
    let mut attack = Attack::start().await;
    let header = "---\ntitle: Slow\ndate: 2026-02-06\n---\n";
    // A debug build takes seconds for a megabyte, and everything here should take a time in proportion to its size.
    let sizes = |name: &str| if name == "brackets" { 1024 * 1024 } else { 128 * 1024 } - header.len();
    for (name, pattern) in [
        ("brackets", "["),
        ("links", "[a]("),
        ("images", "![["),
        ("stars", "*a **"),
        ("quotes", "> "),
        ("lists", "- "),
        ("ticks", "`a``"),
        ("tags", "<b>"),
        ("comments", "<!--"),
        ("entities", "&"),
        ("underscores", "_a__"),
        ("tables", "|a"),
        ("references", "[a]: b\n\n"),
        ("newlines", "\n"),
        ("footnotes", "[^a]: [^a]\n\n"),
    ] {
        attack.write(&format!("{name}.md"), format!("{header}{}", &pattern.repeat(sizes(name) / pattern.len())));
    }
    let lol = |n: u32| (0..9).map(|_| format!("*l{n}")).collect::<Vec<_>>().join(",");
    let bomb: String = (1..20).map(|n| format!("l{n}: &l{n} [{}]\n", lol(n - 1))).collect();
    attack.write("bomb.md", format!("---\nl0: &l0 lol\n{bomb}title: Bomb\ndate: 2026-02-06\n---\nx\n"));
    attack.write("deep.md", format!("---\ntitle: Deep\ndate: 2026-02-06\nx: {}\n---\nx\n", "[".repeat(10_000)));
    attack
        .write("deep-toml.md", format!("+++\ntitle = 'Deep'\ndate = 2026-02-06\nx = {}\n+++\nx\n", "[".repeat(10_000)));
    attack.write("wide.md", format!("---\ntitle: Wide\ndate: 2026-02-06\n{}---\nx\n", "k: v\n".repeat(200_000)));
    attack.write("open.md", format!("---\n{}", "title: never closed\n".repeat(40_000)));
    attack.write("binary.md", [b"---\ntitle: \xff\xfe\n---\n".as_slice(), &[0x80; 1000]].concat());
    attack.write("nul.md", "---\ntitle: Nul\ndate: 2026-02-06\n---\na\0b\u{1b}[31m\u{202e}\n");
    attack.commit();
    let seen = attack.look().await;
    for path in ["binary.md not-utf8", "bomb.md ", "deep.md ", "deep-toml.md ", "wide.md ", "open.md "] {
        assert!(seen.holds.iter().any(|hold| hold.starts_with(path)), "{path}: {:?}", seen.holds);
    }
    let page = attack.app.get("/weekly/issues/nul").await;
    assert!(page.status == 200 && !page.body.contains('\0'), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_repository_runs() {
    let mut attack = Attack::start().await;
    let owned = attack.app.path("owned");
    let command = format!("touch {}", owned.display());
    let hook = format!("#!/bin/sh\n{command}\n");
    for directory in [attack.path().join(".git/hooks"), attack.path().join("hooks")] {
        fs::create_dir_all(&directory).unwrap();
        for name in [
            "post-checkout",
            "post-merge",
            "reference-transaction",
            "pre-receive",
            "update",
            "post-index-change",
            "pre-upload",
            "fsmonitor-watchman",
        ] {
            fs::write(directory.join(name), &hook).unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    attack.write(".gitattributes", "*.md filter=own diff=own merge=own ident export-subst\n");
    attack.write("good.md", issue("Good", "2026-02-05", "Harmless. $Id$ $Format:%H$"));
    attack.commit();
    for (key, value) in [
        ("filter.own.smudge", command.as_str()),
        ("filter.own.clean", &command),
        ("filter.own.process", &command),
        ("diff.own.textconv", &command),
        ("diff.own.command", &command),
        ("diff.external", &command),
        ("core.fsmonitor", &command),
        ("core.sshCommand", &command),
        ("core.pager", &command),
        ("core.alternateRefsCommand", &command),
        ("uploadpack.packObjectsHook", &command),
        ("gpg.program", &command),
        ("credential.helper", &format!("!{command}")),
        ("core.hooksPath", "hooks"),
        ("log.showSignature", "true"),
    ] {
        let config = attack.path().join(".git/config");
        git(attack.path(), &["config", "--file", config.to_str().unwrap(), key, value]);
    }
    let _ = fs::remove_file(&owned);
    let seen = attack.look().await;
    assert_eq!(seen.titles, ["Good"]);
    assert!(!owned.exists(), "a program of the repository ran");
    let page = attack.app.get("/weekly/issues/good").await.body;
    assert!(page.contains("$Id$") && page.contains("$Format:%H$"), "the bytes of the object, as they are");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_refs_tags_and_dates_change_nothing() {
    let mut attack = Attack::start().await;
    let head = git(attack.path(), &["rev-parse", "HEAD"]);
    let packed = format!(
        "# pack-refs with: peeled fully-peeled sorted\n\
         {head} refs/heads/$(touch owned)\n{head} refs/heads/--upload-pack=x\n{head} refs/heads/`id`\n\
         {head} refs/heads/tidings/head\n{head} refs/tags/HEAD\n{head} refs/tidings/head\n{head} refs/heads/\u{202e}x\n"
    );
    fs::write(attack.path().join(".git/packed-refs"), packed).unwrap();
    let date = "99999999999 +9999";
    attack.write("late.md", issue("Late", "2026-02-06", "From far away."));
    git(attack.path(), &["add", "--all"]);
    let tree = git(attack.path(), &["write-tree"]);
    let commit =
        format!("tree {tree}\nparent {head}\nauthor \u{1b}[31m <> {date}\ncommitter < > {date}\n\n\x01{}\n", "x\0y");
    let commit = attack.feed(&["hash-object", "-w", "-t", "commit", "--literally", "--stdin"], commit.as_bytes());
    git(attack.path(), &["update-ref", "HEAD", &commit]);
    let seen = attack.look().await;
    assert_eq!(seen.titles, ["Late", "Good"]);
    let refs = fs::read_to_string(attack.mirror().join("packed-refs")).unwrap_or_default();
    assert!(!refs.contains("touch") && !attack.mirror().join("refs/heads/$(touch owned)").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_files_are_read_and_more_than_fifty_thousand_are_refused() {
    let mut attack = Attack::start().await;
    let stream = |count: usize, folder: &str, extension: &str| -> String {
        let text = |number: usize| format!("---\ntitle: {number}\ndate: 2020-01-01\n---\nx\n");
        let file = |number: usize| {
            let text = text(number);
            format!("M 100644 inline {folder}/{number}.{extension}\ndata {}\n{text}\n", text.len())
        };
        let files: String = (0..count).map(file).collect();
        format!(
            "commit refs/heads/main\ncommitter E <e@news.example> 1577836800 +0000\ndata 1\nx\nfrom refs/heads/main^0\n{files}"
        )
    };
    attack.feed(&["fast-import", "--quiet"], stream(20_000, "data", "json").as_bytes());
    attack.feed(&["fast-import", "--quiet"], stream(2_000, "issues", "md").as_bytes());
    let seen = attack.look().await;
    assert_eq!((seen.titles.len(), seen.holds.len()), (1000, 0));
    attack.feed(&["fast-import", "--quiet"], stream(50_000, "more", "md").as_bytes());
    let started = Instant::now();
    let error = attack.app.watch().await.unwrap_err();
    assert!(error.contains("52001 documents") && error.contains("`include`"), "{error}");
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert_eq!(attack.seen().await.titles.len(), 1000);
}
