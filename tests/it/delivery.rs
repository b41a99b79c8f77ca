//! From an issue to inboxes: once, to everyone, whatever happens in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings::scheduler::Event;
use tidings::store::MailingState;

use crate::harness::{Backend, Mail, TestApp, on_both, tidings};
use crate::smtp::{Action, Peer, Said, Script};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_reaches_the_inbox_once_with_a_restart_between_every_two_steps() {
    on_both(async |mut app| {
        app.write_issue("old.md", "Archive", "2026-02-01", "Never mailed.");
        app.watch().await.unwrap();
        app.schedule().await;
        app.restart().await;
        app.subscribe("ada@reader.example").await;
        app.restart().await;
        app.write_issue("news.md", "Fresh news", "2026-03-02", "Something **happened**.");
        app.restart().await;
        app.watch().await.unwrap();
        app.restart().await;
        assert_eq!(app.schedule().await, [], "it is not nine o'clock yet");
        app.advance(HOUR);
        app.restart().await;
        assert!(matches!(app.schedule().await.as_slice(), [Event::Opened { issues: 1, .. }]));
        app.restart().await;
        assert_eq!(app.schedule().await, [], "an occurrence fires once");
        app.send().await;
        app.restart().await;
        app.send().await;
        let digests = app.digests();
        assert_eq!(digests.len(), 1);
        assert!(digests[0].subject.contains("Fresh news"));
        assert!(digests[0].text.contains("happened") && digests[0].html.contains("<strong>happened</strong>"));
        assert!(!digests[0].html.contains("Never mailed"));
        for _ in 0..3 {
            app.advance(WEEK);
            app.watch().await.unwrap();
            app.schedule().await;
            app.send().await;
        }
        assert_eq!(app.digests().len(), 1, "an issue is mailed once");
        let mailings = app.mailings().await;
        assert_eq!(mailings.len(), 1);
        assert_eq!(mailings[0].state, MailingState::Finished);
        assert!(mailings[0].books.balance() && mailings[0].books.accepted == 1, "{:?}", mailings[0].books);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_after_mailing_changes_feeds_and_mails_nobody() {
    on_both(async |mut app| {
        app.watch().await.unwrap();
        app.schedule().await;
        app.subscribe("ada@reader.example").await;
        app.write_issue("news.md", "News", "2026-03-02", "With a mistake.");
        app.watch().await.unwrap();
        app.advance(HOUR);
        app.schedule().await;
        app.send().await;
        app.write_issue("news.md", "News", "2026-03-02", "Without one.");
        app.watch().await.unwrap();
        assert!(app.get("/weekly/atom.xml").await.body.contains("Without one."));
        app.advance(WEEK);
        app.schedule().await;
        app.send().await;
        assert_eq!(app.digests().len(), 1);
        assert!(app.digests()[0].text.contains("With a mistake."), "a mailing froze what it sends");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_on_one_database_open_one_mailing() {
    on_both(async |mut app| {
        app.watch().await.unwrap();
        app.schedule().await;
        app.subscribe("ada@reader.example").await;
        app.write_issue("news.md", "News", "2026-03-02", "Hello.");
        app.watch().await.unwrap();
        app.advance(HOUR);
        let now = app.clock.now();
        let twins: Vec<_> = (0..6)
            .map(|_| {
                let scheduler = app.app().scheduler();
                tokio::spawn(async move { scheduler.tick(now).await.unwrap().len() })
            })
            .collect();
        let mut opened = 0;
        for twin in twins {
            opened += twin.await.unwrap();
        }
        assert_eq!((opened, app.mailings().await.len()), (1, 1));
        let senders = (0..3).map(|_| app.send());
        for sender in senders.collect::<Vec<_>>() {
            sender.await;
        }
        assert_eq!(app.digests().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_was_missed_by_far_is_reported_and_its_news_goes_out_next_time() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    app.schedule().await;
    app.subscribe("ada@reader.example").await;
    app.write_issue("news.md", "News", "2026-03-02", "Hello.");
    app.watch().await.unwrap();
    app.advance(HOUR * 48);
    assert!(matches!(app.schedule().await.as_slice(), [Event::Missed { .. }]));
    app.send().await;
    assert_eq!(app.digests().len(), 0);
    app.advance(WEEK - HOUR * 47);
    app.schedule().await;
    app.send().await;
    assert_eq!(app.digests().len(), 1);
}

/// An install that hands its mail to a scripted relay, with three confirmed subscribers and an open digest.
async fn with_relay(script: Script, retry: &str) -> (TestApp, Peer) {
    let peer = Peer::start(script).await;
    let extra = format!(
        "[mail]\ntransport = \"smtp\"\n{retry}\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nconnections = 2\n",
        peer.port()
    );
    let mut app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    app.watch().await.unwrap();
    app.schedule().await;
    for address in ["a@reader.example", "b@reader.example", "c@reader.example"] {
        add(&app, address).await;
    }
    app.write_issue("news.md", "News", "2026-03-02", "Hello.\n\n.A line that starts with a dot.");
    app.watch().await.unwrap();
    app.advance(HOUR);
    app.schedule().await;
    (app, peer)
}

/// Adds a confirmed subscriber of the weekly newsletter.
pub async fn add(app: &TestApp, address: &str) {
    use tidings::subscription::{Consent, ConsentSource};
    use tidings::types::{CadenceId, EmailAddress, NewsletterId};
    let consent = Consent { source: ConsentSource::Operator, note: "test".into() };
    let (newsletter, cadence) = (NewsletterId::parse("weekly").unwrap(), CadenceId::parse("mondays").unwrap());
    let address = EmailAddress::parse(address).unwrap();
    let chance = tidings::chance::Chance::system();
    assert!(app.app().store.add(&newsletter, &cadence, &address, &consent, app.clock.now(), &chance).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_gets_each_message_once_as_it_was_written() {
    let (app, peer) = with_relay(Script::default(), "").await;
    app.send().await;
    let mut taken = peer.committed();
    taken.sort_by(|a, b| a.to.cmp(&b.to));
    let to: Vec<_> = taken.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["a@reader.example", "b@reader.example", "c@reader.example"]);
    assert!(Mail::read(&taken[0].bytes).text.contains("\n.A line that starts with a dot."));
    let books = app.mailings().await[0].books;
    assert!(books.balance() && books.accepted == 3, "{books:?}");
}

/// Addresses that the peer took a message for, sorted, one line a message.
fn taken(peer: &Peer) -> Vec<String> {
    let mut to: Vec<_> = peer.committed().into_iter().map(|mail| mail.to.replace("@reader.example", "")).collect();
    to.sort();
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_does_not_exist_is_refused_and_never_mailed_again() {
    let gone =
        Script::default().recipient("b@reader.example", Action::reply("550 5.1.1 <b@reader.example>: no such user"));
    let (mut app, peer) = with_relay(gone, "").await;
    app.send().await;
    assert_eq!(taken(&peer), ["a", "c"]);
    let reasons = app.app().store.refusals(app.mailings().await[0].mailing).await.unwrap();
    assert_eq!(reasons[0].example, "5.1.1 (address) no such user", "the ledger names nobody");
    let books = app.mailings().await[0].books;
    assert!(books.balance() && (books.accepted, books.refused) == (2, 1), "{books:?}");
    app.write_issue("more.md", "More", "2026-03-02", "Again.");
    app.watch().await.unwrap();
    app.advance(WEEK);
    app.schedule().await;
    app.send().await;
    assert_eq!(taken(&peer), ["a", "a", "c", "c"]);
    let books = app.mailings().await[0].books;
    assert!(books.balance() && (books.accepted, books.skipped) == (2, 1), "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_4xx_is_tried_again_later_and_gives_up_at_last() {
    let grey = Script::default()
        .at(Said::Recipient, "a@reader.example", 1, Action::reply("450 4.2.0 greylisted"))
        .recipient("b@reader.example", Action::reply("450 4.2.2 mailbox full"));
    let (app, peer) = with_relay(grey, "retry_period = \"6h\"").await;
    app.send().await;
    assert_eq!(taken(&peer), ["c"]);
    app.send().await;
    assert_eq!(taken(&peer), ["c"], "not before its time");
    app.advance(Duration::from_secs(10 * 60));
    app.send().await;
    assert_eq!(taken(&peer), ["a", "c"]);
    assert_eq!(app.mailings().await[0].state, MailingState::Open);
    for _ in 0..9 {
        app.advance(HOUR);
        app.send().await;
    }
    let mailing = &app.mailings().await[0];
    assert_eq!(mailing.state, MailingState::Finished);
    assert!(
        mailing.books.balance() && (mailing.books.accepted, mailing.books.refused) == (2, 1),
        "{:?}",
        mailing.books
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_blames_us_pauses_the_mailing_and_marks_nobody() {
    let denied =
        Script::default().on(Said::Recipient, Action::reply("554 5.7.1 <a@reader.example>: Relay access denied"));
    let (app, _peer) = with_relay(denied, "").await;
    app.send().await;
    let reason = app.mailings().await[0].reason.clone().unwrap();
    assert_eq!(
        reason, "the relay refuses our mail: 554 5.7.1 (address) Relay access denied",
        "and neither does the reason"
    );

    let (app, peer) =
        with_relay(Script::default().on(Said::Content, Action::reply("554 5.7.1 looks like spam")), "").await;
    app.send().await;
    let mailing = &app.mailings().await[0];
    assert_eq!(mailing.state, MailingState::Paused);
    assert!(mailing.reason.as_ref().unwrap().contains("looks like spam"));
    assert_eq!((mailing.books.refused, taken(&peer).len()), (0, 0));

    let (app, peer) = with_relay(
        Script::default().rule(|event| {
            (event.said == Said::Content && event.connection <= 1).then(|| Action::reply("554 5.7.1 looks like spam"))
        }),
        "",
    )
    .await;
    app.send().await;
    assert!(app.app().store.resume(app.mailings().await[0].mailing).await.unwrap());
    app.send().await;
    assert_eq!(taken(&peer), ["a", "b", "c"], "resumed, everyone gets it");
    assert_eq!(app.mailings().await[0].state, MailingState::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmations_that_a_relay_refused_are_shown_and_go_out_when_an_operator_says_so() {
    let mended = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&mended);
    let script = Script::default().rule(move |event| {
        let refuses = event.said == Said::Content && !refuses.load(Ordering::SeqCst);
        refuses.then(|| Action::reply("554 5.7.1 looks like spam"))
    });
    let (app, peer) = with_relay(script, "").await;
    app.app().store.cancel(app.mailings().await[0].mailing, "not of this test").await.unwrap();
    let ask = async |address: &str| {
        let answer = app.post("/weekly/subscribe", &[("email", address), ("cadence", "mondays")]).await;
        assert_eq!(answer.status, 200);
        app.send().await;
    };
    ask("new@reader.example").await;
    ask("again@reader.example").await;
    app.advance(Duration::from_secs(20 * 60));
    ask("again@reader.example").await;
    let run = |arguments: &[&str]| {
        let output = tidings(app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let status = run(&["status"]);
    let line = "weekly: 3 confirmations paused since 2026-03-02 09:00 UTC: the relay refuses our mail: 554 5.7.1 looks like spam; \
                mend it, then `tidings resume confirmations`";
    assert!(status.contains(line), "{status}");
    let metrics = app.get(&format!("{}/metrics", app.private)).await.body;
    assert!(metrics.contains("tidings_confirmations_paused{newsletter=\"weekly\"} 3\n"), "{metrics}");

    mended.store(true, Ordering::SeqCst);
    assert_eq!(run(&["resume", "confirmations"]), "3 confirmations resumed\n");
    app.send().await;
    assert_eq!(taken(&peer), ["again", "new"], "each of them one: the older request of the two means nothing any more");
    assert!(!run(&["status"]).contains("paused"));
    let again = format!("{}/mailings/confirmations/resume", app.private);
    assert_eq!(app.post_from("https://elsewhere.example", &again).await.status, 403);
    assert_eq!(app.post(&again, &[]).await.body, r#"{"resumed":0}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_never_came_is_in_doubt_and_the_policy_decides() {
    let lost = || Script::default().at(Said::Content, "b@reader.example", 1, Action::CommitAndDrop);
    let (app, peer) = with_relay(lost(), "in_doubt = \"resend\"").await;
    app.send().await;
    assert_eq!(taken(&peer), ["a", "b", "b", "c"], "someone may get it twice, nobody misses it");
    let twice: Vec<_> = peer.committed().into_iter().filter(|mail| mail.to.starts_with('b')).collect();
    assert_eq!(twice[0].bytes, twice[1].bytes, "the same Message-ID and the same bytes");
    let mailing = &app.mailings().await[0];
    assert!(mailing.books.balance() && mailing.books.accepted == 3);
    assert_eq!(app.app().store.doubts(mailing.mailing, 10).await.unwrap().len(), 1, "the ledger lists it");

    let (app, peer) = with_relay(lost(), "in_doubt = \"hold\"").await;
    app.send().await;
    assert_eq!(taken(&peer), ["a", "b", "c"]);
    let mailing = &app.mailings().await[0];
    assert!(mailing.books.balance() && (mailing.books.accepted, mailing.books.held) == (2, 1), "{:?}", mailing.books);
    assert_eq!(app.app().store.doubts(mailing.mailing, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_takes_every_message_and_never_answers_floods_nobody() {
    let (app, peer) = with_relay(Script::default().on(Said::Content, Action::CommitAndDrop), "").await;
    app.send().await;
    let mailing = &app.mailings().await[0];
    assert_eq!((mailing.state, mailing.books.held), (MailingState::Finished, 3), "{:?}", mailing.books);
    for name in ["a", "b", "c"] {
        let copies = taken(&peer).iter().filter(|to| *to == name).count();
        assert!(copies <= 5, "{copies} copies");
    }
}
