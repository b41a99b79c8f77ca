//! A TCP proxy that breaks connections: it stands between a process and its relay or its database.
//!
//! `cut` resets every open connection, in the middle of whatever is under way; `freeze` lets nothing through, in either direction,
//! until `thaw`. The peer may be a port or, as PostgreSQL's, a socket in the file system.
#![allow(dead_code)] // shared by several tests; none uses all of it
#![allow(clippy::unwrap_used)] // a test's helper may fail the test

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Where a proxy leads.
#[derive(Clone, Debug)]
pub enum Target {
    Port(u16),
    Socket(PathBuf),
}

/// A proxy on a loopback port, until it is dropped.
pub struct Proxy {
    pub port: u16,
    cuts: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    listener: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: Target) -> Self {
        Self::start_at(0, target).await
    }

    /// On a port of the test's choice.
    pub async fn start_at(port: u16, target: Target) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, frozen) = (watch::channel(0).0, watch::channel(false).0);
        let (cut, freeze) = (cuts.clone(), frozen.clone());
        let listener = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(connection(client, target.clone(), cut.subscribe(), freeze.subscribe()));
            }
        });
        Self { port, cuts, frozen, listener }
    }

    /// Resets every connection that is open now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
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

async fn connection(client: TcpStream, target: Target, mut cut: watch::Receiver<u64>, frozen: watch::Receiver<bool>) {
    client.set_nodelay(true).unwrap();
    let (client, twin) = twins(client);
    let client = client.into_split();
    let both = async {
        match target {
            Target::Port(port) => {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                server.set_nodelay(true).unwrap();
                let server = server.into_split();
                tokio::join!(pump(client.0, server.1, frozen.clone()), pump(server.0, client.1, frozen));
            }
            Target::Socket(path) => {
                let Ok(server) = UnixStream::connect(path).await else { return };
                let server = server.into_split();
                tokio::join!(pump(client.0, server.1, frozen.clone()), pump(server.0, client.1, frozen));
            }
        }
    };
    tokio::select! {
        () = both => {}
        _ = cut.changed() => twin.set_zero_linger().unwrap(),
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
