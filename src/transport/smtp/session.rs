//! One SMTP session: commands out in one write where PIPELINING is offered, replies in, a deadline on each.
//!
//! Anything unexpected ends it. While a round is under way the session counts as broken, so a cancelled round cannot be
//! followed by another that reads its replies.

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::response::Response;

use super::super::{Announced, Content, Envelope, Round, TransportError, fit};
use super::judge::judge;
use crate::delivery::{Phase, Reply};

/// RFC 5321 section 4.5.3.2.6. A shorter wait makes duplicates: the relay may have the message already.
const FINAL_DOT: Duration = Duration::from_secs(600);
/// A goodbye is a courtesy.
const QUIT: Duration = Duration::from_secs(1);

/// An open SMTP session.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    pipelining: bool,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between transactions.
    Idle,
    /// The relay said 354 and takes whatever comes for content.
    Announced,
    /// A round is under way, or was never finished.
    Broken,
}

/// The content and the commands of a round in one buffer, and where each ends.
#[derive(Default)]
struct Steps {
    text: String,
    ends: Vec<(Phase, usize)>,
}

impl Steps {
    fn new(content: Option<&Content>, next: Option<&Envelope>) -> Self {
        let mut steps = Self::default();
        if let Some(content) = content {
            fit::stuff(&content.0, &mut steps.text);
            steps.end(Phase::Content);
        }
        if let Some(Envelope { from, to }) = next {
            for (phase, command) in [
                (Phase::Mail, format!("MAIL FROM:<{}>\r\n", from.expose())),
                (Phase::Recipient, format!("RCPT TO:<{}>\r\n", to.expose())),
                (Phase::Data, "DATA\r\n".to_owned()),
            ] {
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
        write!(f, "Connection({:?}, pipelining: {})", self.state, self.pipelining)
    }
}

impl Connection {
    /// A session that is past EHLO, TLS and AUTH.
    pub(super) fn new(smtp: AsyncSmtpConnection, pipelining: bool, timeout: Duration) -> Self {
        Self { smtp, pipelining, timeout, state: State::Idle }
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
        let steps = Steps::new(content, next);
        let mut answers = Vec::with_capacity(steps.ends.len());
        let cut_short = self.talk(&steps, &mut answers).await.err();
        let mut round = judge(answers, cut_short);
        if let (Some(Announced::Refused { phase, .. }), None) = (&round.envelope, &round.broken) {
            round.broken = self.reset(*phase).await.err();
        }
        if round.broken.is_none() {
            self.state = if round.envelope == Some(Announced::Ready) { State::Announced } else { State::Idle };
        }
        round
    }

    /// Sends the steps and collects their replies: in one write with PIPELINING (RFC 2920), else one by one up to the
    /// first refused command. A 421 ends it either way.
    async fn talk(&mut self, steps: &Steps, answers: &mut Vec<(Phase, Reply)>) -> Result<(), TransportError> {
        let mut sent = 0;
        for (phase, end) in &steps.ends {
            let until = if self.pipelining { steps.text.len() } else { *end };
            let reply = self.ask(*phase, steps.text.get(sent..until).unwrap_or_default()).await?;
            sent = until;
            let refused = reply.code >= 400 && *phase != Phase::Content;
            let over = reply.code == 421 || (refused && !self.pipelining);
            answers.push((*phase, reply));
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Writes `text`, if there is any, and reads one reply.
    async fn ask(&mut self, phase: Phase, text: &str) -> Result<Reply, TransportError> {
        let limit = if phase == Phase::Content { FINAL_DOT.max(self.timeout) } else { self.timeout };
        within(limit, phase, async {
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

    pub(in super::super) async fn quit(mut self) {
        // After 354 a QUIT would be content; a broken session has nothing to say.
        if self.state == State::Idle {
            let _ = tokio::time::timeout(QUIT, self.smtp.command("QUIT\r\n")).await;
        }
    }
}

/// Awaits with a deadline. The caller drops the connection when it passes.
pub(super) async fn within<T>(
    limit: Duration,
    phase: Phase,
    future: impl Future<Output = T>,
) -> Result<T, TransportError> {
    let late = |_| TransportError::Timeout { phase, seconds: limit.as_secs() };
    tokio::time::timeout(limit, future).await.map_err(late)
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
