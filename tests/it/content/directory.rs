//! Directories: listed, read and watched.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tidings::content::{Source, SourceError};
use tidings::types::Rule;

use super::{DEADLINE, Repo, directory_source, listed, texts, write};

#[tokio::test]
async fn a_directory_is_listed_and_read_with_git_s_blob_ids() {
    let repo = Repo::new();
    for path in ["b.md", "2020/a.md", "README.md", "x.txt", ".hidden/a.md"] {
        repo.write(path, path);
    }
    repo.commit(0);
    let source = directory_source(&repo.path());
    let by_git = repo.source().snapshot(DEADLINE).await.unwrap();
    let first = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!((first.commit.as_str(), &first.documents), ("", &by_git.documents));
    assert_eq!(texts(&source, &first).await, ["2020/a.md", "b.md"]);

    repo.write("b.md", "edited");
    repo.write("c.md", "added");
    fs::remove_file(repo.path().join("2020/a.md")).unwrap();
    let second = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(listed(&second), ["b.md", "c.md"]);
    assert_eq!(texts(&source, &second).await, ["edited", "added"]);
    assert!(matches!(source.read(&first, &first.documents).await, Err(SourceError::Io { .. })), "a.md is gone");
}

#[tokio::test]
async fn a_poll_of_an_unchanged_directory_reads_no_file() {
    let home = TempDir::new().unwrap();
    write(home.path(), "a.md", "one");
    let source = directory_source(home.path());
    let first = source.snapshot(DEADLINE).await.unwrap();
    // Other bytes behind the same size and time: only who reads the file can notice.
    let path = home.path().join("a.md");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "two").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(source.snapshot(DEADLINE).await.unwrap().documents, first.documents);
    let later = time + Duration::from_secs(5);
    fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    let second = source.snapshot(DEADLINE).await.unwrap();
    assert_ne!(second.documents, first.documents);
    let read = source.read(&second, &second.documents).await.unwrap().remove(0).unwrap();
    let seconds = later.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(read.changed_at.timestamp(), i64::try_from(seconds).unwrap());
}

#[tokio::test]
async fn nothing_leaves_a_directory() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("news");
    write(home.path(), "secret.md", "secret");
    write(&root, "a.md", "1");
    write(&root, "images/a.png", "png");
    write(&root, ".git/config", "password");
    symlink("../secret.md", root.join("link.md")).unwrap();
    symlink("..", root.join("up")).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff.md")), "2").unwrap();
    let source = directory_source(&root);
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(listed(&snapshot), ["a.md"]);
    let places: Vec<_> = snapshot.refused.iter().map(|f| (f.rule, f.place.path.as_str())).collect();
    assert_eq!(places, [(Rule::UnsafePath, "link.md"), (Rule::UnsafePath, "\u{fffd}.md")]);
    assert_eq!(source.asset("images/a.png", 10).await.unwrap().unwrap(), b"png");
    for path in ["../secret.md", "link.md", "up/secret.md", "up/news/a.md", ".git/config", "images", "no.png", "a.md/x"]
    {
        assert_eq!(source.asset(path, 1000).await.unwrap(), None, "{path}");
    }
    // A document that became a link after it was listed.
    fs::remove_file(root.join("a.md")).unwrap();
    symlink("../secret.md", root.join("a.md")).unwrap();
    let read = source.read(&snapshot, &snapshot.documents).await.unwrap().remove(0);
    assert_eq!(read.unwrap_err().rule, Rule::UnsafePath);
}

#[tokio::test]
async fn a_directory_that_vanishes_is_an_error_until_it_is_back() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("news");
    write(&root, "a.md", "1");
    let source = directory_source(&root);
    let before = source.snapshot(DEADLINE).await.unwrap();
    fs::remove_dir_all(&root).unwrap();
    let error = source.snapshot(DEADLINE).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the directory {} is not there: No such file or directory (os error 2). Make it, or correct `path` of the \
             source; the issues read last stay published until then.",
            root.display()
        )
    );
    write(&root, "a.md", "1");
    assert_eq!(source.snapshot(DEADLINE).await.unwrap().documents, before.documents);
}

/// Writes a file again and again until the source says that something changed.
async fn tells_of_a_write(source: &Source, root: &Path) -> bool {
    let writes = async {
        for number in 0.. {
            tokio::time::sleep(Duration::from_millis(600)).await;
            write(root, "2020/a.md", &format!("{number}"));
        }
    };
    tokio::select! {
        () = source.changed() => true,
        () = writes => false,
        () = tokio::time::sleep(Duration::from_secs(20)) => false,
    }
}

#[tokio::test]
async fn a_directory_tells_when_it_changes_also_after_it_was_away() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("news");
    write(&root, "a.md", "1");
    let source = directory_source(&root);
    assert!(tells_of_a_write(&source, &root).await);

    fs::remove_dir_all(&root).unwrap();
    source.changed().await;
    source.snapshot(DEADLINE).await.unwrap_err();
    let away = tokio::time::timeout(Duration::from_millis(300), source.changed()).await;
    assert!(away.is_err(), "there is nothing to watch");
    fs::create_dir_all(&root).unwrap();
    assert!(tells_of_a_write(&source, &root).await);
}

#[tokio::test]
async fn reading_a_directory_is_no_change_of_it() {
    let home = TempDir::new().unwrap();
    write(home.path(), "a.md", "1");
    let source = directory_source(home.path());
    let reads = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let snapshot = source.snapshot(DEADLINE).await.unwrap();
        source.read(&snapshot, &snapshot.documents).await.unwrap();
        write(home.path(), ".git/index.lock", "");
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    tokio::select! {
        () = source.changed() => panic!("our own reading was told as a change"),
        () = reads => {}
    }
}
