//! The verbs, as an operator runs them.

use std::process::Output;

use crate::harness::{Backend, TestApp, tidings};

fn run(app: &TestApp, arguments: &[&str]) -> Output {
    tidings(app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

async fn app_with_an_issue() -> TestApp {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("2026-03.md", "March", "2026-03-01", "Hello **there**.\n\n![chart](chart.png)");
    std::fs::write(app.path("issues/chart.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    app.watch().await.unwrap();
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn check_passes_good_content_and_fails_on_each_finding() {
    let app = app_with_an_issue().await;
    let good = run(&app, &["check"]);
    assert!(good.status.success(), "{}", err(&good));
    assert!(out(&good).contains("1 issue"), "{}", out(&good));
    app.write_issue("2026-04.md", "April", "2026-04-01", "Hello {{< unknown >}}.");
    let warned = run(&app, &["check"]);
    assert!(
        warned.status.success() && out(&warned).contains("2026-04.md:7: the shortcode `unknown`"),
        "{}",
        out(&warned)
    );
    std::fs::write(app.path("issues/bad.md"), "---\ntitle: No date\n---\nText.\n").unwrap();
    let bad = run(&app, &["check"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(out(&bad).contains("bad.md:1") && out(&bad).contains("no-date"), "{}", out(&bad));
    let json: serde_json::Value = serde_json::from_str(&out(&run(&app, &["check", "--json"]))).unwrap();
    assert_eq!(json["findings"][0]["rule"], "no-date");
}

#[tokio::test(flavor = "multi_thread")]
async fn render_writes_feeds_pages_and_mail_without_a_database() {
    let app = app_with_an_issue().await;
    let output = run(&app, &["render", "site"]);
    assert!(output.status.success(), "{}", err(&output));
    for file in [
        "weekly/index.html",
        "weekly/issues/2026-03/index.html",
        "weekly/atom.xml",
        "weekly/rss.xml",
        "weekly/feed.json",
        "weekly/files/chart.png",
        "weekly/mail.eml",
        "weekly/mail.html",
        "weekly/mail.txt",
    ] {
        assert!(app.path("site").join(file).is_file(), "{file}");
    }
    let served = app.get("/weekly/atom.xml").await.body;
    // A file server takes no subscriptions, so its feeds name no hub of ours.
    let hub = format!("  <link href=\"{}/hub\" rel=\"hub\"/>\n", app.url);
    assert!(served.contains(&hub), "{served}");
    let rendered = std::fs::read_to_string(app.path("site/weekly/atom.xml")).unwrap();
    assert_eq!(rendered, served.replace(&hub, ""), "the same bytes as served");
}

#[tokio::test(flavor = "multi_thread")]
async fn send_test_puts_the_newest_digest_into_the_outbox_and_into_no_mailing() {
    let app = app_with_an_issue().await;
    let output = run(&app, &["send", "--test", "me@news.example"]);
    assert!(output.status.success(), "{}", err(&output));
    let mails = app.outbox();
    assert_eq!((mails.len(), mails[0].subject.starts_with("[Test] ")), (1, true));
    assert!(mails[0].text.contains("Hello *there*."), "{}", mails[0].text);
    assert!(app.mailings().await.is_empty());
    assert_eq!(run(&app, &["send", "--test", "nonsense"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_added_imported_listed_exported_and_removed() {
    let app = app_with_an_issue().await;
    let list = "email,name\nada@reader.example,Ada\nbob@reader.example,Bob\nnot an address\nADA@reader.example,again\n";
    std::fs::write(app.path("list.csv"), list).unwrap();
    let imported = run(&app, &["subscribers", "import", "list.csv", "--note", "from the old list"]);
    assert_eq!(imported.status.code(), Some(1), "one line was refused");
    assert!(out(&imported).contains("2 added, 1 unchanged") && err(&imported).contains("line 4"), "{}", out(&imported));
    assert!(run(&app, &["subscribers", "add", "cy@reader.example", "--note", "asked by mail"]).status.success());
    let again = run(&app, &["subscribers", "add", "cy@reader.example", "--note", "asked by mail"]);
    assert!(!again.status.success() && err(&again).contains("not added"));
    assert!(run(&app, &["subscribers", "remove", "bob@reader.example"]).status.success());
    let exported = out(&run(&app, &["subscribers", "export"]));
    let mut lines: Vec<_> = exported.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["ada@reader.example", "cy@reader.example"]);
    let back = run(&app, &["subscribers", "import", "list.csv", "--note", "again"]);
    assert!(out(&back).contains("0 added") || out(&back).contains("1 added"), "{}", out(&back));
    let listed: serde_json::Value = serde_json::from_str(&out(&run(&app, &["subscribers", "list", "--json"]))).unwrap();
    assert!(listed.as_array().unwrap().len() >= 3);

    // Who left the system that one comes from must not be mailed by this one.
    std::fs::write(
        app.path("left.csv"),
        "email,why\n\nada@reader.example,left\nnot an address\nNew@reader.example,bounced\n",
    )
    .unwrap();
    let left = run(&app, &["subscribers", "suppress", "--from", "left.csv"]);
    assert_eq!(left.status.code(), Some(1), "one line was refused");
    assert!(out(&left) == "2 suppressed, 1 refused\n" && err(&left).contains("line 4"), "{}", out(&left));
    std::fs::write(app.path("list.csv"), "ada@reader.example\nnew@reader.example\ndot@reader.example\n").unwrap();
    let after = run(&app, &["subscribers", "import", "list.csv", "--note", "again"]);
    assert!(out(&after).contains("1 added, 2 unchanged"), "{}", out(&after));
    let exported = out(&run(&app, &["subscribers", "export"]));
    assert!(!exported.contains("ada@reader.example") && exported.contains("dot@reader.example"), "{exported}");
    let neither = run(&app, &["subscribers", "suppress"]);
    assert!(neither.status.code() == Some(2) && err(&neither).contains("--from"), "{}", err(&neither));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_schedule_config_and_health_answer_people_and_programs() {
    let app = app_with_an_issue().await;
    let status = run(&app, &["status"]);
    assert!(status.status.success() && out(&status).contains("The Weekly"), "{}{}", out(&status), err(&status));
    let json: serde_json::Value = serde_json::from_str(&out(&run(&app, &["status", "--json"]))).unwrap();
    assert_eq!(json["newsletters"][0]["issues"], 1, "{json}");
    let schedule = out(&run(&app, &["schedule"]));
    assert!(schedule.contains("at 09:00 on Monday") && schedule.matches("\n  Monday, ").count() == 5, "{schedule}");
    let config = out(&run(&app, &["config"]));
    assert!(config.contains("weekly@news.example"), "{config}");
    let health = run(&app, &["health"]);
    assert!(!health.status.success(), "its port is 0 in this configuration: nothing can listen there");
    let private = app.private.trim_start_matches("http://").to_owned();
    let health = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "health"])
        .env("TIDINGS_SERVER__PRIVATE", private)
        .output()
        .unwrap();
    assert_eq!(out(&health), "ok\n", "{}", err(&health));
}

#[test]
fn help_teaches_every_verb() {
    let directory = tempfile::TempDir::new().unwrap();
    let help = out(&tidings(directory.path()).arg("--help").output().unwrap());
    for verb in [
        "serve",
        "check",
        "render",
        "send",
        "status",
        "subscribers",
        "schedule",
        "pause",
        "resume",
        "config",
        "migrate",
        "health",
    ] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb} in {help}");
    }
}
