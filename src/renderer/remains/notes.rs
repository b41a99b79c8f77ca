//! The record of what was replaced and left out: each thing once, with its first line and how often it stood there.

/// Different things that are recorded of one document. Someone who has read these knows what the matter is.
const MOST: usize = 64;

/// What became of a remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::renderer) enum Fate {
    /// Readers see what it stands for.
    Replaced,
    /// Readers do not see it.
    LeftOut,
    /// What it stands for is known to the site generator alone, and the text makes no sense without it.
    NeedsGenerator,
}

/// Something that was replaced or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::renderer) struct Dropped {
    /// Line of its first occurrence, from 1.
    pub line: u32,
    /// What it is, in words: "the shortcode `info`".
    pub what: String,
    /// How often it occurs.
    pub times: u32,
    /// What became of it.
    pub fate: Fate,
}

/// Collects while a document is walked from its start to its end.
#[derive(Debug, Default)]
pub(super) struct Notes {
    dropped: Vec<Dropped>,
    /// The lines before `counted` are in `line`.
    counted: usize,
    line: u32,
}

impl Notes {
    /// Notes what stands at a byte of `text`; positions never go back.
    pub fn add(&mut self, text: &str, at: usize, fate: Fate, what: String) {
        let passed = text.as_bytes().get(self.counted..at).unwrap_or_default();
        self.line += u32::try_from(passed.iter().filter(|byte| **byte == b'\n').count()).unwrap_or_default();
        self.counted = self.counted.max(at);
        let same = |dropped: &&mut Dropped| dropped.fate == fate && dropped.what == what;
        if let Some(dropped) = self.dropped.iter_mut().find(same) {
            dropped.times = dropped.times.saturating_add(1);
        } else if self.dropped.len() < MOST || self.first_need(fate) {
            self.dropped.push(Dropped { line: self.line + 1, what, times: 1, fate });
        }
    }

    /// The one thing that counts even when there is too much of everything else.
    fn first_need(&self, fate: Fate) -> bool {
        fate == Fate::NeedsGenerator && self.dropped.iter().all(|dropped| dropped.fate != fate)
    }

    pub fn finish(self) -> Vec<Dropped> {
        self.dropped
    }
}
