//! The rate of a mailing or a relay in this process: slots in time that the store gives, used up one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::DomainGroup;
use crate::store::{Grant, Store, StoreError};
use crate::transport::Transport;
use crate::types::MailingId;

/// How long "no limit" is believed: a limit that an operator sets is felt within this.
const BELIEVED: Duration = Duration::from_millis(400);

/// The rate of one scope.
#[derive(Debug)]
pub struct Limit {
    store: Store,
    scope: String,
    /// What the configuration says; `None` when it says nothing and the store is asked.
    configured: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// There is no limit, and there will be none.
    None,
    /// Nothing is known, or all slots are used.
    Ask,
    Unlimited(Instant),
    Slots {
        next: Instant,
        spacing: Duration,
        left: u32,
    },
}

impl Limit {
    /// Nothing is asked yet.
    pub fn of_mailing(store: Store, mailing: MailingId) -> Self {
        Self { store, scope: format!("mailing {mailing}"), configured: None, state: Mutex::new(State::Ask) }
    }

    /// A relay's: what this process was told holds for its messages, and the slots are everyone's.
    pub fn of_relay(store: Store, transport: &Transport) -> Self {
        let (scope, configured) = (format!("relay {}", transport.name()), transport.limits().spacing);
        // Without a limit nobody has to be asked.
        let state = if configured.is_some() { State::Ask } else { State::None };
        Self { store, scope, configured, state: Mutex::new(state) }
    }

    /// That of a group of recipients' domains.
    pub fn of_domains(store: Store, group: &DomainGroup) -> Self {
        let (scope, configured) = (format!("domains {}", group.name), Some(group.rate.spacing()));
        Self { store, scope, configured, state: Mutex::new(State::Ask) }
    }

    /// Takes a slot: `None`, go on; else how long to wait before asking again.
    pub async fn take(&self) -> Result<Option<Duration>, StoreError> {
        let mut state = self.state.lock().await;
        loop {
            let now = Instant::now();
            match &mut *state {
                State::None => return Ok(None),
                State::Unlimited(until) if now < *until => return Ok(None),
                State::Slots { next, spacing, left: left @ 1.. } => {
                    if *next > now {
                        return Ok(Some(*next - now));
                    }
                    *left -= 1;
                    *next += *spacing;
                    return Ok(None);
                }
                _ => match self.store.reserve(&self.scope, self.configured).await? {
                    Grant::Unlimited => *state = State::Unlimited(Instant::now() + BELIEVED),
                    Grant::Slots { first, spacing, count } => {
                        *state = State::Slots { next: Instant::now() + first, spacing, left: count };
                    }
                    Grant::Later(wait) => return Ok(Some(wait.max(Duration::from_millis(1)))),
                },
            }
        }
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

    /// Takes a slot for an address: `None`, go on; else how long its domain has to wait.
    pub async fn take(&self, address: &str) -> Result<Option<Duration>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let domain = address.rsplit('@').next().unwrap_or_default().to_lowercase();
        match self.0.get(&domain) {
            Some(limit) => limit.take().await,
            None => Ok(None),
        }
    }
}
