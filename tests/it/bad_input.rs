//! What a person reads when something is wrong, and that the service goes on where it can.

use std::process::{Output, Stdio};
use std::time::Duration;

use crate::harness::{Backend, Process, TestApp, eventually, tidings};

fn run(app: &TestApp, arguments: &[&str]) -> Output {
    tidings(app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap()
}

fn says(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it should have failed");
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused_with_line_key_and_remedy_before_anything_starts() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    let good = std::fs::read_to_string(app.config_path()).unwrap();
    for (from, to, words) in [
        ("settle = \"0s\"", "settel = \"0s\"", vec!["tidings.toml:", "settel", "settle"]),
        ("cron = \"0 9 * * 1\"", "cron = \"0 25 * * 1\"", vec!["tidings.toml:", "cadences.mondays.cron", "25"]),
        ("cron = \"0 9 * * 1\"", "cron = \"0 9 30 2 *\"", vec!["never fires"]),
        ("from = \"The Weekly <weekly@news.example>\"", "from = \"weekly\"", vec!["newsletters.weekly.from", "no @"]),
        ("[server]", "[server", vec!["tidings.toml:1"]),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(app.config_path(), good.replace(from, to)).unwrap();
        says(&run(&app, &["serve"]), &words);
    }
    let missing = tidings(app.directory.path()).args(["--config", "nowhere.toml", "check"]).output().unwrap();
    says(&missing, &["nowhere.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_a_database_and_a_server_that_does_not_answer_are_named() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    let not = app.path("not.db");
    std::fs::write(&not, "This is a text, and no database, and long enough to have a header of its own.\n".repeat(20))
        .unwrap();
    let with = |url: String| {
        tidings(app.directory.path())
            .args(["--config", "tidings.toml", "migrate"])
            .env("TIDINGS_DATABASE__URL", url)
            .output()
            .unwrap()
    };
    says(&with(format!("sqlite:{}", not.display())), &["not.db", "not a"]);
    let nobody = with("postgres://someone:hunter2@127.0.0.1:1/news".to_owned());
    says(&nobody, &["127.0.0.1"]);
    assert!(!String::from_utf8_lossy(&nobody.stderr).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_its_key() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    // The test app itself listens on the configured public port.
    says(&run(&app, &["serve"]), &["another program listens there", "server.public"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_down_and_a_source_that_is_missing_do_not_stop_the_service() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (public, private, relay) = (free(), free(), free());
    let child = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "serve"])
        .env("TIDINGS_SERVER__PUBLIC", format!("127.0.0.1:{public}"))
        .env("TIDINGS_SERVER__PRIVATE", format!("127.0.0.1:{private}"))
        .env("TIDINGS_SERVER__URL", format!("http://127.0.0.1:{public}/"))
        .env("TIDINGS_MAIL__TRANSPORT", "smtp")
        .env("TIDINGS_MAIL__SMTP__HOST", "127.0.0.1")
        .env("TIDINGS_MAIL__SMTP__PORT", relay.to_string())
        .env("TIDINGS_MAIL__SMTP__TLS", "none")
        .env("TIDINGS_NEWSLETTERS__WEEKLY__SOURCE__DIRECTORY", "gone")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Process(child);
    let url = format!("http://127.0.0.1:{public}");
    eventually(Duration::from_secs(20), "the home page is served", async || {
        reqwest::get(format!("{url}/weekly/")).await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    let form = [("email", "ada@reader.example"), ("cadence", "mondays")];
    reqwest::Client::new().post(format!("{url}/weekly/subscribe")).form(&form).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(reqwest::get(format!("http://127.0.0.1:{private}/health")).await.unwrap().status(), 200);
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(30)).success());
    let mut log = String::new();
    std::io::Read::read_to_string(server.0.stderr.as_mut().unwrap(), &mut log).unwrap();
    assert!(log.contains("gone is not there") || log.contains("is not there"), "{log}");
    assert!(log.contains("the relay cannot be used"), "{log}");
    assert!(!log.contains("ada@reader.example"), "addresses are redacted in logs");
    assert!(log.lines().count() < 30, "an error that lasts is not repeated every second:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_does_not_answer_is_reported_by_check() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    let text = std::fs::read_to_string(app.config_path()).unwrap();
    let directory = text.lines().find(|line| line.contains("/issues\"")).unwrap();
    let text = text.replace(directory, "git = \"http://user:hunter2@127.0.0.1:1/repository.git\"");
    std::fs::write(app.config_path(), text).unwrap();
    let output = run(&app, &["check"]);
    let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{all}");
    assert!(all.contains("127.0.0.1:1") && !all.contains("hunter2"), "{all}");
}
