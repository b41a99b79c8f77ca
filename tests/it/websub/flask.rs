//! A subscriber that nobody here wrote: Flask-WebSub, of the Python Package Index, against the real program.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::harness::{Backend, Process, TestApp, there, tidings};

/// Where `tests/run` has installed it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/flask-websub/bin/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/websub/subscriber.py");

/// Everything takes less than a second where the machine is not busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits for a line that begins with these words.
fn expect(lines: &Receiver<String>, words: &str) -> String {
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line {words:?} within {PATIENCE:?}"));
        if line.starts_with(words) {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flask_websub_subscribes_passes_verification_and_receives_a_new_issue() {
    if !there(Path::new(PYTHON).exists(), "Flask-WebSub in target/flask-websub") {
        return;
    }
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(app) = TestApp::start_serving(backend, super::ALLOW).await {
            story(app).await;
        }
    }
}

async fn story(app: TestApp) {
    app.write_issue("first.md", "The first issue", "2026-02-23", "Hello.");
    let _service = Process(
        tidings(app.directory.path())
            .args(["--config", "tidings.toml", "serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let topic = format!("{}/weekly/atom.xml", app.url);
    crate::harness::eventually(PATIENCE, "the first issue is served", async || {
        let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(&topic).send().await;
        match answer {
            Ok(answer) => answer.text().await.unwrap().contains("The first issue"),
            Err(_) => false,
        }
    })
    .await;
    let port = free_port().to_string();
    let mut reader = Command::new(PYTHON)
        .args([SCRIPT, &topic, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut input, output) = (reader.stdin.take().unwrap(), reader.stdout.take().unwrap());
    let _reader = Process(reader);
    let (said, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(said.send(line)))
    });

    assert_eq!(expect(&lines, "discovered"), format!("discovered {}/hub {topic}", app.url));
    assert_eq!(expect(&lines, "verified"), format!("verified subscribe {topic}"));
    app.write_issue("second.md", "The second issue", "2026-03-02", "News.");
    let published = tokio::time::Instant::now();
    let received = expect(&lines, "received");
    assert!(received.ends_with("with-second"), "{received}");
    eprintln!("received {} ms after the file was written", published.elapsed().as_millis());
    input.write_all(b"leave\n").unwrap();
    assert_eq!(expect(&lines, "verified"), format!("verified unsubscribe {topic}"));
    app.write_issue("third.md", "The third issue", "2026-03-02", "More news.");
    let more = lines.recv_timeout(Duration::from_secs(5));
    assert!(more.is_err(), "it has left, and is told: {more:?}");
}
