//! How many connections a relay gets: more while it answers quickly, half when it is busy or slows down. Pure.
//!
//! One more connection for each round of good replies, half at once for a bad sign, as TCP does. A relay that slows us down on
//! purpose must not get more connections for it.

use std::time::Duration;

/// A start that no relay minds.
const START: usize = 2;

/// Slower than this is never a reason for more connections: a tarpit answers after seconds.
const SLOW: Duration = Duration::from_secs(2);

/// Replies count as slowed down when they take so many times as long as the quickest, and [`NOTICE`] at least.
const RISE: u32 = 4;

/// Rises below this are noise: a disk that is synced, a neighbour's load.
const NOTICE: Duration = Duration::from_millis(300);

/// How much of one reply goes into the average: it follows within some ten.
const WEIGHT: f64 = 0.1;

/// The connections of one relay.
#[derive(Clone, Debug)]
pub struct Concurrency {
    most: usize,
    now: usize,
    /// Good replies since the last change.
    good: usize,
    /// Replies that still belong to what was going on at the last halving.
    settling: usize,
    /// The quickest reply lately, in seconds.
    floor: Option<f64>,
    /// The average reply, in seconds.
    average: f64,
}

impl Concurrency {
    /// At most so many connections.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, now: most.min(START), good: 0, settling: 0, floor: None, average: 0.0 }
    }

    /// How many connections may work now; never none.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.now
    }

    /// A reply came after this time.
    pub fn replied(&mut self, after: Duration) {
        let seconds = after.as_secs_f64();
        // The floor rises slowly, so that a relay that has become slower for good is not held against it for ever.
        let floor = self.floor.map_or(seconds, |floor| seconds.min(floor * 1.002));
        self.average = if self.floor.is_none() { seconds } else { self.average + (seconds - self.average) * WEIGHT };
        self.floor = Some(floor);
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        if self.average > floor * f64::from(RISE) && self.average > NOTICE.as_secs_f64() {
            self.halve();
        } else if self.average < SLOW.as_secs_f64() {
            self.good += 1;
            if self.good >= self.now {
                self.good = 0;
                self.now = self.most.min(self.now + 1);
            }
        }
    }

    /// The relay said 421, or broke off.
    pub fn busy(&mut self) {
        if self.settling == 0 {
            self.halve();
        }
    }

    /// Once for one bad moment: what was under way on the other connections says the same.
    fn halve(&mut self) {
        self.settling = self.now * 2;
        self.good = 0;
        self.now = (self.now / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What is allowed after each stretch of replies; a wait of 0 is a 421.
    fn after(most: usize, stretches: &[(usize, u64)]) -> Vec<usize> {
        let mut it = Concurrency::new(most);
        let stretch = |(count, millis): &(usize, u64)| {
            for _ in 0..*count {
                if *millis == 0 { it.busy() } else { it.replied(ms(*millis)) }
            }
            it.allowed()
        };
        stretches.iter().map(stretch).collect()
    }

    #[test]
    fn connections_grow_while_replies_are_quick_and_halve_on_bad_signs() {
        for (what, most, stretches, allowed) in [
            ("one more for each round", 20, &[(2, 10), (3, 10), (4, 10)][..], &[3, 4, 5][..]),
            ("never more than the configured", 4, &[(1000, 10)], &[4]),
            ("one is one", 1, &[(100, 10), (1, 0)], &[1, 1]),
            ("421 halves", 16, &[(1000, 10), (1, 0)], &[16, 8]),
            ("a burst of 421 is one bad moment", 16, &[(1000, 10), (10, 0)], &[16, 8]),
            ("it recovers", 16, &[(1000, 10), (1, 0), (1000, 10)], &[16, 8, 16]),
            ("rising latency halves", 16, &[(1000, 10), (20, 900)], &[16, 8]),
            ("a rise that nobody would notice does not", 16, &[(1000, 10), (100, 90)], &[16, 16]),
            ("a relay that was always slow grows", 8, &[(1000, 1500)], &[8]),
            ("a tarpit gets no more than it had", 16, &[(1000, 30_000)], &[2]),
            ("one that becomes a tarpit gets less and less", 16, &[(1000, 10), (300, 30_000)], &[16, 1]),
        ] {
            assert_eq!(after(most, stretches), allowed, "{what}");
        }
    }

    #[test]
    fn there_is_always_one() {
        let mut it = Concurrency::new(0);
        (0..100).for_each(|_| it.busy());
        assert_eq!(it.allowed(), 1);
    }
}
