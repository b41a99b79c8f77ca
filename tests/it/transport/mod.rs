//! The transport through its door: a scripted SMTP peer, Postfix's smtp-sink, and a directory.

mod dovecot;
mod opening;
mod outbox;
mod protocols;
mod rounds;

use std::time::Duration;

use tidings::config::{self, InDoubt, Protocol, Smtp, Tls};
use tidings::delivery::Patience;
use tidings::transport::{Announced, Connection, Content, Envelope, Round, Transport, TransportError};
use tidings::types::EmailAddress;

fn mail(transport: config::Transport) -> config::Mail {
    let patience =
        Patience { first: Duration::from_secs(1), most: Duration::from_secs(1), period: Duration::from_secs(1) };
    config::Mail { transport, in_doubt: InDoubt::Resend, patience, inbox: None, domains: Vec::new() }
}

/// A plain relay on a loopback port.
pub fn relay(port: u16) -> Smtp {
    Smtp {
        name: "smtp".to_owned(),
        weight: None,
        protocol: Protocol::Smtp,
        host: "127.0.0.1".to_owned(),
        port,
        socket: None,
        chunking: false,
        tls: Tls::None,
        login: None,
        connections: 2,
        messages: 100,
        rate: None,
        warm_up: Vec::new(),
        idle: Duration::from_secs(10),
        hello: "sender.example".to_owned(),
        timeout: Duration::from_secs(5),
    }
}

async fn connect(relay: Smtp) -> Result<Connection, TransportError> {
    Transport::all(&mail(config::Transport::Smtp(vec![relay])))[0].connect().await
}

fn envelope(to: &str) -> Envelope {
    let address = |text| EmailAddress::parse(text).unwrap();
    Envelope { from: address("bounces@example.org"), to: address(to) }
}

fn to(n: usize) -> Envelope {
    envelope(&format!("r{n}@example.com"))
}

fn text(n: usize) -> String {
    format!("Subject: {n}\r\n\r\nHello {n}\r\n")
}

fn message(n: usize) -> Content {
    content(text(n))
}

fn content(text: impl Into<Vec<u8>>) -> Content {
    Content::new(vec![tidings::message::fit::Piece::new(text.into())]).unwrap()
}

fn code(round: &Round) -> Option<u16> {
    round.content.as_ref().map(|reply| reply.code)
}

/// What the next envelope was answered, as `ready`, `Recipient 550` or `-`.
fn answered(round: &Round) -> String {
    match &round.envelope {
        None => "-".to_owned(),
        Some(Announced::Ready) => "ready".to_owned(),
        Some(Announced::Refused { phase, reply }) => format!("{phase:?} {}", reply.code),
    }
}

/// Announces the first envelope.
async fn announced(connection: &mut Connection, n: usize) {
    let round = connection.round(None, Some(&to(n))).await;
    assert_eq!(answered(&round), "ready", "{round:?}");
}
