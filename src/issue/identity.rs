//! Which documents are which issues: matches what a source holds now with what was known before. Pure.
//!
//! An issue is the `id` of its front matter, else the path where it was first seen, and stays it through edits,
//! renames (with an edit too, while the earlier text is to be had), reverts and re-adds. Being wrong here mails an issue twice or never; when in doubt the path decides.
//! First [`changes`] says what must be read, then [`match_up`] says what it is.

mod likeness;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::types::{Finding, IssueId, Place, Rule};
use likeness::{Text, pairs};

/// How much of its text an issue keeps that was moved and edited, at least: git's own measure of a rename.
const MOVED: f64 = 0.5;

/// How much of its text an issue keeps that was withdrawn and comes back at another path, at least.
const BACK: f64 = 0.75;

/// An issue as it was when the source was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The issue.
    pub issue: IssueId,
    /// Path of its newest revision.
    pub path: String,
    /// Blob of its newest revision.
    pub blob: String,
    /// In feeds and archive, as opposed to withdrawn.
    pub published: bool,
}

/// A document that was read and parsed without a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Path, as in the list of documents.
    pub path: String,
    /// The `id` of its front matter.
    pub id: Option<IssueId>,
}

/// What issues and documents say, for the one question that nothing else answers: which issue was moved and edited at once.
#[derive(Clone, Debug, Default)]
pub struct Texts<'a> {
    /// The newest text of issues that no document is at the path of any more, where it is still to be had.
    pub earlier: &'a [(IssueId, Vec<u8>)],
    /// Texts of parsed documents by path.
    pub now: BTreeMap<&'a str, &'a [u8]>,
}

/// How a document came to be its issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Where the issue was before: unchanged, edited, or back again.
    Same,
    /// The issue was at another path.
    Moved,
    /// An issue never seen before.
    New,
}

/// A document and its issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Path of the document.
    pub path: String,
    /// The issue it is.
    pub issue: IssueId,
    /// How.
    pub standing: Standing,
}

/// What a source holds now, in the words of what was known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Every unchanged or parsed document that is not a duplicate, in the order of paths.
    pub matches: Vec<Match>,
    /// Published issues that no document is any more: to be withdrawn. An issue whose document is there but held is
    /// not among them; its last good state stays.
    pub gone: Vec<IssueId>,
    /// Documents that claim an issue another document is: to be held.
    pub duplicates: Vec<Finding>,
}

/// The documents that must be read: path and blob of each that is not a published issue in its newest state.
#[must_use]
pub fn changes(known: &[Known], documents: &[(String, String)]) -> Vec<(String, String)> {
    let newest: HashSet<_> = known.iter().filter(|k| k.published).map(|k| (k.path.as_str(), k.blob.as_str())).collect();
    let changed = |(path, blob): &&(String, String)| !newest.contains(&(path.as_str(), blob.as_str()));
    documents.iter().filter(changed).cloned().collect()
}

/// Says which issue each document is. `parsed` holds what became of [`changes`]; a document of those that is not in it
/// is held, and keeps the issue at its path from being withdrawn. `texts` are asked last.
#[must_use]
pub fn match_up(known: &[Known], documents: &[(String, String)], parsed: &[Parsed], texts: &Texts<'_>) -> Matching {
    let mut work = Work::new(known, documents, parsed);
    work.unchanged_documents();
    work.known_ids();
    work.known_paths();
    work.moved_blobs();
    work.returned_paths();
    work.alike_texts(texts);
    work.new_issues();
    work.finish()
}

/// Matching in progress. Each step takes what it can say for certain and leaves the rest to the next.
struct Work<'a> {
    known: &'a [Known],
    /// Path and blob of every document.
    documents: BTreeMap<&'a str, &'a str>,
    /// Parsed documents that have no issue yet, with their ids.
    open: BTreeMap<&'a str, Option<&'a IssueId>>,
    /// Issues that a document is, with its path.
    taken: HashMap<IssueId, &'a str>,
    matches: BTreeMap<&'a str, (IssueId, Standing)>,
    duplicates: Vec<Finding>,
}

