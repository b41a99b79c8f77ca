//! A scripted SMTP relay for tests. It records a message before it answers, so what it committed is what a real relay
//! would be responsible for, whatever the client got to hear.
//!
//! `let peer = Peer::start(Script::default()).await;` then `peer.port()`, `peer.committed()`.

#![allow(dead_code)] // shared by several test programs; none uses all of it
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helper may fail the test

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use session::Session;

#[path = "session.rs"]
mod session;

/// What the client just said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// It connected.
    Connect,
    /// EHLO.
    Hello,
    /// STARTTLS.
    Starttls,
    /// AUTH, with its answers.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// Content and the final dot.
    Content,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

/// A moment that a script may answer.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was said.
    pub said: Said,
    /// The connection, counted from 1.
    pub connection: usize,
    /// The sender, from MAIL on; empty before.
    pub from: String,
    /// The recipient, from RCPT on; empty before.
    pub to: String,
    /// How many connections are open.
    pub open: usize,
    /// How often this was said with this recipient, over all connections, counted from 1.
    pub time: usize,
}

/// What the peer does.
#[derive(Clone, Debug)]
pub enum Action {
    /// What a willing relay does.
    Willing,
    /// Answers with this reply instead; `550-a\r\n550 b` for several lines. Content is not committed unless it starts with 2.
    Reply(String),
    /// Closes the connection, without committing content.
    Drop,
    /// Commits content and closes the connection without an answer.
    CommitAndDrop,
    /// Commits content, waits, and only then does what a willing relay does: the window in which a killed client is in doubt.
    CommitAndWait(Duration),
    /// Waits, then does something else.
    After(Duration, Box<Action>),
    /// Commits content and resets the connection (RST) without an answer: the client's write may succeed and its read fails.
    CommitAndReset,
    /// Answers like a willing relay, one byte at a time with this pause between two.
    Trickle(Duration),
    /// Never answers.
    Hang,
}

impl Action {
    /// A reply.
    pub fn reply(text: &str) -> Self {
        Self::Reply(text.to_owned())
    }
}

/// Gives an action, or leaves the event to the next rule.
pub type Rule = Arc<dyn Fn(&Event) -> Option<Action> + Send + Sync>;

/// How a peer behaves. By default it takes everything and offers PIPELINING.
#[derive(Clone)]
pub struct Script {
    /// Offer PIPELINING.
    pub pipelining: bool,
    /// Offer STARTTLS, with this server configuration.
    pub starttls: Option<TlsAcceptor>,
    /// Speak TLS from the first byte, with this one.
    pub implicit: Option<TlsAcceptor>,
    /// Offer AUTH with these mechanisms (`PLAIN LOGIN`), and take mail only after it.
    pub login: Option<(String, String, String)>,
    /// Speak LMTP.
    pub lmtp: bool,
    /// Offer CHUNKING.
    pub chunking: bool,
    /// See [`Script::rule`].
    pub rules: Vec<Rule>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            pipelining: true,
            starttls: None,
            implicit: None,
            login: None,
            lmtp: false,
            chunking: false,
            rules: Vec::new(),
        }
    }
}

impl Script {
    /// Adds a rule; the first one that gives an action wins.
    pub fn rule(mut self, rule: impl Fn(&Event) -> Option<Action> + Send + Sync + 'static) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }

    /// Answers everything of one kind with an action.
    pub fn on(self, said: Said, action: Action) -> Self {
        self.rule(move |event| (event.said == said).then(|| action.clone()))
    }

    /// Answers RCPT for one recipient.
    pub fn recipient(self, to: &str, action: Action) -> Self {
        self.at(Said::Recipient, to, usize::MAX, action)
    }

    /// Answers a phase for one recipient, the first `times` times.
    pub fn at(self, said: Said, to: &str, times: usize, action: Action) -> Self {
        let to = to.to_owned();
        self.rule(move |event| (event.said == said && event.to == to && event.time <= times).then(|| action.clone()))
    }

    /// Without PIPELINING.
    pub fn sequential(self) -> Self {
        Self { pipelining: false, ..self }
    }
}

/// A message that the peer took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The connection it came on, counted from 1.
    pub connection: usize,
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// The message, dot-stuffing undone.
    pub bytes: Vec<u8>,
}

/// What a recipient's transaction came to, as the peer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// RCPT, DATA or the content.
    pub said: Said,
    /// The recipient.
    pub to: String,
    /// The code that was written; `None` when the peer went away instead.
    pub code: Option<u16>,
    /// Whether the peer took the message.
    pub committed: bool,
}

#[derive(Default)]
struct Record {
    committed: Vec<Committed>,
    verdicts: Vec<Verdict>,
    connections: usize,
    open: usize,
    most_open: usize,
    times: HashMap<(Said, String), usize>,
    /// Lines that came unencrypted, and lines in all.
    clear: Vec<String>,
    lines: Vec<String>,
}

/// A peer that listens on a loopback port until it is dropped.
pub struct Peer {
    port: u16,
    record: Arc<Mutex<Record>>,
    listener: tokio::task::JoinHandle<()>,
}

impl Peer {
    /// Starts to listen.
    pub async fn start(script: Script) -> Self {
        Self::start_at(0, script).await
    }

    /// Starts to listen on a port of the test's choice.
    pub async fn start_at(port: u16, script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let record = Arc::new(Mutex::new(Record::default()));
        let (script, shared) = (Arc::new(script), record.clone());
        let listener = tokio::spawn(async move {
            // Sessions end with the listener.
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let number = {
                    let mut record = shared.lock().unwrap();
                    record.connections += 1;
                    record.open += 1;
                    record.most_open = record.most_open.max(record.open);
                    record.connections
                };
                sessions.spawn(Session::run(tcp, script.clone(), shared.clone(), number));
            }
        });
        Self { port, record, listener }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it took, in order.
    pub fn committed(&self) -> Vec<Committed> {
        self.record.lock().unwrap().committed.clone()
    }

    /// How many messages it took.
    pub fn count(&self) -> usize {
        self.record.lock().unwrap().committed.len()
    }

    /// How many messages it took for each recipient.
    pub fn copies(&self) -> BTreeMap<String, usize> {
        let mut copies = BTreeMap::new();
        for mail in &self.record.lock().unwrap().committed {
            *copies.entry(mail.to.clone()).or_default() += 1;
        }
        copies
    }

    /// What was decided about recipients, in order: refusals of RCPT and DATA, and everything about contents.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.record.lock().unwrap().verdicts.clone()
    }

    /// The most connections that were open at one moment.
    pub fn most_open(&self) -> usize {
        self.record.lock().unwrap().most_open
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.record.lock().unwrap().connections
    }

    /// Lines of commands that came unencrypted.
    pub fn clear(&self) -> Vec<String> {
        self.record.lock().unwrap().clear.clone()
    }

    /// All lines of commands.
    pub fn lines(&self) -> Vec<String> {
        self.record.lock().unwrap().lines.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
