//! Sources, issues, revisions, holds and assets, as they are read. How they are written is in `publish`.

use chrono::DateTime;

use super::row::{Row, unreadable};
use super::sql::args;
use super::{KnownIssue, SourceState, Store, StoreError};
use crate::digest::Candidate;
use crate::issue::news::Mail;
use crate::issue::{Content, Revision};
use crate::types::{CadenceId, Finding, IssueId, NewsletterId, Place, Rule, Slug};

/// Every column of a revision, as [`revision`] reads them.
macro_rules! revision_columns {
    () => {
        "r.newsletter, r.issue, r.number, r.path, r.slug, r.commit_id, r.blob, r.title, r.authors, r.tags, r.language, \
         r.image, r.written, r.updated_at, r.url, r.summary, c.web_html, c.feed_html, c.mail_html, c.plain, c.assets"
    };
}
pub(super) use revision_columns;

/// Every column of where an issue stands with mail, as [`mail`] reads them.
macro_rules! mail_columns {
    () => {
        "i.mail, i.hold_rule, i.hold_message, i.hold_remedy, r.path AS hold_path"
    };
}
pub(super) use mail_columns;

/// The head of the newest revision of each issue.
macro_rules! newest {
    () => {
        " FROM issue i JOIN revision r ON r.newsletter = i.newsletter AND r.issue = i.issue AND r.number = i.number "
    };
}
pub(super) use newest;

/// The newest revision of each issue, with what it says.
macro_rules! newest_whole {
    () => {
        " FROM issue i JOIN revision r ON r.newsletter = i.newsletter AND r.issue = i.issue AND r.number = i.number \
         JOIN content c ON c.newsletter = i.newsletter AND c.issue = i.issue AND c.number = i.number "
    };
}
pub(super) use newest_whole;

/// The columns of a known issue.
const KNOWN: [&str; 15] = [
    "issue",
    "slug",
    "number",
    "published",
    "path",
    "blob",
    "content_hash",
    "url",
    "updated_at",
    "mail",
    "hold_rule",
    "hold_message",
    "hold_remedy",
    "hold_path",
    "mailings",
];

impl Store {
    /// What is known of a source; `None` before its first reading.
    pub async fn source_state(&self, newsletter: &NewsletterId) -> Result<Option<SourceState>, StoreError> {
        let sql = "SELECT commit_id, fingerprint, baseline_at, read_at, changed_at, next_at, error FROM source \
             WHERE newsletter = $1";
        let Some(row) = self.pool.fetch_optional(sql, args![newsletter]).await? else { return Ok(None) };
        Ok(Some(SourceState {
            commit: row.text("commit_id")?,
            fingerprint: row.text("fingerprint")?,
            baseline_at: row.time("baseline_at")?,
            read_at: row.time("read_at")?,
            changed_at: row.time("changed_at")?,
            next_at: row.maybe_time("next_at")?,
            error: row.maybe_text("error")?,
        }))
    }

    /// Every issue ever seen, also withdrawn ones.
    pub async fn known_issues(&self, newsletter: &NewsletterId) -> Result<Vec<KnownIssue>, StoreError> {
        let sql = concat!(
            "SELECT i.issue, i.slug, i.number, i.published, r.path, r.blob, r.content_hash, r.url, r.updated_at, ",
            mail_columns!(),
            ", (SELECT COUNT(*) FROM mailing_issue m WHERE m.newsletter = i.newsletter AND m.issue = i.issue) AS mailings",
            newest!(),
            "WHERE i.newsletter = $1 ORDER BY i.issue"
        );
        let known = |row: &Row| {
            Ok(KnownIssue {
                issue: row.parsed("issue", IssueId::parse)?,
                path: row.text("path")?,
                blob: row.text("blob")?,
                slug: row.parsed("slug", Slug::parse)?,
                number: row.int("number")?,
                content_hash: row.text("content_hash")?,
                url: row.text("url")?,
                updated: row.time("updated_at")?,
                published: row.int("published")? == 1,
                mail: mail(row)?,
                mailed: row.int("mailings")? > 0,
            })
        };
        self.pool.fetch_list(&KNOWN, sql, args![newsletter]).await?.iter().map(known).collect()
    }

    /// The newest revision of the issue with this slug; the flag says whether it is published (else withdrawn). Should a withdrawn
    /// issue have had the slug before, the published one answers.
    pub async fn issue_by_slug(
        &self,
        newsletter: &NewsletterId,
        slug: &str,
    ) -> Result<Option<(Revision, bool)>, StoreError> {
        let sql = concat!(
            "SELECT i.published, ",
            revision_columns!(),
            newest_whole!(),
            "WHERE i.newsletter = $1 AND i.slug = $2 ORDER BY i.published DESC, i.seen_at DESC, i.issue LIMIT 1"
        );
        let row = self.pool.fetch_optional(sql, args![newsletter, slug]).await?;
        row.map(|row| Ok((revision(&row)?, row.int("published")? == 1))).transpose()
    }

