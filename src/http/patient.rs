//! Connections that do not wait for ever: hyper has no timeout for bodies or for a client that does not read, and its timeout for
//! headers is a timer for each request, so the connection itself gives up when nothing has moved on it for a while.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may stand still at least, between requests and within one; at most it is twice that. No handler takes a tenth
/// of it.
const IDLE: Duration = Duration::from_secs(30);

/// A listener whose connections give up.
pub(super) struct Patient(pub TcpListener);

impl Patient {
    pub(super) async fn accept(&mut self) -> (Stream, SocketAddr) {
        // axum's own listener: it waits and tries again when the system is out of file descriptors.
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Answers are written at once, so waiting for more to send only delays their end. Without it they are slower, not wrong.
        let _ = stream.set_nodelay(true);
        (Stream::new(stream, IDLE), address)
    }
}

/// A connection with an alarm that looks whether anything has moved since it last rang. To set the alarm anew with every read and
/// write, or only to ask for the time, would cost more than that is worth.
pub(super) struct Stream {
    stream: TcpStream,
    alarm: Pin<Box<Sleep>>,
    moved: bool,
    idle: Duration,
}

impl Stream {
    fn new(stream: TcpStream, idle: Duration) -> Self {
        Self { stream, alarm: Box::pin(sleep(idle)), moved: false, idle }
    }

    /// Passes on what the socket said, or an error when it has been saying nothing for too long.
    fn watched<T>(&mut self, context: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.moved = true;
            return said;
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            if !std::mem::take(&mut self.moved) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let next = Instant::now() + self.idle;
            self.alarm.as_mut().reset(next);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watched(cx, said)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, said)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        // One piece, such as a 304, costs the system less as what it is than as a list of one.
        let said = match slices {
            [only] => stream.poll_write(cx, only),
            slices => stream.poll_write_vectored(cx, slices),
        };
        self.watched(cx, said)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair(idle: Duration) -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Stream::new(server, idle), client)
    }

    #[tokio::test]
    async fn a_connection_that_stands_still_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(50)).await;
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(50)).await;
        let error = server.write_all(&vec![0; 64 * 1024 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_that_moves_lives_longer_than_its_patience() {
        let (mut server, mut client) = pair(Duration::from_millis(200)).await;
        for byte in 0..6 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            client.write_u8(byte).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), byte);
        }
    }
}
