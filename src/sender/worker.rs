//! One connection: announces the next envelope with the last content, and hands a content over only when that is durable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::queue::{Job, Queue};
use super::recorder::Recorder;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::delivery::{self, Attempt, Outcome, Patience, Phase, Reply};
use crate::message::{Compiled, Message, Recipient};
use crate::store::{Appended, Entry, Event, LeaseLost, Pending, Store};
use crate::transport::{Announced, Connection, Envelope, Round, Transport, TransportError};
use crate::types::{Bucket, EmailAddress, MailingId};

/// How often one worker opens a connection again before it leaves the rest to the next tick.
const RECONNECTS: u32 = 3;

/// After a relay that was busy with a content it had taken: soon, since the attempt says nothing about the recipient.
const BUSY_RETRY: chrono::Duration = chrono::Duration::minutes(1);

/// A connection's owner.
pub struct Worker {
    pub store: Store,
    pub transport: Transport,
    pub compiled: Arc<Compiled>,
    pub queue: Arc<Queue>,
    pub recorder: Recorder,
    pub patience: Patience,
    pub clock: Clock,
    pub chance: Chance,
    pub stop: watch::Receiver<bool>,
    pub bucket: Bucket,
    pub mailing: MailingId,
}

/// What a worker leaves behind.
#[derive(Debug, Default)]
pub struct Work {
    /// Messages the relay took.
    pub accepted: u64,
    /// Why the last connection ended early, if it did.
    pub trouble: Option<TransportError>,
}

/// A composed message and whom it is for.
struct Parcel {
    pending: Pending,
    message: Message,
}

/// Why a session ended.
enum End {
    /// Nobody is left, the process stops, or the mailing does.
    Done,
    /// The connection is of no use any more; others may be.
    Broken(TransportError),
    /// An announced envelope must not be followed by its content; a connection cannot take a 354 back.
    Abandoned,
    /// The mailing was paused: leave everyone else for later, at once.
    Paused,
}

/// What a reply makes of the rest of a session.
enum Next {
    GoOn,
    Leave,
}

impl Worker {
    /// Works until the queue is empty, the process stops, the lease is lost or the relay is of no use.
    pub async fn run(self, first: Option<Connection>) -> Work {
        let mut work = Work::default();
        let mut connection = first;
        let mut reconnects = 0;
        loop {
            let mut open = match connection.take() {
                Some(open) => open,
                None => match self.transport.connect().await {
                    Ok(open) => open,
                    Err(error) => {
                        work.trouble = Some(error);
                        return work;
                    }
                },
            };
            match self.session(&mut open, &mut work.accepted).await {
                Err(LeaseLost) => return work,
                Ok(End::Done) => {
                    open.quit().await;
                    return work;
                }
                Ok(End::Abandoned) => {}
                Ok(End::Paused) => return work,
                Ok(End::Broken(error)) => {
                    tracing::warn!(mailing = %self.mailing, %error, "a connection to the relay ended");
                    reconnects += 1;
                    work.trouble = Some(error);
                    if reconnects > RECONNECTS {
                        return work;
                    }
                    tokio::time::sleep(Duration::from_secs(1 << reconnects)).await;
                }
            }
        }
    }

