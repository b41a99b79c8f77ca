//! The whole engine: the real program with its sender, a database whose writes are durable, and an open mailing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use tidings::chance::Chance;
use tidings::clock::Clock;
use tidings::message::{Compiled, Letter, List, Recipient, Signers, UNSUBSCRIBE_TOKEN};
use tidings::store::{NewMailing, Store};
use tidings::types::{
    Bucket, CadenceId, EmailAddress, Fields, InstallKey, MailingId, NewsletterId, Secret, SubscriberId,
};

use crate::crowd::{count, crowd};
use crate::{SIZE, processor};

/// A letter's HTML part and its text part have so many lines, which makes a message of [`SIZE`](crate::SIZE); [`weigh`] sees to it.
const LINES: usize = 266;
const LINE: &str = "<p>Releases, reading, <a href=\"https://news.example/a\">thanks</a> and a table of numbers</p>\n";

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    None,
    Rsa,
    Ed25519,
    Both,
}

/// A mailing and how it is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    pub port: u16,
    pub people: usize,
    pub connections: usize,
    pub keys: Keys,
    /// Threads that speak SMTP, and as many that make messages and sign them.
    pub threads: usize,
    pub chunking: bool,
    /// PostgreSQL in place of a file.
    pub database: Option<String>,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Messages a second, from the first row of the ledger to the last.
    pub rate: f64,
    /// Processor time of the program for one message, in microseconds.
    pub cost: f64,
    /// The most memory that was resident, in MiB.
    pub peak: f64,
    /// The rate of the last tenth over that of the first.
    pub tail: f64,
}

/// Makes an install, opens a mailing, and lets the program send it.
pub async fn run(plan: &Plan) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", directory.path().join("tidings.db").display());
    let database = plan.database.clone().unwrap_or(file);
    configure(plan, directory.path(), &database);
    let mailing = open(plan, &database).await;
    let program = Program::start(plan, directory.path());
    let left = format!("SELECT COUNT(*) FROM batch WHERE mailing_id = '{mailing}' AND state <> 'done'");
    while count(&database, &left).await > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (spent, peak) = program.usage();
    drop(program);
    let accepted = format!("FROM delivery WHERE mailing_id = '{mailing}' AND event = 'accepted'");
    let people = count(&database, &format!("SELECT COUNT(*) {accepted}")).await;
    assert_eq!(people, i64::try_from(plan.people).unwrap(), "all are accepted");
    let at = async |place: i64| {
        count(&database, &format!("SELECT at {accepted} ORDER BY at LIMIT 1 OFFSET {place}")).await as f64
    };
    let start = count(&database, &format!("SELECT MIN(at) FROM delivery WHERE mailing_id = '{mailing}'")).await as f64;
    let (tenth, end) = (people / 10, at(people - 1).await);
    let (first, last) = (at(tenth).await - start, end - at(people - 1 - tenth).await);
    let messages = people as f64;
    Ran { rate: messages * 1_000.0 / (end - start), cost: spent * 1e6 / messages, peak, tail: first / last }
}

/// The program while it sends.
struct Program(Child);

