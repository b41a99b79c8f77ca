//! The rate of a mailing or a relay in this process: slots in time that the store gives, used up one by one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Lane;
use crate::config::DomainGroup;
use crate::delivery::allowance::{Grant, Lapse, Share};
use crate::delivery::rate::Rate;
use crate::store::{Store, StoreError};
use crate::transport::Transport;
use crate::types::MailingId;

/// How long "no limit" and "not now" are believed: a limit that an operator sets is felt within this.
const BELIEVED: Duration = Duration::from_millis(400);

/// Whoever has to wait longer than this should do something else: it is what a mailing's turn lasts.
pub(super) const LONG: Duration = super::SLICE;

/// How long someone is set aside at most, although the domain has to wait for longer: a rate that is raised should be felt.
const ASIDE: Duration = Duration::from_secs(300);

/// The rate of one scope.
#[derive(Debug)]
pub struct Limit {
    store: Store,
    scope: String,
    /// What the configuration says; `None` when it says nothing and the store is asked.
    configured: Option<Rate>,
    state: Mutex<State>,
    /// What confirmations and digests were told last.
    waits: std::sync::Mutex<[Option<Wait>; 2]>,
}

/// Not now.
#[derive(Clone, Copy, Debug)]
struct Wait {
    over: Instant,
    /// Before this, nobody asks again.
    ask: Instant,
    is_long: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// There is no limit, and there will be none.
    None,
    /// Nothing is known, or all slots are used.
    Ask,
    Unlimited(Instant),
    Slots(Slots),
}

#[derive(Clone, Copy, Debug)]
struct Slots {
    next: Instant,
    spacing: Duration,
    left: u32,
    /// What was counted and is not used until then is put back.
    lapse: Option<(Instant, Lapse)>,
}

impl Slots {
    fn are_over(&self, now: Instant) -> bool {
        self.left == 0 || self.lapse.is_some_and(|(end, _)| end <= now)
    }
}

impl Limit {
    fn new(store: Store, scope: String, configured: Option<Rate>, state: State) -> Self {
        Self { store, scope, configured, state: Mutex::new(state), waits: Default::default() }
    }

    /// Nothing is asked yet.
    pub fn of_mailing(store: Store, mailing: MailingId) -> Self {
        Self::new(store, format!("mailing {mailing}"), None, State::Ask)
    }

    /// A relay's: what this process was told holds for its messages, and the slots are everyone's.
    pub fn of_relay(store: Store, transport: &Transport) -> Self {
        let configured = transport.limits().rate;
        // Without a limit nobody has to be asked.
        let state = if configured.is_some() { State::Ask } else { State::None };
        Self::new(store, format!("relay {}", transport.name()), configured, state)
    }

    /// That of a group of recipients' domains.
    pub fn of_domains(store: Store, group: &DomainGroup) -> Self {
        Self::new(store, format!("domains {}", group.name), Some(group.rate), State::Ask)
    }

    /// Takes a slot: `None`, go on; else how long to wait before asking again.
    pub async fn take(&self, lane: Lane) -> Result<Option<Duration>, StoreError> {
        let mut state = self.state.lock().await;
        loop {
            let now = Instant::now();
            let mut unused = None;
            match &mut *state {
                State::None => return Ok(None),
                State::Unlimited(until) if now < *until => return Ok(None),
                State::Slots(slots) if !slots.are_over(now) => {
                    if slots.next > now {
                        return Ok(Some(slots.next - now));
                    }
                    slots.left -= 1;
                    slots.next += slots.spacing;
                    return Ok(None);
                }
                State::Slots(slots) => {
                    unused = slots.lapse.map(|(_, lapse)| (lapse, slots.left)).filter(|(_, left)| *left > 0);
                }
                State::Ask | State::Unlimited(_) => {}
            }
            if let Some(wait) = self.told(lane).filter(|wait| now < wait.ask) {
                return Ok(Some(wait.over - now));
            }
            let grant = self.store.reserve(&self.scope, self.configured, self.share(lane), unused).await?;
            let now = Instant::now();
            match grant {
                Grant::Unlimited => *state = State::Unlimited(now + BELIEVED),
                Grant::Slots { first, spacing, count, lapse } => {
                    let lapse = lapse.map(|lapse| (now + lapse.after, lapse));
                    *state = State::Slots(Slots { next: now + first, spacing, left: count, lapse });
                }
                Grant::Later(wait) => {
                    if let State::Slots(slots) = &mut *state {
                        slots.left = 0;
                    }
                    return Ok(Some(self.tell(lane, now, wait.max(Duration::from_millis(1)))));
                }
            }
        }
    }

