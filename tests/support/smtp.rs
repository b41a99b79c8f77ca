//! A scripted SMTP relay for tests. It records a message before it answers, so what it committed is what a real relay
//! would be responsible for, whatever the client got to hear.
//!
//! `let peer = Peer::start(Script::default()).await;` then `peer.port()`, `peer.committed()`.

#![allow(dead_code)] // shared by several test programs; none uses all of it
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helper may fail the test

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

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
    /// See [`Script::rule`].
    pub rules: Vec<Rule>,
}

impl Default for Script {
    fn default() -> Self {
        Self { pipelining: true, starttls: None, implicit: None, login: None, rules: Vec::new() }
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

#[derive(Default)]
struct Record {
    committed: Vec<Committed>,
    connections: usize,
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
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
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

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connection ends.
struct Over;

struct Session {
    stream: BufStream<Box<dyn Stream>>,
    script: Arc<Script>,
    record: Arc<Mutex<Record>>,
    connection: usize,
    encrypted: bool,
    authenticated: bool,
    from: String,
    to: String,
}

impl Session {
    async fn run(tcp: TcpStream, script: Arc<Script>, record: Arc<Mutex<Record>>, connection: usize) {
        tcp.set_nodelay(true).unwrap();
        let encrypted = script.implicit.is_some();
        let stream: Box<dyn Stream> = match &script.implicit {
            None => Box::new(tcp),
            Some(acceptor) => match acceptor.accept(tcp).await {
                Ok(tls) => Box::new(tls),
                Err(_) => return,
            },
        };
        let stream = BufStream::new(stream);
        let (from, to) = (String::new(), String::new());
        let mut session = Self { stream, script, record, connection, encrypted, authenticated: false, from, to };
        let _ = session.serve().await;
        let _ = session.stream.flush().await;
    }

    async fn serve(&mut self) -> Result<(), Over> {
        self.respond(Said::Connect, "220 peer.example ESMTP").await?;
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.hello().await?,
                "STARTTLS" if self.script.starttls.is_some() => self.starttls().await?,
                "AUTH" if self.script.login.is_some() => self.auth(&line).await?,
                "MAIL" if self.script.login.is_some() && !self.authenticated => self.say("530 5.7.0 log in").await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" if self.from.is_empty() => self.say("503 5.5.1 need MAIL").await?,
                "RCPT" => self.recipient(&line).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    (self.from, self.to) = Default::default();
                    self.respond(Said::Reset, "250 2.0.0 Ok").await?;
                }
                "QUIT" => {
                    self.respond(Said::Quit, "221 2.0.0 Bye").await?;
                    return Ok(());
                }
                _ => self.say("502 5.5.2 what?").await?,
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Over> {
        let mut offers = vec!["peer.example".to_owned(), "SIZE 10000000".to_owned()];
        if self.script.pipelining {
            offers.push("PIPELINING".to_owned());
        }
        if self.script.starttls.is_some() && !self.encrypted {
            offers.push("STARTTLS".to_owned());
        }
        if let Some((mechanisms, ..)) = &self.script.login {
            offers.push(format!("AUTH {mechanisms}"));
        }
        let last = offers.pop().unwrap();
        let lines: String = offers.iter().map(|offer| format!("250-{offer}\r\n")).collect();
        self.respond(Said::Hello, &format!("{lines}250 {last}")).await.map(drop)
    }

    async fn starttls(&mut self) -> Result<(), Over> {
        if !self.respond(Said::Starttls, "220 2.0.0 go ahead").await? {
            return Ok(());
        }
        let acceptor = self.script.starttls.clone().unwrap();
        let (nothing, _) = tokio::io::duplex(1);
        let plain = std::mem::replace(&mut self.stream, BufStream::new(Box::new(nothing))).into_inner();
        let tls = acceptor.accept(plain).await.map_err(|_| Over)?;
        self.stream = BufStream::new(Box::new(tls));
        self.encrypted = true;
        Ok(())
    }

    /// PLAIN with its initial response, or LOGIN.
    async fn auth(&mut self, line: &str) -> Result<(), Over> {
        let (_, user, password) = self.script.login.clone().unwrap();
        let right = match line.split(' ').collect::<Vec<_>>().as_slice() {
            [_, "PLAIN", response] => unbase64(response) == format!("\0{user}\0{password}"),
            [_, "LOGIN"] => {
                self.say("334 VXNlcm5hbWU6").await?;
                let given = unbase64(&self.line().await?);
                self.say("334 UGFzc3dvcmQ6").await?;
                given == user && unbase64(&self.line().await?) == password
            }
            _ => false,
        };
        self.authenticated = right;
        let answer = if right { "235 2.7.0 welcome" } else { "535 5.7.8 wrong user or password" };
        self.respond(Said::Auth, answer).await.map(drop)
    }

    async fn mail(&mut self, line: &str) -> Result<(), Over> {
        let from = bracketed(line);
        if self.respond(Said::Mail, "250 2.1.0 Ok").await? {
            self.from = from;
        }
        Ok(())
    }

    async fn recipient(&mut self, line: &str) -> Result<(), Over> {
        let before = std::mem::replace(&mut self.to, bracketed(line));
        if !self.respond(Said::Recipient, "250 2.1.5 Ok").await? {
            self.to = before;
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<(), Over> {
        let answer = if self.to.is_empty() { "554 5.5.1 no valid recipients" } else { "354 go on" };
        if !self.respond(Said::Data, answer).await? {
            return Ok(());
        }
        let mut bytes = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await.map_err(|_| Over)? == 0 {
                return Err(Over);
            }
            if line == b".\r\n" {
                break;
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        let message = Committed { connection: self.connection, from: self.from.clone(), to: self.to.clone(), bytes };
        let action = self.action(Said::Content);
        self.act(action, "250 2.0.0 queued", Some(message)).await?;
        (self.from, self.to) = Default::default();
        Ok(())
    }

    /// Answers by the script, else with `willing`; whether it was a positive answer.
    async fn respond(&mut self, said: Said, willing: &str) -> Result<bool, Over> {
        let action = self.action(said);
        self.act(action, willing, None).await
    }

    fn action(&self, said: Said) -> Action {
        let time = {
            let mut record = self.record.lock().unwrap();
            let time = record.times.entry((said, self.to.clone())).or_default();
            *time += 1;
            *time
        };
        let (from, to) = (self.from.clone(), self.to.clone());
        let event = Event { said, connection: self.connection, from, to, time };
        self.script.rules.iter().find_map(|rule| rule(&event)).unwrap_or(Action::Willing)
    }

    async fn act(&mut self, action: Action, willing: &str, content: Option<Committed>) -> Result<bool, Over> {
        match action {
            Action::Hang => std::future::pending().await,
            Action::Drop => Err(Over),
            Action::After(wait, then) => {
                tokio::time::sleep(wait).await;
                Box::pin(self.act(*then, willing, content)).await
            }
            Action::CommitAndDrop => {
                self.record.lock().unwrap().committed.extend(content);
                Err(Over)
            }
            Action::CommitAndWait(span) => {
                self.record.lock().unwrap().committed.extend(content);
                tokio::time::sleep(span).await;
                self.finish(willing, None).await
            }
            Action::Willing => self.finish(willing, content).await,
            Action::Reply(text) => self.finish(&text, content).await,
        }
    }

    async fn finish(&mut self, reply: &str, content: Option<Committed>) -> Result<bool, Over> {
        let positive = reply.starts_with(['2', '3']);
        if positive {
            self.record.lock().unwrap().committed.extend(content);
        }
        self.say(reply).await?;
        if reply.starts_with("421") { Err(Over) } else { Ok(positive) }
    }

    async fn say(&mut self, reply: &str) -> Result<(), Over> {
        // In Latin-1, as old relays do: `\u{e9}` is one byte.
        let bytes: Vec<u8> = format!("{reply}\r\n").chars().map(|c| u8::try_from(c).unwrap()).collect();
        self.stream.write_all(&bytes).await.map_err(|_| Over)?;
        self.stream.flush().await.map_err(|_| Over)
    }

    async fn line(&mut self) -> Result<String, Over> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await.map_err(|_| Over)? == 0 {
            return Err(Over);
        }
        let line = line.trim_end().to_owned();
        let mut record = self.record.lock().unwrap();
        record.lines.push(line.clone());
        if !self.encrypted {
            record.clear.push(line.clone());
        }
        Ok(line)
    }
}

fn bracketed(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(inner, _)| inner.to_owned())
        .unwrap_or_default()
}

fn unbase64(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String =
        text.trim_end_matches('=').chars().map(|c| format!("{:06b}", ALPHABET.find(c).unwrap())).collect();
    let bytes =
        bits.as_bytes().chunks_exact(8).map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}
