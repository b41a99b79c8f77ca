//! Bytes with holes: what is the same for every recipient, and where the recipient's parts go.

use bytes::Bytes;

use super::fit::Piece;

/// A hole, by what fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The recipient's address.
    Address,
    /// The part of the Message-ID before the `@`.
    MessageId,
    /// The name of the delivery.
    Verp,
    /// The unsubscribe token.
    Unsubscribe,
    /// The token of the preferences page.
    Preferences,
    /// The confirmation token.
    Confirm,
    /// A subject with fields in it: all that follows `Subject:`, folded.
    Subject,
    /// A subscriber's field, encoded for the part it stands in: the number among the letter's.
    Personal(usize),
}

/// What fills the holes of one message: ASCII that fits its place, but for an address with a local part in UTF-8.
#[derive(Clone, Debug, Default)]
pub(super) struct Filling<'a> {
    pub address: &'a str,
    pub message_id: &'a str,
    pub verp: &'a str,
    pub unsubscribe: &'a str,
    pub preferences: &'a str,
    pub confirm: &'a str,
    pub subject: &'a str,
    pub personal: &'a [String],
}

impl Filling<'_> {
    fn part(&self, slot: Slot) -> &str {
        match slot {
            Slot::Address => self.address,
            Slot::MessageId => self.message_id,
            Slot::Verp => self.verp,
            Slot::Unsubscribe => self.unsubscribe,
            Slot::Preferences => self.preferences,
            Slot::Confirm => self.confirm,
            Slot::Subject => self.subject,
            Slot::Personal(number) => self.personal.get(number).map_or("", String::as_str),
        }
    }
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

    /// The text without what fills the slots.
    pub fn fixed(&self) -> &str {
        &self.fixed
    }

    /// How many bytes filling takes.
    pub fn len(&self, filling: &Filling<'_>) -> usize {
        self.fixed.len() + self.slots.iter().map(|(_, slot)| filling.part(*slot).len()).sum::<usize>()
    }

    /// Appends the bytes with every slot filled.
    pub fn fill(&self, filling: &Filling<'_>, bytes: &mut Vec<u8>) {
        let mut done = 0;
        for (at, slot) in &self.slots {
            bytes.extend_from_slice(self.fixed.as_bytes().get(done..*at).unwrap_or_default());
            bytes.extend_from_slice(filling.part(*slot).as_bytes());
            done = *at;
        }
        bytes.extend_from_slice(self.fixed.as_bytes().get(done..).unwrap_or_default());
    }

    /// For text of which all messages share the fixed pieces.
    pub fn shared(self) -> Shared {
        let (fixed, slots) = (Bytes::from(self.fixed), self.slots);
        // `at` never falls: slots are only ever appended.
        let ends = slots.iter().map(|(at, _)| *at).chain([fixed.len()]);
        let starts = std::iter::once(0).chain(slots.iter().map(|(at, _)| *at));
        let fixed = starts.zip(ends).map(|(start, end)| Piece::new(fixed.slice(start..end))).collect();
        Shared { fixed, slots: slots.into_iter().map(|(_, slot)| slot).collect() }
    }
}

/// Fixed pieces, with a slot after each but the last.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    fixed: Vec<Piece>,
    slots: Vec<Slot>,
}

impl Shared {
    /// Whether a slot is there at all, so that no token is made for nothing.
    pub fn has(&self, wanted: Slot) -> bool {
        self.slots.contains(&wanted)
    }

    /// The text before the first slot.
    pub fn common(&self) -> &[u8] {
        self.fixed.first().map_or(&[], |piece| piece.bytes())
    }

    /// What fills the slots, one after the other.
    pub fn own<'a>(&'a self, filling: &'a Filling<'_>) -> impl Iterator<Item = &'a str> {
        self.slots.iter().map(|slot| filling.part(*slot))
    }

    /// The bytes piece by piece: fixed text and what fills the slots in turns, beginning with [`common`](Self::common).
    pub fn bytes<'a>(&'a self, filling: &'a Filling<'_>) -> impl Iterator<Item = &'a [u8]> {
        let own = self.own(filling).map(str::as_bytes).chain([&[][..]]);
        self.fixed.iter().zip(own).flat_map(|(fixed, own)| [&fixed.bytes()[..], own])
    }

    /// The same as pieces of a message that has its own bytes in `own`, from `at` on.
    pub fn pieces<'a>(
        &'a self,
        filling: &'a Filling<'_>,
        own: &'a Bytes,
        mut at: usize,
    ) -> impl Iterator<Item = Piece> {
        let lengths = self.own(filling).map(str::len).chain([0]);
        self.fixed.iter().zip(lengths).flat_map(move |(fixed, length)| {
            let start = at;
            at += length;
            let part = (length > 0).then(|| Piece::new(own.slice(start..at)));
            std::iter::once(fixed.clone()).chain(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_where_they_were_put() {
        let mut segments = Segments::default();
        segments.push("0");
        for slot in [Slot::Confirm, Slot::Address, Slot::MessageId, Slot::Verp] {
            segments.slot(slot);
        }
        segments.push("a");
        for slot in [Slot::Unsubscribe, Slot::Preferences, Slot::Subject, Slot::Personal(1), Slot::Personal(2)] {
            segments.slot(slot);
        }
        segments.push("b");
        let filling = Filling {
            address: "<to>",
            message_id: "<id>",
            verp: "<v>",
            unsubscribe: "<u>",
            preferences: "<p>",
            confirm: "<c>",
            subject: "<s>",
            personal: &["<0>".into(), "<1>".into()],
        };
        let mut bytes = b"x".to_vec();
        segments.fill(&filling, &mut bytes);
        assert_eq!(bytes, b"x0<c><to><id><v>a<u><p><s><1>b");
        assert_eq!(segments.len(&filling), bytes.len() - 1);
        assert_eq!(segments.fixed(), "0ab");
        assert!(segments.has(Slot::Address) && !Segments::default().has(Slot::Address));

        let shared = segments.shared();
        assert_eq!(shared.bytes(&filling).collect::<Vec<_>>().concat(), bytes[1..]);
        let own = Bytes::from(format!("header{}", shared.own(&filling).collect::<String>()));
        let pieces: Vec<_> = shared.pieces(&filling, &own, 6).collect();
        assert_eq!(super::super::fit::joined(&pieces), bytes[1..]);
        assert_eq!(shared.common(), b"0");
        assert!(shared.has(Slot::Address) && !shared.has(Slot::Personal(0)));
    }
}
