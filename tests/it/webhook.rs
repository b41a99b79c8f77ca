//! Push events: who may make us look, and what happens then.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::harness::{Backend, Process, TestApp, eventually, git, issue, tidings};

const SECRET: &str = "a secret of the webhook";

/// A repository with one issue, and the configuration of a newsletter that has it as its source.
fn repository(directory: &Path, more: &str) -> String {
    git(directory, &["init", "--quiet"]);
    commit(directory, "one.md", "One");
    format!(
        "[newsletters.weekly]\ntitle = \"W\"\nfrom = \"w@news.example\"\npoll = \"1h\"\n{more}\n\
         [newsletters.weekly.source]\ngit = {:?}\nwebhook_secret = {SECRET:?}\n\
         [newsletters.weekly.cadences.mondays]\ntitle = \"M\"\ncron = \"0 9 * * 1\"\n\
         [newsletters.other]\ntitle = \"O\"\nfrom = \"o@news.example\"\nsource.directory = \"other\"\n\
         cadences.mondays = {{ title = \"M\", cron = \"0 9 * * 1\" }}\n",
        directory.display().to_string()
    )
}

fn commit(directory: &Path, name: &str, title: &str) {
    std::fs::write(directory.join(name), issue(title, "2026-02-05", "Text.")).unwrap();
    git(directory, &["add", "."]);
    git(directory, &["commit", "--quiet", "-m", title]);
}

fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn post(url: &str, header: (&str, &str), body: Vec<u8>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(url).header(header.0, header.1).body(body).send().await.unwrap().status().as_u16()
}

/// Whether something has made this newsletter's source worth a look since the last time this was asked.
async fn was_poked(app: &TestApp) -> bool {
    let source = app.app().sources.values().last().unwrap();
    tokio::time::timeout(Duration::from_millis(100), source.changed()).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_signed_event_makes_the_watcher_look_and_a_burst_counts_once() {
    let source = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(Backend::Sqlite, &repository(source.path(), "")).await.unwrap();
    let url = format!("{}/weekly/webhook", app.url);
    let body = br#"{"ref":"refs/heads/main"}"#.to_vec();
    let hex = signature(&body);
    for (header, value, status) in [
        ("X-Gitlab-Token", "a guess", 403),
        ("X-Gitea-Signature", "00", 403),
        ("X-Hub-Signature-256", hex.as_str(), 403),
        ("X-Other", "x", 401),
    ] {
        assert_eq!(post(&url, (header, value), body.clone()).await, status, "{header}");
    }
    assert_eq!(post(&url, ("X-Gitea-Signature", &hex), b"another body".to_vec()).await, 403);
    assert!(!was_poked(&app).await);
    for (header, value) in [
        ("X-Hub-Signature-256", format!("sha256={hex}")),
        ("X-Gitea-Signature", hex.clone()),
        ("X-Forgejo-Signature", hex.clone()),
        ("X-Gitlab-Token", SECRET.to_owned()),
    ] {
        assert_eq!(post(&url, (header, &value), body.clone()).await, 202, "{header}");
        assert!(was_poked(&app).await, "{header}");
    }
    for _ in 0..5 {
        post(&url, ("X-Gitea-Signature", &hex), body.clone()).await;
    }
    assert!(was_poked(&app).await);
    assert!(!was_poked(&app).await, "five at once are one");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_webhook_without_a_secret_and_no_end_to_what_it_reads() {
    let source = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(Backend::Sqlite, &repository(source.path(), "")).await.unwrap();
    for path in ["other/webhook", "none/webhook"] {
        let status = post(&format!("{}/{path}", app.url), ("X-Gitlab-Token", SECRET), Vec::new()).await;
        assert_eq!(status, 404, "{path}");
    }
    let url = format!("{}/weekly/webhook", app.url);
    assert_eq!(app.get("/weekly/webhook").await.status, 405, "GET changes nothing");
    let most = vec![b'x'; 1024 * 1024];
    assert_eq!(post(&url, ("X-Gitea-Signature", &signature(&most)), most.clone()).await, 202);
    let more = [most, vec![b'x']].concat();
    assert_eq!(post(&url, ("X-Gitea-Signature", &signature(&more)), more).await, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_brings_a_commit_to_the_feed_at_once_and_rewritten_history_is_told_of_once() {
    let source = tempfile::TempDir::new().unwrap();
    let repository = repository(source.path(), "settle = \"0s\"");
    let app = TestApp::start_with(Backend::Sqlite, &repository).await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = app.path("log");
    let child = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "serve"])
        .env("TIDINGS_SERVER__PUBLIC", format!("127.0.0.1:{port}"))
        .env("TIDINGS_DATABASE__URL", format!("sqlite:{}", app.path("own.db").display()))
        .env("TIDINGS_DATA__DIRECTORY", app.path("own"))
        .stderr(std::fs::File::create(&log).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Process(child);
    let base = format!("http://127.0.0.1:{port}/weekly");
    let shows = async |title: &str| {
        let feed = async || reqwest::get(format!("{base}/atom.xml")).await.ok()?.text().await.ok();
        eventually(Duration::from_secs(20), title, async || feed().await.is_some_and(|feed| feed.contains(title)))
            .await;
    };
    shows("<title>One</title>").await;
    commit(source.path(), "two.md", "Two");
    let hook = format!("{base}/webhook");
    assert_eq!(post(&hook, ("X-Gitlab-Token", SECRET), Vec::new()).await, 202);
    shows("Two").await;

    git(source.path(), &["commit", "--quiet", "--amend", "-m", "Two, again"]);
    commit(source.path(), "three.md", "Three");
    assert_eq!(post(&hook, ("X-Gitlab-Token", SECRET), Vec::new()).await, 202);
    shows("Three").await;
    assert_eq!(post(&hook, ("X-Gitlab-Token", "a guess that is wrong"), Vec::new()).await, 403);
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(30)).success());
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("history was rewritten").count(), 1, "{log}");
    assert!(log.contains("a push event with a wrong signature was refused"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains("a guess"), "{log}");
}
