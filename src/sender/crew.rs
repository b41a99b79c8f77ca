//! The relays that share the mail of some newsletters.
//!
//! Crews work side by side, each on a batch of its own newsletters: a relay that takes half a minute for a reply holds up only
//! the mail that goes over it. Within a crew, who is stuck in an old batch is left behind.

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
}

/// A relay in a crew.
#[derive(Debug)]
pub struct Member {
    pub line: Arc<Line>,
    confirmations: Arc<Semaphore>,
    digests: Arc<Semaphore>,
}

/// A relay's place in one batch of a lane; it takes part in no other until this is dropped.
pub type Place = OwnedSemaphorePermit;

impl Member {
    fn new(line: &Arc<Line>) -> Self {
        let one = || Arc::new(Semaphore::new(1));
        Self { line: Arc::clone(line), confirmations: one(), digests: one() }
    }

    fn places(&self, lane: Lane) -> &Arc<Semaphore> {
        match lane {
            Lane::Confirmations => &self.confirmations,
            Lane::Digests => &self.digests,
        }
    }

    /// Its place in a batch, unless it is still at work on another one.
    pub fn join(&self, lane: Lane) -> Option<Place> {
        Arc::clone(self.places(lane)).try_acquire_owned().ok()
    }

    /// Whether it could join a batch.
    pub fn is_free(&self, lane: Lane) -> bool {
        self.places(lane).available_permits() > 0
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
            Self { members, turns: Turns::new(&weights), others }
        };
        crews.iter().map(crew).collect()
    }
}
