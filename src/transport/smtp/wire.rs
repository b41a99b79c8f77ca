//! The stream below lettre: our own socket, plain or TLS, and what lettre's reader must be spared.
//!
//! lettre reads replies as UTF-8 lines of any length. One recipient's refusal in Latin-1 would cost the connection every
//! time, and a relay that never ends a line all memory. So bytes over 127 become `?`, a flood is an error, and so is the end.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// More than the longest sane EHLO reply and three others (RFC 5321 section 4.5.3.1.5: 512 octets a line).
const MAX_UNASKED: usize = 64 * 1024;

/// One connection's stream.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// What is read before the stream: after STARTTLS there is no greeting, and lettre starts with one.
    greeting: &'static [u8],
    /// Bytes read since the last write.
    unasked: usize,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Unencrypted.
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), greeting: b"", unasked: 0 }
    }

    /// TLS from the first byte: the relay greets.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), greeting: b"", unasked: 0 }
    }

    /// TLS after STARTTLS: the relay waits for EHLO (RFC 3207 section 4.2).
    pub fn upgraded(stream: TlsStream<TcpStream>) -> Self {
        Self { greeting: b"220 TLS\r\n", ..Self::tls(stream) }
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
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> Result<SocketAddr> {
        match &self.stream {
            Stream::Plain(tcp) => tcp.peer_addr(),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        ready!(match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        })?;
        Poll::Ready(self.accept(buffer.filled_mut().get_mut(before..).unwrap_or_default()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.unasked = 0;
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
