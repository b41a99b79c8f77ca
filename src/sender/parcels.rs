//! A connection's next message: who it is for, and its bytes.

use std::sync::Arc;

use super::draft::{Draft, Mail, Unmade};
use super::pool::Held;
use super::queue::Step;
use super::ready::Job;
use super::turns::Turn;
use super::worker::{End, LOOK, Worker, entry};
use crate::store::{Event, LeaseLost};

/// Somebody and their message.
pub(super) struct Parcel {
    pub draft: Arc<Draft>,
    pub mail: Arc<Mail>,
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
            self.queue.put_back(parcel.draft);
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
            if let Job::Send(draft) = &job {
                match self.domains.take(&draft.pending.address, self.lane).await {
                    Ok(None) => {}
                    Ok(Some(wait)) => {
                        self.queue.set_aside(Arc::clone(draft), wait).await;
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(%error, "the rate of a domain cannot be read");
                        self.queue.put_back(Arc::clone(draft));
                        return Ok(None);
                    }
                }
            }
            let noted = match job {
                Job::Hold(pending) => entry(&pending, Event::Held),
                Job::Skip(pending, reason) => entry(&pending, Event::Skipped(reason)),
                Job::Send(draft) => match draft.made().await {
                    Ok(mail) => return Ok(Some(Parcel { draft, mail })),
                    Err(Unmade::Alone(reason)) => entry(&draft.pending, Event::Skipped(reason)),
                    Err(Unmade::All(error)) => {
                        self.pause(&error.to_string()).await;
                        self.queue.put_back(draft);
                        return Ok(None);
                    }
                },
            };
            self.recorder.append(vec![noted]).await?;
        }
    }
}
