//! The sending engine under fire: real `tidings` processes, a scripted relay, and what the relay committed compared with
//! the ledger and the audience.
//!
//! What is random comes from a printed seed; `TIDINGS_TEST_SEED=N` runs the same way again. `TIDINGS_TEST_LONG=1` runs the long form of every test:
//! `TIDINGS_TEST_LONG=1 cargo test --release --test it engine:: -- --test-threads 2 --nocapture`.

mod control;
mod cuts;
mod disk;
mod doubt;
mod faults;
mod kill;
mod limits;
mod opening;
mod postgres;
mod rates;
mod refusals;
mod relays;
mod replies;
mod resets;
mod several;
mod tarpit;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tidings::chance::Chance;
use tidings::delivery::books::Books;
use tidings::store::{MailingState, MailingView, Store};
use tidings::types::{EmailAddress, MailingId, Secret};

pub use crate::crowd::count;
use crate::crowd::crowd_of;
use crate::harness::{Backend, Process, TestApp, eventually, tidings};
use crate::smtp::{Peer, Script};

/// A number for the short form of a test and one for its long form.
#[allow(clippy::disallowed_methods)] // a test asks the environment how long it may take
pub fn scale(short: usize, long: usize) -> usize {
    if std::env::var("TIDINGS_TEST_LONG").is_ok_and(|value| value == "1") { long } else { short }
}

/// Random numbers that can be had again (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// From `TIDINGS_TEST_SEED`, else fresh; printed, so that it is there when the test fails.
    #[allow(clippy::disallowed_methods)] // see above
    pub fn new(test: &str) -> Self {
        let given = std::env::var("TIDINGS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(u32::from_be_bytes(Chance::system().bytes().unwrap())));
        eprintln!("{test}: TIDINGS_TEST_SEED={seed}");
        Self(seed)
    }

    /// Below `below`.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    pub fn millis(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.roll(below))
    }
}

/// A decision about someone that looks random and is the same whenever it is asked for.
pub fn mark(text: &str, salt: u64) -> u64 {
    let fold = |n: u64, byte: u8| (n ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    Dice(text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ salt, fold)).roll(u64::MAX)
}

/// An install with an open mailing to a crowd, and its relay.
pub struct Bench {
    pub app: TestApp,
    pub peer: Peer,
    pub store: Store,
    pub mailing: MailingId,
    pub people: usize,
}

/// What a bench is made of.
pub struct Plan {
    pub people: usize,
    pub connections: usize,
    /// More lines for `[mail]`, and whole sections after it.
    pub mail: String,
}

impl Plan {
    pub fn new(people: usize, connections: usize) -> Self {
        Self { people, connections, mail: String::new() }
    }