    async fn session(&self, connection: &mut Connection, accepted: &mut u64) -> Result<End, LeaseLost> {
        // Handed and durable: its content goes out with the next round.
        let mut flying: Option<Parcel> = None;
        loop {
            let next = self.take().await?;
            if flying.is_none() && next.is_none() {
                return Ok(End::Done);
            }
            let envelope = next
                .as_ref()
                .map(|parcel| Envelope { from: parcel.message.return_path.clone(), to: parcel.message.to.clone() });
            let content = flying.as_ref().map(|parcel| parcel.message.bytes.as_slice());
            let Round { content, envelope, broken } = connection.round(content, envelope.as_ref()).await;

            let mut entries = Vec::with_capacity(2);
            let mut leave = false;
            // No reply to a content that went out: it stays `handed` in the ledger, in doubt, for the next lease.
            if let (Some(parcel), Some(reply)) = (flying.take(), content) {
                *accepted += u64::from(reply.code == 250);
                let (event, next) = self.after_content(&parcel.pending, connection.answers_for(), reply).await;
                entries.push(entry(&parcel.pending, event));
                leave |= matches!(next, Next::Leave);
            }
            let mut handing = None;
            match (next, envelope) {
                (Some(parcel), Some(Announced::Ready)) if broken.is_none() => {
                    entries.push(entry(&parcel.pending, Event::Handed));
                    handing = Some(parcel);
                }
                (Some(parcel), Some(Announced::Refused { phase, reply })) => {
                    let (event, next) = self.after_envelope(parcel.pending, phase, reply).await;
                    entries.extend(event);
                    leave |= matches!(next, Next::Leave);
                }
                (Some(parcel), _) => self.queue.put_back(parcel.pending).await,
                (None, _) => {}
            }
            let appended = self.recorder.append(entries).await?;
            if let Some(error) = broken {
                return Ok(End::Broken(error));
            }
            if let Some(parcel) = handing {
                match appended.last() {
                    Some(Appended::Written | Appended::Present) => flying = Some(parcel),
                    Some(Appended::Paused) => {
                        self.queue.put_back(parcel.pending).await;
                        return Ok(End::Paused);
                    }
                    Some(Appended::NotEligible | Appended::Stale) | None => return Ok(End::Abandoned),
                }
            }
            if leave && flying.is_none() {
                return Ok(End::Done);
            }
        }
    }

    /// The next message to announce; `None` when nobody is left or the process stops. Those who get none are noted on the way.
    async fn take(&self) -> Result<Option<Parcel>, LeaseLost> {
        loop {
            if *self.stop.borrow() {
                return Ok(None);
            }
            let job = match self.queue.next().await {
                Ok(Some(job)) => job,
                Ok(None) => return Ok(None),
                Err(error) => {
                    tracing::error!(%error, "the next recipients cannot be read");
                    return Ok(None);
                }
            };
            let noted = match job {
                Job::Hold(pending) => entry(&pending, Event::Held),
                Job::Skip(pending, reason) => entry(&pending, Event::Skipped(reason)),
                Job::Send(pending) => match EmailAddress::parse(&pending.address) {
                    Ok(address) => return Ok(Some(self.compose(pending, address))),
                    Err(error) => entry(&pending, Event::Skipped(format!("the stored address is not one: {error}"))),
                },
            };
            self.recorder.append(vec![noted]).await?;
        }
    }

    fn compose(&self, pending: Pending, address: EmailAddress) -> Parcel {
        let recipient =
            Recipient { bucket: self.bucket, subscriber: pending.subscriber, address, request: pending.request };
        let message = self.compiled.splice(&recipient);
        Parcel { pending, message }
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
                self.pause(&reply).await;
                (Event::Deferred { retry_at: now, reply }, Next::Leave)
            }
        }
    }

    /// What a refused envelope means. Nothing was handed, so what is not about the recipient leaves no trace in the ledger.
    async fn after_envelope(&self, pending: Pending, phase: Phase, reply: Reply) -> (Option<Entry>, Next) {
        match self.decide(&pending, phase, &reply) {
            Outcome::Deferred { retry_at } => (Some(entry(&pending, Event::Deferred { retry_at, reply })), Next::GoOn),
            Outcome::Refused { suppress } => (Some(entry(&pending, Event::Refused { suppress, reply })), Next::GoOn),
            Outcome::OurFault => {
                self.pause(&reply).await;
                self.queue.put_back(pending).await;
                (None, Next::Leave)
            }
            Outcome::TryLater | Outcome::Accepted => {
                self.queue.put_back(pending).await;
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

    /// The relay blames us: nobody else is tried until an operator has looked.
    async fn pause(&self, reply: &Reply) {
        let reason = format!("the relay refuses our mail: {} {}", reply.code, reply.text);
        match self.store.pause(self.mailing, &reason).await {
            Ok(true) => {
                tracing::error!(mailing = %self.mailing, %reason, "the mailing is paused; mend the cause, then `tidings resume`")
            }
            Ok(false) => {}
            Err(error) => tracing::error!(mailing = %self.mailing, %reason, %error, "the mailing could not be paused"),
        }
    }
}

fn entry(pending: &Pending, event: Event) -> Entry {
    Entry { subscriber: pending.subscriber, attempt: pending.attempt, event }
}
