//! Relays that are down, and who has to wait for whom.

use std::time::Duration;

use tidings::store::MailingState;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{Bench, Plan, mail_a_crowd, scale};
use crate::crowd;
use crate::harness::{Backend, TestApp, eventually};
use crate::proxy::{Proxy, Target};
use crate::smtp::{Action, Peer, Said, Script};

fn smtp(port: u16, connections: usize) -> String {
    format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nconnections = {connections}\n"
    )
}

/// Two hours of nobody at the relay's port, by the clock of the test, with two nodes: what arrives at the port is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_down_for_two_hours_costs_no_attempt_and_one_probe_in_thirty_seconds() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    let knocks = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = knocks.clone();
    let door = tokio::spawn(async move {
        while closed.accept().await.is_ok() {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let mut app = TestApp::start_on(None, &smtp(port, 8)).await;
    let mailing = mail_a_crowd(&mut app, 500).await;
    let (_keep, stop) = tokio::sync::watch::channel(false);
    let nodes = [app.app().sender(stop.clone()).unwrap(), app.app().sender(stop).unwrap()];
    let step = Duration::from_secs(5);
    for _ in 0..(7_200 / step.as_secs()) {
        for node in &nodes {
            let _ = node.tick(tidings::sender::Lane::Digests, 0).await;
        }
        app.advance(step);
    }
    let knocked = knocks.load(std::sync::atomic::Ordering::SeqCst);
    eprintln!("{knocked} probes in two hours");
    assert!((200..=7_200 / 30 + 1).contains(&knocked), "{knocked} probes");
    assert_eq!(super::count(&app.database, "SELECT COUNT(*) FROM delivery").await, 0, "no attempt was used up");
    door.abort();
    let _ = door.await;

    let peer = Peer::start_at(port, Script::default()).await;
    app.advance(Duration::from_secs(31));
    app.send().await;
    assert_eq!(peer.count(), 500);
    let view = app.app().store.mailing(mailing).await.unwrap().unwrap();
    assert!(view.books.balance() && view.state == MailingState::Finished, "{:?}", view.books);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_flows_again_by_itself_after_a_relay_was_away() {
    let peer = Peer::start(Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(20)))).await;
    let proxy = Proxy::start(Target::Port(peer.port())).await;
    let mut app = TestApp::start_on(None, &smtp(proxy.port, 8)).await;
    let people = 4_000;
    let mailing = mail_a_crowd(&mut app, people).await;
    let process = super::serve(&app, "sender", &[]);
    eventually(Duration::from_secs(60), "mail flows", async || peer.count() > 200).await;
    // The relay's host goes away: connections end, and nobody listens.
    let port = proxy.port;
    proxy.cut();
    drop(proxy);
    tokio::time::sleep(Duration::from_secs(scale(5, 60) as u64)).await;
    let before = peer.count();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(peer.count(), before, "nothing goes to a relay that is away");
    let _back = Proxy::start_at(port, Target::Port(peer.port())).await;
    eventually(Duration::from_secs(40), "mail flows again", async || peer.count() > before).await;
    eventually(Duration::from_secs(90), "the mailing finishes", async || {
        app.app().store.mailing(mailing).await.unwrap().unwrap().state == MailingState::Finished
    })
    .await;
    assert_eq!(peer.copies().len(), people);
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_overtakes_a_digest_that_takes_hours() {
    for connections in [1, 4] {
        let slow = Script::default().rule(|event| {
            let digest = event.said == Said::Content && event.to.starts_with("reader");
            digest.then(|| Action::CommitAndWait(Duration::from_millis(500)))
        });
        let bench = Bench::open(Backend::Sqlite, Plan::new(5_000, connections), slow).await.unwrap();
        let _sender = bench.sender();
        bench.reaches(4, Duration::from_secs(30)).await;
        let start = Instant::now();
        let form = [("email", "new@elsewhere.example"), ("cadence", "mondays")];
        assert_eq!(bench.app.post("/weekly/subscribe", &form).await.status, 200);
        let arrived = async || bench.peer.committed().iter().any(|mail| mail.to == "new@elsewhere.example");
        // With a single connection it waits for the end of the digest's turn.
        let patience = if connections == 1 { 9 } else { 3 };
        eventually(Duration::from_secs(patience), "the confirmation arrives", arrived).await;
        eprintln!("{connections} connections: the confirmation came after {:?}", start.elapsed());
        assert!(bench.peer.most_open() <= connections);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mailings_share_fairly_and_connections_are_used_again() {
    let slow = Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(20)));
    let bench = Bench::open(Backend::Sqlite, Plan::new(6_000, 5), slow).await.unwrap();
    // A second mailing to the same people, opened later.
    crowd::run(&bench.app.database, second_mailing(bench.mailing)).await;
    let _sender = bench.sender();
    tokio::time::sleep(Duration::from_secs(16)).await;
    let first = super::count(&bench.app.database, &accepted(&bench.mailing.to_string())).await;
    let second = super::count(&bench.app.database, &accepted("0000000000000002")).await;
    eprintln!("{first} of the first mailing, {second} of the second");
    assert!(first > 100 && second > 100, "{first} and {second}");
    assert!(first < 3 * second && second < 3 * first, "{first} and {second}");
    let (messages, connections) = (bench.peer.count(), bench.peer.connections());
    assert!(messages / connections > 50, "{messages} messages over {connections} connections");
}

fn accepted(mailing: &str) -> String {
    format!("SELECT COUNT(*) FROM delivery WHERE mailing_id = '{mailing}' AND event = 'accepted'")
}

/// A copy of a mailing that was opened later.
fn second_mailing(first: tidings::types::MailingId) -> String {
    format!(
        "INSERT INTO mailing (mailing_id, kind, newsletter, cadence, occurrence, state, subject, letter, cut, request, opened_at, turn, sampled, sampled_at) \
         SELECT '0000000000000002', kind, newsletter, cadence, 'later', state, subject, letter, cut, request, opened_at + 1, 0, 0, 0 \
         FROM mailing WHERE mailing_id = '{first}'; \
         INSERT INTO batch (bucket, mailing_id, batch, first_subscriber, last_subscriber, state, due_at, owner, epoch, lease_until, done) \
         SELECT bucket, '0000000000000002', batch, first_subscriber, last_subscriber, state, due_at, owner, epoch, lease_until, 0 \
         FROM batch WHERE mailing_id = '{first}';"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_address_that_is_none_fails_alone_with_its_reason() {
    let peer = Peer::start(Script::default()).await;
    let mut app = TestApp::start_on(None, &smtp(peer.port(), 4)).await;
    let mailing = mail_a_crowd(&mut app, 50).await;
    let poison = "UPDATE subscriber SET address = 'not an address' WHERE address = 'reader7@reader.example'";
    crowd::run(&app.database, poison.into()).await;
    app.send().await;
    let view = app.app().store.mailing(mailing).await.unwrap().unwrap();
    assert_eq!((view.state, view.books.accepted, view.books.skipped), (MailingState::Finished, 49, 1));
    let reason =
        "SELECT COUNT(*) FROM delivery WHERE event = 'skipped' AND reply LIKE 'the stored address is not one:%'";
    assert_eq!(super::count(&app.database, reason).await, 1);
}

/// A relay that takes three connections and says 421 to any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_wants_fewer_connections_gets_fewer_and_everything_arrives() {
    let narrow = Script::default()
        .rule(|event| (event.said == Said::Connect && event.open > 3).then(|| Action::reply("421 4.7.0 too many")))
        .on(Said::Content, Action::CommitAndWait(Duration::from_millis(10)));
    let bench = Bench::open(Backend::Sqlite, Plan::new(3_000, 16), narrow).await.unwrap();
    let _sender = bench.sender();
    bench.finishes(Duration::from_secs(120)).await;
    assert!(bench.keeps_its_promise().await.is_empty());
    let connections = bench.peer.connections();
    eprintln!("{connections} connections in all");
    assert!(connections < 150, "{connections} connections: it was asked again and again");
}

/// A tarpit gets no more connections than it had at first.
#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_is_not_given_more_connections() {
    let tarpit = Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_secs(3)));
    let bench = Bench::open(Backend::Sqlite, Plan::new(1_000, 32), tarpit).await.unwrap();
    let _sender = bench.sender();
    bench.reaches(4, Duration::from_secs(30)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(bench.peer.most_open() <= 3, "{} connections", bench.peer.most_open());
}

/// A deferred message whose retry would come after the next issue.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_tried_with_an_issue_that_the_next_one_replaced() {
    let grey = Script::default().at(Said::Recipient, "reader1@reader.example", 1, Action::reply("450 4.2.0 later"));
    let peer = Peer::start(grey).await;
    let relay = smtp(peer.port(), 2)
        .replace("[mail.smtp]", "retry_first = \"2d\"\nretry_most = \"9d\"\nretry_period = \"20d\"\n[mail.smtp]");
    let mut app = TestApp::start_on(None, &relay).await;
    let first = mail_a_crowd(&mut app, 3).await;
    app.send().await;
    app.write_issue("more.md", "More", "2026-03-02", "Again.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(7 * 86_400));
    app.schedule().await;
    app.send().await;
    let view = app.app().store.mailing(first).await.unwrap().unwrap();
    assert_eq!((view.state, view.books.accepted, view.books.skipped), (MailingState::Finished, 2, 1));
    assert_eq!(peer.copies()["reader1@reader.example"], 1, "the newer one only");
    let reason = "SELECT COUNT(*) FROM delivery WHERE event = 'skipped' AND reply LIKE 'replaced by the next issue%'";
    assert_eq!(super::count(&app.database, reason).await, 1);
}

/// One relay takes its time over a content and the other is down: the message on its way keeps its lease, and nobody gets it twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reply_is_waited_for_although_the_other_relay_is_down() {
    let contents = std::sync::atomic::AtomicUsize::new(0);
    let slow = Script::default().rule(move |event| {
        let first = event.said == Said::Content && contents.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
        first.then_some(Action::CommitAndWait(Duration::from_secs(9)))
    });
    let slow = Peer::start(slow).await;
    let useless = Action::After(Duration::from_secs(6), Box::new(Action::Drop));
    let useless = Peer::start(Script::default().on(Said::Connect, useless)).await;
    let extra = format!(
        "{}[mail.relays.useless]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
        smtp(slow.port(), 1),
        useless.port()
    );
    let mut app = TestApp::start_on(None, &extra).await;
    let mailing = mail_a_crowd(&mut app, 100).await;
    let _sender = super::serve(&app, "sender", &[]);
    eventually(Duration::from_secs(60), "all have it", async || {
        app.app().store.mailing(mailing).await.unwrap().unwrap().state == MailingState::Finished
    })
    .await;
    assert_eq!(slow.count(), 100, "{:?}", slow.copies());
}
