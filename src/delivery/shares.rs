//! Whose turn it is among relays that share the mail by weight. Pure: what was taken and when in, whose turn it is out.
//!
//! A relay that does not get on must not stop the others, so shares are kept only among those that have lately taken
//! something, or asked for it.

use std::time::Duration;

/// After this long without a message a relay counts as stuck, and the others go on without it.
const STUCK: Duration = Duration::from_secs(5);

/// The shares of some relays.
#[derive(Clone, Debug)]
pub struct Shares {
    members: Vec<Member>,
    /// Without weights every relay takes what it can.
    weighted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    weight: u32,
    taken: u64,
    /// Workers of the relay that have a connection.
    present: u32,
    /// When it last took or asked.
    seen: Duration,
}

impl Member {
    /// What it has taken for each unit of its weight, with `more` messages.
    fn level(&self, more: u64) -> f64 {
        (self.taken + more) as f64 / f64::from(self.weight)
    }
}

impl Shares {
    /// Shares of relays with these weights. When none has one, there are no shares to keep; one without counts 1 beside others.
    #[must_use]
    pub fn new(weights: &[Option<u32>]) -> Self {
        let member = |weight: &Option<u32>| Member {
            weight: weight.unwrap_or(1).max(1),
            taken: 0,
            present: 0,
            seen: Duration::ZERO,
        };
        Self { members: weights.iter().map(member).collect(), weighted: weights.iter().any(Option::is_some) }
    }

    /// A worker of a relay has a connection. One that comes late, or back, does not make up for what it missed: a flood would be
    /// the last thing that a relay needs that was down.
    pub fn join(&mut self, who: usize, now: Duration) {
        let least = self.others(who, now).map(|other| other.level(0)).fold(f64::INFINITY, f64::min);
        let Some(member) = self.members.get_mut(who) else { return };
        if member.present == 0 && least.is_finite() {
            member.taken = member.taken.max((least * f64::from(member.weight)) as u64);
        }
        member.present += 1;
        member.seen = now;
    }

    /// A worker of a relay has gone.
    pub fn leave(&mut self, who: usize) {
        if let Some(member) = self.members.get_mut(who) {
            member.present = member.present.saturating_sub(1);
        }
    }

    /// Whether a relay may take a message now. Asking shows that it gets on.
    pub fn may_take(&mut self, who: usize, now: Duration) -> bool {
        let next = self.others(who, now).map(|other| other.level(1)).fold(f64::INFINITY, f64::min);
        let Some(member) = self.members.get_mut(who) else { return true };
        member.seen = now;
        !self.weighted || member.level(0) <= next
    }

    /// A relay took a message.
    pub fn take(&mut self, who: usize, now: Duration) {
        if let Some(member) = self.members.get_mut(who) {
            member.taken += 1;
            member.seen = now;
        }
    }

    /// The relays in the order in which they should take the next messages: for a batch that has fewer people than there are relays.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        let level = |who: &usize| self.members.get(*who).map_or(0.0, |member| member.level(1));
        order.sort_by(|a, b| level(a).total_cmp(&level(b)));
        order
    }

    fn others(&self, who: usize, now: Duration) -> impl Iterator<Item = &Member> {
        let gets_on = move |member: &Member| member.present > 0 && now.saturating_sub(member.seen) < STUCK;
        self.members.iter().enumerate().filter(move |(other, member)| *other != who && gets_on(member)).map(|(_, m)| m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Everyone asks all the time; what each has taken after `rounds` messages.
    fn deal(shares: &mut Shares, rounds: usize, asks: &[usize], now: Duration) -> Vec<u64> {
        let before: Vec<u64> = shares.members.iter().map(|member| member.taken).collect();
        let mut dealt = 0;
        while dealt < rounds {
            for who in asks {
                if dealt < rounds && shares.may_take(*who, now) {
                    shares.take(*who, now);
                    dealt += 1;
                }
            }
        }
        shares.members.iter().zip(before).map(|(member, before)| member.taken - before).collect()
    }

    fn joined(weights: &[Option<u32>]) -> Shares {
        let mut shares = Shares::new(weights);
        (0..weights.len()).for_each(|who| shares.join(who, at(0)));
        shares
    }

    #[test]
    fn mail_is_shared_by_weight_however_often_one_asks() {
        for (weights, asks, taken) in [
            (&[Some(1), Some(1)][..], &[0, 1][..], &[500, 500][..]),
            (&[Some(9), Some(1)], &[0, 1], &[900, 100]),
            // The second asks five times as often.
            (&[Some(9), Some(1)], &[0, 1, 1, 1, 1, 1], &[900, 100]),
            (&[Some(3), None, Some(1)], &[0, 1, 2], &[600, 200, 200]),
        ] {
            let dealt = deal(&mut joined(weights), 1000, asks, at(1));
            let near = dealt.iter().zip(taken).all(|(dealt, taken)| dealt.abs_diff(*taken) <= 3);
            assert!(near, "{weights:?}: {dealt:?}");
        }
    }

    #[test]
    fn without_weights_whoever_asks_takes() {
        assert_eq!(deal(&mut joined(&[None, None]), 60, &[0, 1, 1], at(1)), [20, 40]);
    }

    #[test]
    fn a_relay_that_is_stuck_or_gone_stops_nobody() {
        let mut shares = joined(&[Some(1), Some(1)]);
        assert!(shares.may_take(0, at(1)));
        shares.take(0, at(1));
        assert!(shares.may_take(0, at(1)), "one ahead");
        shares.take(0, at(1));
        assert!(!shares.may_take(0, at(4)), "the other may come yet");
        assert!(shares.may_take(0, at(5)), "it is stuck");
        assert!(shares.may_take(1, at(6)), "it comes back");
        assert!(!shares.may_take(0, at(7)));
        shares.leave(1);
        assert!(shares.may_take(0, at(7)));
    }

    #[test]
    fn who_comes_back_does_not_make_up_for_what_it_missed() {
        let mut shares = joined(&[Some(1), Some(1)]);
        shares.leave(1);
        deal(&mut shares, 1000, &[0], at(1));
        shares.join(1, at(2));
        assert_eq!(deal(&mut shares, 100, &[0, 1], at(2)), [50, 50]);
    }

    #[test]
    fn small_batches_go_to_whoever_is_behind() {
        let mut shares = Shares::new(&[Some(2), Some(1)]);
        let mut seen = Vec::new();
        for _ in 0..6 {
            let first = shares.order()[0];
            shares.take(first, at(0));
            seen.push(first);
        }
        assert_eq!(seen.iter().filter(|who| **who == 0).count(), 4, "{seen:?}");
    }
}
