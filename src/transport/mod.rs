//! The transport port: hands messages to an outbox directory or to an SMTP relay, and says exactly what was answered.
//!
//! One owner per connection; any timeout, cancel or protocol error drops the connection.

mod outbox;
mod smtp;

pub use outbox::{Outbox, OutboxMail};

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::config;
use crate::delivery::rate::Rate;
use crate::delivery::{Phase, Reply};
use crate::message::fit::{self, Piece};
use crate::types::EmailAddress;

/// Sender and recipient of one SMTP transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub from: EmailAddress,
    /// RCPT TO.
    pub to: EmailAddress,
}

/// A message that is fit for the wire: ASCII lines of at most 998 octets, each ended by CRLF. Not dot-stuffed.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    pieces: Vec<Piece>,
    /// A line begins with a dot.
    dot: bool,
}

impl Content {
    /// Checks a message.
    ///
    /// # Errors
    /// [`TransportError::Unfit`]: what is wrong with it, and in which line.
    pub fn new(pieces: Vec<Piece>) -> Result<Self, TransportError> {
        let dot = fit::check_pieces(&pieces).map_err(TransportError::Unfit)?;
        Ok(Self { pieces, dot })
    }

    /// The bytes, put together.
    fn bytes(&self) -> Vec<u8> {
        fit::joined(&self.pieces)
    }

    /// As it goes on the wire after DATA, without the final dot: in its pieces, unless dots must be doubled.
    fn stuffed(&self) -> VecDeque<Bytes> {
        if self.dot {
            return [fit::stuffed(&self.bytes()).into()].into();
        }
        self.pieces.iter().map(|piece| piece.bytes().clone()).collect()
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({:?})", self.pieces)
    }
}

/// How much a transport takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one process.
    pub connections: usize,
    /// Messages of one connection.
    pub messages: u32,
    /// How long a connection may rest.
    pub idle: Duration,
    /// How fast mail may go, over all nodes together.
    pub rate: Option<Rate>,
}

/// How mail leaves this process.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Files in a directory.
    Outbox(Outbox),
    /// A relay.
    Smtp(smtp::Relay),
}

/// An open connection. Dropping it closes it without ceremony; [`Connection::quit`] says QUIT.
#[derive(Debug)]
pub enum Connection {
    /// Files in a directory.
    Outbox(outbox::Connection),
    /// A relay.
    Smtp(Box<smtp::Connection>),
}

/// What one round brought: content of the announced message, then the next envelope, in one group where PIPELINING is offered.
#[derive(Debug, Default)]
pub struct Round {
    /// The reply to the content's final dot. `None` when no content was given, or when its reply never came or cannot be
    /// believed: then `broken` is set and the message is in doubt.
    ///
    /// Content that was certainly not sent has a reply of our own, as if a relay had refused it: 451 4.3.0 with
    /// [`TransportError::Write`]; 554 5.6.0 with [`TransportError::Unfit`] when it is not a message that an outbox can name.
    pub content: Option<Reply>,
    /// The answer to the next envelope.
    pub envelope: Option<Announced>,
    /// The connection cannot be used any more; what stands in the other fields holds all the same.
    pub broken: Option<TransportError>,
}

/// The answer to MAIL, RCPT and DATA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// 354: the relay waits for the content.
    Ready,
    /// One of the commands was refused; the transaction is reset and the connection is good for another envelope.
    Refused {
        /// Which.
        phase: Phase,
        /// The reply.
        reply: Reply,
    },
}

