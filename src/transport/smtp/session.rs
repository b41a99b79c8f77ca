//! One SMTP session: commands out in one write where PIPELINING is offered, replies in, a deadline on each.
//!
//! Anything unexpected ends it. While a round is under way the session counts as broken, so a cancelled round cannot be
//! followed by another that reads its replies.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::response::Response;

use super::super::{Announced, Content, Envelope, Round, TransportError};
use super::deadline::{self, within};
use super::judge::judge;
use super::wire::Ahead;
use crate::config::Protocol;
use crate::delivery::{Phase, Reply};

/// How a session speaks: what the relay offers and we want.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Commands in groups (RFC 2920).
    pub pipelining: bool,
    /// Contents by BDAT (RFC 3030).
    pub chunking: bool,
    /// Addresses that are not ASCII (RFC 6531).
    pub smtputf8: bool,
    pub protocol: Protocol,
    /// The configured limit of every wait.
    pub timeout: Duration,
}

impl Manner {
    /// What the answer to a content is about. A transaction of ours has one recipient, so LMTP's replies, one for each
    /// recipient (RFC 2033 section 4.2), are one.
    fn content(self) -> Phase {
        match self.protocol {
            Protocol::Smtp => Phase::Content,
            Protocol::Lmtp => Phase::Mailbox,
        }
    }
}

/// An open SMTP or LMTP session.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    manner: Manner,
    state: State,
    /// Where contents go, past lettre.
    ahead: Ahead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between transactions.
    Idle,
    /// The relay waits for a content; after 354 it takes whatever comes for one.
    Announced,
    /// A round is under way, or was never finished.
    Broken,
}

/// The content and the commands of a round, and where in the text each ends.
#[derive(Default)]
struct Steps {
    /// A content up to its final dot, which is in the text.
    ahead: VecDeque<Bytes>,
    text: String,
    ends: Vec<(Phase, usize)>,
}

impl Steps {
    fn new(manner: Manner, content: Option<&Content>, next: Option<&Envelope>) -> Self {
        let mut steps = Self::default();
        if let Some(content) = content {
            if manner.chunking {
                // What stands before a content's end must be text for lettre; checked contents are.
                let bytes = content.bytes();
                steps.text = format!("BDAT {} LAST\r\n{}", bytes.len(), String::from_utf8_lossy(&bytes));
            } else {
                steps.ahead = content.stuffed();
                steps.text.push_str(".\r\n");
            }
            steps.end(manner.content());
        }
        if let Some(Envelope { from, to }) = next {
            // What a failed BDAT leaves behind is not defined (RFC 3030 section 2); nobody refuses RSET.
            let reset = if manner.chunking && content.is_some() { "RSET\r\n" } else { "" };
            for (phase, command) in [
                (Phase::Connect, reset.to_owned()),
                (
                    Phase::Mail,
                    format!("MAIL FROM:<{}>{}\r\n", from.expose(), if to.is_ascii() { "" } else { " SMTPUTF8" }),
                ),
                (Phase::Recipient, format!("RCPT TO:<{}>\r\n", to.expose())),
                (Phase::Data, "DATA\r\n".to_owned()),
            ] {
                // BDAT needs no leave: its content follows when `handed` is durable.
                if command.is_empty() || (phase == Phase::Data && manner.chunking) {
                    continue;
                }
                steps.text.push_str(&command);
                steps.end(phase);
            }
        }
        steps
    }

    fn end(&mut self, phase: Phase) {
        self.ends.push((phase, self.text.len()));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {:?})", self.state, self.manner)
    }
}

impl Connection {
    /// A session that is past EHLO, TLS and AUTH.
    pub(super) fn new(smtp: AsyncSmtpConnection, manner: Manner, ahead: Ahead) -> Self {
        Self { smtp, manner, state: State::Idle, ahead }
    }

