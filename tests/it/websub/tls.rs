//! Callbacks behind TLS: only a certificate that the system trusts gets a request.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Backend, Process, TestApp, eventually, tidings};
use crate::tls::self_signed;

/// What came of the connections to a callback: the first line of a request, or that there was no TLS.
type Came = Arc<Mutex<Vec<String>>>;

/// A callback at `localhost` that repeats every challenge, its certificate, and what came to it.
async fn callback() -> (u16, String, Came) {
    let (acceptor, pem) = self_signed();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, came) = (listener.local_addr().unwrap().port(), Came::default());
    let seen = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                seen.lock().unwrap().push("no TLS".into());
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let challenge = head.split("hub.challenge=").nth(1).unwrap().split(['&', ' ']).next().unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{challenge}", challenge.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen.lock().unwrap().push(head.lines().next().unwrap().to_owned());
        }
    });
    (port, pem, came)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_behind_tls_needs_a_certificate_that_the_system_trusts() {
    let (port, trusted, came) = callback().await;
    let (_, another) = self_signed();
    let extra = "[websub]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\n";
    for (pem, first) in [(another, "no TLS"), (trusted, "GET /cb?hub.mode=subscribe&hub.topic=")] {
        let app = TestApp::start_serving(Backend::Sqlite, extra).await.unwrap();
        app.write_issue("first.md", "First", "2026-02-23", "Hello.");
        std::fs::write(app.path("trusted.pem"), pem).unwrap();
        let service = tidings(app.directory.path())
            .args(["--config", "tidings.toml", "serve"])
            .env("SSL_CERT_FILE", app.path("trusted.pem"))
            .env_remove("SSL_CERT_DIR")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let _service = Process(service.unwrap());
        let topic = format!("{}/weekly/atom.xml", app.url);
        let callback = format!("https://localhost:{port}/cb");
        let form = [("hub.mode", "subscribe"), ("hub.topic", topic.as_str()), ("hub.callback", &callback)];
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        eventually(Duration::from_secs(30), "the hub takes the request", async || {
            let answer = client.post(format!("{}/hub", app.url)).form(&form).send().await;
            answer.is_ok_and(|answer| answer.status() == 202)
        })
        .await;
        eventually(Duration::from_secs(30), first, async || !came.lock().unwrap().is_empty()).await;
        let came = std::mem::take(&mut *came.lock().unwrap());
        assert!(came.iter().all(|line| line.starts_with(first)), "{came:?}");
    }
}
