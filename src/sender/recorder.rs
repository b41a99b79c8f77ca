//! Groups the commits of all connections: whoever waits while one commit runs shares the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::LEASE;
use crate::clock::Clock;
use crate::store::{Appended, Entry, Lease, LeaseLost, Store};

/// Most appends of one commit: as many as a sender has connections, with room for both ends of a round.
const GROUP: usize = 256;

/// How long a commit waits for half of the connections that are at work: when composing is what takes time, they come one by one, and a commit
/// costs as much for five as for twenty-five.
const LINGER: Duration = Duration::from_millis(2);

/// Connections that wait for nobody: with so few, the way to the relay and back is what takes time.
const FEW: usize = 16;

/// Longest wait between two tries while the database is away: mail flows again a second after it is back.
const PATIENCE: Duration = Duration::from_secs(1);

struct Append {
    entries: Vec<Entry>,
    answer: oneshot::Sender<Result<Vec<Appended>, LeaseLost>>,
}

/// A connection's way to the ledger.
#[derive(Clone, Debug)]
pub struct Recorder {
    appends: mpsc::Sender<Append>,
    enough: Arc<Enough>,
}

/// Wakes the recording task once for a group, and not for each append.
#[derive(Debug, Default)]
struct Enough {
    /// How many appends it waits for.
    wanted: AtomicUsize,
    there: Notify,
}

impl Recorder {
    /// Starts recording for a lease. The task ends when every clone of the recorder is gone, and says whether the lease was lost.
    pub fn start(store: Store, lease: Lease, clock: Clock) -> (Self, JoinHandle<bool>) {
        let (sender, receiver) = mpsc::channel(GROUP);
        let enough = Arc::new(Enough::default());
        let requests = Requests { appends: receiver, enough: Arc::clone(&enough) };
        (Self { appends: sender, enough }, tokio::spawn(record(store, lease, clock, requests)))
    }

    /// Makes entries durable, in one commit, and says what became of each.
    ///
    /// # Errors
    /// When the lease is another node's now: stop at once.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Appended>, LeaseLost> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        self.appends.send(Append { entries, answer }).await.map_err(|_| LeaseLost)?;
        let waiting = self.appends.max_capacity() - self.appends.capacity();
        if waiting >= self.enough.wanted.load(Ordering::Relaxed) {
            self.enough.there.notify_one();
        }
        answered.await.unwrap_or(Err(LeaseLost))
    }
}

async fn record(store: Store, lease: Lease, clock: Clock, mut requests: Requests) -> bool {
    loop {
        let first = match tokio::time::timeout(LEASE / 3, requests.appends.recv()).await {
            Ok(None) => return false,
            Ok(Some(first)) => first,
            Err(_) => match store.renew(&lease, LEASE).await {
                Ok(Err(LeaseLost)) => return true,
                Ok(Ok(())) => continue,
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed; trying again");
                    continue;
                }
            },
        };
        let group = requests.group(first).await;
        if commit(&store, &lease, &clock, group).await.is_err() {
            return true;
        }
    }
}

/// The other end of a [`Recorder`].
struct Requests {
    appends: mpsc::Receiver<Append>,
    enough: Arc<Enough>,
}

impl Requests {
    /// Whoever is there to share a commit.
    async fn group(&mut self, first: Append) -> Vec<Append> {
        let at_work = self.appends.sender_strong_count();
        let wanted = if at_work <= FEW { 0 } else { at_work / 2 - 1 };
        self.enough.wanted.store(wanted, Ordering::Relaxed);
        let until = Instant::now() + LINGER;
        // Who came in between has not woken us; what was said for an earlier group is no more than a look too early.
        while self.appends.len() < wanted && tokio::time::timeout_at(until, self.enough.there.notified()).await.is_ok()
        {
        }
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = self.appends.try_recv()
        {
            group.push(next);
        }
        group
    }
}

/// One commit for the whole group, tried until the database takes it: what is in flight must be recorded.
async fn commit(store: &Store, lease: &Lease, clock: &Clock, group: Vec<Append>) -> Result<(), LeaseLost> {
    let entries: Vec<Entry> = group.iter().flat_map(|request| request.entries.iter().cloned()).collect();
    let mut wait = Duration::from_millis(50);
    let mut said = String::new();
    let result = loop {
        match store.append(lease, LEASE, &entries, clock.now()).await {
            Ok(result) => break result,
            Err(error) => {
                // What lasts is said once: the log may be on the disk that is full.
                let error = error.to_string();
                if said != error {
                    tracing::error!(%error, "the ledger cannot be written; nothing more is handed over until it can");
                    said = error;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(PATIENCE);
            }
        }
    };
    if !said.is_empty() {
        tracing::info!("the ledger can be written again");
    }
    let mut appended = match &result {
        Ok(appended) => appended.iter().copied(),
        Err(LeaseLost) => [].iter().copied(),
    };
    for Append { entries, answer } in group {
        let mine = appended.by_ref().take(entries.len()).collect();
        // A connection that has gone away does not need its answer: the row is durable.
        let _ = answer.send(result.as_ref().map(|_| mine).map_err(|lost| *lost));
    }
    result.map(|_| ())
}