    pub(in super::super) async fn round(&mut self, content: Option<&Content>, next: Option<&Envelope>) -> Round {
        let state = std::mem::replace(&mut self.state, State::Broken);
        let expected = match state {
            State::Idle => content.is_none(),
            State::Announced => content.is_some(),
            State::Broken => false,
        };
        if !expected {
            let why = format!("this round does not fit a session that is {state:?}; nothing was sent");
            return Round { broken: Some(TransportError::Lost(why)), ..Round::default() };
        }
        // An envelope that this relay cannot carry is never said: the answer to it is ours, and the others go on.
        let impossible = next.filter(|next| !self.manner.smtputf8 && !next.to.is_ascii());
        let next = if impossible.is_some() { None } else { next };
        if content.is_none() && impossible.is_some() {
            self.state = state;
            return Round { envelope: Some(no_smtputf8()), ..Round::default() };
        }
        let mut steps = Steps::new(self.manner, content, next);
        self.ahead.put(std::mem::take(&mut steps.ahead));
        let mut answers = Vec::with_capacity(steps.ends.len());
        let cut_short = self.talk(&steps, &mut answers).await.err();
        let mut round = judge(self.manner.chunking, answers, cut_short);
        if let (Some(Announced::Refused { phase, .. }), None) = (&round.envelope, &round.broken) {
            round.broken = self.reset(*phase).await.err();
        }
        if round.broken.is_none() {
            self.state = if round.envelope == Some(Announced::Ready) { State::Announced } else { State::Idle };
            round.envelope = round.envelope.or(impossible.map(|_| no_smtputf8()));
        }
        round
    }

    /// Sends the steps and collects their replies: in one write with PIPELINING (RFC 2920), else one by one up to the
    /// first refused command. A 421 ends it either way.
    async fn talk(&mut self, steps: &Steps, answers: &mut Vec<(Phase, Reply)>) -> Result<(), TransportError> {
        let mut sent = 0;
        for (phase, end) in &steps.ends {
            let until = if self.manner.pipelining { steps.text.len() } else { *end };
            let reply = self.ask(*phase, steps.text.get(sent..until).unwrap_or_default()).await?;
            sent = until;
            let refused = reply.code >= 400 && *phase != self.manner.content();
            let over = reply.code == 421 || (refused && !self.manner.pipelining);
            answers.push((*phase, reply));
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Writes `text`, if there is any, and reads one reply.
    async fn ask(&mut self, phase: Phase, text: &str) -> Result<Reply, TransportError> {
        within(deadline::of(phase, self.manner.timeout), phase, async {
            if text.is_empty() { self.smtp.read_response().await } else { self.smtp.command(text).await }
        })
        .await
        .and_then(answer)
    }

    /// Forgets a refused transaction, so that the next one starts clean.
    async fn reset(&mut self, phase: Phase) -> Result<(), TransportError> {
        match self.ask(phase, "RSET\r\n").await? {
            Reply { code: 250, .. } => Ok(()),
            Reply { code, text, .. } => Err(TransportError::Protocol(format!("RSET was answered with {code} {text}"))),
        }
    }

    pub(in super::super) fn answers_for(&self) -> Phase {
        self.manner.content()
    }

    pub(in super::super) async fn quit(mut self) {
        // After 354 a QUIT would be content; a broken session has nothing to say.
        if self.state == State::Idle {
            let _ = tokio::time::timeout(deadline::QUIT, self.smtp.command("QUIT\r\n")).await;
        }
    }
}

/// RFC 6531 section 3.5. The code is about the address, so nobody else is held up; and not about the mailbox, so it is not suppressed.
fn no_smtputf8() -> Announced {
    let text = "5.6.7 not sent: the address is not ASCII, and the relay does not offer SMTPUTF8 (RFC 6531)";
    Announced::Refused { phase: Phase::Recipient, reply: Reply::new(550, text) }
}

/// A reply, whatever its code: lettre makes 4xx and 5xx errors, with the code and the joined text in them.
pub(super) fn answer(result: Result<Response, lettre::transport::smtp::Error>) -> Result<Reply, TransportError> {
    match result {
        Ok(response) => Ok(Reply::new(response.code().into(), &response.message().collect::<Vec<_>>().join(" "))),
        Err(error) => {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            match error.status() {
                Some(code) => Ok(Reply::new(code.into(), &why)),
                None if error.is_response() => Err(TransportError::Protocol(why)),
                None => Err(TransportError::Lost(why)),
            }
        }
    }
}
