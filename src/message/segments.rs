//! Bytes with holes: what is the same for every recipient, and where the recipient's parts go.

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

    /// The text before the first slot.
    pub fn common(&self) -> &str {
        self.slots.first().and_then(|(at, _)| self.fixed.get(..*at)).unwrap_or(&self.fixed)
    }

    /// How many bytes filling takes.
    pub fn len(&self, filling: &Filling<'_>) -> usize {
        self.fixed.len() + self.slots.iter().map(|(_, slot)| filling.part(*slot).len()).sum::<usize>()
    }

    /// The bytes piece by piece: fixed text and what fills the slots in turns, beginning with [`common`](Self::common).
    pub fn pieces<'a>(&'a self, filling: &'a Filling<'_>) -> impl Iterator<Item = &'a [u8]> {
        // `at` never falls: slots are only ever appended.
        let starts = std::iter::once(0).chain(self.slots.iter().map(|(at, _)| *at));
        let slots = self.slots.iter().map(|(at, slot)| (*at, filling.part(*slot)));
        let ends = slots.chain(std::iter::once((self.fixed.len(), "")));
        starts.zip(ends).flat_map(|(start, (end, part))| {
            [self.fixed.as_bytes().get(start..end).unwrap_or_default(), part.as_bytes()]
        })
    }

    /// Appends the bytes with every slot filled, in one pass.
    pub fn fill(&self, filling: &Filling<'_>, bytes: &mut Vec<u8>) {
        self.pieces(filling).for_each(|piece| bytes.extend_from_slice(piece));
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
        assert_eq!((segments.fixed(), segments.common()), ("0ab", "0"));
        assert!(segments.has(Slot::Address) && !Segments::default().has(Slot::Address));
    }
}
