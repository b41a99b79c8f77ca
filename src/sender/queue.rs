//! Who is next in a leased batch: first those in doubt, then deferrals that are due, then everyone not tried yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::crew::Gate;
use super::draft::Draft;
use super::ready::{Job, Ready};
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

/// How many people are set aside at once, to wait for the rate of their domain. Others are left in the database, where the next
/// pass finds them: neither memory nor rows grow with a large provider.
const ASIDE: usize = 500;

/// How long a batch is kept in which all who are left wait for the rate of their domain. Then it goes back, so that other
/// batches, whose people need not wait, have their turn.
const LINGER: Duration = Duration::from_millis(250);

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
    /// Whether somebody found nobody left.
    drained: watch::Sender<bool>,
    /// Shared with the threads that make messages, which end with the queue.
    ready: Arc<Ready>,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    /// The next page of those not tried yet, which is read while there are others.
    ahead: Option<JoinHandle<Result<Vec<Pending>, StoreError>>>,
    /// Who waits for a slot of a domain, and when to ask for it again.
    aside: VecDeque<(Instant, Arc<Draft>)>,
    /// Somebody was left in the database for another pass.
    passed: bool,
    /// Since when all who are left wait.
    lingering: Option<Instant>,
    /// Open as soon as nobody is left here.
    gate: Option<Gate>,
}

/// What is next in a batch.
#[derive(Debug)]
pub enum Step {
    /// One recipient.
    Job(Job),
    /// All who are left wait for the rate of their domain, this long.
    Wait(Duration),
    /// Nobody is left, or it is another mailing's turn.
    Over,
}

/// What is left of a batch after a pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Rest {
    /// Everyone was taken and nobody given back.
    Nobody,
    /// Somebody can be tried at once.
    Somebody,
    /// All that are left wait for the rate of their domain, this long; other batches come first.
    Waiting(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InDoubt,
    DueAgain(Option<SubscriberId>),
    Untried(Option<SubscriberId>),
    End,
}

impl Queue {
    /// The queue of a fresh lease, which gives nobody any more after `until`. It lets the next batch begin when nobody is left.
    pub fn new(
        store: Store,
        lease: Lease,
        clock: Clock,
        in_doubt: InDoubt,
        until: Option<Instant>,
        gate: Gate,
    ) -> Self {
        let state = Mutex::new(State {
            stage: Stage::InDoubt,
            ahead: None,
            aside: VecDeque::new(),
            passed: false,
            lingering: None,
            gate: Some(gate),
        });
        let (drained, ready) = (watch::Sender::new(false), Arc::default());
        Self { store, lease, clock, in_doubt, until, state, drained, ready }
    }

    /// Who is next.
    pub async fn next(&self) -> Result<Step, StoreError> {
        let step = if self.is_late() { Step::Over } else { self.step().await? };
        if matches!(step, Step::Over) {
            self.drained.send_replace(true);
            drop(self.state.lock().await.gate.take());
        }
        Ok(step)
    }

