//! One connection: announces the next envelope with the last content, and hands a content over only when that is durable.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Lane;
use super::draft::Draft;
use super::limits::{Domains, Limit};
use super::line::Line;
use super::parcels::Parcel;
use super::pool::Held;
use super::queue::Queue;
use super::recorder::Recorder;
use super::turns::Turn;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::delivery::{self, Attempt, Outcome, Patience, Phase, Reply};
use crate::store::{Appended, Entry, Event, LeaseLost, Pending, Store};
use crate::transport::{Announced, Content, Envelope, Round, TransportError};
use crate::types::MailingId;

/// After a relay that was busy with a content it had taken: soon, since the attempt says nothing about the recipient.
const BUSY_RETRY: chrono::Duration = chrono::Duration::minutes(1);

/// How often one that waits for its slot looks whether it should stop.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// A connection's owner.
pub struct Worker {
    pub store: Store,
    pub line: Arc<Line>,
    pub lane: Lane,
    /// Of the mailing.
    pub limit: Arc<Limit>,
    pub domains: Domains,
    pub queue: Arc<Queue>,
    pub recorder: Recorder,
    pub patience: Patience,
    pub clock: Clock,
    pub chance: Chance,
    pub stop: watch::Receiver<bool>,
    pub mailing: MailingId,
}

/// What a worker leaves behind.
#[derive(Debug, Default)]
pub struct Work {
    /// Messages the relay took.
    pub accepted: u64,
    /// Messages about which the relay said anything, good or bad.
    pub answered: u64,
    /// Why the last connection ended early, if it did.
    pub trouble: Option<TransportError>,
}

impl Work {
    /// What another one leaves behind, too.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.answered += other.answered;
        self.trouble = self.trouble.take().or(other.trouble);
    }
}

/// Why a session ended.
pub(super) enum End {
    /// Nobody is left, the process stops, or the mailing does.
    Done,
    /// The connection has carried its share.
    Worn,
    /// The connection is of no use any more; others may be.
    Broken(TransportError),
    /// The relay is worth fewer connections now.
    TooMany,
    /// An announced envelope must not be followed by its content; a connection cannot take a 354 back.
    Abandoned,
    /// The mailing was paused: leave everyone else for later, at once.
    Paused,
}

/// What follows from a round.
struct Noted {
    entries: Vec<Entry>,
    /// To be sent as soon as that is durable.
    handing: Option<Parcel>,
    leave: bool,
    broken: Option<TransportError>,
}

/// What a reply makes of the rest of a session.
enum Next {
    GoOn,
    Leave,
}

impl Worker {
    /// Works until the queue is empty, the process stops, the lease is lost or the relay is of no use.
    pub async fn run(self, first: Option<Held>, turn: Arc<Turn>) -> Work {
        let mut work = Work::default();
        let mut held = first;
        loop {
            let mut open = match held.take() {
                Some(open) => open,
                None => match self.connect().await {
                    Ok(Some(open)) => open,
                    Ok(None) => return work,
                    Err(error) => {
                        if let TransportError::Refused { reply: Reply { code: 400..=499, .. }, .. } = &error {
                            self.line.pool.is_busy();
                        }
                        work.trouble = Some(error);
                        return work;
                    }
                },
            };
            let before = work.answered;
            match self.session(&mut open, &turn, &mut work).await {
                Err(LeaseLost) => return work,
                Ok(End::Done) => {
                    self.line.pool.rest(open).await;
                    return work;
                }
                Ok(End::Worn) => self.line.pool.rest(open).await,
                Ok(End::TooMany) => self.line.pool.give_up(open).await,
                Ok(End::Abandoned) => {}
                Ok(End::Paused) => return work,
                Ok(End::Broken(error)) => {
                    let useless = work.answered == before && !open.rested;
                    tracing::warn!(mailing = %self.mailing, %error, "a connection to the relay ended");
                    // One that got something done is replaced at once; one that did not may be the relay's way to say no.
                    if useless {
                        work.trouble = Some(error);
                        return work;
                    }
                }
            }
        }
    }

    /// The next message is fetched while the ledger is written, so that neither waits for the other.
    async fn session(&self, held: &mut Held, turn: &Turn, work: &mut Work) -> Result<End, LeaseLost> {
        // Handed and durable: its content goes out with the next round.
        let mut flying: Option<Parcel> = None;
        let mut too_many = false;
        let mut next = self.prepare(held, turn, false, &mut too_many).await?;
        loop {
            let announced = match next {
                Ok(parcel) if *self.stop.borrow() => {
                    self.unprepare(Ok(parcel)).await;
                    None
                }
                Ok(parcel) => Some(parcel),
                Err(end) if flying.is_none() => return Ok(end),
                Err(_) => None,
            };
            if flying.is_none() && announced.is_none() {
                return Ok(End::Done);
            }
            let envelope = announced.as_ref().map(|parcel| &parcel.mail.envelope);
            let content = flying.as_ref().map(|parcel| &parcel.mail.content);
            let round = self.exchange(held, content, envelope).await;
            let Noted { entries, handing, leave, broken } =
                self.note(held, (flying.take(), announced), round, work).await;
            if broken.is_some() || (leave && handing.is_none()) {
                self.recorder.append(entries).await?;
                return Ok(broken.map_or(End::Done, End::Broken));
            }
            // Pinned first: `join!` would move it, and it has room for all that may have to be read, which is kilobytes.
            let ahead = pin!(self.prepare(held, turn, handing.is_some(), &mut too_many));
            let (appended, ahead) = tokio::join!(self.recorder.append(entries), ahead);
            let appended = appended?;
            next = ahead?;
            if let Some(parcel) = handing {
                match appended.last() {
                    Some(Appended::Written | Appended::Present) => flying = Some(parcel),
                    Some(Appended::Paused) => {
                        self.queue.put_back(parcel.draft);
                        self.unprepare(next).await;
                        return Ok(End::Paused);
                    }
                    Some(Appended::NotEligible | Appended::Stale) | None => {
                        self.unprepare(next).await;
                        return Ok(End::Abandoned);
                    }
                }
            }
        }
    }

