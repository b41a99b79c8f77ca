//! What one reading of a source means for the store. Pure: it is computed from what was read and what was known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;

use super::{Read, identity_of};
use crate::config::Newsletter;
use crate::content::Snapshot;
use crate::issue::identity::{Match, Parsed, Texts, match_up};
use crate::issue::{self, Document, Issue, Revision, content_hash, parse};
use crate::renderer::{self, Links};
use crate::site;
use crate::store::{KnownIssue, Publication, PublishedIssue};
use crate::types::{Finding, IssueId, Slug};

/// Everything one reading needs.
pub(super) struct Reading {
    pub newsletter: Newsletter,
    pub base: Url,
    /// Nothing was ever read before: all of it is archive.
    pub first: bool,
    pub fingerprint: String,
    pub now: DateTime<Utc>,
    pub known: Vec<KnownIssue>,
    pub snapshot: Snapshot,
    pub read: Vec<Read>,
    /// See [`Texts::earlier`].
    pub earlier: Vec<(IssueId, Vec<u8>)>,
}

/// What was parsed, by path.
type Parsing = BTreeMap<String, (Document, Issue)>;

/// What rendering depends on besides the documents. When it changes, everything is rendered again; nothing counts as
/// changed content by that.
pub(super) fn fingerprint(newsletter: &Newsletter, base: &Url) -> String {
    format!("{} {base} {} {}", renderer::VERSION, newsletter.timezone, newsletter.source.folder)
}

impl Reading {
    /// The publication, and when to look again for a document dated in the future.
    pub fn publication(mut self) -> (Publication, Option<DateTime<Utc>>) {
        let mut holds = std::mem::take(&mut self.snapshot.refused);
        let (parsed, wake_at) = self.parse(&mut holds);
        let known: Vec<_> = self.known.iter().map(identity_of).collect();
        let ids: Vec<_> =
            parsed.iter().map(|(path, (_, issue))| Parsed { path: path.clone(), id: issue.id.clone() }).collect();
        let now = parsed.iter().map(|(path, (document, _))| (path.as_str(), document.bytes.as_slice())).collect();
        let texts = Texts { earlier: &self.earlier, now };
        let matching = match_up(&known, &self.snapshot.documents, &ids, &texts);
        holds.extend(matching.duplicates);
        holds.sort_by(|a, b| (&a.place.path, a.place.line).cmp(&(&b.place.path, b.place.line)));
        let issues = self.issues(&parsed, &matching.matches);
        let publication = Publication {
            newsletter: self.newsletter.id,
            now: self.now,
            commit: self.snapshot.commit,
            fingerprint: self.fingerprint,
            issues,
            withdrawn: matching.gone,
            holds,
        };
        (publication, wake_at)
    }

    /// Parses what was read. Drafts, and documents whose date has not come, are as if they were not there.
    fn parse(&mut self, holds: &mut Vec<Finding>) -> (Parsing, Option<DateTime<Utc>>) {
        let reading = issue::Reading { timezone: self.newsletter.timezone };
        let (mut parsed, mut absent, mut wake_at) = (BTreeMap::new(), HashSet::new(), None);
        for read in std::mem::take(&mut self.read) {
            match read.and_then(|document| parse(&document, &reading).map(|issue| (document, issue))) {
                Err(finding) => holds.push(finding),
                Ok((document, issue)) if issue.draft => {
                    absent.insert(document.path);
                }
                Ok((document, issue)) if issue.date > self.now => {
                    let date = issue.date.with_timezone(&Utc);
                    wake_at = Some(wake_at.map_or(date, |at: DateTime<Utc>| at.min(date)));
                    absent.insert(document.path);
                }
                Ok((document, issue)) => {
                    parsed.insert(document.path.clone(), (document, issue));
                }
            }
        }
        self.snapshot.documents.retain(|(path, _)| !absent.contains(path));
        (parsed, wake_at)
    }

