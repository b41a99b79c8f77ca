//! AUTH PLAIN, LOGIN and XOAUTH2. A session gets here only over TLS, or on this machine: [`Relay::connect`] sees to that.

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Auth;

use super::super::TransportError;
use super::deadline::{self, within};
use super::relay::Relay;
use super::session::answer;
use crate::config::Login;
use crate::delivery::Phase;

/// More than any access token; a file of that name that is longer is something else.
const MAX_TOKEN: u64 = 64 * 1024;

impl Relay {
    /// Logs in as configured, or not at all.
    pub(super) async fn log_in(&self, smtp: &mut AsyncSmtpConnection) -> Result<(), TransportError> {
        match &self.config.login {
            None => Ok(()),
            Some(Login::Password { user, password }) => {
                let credentials = Credentials::new(user.clone(), password.expose().to_owned());
                self.with_password(smtp, &credentials).await
            }
            Some(Login::Token { user, path }) => {
                let token = self.token(path).await?;
                self.with_token(smtp, Credentials::new(user.clone(), token)).await
            }
        }
    }

    async fn with_password(
        &self,
        smtp: &mut AsyncSmtpConnection,
        credentials: &Credentials,
    ) -> Result<(), TransportError> {
        if smtp.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(self.failed("it offers neither AUTH PLAIN nor AUTH LOGIN, and a login is configured"));
        }
        let limit = deadline::COMMAND.min(self.config.timeout);
        let result = within(limit, Phase::Connect, smtp.auth(DEFAULT_MECHANISMS, credentials)).await?;
        match answer(result) {
            Ok(reply) if reply.code == 235 => Ok(()),
            other => Err(self.unfinished(other.map(|reply| self.refused(reply)))),
        }
    }

    /// A refused token is answered with 334 and the reason as JSON; the refusal itself comes after an empty line of ours.
    /// lettre stops at the 334 and hides it.
    async fn with_token(&self, smtp: &mut AsyncSmtpConnection, credentials: Credentials) -> Result<(), TransportError> {
        if smtp.server_info().get_auth_mechanism(&[Mechanism::Xoauth2]).is_none() {
            return Err(self.failed("it offers no AUTH XOAUTH2, and a token is configured"));
        }
        let command = Auth::new(Mechanism::Xoauth2, credentials, None).map_err(|error| self.failed(error))?;
        let limit = deadline::COMMAND.min(self.config.timeout);
        let mut result = within(limit, Phase::Connect, smtp.command(command)).await?;
        if result.as_ref().is_ok_and(|response| response.has_code(334)) {
            result = within(limit, Phase::Connect, smtp.command("\r\n")).await?;
        }
        match answer(result) {
            Ok(reply) if reply.code == 235 => Ok(()),
            other => Err(self.unfinished(other.map(|reply| self.refused(reply)))),
        }
    }

    /// The token as its file holds it now. An empty or missing file is no reason to send one that is not there.
    async fn token(&self, path: &std::path::Path) -> Result<String, TransportError> {
        let failed = |why: String| self.failed(format!("the access token in {} {why}", path.display()));
        let size = tokio::fs::metadata(path).await.map_err(|error| failed(format!("cannot be read: {error}")))?.len();
        if size > MAX_TOKEN {
            return Err(failed(format!("is none: the file has {size} bytes")));
        }
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| failed(format!("cannot be read: {error}")))?;
        match text.trim() {
            "" => Err(failed("is missing: the file is empty".to_owned())),
            token if token.chars().any(|c| c.is_control() || !c.is_ascii()) => {
                Err(failed("is none: it has control characters or is not ASCII".to_owned()))
            }
            token => Ok(token.to_owned()),
        }
    }
}