    /// What a round means for the ledger and the session; `parcels` are the one whose content went out and the one that was announced.
    async fn note(
        &self,
        held: &mut Held,
        parcels: (Option<Parcel>, Option<Parcel>),
        round: Round,
        work: &mut Work,
    ) -> Noted {
        let (flying, announced) = parcels;
        let Round { content, envelope, broken } = round;
        let mut entries = Vec::with_capacity(2);
        let mut leave = false;
        // No reply to a content that went out: it stays `handed` in the ledger, in doubt, for the next lease.
        if let (Some(parcel), Some(reply)) = (flying, content) {
            held.carry();
            work.answered += 1;
            work.accepted += u64::from(reply.code == 250);
            let about = held.connection().answers_for();
            let (event, next) = self.after_content(&parcel.draft.pending, about, reply).await;
            entries.push(entry(&parcel.draft.pending, event));
            leave |= matches!(next, Next::Leave);
        }
        let mut handing = None;
        match (announced, envelope) {
            (Some(parcel), Some(Announced::Ready)) if broken.is_none() => {
                entries.push(entry(&parcel.draft.pending, Event::Handed));
                handing = Some(parcel);
            }
            (Some(parcel), Some(Announced::Refused { phase, reply })) => {
                work.answered += u64::from(reply.code != 421);
                let (event, next) = self.after_envelope(parcel.draft, phase, reply).await;
                entries.extend(event);
                leave |= matches!(next, Next::Leave);
            }
            (Some(parcel), _) => self.queue.put_back(parcel.draft),
            (None, _) => {}
        }
        Noted { entries, handing, leave, broken }
    }

    /// One round, from which the pool learns how many connections the relay is worth.
    async fn exchange(&self, held: &mut Held, content: Option<&Content>, envelope: Option<&Envelope>) -> Round {
        let start = Instant::now();
        let round = held.connection().round(content, envelope).await;
        if content.is_some() && round.content.is_some() {
            self.line.pool.replied(start.elapsed());
        }
        if round.says_busy() {
            self.line.pool.is_busy();
        }
        round
    }

    /// What the answer to a content means for the ledger, and for the session.
    async fn after_content(&self, pending: &Pending, phase: Phase, reply: Reply) -> (Event, Next) {
        let now = self.clock.now();
        if reply.code == 250 {
            return (Event::Accepted(reply), Next::GoOn);
        }
        match self.decide(pending, phase, &reply) {
            Outcome::Accepted => (Event::Accepted(reply), Next::GoOn),
            Outcome::Deferred { retry_at } => (Event::Deferred { retry_at, reply }, Next::GoOn),
            Outcome::Refused { suppress } => (Event::Refused { suppress, reply }, Next::GoOn),
            Outcome::TryLater => (Event::Deferred { retry_at: now + BUSY_RETRY, reply }, Next::Leave),
            Outcome::OurFault => {
                self.pause(&refusal(phase, &reply)).await;
                (Event::Deferred { retry_at: now, reply }, Next::Leave)
            }
        }
    }

    /// What a refused envelope means. Nothing was handed, so what is not about the recipient leaves no trace in the ledger.
    async fn after_envelope(&self, draft: Arc<Draft>, phase: Phase, reply: Reply) -> (Option<Entry>, Next) {
        match self.decide(&draft.pending, phase, &reply) {
            Outcome::Deferred { retry_at } => {
                (Some(entry(&draft.pending, Event::Deferred { retry_at, reply })), Next::GoOn)
            }
            Outcome::Refused { suppress } => {
                (Some(entry(&draft.pending, Event::Refused { suppress, reply })), Next::GoOn)
            }
            Outcome::OurFault => {
                self.pause(&refusal(phase, &reply)).await;
                self.queue.put_back(draft);
                (None, Next::Leave)
            }
            Outcome::TryLater | Outcome::Accepted => {
                self.queue.put_back(draft);
                (None, Next::Leave)
            }
        }
    }

    fn decide(&self, pending: &Pending, phase: Phase, reply: &Reply) -> Outcome {
        let now = self.clock.now();
        // Without randomness every wait is the shortest one: harmless.
        let jitter = self.chance.bytes().map(u16::from_be_bytes).unwrap_or_default();
        let attempt = Attempt { number: pending.attempt, first_at: pending.first_at.unwrap_or(now), now, jitter };
        delivery::decide(phase, reply, &attempt, &self.patience)
    }

    /// The fault is ours: nobody else is tried until an operator has looked.
    pub(super) async fn pause(&self, reason: &str) {
        match self.store.pause(self.mailing, reason).await {
            Ok(true) => {
                tracing::error!(mailing = %self.mailing, %reason, "the mailing is paused; mend the cause, then `tidings resume`")
            }
            Ok(false) => {}
            Err(error) => tracing::error!(mailing = %self.mailing, %reason, %error, "the mailing could not be paused"),
        }
    }
}

/// The reason of a pause, which status and log show: no reader's address. What a relay says of MAIL is about our own, and has to be read.
fn refusal(phase: Phase, reply: &Reply) -> String {
    let text = if phase == Phase::Mail { Cow::Borrowed(reply.text.as_str()) } else { reply.nameless() };
    format!("the relay refuses our mail: {} {text}", reply.code)
}

pub(super) fn entry(pending: &Pending, event: Event) -> Entry {
    Entry { subscriber: pending.subscriber, attempt: pending.attempt, event }
}
