//! A relay that does as little as can be: it reads, looks for the end of each message, and says yes. `smtp-sink` itself is busy at some thousand
//! messages a second; this one leaves the processor to the sender: one thread, and one buffer that stays in the processor's cache. It may wait
//! before each answer, as a relay far away does.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem::Finder;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// Listens on a loopback port until the program ends; the port.
pub fn start(delay: Duration) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener).unwrap();
            let buffer = Rc::new(RefCell::new(vec![0; 256 * 1024]));
            while let Ok((stream, _)) = listener.accept().await {
                let session = Session { stream, delay, rest: Vec::new(), content: Content::None };
                tokio::task::spawn_local(session.run(Rc::clone(&buffer)));
            }
        });
    });
    port
}

/// What is being read in place of commands.
enum Content {
    None,
    /// Up to the lone dot.
    Dot,
    /// So many bytes (BDAT).
    Bytes(usize),
}

struct Session {
    stream: TcpStream,
    delay: Duration,
    /// Read and not understood yet; of a content only what may be the start of its end.
    rest: Vec<u8>,
    content: Content,
}

impl Session {
    async fn run(mut self, buffer: Rc<RefCell<Vec<u8>>>) {
        self.stream.set_nodelay(true).unwrap();
        let mut replies = String::from("220 fast.example ESMTP\r\n");
        let end = Finder::new(b"\r\n.\r\n");
        loop {
            if !replies.is_empty() {
                if !self.delay.is_zero() {
                    // The runtime's timers count whole milliseconds.
                    let delay = self.delay;
                    tokio::task::spawn_blocking(move || std::thread::sleep(delay)).await.unwrap();
                }
                if self.stream.write_all(replies.as_bytes()).await.is_err() {
                    return;
                }
                replies.clear();
            }
            if self.stream.readable().await.is_err() {
                return;
            }
            let mut buffer = buffer.borrow_mut();
            match self.stream.try_read(&mut buffer) {
                Ok(read @ 1..) => self.take(&buffer[..read], &end, &mut replies),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], end: &Finder<'_>, replies: &mut String) {
        // Most of a content is looked at where it was read, and not copied.
        if matches!(self.content, Content::Dot) && bytes.len() > 4 {
            let found = end.find(bytes);
            let seam = [&self.rest, &bytes[..4]].concat();
            if found.is_none_or(|found| found > 4) && end.find(&seam).is_none() {
                self.rest.clear();
                bytes = &bytes[found.unwrap_or(bytes.len() - 4)..];
            }
        }
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = &self.rest[at..];
            match self.content {
                Content::Dot => {
                    let Some(found) = end.find(rest) else {
                        at = self.rest.len().saturating_sub(4).max(at);
                        break;
                    };
                    at += found + 5;
                    self.content = Content::None;
                    replies.push_str("250 2.0.0 Ok\r\n");
                }
                Content::Bytes(left) if left <= rest.len() => {
                    at += left;
                    self.content = Content::None;
                    replies.push_str("250 2.0.0 Ok\r\n");
                }
                Content::Bytes(left) => {
                    self.content = Content::Bytes(left - rest.len());
                    at = self.rest.len();
                    break;
                }
                Content::None => {
                    let Some(length) = memchr::memmem::find(rest, b"\r\n") else { break };
                    let line = String::from_utf8_lossy(&rest[..length]).to_ascii_uppercase();
                    at += length + 2;
                    match line.split(' ').next().unwrap_or_default() {
                        "EHLO" => {
                            replies.push_str("250-fast.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n")
                        }
                        "DATA" => {
                            // The content's first line may be its last.
                            self.content = Content::Dot;
                            replies.push_str("354 Go on\r\n");
                        }
                        "BDAT" => self.content = Content::Bytes(line.split(' ').nth(1).unwrap().parse().unwrap()),
                        "QUIT" => replies.push_str("221 Bye\r\n"),
                        _ => replies.push_str("250 2.1.0 Ok\r\n"),
                    }
                }
            }
        }
        self.rest.drain(..at);
    }
}
