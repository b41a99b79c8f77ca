//! What one reading of a source means for the store. Pure: it is computed from what was read and what was known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;

use super::{Built, Read, identity_of};
use crate::config::Newsletter;
use crate::content::Snapshot;
use crate::issue::identity::{Match, Parsed, Texts, match_up};
use crate::issue::news::{self, Before, Candidate};
use crate::issue::{self, Document, Issue, Revision, content_hash, parse};
use crate::renderer::{self, Documents, Links, Templates};
use crate::site;
use crate::store::{KnownIssue, Publication, PublishedIssue};
use crate::types::{Finding, IssueId, Slug};

/// Everything one reading needs.
pub(super) struct Reading {
    pub newsletter: Newsletter,
    pub base: Url,
    pub templates: Arc<Templates>,
    /// Nothing was ever read before: all of it is archive.
    pub first: bool,
    pub fingerprint: String,
    pub now: DateTime<Utc>,
    pub known: Vec<KnownIssue>,
    pub snapshot: Snapshot,
    pub read: Vec<Read>,
    /// The pages that the text of issues is taken from, when it is not in their documents.
    pub built: Option<Built>,
    /// See [`Texts::earlier`].
    pub earlier: Vec<(IssueId, Vec<u8>)>,
}

/// Issues that are written in one transaction when many are. Ten megabytes, and a tenth of a second in which nobody else writes.
const PART: usize = 200;

/// What was parsed, by path.
type Parsing = BTreeMap<String, (Document, Issue)>;

/// A document that is an issue, with all that its revision is made of.
struct Found<'a> {
    document: &'a Document,
    issue: &'a Issue,
    id: &'a IssueId,
    slug: &'a Slug,
    before: Option<&'a KnownIssue>,
    links: Links,
    /// Issues that this reading brings for the first time.
    fresh: usize,
}

/// What reading and rendering depend on besides the documents. When it changes, everything is read and rendered again.
/// Only what then reads otherwise counts as changed content.
pub(super) fn fingerprint(newsletter: &Newsletter, base: &Url, words: &str, built: Option<&str>) -> String {
    let Newsletter { reading, permalink, source, language, .. } = newsletter;
    let built = built.map(|built| format!(" {built}")).unwrap_or_default();
    let versions = format!("{} {}", renderer::VERSION, issue::VERSION);
    format!("{versions} {base} {reading:?} {permalink:?} {language} {words} {}{built}", source.folder)
}

impl Reading {
    /// The publication, and what readers of it miss.
    ///
    /// Of a large reading, issues are given to `ahead` in parts of [`PART`], so that no more are held in memory: those that may be
    /// published before the rest, because they are known, or because it is the first reading. New ones stay together, or a
    /// crash between would make the last few of a bulk change look like news. When `ahead` says no, the rest is not rendered.
    pub fn publication(mut self, ahead: impl FnMut(Vec<PublishedIssue>) -> bool) -> (Publication, Vec<Finding>) {
        let mut holds = std::mem::take(&mut self.snapshot.refused);
        let (mut parsed, next_at) = self.parse(&mut holds);
        let warnings = check(&mut parsed, &mut holds);
        let known: Vec<_> = self.known.iter().map(identity_of).collect();
        let ids: Vec<_> =
            parsed.iter().map(|(path, (_, issue))| Parsed { path: path.clone(), id: issue.id.clone() }).collect();
        let now = parsed.iter().map(|(path, (document, _))| (path.as_str(), document.bytes.as_slice())).collect();
        let texts = Texts { earlier: &self.earlier, now };
        let matching = match_up(&known, &self.snapshot.documents, &ids, &texts);
        holds.extend(matching.duplicates);
        holds.sort_by(|a, b| (&a.place.path, a.place.line).cmp(&(&b.place.path, b.place.line)));
        for (document, _) in parsed.values_mut() {
            document.bytes = Vec::new(); // as large as all that is rendered from them
        }
        let issues = self.issues(parsed, &matching.matches, ahead);
        let publication = Publication {
            newsletter: self.newsletter.id,
            now: self.now,
            commit: self.snapshot.commit,
            fingerprint: self.fingerprint,
            issues,
            withdrawn: matching.gone,
            holds,
            next_at,
        };
        (publication, warnings)
    }

    /// Parses what was read. Drafts, documents that are no issues, and those whose date has not come are as if they were not there.
    fn parse(&mut self, holds: &mut Vec<Finding>) -> (Parsing, Option<DateTime<Utc>>) {
        let reading = self.newsletter.reading.clone();
        let (mut parsed, mut absent, mut wake_at) = (BTreeMap::new(), HashSet::new(), None);
        for read in std::mem::take(&mut self.read) {
            match read.and_then(|document| parse(&document, &reading).map(|issue| (document, issue))) {
                Err(finding) => holds.push(finding),
                Ok((document, None)) => {
                    absent.insert(document.path);
                }
                Ok((document, Some(issue))) if issue.draft && !self.newsletter.publish_drafts => {
                    absent.insert(document.path);
                }
                Ok((document, Some(issue))) if issue.date > self.now && !self.newsletter.publish_future => {
                    let date = issue.date.with_timezone(&Utc);
                    wake_at = Some(wake_at.map_or(date, |at: DateTime<Utc>| at.min(date)));
                    absent.insert(document.path);
                }
                Ok((mut document, Some(mut issue))) => {
                    let filled = self.built.as_ref().map_or(Ok(()), |built| built.fill(&mut document, &mut issue));
                    match filled {
                        Ok(()) => drop(parsed.insert(document.path.clone(), (document, issue))),
                        Err(finding) => holds.push(finding),
                    }
                }
            }
        }
        self.snapshot.documents.retain(|(path, _)| !absent.contains(path));
        (parsed, wake_at)
    }