    /// Gives back a slot that another limit left no use for: whoever asks next gets it.
    pub async fn put_back(&self) {
        if let State::Slots(slots) = &mut *self.state.lock().await {
            slots.left += 1;
            slots.next = slots.next.checked_sub(slots.spacing).unwrap_or(slots.next);
        }
    }

    /// Gives back what was counted and is not used: a node that has nothing to do must not keep it from the others until it lapses.
    pub async fn release(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().await;
        if let State::Slots(Slots { left: left @ 1.., lapse: Some((_, lapse)), .. }) = *state {
            *state = State::Ask;
            self.store.put_back(&self.scope, lapse, left).await?;
        }
        Ok(())
    }

    /// How long a lane has nothing to expect, if that is long. Takes nothing.
    pub async fn long_wait(&self, lane: Lane) -> Result<Option<Duration>, StoreError> {
        let wait = self.take(lane).await?;
        if wait.is_none() {
            self.put_back().await;
        }
        Ok(wait.filter(|wait| *wait > LONG))
    }

    /// Whether a lane has nothing to expect for long, by what it was told last.
    pub fn rests(&self, lane: Lane) -> bool {
        self.told(lane).is_some_and(|wait| wait.is_long && Instant::now() < wait.ask)
    }

    /// A mailing has its rate for itself.
    fn share(&self, lane: Lane) -> Share {
        match (self.configured, lane) {
            (Some(_), Lane::Digests) => Share::Most,
            (Some(_), Lane::Confirmations) | (None, _) => Share::All,
        }
    }

    fn told(&self, lane: Lane) -> Option<Wait> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        match (lane, *waits) {
            (Lane::Confirmations, [wait, _]) | (Lane::Digests, [_, wait]) => wait,
        }
    }

    /// Notes a wait. What the configuration says holds as long as this process; a mailing may have another rate any moment.
    fn tell(&self, lane: Lane, now: Instant, wait: Duration) -> Duration {
        let is_long = wait > LONG;
        let believed = if is_long && self.configured.is_some() { wait } else { wait.min(BELIEVED) };
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let [confirmations, digests] = &mut *waits;
        let told = match lane {
            Lane::Confirmations => confirmations,
            Lane::Digests => digests,
        };
        *told = Some(Wait { over: now + wait, ask: now + believed, is_long });
        wait
    }
}
/// The rates of recipients' domains.
#[derive(Clone, Debug, Default)]
pub struct Domains(Arc<HashMap<String, Arc<Limit>>>);

impl Domains {
    /// One limit for each group, shared by its domains.
    pub fn new(store: &Store, groups: &[DomainGroup]) -> Self {
        let mut limits = HashMap::new();
        for group in groups {
            let limit = Arc::new(Limit::of_domains(store.clone(), group));
            limits.extend(group.domains.iter().map(|domain| (domain.clone(), Arc::clone(&limit))));
        }
        Self(Arc::new(limits))
    }

    /// See [`Limit::release`].
    pub async fn release(&self) -> Result<(), StoreError> {
        // One for each group; a group has several domains, and the second time there is nothing left.
        for limit in self.0.values() {
            limit.release().await?;
        }
        Ok(())
    }

    /// Takes a slot for an address: `None`, go on; else how long its domain has to wait, or a while of that.
    pub async fn take(&self, address: &str, lane: Lane) -> Result<Option<Duration>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let domain = address.rsplit('@').next().unwrap_or_default().to_lowercase();
        match self.0.get(&domain) {
            Some(limit) => Ok(limit.take(lane).await?.map(|wait| wait.min(ASIDE))),
            None => Ok(None),
        }
    }
}
