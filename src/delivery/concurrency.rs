//! How many connections a relay is worth at the moment: more while it answers fast, half when it says that it is busy or gets slow. Pure.

use std::time::Duration;

/// A reply within this is fast, whatever was usual: a relay across an ocean that scans for spam.
const FAST: Duration = Duration::from_secs(2);

/// A reply that takes longer than this many times what is usual, and is not fast, says that the relay is overloaded.
const SLOW: u32 = 4;

/// After halving, the replies that are still on their way say nothing new for so long.
const PAUSE: Duration = Duration::from_secs(2);

/// Fast replies of each connection before a number is tried that was too many once: some minutes of a usual relay.
const CAREFUL: usize = 200;

/// Where to begin: what every relay takes.
const FIRST: usize = 2;

/// The connections that are allowed now.
#[derive(Clone, Copy, Debug)]
pub struct Concurrency {
    most: usize,
    now: usize,
    /// What was too many last.
    too_many: usize,
    /// Fast replies since the last change.
    fast: usize,
    /// What a reply takes as a rule.
    usual: Option<Duration>,
    /// When it was last halved.
    halved: Option<Duration>,
}

impl Concurrency {
    /// Begins with a few of at most `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, now: FIRST.min(most), too_many: most + 1, fast: 0, usual: None, halved: None }
    }

    /// How many connections are allowed.
    #[must_use]
    pub fn now(&self) -> usize {
        self.now
    }

    /// A reply to a message came after `took`; `at` is any clock that does not go back.
    pub fn replied(&mut self, took: Duration, at: Duration) {
        let usual = self.usual.unwrap_or(took);
        if took > FAST && took > usual * SLOW {
            self.busy(at);
            return;
        }
        // Follows slowly, so that a relay that gets slower and slower is noticed.
        self.usual = Some((usual * 15 + took) / 16);
        if took > FAST {
            return;
        }
        self.fast += 1;
        // One more connection after each has had a fast reply: doubles with every round trip at first.
        let enough = if self.now + 1 < self.too_many { self.now } else { self.now * CAREFUL };
        if self.fast >= enough && self.now < self.most {
            self.now += 1;
            self.too_many = self.too_many.max(self.now + 1);
            self.fast = 0;
        }
    }

    /// The relay said 421, or gave no connection.
    pub fn busy(&mut self, at: Duration) {
        if self.halved.is_some_and(|halved| at.saturating_sub(halved) < PAUSE) {
            return;
        }
        self.too_many = self.now;
        self.now = (self.now / 2).max(1);
        self.fast = 0;
        self.halved = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_grows_while_replies_are_fast_up_to_the_most() {
        let mut concurrency = Concurrency::new(8);
        assert_eq!(concurrency.now(), 2);
        let mut replies = 0;
        while concurrency.now() < 8 {
            concurrency.replied(10 * MS, replies * MS);
            replies += 1;
        }
        assert_eq!(replies, 2 + 3 + 4 + 5 + 6 + 7);
        (0..100).for_each(|at| concurrency.replied(10 * MS, at * MS));
        assert_eq!(concurrency.now(), 8, "no more than the most");
        assert_eq!(Concurrency::new(1).now(), 1);
    }

    #[test]
    fn it_halves_once_for_a_burst_of_refusals_and_never_below_one() {
        let mut concurrency = Concurrency::new(32);
        (0..2_000).for_each(|at| concurrency.replied(10 * MS, at * MS));
        assert_eq!(concurrency.now(), 32);
        (0..20).for_each(|at| concurrency.busy((3_000 + at) * MS));
        assert_eq!(concurrency.now(), 16);
        (1..20).for_each(|burst| concurrency.busy(burst * 10_000 * MS));
        assert_eq!(concurrency.now(), 1);
    }

    #[test]
    fn what_was_too_many_is_tried_again_only_after_long() {
        let mut concurrency = Concurrency::new(32);
        while concurrency.now() < 4 {
            concurrency.replied(10 * MS, MS);
        }
        concurrency.busy(MS);
        let replies = |concurrency: &mut Concurrency, count: u32| {
            (0..count).for_each(|at| concurrency.replied(10 * MS, (10_000 + at) * MS));
            concurrency.now()
        };
        assert_eq!(replies(&mut concurrency, 2), 3, "back to one less at once");
        assert_eq!(replies(&mut concurrency, 599), 3);
        assert_eq!(replies(&mut concurrency, 1), 4, "and then with care");
        assert_eq!(replies(&mut concurrency, 799), 4);
    }

    #[test]
    fn a_relay_that_is_slow_gets_no_more_and_one_that_becomes_slow_gets_half() {
        let mut tarpit = Concurrency::new(32);
        (0..100_u32).for_each(|at| tarpit.replied(30_000 * MS, at * 30_000 * MS));
        assert_eq!(tarpit.now(), 2);
        let mut tired = Concurrency::new(32);
        (0..2_000).for_each(|at| tired.replied(10 * MS, at * MS));
        tired.replied(5_000 * MS, 10_000 * MS);
        assert_eq!(tired.now(), 16);
    }
}
