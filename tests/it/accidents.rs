//! Publishing and mailing are two decisions: what looks like an accident is published and never mailed by itself.

use std::process::Output;
use std::time::Duration;

use crate::harness::{Backend, TestApp, issue, on_both, tidings};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The configuration of an install with the defaults of caution and settle.
fn cautious(app: &TestApp) {
    let text = std::fs::read_to_string(app.config_path()).unwrap();
    let text = text.replace("settle = \"0s\"\nmin_length = 1\nmax_age = \"60d\"\n", "");
    std::fs::write(app.config_path(), text).unwrap();
}

/// An install at nine on Monday, with one subscriber.
async fn start(backend: Backend) -> Option<TestApp> {
    let mut app = TestApp::start(backend).await?;
    cautious(&app);
    app.restart().await;
    app.watch().await.unwrap();
    app.schedule().await;
    app.subscribe("ada@reader.example").await;
    app.advance(HOUR);
    app.schedule().await;
    Some(app)
}

const BODY: &str = "A body that is long enough to be an issue and no stub: it has releases, reading material, notable \
pull requests, new contributors, and a word of thanks.";

fn run(app: &TestApp, arguments: &[&str]) -> Output {
    tidings(app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A week passes, with a look at the source, the schedule and the sender at nine on Monday.
async fn next_monday(app: &mut TestApp) {
    app.watch().await.unwrap();
    app.advance(WEEK);
    app.watch().await.unwrap();
    app.schedule().await;
    app.send().await;
}

fn subjects(app: &TestApp) -> Vec<String> {
    app.digests().into_iter().map(|mail| mail.subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_mailed_only_when_it_has_settled() {
    let mut app = start(Backend::Sqlite).await.unwrap();
    app.advance(WEEK - Duration::from_secs(10 * 60));
    app.write_issue("a.md", "March", "2026-03-02", BODY);
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(10 * 60));
    app.schedule().await;
    app.send().await;
    assert_eq!(subjects(&app), [""; 0], "ten minutes after the commit the editor may still be correcting");
    app.write_issue("a.md", "March, corrected", "2026-03-02", BODY);
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(25 * 60));
    app.schedule().await;
    assert!(app.mailings().await.is_empty());
    app.advance(Duration::from_secs(5 * 60));
    app.schedule().await;
    app.send().await;
    assert_eq!(subjects(&app), ["March, corrected"], "the occurrence waited for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_dated_issue_is_held_and_mending_its_date_lets_it_out() {
    let mut app = start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "March", "2025-03-02", BODY);
    next_monday(&mut app).await;
    assert!(app.get("/weekly/atom.xml").await.body.contains("March"), "it is published");
    assert_eq!(subjects(&app), [""; 0]);
    let status = text(&run(&app, &["status"]));
    assert!(status.contains("not mailed a") && status.contains("back-dated"), "{status}");
    app.advance(9 * HOUR);
    app.write_issue("a.md", "March", "2026-03-09", BODY);
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), ["March"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_change_mails_nobody_until_an_operator_decides_for_each() {
    on_both_cautious(async |mut app| {
        for name in ["a", "b", "c", "d"] {
            app.write_issue(&format!("{name}.md"), &format!("Issue {name}"), "2026-03-02", BODY);
        }
        next_monday(&mut app).await;
        assert_eq!(subjects(&app), [""; 0]);
        // An edit in between lifts nothing: no single document can mend a bulk change.
        app.write_issue("c.md", "Issue c, edited", "2026-03-02", BODY);
        app.watch().await.unwrap();
        let released = run(&app, &["release", "b"]);
        assert!(released.status.success(), "{}", text(&released));
        assert!(run(&app, &["dismiss", "a.md"]).status.success());
        let unknown = run(&app, &["release", "nothing"]);
        assert!(!unknown.status.success() && text(&unknown).contains("no issue \"nothing\""));
        next_monday(&mut app).await;
        assert_eq!(subjects(&app), ["Issue b"]);
        next_monday(&mut app).await;
        assert_eq!(subjects(&app), ["Issue b"], "c and d stay held, a is dismissed");
    })
    .await;
}

async fn on_both_cautious<F, Fut>(story: F)
where
    F: Fn(TestApp) -> Fut,
    Fut: Future<Output = ()>,
{
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(app) = start(backend).await {
            story(app).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_is_held_until_it_is_more() {
    let mut app = start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "March", "2026-03-02", "To follow.");
    app.write_issue("b.md", "News of Month DD", "2026-03-02", BODY);
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), [""; 0]);
    app.write_issue("a.md", "March", "2026-03-02", BODY);
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), ["March"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_mailed_only_by_a_deliberate_command_and_once() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("old.md", "From the archive", "2020-01-01", BODY);
    app.watch().await.unwrap();
    app.schedule().await;
    app.subscribe("ada@reader.example").await;
    app.advance(HOUR);
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), [""; 0]);
    let held = run(&app, &["release", "old"]);
    assert!(!held.status.success() && text(&held).contains("tidings mail"), "{}", text(&held));
    assert!(run(&app, &["mail", "old"]).status.success());
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), ["From the archive"]);
    let again = run(&app, &["mail", "old"]);
    assert!(!again.status.success() && text(&again).contains("mailed already"), "{}", text(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_goes_to_those_who_had_the_issue_and_are_still_there() {
    on_both(async |mut app| {
        app.watch().await.unwrap();
        app.schedule().await;
        for address in ["stays@reader.example", "leaves@reader.example"] {
            app.subscribe(address).await;
        }
        app.write_issue("a.md", "March", "2026-03-02", "With a mistake.");
        app.watch().await.unwrap();
        app.advance(HOUR);
        app.schedule().await;
        app.send().await;
        let digests = app.digests();
        assert_eq!(digests.len(), 2);
        let early = run(&app, &["mail", "a", "--correction"]);
        assert!(!early.status.success() && text(&early).contains("has not changed"), "{}", text(&early));

        let leaver = digests.iter().find(|mail| mail.to.starts_with("leaves")).unwrap();
        app.post(&leaver.link("/unsubscribe/"), &[]).await;
        app.subscribe("late@reader.example").await;
        app.write_issue("a.md", "March", "2026-03-02", "Without a mistake.");
        app.watch().await.unwrap();
        let sent = run(&app, &["mail", "a", "--correction"]);
        assert!(sent.status.success(), "{}", text(&sent));
        app.send().await;
        let corrections: Vec<_> =
            app.digests().into_iter().filter(|mail| mail.subject.contains("Correction")).collect();
        assert_eq!(corrections.len(), 1);
        assert_eq!(
            (corrections[0].to.as_str(), corrections[0].subject.as_str()),
            ("stays@reader.example", "Correction: March")
        );
        assert!(
            corrections[0].text.contains("This is a correction.") && corrections[0].text.contains("Without a mistake.")
        );
        let books = app.mailings().await[0].books;
        assert!(books.balance() && (books.audience, books.accepted, books.skipped) == (2, 1, 1), "{books:?}");

        let twice = run(&app, &["mail", "a", "--correction"]);
        assert!(!twice.status.success() && text(&twice).contains("already"), "{}", text(&twice));
        next_monday(&mut app).await;
        assert_eq!(app.digests().len(), 3, "and nothing else is mailed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_is_withdrawn_and_comes_back_is_the_same_issue_and_is_not_mailed_again() {
    let mut app = start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "March", "2026-03-02", BODY);
    next_monday(&mut app).await;
    assert_eq!(subjects(&app), ["March"]);
    std::fs::write(app.path("issues/a.md"), issue("March", "2026-03-02\ndraft: true", BODY)).unwrap();
    app.watch().await.unwrap();
    assert_eq!(app.get("/weekly/issues/a").await.status, 410);
    app.write_issue("a.md", "March", "2026-03-02", BODY);
    next_monday(&mut app).await;
    assert_eq!(app.get("/weekly/issues/a").await.status, 200);
    assert_eq!(subjects(&app), ["March"]);
}
