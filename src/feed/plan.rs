//! Which issues stand in which document of a feed: the newest in the one that readers subscribe to, all others in archived
//! documents that never change (RFC 5005 section 4).
//!
//! Archived documents are counted from the oldest issue, so a new issue moves nothing. Their names carry a hash of what they
//! hold and of the one before them: who edits an old issue gives new names to its document and to those after it, and a reader
//! that walks back from the newest stops at the first name it knows, having seen every change.

use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};

use super::{About, Chain};
use crate::issue::Revision;
use crate::types::{IssueId, hex};

/// What a feed is planned from, before any content is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The issue.
    pub issue: IssueId,
    /// [`Revision::feed_hash`] of its newest revision.
    pub hash: String,
    /// [`Revision::feed_size`] of its newest revision.
    pub size: usize,
}

impl Line {
    /// The line of a revision, should it be the newest.
    #[must_use]
    pub fn of(revision: &Revision) -> Self {
        Self { issue: revision.issue.clone(), hash: revision.feed_hash(), size: revision.feed_size() }
    }
}

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub entries: usize,
    /// Bytes in any format. One issue that is larger stands alone: readers get it whole.
    pub bytes: usize,
}

/// Raised when a writer writes something else for the same issues: archived documents are kept for ever under their names.
const FORM: u64 = 1;

/// A document of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// The one that readers subscribe to.
    Current,
    /// An archived one by its number, from 1 for the oldest.
    Archived(usize),
}

/// All documents of a feed.
#[derive(Clone, Debug)]
pub struct Plan {
    lines: Vec<Line>,
    newest: Range<usize>,
    archived: Vec<Archived>,
}

#[derive(Clone, Debug)]
struct Archived {
    lines: Range<usize>,
    version: String,
}

impl Plan {
    /// Plans the feed of these issues, oldest first.
    #[must_use]
    pub fn new(about: &About, lines: Vec<Line>, limits: Limits) -> Self {
        let mut archived: Vec<Archived> = Vec::new();
        let mut begin = 0;
        let mut before = salt(about);
        while let Some(rest) = lines.get(begin..).filter(|rest| !rest.is_empty()) {
            let end = begin + fitting(rest.iter(), limits);
            // A document is full when the issue after it does not fit; until then its issues are among the newest.
            if end == lines.len() {
                break;
            }
            before = hash(&before, &lines[begin..end]);
            archived.push(Archived { lines: begin..end, version: short(&before) });
            begin = end;
        }
        let newest = lines.len() - fitting(lines.iter().rev(), limits)..lines.len();
        Self { lines, newest, archived }
    }

    /// How many documents are archived.
    #[must_use]
    pub fn archived(&self) -> usize {
        self.archived.len()
    }

    /// The lines of a document, oldest first; `None` when there is no such document.
    #[must_use]
    pub fn lines(&self, document: Document) -> Option<&[Line]> {
        self.lines.get(self.range(document)?)
    }

    fn range(&self, document: Document) -> Option<Range<usize>> {
        match document {
            Document::Current => Some(self.newest.clone()),
            Document::Archived(number) => Some(self.archived.get(number.checked_sub(1)?)?.lines.clone()),
        }
    }

    /// The folder of an archived document below the feed's own: `archive/3-0a1b2c3d4e/`.
    #[must_use]
    pub fn folder(&self, number: usize) -> Option<String> {
        let Archived { version, .. } = self.archived.get(number.checked_sub(1)?)?;
        Some(format!("{ARCHIVE}/{number}-{version}/"))
    }

    /// Changes when anything of the document changes, besides what `about` says: its issues, what they show, its neighbours.
    #[must_use]
    pub fn version(&self, document: Document) -> Option<String> {
        let lines = self.lines(document)?;
        let before = self.archived.last().map(|archived| archived.version.as_bytes());
        Some(match document {
            Document::Current => short(&hash(before.unwrap_or_default(), lines)),
            Document::Archived(number) => self.folder(number)?,
        })
    }

    /// The neighbours of a document of the feed that is served below `base`. The next archived document is named without its
    /// version, which is not known as long as this one is kept: that name leads to the document as it is then.
    #[must_use]
    pub fn chain(&self, base: &str, document: Document) -> Chain {
        let named = |number: usize| self.folder(number).map(|folder| format!("{base}{folder}"));
        match document {
            Document::Current => Chain { previous: named(self.archived.len()), ..Chain::default() },
            Document::Archived(number) => Chain {
                current: Some(base.to_owned()),
                previous: named(number - 1),
                next: Some(format!("{base}{ARCHIVE}/{}/", number + 1)),
            },
        }
    }
}

/// The folder of archived documents.
pub const ARCHIVE: &str = "archive";

/// How many of these fit into one document; at least one.
fn fitting<'a>(lines: impl Iterator<Item = &'a Line>, limits: Limits) -> usize {
    let mut bytes = HEAD;
    let fit = |(number, line): &(usize, &Line)| {
        bytes += line.size;
        *number == 0 || *number < limits.entries && bytes <= limits.bytes
    };
    lines.enumerate().take_while(fit).count()
}

/// What a document says before its first entry, at most.
const HEAD: usize = 4 * 1024;

