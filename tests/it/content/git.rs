//! Repositories: made with the git program, read through a mirror.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tidings::content::Snapshot;
use tidings::types::Rule;

use super::{DEADLINE, Repo, directory_source, listed, texts};

fn refused(snapshot: &Snapshot) -> Vec<String> {
    snapshot.refused.iter().map(ToString::to_string).collect()
}

/// A listener that takes connections and does with them what it is told, on a thread of its own.
fn server(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    port
}

#[tokio::test]
async fn a_commit_is_listed_and_read_as_it_is() {
    let repo = Repo::new();
    for path in ["b.md", "2020/a.markdown", "README.md", "2020/_x.md", "x.txt", ".github/t.md", "2020/.h.md"] {
        repo.write(path, path);
    }
    let commit = repo.commit(0);
    repo.write("b.md", "not committed");
    let source = repo.source();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(snapshot.commit, commit);
    assert_eq!(listed(&snapshot), ["2020/a.markdown", "b.md"]);
    assert_eq!(snapshot.documents[1].1, repo.git(&["rev-parse", "HEAD:b.md"]));
    assert_eq!(texts(&source, &snapshot).await, ["2020/a.markdown", "b.md"]);
    let other_url = repo.source_of(&format!("file://{}", repo.path().display()), Some("main"), "2020").unwrap();
    let in_folder = other_url.snapshot(DEADLINE).await.unwrap();
    assert_eq!(listed(&in_folder), ["a.markdown"]);
    assert_eq!(texts(&other_url, &in_folder).await, ["2020/a.markdown"]);
}

#[tokio::test]
async fn edits_renames_removals_and_rewritten_history_are_followed() {
    let repo = Repo::new();
    repo.write("a.md", "1");
    repo.write("b.md", "2");
    let first = repo.commit(0);
    let source = repo.source();
    let before = source.snapshot(DEADLINE).await.unwrap();

    repo.write("a.md", "1, edited");
    repo.git(&["mv", "b.md", "c.md"]);
    repo.commit(1);
    let after = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(listed(&after), ["a.md", "c.md"]);
    assert_eq!(after.documents[1].1, before.documents[1].1, "a moved file keeps its blob");
    assert_eq!(texts(&source, &after).await, ["1, edited", "2"]);
    assert_eq!(texts(&source, &before).await, ["1", "2"], "an older snapshot stays readable");

    repo.git(&["reset", "--quiet", "--hard", &first]);
    repo.write("d.md", "4");
    repo.git(&["rm", "--quiet", "b.md"]);
    let forced = repo.commit(2);
    let rewritten = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!((rewritten.commit.as_str(), listed(&rewritten)), (forced.as_str(), vec!["a.md", "d.md"]));
}

#[tokio::test]
async fn a_document_changed_when_its_last_commit_was_made() {
    let repo = Repo::new();
    repo.write("news/a.md", "1");
    repo.write("news/b.md", "1");
    repo.commit(100);
    repo.git(&["checkout", "--quiet", "-b", "side"]);
    repo.write("news/b.md", "2");
    repo.commit(200);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.write("c.md", "1");
    repo.commit(300);
    repo.git_at(400, &["merge", "--quiet", "--no-ff", "--message", "m", "side"], "");
    let source = repo.source_of(repo.path().to_str().unwrap(), None, "news").unwrap();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    let read = source.read(&snapshot, &snapshot.documents).await.unwrap();
    let dates: Vec<_> = read.into_iter().map(|d| d.unwrap().changed_at.timestamp() - 1_577_836_800).collect();
    assert_eq!(dates, [100, 200], "not the date of the merge");
}