    pub fn mail(self, lines: &str) -> Self {
        Self { mail: lines.to_owned(), ..self }
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub attempt: i64,
    pub step: i64,
    pub event: String,
    pub epoch: i64,
    pub code: Option<i64>,
}

/// Runs a command as an operator does; what it prints.
fn run(bench: &Bench, arguments: &[&str]) -> String {
    let output =
        tidings(bench.app.directory.path()).args(["--config", "tidings.toml"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Bench {
    /// An install with an open mailing to [`Plan::people`]; `None` where PostgreSQL is not installed.
    pub async fn open(backend: Backend, plan: Plan, script: Script) -> Option<Self> {
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(crate::postgres::fresh_database("").await?),
        };
        Some(Self::on(database, plan, script).await)
    }

    /// The same on a database of the test's choice.
    pub async fn on(database: Option<String>, plan: Plan, script: Script) -> Self {
        let peer = Peer::start(script).await;
        let extra = format!(
            "[mail]\ntransport = \"smtp\"\n{}\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nconnections = {}\n",
            plan.mail,
            peer.port(),
            plan.connections
        );
        let mut app = TestApp::start_on(database, &extra).await;
        let mailing = mail_a_crowd(&mut app, plan.people).await;
        let store = app.another_store().await;
        Self { app, peer, store, mailing, people: plan.people }
    }

    /// A real sender process on the install's database.
    pub fn sender(&self) -> Process {
        serve(&self.app, "sender", &[])
    }

    /// A real process that sends and serves feeds, and its URL.
    pub fn web_and_sender(&self) -> (Process, String) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let process = serve(&self.app, "web,sender", &[("TIDINGS_SERVER__PUBLIC", &address)]);
        (process, format!("http://{address}"))
    }

    /// The last lines of what the processes logged.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.app.path("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    pub async fn view(&self) -> MailingView {
        self.store.mailing(self.mailing).await.unwrap().unwrap()
    }

    pub async fn is_finished(&self) -> bool {
        self.view().await.state == MailingState::Finished
    }

    pub async fn finishes(&self, patience: Duration) {
        eventually(patience, "the mailing finishes", async || self.is_finished().await).await;
    }

    /// Waits until the relay has taken so many messages.
    pub async fn reaches(&self, messages: usize, patience: Duration) {
        let what = format!("the relay has taken {messages} messages");
        eventually(patience, &what, async || self.peer.count() >= messages).await;
    }

    /// The addresses of deliveries that were handed and have no recorded reply.
    pub async fn doubts(&self) -> BTreeMap<String, usize> {
        doubts(&self.ledger().await)
    }

    /// The ledger of the mailing by address, in the order of attempts and steps.
    pub async fn ledger(&self) -> Ledger {
        ledger(&self.app.database, self.mailing).await
    }

    /// See [`promise`].
    pub async fn keeps_its_promise(&self) -> BTreeMap<String, usize> {
        let people = (0..self.people).map(|n| format!("reader{n}@reader.example"));
        promise(people, self.peer.copies(), &self.ledger().await, &self.view().await.books)
    }
}

/// Lines of a mailing's ledger by address.
pub type Ledger = BTreeMap<String, Vec<Line>>;

/// The addresses of deliveries in a ledger that were handed and have no recorded reply.
pub fn doubts(ledger: &Ledger) -> BTreeMap<String, usize> {
    let mut doubts = BTreeMap::new();
    for (to, lines) in ledger {
        let answered =
            |handed: &Line| lines.iter().any(|l| l.step == 1 && l.attempt == handed.attempt && l.event != "held");
        let count = lines.iter().filter(|line| line.step == 0 && !answered(line)).count();
        if count > 0 {
            doubts.insert(to.clone(), count);
        }
    }
    doubts
}

/// What must hold whatever happened: nobody is lost, whoever got it more than once is in the list of doubts that often, the ledger
/// says accepted for those only who have it, and the books balance. Who got it more than once.
pub fn promise(
    people: impl ExactSizeIterator<Item = String>,
    copies: BTreeMap<String, usize>,
    ledger: &Ledger,
    books: &Books,
) -> BTreeMap<String, usize> {
    let audience = i64::try_from(people.len()).unwrap();
    let lost = people.filter(|to| !copies.contains_key(to));
    assert_eq!(lost.collect::<Vec<_>>(), [""; 0], "nobody is lost");
    let doubts = doubts(ledger);
    for (to, copies) in &copies {
        let listed = doubts.get(to).copied().unwrap_or_default();
        assert!(*copies <= 1 + listed, "{to} got {copies} and the list of doubts has {listed}");
    }
    assert!(books.balance() && books.audience == audience, "{books:?}");
    for (to, lines) in ledger {
        let accepted = lines.iter().filter(|line| line.event == "accepted").count();
        assert!(accepted <= 1, "{to} is accepted {accepted} times");
        assert!(accepted == 0 || copies.contains_key(to), "{to} is accepted and has nothing");
    }
    copies.into_iter().filter(|(_, copies)| *copies > 1).collect()
}

/// A real process with some of the roles; its log goes to `log` in the install's directory.
pub fn serve(app: &TestApp, roles: &str, environment: &[(&str, &str)]) -> Process {
    let log = std::fs::File::options().create(true).append(true).open(app.path("log")).unwrap();
    let child = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "serve", "--roles", roles])
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    Process(child)
}