impl<'a> Work<'a> {
    fn new(known: &'a [Known], documents: &'a [(String, String)], parsed: &'a [Parsed]) -> Self {
        Self {
            known,
            documents: documents.iter().map(|(path, blob)| (path.as_str(), blob.as_str())).collect(),
            open: parsed.iter().map(|parsed| (parsed.path.as_str(), parsed.id.as_ref())).collect(),
            taken: HashMap::new(),
            matches: BTreeMap::new(),
            duplicates: Vec::new(),
        }
    }

    fn take(&mut self, path: &'a str, issue: IssueId, standing: Standing) {
        self.open.remove(path);
        self.taken.insert(issue.clone(), path);
        self.matches.insert(path, (issue, standing));
    }

    /// Known issues that no document is yet, published ones first.
    fn left(&self) -> impl Iterator<Item = &'a Known> + use<'_, 'a> {
        let of = |published: bool| self.known.iter().filter(move |known| known.published == published);
        of(true).chain(of(false)).filter(|known| !self.taken.contains_key(&known.issue))
    }

    /// Documents that nobody read, because they are what they were.
    fn unchanged_documents(&mut self) {
        for known in self.known.iter().filter(|known| known.published) {
            let same = self.documents.get(known.path.as_str()) == Some(&known.blob.as_str());
            if same && !self.open.contains_key(known.path.as_str()) {
                self.take(&known.path, known.issue.clone(), Standing::Same);
            }
        }
    }

    /// An id in the front matter that is known, or claimed twice. Where the issue was before it stays; else the first
    /// path has it.
    fn known_ids(&mut self) {
        let known: HashMap<_, _> = self.known.iter().map(|known| (&known.issue, known.path.as_str())).collect();
        let mut claims: BTreeMap<&IssueId, Vec<&'a str>> = BTreeMap::new();
        for (path, id) in &self.open {
            if let Some(id) = id {
                claims.entry(id).or_default().push(path);
            }
        }
        for (id, paths) in claims {
            let before = known.get(id).copied();
            let holder = self.taken.get(id).copied();
            let first = paths.iter().copied().find(|path| Some(*path) == before).or(paths.first().copied());
            let Some(keeper) = holder.or(first) else { continue };
            for path in paths.into_iter().filter(|path| *path != keeper) {
                self.open.remove(path);
                self.duplicates.push(duplicate(path, id, keeper));
            }
            if holder.is_none() && before.is_some() {
                let standing = if before == Some(keeper) { Standing::Same } else { Standing::Moved };
                self.take(keeper, id.clone(), standing);
            }
        }
    }

    /// An edited document at its old path, also one that was withdrawn and is back. An id that is not known makes it
    /// another issue, unless the old one had none: an editor may add ids later.
    fn known_paths(&mut self) {
        let left: Vec<_> = self.left().collect();
        for known in left {
            let Some(id) = self.open.get(known.path.as_str()) else { continue };
            if id.is_none() || is_of_a_path(&known.issue, &known.path) {
                self.take(&known.path, known.issue.clone(), Standing::Same);
            }
        }
    }

    /// The same bytes at another path, when the old path is gone.
    fn moved_blobs(&mut self) {
        let mut gone: HashMap<&str, Vec<&'a Known>> = HashMap::new();
        for known in self.left().filter(|known| !self.documents.contains_key(known.path.as_str())) {
            gone.entry(&known.blob).or_default().push(known);
        }
        let open: Vec<_> = self.open.keys().copied().collect();
        for path in open {
            let blob = self.documents.get(path).copied().unwrap_or_default();
            let Some(candidates) = gone.get_mut(blob) else { continue };
            if !candidates.is_empty() {
                self.take(path, candidates.remove(0).issue.clone(), Standing::Moved);
            }
        }
    }

    /// A document at the path where an issue was first seen, when it is nowhere else now: a move undone with an edit.
    fn returned_paths(&mut self) {
        let left: Vec<_> = self.left().filter(|known| !self.documents.contains_key(known.path.as_str())).collect();
        for known in left {
            if let Some((path, None)) = self.open.get_key_value(known.issue.as_str()) {
                self.take(path, known.issue.clone(), Standing::Moved);
            }
        }
    }

    /// A document that says mostly what an issue said that is nowhere now: moved and edited at once. An issue that was withdrawn
    /// before must be a closer likeness: it may have been the last one made from the same template.
    fn alike_texts(&mut self, texts: &Texts<'_>) {
        let earlier: HashMap<&IssueId, &[u8]> = texts.earlier.iter().map(|(issue, text)| (issue, &**text)).collect();
        let nowhere = self.left().filter(|known| !self.documents.contains_key(known.path.as_str()));
        let gone: Vec<(&Known, &[u8])> =
            nowhere.filter_map(|known| Some((known, *earlier.get(&known.issue)?))).collect();
        if gone.is_empty() {
            return;
        }
        let open: Vec<_> =
            self.open.iter().filter_map(|(path, id)| Some((*path, *id, *texts.now.get(path)?))).collect();
        let old = gone.iter().map(|(known, text)| Text::new(&known.path, text)).collect::<Vec<_>>();
        let new = open.iter().map(|(path, _, text)| Text::new(path, text)).collect::<Vec<_>>();
        let least = |old: usize| if gone.get(old).is_some_and(|(known, _)| known.published) { MOVED } else { BACK };
        let mut found = Vec::new();
        for (old, new) in pairs(&old, &new, least) {
            let (Some((known, _)), Some((path, id, _))) = (gone.get(old), open.get(new)) else { continue };
            if id.is_none() || is_of_a_path(&known.issue, &known.path) {
                found.push((*path, known.issue.clone()));
            }
        }
        for (path, issue) in found {
            self.take(path, issue, Standing::Moved);
        }
    }

    /// Ids first, so that a path does not take the words of an id.
    fn new_issues(&mut self) {
        let named: Vec<_> = self.open.iter().filter_map(|(path, id)| id.map(|id| (*path, id.clone()))).collect();
        for (path, id) in named {
            self.take(path, id, Standing::New);
        }
        while let Some((path, _)) = self.open.pop_first() {
            if let Some(issue) = self.fresh(path) {
                self.take(path, issue, Standing::New);
            }
        }
    }

    /// An identity for a document without an id: its path; with the blob where another issue began at that path.
    fn fresh(&self, path: &str) -> Option<IssueId> {
        let used =
            |issue: &IssueId| self.taken.contains_key(issue) || self.known.iter().any(|known| known.issue == *issue);
        let blob = self.documents.get(path).copied().unwrap_or_default();
        let short: String = blob.chars().take(10).collect();
        // A path that is too long for an id leaves `#` and the blob.
        let names = [path.to_owned(), format!("{path}#{short}"), format!("{path}#{blob}"), format!("#{blob}")];
        let counted = (2u32..).map(|number| format!("#{blob}-{number}"));
        names.into_iter().chain(counted).filter_map(|name| IssueId::parse(&name).ok()).find(|issue| !used(issue))
    }

    fn finish(self) -> Matching {
        let held = |known: &Known| {
            let path = known.path.as_str();
            self.documents.contains_key(path) && !self.matches.contains_key(path)
        };
        let gone = self.left().filter(|known| known.published && !held(known)).map(|known| known.issue.clone());
        let gone = gone.collect();
        let matches = self.matches.into_iter();
        let matches =
            matches.map(|(path, (issue, standing))| Match { path: path.to_owned(), issue, standing }).collect();
        Matching { matches, gone, duplicates: self.duplicates }
    }
}

/// Whether an identity was made of a path: nobody writes the document's extension into an `id`.
fn is_of_a_path(issue: &IssueId, path: &str) -> bool {
    let Some((_, extension)) = path.rsplit_once('.') else { return issue.as_str() == path };
    let began = issue.as_str().split('#').next().unwrap_or_default();
    began.rsplit_once('.').is_some_and(|(_, of_issue)| of_issue == extension)
}

fn duplicate(path: &str, id: &IssueId, keeper: &str) -> Finding {
    Finding {
        rule: Rule::Duplicate,
        place: Place::file(path),
        message: format!("its id {:?} is the id of {keeper}", id.as_str()),
        remedy: "Give it an id of its own, or delete the line.".into(),
    }
}

#[cfg(test)]
mod tests;
