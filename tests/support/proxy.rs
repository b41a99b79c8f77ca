//! A TCP proxy that breaks connections: it stands between a process and its relay or its database.
//!
//! `cut` resets every open connection, in the middle of whatever is under way; `freeze` lets nothing through, in either direction,
//! until `thaw`. The peer may be a port or, as PostgreSQL's, a socket in the file system. A proxy that counts reads PostgreSQL's
//! protocol and cuts a connection at the message that `aim` names.
#![allow(dead_code)] // shared by several tests; none uses all of it
#![allow(clippy::unwrap_used)] // a test's helper may fail the test

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, watch};

/// Where a proxy leads.
#[derive(Clone, Debug)]
pub enum Target {
    Port(u16),
    Socket(PathBuf),
}

/// What is lost when a connection is cut at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The message: the server never sees it.
    Message,
    /// The answer: the server does what the message says, and nobody hears of it.
    Answer,
}

/// Messages of clients, over all connections.
#[derive(Debug, Default)]
struct Messages {
    seen: u64,
    /// At which one to cut, and what is lost then.
    aim: Option<(u64, Lost)>,
    struck: u64,
}

/// A proxy on a loopback port, until it is dropped.
pub struct Proxy {
    pub port: u16,
    cuts: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    messages: Arc<Mutex<Messages>>,
    listener: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: Target) -> Self {
        Self::start_at(0, target).await
    }

    /// On a port of the test's choice.
    pub async fn start_at(port: u16, target: Target) -> Self {
        Self::start_as(port, target, false).await
    }

    /// Before a PostgreSQL whose messages are counted.
    pub async fn counting(target: Target) -> Self {
        Self::start_as(0, target, true).await
    }

    async fn start_as(port: u16, target: Target, counts: bool) -> Self {
        let messages: Arc<Mutex<Messages>> = Arc::default();
        let counted = counts.then(|| messages.clone());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, frozen) = (watch::channel(0).0, watch::channel(false).0);
        let (cut, freeze) = (cuts.clone(), frozen.clone());
        let listener = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(connection(
                    client,
                    target.clone(),
                    cut.subscribe(),
                    freeze.subscribe(),
                    counted.clone(),
                ));
            }
        });
        Self { port, cuts, frozen, messages, listener }
    }

    /// Resets every connection that is open now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts the connection that sends the `at`th message from now on, once.
    pub fn aim(&self, at: u64, lost: Lost) {
        let mut messages = self.messages.lock().unwrap();
        messages.aim = Some((messages.seen + at, lost));
    }

    /// How many messages clients have sent, and how many connections were cut at one.
    pub fn counted(&self) -> (u64, u64) {
        let messages = self.messages.lock().unwrap();
        (messages.seen, messages.struck)
    }

    /// Lets nothing through any more, and closes nothing.
    pub fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// Lets everything through again.
    pub fn thaw(&self) {
        self.frozen.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn connection(
    client: TcpStream,
    target: Target,
    mut cut: watch::Receiver<u64>,
    frozen: watch::Receiver<bool>,
    counted: Option<Arc<Mutex<Messages>>>,
) {
    client.set_nodelay(true).unwrap();
    let (client, twin) = twins(client);
    let client = client.into_split();
    let both = async {
        match target {
            Target::Port(port) => {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
                server.set_nodelay(true).unwrap();
                join(client, server.into_split(), frozen, counted).await
            }
            Target::Socket(path) => {
                let Ok(server) = UnixStream::connect(path).await else { return false };
                join(client, server.into_split(), frozen, counted).await
            }
        }
    };
    let reset = tokio::select! {
        reset = both => reset,
        _ = cut.changed() => true,
    };
    if reset {
        twin.set_zero_linger().unwrap();
    }
}

/// Both directions of a connection; true when it is to be reset.
async fn join<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    client: (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    server: (R, W),
    frozen: watch::Receiver<bool>,
    counted: Option<Arc<Mutex<Messages>>>,
) -> bool {
    let Some(messages) = counted else {
        tokio::join!(pump(client.0, server.1, frozen.clone()), pump(server.0, client.1, frozen));
        return false;
    };
    let (mute, answered) = (watch::channel(false).0, Notify::new());
    tokio::select! {
        reset = speak(client.0, server.1, &messages, &mute, &answered) => reset,
        () = answer(server.0, client.1, &mute, &answered) => false,
    }
}

/// Passes a client's messages on, one by one; true when the connection is to be cut.
async fn speak(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    messages: &Mutex<Messages>,
    mute: &watch::Sender<bool>,
    answered: &Notify,
) -> bool {
    // The first message has no type.
    let mut type_size = 0;
    loop {
        let mut message = vec![0; type_size + 4];
        if from.read_exact(&mut message).await.is_err() {
            return false;
        }
        let size = u32::from_be_bytes(message[type_size..].try_into().unwrap()) as usize;
        message.resize(type_size + size, 0);
        if from.read_exact(&mut message[type_size + 4..]).await.is_err() {
            return false;
        }
        type_size = 1;
        let lost = {
            let mut messages = messages.lock().unwrap();
            messages.seen += 1;
            let seen = messages.seen;
            let lost = messages.aim.take_if(|(at, _)| *at <= seen).map(|(_, lost)| lost);
            messages.struck += u64::from(lost.is_some());
            lost
        };
        if lost == Some(Lost::Message) {
            return true;
        }
        mute.send_replace(lost.is_some());
        if to.write_all(&message).await.is_err() {
            return false;
        }
        if lost.is_some() {
            // Many messages have no answer of their own; one that has, a COMMIT for one, is through when it comes.
            let _ = tokio::time::timeout(Duration::from_millis(50), answered.notified()).await;
            return true;
        }
    }
}

/// Passes the server's answers on, until they are to be lost.
async fn answer(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mute: &watch::Sender<bool>,
    answered: &Notify,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(size @ 1..) = from.read(&mut buffer).await {
        if *mute.borrow() {
            answered.notify_one();
        } else if to.write_all(&buffer[..size]).await.is_err() {
            return;
        }
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut frozen: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(size @ 1..) = from.read(&mut buffer).await {
        if frozen.wait_for(|frozen| !frozen).await.is_err() || to.write_all(&buffer[..size]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Two handles of one socket: the second says how the first is closed.
fn twins(tcp: TcpStream) -> (TcpStream, TcpStream) {
    let one = tcp.into_std().unwrap();
    let two = one.try_clone().unwrap();
    (TcpStream::from_std(one).unwrap(), TcpStream::from_std(two).unwrap())
}