    fn issues(
        &self,
        mut parsed: Parsing,
        matches: &[Match],
        mut ahead: impl FnMut(Vec<PublishedIssue>) -> bool,
    ) -> Vec<PublishedIssue> {
        let known: HashMap<&IssueId, &KnownIssue> = self.known.iter().map(|known| (&known.issue, known)).collect();
        let slugs = self.slugs(&parsed, matches, &known);
        let urls = self.urls(&parsed, matches, &known, &slugs);
        let documents = matches.iter().filter_map(|m| Some((m.path.clone(), urls.get(&m.issue)?.clone())));
        let documents = Arc::new(Documents::from(documents.collect::<HashMap<_, _>>()));
        let fresh = matches.iter().filter(|found| !known.contains_key(&found.issue)).count();
        let is_large = parsed.len() > PART;
        let (mut issues, mut part) = (Vec::new(), Vec::new());
        for found in matches {
            let (slug, url) = (slugs.get(&found.issue), urls.get(&found.issue));
            let (Some((document, issue)), Some(slug), Some(url)) = (parsed.remove(&found.path), slug, url) else {
                continue;
            };
            let links = Links {
                path: document.path.clone(),
                issue: url.clone(),
                files: self.is_ours(url).then(|| site::files(&self.base, &self.newsletter.id)),
                documents: Arc::clone(&documents),
                labels: self.templates.phrases(issue.language.as_ref().unwrap_or(&self.newsletter.language)).into(),
            };
            let before = known.get(&found.issue).copied();
            let (document, issue) = (&document, &issue);
            let published = self.published(&Found { document, issue, id: &found.issue, slug, before, links, fresh });
            if is_large && (self.first || before.is_some()) {
                part.push(published);
            } else {
                issues.push(published);
            }
            if part.len() == PART && !ahead(std::mem::take(&mut part)) {
                break;
            }
        }
        issues.extend(part);
        issues
    }

    /// The public URL of every issue that is there: on the project's site where a rule or the document says so, else our page. Of one
    /// that was not read this time, the URL it has.
    fn urls(
        &self,
        parsed: &Parsing,
        matches: &[Match],
        known: &HashMap<&IssueId, &KnownIssue>,
        slugs: &HashMap<IssueId, Slug>,
    ) -> HashMap<IssueId, Url> {
        let rule = self.newsletter.permalink.as_ref();
        let url = |found: &Match| match (parsed.get(&found.path), known.get(&found.issue)) {
            (Some((_, issue)), _) => rule
                .and_then(|rule| rule.url(issue, &found.path))
                .or_else(|| Some(site::issue(&self.base, &self.newsletter.id, slugs.get(&found.issue)?))),
            (None, Some(known)) => Url::parse(&known.url).ok(),
            (None, None) => None,
        };
        matches.iter().filter_map(|found| Some((found.issue.clone(), url(found)?))).collect()
    }

    /// Whether a public URL is one of our pages.
    fn is_ours(&self, url: &Url) -> bool {
        url.as_str().starts_with(site::home(&self.base, &self.newsletter.id).as_str())
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

    fn published(&self, found: &Found<'_>) -> PublishedIssue {
        let Found { document, issue, id, slug, before, links, fresh } = found;
        let content_hash = content_hash(issue);
        let changed = before.is_none_or(|known| known.content_hash != content_hash);
        let candidate = Candidate { issue, path: &document.path, changed, fresh: *fresh, now: self.now };
        let known = before.map(|known| Before { mail: &known.mail, mailed: known.mailed });
        let mail = news::decide(self.first, known, &candidate, &self.newsletter.caution);
        let (number, updated) = match before {
            None => (1, issue.date.with_timezone(&Utc)),
            // An edit dated before the issue itself (a history rewritten, a clock gone wrong) is no older than the issue.
            Some(known) if changed => (known.number + 1, document.changed_at.max(known.updated)),
            Some(known) => (known.number, known.updated),
        };
        let revision = Revision {
            newsletter: self.newsletter.id.clone(),
            issue: (*id).clone(),
            number,
            path: document.path.clone(),
            slug: (*slug).clone(),
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
        // What was away and is back has to settle again.
        let changed = changed || before.is_some_and(|known| !known.published);
        let aliases = issue.aliases.iter().filter_map(|alias| site::alias(alias)).collect();
        PublishedIssue { revision, content_hash, aliases, mail, changed }
    }
}

/// Holds what cannot be read without a site generator; tells what is left out of the rest.
fn check(parsed: &mut Parsing, holds: &mut Vec<Finding>) -> Vec<Finding> {
    let mut warnings = Vec::new();
    parsed.retain(|path, (_, issue)| match renderer::check(issue, path) {
        Ok(found) => {
            warnings.extend(found);
            true
        }
        Err(hold) => {
            holds.push(hold);
            false
        }
    });
    warnings
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

    #[test]
    fn whatever_reading_depends_on_changes_the_fingerprint() {
        let print = |variable: &str, value: &str| {
            let name = format!("TIDINGS_NEWSLETTERS__EXAMPLE__{variable}");
            let config = crate::config::parse(None, &[(name, value.to_owned())]).unwrap();
            fingerprint(&config.newsletters[0], &config.server.url, "words", None)
        };
        let same = print("TITLE", "Another title");
        assert_eq!(same, print("SETTLE", "3h"));
        for (variable, value) in [
            ("TIMEZONE", "Europe/Berlin"),
            ("DATE_KEYS", "publish_date"),
            ("DATE_SOURCES", "file-name,git"),
            ("SOURCE__ONLY", "{ type = \"newsletter\" }"),
        ] {
            assert_ne!(print(variable, value), same, "{variable}");
        }
    }
}
