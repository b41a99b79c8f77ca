//! The warm-up of a relay: so many messages on its first day, more on each following one. Pure.
//!
//! What counts is not the calendar but days on which mail went out: a relay's addresses gain no reputation while it rests.

/// Where a relay stands in its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmth {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// Days of the plan that are behind it.
    pub step: i64,
    /// Messages of the day.
    pub taken: i64,
}

impl Warmth {
    /// The same relay on a day: a new one begins with nothing taken, and one step further when the last one used at least half of
    /// what it allowed. A clock that goes back changes nothing.
    #[must_use]
    pub fn on(self, day: i64, plan: &[u32]) -> Self {
        if day <= self.day {
            return self;
        }
        let used = self.allowed(plan).is_some_and(|allowed| self.taken * 2 >= allowed && self.taken > 0);
        Self { day, step: self.step + i64::from(used), taken: 0 }
    }

    /// Messages that the day allows; `None` when the plan is behind it.
    #[must_use]
    pub fn allowed(self, plan: &[u32]) -> Option<i64> {
        usize::try_from(self.step).ok().and_then(|step| plan.get(step)).map(|allowed| i64::from(*allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: [u32; 3] = [50, 100, 500];

    #[test]
    fn the_plan_moves_on_with_days_that_were_used() {
        let mut it = Warmth::default();
        let mut seen = Vec::new();
        for (day, taken) in [(10, 50), (11, 10), (12, 49), (13, 0), (20, 100), (21, 250), (22, 0)] {
            it = it.on(day, &PLAN);
            seen.push(it.allowed(&PLAN));
            it.taken = taken;
        }
        let hundred = Some(100);
        assert_eq!(seen, [Some(50), hundred, hundred, hundred, hundred, Some(500), None]);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_twice() {
        let it = Warmth { day: 10, step: 0, taken: 50 };
        assert_eq!(it.on(9, &PLAN), it);
        assert_eq!(it.on(10, &PLAN), it);
    }
}
