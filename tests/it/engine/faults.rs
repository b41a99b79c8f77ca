//! SQLite: a process that dies, or whose disk fails, at its first, second, third... write to a file or a socket.
//!
//! No hooks in the product: a small library (`tests/support/faults.c`) is loaded before the C library's calls. Every boundary
//! between two statements of the sender and the ledger has such a call on each side, and so has every boundary within a commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tidings::chance::Chance;
use tidings::store::{MailingState, Store};
use tidings::types::{MailingId, Secret};
use tokio::time::Instant;

use super::{Dice, PEOPLE, Plan, TWO_BATCHES, few, ledger, mail_to, promise, scale};
use crate::crowd;
use crate::harness::{Process, TestApp, there, tidings};
use crate::smtp::{Action, Peer, Said, Script};

/// Connections for digests; a third is kept for confirmations.
const CONNECTIONS: usize = 2;

/// Cases under way at the same time: they mostly wait.
const AT_ONCE: usize = 6;

/// What goes wrong. The numbers are those of `faults.c`.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillBefore,
    KillAfter,
    /// One call fails: EIO.
    Broken,
    /// Some calls in a row fail: ENOSPC.
    Full,
}

impl Fault {
    fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }

    /// Mode, number of calls, errno.
    fn numbers(self) -> [i64; 3] {
        match self {
            Self::KillBefore => [1, 1, 0],
            Self::KillAfter => [2, 1, 0],
            Self::Broken => [3, 1, 5],
            Self::Full => [3, 25, 28],
        }
    }
}

/// An open mailing on a database that each case has a copy of.
struct Stage {
    app: TestApp,
    library: PathBuf,
    mailing: MailingId,
    people: Vec<usize>,
}

/// One case: its own copy of the database, relay and plan of faults.
struct Case {
    directory: tempfile::TempDir,
    database: String,
    peer: Peer,
}

/// What a run came to.
struct Run {
    /// Calls that went wrong.
    hits: i64,
    calls: i64,
    doubled: usize,
}

impl Stage {
    /// `None`, after saying so, where there is no C compiler.
    async fn set() -> Option<Self> {
        let plan = Plan::new(PEOPLE, CONNECTIONS + 1);
        let extra = format!(
            "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nconnections = {}\n",
            plan.connections
        );
        let mut app = TestApp::start_on(None, &extra).await;
        let library = app.path("faults.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faults.c");
        let compiler =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        if !there(compiler.is_ok_and(|status| status.success()), "cc, a C compiler,") {
            return None;
        }
        let people = few(app.app().store.buckets());
        let mailing = mail_to(&mut app, people.iter().copied()).await;
        let template = app.path("template.db");
        crowd::run(&app.database, format!("{TWO_BATCHES}; VACUUM INTO '{}'", template.display())).await;
        Some(Self { app, library, mailing, people })
    }

    async fn case(&self) -> Case {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tidings.db");
        std::fs::copy(self.app.path("template.db"), &file).unwrap();
        // It has the message for a moment before it says so: who dies then is in doubt.
        let slow = Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(5)));
        Case { directory, database: format!("sqlite:{}", file.display()), peer: Peer::start(slow).await }
    }

    /// A sender on a case's database; with faults, from its first call on.
    fn sender(&self, case: &Case, faults: bool) -> Process {
        let log = |name: &str| {
            let path = case.directory.path().join(name);
            std::fs::File::options().create(true).append(true).open(path).unwrap()
        };
        let mut command = tidings(self.app.directory.path());
        command.args(["--config", "tidings.toml", "serve", "--roles", "sender"]);
        command.env("TIDINGS_DATABASE__URL", &case.database);
        command.env("TIDINGS_MAIL__SMTP__PORT", case.peer.port().to_string());
        if faults {
            command.env("LD_PRELOAD", &self.library).env("FAULTS", case.plan());
        }
        Process(command.stdin(Stdio::null()).stdout(log("greeting")).stderr(log("log")).spawn().unwrap())
    }

    /// Runs a case.
    async fn run(&self, fault: Fault, at: i64) -> Run {
        let case = self.case().await;
        let [mode, times, errno] = fault.numbers();
        case.write(&[0, 0, mode, at, times, errno]);
        let mut process = self.sender(&case, true);
        let died = case.finishes_or_dies(&mut process, self.mailing).await;
        let [calls, hits, ..] = case.read();
        // Its last calls may come when the mailing is finished.
        let struck = fault.kills() && hits > 0;
        if struck && !died {
            process.wait(Duration::from_secs(10));
        }
        let died = died || struck;
        let alive = case.file("greeting").contains("Stop with Ctrl-C.");
        // A database that cannot be opened ends a process before it begins, with a message; after that nothing does but a signal.
        assert!(!died || fault.kills() || !alive, "{fault:?} at {at} ended the process:\n{}", case.file("log"));
        drop(process);
        let _restarted = died.then(|| self.sender(&case, false));
        if died {
            // Nobody waits half a minute for the lease of a node that is known to be dead.
            crowd::run(&case.database, "UPDATE batch SET lease_until = 0 WHERE state = 'leased'".into()).await;
            case.finishes(self.mailing).await;
        }
        let doubled = self.compare(&case, fault, at).await;
        Run { hits, calls, doubled }
    }

    /// How many messages came twice.
    async fn compare(&self, case: &Case, fault: Fault, at: i64) -> usize {
        let store = case.store().await;
        let view = store.mailing(self.mailing).await.unwrap().unwrap();
        let people = self.people.iter().map(|n| format!("reader{n}@reader.example"));
        let copies = case.peer.copies();
        let ledger = ledger(&case.database, self.mailing).await;
        let doubled = promise(people, copies, &ledger, &view.books);
        let extra: usize = doubled.values().map(|copies| copies - 1).sum();
        let most = if fault.kills() { CONNECTIONS } else { 0 };
        assert!(extra <= most, "{fault:?} at {at} doubled {doubled:?}:\n{}", case.file("log"));
        assert_eq!(view.books.accepted, i64::try_from(PEOPLE).unwrap());
        store.close().await;
        extra
    }
}

