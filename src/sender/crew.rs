//! The relays that share the mail of some newsletters.
//!
//! Crews work side by side, each on a batch of its own newsletters: a relay that takes half a minute for a reply holds up only
//! the mail that goes over it. Within a crew, who is stuck in old batches is left behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Lane;
use super::line::Line;
use super::turns::Turns;
use crate::types::NewsletterId;

/// Some relays and whose mail they carry.
#[derive(Debug)]
pub struct Crew {
    pub members: Vec<Member>,
    /// Whose turn it is among them.
    pub turns: Turns,
    /// Newsletters that other crews carry. One that the configuration does not know any more is carried by whoever finds it.
    pub others: Vec<NewsletterId>,
    gates: Lanes,
}

/// What each lane has for itself.
#[derive(Debug)]
struct Lanes {
    confirmations: Arc<Semaphore>,
    digests: Arc<Semaphore>,
}

impl Lanes {
    fn new(permits: usize) -> Self {
        Self { confirmations: Arc::new(Semaphore::new(permits)), digests: Arc::new(Semaphore::new(permits)) }
    }

    fn of(&self, lane: Lane) -> &Arc<Semaphore> {
        match lane {
            Lane::Confirmations => &self.confirmations,
            Lane::Digests => &self.digests,
        }
    }
}

/// Leave to begin a batch. It is dropped when the batch has nobody left, and not when its last message has its reply: the next batch
/// is leased and read meanwhile, and takes the connections one by one.
pub type Gate = OwnedSemaphorePermit;

/// A relay in a crew.
#[derive(Debug)]
pub struct Member {
    pub line: Arc<Line>,
    places: Lanes,
}

/// A relay's place in a batch of a lane.
pub type Place = OwnedSemaphorePermit;

/// In how many batches of a lane a relay may take part: one that begins, and one that ends.
const PLACES: usize = 2;

impl Member {
    fn new(line: &Arc<Line>) -> Self {
        Self { line: Arc::clone(line), places: Lanes::new(PLACES) }
    }

    /// Its place in a batch, unless it is still at work on old ones.
    pub fn join(&self, lane: Lane) -> Option<Place> {
        Arc::clone(self.places.of(lane)).try_acquire_owned().ok()
    }

    /// Whether it could join a batch.
    pub fn is_free(&self, lane: Lane) -> bool {
        self.places.of(lane).available_permits() > 0
    }
}

impl Crew {
    /// The crews of these relays: one for each set of relays that some newsletter names, or a single one of all.
    pub fn all(lines: &[Arc<Line>], relays: &BTreeMap<NewsletterId, Vec<String>>) -> Vec<Self> {
        let mut crews: BTreeMap<Vec<usize>, Vec<&NewsletterId>> = BTreeMap::new();
        for (newsletter, names) in relays {
            let serves = |(at, line): (usize, &Arc<Line>)| line.transport.serves(names).then_some(at);
            crews.entry(lines.iter().enumerate().filter_map(serves).collect()).or_default().push(newsletter);
        }
        if crews.is_empty() {
            crews.insert((0..lines.len()).collect(), Vec::new());
        }
        let crew = |(members, own): (&Vec<usize>, &Vec<&NewsletterId>)| {
            let members: Vec<_> = members.iter().filter_map(|at| lines.get(*at)).map(Member::new).collect();
            let weights: Vec<_> = members.iter().map(|member| member.line.transport.weight()).collect();
            let others = relays.keys().filter(|newsletter| !own.contains(newsletter)).cloned().collect();
            Self { members, turns: Turns::new(&weights), others, gates: Lanes::new(1) }
        };
        crews.iter().map(crew).collect()
    }

    /// Leave to begin a batch; waits while an earlier one has people left. `None` when there is no crew any more.
    pub async fn gate(&self, lane: Lane) -> Option<Gate> {
        Arc::clone(self.gates.of(lane)).acquire_owned().await.ok()
    }
}