    /// The public URL of the published issue that was at this path before.
    pub async fn redirect(&self, newsletter: &NewsletterId, path: &str) -> Result<Option<String>, StoreError> {
        let sql = concat!(
            "SELECT r.url",
            newest!(),
            "JOIN alias a ON a.newsletter = i.newsletter AND a.issue = i.issue \
             WHERE a.newsletter = $1 AND a.path = $2 AND i.published = 1 ORDER BY i.written_at DESC, i.issue DESC LIMIT 1"
        );
        let row = self.pool.fetch_optional(sql, args![newsletter, path]).await?;
        row.map(|row| row.text("url")).transpose()
    }

    /// Every former path that leads to a published issue.
    pub async fn aliases(&self, newsletter: &NewsletterId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT a.path FROM alias a JOIN issue i ON i.newsletter = a.newsletter AND i.issue = a.issue \
             WHERE a.newsletter = $1 AND i.published = 1 ORDER BY a.path";
        self.pool.fetch_all(sql, args![newsletter]).await?.iter().map(|row| row.text("path")).collect()
    }

    /// Whether a published issue shows this file.
    pub async fn shows_asset(&self, newsletter: &NewsletterId, path: &str) -> Result<bool, StoreError> {
        let sql = "SELECT a.issue FROM asset a JOIN issue i ON i.newsletter = a.newsletter AND i.issue = a.issue \
             WHERE a.newsletter = $1 AND a.path = $2 AND i.published = 1 LIMIT 1";
        Ok(self.pool.fetch_optional(sql, args![newsletter, path]).await?.is_some())
    }

    /// What is held, in the order of paths.
    pub async fn holds(&self, newsletter: &NewsletterId) -> Result<Vec<Finding>, StoreError> {
        let sql = "SELECT rule, path, line_number, column_number, message, remedy FROM hold WHERE newsletter = $1 \
             ORDER BY path, place";
        let finding = |row: &Row| {
            Ok(Finding {
                rule: rule(row, "rule")?,
                place: Place {
                    path: row.text("path")?,
                    line: position(row, "line_number")?,
                    column: position(row, "column_number")?,
                },
                message: row.text("message")?,
                remedy: row.text("remedy")?,
            })
        };
        self.pool.fetch_all(sql, args![newsletter]).await?.iter().map(finding).collect()
    }

    /// Published news that no mailing of this cadence holds. The archive of the first run never was news and does not come.
    pub async fn candidates(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
    ) -> Result<Vec<Candidate>, StoreError> {
        let sql = concat!(
            "SELECT i.news_at, i.seen_at, ",
            revision_columns!(),
            newest_whole!(),
            "WHERE i.newsletter = $1 AND i.published = 1 AND i.mail IN ('news', 'released') AND NOT EXISTS \
             (SELECT 1 FROM mailing_issue m WHERE m.newsletter = i.newsletter AND m.cadence = $2 AND m.issue = i.issue AND m.variant = '') \
             ORDER BY r.written_at, r.issue"
        );
        let candidate = |row: &Row| {
            Ok(Candidate {
                revision: revision(row)?,
                news_at: row.maybe_time("news_at")?,
                seen_at: row.time("seen_at")?,
            })
        };
        self.pool.fetch_all(sql, args![newsletter, cadence]).await?.iter().map(candidate).collect()
    }
}

fn rule(row: &Row, column: &str) -> Result<Rule, StoreError> {
    row.parsed(column, |text| Rule::parse(text).ok_or_else(|| format!("{text:?} is no rule")))
}

/// Reads the columns of [`mail_columns`].
pub(super) fn mail(row: &Row) -> Result<Mail, StoreError> {
    Ok(match row.text("mail")?.as_str() {
        "archive" => Mail::Archive,
        "news" => Mail::News,
        "released" => Mail::Released,
        "dismissed" => Mail::Dismissed,
        "held" => Mail::Held(Finding {
            rule: rule(row, "hold_rule")?,
            place: Place::file(row.text("hold_path")?),
            message: row.text("hold_message")?,
            remedy: row.text("hold_remedy")?,
        }),
        other => return Err(unreadable("mail", &other)),
    })
}

/// A line or column number.
fn position(row: &Row, column: &str) -> Result<Option<u32>, StoreError> {
    row.maybe_int(column)?.map(u32::try_from).transpose().map_err(|error| unreadable(column, &error))
}

/// Reads the columns of [`revision_columns`].
pub(super) fn revision(row: &Row) -> Result<Revision, StoreError> {
    Ok(Revision {
        newsletter: row.newsletter()?,
        issue: row.parsed("issue", IssueId::parse)?,
        number: row.int("number")?,
        path: row.text("path")?,
        slug: row.parsed("slug", Slug::parse)?,
        commit: row.text("commit_id")?,
        blob: row.text("blob")?,
        title: row.text("title")?,
        authors: row.json("authors")?,
        tags: row.json("tags")?,
        language: row.maybe_text("language")?,
        image: row.maybe_text("image")?,
        date: row.parsed("written", DateTime::parse_from_rfc3339)?,
        updated: row.time("updated_at")?,
        url: row.text("url")?,
        content: Content {
            web: row.text("web_html")?,
            feed: row.text("feed_html")?,
            mail: row.text("mail_html")?,
            text: row.text("plain")?,
            summary: row.text("summary")?,
            assets: row.json("assets")?,
        },
    })
}