    async fn step(&self) -> Result<Step, StoreError> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(at) = state.aside.iter().position(|(until, _)| *until <= now)
            && let Some((_, draft)) = state.aside.remove(at)
        {
            return Ok(Step::Job(Job::Send(draft)));
        }
        self.fill(&mut state).await?;
        if let Some(job) = self.ready.pop() {
            self.read_ahead(&mut state);
            return Ok(Step::Job(job));
        }
        let since = *state.lingering.get_or_insert(now);
        Ok(match waiting(&state) {
            Some(wait) if now + wait <= since + LINGER => Step::Wait(wait),
            _ => Step::Over,
        })
    }

    /// Who is next, for the threads that make their messages.
    pub fn ready(&self) -> &Arc<Ready> {
        &self.ready
    }

    /// Sets somebody aside whose domain has to wait this long.
    pub async fn set_aside(&self, draft: Arc<Draft>, wait: Duration) {
        let mut state = self.state.lock().await;
        if state.aside.len() < ASIDE {
            state.aside.push_back((Instant::now() + wait, draft));
        } else {
            state.passed = true;
        }
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether nobody is left, or it is another mailing's turn.
    pub fn is_over(&self) -> bool {
        self.is_late() || *self.drained.borrow()
    }

    /// Waits until somebody found nobody left.
    pub async fn over(&self) {
        let _ = self.drained.subscribe().wait_for(|drained| *drained).await;
    }

    /// Gives back a recipient whose content did not go on the wire.
    pub fn put_back(&self, draft: Arc<Draft>) {
        self.ready.put_back(draft);
        self.drained.send_replace(false);
    }

    /// How many recipients are known to wait now, at most a page; errors show up again in [`Queue::next`].
    pub async fn look_ahead(&self) -> usize {
        let mut state = self.state.lock().await;
        let _ = self.fill(&mut state).await;
        self.ready.len()
    }

    /// What is left.
    pub async fn rest(&self) -> Rest {
        let state = self.state.lock().await;
        match waiting(&state) {
            _ if state.stage != Stage::End || self.ready.len() > 0 => Rest::Somebody,
            Some(wait) => Rest::Waiting(if wait > LINGER { wait } else { Duration::ZERO }),
            None if state.passed => Rest::Waiting(Duration::ZERO),
            None => Rest::Nobody,
        }
    }

    /// Begins to read the next page in time: until it is there, no connection would have anything to do.
    fn read_ahead(&self, state: &mut State) {
        let Stage::Untried(after) = state.stage else { return };
        if self.ready.len() < PAGE / 2 && state.ahead.is_none() {
            let (store, lease) = (self.store.clone(), self.lease.clone());
            state.ahead = Some(tokio::spawn(async move { store.untried(&lease, after, PAGE).await }));
        }
    }

    async fn fill(&self, state: &mut State) -> Result<(), StoreError> {
        while (self.ready.len() == 0 || state.is_read()) && state.stage != Stage::End {
            let page = match state.stage {
                Stage::InDoubt => {
                    let doubts = self.store.in_doubt(&self.lease).await?;
                    state.stage = Stage::DueAgain(None);
                    self.ready.extend(doubts.into_iter().map(|pending| self.doubtful(pending)));
                    continue;
                }
                Stage::DueAgain(after) => self.store.due_again(&self.lease, after, PAGE, self.clock.now()).await?,
                Stage::Untried(after) => match state.ahead.take() {
                    // One that panicked is read again.
                    Some(ahead) => match ahead.await {
                        Ok(page) => page?,
                        Err(_) => continue,
                    },
                    None => self.store.untried(&self.lease, after, PAGE).await?,
                },
                Stage::End => return Ok(()),
            };
            let last = page.last().map(|pending| pending.subscriber);
            state.stage = match (state.stage, last) {
                (Stage::DueAgain(_), Some(last)) => Stage::DueAgain(Some(last)),
                (Stage::DueAgain(_), None) => Stage::Untried(None),
                (_, Some(last)) => Stage::Untried(Some(last)),
                (_, None) => Stage::End,
            };
            self.ready.extend(page.into_iter().map(|mut pending| match pending.skip.take() {
                Some(reason) => Job::Skip(pending, reason),
                None => Job::Send(Draft::new(pending)),
            }));
        }
        Ok(())
    }

    /// A resend is a new attempt: same Message-ID, same bytes.
    fn doubtful(&self, pending: Pending) -> Job {
        match self.in_doubt {
            InDoubt::Resend if pending.attempt < MOST_RESENDS => {
                Job::Send(Draft::new(Pending { attempt: pending.attempt + 1, ..pending }))
            }
            InDoubt::Resend | InDoubt::Hold => Job::Hold(pending),
        }
    }
}

/// Whoever takes nobody any more needs no messages.
impl Drop for Queue {
    fn drop(&mut self) {
        self.ready.dismiss();
    }
}

impl State {
    /// Whether the next page is there: it is taken at once, so that there are always messages to be made.
    fn is_read(&self) -> bool {
        self.ahead.as_ref().is_some_and(JoinHandle::is_finished)
    }
}

/// How long the first of those who are set aside has to wait.
fn waiting(state: &State) -> Option<Duration> {
    let first = state.aside.iter().map(|(until, _)| *until).min()?;
    Some(first.saturating_duration_since(Instant::now()))
}
