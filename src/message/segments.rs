//! Bytes with holes: what is the same for every recipient, and where the recipient's parts go.

/// A hole, by what fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The recipient's address.
    Address,
    /// The part of the Message-ID before the `@`.
    MessageId,
    /// The unsubscribe token.
    Unsubscribe,
    /// The token of the preferences page.
    Preferences,
    /// The confirmation token.
    Confirm,
}

/// What fills the holes of one message. All of it is ASCII without white space or control characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling<'a> {
    pub address: &'a str,
    pub message_id: &'a str,
    pub unsubscribe: &'a str,
    pub preferences: &'a str,
    pub confirm: &'a str,
}

/// Fixed bytes, and the places in them where slots stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    fixed: String,
    slots: Vec<(usize, Slot)>,
}

impl Segments {
    /// Appends text that is the same for everyone.
    pub fn push(&mut self, text: &str) {
        self.fixed.push_str(text);
    }

    /// Appends a slot.
    pub fn slot(&mut self, slot: Slot) {
        self.slots.push((self.fixed.len(), slot));
    }

    /// Whether a slot is there at all, so that no token is made for nothing.
    pub fn has(&self, wanted: Slot) -> bool {
        self.slots.iter().any(|(_, slot)| *slot == wanted)
    }

    /// The bytes with every slot filled: one allocation, one pass.
    pub fn fill(&self, filling: &Filling<'_>) -> Vec<u8> {
        let part = |slot| match slot {
            Slot::Address => filling.address,
            Slot::MessageId => filling.message_id,
            Slot::Unsubscribe => filling.unsubscribe,
            Slot::Preferences => filling.preferences,
            Slot::Confirm => filling.confirm,
        };
        let filled: usize = self.slots.iter().map(|(_, slot)| part(*slot).len()).sum();
        let mut bytes = Vec::with_capacity(self.fixed.len() + filled);
        let mut rest = self.fixed.as_bytes();
        let mut done = 0;
        for (at, slot) in &self.slots {
            // `at` never falls: slots are only ever appended.
            let (before, after) = rest.split_at(at - done);
            bytes.extend_from_slice(before);
            bytes.extend_from_slice(part(*slot).as_bytes());
            (rest, done) = (after, *at);
        }
        bytes.extend_from_slice(rest);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_where_they_were_put() {
        let mut segments = Segments::default();
        segments.slot(Slot::Confirm);
        segments.push("a");
        segments.slot(Slot::Address);
        segments.slot(Slot::MessageId);
        segments.push("b");
        segments.slot(Slot::Unsubscribe);
        segments.slot(Slot::Preferences);
        let filling =
            Filling { address: "<to>", message_id: "<id>", unsubscribe: "<u>", preferences: "<p>", confirm: "<c>" };
        assert_eq!(segments.fill(&filling), b"<c>a<to><id>b<u><p>");
        assert!(segments.has(Slot::Address) && !Segments::default().has(Slot::Address));
    }
}
