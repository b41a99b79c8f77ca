//! Who is next in a leased batch: first those in doubt, then deferrals that are due, then everyone not tried yet.

use std::collections::VecDeque;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::InDoubt;
use crate::store::{Lease, Pending, Store, StoreError};
use crate::types::SubscriberId;

/// How many recipients are read at once. Eligibility is checked then, so a small page keeps unsubscribes fresh; 200 costs
/// one read for 200 messages.
const PAGE: usize = 200;

/// After so many attempts a doubt is held, whatever the policy: a relay that takes each message and never says so would make us
/// flood one person.
const MOST_RESENDS: u32 = 5;

/// The recipients of one lease, shared by its connections.
#[derive(Debug)]
pub struct Queue {
    store: Store,
    lease: Lease,
    clock: Clock,
    in_doubt: InDoubt,
    /// When it is another mailing's turn.
    until: Option<Instant>,
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    ready: VecDeque<Job>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InDoubt,
    DueAgain(Option<SubscriberId>),
    Untried(Option<SubscriberId>),
    End,
}

/// What to do with one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send a message.
    Send(Pending),
    /// In doubt since an earlier lease, and the policy is to hold: note it, send nothing.
    Hold(Pending),
    /// Not eligible any more, for this reason: note it, send nothing.
    Skip(Pending, String),
}

impl Queue {
    /// The queue of a fresh lease, which gives nobody any more after `until`.
    pub fn new(store: Store, lease: Lease, clock: Clock, in_doubt: InDoubt, until: Option<Instant>) -> Self {
        let state = Mutex::new(State { ready: VecDeque::new(), stage: Stage::InDoubt });
        Self { store, lease, clock, in_doubt, until, state, ended: watch::channel(false).0 }
    }

    /// The next recipient; `None` when there is nobody left, or it is another mailing's turn.
    pub async fn next(&self) -> Result<Option<Job>, StoreError> {
        let next = if self.is_over() {
            None
        } else {
            let mut state = self.state.lock().await;
            self.fill(&mut state).await?;
            state.ready.pop_front()
        };
        if next.is_none() {
            self.ended.send_replace(true);
        }
        Ok(next)
    }

    /// Waits until somebody was told that there is nobody left.
    pub async fn ends(&self) {
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Whether it is another mailing's turn.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Gives back a recipient whose content did not go on the wire.
    pub async fn put_back(&self, pending: Pending) {
        self.state.lock().await.ready.push_front(Job::Send(pending));
    }

    /// How many recipients are known to wait now, at most a page; errors show up again in [`Queue::next`].
    pub async fn look_ahead(&self) -> usize {
        let mut state = self.state.lock().await;
        let _ = self.fill(&mut state).await;
        state.ready.len()
    }

    /// Whether everyone was taken and nobody given back.
    pub async fn is_worked_off(&self) -> bool {
        let state = self.state.lock().await;
        state.stage == Stage::End && state.ready.is_empty()
    }

    async fn fill(&self, state: &mut State) -> Result<(), StoreError> {
        while state.ready.is_empty() && state.stage != Stage::End {
            let page = match state.stage {
                Stage::InDoubt => {
                    let doubts = self.store.in_doubt(&self.lease).await?;
                    state.stage = Stage::DueAgain(None);
                    state.ready.extend(doubts.into_iter().map(|pending| self.doubtful(pending)));
                    continue;
                }
                Stage::DueAgain(after) => self.store.due_again(&self.lease, after, PAGE, self.clock.now()).await?,
                Stage::Untried(after) => self.store.untried(&self.lease, after, PAGE).await?,
                Stage::End => return Ok(()),
            };
            let last = page.last().map(|pending| pending.subscriber);
            state.stage = match (state.stage, last) {
                (Stage::DueAgain(_), Some(last)) => Stage::DueAgain(Some(last)),
                (Stage::DueAgain(_), None) => Stage::Untried(None),
                (_, Some(last)) => Stage::Untried(Some(last)),
                (_, None) => Stage::End,
            };
            state.ready.extend(page.into_iter().map(|mut pending| match pending.skip.take() {
                Some(reason) => Job::Skip(pending, reason),
                None => Job::Send(pending),
            }));
        }
        Ok(())
    }

    /// A resend is a new attempt: same Message-ID, same bytes.
    fn doubtful(&self, pending: Pending) -> Job {
        match self.in_doubt {
            InDoubt::Resend if pending.attempt < MOST_RESENDS => {
                Job::Send(Pending { attempt: pending.attempt + 1, ..pending })
            }
            InDoubt::Resend | InDoubt::Hold => Job::Hold(pending),
        }
    }
}
