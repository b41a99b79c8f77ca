//! What pages know of a newsletter's issues: their heads, tags and authors, read when something changed and kept until the next
//! change. So a page costs a look at the source's row, and not a walk through thousands of issues.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike, Utc};

use super::Web;
use super::error::Error;
use crate::config::Newsletter;
use crate::store::{FacetCount, IssueHead};
use crate::types::{FacetKind, NewsletterId};

/// The newest archive of each newsletter.
#[derive(Debug, Default)]
pub(super) struct Archives(Mutex<HashMap<NewsletterId, Arc<Archive>>>);

/// The published issues of a newsletter as of one change of its source.
#[derive(Debug, Default)]
pub(super) struct Archive {
    changed_at: DateTime<Utc>,
    fingerprint: String,
    /// Newest first.
    pub heads: Vec<IssueHead>,
    facets: Vec<FacetCount>,
}

impl Archive {
    /// The archive as of now.
    pub(super) async fn current(web: &Web, newsletter: &Newsletter) -> Result<Arc<Self>, Error> {
        // The state is read before the issues: a change in between is seen by the next request.
        let Some(state) = web.store().source_state(&newsletter.id).await? else { return Ok(Arc::default()) };
        if let Some(kept) = web.archives().get(&newsletter.id)
            && (kept.changed_at, &kept.fingerprint) == (state.changed_at, &state.fingerprint)
        {
            return Ok(kept);
        }
        let archive = Arc::new(Self {
            changed_at: state.changed_at,
            fingerprint: state.fingerprint,
            heads: web.store().archive(&newsletter.id).await?,
            facets: web.store().facets(&newsletter.id).await?,
        });
        web.archives().put(&newsletter.id, &archive);
        Ok(archive)
    }

    /// Each year with the number of its issues, newest first.
    pub(super) fn years(&self) -> Vec<(i32, usize)> {
        let mut years: Vec<(i32, usize)> = Vec::new();
        for head in &self.heads {
            match years.iter_mut().find(|(year, _)| *year == head.date.year()) {
                Some((_, count)) => *count += 1,
                None => years.push((head.date.year(), 1)),
            }
        }
        years.sort_unstable_by(|a, b| b.cmp(a));
        years
    }

    /// The issues of a year, newest first.
    pub(super) fn of_year(&self, year: i32) -> Vec<&IssueHead> {
        self.heads.iter().filter(|head| head.date.year() == year).collect()
    }

    /// The tags or the authors, those with most issues first.
    pub(super) fn facets(&self, kind: FacetKind) -> Vec<&FacetCount> {
        let mut facets: Vec<_> = self.facets.iter().filter(|count| count.facet.id.kind == kind).collect();
        facets.sort_by_key(|count| std::cmp::Reverse(count.issues));
        facets
    }

    /// The issues after and before one.
    pub(super) fn around(&self, slug: &str) -> (Option<&IssueHead>, Option<&IssueHead>) {
        let Some(at) = self.heads.iter().position(|head| head.slug.as_str() == slug) else { return (None, None) };
        (at.checked_sub(1).and_then(|newer| self.heads.get(newer)), self.heads.get(at + 1))
    }
}

impl Archives {
    fn get(&self, newsletter: &NewsletterId) -> Option<Arc<Archive>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(newsletter).cloned()
    }

    fn put(&self, newsletter: &NewsletterId, archive: &Arc<Archive>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(newsletter.clone(), Arc::clone(archive));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::{IssueId, Slug};

    pub(in crate::http) fn head(slug: &str, date: &str) -> IssueHead {
        IssueHead {
            issue: IssueId::parse(slug).unwrap(),
            slug: Slug::parse(slug).unwrap(),
            title: slug.to_uppercase(),
            date: DateTime::parse_from_rfc3339(date).unwrap(),
            summary: String::new(),
            url: format!("https://example.org/n/issues/{slug}"),
            path: format!("{slug}.md"),
            news_at: None,
            updated: DateTime::default(),
        }
    }

    #[test]
    fn an_issue_has_the_next_before_and_the_previous_after_it_in_the_archive() {
        let heads = ["c", "b", "a"].map(|slug| head(slug, "2020-03-02T23:30:00-08:00")).to_vec();
        let archive = Archive { heads, ..Archive::default() };
        let around = |slug| {
            let (newer, older) = archive.around(slug);
            (newer.map(|h| h.slug.as_str().to_owned()), older.map(|h| h.slug.as_str().to_owned()))
        };
        assert_eq!(around("c"), (None, Some("b".into())));
        assert_eq!(around("b"), (Some("c".into()), Some("a".into())));
        assert_eq!(around("a"), (Some("b".into()), None));
        assert_eq!(around("x"), (None, None));
    }

    #[test]
    fn years_are_those_that_the_editors_wrote() {
        // The first is in 2021 by UTC; an old date with a late zone may stand among newer ones.
        let dates = ["2020-12-31T23:30:00-08:00", "2020-01-01T00:00:00Z", "2019-06-01T00:00:00Z"];
        let heads = dates.iter().zip(["a", "b", "c"]).map(|(date, slug)| head(slug, date)).collect();
        let archive = Archive { heads, ..Archive::default() };
        assert_eq!(archive.years(), [(2020, 2), (2019, 1)]);
        assert_eq!(archive.of_year(2019).len(), 1);
    }
}
