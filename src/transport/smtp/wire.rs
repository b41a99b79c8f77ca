//! The stream below lettre: our own socket, plain or TLS, and what lettre's reader must be spared.
//!
//! lettre reads replies as UTF-8 lines of any length. One recipient's refusal in Latin-1 would cost the connection every
//! time, and a relay that never ends a line all memory. So bytes over 127 become `?`, a flood is an error, and so is the end.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::client::TlsStream;

use crate::config::Protocol;

/// More than the longest sane EHLO reply and three others (RFC 5321 section 4.5.3.1.5: 512 octets a line).
const MAX_UNASKED: usize = 64 * 1024;

/// How far a peer may fall behind: its buffers may be full for a while.
const GRACE: Duration = Duration::from_secs(30);

/// Pieces of one call: the system takes 1024, and a message has a dozen unless it is full of fields.
const PIECES: usize = 64;

/// Least bytes a second. A relay that reads by the byte would hold a connection, and a mailing, for hours;
/// RFC 5321 section 4.5.3.2.5 has three minutes for a block.
const MIN_RATE: f64 = 1024.0;

/// What goes out before whatever lettre writes next. lettre copies what it is given to write, and a content is nearly all of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead(Arc<Mutex<VecDeque<Bytes>>>);

impl Ahead {
    /// Puts a content there; its final dot is what lettre writes next.
    pub fn put(&self, content: VecDeque<Bytes>) {
        *self.lock() = content;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes bytes that were written off the pieces; how many of them were theirs.
fn take(pieces: &mut VecDeque<Bytes>, written: usize) -> usize {
    let mut left = written;
    while let Some(first) = pieces.front_mut() {
        if left < first.len() {
            first.advance(left);
            return written;
        }
        left -= first.len();
        pieces.pop_front();
    }
    written - left
}

/// One connection's stream.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// What is read before the stream: after STARTTLS there is no greeting, and lettre starts with one.
    greeting: &'static [u8],
    /// Say LHLO where lettre says EHLO (RFC 2033 section 4.1).
    lhlo: bool,
    ahead: Ahead,
    /// Bytes read since the last write.
    unasked: usize,
    /// When what is being written counts as not read: never more than [`GRACE`] from now, and each byte taken moves it on.
    deadline: Option<Instant>,
    late: Pin<Box<Sleep>>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn new(stream: Stream, greeting: &'static [u8]) -> Self {
        let late = Box::pin(sleep_until(Instant::now()));
        Self { stream, greeting, lhlo: false, ahead: Ahead::default(), unasked: 0, deadline: None, late }
    }

    /// Unencrypted.
    pub fn plain(stream: TcpStream) -> Self {
        Self::new(Stream::Plain(stream), b"")
    }

    /// A socket of this machine.
    pub fn unix(stream: UnixStream) -> Self {
        Self::new(Stream::Unix(stream), b"")
    }

    /// TLS from the first byte: the relay greets.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), b"")
    }

    /// TLS after STARTTLS: the relay waits for EHLO (RFC 3207 section 4.2).
    pub fn upgraded(stream: TlsStream<TcpStream>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), b"220 TLS\r\n")
    }

    /// For LMTP: the EHLO that lettre says next becomes LHLO. What is put into `ahead` goes out before lettre's own.
    pub fn greeting_as(self, protocol: Protocol, ahead: &Ahead) -> Self {
        Self { lhlo: protocol == Protocol::Lmtp, ahead: ahead.clone(), ..self }
    }

    /// Writes pieces, and `bytes` after them, in one call.
    fn poll_pieces(&mut self, cx: &mut Context<'_>, ahead: &VecDeque<Bytes>, bytes: &[u8]) -> Poll<Result<usize>> {
        let mut pieces: Vec<_> = ahead.iter().take(PIECES).map(|piece| IoSlice::new(piece)).collect();
        if pieces.len() == ahead.len() {
            pieces.push(IoSlice::new(bytes));
        }
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, &pieces),
            Stream::Unix(unix) => Pin::new(unix).poll_write_vectored(cx, &pieces),
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, &pieces),
        }
    }

    fn accept(&mut self, bytes: &mut [u8]) -> Result<()> {
        if bytes.is_empty() {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the relay closed it"));
        }
        self.unasked += bytes.len();
        if self.unasked > MAX_UNASKED {
            return Err(Error::new(ErrorKind::InvalidData, "the relay sent more than any reply can hold"));
        }
        bytes.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        Ok(())
    }

    /// Waits for the peer to take more, but not for ever.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + GRACE);
        if self.late.deadline() != deadline {
            self.late.as_mut().reset(deadline);
        }
        ready!(self.late.as_mut().poll(cx));
        let why = format!("the relay reads less than {MIN_RATE} bytes a second");
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, why)))
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> Result<SocketAddr> {
        match &self.stream {
            Stream::Plain(tcp) => tcp.peer_addr(),
            // lettre asks for it only to show it.
            Stream::Unix(_) => Ok(SocketAddr::from(([127, 0, 0, 1], 0))),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        self.deadline = None;
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        ready!(match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Unix(unix) => Pin::new(unix).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        })?;
        Poll::Ready(self.accept(buffer.filled_mut().get_mut(before..).unwrap_or_default()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.unasked = 0;
        let hello = self.lhlo.then(|| bytes.strip_prefix(b"EHLO")).flatten().map(|rest| [b"LHLO", rest].concat());
        let bytes = hello.as_deref().unwrap_or(bytes);
        loop {
            let ahead = self.ahead.clone();
            let mut ahead = ahead.lock();
            let Poll::Ready(written) = self.poll_pieces(cx, &ahead, bytes) else { return self.poll_late(cx) };
            // A line of a content may begin like that too. Not before: what is written later is asked for once more.
            self.lhlo = false;
            let written = written?;
            let most = Instant::now() + GRACE;
            let earned = Duration::from_secs_f64(written as f64 / MIN_RATE);
            self.deadline = Some(self.deadline.map_or(most, |deadline| most.min(deadline + earned)));
            let of_ahead = take(&mut ahead, written);
            // Zero bytes would be the end of the stream for lettre, which knows nothing of what went ahead.
            if written == 0 || written > of_ahead {
                return Poll::Ready(Ok(written - of_ahead));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Unix(unix) => Pin::new(unix).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