/// Opens a mailing to a crowd.
pub async fn mail_a_crowd(app: &mut TestApp, people: usize) -> MailingId {
    mail_to(app, 0..people).await
}

/// Opens a mailing to the readers of these numbers.
pub async fn mail_to(app: &mut TestApp, numbers: impl IntoIterator<Item = usize>) -> MailingId {
    app.watch().await.unwrap();
    app.schedule().await;
    crowd_of(&app.database, app.app().store.buckets(), "weekly", "mondays", numbers).await;
    app.write_issue("news.md", "News", "2026-03-02", "Hello.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    app.mailings().await[0].mailing
}

/// The readers of a mailing that has two batches with something to do: small, and worked on by several connections.
pub fn few(buckets: u16) -> Vec<usize> {
    let bucket =
        |n: &usize| EmailAddress::parse(&format!("reader{n}@reader.example")).unwrap().key().bucket(buckets).number();
    let of = |wanted| (0..).filter(move |n| bucket(n) == wanted).take(PEOPLE / 2);
    of(1).chain(of(2)).collect()
}

/// As many as [`few`] gives.
pub const PEOPLE: usize = 12;

/// Leaves of an open mailing to [`few`] the batches with somebody in them: the others are the same few statements again and again.
pub const TWO_BATCHES: &str = "UPDATE batch SET state = 'done' WHERE NOT EXISTS (SELECT 1 FROM subscriber s \
     WHERE s.bucket = batch.bucket AND s.subscriber_id >= first_subscriber AND s.subscriber_id <= last_subscriber)";

/// The ledger of a mailing by address.
pub async fn ledger(database: &str, mailing: impl std::fmt::Display) -> Ledger {
    let sql = format!(
        "SELECT s.address, d.attempt, d.step, d.event, d.epoch, d.code FROM delivery d JOIN subscriber s \
         ON s.bucket = d.bucket AND s.subscriber_id = d.subscriber_id WHERE d.mailing_id = '{mailing}' \
         ORDER BY d.attempt, d.step"
    );
    let mut ledger = Ledger::new();
    macro_rules! read {
        ($connection:expr) => {{
            let mut connection = $connection.await.unwrap();
            for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap() {
                let (attempt, step, event, epoch, code) = (row.get(1), row.get(2), row.get(3), row.get(4), row.get(5));
                ledger.entry(row.get(0)).or_default().push(Line { attempt, step, event, epoch, code });
            }
            connection.close().await.unwrap();
        }};
    }
    if database.starts_with("sqlite") {
        read!(SqliteConnection::connect(database));
    } else {
        read!(PgConnection::connect(database));
    }
    ledger
}

/// Everyone in a set of doubled deliveries is in the list that operators see.
pub async fn are_listed(bench: &Bench, doubled: &BTreeMap<String, usize>) {
    let doubts = bench.store.doubts(bench.mailing, 1_000_000).await.unwrap();
    let listed: BTreeSet<_> = doubts.into_iter().map(|(subscriber, _)| subscriber).collect();
    let all = bench.store.list(None, None, usize::MAX).await.unwrap();
    for listing in all {
        let person = listing.subscription;
        let address = person.address.map(|address| address.expose().to_owned()).unwrap_or_default();
        assert!(!doubled.contains_key(&address) || listed.contains(&person.subscriber), "{address} is not listed");
    }
}

impl TestApp {
    /// Another node's store on the same database.
    pub async fn another_store(&self) -> Store {
        Store::open(&Secret::new(self.database.clone()), &Chance::system()).await.unwrap()
    }
}
