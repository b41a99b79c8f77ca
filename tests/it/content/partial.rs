//! Mirrors that hold what is needed: a repository of large images costs little.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{DEADLINE, Repo, listed, texts};
use crate::harness::tidings;

const IMAGE: usize = 300_000;

/// Bytes that do not compress, different for each seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..IMAGE / 8).flat_map(|_| next()).collect()
}

/// Three issues, and thirty images in history of which ten are in the newest commit.
fn repository_of_images() -> Repo {
    let repo = Repo::new();
    for number in 0..30 {
        repo.write(&format!("issues/{}.md", number % 3), &format!("text {number}"));
        fs::create_dir_all(repo.path().join("images")).unwrap();
        fs::write(repo.path().join(format!("images/{}.png", number % 10)), noise(number)).unwrap();
        repo.commit(i64::try_from(number).unwrap());
    }
    repo
}

fn size(path: &Path) -> u64 {
    let metadata = fs::symlink_metadata(path).unwrap();
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

/// A git daemon: a server that knows nothing of our settings. It ends with the test.
struct Daemon(Child, u16);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(base: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("git")
            .args(["-c", "safe.directory=*", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"])
            .args([format!("--port={port}"), format!("--base-path={}", base.display())])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Self(child, port)
    }

    fn url(&self) -> String {
        format!("git://127.0.0.1:{}/work", self.1)
    }
}

#[tokio::test]
async fn images_stay_where_they_are_until_a_reader_asks_for_one() {
    let repo = repository_of_images();
    let daemon = Daemon::start(repo.home.path());
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let file = format!("file://{}", repo.path().display());
    for url in [repo.path().to_str().unwrap(), &file, &daemon.url()] {
        let _ = fs::remove_dir_all(repo.mirror());
        let source = repo.source_of(url, None, "").unwrap();
        let snapshot = source.snapshot(DEADLINE).await.unwrap();
        assert_eq!(listed(&snapshot), ["issues/0.md", "issues/1.md", "issues/2.md"], "{url}");
        assert_eq!(texts(&source, &snapshot).await, ["text 27", "text 28", "text 29"]);
        assert!(size(&repo.mirror()) < 150_000, "{url}: {} of 9,000,000 bytes", size(&repo.mirror()));

        assert!(source.asset("images/3.png", 1_000_000).await.unwrap().unwrap() == noise(23));
        assert_eq!(source.asset("images/4.png", 1_000).await.unwrap(), None, "larger than the limit");
        assert_eq!(source.asset("images/none.png", 1_000).await.unwrap(), None);
        assert!(size(&repo.mirror()) < 800_000, "{url}: two images: {}", size(&repo.mirror()));
    }
}

#[tokio::test]
async fn a_server_that_gives_no_parts_gives_everything() {
    let repo = repository_of_images();
    let daemon = Daemon::start(repo.home.path());
    let source = repo.source_of(&daemon.url(), None, "").unwrap();
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(texts(&source, &snapshot).await, ["text 27", "text 28", "text 29"]);
    assert!(source.asset("images/3.png", 1_000_000).await.unwrap().unwrap() == noise(23));
    repo.write("issues/3.md", "text 30");
    repo.commit(40);
    let snapshot = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(texts(&source, &snapshot).await.last().unwrap(), "text 30");
}

#[tokio::test]
async fn what_changes_later_is_fetched_by_itself_and_tidying_up_keeps_it() {
    let repo = repository_of_images();
    let source = repo.source();
    let first = source.snapshot(DEADLINE).await.unwrap();
    let mirror = repo.mirror();
    for number in 0..12 {
        repo.write(&format!("issues/new-{number}.md"), &format!("new {number}"));
        repo.commit(50 + number);
        let snapshot = source.snapshot(DEADLINE).await.unwrap();
        assert_eq!(snapshot.documents.len(), usize::try_from(number).unwrap() + 4);
    }
    // Git tidies up by itself after so many fetches; this does it in any case.
    repo.git(&["--git-dir", mirror.to_str().unwrap(), "gc", "--quiet"]);
    repo.git(&["reset", "--quiet", "--hard", &first.commit]);
    repo.write("issues/0.md", "rewritten");
    repo.commit(200);
    let rewritten = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(texts(&source, &rewritten).await, ["rewritten", "text 28", "text 29"]);
    repo.git(&["--git-dir", mirror.to_str().unwrap(), "gc", "--quiet"]);
    let blob = |path: &str| first.documents.iter().find(|(p, _)| p == path).map(|(_, blob)| blob.as_str()).unwrap();
    let nothing = "0".repeat(40);
    let earlier = source.earlier(&[blob("issues/0.md"), &nothing, blob("issues/1.md")]).await.unwrap();
    assert_eq!(earlier, [Some(b"text 27".to_vec()), None, Some(b"text 28".to_vec())]);
    assert!(size(&mirror) < 400_000, "{}", size(&mirror));
}

#[tokio::test]
async fn a_mirror_that_is_removed_is_made_again() {
    let repo = repository_of_images();
    let source = repo.source();
    let first = source.snapshot(DEADLINE).await.unwrap();
    fs::remove_dir_all(repo.mirror()).unwrap();
    let again = source.snapshot(DEADLINE).await.unwrap();
    assert_eq!(again.documents, first.documents);
    assert_eq!(texts(&source, &again).await, ["text 27", "text 28", "text 29"]);
}

#[tokio::test]
async fn an_image_of_a_server_that_is_away_is_an_error_soon_and_is_not_asked_for_at_once() {
    let repo = repository_of_images();
    let source = repo.source();
    source.snapshot(DEADLINE).await.unwrap();
    assert!(source.asset("images/1.png", 1_000_000).await.unwrap().is_some());
    fs::rename(repo.path(), repo.home.path().join("away")).unwrap();
    let failure = async |path: &str| source.asset(path, 1_000_000).await.map(|_| ()).unwrap_err().to_string();
    let first = failure("images/3.png").await;
    assert!(first.contains("is not there"), "{first}");
    let second = failure("images/4.png").await;
    assert!(second.contains("did not answer a moment ago"), "{second}");
    assert!(source.asset("images/1.png", 1_000_000).await.unwrap().is_some(), "what is here is served");
}

/// Over ssh, through a program in its place, from servers of the old protocol: one gives parts but no objects by id.
#[test]
fn a_server_that_gives_no_objects_by_id_gives_everything() {
    let repo = Repo::new();
    repo.write("issues/a.md", "---\ntitle: By ssh\ndate: 2026-02-05\n---\nText.\n");
    fs::create_dir_all(repo.path().join("issues/images")).unwrap();
    fs::write(repo.path().join("issues/images/a.png"), noise(1)).unwrap();
    repo.commit(0);
    let ssh = repo.home.path().join("ssh");
    // ssh [options] host command
    fs::write(&ssh, "#!/bin/sh\nfor last; do :; done\nunset GIT_PROTOCOL GIT_CONFIG_GLOBAL\nexec sh -c \"$last\"\n")
        .unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let configuration = |data: &str| {
        format!(
            "data.directory = {data:?}\n[newsletters.news]\ntitle = \"News\"\nfrom = \"a@news.example\"\n\
             source.git = \"ssh://git@git.example{}\"\nsource.folder = \"issues\"\n\
             cadences.each = {{ title = \"Each\", cron = \"* * * * *\" }}\n",
            repo.path().display()
        )
    };
    for allow in ["false", "true"] {
        repo.git(&["config", "uploadpack.allowFilter", allow]);
        let data = repo.home.path().join(allow);
        fs::write(repo.home.path().join("my.toml"), configuration(data.to_str().unwrap())).unwrap();
        let output = tidings(repo.home.path())
            .args(["--config", "my.toml", "check"])
            .env("GIT_SSH_COMMAND", &ssh)
            .env("HOME", repo.home.path())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 issue"), "{said}");
        // In the second round it first gave no file, then all of them.
        assert_eq!(data.join("mirrors/news/tidings.all").exists(), allow == "true");
        assert!(size(&data) > IMAGE as u64);
    }
}
