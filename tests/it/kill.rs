//! Real processes, killed and stopped in the middle of a mailing of 2,000.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use tidings::chance::Chance;
use tidings::store::{MailingState, Store};
use tidings::subscription::{Consent, ConsentSource};
use tidings::types::{CadenceId, EmailAddress, MailingId, NewsletterId, Secret};

use crate::harness::{Backend, Process, TestApp, eventually, tidings};
use crate::smtp::{Action, Peer, Said, Script};

const PEOPLE: usize = 2_000;
const CONNECTIONS: usize = 8;

/// An install with an open mailing to [`PEOPLE`] and a relay that commits a message, waits, and then answers.
async fn open_mailing(backend: Backend) -> Option<(TestApp, Peer, MailingId)> {
    let slow = Action::CommitAndWait(Duration::from_millis(5));
    let peer = Peer::start(Script::default().on(Said::Content, slow)).await;
    let extra = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nconnections = {CONNECTIONS}\n",
        peer.port()
    );
    let mut app = TestApp::start_with(backend, &extra).await?;
    app.watch().await.unwrap();
    app.schedule().await;
    let consent = Consent { source: ConsentSource::Import, note: "test".into() };
    let (newsletter, cadence) = (NewsletterId::parse("weekly").unwrap(), CadenceId::parse("mondays").unwrap());
    for number in 0..PEOPLE {
        let address = EmailAddress::parse(&format!("reader{number}@reader.example")).unwrap();
        let now = app.clock.now();
        app.app().store.add(&newsletter, &cadence, &address, &consent, now, &Chance::system()).await.unwrap();
    }
    app.write_issue("news.md", "News", "2026-03-02", "Hello.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    let mailing = app.mailings().await[0].mailing;
    Some((app, peer, mailing))
}

/// A real sender process on the install's database.
fn start_sender(app: &TestApp) -> Process {
    let child = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "serve", "--roles", "sender"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

async fn store(app: &TestApp) -> Store {
    Store::open(&Secret::new(app.database.clone()), &Chance::system()).await.unwrap()
}

async fn finished(store: &Store, mailing: MailingId) -> bool {
    store.mailing(mailing).await.unwrap().unwrap().state == MailingState::Finished
}

fn copies(peer: &Peer) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for mail in peer.committed() {
        *copies.entry(mail.to).or_default() += 1;
    }
    copies
}

async fn kill_nine(backend: Backend) {
    let Some((app, peer, mailing)) = open_mailing(backend).await else { return };
    let store = store(&app).await;
    let mut kills = 0;
    let mut doubted = BTreeSet::new();
    for threshold in [300, 900, 1500] {
        let sender = start_sender(&app);
        eventually(Duration::from_secs(90), "the sender reaches the next kill", async || {
            peer.committed().len() >= threshold
        })
        .await;
        drop(sender); // SIGKILL
        kills += 1;
        let doubts = store.doubts(mailing, 10_000).await.unwrap();
        doubted.extend(doubts.iter().map(|(subscriber, _)| *subscriber));
        assert!(doubts.len() <= kills * CONNECTIONS, "at most one a connection: {} after {kills} kills", doubts.len());
    }
    let _last = start_sender(&app);
    eventually(Duration::from_secs(120), "the mailing finishes", async || finished(&store, mailing).await).await;

    let copies = copies(&peer);
    assert_eq!(copies.len(), PEOPLE, "nobody is lost");
    let doubled: Vec<_> = copies.iter().filter(|(_, n)| **n > 1).map(|(to, _)| to.clone()).collect();
    assert!(doubled.len() <= kills * CONNECTIONS, "{} doubled", doubled.len());
    let listed: BTreeSet<_> =
        store.doubts(mailing, 10_000).await.unwrap().into_iter().map(|(subscriber, _)| subscriber).collect();
    assert!(!listed.is_empty(), "every kill met messages that were committed and not answered");
    assert!(doubted.is_subset(&listed), "the list does not forget");
    let everyone = store.list(None, None, PEOPLE + 1).await.unwrap();
    for to in doubled {
        let person =
            everyone.iter().find(|l| l.subscription.address.as_ref().is_some_and(|a| a.expose() == to)).unwrap();
        assert!(listed.contains(&person.subscription.subscriber), "a doubled delivery is not in the list of doubts");
    }
    let books = store.mailing(mailing).await.unwrap().unwrap().books;
    assert!(books.balance() && books.accepted == i64::try_from(PEOPLE).unwrap(), "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nobody_and_doubles_at_most_one_a_connection_on_sqlite() {
    kill_nine(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nobody_and_doubles_at_most_one_a_connection_on_postgresql() {
    kill_nine(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_flight_and_leaves_nothing_in_doubt() {
    let (app, peer, mailing) = open_mailing(Backend::Sqlite).await.unwrap();
    let store = store(&app).await;
    for threshold in [300, 900] {
        let mut sender = start_sender(&app);
        eventually(Duration::from_secs(90), "the sender is in the middle", async || {
            peer.committed().len() >= threshold
        })
        .await;
        sender.signal("TERM");
        assert!(sender.wait(Duration::from_secs(30)).success());
        assert_eq!(store.doubts(mailing, 100).await.unwrap(), [], "nothing is in doubt");
    }
    let _last = start_sender(&app);
    eventually(Duration::from_secs(90), "the mailing finishes", async || finished(&store, mailing).await).await;
    let copies = copies(&peer);
    assert_eq!(copies.len(), PEOPLE);
    assert!(copies.values().all(|n| *n == 1), "nobody got it twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mailing_stops_at_once_and_goes_on_where_it_was() {
    let (app, peer, mailing) = open_mailing(Backend::Sqlite).await.unwrap();
    let store = store(&app).await;
    let _sender = start_sender(&app);
    eventually(Duration::from_secs(90), "the sender is in the middle", async || peer.committed().len() >= 500).await;
    let run = |verb: &str| {
        let output = tidings(app.directory.path())
            .args(["--config", "tidings.toml", verb, &mailing.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("pause");
    // What was handed before the pause is finished.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (taken, connections) = (peer.committed().len(), peer.connections());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((peer.committed().len(), peer.connections()), (taken, connections), "nothing moves");
    assert!(taken < PEOPLE);
    assert_eq!(store.doubts(mailing, 100).await.unwrap(), []);
    run("resume");
    eventually(Duration::from_secs(90), "the mailing finishes", async || finished(&store, mailing).await).await;
    let copies = copies(&peer);
    assert!(copies.len() == PEOPLE && copies.values().all(|n| *n == 1));
}
