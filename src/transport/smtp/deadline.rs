//! How long each phase of a session may take: RFC 5321 section 4.5.3.2, which relays rely on when they look things up
//! before they answer.

use std::time::Duration;

use super::super::TransportError;
use crate::delivery::Phase;

/// To reach the relay's machine; the RFC leaves that to us, and the system would try for two minutes.
pub(super) const CONNECT: Duration = Duration::from_secs(60);
/// The greeting (section 4.5.3.2.1), and EHLO after it.
pub(super) const GREETING: Duration = Duration::from_secs(300);
/// A command (sections 4.5.3.2.2 and 4.5.3.2.3).
pub(super) const COMMAND: Duration = Duration::from_secs(300);
/// DATA, up to its 354 (section 4.5.3.2.4).
const DATA: Duration = Duration::from_secs(120);
/// The final dot (section 4.5.3.2.6). A shorter wait makes duplicates: the relay may have the message already.
const FINAL_DOT: Duration = Duration::from_secs(600);
/// A goodbye is a courtesy.
pub(super) const QUIT: Duration = Duration::from_secs(1);

/// The longest wait for the answer to a phase, where `timeout` is the configured limit. The final dot is not shortened.
pub(super) fn of(phase: Phase, timeout: Duration) -> Duration {
    match phase {
        Phase::Connect => GREETING.min(timeout),
        Phase::Mail | Phase::Recipient => COMMAND.min(timeout),
        Phase::Data => DATA.min(timeout),
        Phase::Content | Phase::Mailbox => FINAL_DOT.max(timeout),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_the_time_of_the_rfc_and_only_the_final_dot_cannot_have_less() {
        for (phase, usual, hasty) in [
            (Phase::Connect, 300, 10),
            (Phase::Mail, 300, 10),
            (Phase::Recipient, 300, 10),
            (Phase::Data, 120, 10),
            (Phase::Content, 600, 600),
            (Phase::Mailbox, 600, 600),
        ] {
            assert_eq!(of(phase, Duration::from_secs(300)).as_secs(), usual, "{phase:?}");
            assert_eq!(of(phase, Duration::from_secs(10)).as_secs(), hasty, "{phase:?}");
        }
    }
}
