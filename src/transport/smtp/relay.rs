//! Opens sessions: address, TCP without delay or a socket, TLS, EHLO or LHLO. No silent downgrade: what the configuration
//! asks for is there, or there is no session and nothing was said.

use std::net::SocketAddr;
use std::sync::Arc;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::TransportError;
use super::deadline::{self, within};
use super::session::{Connection, Manner, answer};
use super::wire::{Ahead, Wire};
use crate::config::{Protocol, Smtp, Tls};
use crate::delivery::{Phase, Reply};
use crate::tls::Trust;

/// A relay: where it is, and what we demand of a session with it.
#[derive(Clone, Debug)]
pub struct Relay {
    pub(super) config: Arc<Smtp>,
    trust: Trust,
}

impl Relay {
    /// A relay as configured. Nothing is opened.
    #[must_use]
    pub fn new(config: &Smtp) -> Self {
        Self { config: Arc::new(config.clone()), trust: Trust::default() }
    }

    pub(in super::super) fn config(&self) -> &Smtp {
        &self.config
    }

    /// A session ready for MAIL.
    pub(in super::super) async fn connect(&self) -> Result<Connection, TransportError> {
        let ahead = Ahead::default();
        let mut smtp = if let Some(path) = &self.config.socket {
            let stream = within(self.limit(deadline::CONNECT), Phase::Connect, UnixStream::connect(path)).await?;
            self.greeted(Wire::unix(stream.map_err(|error| self.failed(error))?), &ahead).await?
        } else {
            let tcp = self.tcp().await?;
            match self.config.tls {
                Tls::None => self.greeted(Wire::plain(tcp), &ahead).await?,
                Tls::Implicit => self.greeted(Wire::tls(self.handshake(tcp).await?), &ahead).await?,
                Tls::Starttls => self.starttls(tcp, &ahead).await?,
            }
        };
        let manner = self.manner(&mut smtp).await?;
        self.log_in(&mut smtp).await?;
        Ok(Connection::new(smtp, manner, ahead))
    }

    /// A deadline of RFC 5321, or the configured one when that is sooner.
    fn limit(&self, usual: std::time::Duration) -> std::time::Duration {
        usual.min(self.config.timeout)
    }