#[tokio::test]
async fn a_document_without_a_date_has_that_of_its_first_commit_through_edits_moves_and_a_rewritten_history() {
    let repo = Repo::new();
    repo.write("news/old/a.md", "# A");
    repo.commit(100);
    repo.write("news/b.md", "# B");
    repo.write("news/dated.md", "Date: 2020-03-12\n\n# C");
    repo.commit(200);
    fs::rename(repo.path().join("news/old/a.md"), repo.path().join("news/a.md")).unwrap();
    repo.commit(300);
    repo.write("news/old/a.md", "# Another at the old path");
    repo.write("news/a.md", "# A, edited");
    repo.commit(400);
    repo.git(&["rm", "--quiet", "news/b.md"]);
    repo.commit(500);
    repo.write("news/b.md", "# B, back");
    repo.commit(600);
    let source = repo.source_of(repo.path().to_str().unwrap(), None, "news").unwrap();
    let usual = tidings::config::parse(None, &[]).unwrap().newsletters.remove(0).reading;
    let dates = async || {
        let snapshot = source.snapshot(DEADLINE).await.unwrap();
        let read = source.read_dated(&snapshot, &snapshot.documents, &usual).await.unwrap();
        let added =
            read.into_iter().map(|d| d.unwrap()).map(|d| (d.path, d.added_at.map(|at| at.timestamp() - 1_577_836_800)));
        added.collect::<Vec<_>>()
    };
    let expected = [
        ("a.md".to_owned(), Some(100)),
        ("b.md".to_owned(), Some(200)),
        ("dated.md".to_owned(), None),
        ("old/a.md".to_owned(), Some(400)),
    ];
    assert_eq!(dates().await, expected);
    repo.git_at(900, &["rebase", "--quiet", "--root", "--force-rebase"], "");
    assert_eq!(dates().await, expected, "author dates outlive a rebase");
}

#[tokio::test]
async fn links_submodules_and_odd_names_are_refused_and_the_others_go_on() {
    let repo = Repo::new();
    repo.write("a.md", "1");
    repo.write("two\nlines.md", "2");
    symlink("/etc/passwd", repo.path().join("link.md")).unwrap();
    symlink("/etc", repo.path().join("etc")).unwrap();
    fs::write(repo.path().join(std::ffi::OsStr::from_bytes(b"\xff.md")), "3").unwrap();
    repo.git(&["add", "--all"]);
    let submodule = format!("160000,{},sub.md", "1".repeat(40));
    repo.git(&["update-index", "--add", "--cacheinfo", &submodule]);
    repo.git(&["commit", "--quiet", "--message", "x"]);
    let source = repo.source();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(listed(&snapshot), ["a.md"]);
    let mut found = refused(&snapshot);
    found.sort();
    assert_eq!(
        found,
        [
            "link.md: it is a symbolic link, and links are not followed (unsafe-path). Replace it with the file, or exclude it.",
            "sub.md: it is a submodule, and submodules are not read (unsafe-path). Exclude it.",
            "two\\nlines.md: its name has bytes that cannot stand in a URL (unsafe-path). Rename it.",
            "\u{fffd}.md: its name has bytes that cannot stand in a URL (unsafe-path). Rename it.",
        ]
    );
    for path in ["link.md", "etc/hosts", "../work/a.md", "/a.md", ".git/config", "sub.md", "etc", "", "a.md/"] {
        assert_eq!(source.asset(path, 1000).await.unwrap(), None, "{path}");
    }
}

#[tokio::test]
async fn a_document_that_is_too_large_is_a_finding_and_the_others_are_read() {
    let repo = Repo::new();
    repo.write("a.md", "1");
    repo.write("huge.md", &"x".repeat(1024 * 1024 + 1));
    repo.commit(0);
    for source in [repo.source(), directory_source(&repo.path())] {
        let snapshot = source.snapshot(DEADLINE).await.unwrap();
        let read = source.read(&snapshot, &snapshot.documents).await.unwrap();
        assert_eq!(read[0].as_ref().unwrap().bytes, b"1");
        let finding = read[1].as_ref().unwrap_err();
        assert_eq!((finding.rule, finding.place.to_string()), (Rule::TooLarge, "huge.md".into()));
        assert_eq!(source.asset("huge.md", 1024 * 1024).await.unwrap(), None);
        assert_eq!(source.asset("huge.md", 1024 * 1024 + 1).await.unwrap().map(|bytes| bytes.len()), Some(1_048_577));
    }
}

