//! What the replies of one round mean together. Pure: replies in, [`Round`] out.
//!
//! Replies carry no number, so one reply too many or too few would give a message the answer to another. The
//! 354 that only DATA has keeps the count: where it is missing or misplaced, nothing of the round is believed. BDAT has no
//! such mark, which is why it is an option for relays that are known to count right.

use super::super::{Announced, Round, TransportError};
use crate::delivery::{Phase, Reply};

/// Judges the replies of a round, in the order of their commands, and the error that cut them short, if any. With `chunking` an
/// envelope ends with RCPT, else with DATA.
pub(super) fn judge(chunking: bool, answers: Vec<(Phase, Reply)>, cut_short: Option<TransportError>) -> Round {
    if let Some((phase, reply)) = answers.iter().find(|(phase, reply)| !is_possible(*phase, reply.code)) {
        let broken = TransportError::Protocol(format!("{phase:?} was answered with {} {}", reply.code, reply.text));
        return Round { broken: Some(broken), ..Round::default() };
    }
    let closing = answers.iter().find(|(_, reply)| reply.code == 421);
    let closing = closing.map(|(_, reply)| TransportError::Lost(format!("the relay closes it: 421 {}", reply.text)));
    let last = if chunking { Phase::Recipient } else { Phase::Data };
    let ready = answers.iter().any(|(phase, reply)| *phase == last && reply.code < 400);
    let mut round = Round { broken: cut_short.or(closing), ..Round::default() };
    for (phase, reply) in answers {
        if matches!(phase, Phase::Content | Phase::Mailbox) {
            round.content = Some(reply);
        } else if reply.code >= 400 && round.envelope.is_none() {
            // The first refusal is the reason; the others follow from it.
            round.envelope = Some(Announced::Refused { phase, reply });
        }
    }
    if ready && !chunking && round.envelope.is_some() {
        // RFC 2920 section 3.1 lets us end this transaction with a lone dot. That would be an empty mail to whomever the
        // relay believes it has as recipient; a new connection costs less than that risk.
        let why = "DATA was answered with 354 although no recipient was accepted".to_owned();
        round.broken.get_or_insert(TransportError::Protocol(why));
    } else if ready && round.envelope.is_none() {
        round.envelope = Some(Announced::Ready);
    }
    round
}

/// Whether a code can be the reply to a command (RFC 5321 section 4.3.2).
fn is_possible(phase: Phase, code: u16) -> bool {
    match phase {
        _ if (400..=599).contains(&code) => true,
        Phase::Recipient => matches!(code, 250..=252),
        Phase::Data => code == 354,
        Phase::Connect | Phase::Mail | Phase::Content | Phase::Mailbox => code == 250,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Phase; 4] = [Phase::Content, Phase::Mail, Phase::Recipient, Phase::Data];

    /// What a round comes to: content code, envelope, whether it broke.
    type Judged = (Option<u16>, String, bool);

    fn judged_as(chunking: bool, phases: &[Phase], codes: &[u16], cut_short: bool) -> Judged {
        let answers = phases.iter().zip(codes).map(|(phase, code)| (*phase, Reply::new(*code, ""))).collect();
        let round = judge(chunking, answers, cut_short.then(|| TransportError::Lost(String::new())));
        let envelope = match round.envelope {
            None => "none".to_owned(),
            Some(Announced::Ready) => "ready".to_owned(),
            Some(Announced::Refused { phase, reply }) => format!("{phase:?} {}", reply.code),
        };
        (round.content.map(|reply| reply.code), envelope, round.broken.is_some())
    }

    fn judged(codes: &[u16], cut_short: bool) -> Judged {
        judged_as(false, &ALL, codes, cut_short)
    }

    #[test]
    fn with_bdat_an_envelope_is_ready_when_its_recipient_is_accepted() {
        use Phase::{Connect, Content, Mail, Recipient};
        for (codes, content, envelope, broken) in [
            (&[250, 250, 250, 250][..], Some(250), "ready", false),
            (&[552, 250, 250, 250], Some(552), "ready", false),
            (&[250, 250, 250, 550], Some(250), "Recipient 550", false),
            (&[250, 250, 450, 503], Some(250), "Mail 450", false),
            (&[250, 250, 550, 250], Some(250), "Mail 550", false),
            (&[250, 250, 250, 354], None, "none", true),
            (&[250, 421], Some(250), "Connect 421", true),
        ] {
            let judged = judged_as(true, &[Content, Connect, Mail, Recipient], codes, false);
            assert_eq!(judged, (content, envelope.to_owned(), broken), "{codes:?}");
        }
    }

    #[test]
    fn a_round_is_what_its_replies_say_together() {
        for (codes, content, envelope, broken) in [
            (&[250, 250, 250, 354][..], Some(250), "ready", false),
            (&[250], Some(250), "none", false),
            (&[554, 250, 250, 354], Some(554), "ready", false),
            (&[250, 250, 550, 554], Some(250), "Recipient 550", false),
            (&[250, 250, 251, 354], Some(250), "ready", false),
            (&[250, 450, 503, 503], Some(250), "Mail 450", false),
            (&[250, 250, 250, 451], Some(250), "Data 451", false),
            // Closing: what was said before holds.
            (&[421], Some(421), "none", true),
            (&[250, 421], Some(250), "Mail 421", true),
            (&[250, 250, 421], Some(250), "Recipient 421", true),
            // 354 with nobody to deliver to: the envelope's answer holds, the connection does not.
            (&[250, 250, 550, 354], Some(250), "Recipient 550", true),
            // Out of step: one stray 250 before the real replies, or one reply missing. Nothing is believed.
            (&[250, 554, 250, 250], None, "none", true),
            (&[250, 250, 250, 250], None, "none", true),
            (&[354, 250, 250, 354], None, "none", true),
            (&[250, 250, 354, 250], None, "none", true),
            (&[220, 250, 250, 354], None, "none", true),
        ] {
            assert_eq!(judged(codes, false), (content, envelope.to_owned(), broken), "{codes:?}");
        }
    }

    #[test]
    fn what_was_read_before_the_connection_broke_holds() {
        assert_eq!(judged(&[], true), (None, "none".to_owned(), true));
        assert_eq!(judged(&[250], true), (Some(250), "none".to_owned(), true));
        assert_eq!(judged(&[250, 250, 550], true), (Some(250), "Recipient 550".to_owned(), true));
    }
}