impl Case {
    fn plan(&self) -> PathBuf {
        self.directory.path().join("faults")
    }

    fn write(&self, numbers: &[i64; 6]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        std::fs::write(self.plan(), bytes).unwrap();
    }

    fn read(&self) -> [i64; 6] {
        let bytes = std::fs::read(self.plan()).unwrap();
        let mut numbers = bytes.chunks_exact(8).map(|bytes| i64::from_ne_bytes(bytes.try_into().unwrap()));
        std::array::from_fn(|_| numbers.next().unwrap())
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    async fn store(&self) -> Store {
        Store::open(&Secret::new(self.database.clone()), &Chance::system()).await.unwrap()
    }

    async fn is_finished(&self, mailing: MailingId) -> bool {
        let sql = format!("SELECT COUNT(*) FROM mailing WHERE mailing_id = '{mailing}' AND state = 'finished'");
        super::count(&self.database, &sql).await == 1
    }

    /// True when the process dies, which may be with the mailing's end.
    async fn finishes_or_dies(&self, process: &mut Process, mailing: MailingId) -> bool {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            if process.0.try_wait().unwrap().is_some() {
                return true;
            }
            if self.is_finished(mailing).await {
                return false;
            }
            assert!(Instant::now() < end, "the mailing neither ends nor dies:\n{}", self.file("log"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn finishes(&self, mailing: MailingId) {
        let end = Instant::now() + Duration::from_secs(90);
        while !self.is_finished(mailing).await {
            assert!(Instant::now() < end, "the mailing does not end after a restart:\n{}", self.file("log"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let view = self.store().await.mailing(mailing).await.unwrap().unwrap();
        assert_eq!(view.state, MailingState::Finished);
    }
}

/// One fault at every call, or in the short form at some of them.
async fn at_every_call(fault: Fault, sample: usize) {
    let Some(stage) = Stage::set().await else { return };
    let stage = Arc::new(stage);
    // A run that is never hit says how many calls there are.
    let Run { hits, calls, .. } = stage.run(fault, i64::MAX / 2).await;
    assert!(hits == 0 && calls > 50, "{calls} calls");
    let mut dice = Dice::new("faults");
    let stride = if scale(0, 1) == 1 { 1 } else { (calls / i64::try_from(sample).unwrap()).max(1) };
    let mut at = 1 + i64::try_from(dice.roll(stride.unsigned_abs())).unwrap();
    let (mut cases, mut runs, mut struck, mut doubled) = (tokio::task::JoinSet::new(), 0, 0, 0);
    // No two runs have exactly the same number of calls; one that is not hit is a mailing without trouble.
    while at <= calls || !cases.is_empty() {
        while at <= calls && cases.len() < AT_ONCE {
            let stage = Arc::clone(&stage);
            cases.spawn(async move { stage.run(fault, at).await });
            at += stride;
        }
        let run = cases.join_next().await.unwrap().unwrap();
        struck += usize::from(run.hits > 0);
        doubled += run.doubled;
        runs += 1;
    }
    eprintln!("{fault:?}: {calls} calls, struck in {struck} of {runs} runs; {doubled} messages were doubled");
    assert!(struck * 10 >= runs * 8, "it struck in {struck} of {runs} runs");
    assert!(doubled > 0 || !fault.kills(), "some process must have died between a message and its record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_before_any_write_loses_nobody_and_lists_whom_it_doubles() {
    at_every_call(Fault::KillBefore, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_after_any_write_loses_nobody_and_lists_whom_it_doubles() {
    at_every_call(Fault::KillAfter, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_at_any_write_loses_and_doubles_nobody_and_ends_no_process() {
    at_every_call(Fault::Broken, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_any_write_loses_and_doubles_nobody_and_ends_no_process() {
    at_every_call(Fault::Full, 15).await;
}
