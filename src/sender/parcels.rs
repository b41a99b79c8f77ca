//! A connection's next message: who it is for, and its bytes.

use super::pool::Held;
use super::queue::{Job, Step};
use super::turns::Turn;
use super::worker::{End, LOOK, Worker, entry};
use crate::message::{ComposeError, Message, Recipient};
use crate::store::{Event, LeaseLost, Pending};
use crate::transport::{Content, Envelope};
use crate::types::EmailAddress;

/// A composed message and whom it is for.
pub(super) struct Parcel {
    pub pending: Pending,
    pub envelope: Envelope,
    pub content: Content,
}

/// Why there is no message.
enum Unmade {
    /// This one cannot be made; the reason.
    Alone(String),
    /// None can be made: nothing signs.
    All(ComposeError),
}

impl Worker {
    /// The next message of a connection, or why there is none. What is handed (`flying`) never waits for a slot of the next.
    pub(super) async fn prepare(
        &self,
        held: &Held,
        turn: &Turn,
        flying: bool,
        too_many: &mut bool,
    ) -> Result<Result<Parcel, End>, LeaseLost> {
        *too_many |= self.line.pool.is_too_many(self.lane);
        if *too_many {
            return Ok(Err(End::TooMany));
        }
        if self.line.pool.is_worn(held, u32::from(flying)) {
            return Ok(Err(End::Worn));
        }
        let patient = !flying;
        if !self.has_turn(turn, patient).await || !self.may_go(patient).await {
            return Ok(Err(End::Done));
        }
        let next = self.take(patient).await?;
        if next.is_some() {
            turn.take();
        } else {
            self.put_back().await;
        }
        Ok(next.ok_or(End::Done))
    }

    /// Gives back what was prepared and cannot be announced any more.
    pub(super) async fn unprepare(&self, next: Result<Parcel, End>) {
        if let Ok(parcel) = next {
            self.put_back().await;
            self.queue.put_back(parcel.pending).await;
        }
    }

    /// The next message to announce; `None` when nobody is left or the process stops. Those who get none are noted on the way.
    async fn take(&self, patient: bool) -> Result<Option<Parcel>, LeaseLost> {
        loop {
            if *self.stop.borrow() {
                return Ok(None);
            }
            let job = match self.queue.next().await {
                Ok(Step::Job(job)) => job,
                Ok(Step::Wait(wait)) if patient => {
                    tokio::time::sleep(wait.min(LOOK)).await;
                    continue;
                }
                Ok(Step::Wait(_) | Step::Over) => return Ok(None),
                Err(error) => {
                    tracing::error!(%error, "the next recipients cannot be read");
                    return Ok(None);
                }
            };
            if let Job::Send(pending) = &job {
                match self.domains.take(&pending.address, self.lane).await {
                    Ok(None) => {}
                    Ok(Some(wait)) => {
                        self.queue.set_aside(pending.clone(), wait).await;
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(%error, "the rate of a domain cannot be read");
                        self.queue.put_back(pending.clone()).await;
                        return Ok(None);
                    }
                }
            }
            let noted = match job {
                Job::Hold(pending) => entry(&pending, Event::Held),
                Job::Skip(pending, reason) => entry(&pending, Event::Skipped(reason)),
                Job::Send(pending) => match self.compose(&pending) {
                    Ok((envelope, content)) => return Ok(Some(Parcel { pending, envelope, content })),
                    Err(Unmade::Alone(reason)) => entry(&pending, Event::Skipped(reason)),
                    Err(Unmade::All(error)) => {
                        self.pause(&error.to_string()).await;
                        self.queue.put_back(pending).await;
                        return Ok(None);
                    }
                },
            };
            self.recorder.append(vec![noted]).await?;
        }
    }

    /// A message that cannot be made fails alone, with its reason; only what concerns every message pauses the mailing.
    fn compose(&self, pending: &Pending) -> Result<(Envelope, Content), Unmade> {
        let address = EmailAddress::parse(&pending.address)
            .map_err(|error| Unmade::Alone(format!("the stored address is not one: {error}")))?;
        let Pending { subscriber, request, fields, .. } = pending;
        let (subscriber, request, fields) = (*subscriber, *request, fields.clone());
        let recipient = Recipient { bucket: self.bucket, subscriber, address, request, fields };
        let spliced = contained(|| self.compiled.splice(&recipient)).map_err(Unmade::Alone)?;
        let Message { return_path: from, to, pieces, .. } = spliced.map_err(Unmade::All)?;
        let content = Content::new(pieces).map_err(|error| Unmade::Alone(error.to_string()))?;
        Ok((Envelope { from, to }, content))
    }
}

/// A panic while one message is made is that message's failure, and not the end of the batch, which would meet it again and again.
fn contained<T>(make: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("the message cannot be composed; this is a bug: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_composing_is_one_messages_failure() {
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(
            contained(|| -> u8 { panic!("no {}", "key") }),
            Err("the message cannot be composed; this is a bug: no key".into())
        );
    }
}