/// Why a connection could not be made or went away.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing listens there, or the name does not resolve, or TLS failed.
    #[error("cannot connect to {relay}: {why}")]
    Connect {
        /// Host and port.
        relay: String,
        /// What the system said.
        why: String,
    },
    /// The relay answered the greeting, EHLO, STARTTLS or AUTH with a refusal.
    #[error("{relay} refused us: {} {}", reply.code, reply.text)]
    Refused {
        /// Host and port.
        relay: String,
        /// The reply.
        reply: Reply,
    },
    /// No answer in time.
    #[error("no answer to {phase:?} within {seconds} s")]
    Timeout {
        /// Which command.
        phase: Phase,
        /// The deadline.
        seconds: u64,
    },
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The peer does not speak SMTP as we know it.
    #[error("the relay answered outside the protocol: {0}")]
    Protocol(String),
    /// A message that must not go on the wire: a bare CR, LF or NUL, or a line over 998 octets.
    #[error("a message was not fit for the wire: {0}")]
    Unfit(String),
    /// The outbox directory cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Transport {
    /// Every way for mail to leave that the configuration names: the outbox, or each relay. Nothing is opened yet.
    #[must_use]
    pub fn all(config: &config::Mail) -> Vec<Self> {
        match &config.transport {
            config::Transport::Outbox(directory) => vec![Self::Outbox(Outbox::new(directory))],
            config::Transport::Smtp(relays) => relays.iter().map(smtp::Relay::new).map(Self::Smtp).collect(),
        }
    }

    /// Its name in the configuration; in logs, and in what nodes tell each other of it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Outbox(_) => "outbox",
            Self::Smtp(relay) => &relay.config().name,
        }
    }

    /// Its share of the mail, beside those of other relays.
    #[must_use]
    pub fn weight(&self) -> Option<u32> {
        match self {
            Self::Outbox(_) => None,
            Self::Smtp(relay) => relay.config().weight,
        }
    }

    /// Whether it is for a newsletter that names these relays, or none.
    #[must_use]
    pub fn serves(&self, relays: &[String]) -> bool {
        matches!(self, Self::Outbox(_)) || relays.is_empty() || relays.iter().any(|name| name == self.name())
    }

    /// Messages of its first days; none when it needs no warming up.
    #[must_use]
    pub fn warm_up(&self) -> &[u32] {
        match self {
            Self::Outbox(_) => &[],
            Self::Smtp(relay) => &relay.config().warm_up,
        }
    }

    /// How much it takes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match self {
            // The disk is the bottleneck, and one writer keeps it busy; nobody minds a writer that rests.
            Self::Outbox(_) => Limits { connections: 1, messages: u32::MAX, idle: Duration::MAX, rate: None },
            Self::Smtp(relay) => {
                let config::Smtp { connections, messages, idle, rate, .. } = *relay.config();
                Limits { connections, messages, idle, rate }
            }
        }
    }

    /// Opens a connection and goes through greeting, EHLO, TLS and AUTH.
    ///
    /// # Errors
    /// When there is no connection to be had; nobody's delivery is touched. [`TransportError::Refused`] says that a relay is
    /// there and does not want us (a wrong password, say), so that trying again without a change is of no use for 5xx.
    pub async fn connect(&self) -> Result<Connection, TransportError> {
        match self {
            Self::Outbox(outbox) => Ok(Connection::Outbox(outbox.open())),
            Self::Smtp(relay) => Ok(Connection::Smtp(Box::new(relay.connect().await?))),
        }
    }
}

impl Connection {
    /// Sends `content` for the envelope that the last round announced as [`Announced::Ready`], and announces `next`.
    ///
    /// With PIPELINING both go out in one write and cost one round trip. `content` is a whole message.
    /// A caller that has announced an envelope must send its content in the next round, or drop the connection; anything
    /// else sends nothing and breaks it. Dropping this future half-way breaks it too.
    pub async fn round(&mut self, content: Option<&Content>, next: Option<&Envelope>) -> Round {
        match self {
            Self::Outbox(connection) => connection.round(content, next).await,
            Self::Smtp(connection) => connection.round(content, next).await,
        }
    }

    /// What the answer to a content is about: the relay, or with LMTP the recipient's mailbox.
    #[must_use]
    pub fn answers_for(&self) -> Phase {
        match self {
            Self::Outbox(_) => Phase::Content,
            Self::Smtp(connection) => connection.answers_for(),
        }
    }

    /// Ends the session: QUIT, and no wait for more than a second. An announced envelope is abandoned.
    pub async fn quit(self) {
        if let Self::Smtp(connection) = self {
            connection.quit().await;
        }
    }
}

impl Round {
    /// Whether the relay said that it has too much to do (421, RFC 5321 section 3.8).
    #[must_use]
    pub fn says_busy(&self) -> bool {
        let content = self.content.as_ref().is_some_and(|reply| reply.code == 421);
        content || matches!(&self.envelope, Some(Announced::Refused { reply, .. }) if reply.code == 421)
    }

    /// The content never left: a reply of our own says so, because nothing is in doubt.
    fn not_sent(code: u16, enhanced: &str, error: TransportError) -> Self {
        let reply = Reply::new(code, &format!("{enhanced} not sent: {error}"));
        Self { content: Some(reply), envelope: None, broken: Some(error) }
    }
}