/// What archived documents say besides their issues.
fn salt(about: &About) -> Vec<u8> {
    let About { newsletter, facet, title, description, language, home, icon, logo, stylesheet, hubs: _, since: _ } =
        about;
    let facet = facet.as_ref().map(|facet| (facet.id.to_string(), &facet.name));
    let said = format!("{FORM} {:?}", (newsletter, facet, title, description, language, home, icon, logo, stylesheet));
    said.into_bytes()
}

fn hash(before: &[u8], lines: &[Line]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(before);
    for Line { issue, hash, size: _ } in lines {
        for part in [issue.as_str(), hash] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    context.finish().as_ref().to_vec()
}

/// 48 bits: enough to tell the versions of one document apart.
fn short(hash: &[u8]) -> String {
    hex(hash.iter().take(6))
}

#[cfg(test)]
mod tests {
    use super::super::tests::about;
    use super::*;

    const LIMITS: Limits = Limits { entries: 3, bytes: 100_000 };

    fn lines(count: usize) -> Vec<Line> {
        let line = |number| Line {
            issue: IssueId::parse(&format!("{number}")).unwrap(),
            hash: format!("hash of {number}"),
            size: 1000,
        };
        (1..=count).map(line).collect()
    }

    fn plan(lines: Vec<Line>) -> Plan {
        Plan::new(&about(), lines, LIMITS)
    }

    fn issues(plan: &Plan, document: Document) -> Option<Vec<String>> {
        Some(plan.lines(document)?.iter().map(|line| line.issue.to_string()).collect())
    }

    fn folders(plan: &Plan) -> Vec<String> {
        (1..=plan.archived()).map(|number| plan.folder(number).unwrap()).collect()
    }

    #[test]
    fn every_issue_is_in_the_newest_document_or_in_an_archived_one() {
        for count in 0..20 {
            let plan = plan(lines(count));
            let mut all: Vec<_> =
                (1..=plan.archived()).flat_map(|number| issues(&plan, Document::Archived(number)).unwrap()).collect();
            let newest = issues(&plan, Document::Current).unwrap();
            assert_eq!(newest.len(), count.min(3));
            all.extend(newest);
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count);
            assert_eq!(issues(&plan, Document::Archived(plan.archived() + 1)), None);
        }
        assert_eq!(issues(&plan(lines(5)), Document::Archived(0)), None);
    }

    #[test]
    fn a_new_issue_moves_no_archived_document() {
        let mut known = Vec::new();
        for count in 0..20 {
            let now = folders(&plan(lines(count)));
            assert!(now.starts_with(&known), "{known:?} {now:?}");
            known = now;
        }
        assert_eq!(known.len(), 6);
    }

    #[test]
    fn an_edit_gives_new_names_from_its_document_on_and_to_none_before() {
        let before = folders(&plan(lines(12)));
        let mut edited = lines(12);
        edited[4].hash = "another".into();
        let after = folders(&plan(edited));
        assert_eq!(before.iter().zip(&after).map(|(a, b)| a == b).collect::<Vec<_>>(), [true, false, false]);
        let renamed = About { title: "Renamed".into(), ..about() };
        assert_ne!(folders(&Plan::new(&renamed, lines(12), LIMITS))[0], before[0], "the title stands in the document");
    }

    #[test]
    fn large_issues_make_shorter_documents_and_one_that_is_too_large_stands_alone() {
        let mut sized = lines(6);
        for (line, size) in sized.iter_mut().zip([40_000, 60_000, 10, 200_000, 10, 10]) {
            line.size = size;
        }
        let plan = plan(sized);
        let all = (1..=plan.archived()).map(|number| issues(&plan, Document::Archived(number)).unwrap());
        assert_eq!(all.collect::<Vec<_>>(), [vec!["1"], vec!["2", "3"], vec!["4"]]);
        assert_eq!(issues(&plan, Document::Current).unwrap(), ["5", "6"]);
    }

    #[test]
    fn the_chain_leads_from_the_newest_document_to_the_oldest_and_back() {
        let plan = plan(lines(8));
        let base = "https://example.org/n/";
        let names: Vec<_> = folders(&plan).iter().map(|folder| format!("{base}{folder}")).collect();
        let newest = plan.chain(base, Document::Current);
        assert_eq!(newest, Chain { current: None, previous: Some(names[1].clone()), next: None });
        let second = plan.chain(base, Document::Archived(2));
        let next = Some(format!("{base}archive/3/"));
        assert_eq!(second, Chain { current: Some(base.into()), previous: Some(names[0].clone()), next });
        assert_eq!(plan.chain(base, Document::Archived(1)).previous, None);
        assert_eq!(super::Plan::new(&about(), lines(3), LIMITS).chain(base, Document::Current), Chain::default());
    }

    #[test]
    fn the_version_of_a_document_moves_with_its_issues_and_the_archive() {
        let version = |lines| plan(lines).version(Document::Current).unwrap();
        let mut edited = lines(8);
        edited[7].hash = "another".into();
        assert_ne!(version(lines(8)), version(edited.clone()));
        edited = lines(8);
        edited[0].hash = "another".into();
        assert_ne!(version(lines(8)), version(edited), "the link to the archive changed");
        assert_eq!(version(lines(8)), version(lines(8)));
    }
}