#[tokio::test]
async fn assets_are_those_of_the_commit_fetched_last_also_after_a_restart() {
    let repo = Repo::new();
    repo.write("news/a.md", "1");
    repo.write("news/images/a b.png", "png");
    repo.write("secret.png", "no");
    repo.commit(0);
    let open = || repo.source_of(repo.path().to_str().unwrap(), None, "news").unwrap();
    assert_eq!(open().asset("images/a b.png", 10).await.unwrap(), None, "there is no mirror yet");
    open().snapshot(DEADLINE).await.unwrap();
    repo.write("news/images/a b.png", "new");
    repo.commit(1);
    let restarted = open();
    assert_eq!(restarted.asset("images/a b.png", 10).await.unwrap().unwrap(), b"png");
    assert_eq!(restarted.asset("images/a b.png", 2).await.unwrap(), None, "larger than the limit");
    for path in ["images", "images/c.png", "../secret.png", "secret.png", "images/*.png"] {
        assert_eq!(restarted.asset(path, 10).await.unwrap(), None, "{path}");
    }
    restarted.snapshot(DEADLINE).await.unwrap();
    assert_eq!(restarted.asset("images/a b.png", 10).await.unwrap().unwrap(), b"new");
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_says_why_and_what_to_do() {
    let repo = Repo::new();
    let here = repo.path().display().to_string();
    assert_eq!(
        repo.failure(&here, None, "").await,
        "the default branch of HOME/work is not there: the repository has no commit there. \
         Push a commit, or set `branch` of the source."
    );
    repo.write("a.md", "1");
    repo.commit(0);
    for (url, branch, folder, expected) in [
        (
            here.as_str(),
            Some("nope"),
            "",
            "the branch nope of HOME/work is not there: the repository has no such branch. \
             Correct `branch` of the source, or leave it out for the default branch.",
        ),
        (
            &here,
            Some("a:refs/heads/b"),
            "",
            "the branch \"a:refs/heads/b\" is not there: that cannot be the name of a branch. \
             Correct `branch` of the source.",
        ),
        (
            &here,
            None,
            "news",
            "the folder news in HOME/work is not there: the newest commit has no such folder. \
             Correct `folder` of the source.",
        ),
        (
            &here,
            None,
            "a.md",
            "the folder a.md in HOME/work is not there: the newest commit has no such folder. \
             Correct `folder` of the source.",
        ),
        (
            "/nowhere/at/all",
            None,
            "",
            "the repository /nowhere/at/all is not there: '/nowhere/at/all' does not appear to be a git repository; \
             Could not read from remote repository. Correct `url` of the source; a private repository also needs \
             credentials.",
        ),
        (
            "ext::touch owned",
            None,
            "",
            "git fetch failed: transport 'ext' not allowed. \
             Try `git ls-remote ext::touch owned` on this machine; the next poll tries again.",
        ),
    ] {
        assert_eq!(repo.failure(url, branch, folder).await, expected);
    }
    let refused = repo.failure("http://me:hunter2@127.0.0.1:1/x?key=hunter3", None, "").await;
    assert!(refused.starts_with("git fetch failed: unable to access 'http://127.0.0.1:1/x"), "{refused}");
    assert!(refused.ends_with("Try `git ls-remote http://127.0.0.1:1/x` on this machine; the next poll tries again."));
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_failed_fetch_leaves_the_last_good_state() {
    let repo = Repo::new();
    repo.write("a.md", "1");
    repo.write("x.png", "png");
    repo.commit(0);
    let source = repo.source();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    source.asset("x.png", 10).await.unwrap(); // a reader has seen it
    fs::rename(repo.path(), repo.home.path().join("away")).unwrap();
    source.snapshot(DEADLINE).await.unwrap_err();
    assert_eq!(texts(&source, &snapshot).await, ["1"]);
    assert_eq!(source.asset("x.png", 10).await.unwrap().unwrap(), b"png");
    fs::rename(repo.home.path().join("away"), repo.path()).unwrap();
    assert_eq!(source.snapshot(DEADLINE).await.unwrap().commit, snapshot.commit);
}

#[tokio::test]
async fn a_fetch_ends_at_its_deadline() {
    let held = std::sync::Mutex::new(Vec::new());
    let port = server(move |stream| held.lock().unwrap().push(stream)); // answers nothing, and hangs up never
    let repo = Repo::new();
    let source = repo.source_of(&format!("http://127.0.0.1:{port}/x.git"), None, "").unwrap();
    let started = tokio::time::Instant::now();
    let error = source.snapshot(Duration::from_millis(700)).await.unwrap_err().to_string();
    assert!(started.elapsed() < Duration::from_secs(10));
    let expected = format!(
        "git fetch failed: http://127.0.0.1:{port}/x.git took longer than 0.7 s. \
         Look whether the repository answers; a first fetch takes the longest."
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn credentials_reach_the_host_and_nothing_else() {
    let (tell, told) = std::sync::mpsc::channel();
    let port = server(move |stream| {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let login = head.iter().find(|line| line.to_lowercase().starts_with("authorization:")).cloned();
        // What the processes of this machine show while the request runs.
        let arguments: Vec<u8> =
            fs::read_dir("/proc").into_iter().flatten().flatten().fold(Vec::new(), |mut all, p| {
                all.extend(fs::read(p.path().join("cmdline")).unwrap_or_default());
                all
            });
        let seen = String::from_utf8_lossy(&arguments).contains("hunter2");
        tell.send((login, seen)).unwrap();
        let answer =
            "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = (&stream).write_all(answer.as_bytes());
    });
    let repo = Repo::new();
    let error = repo.failure(&format!("http://me:hunter2%21@127.0.0.1:{port}/x.git"), None, "").await;
    assert_eq!(
        error,
        format!(
            "the repository http://127.0.0.1:{port}/x.git is not there: \
             Authentication failed for 'http://127.0.0.1:{port}/x.git/'. \
             Look whether the credentials of the source are right and may read the repository."
        )
    );
    let requests: Vec<_> = told.try_iter().collect();
    let logins: Vec<_> = requests.iter().filter_map(|(login, _)| login.as_deref()).collect();
    assert_eq!(logins, ["Authorization: Basic bWU6aHVudGVyMiE="], "me:hunter2! in base64");
    assert!(requests.iter().all(|(_, seen)| !seen), "the password stood in the arguments of a process");
    let mirror = fs::read_to_string(repo.mirror().join("config")).unwrap();
    assert!(!mirror.contains("hunter2"));
}

#[tokio::test]
async fn three_thousand_documents_take_seconds() {
    let repo = Repo::new();
    let mut stream =
        String::from("commit refs/heads/main\ncommitter Ed <ed@news.example> 1577836800 +0000\ndata 1\nx\n");
    for number in 0..3000 {
        let text = format!("---\ntitle: {number}\n---\n{}", "word ".repeat(1000));
        stream.push_str(&format!("M 100644 inline issues/{number}.md\ndata {}\n{text}\n", text.len()));
    }
    repo.git_at(0, &["fast-import", "--quiet"], &stream);
    let started = tokio::time::Instant::now();
    let source = repo.source();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    let read = source.read(&snapshot, &snapshot.documents).await.unwrap();
    assert_eq!(read.len(), 3000);
    for (document, (path, blob)) in read.into_iter().map(Result::unwrap).zip(&snapshot.documents) {
        assert_eq!((&document.path, &document.blob), (path, blob));
        assert_eq!(document.changed_at.timestamp(), 1_577_836_800);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_repository_never_tells() {
    let repo = Repo::new();
    let source = repo.source();
    assert!(tokio::time::timeout(Duration::from_millis(100), source.changed()).await.is_err());
}