    /// Tries each address of the host in turn.
    async fn tcp(&self) -> Result<TcpStream, TransportError> {
        let Smtp { host, port, .. } = &*self.config;
        let found = within(self.limit(deadline::CONNECT), Phase::Connect, lookup_host((host.as_str(), *port))).await?;
        let mut failure = self.failed("the name has no address");
        for address in found.map_err(|error| self.failed(error))? {
            match self.tcp_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn tcp_to(&self, address: SocketAddr) -> Result<TcpStream, TransportError> {
        if self.config.tls == Tls::None && !address.ip().to_canonical().is_loopback() {
            return Err(self.failed(format!(
                "{} is not a loopback address, and mail leaves this machine only over TLS: set `tls` of the relay",
                address.ip()
            )));
        }
        let stream = within(self.limit(deadline::CONNECT), Phase::Connect, TcpStream::connect(address)).await?;
        let stream = stream.map_err(|error| self.failed(error))?;
        // A round's last packet must not wait for the acknowledgement of the one before: 40 ms a mail.
        stream.set_nodelay(true).map_err(|error| self.failed(error))?;
        Ok(stream)
    }

    /// Reads the greeting and says EHLO or LHLO.
    async fn greeted(&self, wire: Wire, ahead: &Ahead) -> Result<AsyncSmtpConnection, TransportError> {
        let hello = ClientId::Domain(self.config.hello.clone());
        let wire = wire.greeting_as(self.config.protocol, ahead);
        let session = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
        match within(self.limit(deadline::GREETING), Phase::Connect, session).await? {
            Ok(session) => Ok(session),
            Err(error) => Err(self.unfinished(answer(Err(error)).map(|reply| self.refused(reply)))),
        }
    }

    /// STARTTLS on a second handle of the socket. The plain session is dropped with whatever it has read, so nothing that
    /// was said before TLS, by the relay or by someone in the middle, is taken for an answer inside it.
    async fn starttls(&self, tcp: TcpStream, ahead: &Ahead) -> Result<AsyncSmtpConnection, TransportError> {
        let (tcp, twin) = twins(tcp).map_err(|error| self.failed(error))?;
        let mut plain = self.greeted(Wire::plain(tcp), ahead).await?;
        if !plain.can_starttls() {
            return Err(self.failed("it offers no STARTTLS, and mail goes out only over TLS"));
        }
        self.demand(&mut plain, "STARTTLS\r\n", 220).await?;
        drop(plain);
        self.greeted(Wire::upgraded(self.handshake(twin).await?), ahead).await
    }

    async fn handshake(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, TransportError> {
        let failed = |error: &dyn std::fmt::Display| self.failed(format!("TLS failed: {error}"));
        let name = ServerName::try_from(self.config.host.clone()).map_err(|error| failed(&error))?;
        let connector = self.trust.connector().map_err(|error| failed(&error))?;
        let stream = within(self.limit(deadline::CONNECT), Phase::Connect, connector.connect(name, tcp)).await?;
        stream.map_err(|error| failed(&error))
    }

    /// How we may speak with it: PIPELINING, CHUNKING, SMTPUTF8. lettre forgets extensions that it does not use, so EHLO is said once more.
    async fn manner(&self, smtp: &mut AsyncSmtpConnection) -> Result<Manner, TransportError> {
        let Smtp { protocol, hello, chunking, timeout, .. } = &*self.config;
        let verb = match protocol {
            Protocol::Smtp => "EHLO",
            Protocol::Lmtp => "LHLO",
        };
        let offers = self.demand(smtp, &format!("{verb} {hello}\r\n"), 250).await?;
        let offered = |word: &str| offers.iter().skip(1).any(|line| line.trim().eq_ignore_ascii_case(word));
        Ok(Manner {
            pipelining: offered("PIPELINING"),
            chunking: *chunking && offered("CHUNKING"),
            smtputf8: offered("SMTPUTF8"),
            protocol: *protocol,
            timeout: *timeout,
        })
    }

    /// Says a command and insists on its reply, whose lines it returns.
    pub(super) async fn demand(
        &self,
        smtp: &mut AsyncSmtpConnection,
        command: &str,
        code: u16,
    ) -> Result<Vec<String>, TransportError> {
        let result = within(self.limit(deadline::COMMAND), Phase::Connect, smtp.command(command)).await?;
        match result {
            Ok(response) if response.has_code(code) => Ok(response.message().map(str::to_owned).collect()),
            other => Err(self.unfinished(answer(other).map(|reply| self.refused(reply)))),
        }
    }

    fn name(&self) -> String {
        match &self.config.socket {
            Some(path) => path.display().to_string(),
            None => format!("{}:{}", self.config.host, self.config.port),
        }
    }

    pub(super) fn failed(&self, why: impl ToString) -> TransportError {
        TransportError::Connect { relay: self.name(), why: why.to_string() }
    }

    pub(super) fn refused(&self, reply: Reply) -> TransportError {
        TransportError::Refused { relay: self.name(), reply }
    }

    /// The error of a session that did not come about: a refusal, or a connection that went away before it was one.
    pub(super) fn unfinished(&self, error: Result<TransportError, TransportError>) -> TransportError {
        match error {
            Err(TransportError::Lost(why)) => self.failed(format!("the connection was lost: {why}")),
            Ok(error) | Err(error) => error,
        }
    }
}

/// Two handles of one socket.
fn twins(tcp: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let one = tcp.into_std()?;
    let two = one.try_clone()?;
    Ok((TcpStream::from_std(one)?, TcpStream::from_std(two)?))
}