    fn issues(&self, parsed: &Parsing, matches: &[Match]) -> Vec<PublishedIssue> {
        let known: HashMap<&IssueId, &KnownIssue> = self.known.iter().map(|known| (&known.issue, known)).collect();
        let slugs = self.slugs(parsed, matches, &known);
        let url = |slug: &Slug| site::issue(&self.base, &self.newsletter.id, slug);
        let documents: HashMap<String, Url> =
            matches.iter().filter_map(|m| Some((m.path.clone(), url(slugs.get(&m.issue)?)))).collect();
        let documents = Arc::new(documents);
        let mut issues = Vec::new();
        for found in matches {
            let (Some((document, issue)), Some(slug)) = (parsed.get(&found.path), slugs.get(&found.issue)) else {
                continue;
            };
            let links = Links {
                path: document.path.clone(),
                issue: url(slug),
                files: site::files(&self.base, &self.newsletter.id),
                documents: Arc::clone(&documents),
            };
            let before = known.get(&found.issue).copied();
            issues.push(self.published(document, issue, found, slug, before, &links));
        }
        issues
    }

    /// The slug of every issue that is there: the one it has, else its own, counted up where another issue has it.
    fn slugs(
        &self,
        parsed: &Parsing,
        matches: &[Match],
        known: &HashMap<&IssueId, &KnownIssue>,
    ) -> HashMap<IssueId, Slug> {
        let mut used: HashSet<Slug> = self.known.iter().map(|known| known.slug.clone()).collect();
        let mut slugs = HashMap::new();
        for found in matches {
            let slug = match (known.get(&found.issue), parsed.get(&found.path)) {
                (Some(known), _) => known.slug.clone(),
                (None, Some((_, issue))) => free(&issue.slug, &used),
                (None, None) => continue,
            };
            used.insert(slug.clone());
            slugs.insert(found.issue.clone(), slug);
        }
        slugs
    }

    fn published(
        &self,
        document: &Document,
        issue: &Issue,
        found: &Match,
        slug: &Slug,
        before: Option<&KnownIssue>,
        links: &Links,
    ) -> PublishedIssue {
        let content_hash = content_hash(issue);
        let changed = before.is_none_or(|known| known.content_hash != content_hash);
        let (number, updated) = match before {
            None => (1, issue.date.with_timezone(&Utc)),
            // An edit dated before the issue itself (a history rewritten, a clock gone wrong) is no older than the issue.
            Some(known) if changed => (known.number + 1, document.changed_at.max(known.updated)),
            Some(known) => (known.number, known.updated),
        };
        let revision = Revision {
            newsletter: self.newsletter.id.clone(),
            issue: found.issue.clone(),
            number,
            path: document.path.clone(),
            slug: slug.clone(),
            commit: self.snapshot.commit.clone(),
            blob: document.blob.clone(),
            title: issue.title.clone(),
            authors: issue.authors.clone(),
            tags: issue.tags.clone(),
            language: issue.language.clone(),
            image: issue.image.as_deref().and_then(|image| renderer::image_url(image, links)),
            date: issue.date,
            updated,
            url: links.issue.to_string(),
            content: renderer::render(issue, links),
        };
        PublishedIssue { revision, content_hash, news: !self.first, changed }
    }
}

/// The slug, or the first of `slug-2`, `slug-3`, ... that nobody has.
fn free(slug: &Slug, used: &HashSet<Slug>) -> Slug {
    let counted = (2u32..).filter_map(|number| {
        // Room for the number, for slugs at their longest.
        let stem: String = slug.as_str().chars().take(88).collect();
        Slug::parse(&format!("{}-{number}", stem.trim_end_matches('-'))).ok()
    });
    std::iter::once(slug.clone()).chain(counted).find(|slug| !used.contains(slug)).unwrap_or_else(|| slug.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_that_is_taken_is_counted_up() {
        let slug = |text: &str| Slug::parse(text).unwrap();
        let used: HashSet<_> = [slug("march"), slug("march-2")].into();
        assert_eq!(free(&slug("april"), &used), slug("april"));
        assert_eq!(free(&slug("march"), &used), slug("march-3"));
        let long = slug(&"x".repeat(100));
        assert_eq!(free(&long, &[long.clone()].into()).as_str().len(), 90);
    }
}
