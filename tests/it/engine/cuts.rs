//! PostgreSQL: the connection is cut at the first, second, third... message that the sender says to its database, before the
//! server has it or before the answer comes back. The process lives, so nobody may get anything twice. Two relays share the mailings,
//! so that what goes wrong for one of them must not disturb the other.

use std::sync::Arc;
use std::time::Duration;

use tidings::chance::Chance;
use tidings::store::{Lane as StoreLane, MailingState, Store};
use tidings::types::{MailingId, NodeId, Secret};
use tokio::time::Instant;

use super::{Dice, PEOPLE, TWO_BATCHES, few, ledger, mail_to, promise, scale, serve};
use crate::crowd;
use crate::harness::{Process, TestApp};
use crate::postgres::Server;
use crate::proxy::{Lost, Proxy, Target};
use crate::smtp::{Action, Peer, Said, Script};

/// Processes at once, each with a database of its own: they mostly wait.
const LANES: u64 = 4;

/// A living sender, and mailings for it one after the other.
struct Lane {
    app: TestApp,
    process: Process,
    proxy: Proxy,
    relays: [Peer; 2],
    store: Store,
    template: MailingId,
    people: Vec<usize>,
    mailings: u64,
}

impl Lane {
    async fn start(server: &Server) -> Self {
        let slow = |millis| Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(millis)));
        let relays = [Peer::start(slow(5)).await, Peer::start(slow(20)).await];
        let database = server.fresh_database("").await;
        let extra = format!(
            "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nconnections = 3\n\
             [mail.relays.second]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
            relays[0].port(),
            relays[1].port()
        );
        let mut app = TestApp::start_on(Some(database.clone()), &extra).await;
        let people = few(app.app().store.buckets());
        let template = mail_to(&mut app, people.iter().copied()).await;
        crowd::run(&database, format!("{TWO_BATCHES}; UPDATE mailing SET state = 'cancelled', reason = ''")).await;
        let proxy = Proxy::counting(Target::Socket(server.socket())).await;
        let name = database.split(['/', '?']).nth(3).unwrap();
        let through = format!("postgres://tidings@127.0.0.1:{}/{name}?sslmode=disable", proxy.port);
        let process = serve(&app, "sender", &[("TIDINGS_DATABASE__URL", &through)]);
        let store = app.another_store().await;
        let mut lane = Self { app, process, proxy, relays, store, template, people, mailings: 0 };
        // The process is up when it has sent something.
        lane.mail(None).await;
        lane
    }

    /// One mailing, with a cut at a message or without; how many messages it took.
    async fn mail(&mut self, cut: Option<(u64, Lost)>) -> u64 {
        self.mailings += 1;
        let (number, template) = (self.mailings, self.template);
        let mailing = format!("{:016}", number);
        let occurrence = format!("2031-01-{:02}T{:02}:{:02}:00", 1 + number / 1440, number / 60 % 24, number % 60);
        let committed = self.relays.each_ref().map(Peer::count);
        let (before, _) = self.proxy.counted();
        if let Some((at, lost)) = cut {
            self.proxy.aim(at, lost);
        }
        crowd::run(
            &self.app.database,
            format!(
                "BEGIN; INSERT INTO mailing (mailing_id, kind, newsletter, cadence, occurrence, state, subject, letter, cut, request, \
                 opened_at, turn, sampled, sampled_at) SELECT '{mailing}', kind, newsletter, cadence, '{occurrence}', 'open', \
                 subject, letter, cut, request, opened_at, 0, 0, 0 FROM mailing WHERE mailing_id = '{template}'; \
                 INSERT INTO batch (bucket, mailing_id, batch, first_subscriber, last_subscriber, state, due_at, owner, epoch, \
                 lease_until, done) SELECT bucket, '{mailing}', batch, first_subscriber, last_subscriber, state, due_at, owner, \
                 epoch, lease_until, 0 FROM batch WHERE mailing_id = '{template}'; COMMIT;"
            ),
        )
        .await;
        let end = Instant::now() + Duration::from_secs(90);
        let finished = format!("SELECT COUNT(*) FROM mailing WHERE mailing_id = '{mailing}' AND state = 'finished'");
        while super::count(&self.app.database, &finished).await == 0 {
            let log = || std::fs::read_to_string(self.app.path("log")).unwrap_or_default();
            assert!(self.process.0.try_wait().unwrap().is_none(), "{cut:?} ended the process:\n{}", log());
            assert!(Instant::now() < end, "the mailing does not end after {cut:?}:\n{}", log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let (after, _) = self.proxy.counted();
        let mut copies = std::collections::BTreeMap::new();
        for (relay, committed) in self.relays.iter().zip(committed) {
            for mail in relay.committed().split_off(committed) {
                *copies.entry(mail.to).or_default() += 1;
            }
        }
        let view = self.store.mailing(MailingId::parse(&mailing).unwrap()).await.unwrap().unwrap();
        let people = self.people.iter().map(|n| format!("reader{n}@reader.example"));
        let doubled = promise(people, copies, &ledger(&self.app.database, &mailing).await, &view.books);
        assert!(doubled.is_empty(), "{cut:?} doubled {doubled:?}");
        assert_eq!((view.state, view.books.accepted), (MailingState::Finished, i64::try_from(PEOPLE).unwrap()));
        after - before
    }
}

async fn at_every_message(lost: Lost, sample: u64) {
    let Some(server) = Server::start() else { return };
    let mut lanes = tokio::task::JoinSet::new();
    let server = Arc::new(server);
    let start = Dice::new("cuts at messages").roll(u64::MAX);
    for number in 0..LANES {
        let server = Arc::clone(&server);
        lanes.spawn(async move {
            let mut lane = Lane::start(&server).await;
            // Idle looks count too, so that no two mailings take the same number.
            let mut messages = u64::MAX;
            for _ in 0..3 {
                messages = messages.min(lane.mail(None).await);
            }
            assert!(messages > 100, "{messages} messages");
            let stride = if scale(0, 1) == 1 { 1 } else { (messages / sample).max(1) };
            let (mut at, mut cuts) = (1 + start % stride + number * stride, 0);
            while at <= messages {
                lane.mail(Some((at, lost))).await;
                cuts += 1;
                at += LANES * stride;
            }
            let (_, struck) = lane.proxy.counted();
            (messages, cuts, struck)
        });
    }
    let (mut messages, mut cuts, mut struck) = (0, 0, 0);
    while let Some(done) = lanes.join_next().await {
        let lane = done.unwrap();
        messages = lane.0.max(messages);
        (cuts, struck) = (cuts + lane.1, struck + lane.2);
    }
    eprintln!("{lost:?} lost: {messages} messages, {struck} of {cuts} mailings were cut");
    assert!(struck * 10 >= cuts * 7, "{struck} of {cuts} mailings were cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_message_to_the_database_may_be_lost_and_nobody_is_lost_or_doubled() {
    at_every_message(Lost::Message, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_answer_of_the_database_may_be_lost_and_nobody_is_lost_or_doubled() {
    at_every_message(Lost::Answer, 40).await;
}

/// A lease that was committed and never heard of belongs to this process and is used by nobody: it must not stand until it expires.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_answer_was_lost_is_free_at_once() {
    let Some(server) = Server::start() else { return };
    let database = server.fresh_database("").await;
    let mut app = TestApp::start_on(Some(database.clone()), "").await;
    let people = few(app.app().store.buckets());
    mail_to(&mut app, people.iter().copied()).await;
    crowd::run(&database, TWO_BATCHES.to_owned()).await;
    let proxy = Proxy::counting(Target::Socket(server.socket())).await;
    let name = database.split(['/', '?']).nth(3).unwrap();
    let through = format!("postgres://tidings@127.0.0.1:{}/{name}?sslmode=disable", proxy.port);
    let chance = Chance::system();
    let store = Store::open(&Secret::new(through), &chance).await.unwrap();
    let node = NodeId::from_bytes(chance.bytes().unwrap());
    let lease =
        async || store.lease(node, StoreLane::Digests, &[], Duration::from_secs(30), app.app().clock.now()).await;
    let (mut cuts, mut lost) = (0, 0);
    // A lease takes some 16 messages, the last of which is its COMMIT; a few more or less, when a connection is looked at first.
    while lost < 2 {
        cuts += 1;
        assert!(cuts < 300, "{lost} leases were lost in {cuts} cuts");
        proxy.aim(1 + cuts % 18, Lost::Answer);
        let result = lease().await;
        if result.is_err() {
            let leased = "SELECT COUNT(*) FROM batch WHERE state = 'leased'";
            lost += super::count(&database, leased).await;
        }
        let mut held: Vec<_> = result.ok().flatten().into_iter().collect();
        for _ in 0..4 {
            held.extend(lease().await.ok().flatten());
        }
        assert_eq!(held.len(), 2, "after cut {cuts} a batch is nobody's");
        for lease in &held {
            store.give_back(lease).await.unwrap();
        }
    }
}
