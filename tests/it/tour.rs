//! The newcomer's two minutes, with the real program, the shipped configuration and the example newsletter.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::harness::{Mail, Process, eventually, issue, tidings};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn outbox(root: &Path) -> Vec<Mail> {
    let Ok(entries) = std::fs::read_dir(root.join("data/outbox")) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "eml")).collect();
    files.sort();
    files.iter().map(|path| Mail::read(&std::fs::read(path).unwrap())).collect()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_works_from_start_to_digest() {
    let root = tempfile::TempDir::new().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&here.join("config"), &root.path().join("config"));
    copy(&here.join("examples"), &root.path().join("examples"));
    let (public, private) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{public}");
    let start = || {
        let child = tidings(root.path())
            .arg("serve")
            .env("TIDINGS_SERVER__PUBLIC", format!("127.0.0.1:{public}"))
            .env("TIDINGS_SERVER__PRIVATE", format!("127.0.0.1:{private}"))
            .env("TIDINGS_SERVER__URL", &url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    };
    let get = async |path: &str| match reqwest::get(format!("{url}{path}")).await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    };
    let post = async |target: &str, form: &[(&str, &str)]| {
        reqwest::Client::new().post(target).form(form).send().await.unwrap().status().as_u16()
    };

    let mut server = start();
    eventually(Duration::from_secs(20), "the archive shows the example's issues", async || {
        get("/example/").await.matches("/example/issues/").count() >= 3
    })
    .await;
    assert_eq!(feed_rs::parser::parse(get("/example/atom.xml").await.as_bytes()).unwrap().entries.len(), 3);

    let form = [("email", "you@reader.example"), ("cadence", "each")];
    assert_eq!(post(&format!("{url}/example/subscribe"), &form).await, 200);
    eventually(Duration::from_secs(10), "the confirmation mail", async || outbox(root.path()).len() == 1).await;
    let page = reqwest::get(format!("http://127.0.0.1:{private}/outbox/")).await.unwrap().text().await.unwrap();
    assert!(page.contains("you@reader.example"), "the private listener shows the outbox");
    assert_eq!(post(&outbox(root.path())[0].link("/confirm/"), &[]).await, 200);

    let today = tidings::clock::Clock::system().now().format("%Y-%m-%d").to_string();
    let text = issue("A new issue", &today, "It was dropped into the folder.");
    std::fs::write(root.path().join("examples/newsletter/new-issue.md"), text).unwrap();
    eventually(Duration::from_secs(10), "the feed has it within the poll interval", async || {
        get("/example/rss.xml").await.contains("A new issue")
    })
    .await;
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(30)).success());
    let _server = start();
    eventually(Duration::from_secs(90), "the digest at the next full minute", async || outbox(root.path()).len() >= 2)
        .await;
    let mails = outbox(root.path());
    assert!(mails[1].subject.contains("A new issue") && mails[1].to == "you@reader.example");
    // The minute after must bring nothing.
    tokio::time::sleep(Duration::from_secs(65)).await;
    assert_eq!(outbox(root.path()).len(), 2, "once");
}
