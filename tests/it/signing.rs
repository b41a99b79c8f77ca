//! Every kind of message, judged by strangers: three verifiers of DKIM and two parsers, before and after a real Postfix.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::config;
use tidings::transport::{Announced, Content, Envelope, Transport};
use tidings::types::EmailAddress;

use crate::harness::{Backend, TestApp, there, tidings};
use crate::postfix::Postfix;

/// Where `tests/run` puts the verifiers that others wrote.
const VERIFIERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/verifiers");

fn run(app: &TestApp, arguments: &[&str]) -> Output {
    let output = tidings(app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn keys() -> TempDir {
    let directory = TempDir::new().unwrap();
    let made = tidings(directory.path()).args(["dkim", "keygen", "news.example", "a"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    directory
}

fn configuration(keys: &Path) -> String {
    format!(
        r#"
[defaults]
bounce_domain = "bounce.news.example"
unsubscribe_address = "leave@news.example"
complaint_address = "complaints@news.example"
reply_to = "editors@news.example"
sender = "list@news.example"
fields = ["name"]
dkim_keys = {{ a-rsa = "{keys}/a-rsa.pem", a-ed25519 = "{keys}/a-ed25519.pem" }}
[templates]
directory = "{keys}/templates"
[newsletters.weekly]
title = "Thé „Weekly“"
from = "Thé „Weekly“ <weekly@news.example>"
settle = "0s"
min_length = 1
max_age = "60d"
[newsletters.weekly.source]
directory = {{issues}}
[newsletters.weekly.cadences.mondays]
title = "Every Monday"
cron = "0 9 * * 1"
"#,
        keys = keys.display()
    )
}

/// A mail with a field in its subject and in its text.
fn write_templates(keys: &Path) {
    let directory = keys.join("templates/email/digest");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("subject.txt"), "{{ field(\"name\", \"Reader\") }}: {{ issues[0].title }}").unwrap();
    let text = "Hello {{ field(\"name\", \"reader\") }},\n\n{% for issue in issues %}{{ issue.text }}\n{% endfor %}\n\
                Unsubscribe: {{ unsubscribe }}\nPreferences: {{ preferences }}\n";
    std::fs::write(directory.join("body.txt"), text).unwrap();
}

/// Confirmation, digest of one issue and of several, correction and test, to people with and without a name, as files.
async fn every_kind(app: &mut TestApp) -> Vec<PathBuf> {
    app.watch().await.unwrap();
    app.schedule().await;
    let form = [("email", "ada@reader.example"), ("cadence", "mondays"), ("name", NAME)];
    assert_eq!(app.post("/weekly/subscribe", &form).await.status, 200);
    app.send().await;
    let confirmation = app.outbox().remove(0);
    assert!(!confirmation.source.contains("Ada"), "a stranger's words are in no mail before they are confirmed");
    app.post(&confirmation.link("/confirm/"), &[]).await;
    std::fs::write(app.path("list.csv"), "address,name\nbob@reader.example,\njörg@reader.example,Jörg\n").unwrap();
    run(app, &["subscribers", "import", "list.csv", "--note", "signed at the meetup"]);

    app.write_issue("one.md", "Öne", "2026-03-01", &"A text with `code  and  spaces`.\n\n.dot\n\nFrom me\n".repeat(30));
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    app.send().await;
    app.write_issue("one.md", "Öne", "2026-03-01", "A mended text.");
    app.watch().await.unwrap();
    run(app, &["mail", "one", "--correction"]);
    app.send().await;
    for (name, title) in [("two.md", "--=_boundary"), ("three.md", "=?utf-8?q?x?=")] {
        app.write_issue(name, &format!("{title:?}"), "2026-03-03", "Another text.");
    }
    app.advance(Duration::from_secs(7 * 24 * 3600));
    app.watch().await.unwrap();
    app.schedule().await;
    app.send().await;
    run(app, &["send", "--test", "editor@reader.example"]);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(app.path("outbox")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    assert_eq!(files.len(), 1 + 3 + 3 + 3 + 1, "{files:?}");
    files
}

const NAME: &str = "Ada {{ x }} <b> \"Ö\" =?utf-8?q?x?=";

/// What a verifier prints, a line for each message.
fn judged(command: &mut Command, records: &Path, files: &[PathBuf]) -> Vec<Value> {
    let output = command.arg(records).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let judged: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(judged.len(), files.len());
    judged
}

/// Python's strict parser and dkimpy, mailauth, and OpenDKIM find nothing wrong, and find out whoever changes anything.
fn assert_good(directory: &Path, records: &Path, files: &[PathBuf]) {
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    let python = Path::new(VERIFIERS).join("venv/bin/python");
    if there(python.exists(), "dkimpy") {
        for judged in judged(Command::new(python).arg(support.join("verify.py")), records, files) {
            assert_eq!(judged["signatures"], json!([true, true]), "{judged}");
            assert_eq!(judged["forged"], json!([]), "{judged}");
            assert_eq!(judged["defects"], json!([]), "{judged}");
        }
    }
    let modules = Path::new(VERIFIERS).join("node_modules");
    if there(modules.join("mailauth").exists(), "mailauth") {
        let mut node = Command::new("node");
        for judged in judged(node.arg(support.join("verify.js")).env("NODE_PATH", modules), records, files) {
            let good = |algorithm| json!({ "algorithm": algorithm, "result": "pass", "aligned": true });
            assert_eq!(judged["signatures"], json!([good("rsa-sha256"), good("ed25519-sha256")]), "{judged}");
        }
    }
    let opendkim = Path::new("/usr/sbin/opendkim");
    if there(opendkim.exists(), "opendkim") {
        let known: Value = serde_json::from_slice(&std::fs::read(records).unwrap()).unwrap();
        let lines: Vec<String> = known
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, text)| format!("{name} {}", text.as_str().unwrap()))
            .collect();
        std::fs::write(directory.join("public"), format!("{}\n", lines.join("\n"))).unwrap();
        let settings = format!("Mode v\nTestPublicKeys {}\n", directory.join("public").display());
        std::fs::write(directory.join("opendkim.conf"), settings).unwrap();
        for file in files {
            let mut command = Command::new(opendkim);
            let output = command.arg("-x").arg(directory.join("opendkim.conf")).arg("-vvv").arg("-t").arg(file);
            let output = output.output().unwrap();
            let said =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let passed: Vec<&str> = said.lines().filter(|line| line.trim().starts_with("dkim=")).collect();
            assert!(passed.len() == 2 && passed.iter().all(|line| line.contains("dkim=pass")), "{said}");
        }
    }
}

/// The DNS, as `tidings dkim check` says it must be.
fn records(app: &TestApp) -> PathBuf {
    let checked: Value = serde_json::from_slice(&run(app, &["--json", "dkim", "check"]).stdout).unwrap();
    let record = |line: &Value| (line["record_name"].as_str().unwrap().to_owned(), line["record"].clone());
    let records: serde_json::Map<String, Value> = checked.as_array().unwrap().iter().map(record).collect();
    assert_eq!(records.len(), 2);
    let path = app.path("records.json");
    std::fs::write(&path, Value::Object(records).to_string()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_message_is_well_formed_and_signed_before_and_after_a_real_postfix() {
    let keys = keys();
    write_templates(keys.path());
    let mut app = TestApp::start_with(Backend::Sqlite, &configuration(keys.path())).await.unwrap();
    let files = every_kind(&mut app).await;
    let records = records(&app);
    assert_good(app.directory.path(), &records, &files);
    let subjects: Vec<String> = app.outbox().iter().map(|mail| mail.subject.clone()).collect();
    for subject in [&format!("{NAME}: Öne"), "Reader: Öne", "Jörg: Öne"] {
        assert!(subjects.iter().any(|s| s == subject), "{subject} in {subjects:?}");
    }
    assert!(app.outbox().iter().any(|mail| mail.text.contains(&format!("Hello {NAME},"))));

    let postfix = Postfix::start();
    if !there(postfix.is_some(), "Postfix, or the right to start it,") {
        return;
    }
    let postfix = postfix.unwrap();
    relay(&app, &postfix, &files).await;
    let through: Vec<PathBuf> = postfix
        .delivered(files.len())
        .iter()
        .enumerate()
        .map(|(number, path)| {
            // A mailbox has the line ends of its system.
            let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
            assert!(text.contains("Received: from"), "{text}");
            let copy = app.path(&format!("through-{number}.eml"));
            std::fs::write(&copy, text.replace('\n', "\r\n")).unwrap();
            copy
        })
        .collect();
    assert_eq!(through.len(), files.len());
    assert_good(app.directory.path(), &records, &through);
}

/// Hands the files to Postfix as the sender does.
async fn relay(app: &TestApp, postfix: &Postfix, files: &[PathBuf]) {
    let mut mail = app.config().mail;
    mail.transport = config::Transport::Smtp(vec![crate::transport::relay(postfix.port)]);
    let mut connection = Transport::all(&mail)[0].connect().await.unwrap();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let to = text.split("\r\nTo: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
        let address = |text: &str| EmailAddress::parse(text).unwrap();
        let envelope = Envelope { from: address("bounces@news.example"), to: address(to) };
        let round = connection.round(None, Some(&envelope)).await;
        assert_eq!(round.envelope, Some(Announced::Ready), "{round:?}");
        let round =
            connection.round(Some(&Content::new(vec![tidings::message::fit::Piece::new(text)]).unwrap()), None).await;
        assert_eq!(round.content.as_ref().map(|reply| reply.code), Some(250), "{round:?}");
    }
    connection.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_path_says_whom_a_mail_was_to_and_a_forged_one_names_nobody() {
    let extra = configuration(keys().path())
        .replace("dkim_keys", "# dkim_keys")
        .replace("[templates]\ndirectory", "# directory");
    let mut app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    app.watch().await.unwrap();
    app.schedule().await;
    app.subscribe("ada@reader.example").await;
    app.write_issue("one.md", "One", "2026-03-01", "A text.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    app.send().await;
    let digest = app.digests().remove(0).source;
    let token = digest.split("\r\nCFBL-Feedback-ID: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let said = |output: Output| String::from_utf8(output.stdout).unwrap();
    let who = said(run(&app, &["who", &format!("bounces+{}@bounce.news.example", token.to_uppercase())]));
    assert!(
        who.contains("ada@reader.example") && who.contains("\"One\"") && who.contains("weekly/mondays confirmed"),
        "{who}"
    );
    let leave = digest.split("subject=unsubscribe%20").nth(1).unwrap().split('>').next().unwrap().to_owned();
    assert!(said(run(&app, &["who", &format!("unsubscribe {leave}")])).starts_with("ada@reader.example\n"));
    let mut forged = token.into_bytes();
    forged[20] = if forged[20] == b'0' { b'1' } else { b'0' };
    let forged = String::from_utf8(forged).unwrap();
    let mut command = tidings(app.directory.path());
    let refused = command.args(["--config", "tidings.toml", "who", &forged]).output().unwrap();
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("did not write that"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_may_read_signs_nothing_and_the_command_to_mend_it_is_said() {
    let keys = keys();
    write_templates(keys.path());
    let app = TestApp::start_with(Backend::Sqlite, &configuration(keys.path())).await.unwrap();
    let file = keys.path().join("a-rsa.pem");
    for mode in ["640", "604"] {
        assert!(Command::new("chmod").arg(mode).arg(&file).status().unwrap().success());
        for verb in [&["dkim", "check"][..], &["render", "site"]] {
            let mut command = tidings(app.directory.path());
            let refused = command.args(["--config", "tidings.toml"]).args(verb).output().unwrap();
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success(), "{verb:?}");
            assert!(said.contains(&format!("run: chmod 600 {}", file.display())), "{verb:?}: {said}");
        }
    }
}
