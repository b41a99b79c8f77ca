//! Entries of the documents that readers subscribe to: after a change, only what changed is read and made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::feed::plan::Line;
use crate::feed::{About, Entry};
use crate::issue::Revision;
use crate::types::IssueId;

/// Bytes of entries that are kept for each newsletter: what eight documents hold by default. With more, those of the newest stay.
const ROOM: usize = 4 * 1024 * 1024;

/// What was made, by what it shows.
#[derive(Debug, Default)]
pub(super) struct Entries(Mutex<HashMap<Line, Arc<Entry>>>);

/// Those of one document.
#[derive(Debug)]
pub(super) struct Found {
    lines: Vec<Line>,
    made: HashMap<Line, Arc<Entry>>,
}

impl Entries {
    /// What there is for a document.
    pub(super) fn of(&self, lines: &[Line]) -> Found {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = lines.iter().filter_map(|line| Some((line.clone(), Arc::clone(kept.get(line)?)))).collect();
        Found { lines: lines.to_vec(), made }
    }

    /// Keeps the entries of a document.
    pub(super) fn keep(&self, found: Found) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(found.made);
        if kept.keys().map(|line| line.size).sum::<usize>() > ROOM {
            kept.retain(|line, _| found.lines.contains(line));
        }
    }
}

impl Found {
    /// The issues that must be read.
    pub(super) fn missing(&self) -> Vec<IssueId> {
        let missing = self.lines.iter().filter(|line| !self.made.contains_key(line));
        missing.map(|line| line.issue.clone()).collect()
    }

    /// All entries, newest first, with those of the revisions that were read. `None` where one is not what was planned: it was
    /// published since.
    pub(super) fn complete(&mut self, revisions: &[Revision], about: &About) -> Option<Vec<Arc<Entry>>> {
        self.made.extend(revisions.iter().map(|new| (Line::of(new), Arc::new(Entry::of(new, about)))));
        self.lines.iter().rev().map(|line| self.made.get(line).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::tests::{about, revision};

    fn revisions() -> Vec<Revision> {
        ["2020-01-01", "2020-02-01", "2020-03-01"].map(|day| revision(day, &format!("{day}T00:00:00Z"))).into()
    }

    fn lines(revisions: &[Revision]) -> Vec<Line> {
        revisions.iter().map(Line::of).collect()
    }

    fn missing(entries: &Entries, revisions: &[Revision]) -> Vec<String> {
        entries.of(&lines(revisions)).missing().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let (entries, mut all) = (Entries::default(), revisions());
        let mut found = entries.of(&lines(&all));
        let made = found.complete(&all, &about()).unwrap();
        assert_eq!(
            made.iter().map(|entry| entry.published.to_string()[..7].to_owned()).collect::<Vec<_>>(),
            ["2020-03", "2020-02", "2020-01"]
        );
        entries.keep(found);
        assert_eq!(missing(&entries, &all), [""; 0]);
        all[1].title = "Edited".into();
        assert_eq!(missing(&entries, &all), ["2020-02-01"]);
        let again = entries.of(&lines(&all)).complete(&all[1..2], &about()).unwrap();
        assert_eq!((again[1].title.as_str(), Arc::ptr_eq(&again[0], &made[0])), ("Edited", true));
    }

    #[test]
    fn what_was_published_since_it_was_planned_is_seen() {
        let (entries, all) = (Entries::default(), revisions());
        let mut read = revisions();
        read[2].title = "Published since".into();
        assert_eq!(entries.of(&lines(&all)).complete(&read, &about()), None);
        assert_eq!(entries.of(&lines(&all)).complete(&read[..2], &about()), None, "withdrawn since");
    }

    #[test]
    fn what_no_document_needs_goes_when_room_is_short() {
        let (entries, first) = (Entries::default(), revisions());
        let keep = |all: &[Revision]| {
            let mut found = entries.of(&lines(all));
            found.complete(all, &about()).unwrap();
            entries.keep(found);
        };
        keep(&first);
        let mut second = revisions();
        second[0].content.feed = "x".repeat(ROOM);
        keep(&second[..1]);
        assert_eq!((missing(&entries, &first).len(), missing(&entries, &second[..1]).len()), (3, 0));
    }
}
