//! What a rate has given, and what it gives next. Pure; times are microseconds by the database's clock.
//!
//! The shortest span of a rate is kept by spacing, the longer ones by counting. Counts stand by sixtieths of the span, and each
//! counts until all of its sixtieth is a span old. So no span of that length, wherever it begins, has more messages than the rate says.

use std::time::Duration;

use super::rate::{Rate, Span};

/// How far ahead slots are taken: a change of rate is felt within this and the cache of "no limit".
const BLOCK: i64 = 400_000;

/// Parts of a counted span. With more, more would have to be kept; with fewer, more of the rate would be lost to them.
const PARTS: i64 = 60;

/// Of a counted span, one in so many messages is kept for confirmations: digests may use up the hour in minutes, and nobody who just
/// subscribed should wait for the rest of it.
const KEPT: i64 = 20;

/// Further ahead than this many parts no slot can be, unless the clock went back.
const AHEAD: i64 = 5;

/// What was given of a scope's rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The next free slot.
    pub next: i64,
    counts: Vec<Count>,
}

/// Messages that were given, by the part of a span until whose end they may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    seconds: u32,
    part: i64,
    messages: i64,
}

/// How much of the longer spans may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All but what is kept for confirmations.
    Most,
    /// All.
    All,
}

/// How fast a node may go on with a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// As fast as it can.
    Unlimited,
    /// So many messages, evenly spaced.
    Slots {
        /// From now until the first.
        first: Duration,
        /// Between two.
        spacing: Duration,
        /// How many.
        count: u32,
        /// Where messages are counted: how long these may be used.
        lapse: Option<Lapse>,
    },
    /// Not now: ask again after this time.
    Later(Duration),
}

/// The end of slots that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// From now.
    pub after: Duration,
    /// The same by the database's clock: what they were counted under.
    pub at: i64,
}

impl Count {
    fn length(self) -> i64 {
        part(self.seconds)
    }
}

/// The microseconds of a part.
fn part(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000 / PARTS
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}

impl Allowance {
    /// From what the store keeps; `None` when it cannot be read.
    #[must_use]
    pub fn read(next: i64, counts: &str) -> Option<Self> {
        let counts: Vec<(u32, i64, i64)> = serde_json::from_str(counts).ok()?;
        let counts = counts.into_iter().map(|(seconds, part, messages)| Count { seconds, part, messages });
        Some(Self { next, counts: counts.filter(|count| count.seconds > 0).collect() })
    }

    /// The counts, for the store.
    #[must_use]
    pub fn counts(&self) -> String {
        let counts: Vec<_> = self.counts.iter().map(|count| (count.seconds, count.part, count.messages)).collect();
        serde_json::to_string(&counts).unwrap_or_default() // numbers cannot fail to serialise
    }

    /// Takes the next slots: from every span, or from none.
    pub fn take(&mut self, rate: Rate, share: Share, clock: i64) -> Grant {
        self.forget(clock);
        let spacing = micros(rate.spacing());
        // A slower rate went before, or the clock went back.
        if self.next > clock + BLOCK + spacing.max(BLOCK) {
            self.next = clock;
        }
        let first = self.next.max(clock);
        let mut wait = self.next - BLOCK - clock;
        let mut count = (BLOCK / spacing).max(1);
        for span in rate.counted() {
            let all = i64::from(span.messages);
            let most = all - all / KEPT;
            let taken = self.taken(span, first);
            let over = taken - if share == Share::All { all } else { most };
            if over >= 0 {
                wait = wait.max(self.free_at(span, first, over + 1) - clock);
            }
            // What is kept for confirmations is given singly: whoever asks next in a process gets what is there.
            count = count.min((most - taken).max(1));
        }
        if wait > 0 {
            // What others hold may come back.
            return Grant::Later(duration(self.settled_at(rate, clock).map_or(wait, |at| wait.min(at - clock))));
        }
        self.next = first + spacing * count;
        let lapse = rate.counted().next().map(|shortest| {
            let at = self.next - spacing + part(shortest.seconds);
            Lapse { after: duration(at - clock), at }
        });
        if let Some(lapse) = lapse {
            self.count(rate, lapse.at, count);
        }
        let (first, spacing) = (duration(first - clock), duration(spacing));
        Grant::Slots { first, spacing, count: u32::try_from(count).unwrap_or(u32::MAX), lapse }
    }

    /// Puts back slots that were counted under a time and not used.
    pub fn put_back(&mut self, rate: Rate, at: i64, count: u32) {
        self.count(rate, at, -i64::from(count));
    }

    /// How many messages a span has at the moment: those of the last hour, when it is an hour.
    #[must_use]
    pub fn taken(&self, span: Span, clock: i64) -> i64 {
        self.those(span, clock).map(|count| count.messages).sum()
    }

    /// How long one has to wait; takes nothing.
    #[must_use]
    pub fn wait(&self, rate: Rate, share: Share, clock: i64) -> Option<Duration> {
        match self.clone().take(rate, share, clock) {
            Grant::Later(wait) => Some(wait),
            Grant::Slots { .. } | Grant::Unlimited => None,
        }
    }

    fn those(&self, span: Span, clock: i64) -> impl Iterator<Item = &Count> {
        let oldest = clock.div_euclid(part(span.seconds)) - PARTS;
        self.counts.iter().filter(move |count| count.seconds == span.seconds && count.part >= oldest)
    }

    /// When so many messages of a span will not count any more.
    fn free_at(&self, span: Span, clock: i64, messages: i64) -> i64 {
        let mut counts: Vec<_> = self.those(span, clock).collect();
        counts.sort_by_key(|count| count.part);
        let mut free = 0;
        let last = counts.iter().find(|count| {
            free += count.messages;
            free >= messages
        });
        last.map_or(clock, |count| (count.part + PARTS + 1) * count.length())
    }

    /// When everything that was counted is used or put back, if that is still to come: slots are counted under the time when they lapse.
    fn settled_at(&self, rate: Rate, clock: i64) -> Option<i64> {
        let shortest = rate.counted().next()?;
        let last =
            self.counts.iter().filter(|count| count.seconds == shortest.seconds).map(|count| count.part).max()?;
        Some((last + 1) * part(shortest.seconds)).filter(|at| *at > clock)
    }

    fn count(&mut self, rate: Rate, at: i64, messages: i64) {
        for span in rate.counted() {
            let (seconds, part) = (span.seconds, at.div_euclid(part(span.seconds)));
            match self.counts.iter_mut().find(|count| count.seconds == seconds && count.part == part) {
                Some(count) => count.messages += messages,
                None if messages > 0 => self.counts.push(Count { seconds, part, messages }),
                // So old that it does not count any more.
                None => {}
            }
        }
        self.counts.retain(|count| count.messages > 0);
    }

    /// Drops what does not count any more, and what a clock that went back left in the future.
    fn forget(&mut self, clock: i64) {
        self.counts.retain(|count| {
            let now = clock.div_euclid(count.length());
            (now - PARTS..=now + AHEAD).contains(&count.part)
        });
    }
}

#[cfg(test)]
mod tests;
