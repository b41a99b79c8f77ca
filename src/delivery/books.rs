//! The books of a mailing: everyone in the audience is accounted for once.

use serde::Serialize;

/// Counts of one mailing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Subscriptions that were confirmed at the mailing's cut.
    pub audience: i64,
    /// The relay took responsibility.
    pub accepted: i64,
    /// Refused for good.
    pub refused: i64,
    /// No longer eligible when their turn came: unsubscribed, suppressed or removed since the cut.
    pub skipped: i64,
    /// Handed with no recorded reply, and kept from resending by the policy `hold`.
    pub held: i64,
    /// Waiting for another attempt.
    pub deferred: i64,
    /// Handed with no recorded reply yet: in flight, or in doubt.
    pub open: i64,
}

impl Books {
    /// Everyone is accounted for: the mailing may finish.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.deferred == 0 && self.open == 0 && self.audience == self.settled()
    }

    /// Deliveries that need nothing more.
    #[must_use]
    pub fn settled(&self) -> i64 {
        self.accepted + self.refused + self.skipped + self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_only_when_everyone_is_settled_once() {
        let books = Books { audience: 10, accepted: 6, refused: 1, skipped: 2, held: 1, ..Books::default() };
        assert!(books.balance());
        assert!(!Books { accepted: 5, ..books }.balance(), "one is missing");
        assert!(!Books { accepted: 7, ..books }.balance(), "one was counted twice");
        assert!(!Books { accepted: 5, deferred: 1, ..books }.balance());
        assert!(!Books { accepted: 5, open: 1, ..books }.balance());
    }
}
