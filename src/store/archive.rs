//! What is published, in the order of dates: for archives and feeds, of a whole newsletter or of one of its facets.
//!
//! Newest first everywhere; issues of one instant stand in the order of their ids, the last id first.

use chrono::DateTime;

use super::issues::{newest, newest_whole, revision, revision_columns};
use super::row::{Row, unreadable};
use super::sql::{args, rows};
use super::value::Value;
use super::{FacetCount, IssueHead, Store, StoreError};
use crate::feed::plan::Line;
use crate::issue::{Revision, search};
use crate::types::{Facet, FacetId, FacetKind, IssueId, NewsletterId, Slug};

/// Every column of the head of an issue, as [`head`] reads them.
macro_rules! head_columns {
    () => {
        "i.issue, i.slug, i.news_at, r.title, r.written, r.summary, r.url, r.path, r.updated_at"
    };
}

/// Their names.
const HEAD: [&str; 9] = ["issue", "slug", "news_at", "title", "written", "summary", "url", "path", "updated_at"];

/// What a feed is planned from.
const LINE: [&str; 3] = ["issue", "feed_hash", "feed_size"];

impl Store {
    /// Newest revisions of published issues, newest date first, at most `limit`.
    pub async fn newest_revisions(&self, newsletter: &NewsletterId, limit: usize) -> Result<Vec<Revision>, StoreError> {
        let sql = concat!(
            "SELECT ",
            revision_columns!(),
            newest_whole!(),
            "WHERE i.newsletter = $1 AND i.published = 1 ORDER BY i.written_at DESC, i.issue DESC LIMIT $2"
        );
        let rows = self.pool.fetch_all(sql, args![newsletter, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        rows.iter().map(revision).collect()
    }

    /// The newest revisions of these issues, as far as they are published, newest date first.
    pub async fn revisions(&self, newsletter: &NewsletterId, issues: &[IssueId]) -> Result<Vec<Revision>, StoreError> {
        if issues.is_empty() {
            return Ok(Vec::new());
        }
        // The sum keeps SQLite from going through all issues in the order of their dates to find these.
        let sql = concat!(
            "SELECT ",
            revision_columns!(),
            newest_whole!(),
            "WHERE i.newsletter = $1 AND i.published + 0 = 1 AND i.issue IN (SELECT v.value ->> 0 FROM {rows $2} AS v) \
             ORDER BY i.written_at DESC, i.issue DESC"
        );
        let list: Vec<_> = issues.iter().map(|issue| args![issue]).collect();
        self.pool.fetch_all(sql, args![newsletter, rows(&list)?]).await?.iter().map(revision).collect()
    }

    /// All published issues, newest date first.
    pub async fn archive(&self, newsletter: &NewsletterId) -> Result<Vec<IssueHead>, StoreError> {
        let sql = concat!(
            "SELECT ",
            head_columns!(),
            newest!(),
            "WHERE i.newsletter = $1 AND i.published = 1 ORDER BY i.written_at DESC, i.issue DESC"
        );
        self.pool.fetch_list(&HEAD, sql, args![newsletter]).await?.iter().map(head).collect()
    }

    /// The published issues of a tag or an author, newest date first.
    pub async fn facet_archive(
        &self,
        newsletter: &NewsletterId,
        facet: &FacetId,
    ) -> Result<Vec<IssueHead>, StoreError> {
        let sql = concat!(
            "SELECT ",
            head_columns!(),
            newest!(),
            "JOIN facet f ON f.newsletter = i.newsletter AND f.issue = i.issue \
             WHERE f.newsletter = $1 AND f.kind = $2 AND f.slug = $3 ORDER BY f.written_at DESC, f.issue DESC"
        );
        let values = args![newsletter, facet.kind.as_str(), facet.slug.as_str()];
        self.pool.fetch_list(&HEAD, sql, values).await?.iter().map(head).collect()
    }

    /// Published issues that have all terms of a question, at most `limit`: those with all of them in the title first, then the
    /// newest. None for a question without terms.
    pub async fn search(
        &self,
        newsletter: &NewsletterId,
        question: &str,
        limit: u32,
    ) -> Result<Vec<IssueHead>, StoreError> {
        let mut patterns = search::patterns(question);
        if patterns.is_empty() {
            return Ok(Vec::new());
        }
        patterns.resize(search::TERMS, "%".to_owned());
        let sql = concat!(
            "SELECT ",
            head_columns!(),
            newest!(),
            "JOIN search s ON s.newsletter = i.newsletter AND s.issue = i.issue WHERE s.newsletter = $1 AND i.published = 1 \
             AND s.words LIKE $3 AND s.words LIKE $4 AND s.words LIKE $5 AND s.words LIKE $6 \
             AND s.words LIKE $7 AND s.words LIKE $8 AND s.words LIKE $9 AND s.words LIKE $10 \
             ORDER BY CASE WHEN s.title LIKE $3 AND s.title LIKE $4 AND s.title LIKE $5 AND s.title LIKE $6 \
             AND s.title LIKE $7 AND s.title LIKE $8 AND s.title LIKE $9 AND s.title LIKE $10 THEN 0 ELSE 1 END, \
             i.written_at DESC, i.issue DESC LIMIT $2"
        );
        let values = args![newsletter, limit].into_iter().chain(patterns.into_iter().map(Value::from)).collect();
        self.pool.fetch_list(&HEAD, sql, values).await?.iter().map(head).collect()
    }

    /// The tags and authors of published issues: tags first, each kind in the order of slugs. Of several names that are one
    /// facet, the one that sorts first (capitals do) stands for it.
    pub async fn facets(&self, newsletter: &NewsletterId) -> Result<Vec<FacetCount>, StoreError> {
        let sql = "SELECT kind, slug, MIN(name) AS name, COUNT(*) AS issues FROM facet WHERE newsletter = $1 \
             GROUP BY kind, slug ORDER BY kind DESC, slug";
        self.pool.fetch_all(sql, args![newsletter]).await?.iter().map(facet_count).collect()
    }

    /// One tag or author; `None` when no published issue has it.
    pub async fn facet(&self, newsletter: &NewsletterId, facet: &FacetId) -> Result<Option<FacetCount>, StoreError> {
        let sql = "SELECT kind, slug, MIN(name) AS name, COUNT(*) AS issues FROM facet \
             WHERE newsletter = $1 AND kind = $2 AND slug = $3 GROUP BY kind, slug";
        let values = args![newsletter, facet.kind.as_str(), facet.slug.as_str()];
        self.pool.fetch_optional(sql, values).await?.as_ref().map(facet_count).transpose()
    }

    /// What feeds are planned from: every published issue, or those of one facet, oldest date first.
    pub async fn feed_lines(
        &self,
        newsletter: &NewsletterId,
        facet: Option<&FacetId>,
    ) -> Result<Vec<Line>, StoreError> {
        let rows = match facet {
            None => {
                let sql = "SELECT issue, feed_hash, feed_size FROM issue WHERE newsletter = $1 AND published = 1 \
                     ORDER BY written_at, issue";
                self.pool.fetch_list(&LINE, sql, args![newsletter]).await?
            }
            Some(FacetId { kind, slug }) => {
                let sql = "SELECT i.issue, i.feed_hash, i.feed_size FROM facet f \
                     JOIN issue i ON i.newsletter = f.newsletter AND i.issue = f.issue \
                     WHERE f.newsletter = $1 AND f.kind = $2 AND f.slug = $3 ORDER BY f.written_at, f.issue";
                self.pool.fetch_list(&LINE, sql, args![newsletter, kind.as_str(), slug.as_str()]).await?
            }
        };
        let line = |row: &Row| {
            Ok(Line {
                issue: row.parsed("issue", IssueId::parse)?,
                hash: row.text("feed_hash")?,
                size: usize::try_from(row.int("feed_size")?).map_err(|error| unreadable("feed_size", &error))?,
            })
        };
        rows.iter().map(line).collect()
    }
}

fn head(row: &Row) -> Result<IssueHead, StoreError> {
    Ok(IssueHead {
        issue: row.parsed("issue", IssueId::parse)?,
        slug: row.parsed("slug", Slug::parse)?,
        title: row.text("title")?,
        date: row.parsed("written", DateTime::parse_from_rfc3339)?,
        summary: row.text("summary")?,
        url: row.text("url")?,
        path: row.text("path")?,
        news_at: row.maybe_time("news_at")?,
        updated: row.time("updated_at")?,
    })
}

fn facet_count(row: &Row) -> Result<FacetCount, StoreError> {
    let kind = row.parsed("kind", |text| FacetKind::parse(text).ok_or_else(|| format!("{text:?} is no kind")))?;
    let id = FacetId { kind, slug: row.parsed("slug", Slug::parse)? };
    Ok(FacetCount { facet: Facet { id, name: row.text("name")? }, issues: row.int("issues")? })
}