impl Program {
    fn start(plan: &Plan, directory: &Path) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
        program.args(["--config", "tidings.toml", "serve", "--roles", "sender"]).current_dir(directory);
        program.env("TOKIO_WORKER_THREADS", plan.threads.to_string()).env("TIDINGS_LOG", "warn");
        Self(program.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Seconds of processor time, and MiB.
    fn usage(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        (processor::of(self.0.id()), peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An RSA-2048 and an Ed25519 key, as the program makes them.
pub fn keys(directory: &Path) -> [PathBuf; 2] {
    let mut keygen = Command::new(env!("CARGO_BIN_EXE_tidings"));
    keygen.args(["dkim", "keygen", "news.example", "bench", "--directory"]).arg(directory);
    assert!(keygen.stdout(Stdio::null()).status().unwrap().success());
    ["rsa", "ed25519"].map(|kind| directory.join(format!("bench-{kind}.pem")))
}

fn configure(plan: &Plan, directory: &Path, database: &str) {
    let [rsa, ed25519] = keys(directory).map(|path| path.display().to_string());
    let keys = match plan.keys {
        Keys::None => String::new(),
        Keys::Rsa => format!("rsa = {rsa:?}"),
        Keys::Ed25519 => format!("ed25519 = {ed25519:?}"),
        Keys::Both => format!("rsa = {rsa:?}, ed25519 = {ed25519:?}"),
    };
    let text = format!(
        r#"
[server]
url = "https://news.example/"
public = "127.0.0.1:0"
private = "127.0.0.1:0"
[database]
url = {database:?}
[mail]
transport = "smtp"
[mail.smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
connections = {connections}
messages = 1000000
chunking = {chunking:?}
[newsletters.weekly]
title = "The Weekly"
from = "The Weekly <news@news.example>"
dkim_keys = {{ {keys} }}
[newsletters.weekly.source]
directory = "issues"
[newsletters.weekly.cadences.mondays]
title = "Every Monday"
cron = "0 9 * * 1"
"#,
        port = plan.port,
        // One is kept for confirmations.
        connections = plan.connections + 1,
        chunking = if plan.chunking { "offered" } else { "no" },
    );
    std::fs::write(directory.join("tidings.toml"), text).unwrap();
}

/// A mailing to everyone, open.
async fn open(plan: &Plan, database: &str) -> MailingId {
    let chance = Chance::system();
    let store = Store::open(&Secret::new(database.to_owned()), &chance).await.unwrap();
    let newsletter = NewsletterId::parse("weekly").unwrap();
    let cadence = CadenceId::parse("mondays").unwrap();
    crowd(database, store.buckets(), "weekly", "mondays", plan.people).await;
    let last = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap().and_hms_opt(9, 0, 0).unwrap();
    let now = Clock::system().now();
    let last = store.cadence_state(&newsletter, &cadence, now, last).await.unwrap().last;
    let mailing = NewMailing {
        mailing: MailingId::from_bytes(chance.bytes().unwrap()),
        newsletter,
        cadence,
        occurrence: last + chrono::Duration::days(7),
        last,
        issues: Vec::new(),
        letter: letter(),
        now,
    };
    assert!(store.open_mailing(&mailing).await.unwrap());
    mailing.mailing
}

/// Makes sure that a message is as large as those that it is compared with.
pub fn weigh() {
    let key = InstallKey::new(&[1; 32]);
    let compiled = Compiled::new(MailingId::from_bytes([5; 10]), &letter(), &key, &Signers::default()).unwrap();
    let recipient = Recipient {
        bucket: Bucket::new(3),
        subscriber: SubscriberId::from_bytes([9; 10]),
        address: EmailAddress::parse("reader12345@reader.example").unwrap(),
        request: 0,
        fields: Fields::default(),
    };
    let size = compiled.splice(&recipient).unwrap().bytes().len();
    assert!(size.abs_diff(SIZE) < SIZE / 100, "a message has {size} bytes, and should have {SIZE}");
}

/// What a reader's message is made of: the HTML part, with NAME where the reader's name stands.
pub fn html() -> String {
    format!("<p>Hello NAME,</p>\n{}", LINE.repeat(LINES))
}

fn letter() -> Letter {
    let link = format!("https://news.example/unsubscribe/{UNSUBSCRIBE_TOKEN}");
    let name = tidings::message::field_slot("name", "reader");
    let html = html().replace("NAME", &name);
    let text = format!("Hello {name},\n{}", "Releases, reading, thanks and a table of numbers\n".repeat(LINES));
    Letter {
        newsletter: "weekly".into(),
        from_name: Some("The Weekly".into()),
        from: "news@news.example".into(),
        sender: None,
        reply_to: None,
        bounce_domain: None,
        complaint_address: None,
        return_path: "bounces@news.example".into(),
        subject: "The Weekly, number 42".into(),
        html: format!("{html}<p><a href=\"{link}\">Unsubscribe</a></p>\n"),
        text: format!("{text}\nUnsubscribe: {link}\n"),
        date: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        domain: "news.example".into(),
        language: "en".into(),
        list: Some(List {
            id: "weekly.news.example".into(),
            title: "The Weekly".into(),
            unsubscribe: "https://news.example/unsubscribe/".into(),
            unsubscribe_address: None,
            help: "https://news.example/preferences/".into(),
            owner: "editor@news.example".into(),
            archive: "https://news.example/".into(),
            archived_at: None,
        }),
    }
}
