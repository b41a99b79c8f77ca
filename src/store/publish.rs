//! A reading of a source, written in one transaction; of a large one, what stands by itself goes ahead in parts.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::issues::{newest_whole, revision, revision_columns};
use super::sql::{Fault, Tx, Value, args, rows, write};
use super::{Publication, PublishedIssue, Store, StoreError};
use crate::issue::news::Mail;
use crate::issue::search::{self, Words};
use crate::issue::{Content, Revision};
use crate::types::{Facet, FacetId, Finding, IssueId, NewsletterId};

impl Store {
    /// Applies one reading in one transaction. `changed_at` moves only when something readers see changed: a file that moved, or
    /// a rendering that came out the same, does not count.
    pub async fn publish(&self, publication: &Publication) -> Result<(), StoreError> {
        let written = write!(self.pool, |tx| publish(tx, publication).await);
        self.count_publication();
        written
    }

    /// Applies a part of a large reading ahead of [`Store::publish`], in a transaction of its own: issues that are known already,
    /// or those of a first reading, of which nobody sees anything until `publish` ends it.
    pub async fn publish_part(
        &self,
        newsletter: &NewsletterId,
        issues: &[PublishedIssue],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let written = write!(self.pool, |tx| {
            // The source row first: two watchers of one newsletter queue here.
            tx.execute("UPDATE source SET error = error WHERE newsletter = $1", args![newsletter]).await?;
            let mut visible = false;
            for issue in issues {
                visible |= write_issue(tx, issue, now).await?;
            }
            if visible {
                note_change(tx, newsletter, now).await?;
            }
            Ok(())
        });
        self.count_publication();
        written
    }

    /// Notes that a look at the source is done that led to no [`Store::publish`] and when the next document is due that is dated in the future, or why the look
    /// failed. Before the first reading there is nothing to note it on, and nothing is written.
    pub async fn note_look(
        &self,
        newsletter: &NewsletterId,
        now: DateTime<Utc>,
        look: Result<Option<DateTime<Utc>>, &str>,
    ) -> Result<(), StoreError> {
        let (sql, values) = match look {
            Ok(next) => (
                "UPDATE source SET error = NULL, read_at = $1, next_at = $2 WHERE newsletter = $3",
                args![now, next, newsletter],
            ),
            Err(error) => ("UPDATE source SET error = $1 WHERE newsletter = $2", args![error, newsletter]),
        };
        write!(self.pool, |tx| tx.execute(sql, values.clone()).await.map(|_| ()))
    }
}

async fn publish(tx: &mut Tx, publication: &Publication) -> Result<(), Fault> {
    let Publication { newsletter, now, commit, fingerprint, issues, withdrawn, holds, next_at } = publication;
    // The source row first: two watchers of one newsletter queue here.
    let sql = "INSERT INTO source (newsletter, commit_id, fingerprint, baseline_at, read_at, changed_at, next_at) \
         VALUES ($1, $2, $3, $4, $4, $4, $5) ON CONFLICT (newsletter) DO UPDATE SET commit_id = excluded.commit_id, \
         fingerprint = excluded.fingerprint, read_at = excluded.read_at, next_at = excluded.next_at, error = NULL";
    tx.execute(sql, args![newsletter, commit, fingerprint, *now, *next_at]).await?;
    let mut visible = false;
    for issue in issues {
        visible |= write_issue(tx, issue, *now).await?;
    }
    for issue in withdrawn {
        visible |= withdraw(tx, newsletter, issue).await?;
    }
    write_holds(tx, newsletter, holds).await?;
    if visible {
        note_change(tx, newsletter, *now).await?;
    }
    Ok(())
}

/// Feeds are written again when this moves: two changes within one millisecond, or a clock set back, must move it too.
async fn note_change(tx: &mut Tx, newsletter: &NewsletterId, now: DateTime<Utc>) -> Result<(), Fault> {
    let sql = "UPDATE source SET changed_at = CASE WHEN changed_at < $1 THEN $1 ELSE changed_at + 1 END WHERE newsletter = $2";
    tx.execute(sql, args![now, newsletter]).await.map(|_| ())
}

/// Writes an issue with its newest revision; whether readers see a difference.
async fn write_issue(tx: &mut Tx, published: &PublishedIssue, now: DateTime<Utc>) -> Result<bool, Fault> {
    let PublishedIssue { revision: new, content_hash, aliases, mail, changed: _ } = published;
    let before = seen_by_readers(tx, &new.newsletter, &new.issue).await?;
    let mut statements = vec![issue_row(published, now), mail_row(new, mail, now)];
    statements.extend(revision_rows(new, content_hash)?);
    statements.extend(paths(new, aliases)?);
    statements.extend(facets(new)?);
    statements.push(words(new));
    tx.execute_all(statements).await?;
    // Where a document was found is no concern of readers.
    let found = |old| Revision { path: new.path.clone(), commit: new.commit.clone(), blob: new.blob.clone(), ..old };
    Ok(before.is_none_or(|old| found(old) != *new))
}

/// A statement and its values.
type Statement = (&'static str, Vec<Value>);

fn issue_row(published: &PublishedIssue, now: DateTime<Utc>) -> Statement {
    let PublishedIssue { revision: new, content_hash: _, aliases: _, mail, changed } = published;
    let sql = "INSERT INTO issue (newsletter, issue, number, slug, published, news_at, seen_at, mail, written_at, feed_hash, \
         feed_size) VALUES ($1, $2, $3, $4, 1, NULL, $5, $6, $7, $8, $9) ON CONFLICT (newsletter, issue) DO UPDATE SET \
         number = excluded.number, slug = excluded.slug, published = 1, written_at = excluded.written_at, \
         feed_hash = excluded.feed_hash, feed_size = excluded.feed_size, \
         seen_at = CASE WHEN $10 = 1 THEN excluded.seen_at ELSE issue.seen_at END";
    let mut values = args![&new.newsletter, &new.issue, new.number, new.slug.as_str(), now, mail.as_str()];
    let size = i64::try_from(new.feed_size()).unwrap_or(i64::MAX);
    values.extend(args![new.date.to_utc(), new.feed_hash(), size, *changed]);
    (sql, values)
}

/// Where the issue stands with mail. What an operator decided since the watcher looked is not undone.
fn mail_row(new: &Revision, mail: &Mail, now: DateTime<Utc>) -> Statement {
    let held = match mail {
        Mail::Held(finding) => Some(finding),
        _ => None,
    };
    let news_at = (*mail == Mail::News).then_some(now);
    let sql = "UPDATE issue SET mail = $1, hold_rule = $2, hold_message = $3, hold_remedy = $4, \
         news_at = COALESCE(news_at, $5) WHERE newsletter = $6 AND issue = $7 AND mail IN ('news', 'held')";
    let rule = held.map(|finding| finding.rule.as_str());
    let mut values = args![mail.as_str(), rule, held.map(|f| f.message.as_str()), held.map(|f| f.remedy.as_str())];
    values.extend(args![news_at, &new.newsletter, &new.issue]);
    (sql, values)
}

/// A new number, or one that is written again: the old rows, if any, go first.
fn revision_rows(new: &Revision, content_hash: &str) -> Result<[Statement; 4], Fault> {
    let Revision { newsletter, issue, number, path, slug, commit, blob, title, authors, tags, language, image, .. } =
        new;
    let Content { web, feed, mail, text, summary, assets } = &new.content;
    let revision = "INSERT INTO revision (newsletter, issue, number, path, slug, commit_id, blob, content_hash, title, authors, \
         tags, language, image, written, written_at, updated_at, url, summary) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    let mut values = args![newsletter, issue, *number, path, slug.as_str(), commit, blob, content_hash, title];
    values.extend(args![json(authors)?, json(tags)?, language.as_deref(), image.as_deref()]);
    values.extend(args![new.date.to_rfc3339(), new.date.to_utc(), new.updated, &new.url, summary]);
    let content = "INSERT INTO content (newsletter, issue, number, web_html, feed_html, mail_html, plain, assets) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let said = args![newsletter, issue, *number, web, feed, mail, text, json(assets)?];
    let key = || args![newsletter, issue, *number];
    Ok([
        ("DELETE FROM revision WHERE newsletter = $1 AND issue = $2 AND number = $3", key()),
        ("DELETE FROM content WHERE newsletter = $1 AND issue = $2 AND number = $3", key()),
        (revision, values),
        (content, said),
    ])
}

/// The files that the issue shows, and the paths it was at before.
fn paths(new: &Revision, aliases: &[String]) -> Result<[Statement; 4], Fault> {
    let of = || args![&new.newsletter, &new.issue];
    let list = |paths: &[String]| -> Result<_, StoreError> {
        let mut values = of();
        values.push(rows(&paths.iter().map(|path| args![path]).collect::<Vec<_>>())?);
        Ok(values)
    };
    macro_rules! insert_into {
        ($table:literal) => {
            concat!(
                "INSERT INTO ",
                $table,
                " (newsletter, path, issue) SELECT $1, v.value ->> 0, $2 FROM {rows $3} AS v WHERE true ON CONFLICT DO NOTHING"
            )
        };
    }
    Ok([
        ("DELETE FROM asset WHERE newsletter = $1 AND issue = $2", of()),
        (insert_into!("asset"), list(&new.content.assets)?),
        ("DELETE FROM alias WHERE newsletter = $1 AND issue = $2", of()),
        (insert_into!("alias"), list(aliases)?),
    ])
}

fn facets(new: &Revision) -> Result<[Statement; 2], Fault> {
    let row = |Facet { id: FacetId { kind, slug }, name }| args![kind.as_str(), slug.as_str(), name];
    let list = rows(&Facet::all(&new.tags, &new.authors).into_iter().map(row).collect::<Vec<_>>())?;
    let sql = "INSERT INTO facet (newsletter, kind, slug, written_at, issue, name) \
         SELECT $1, v.value ->> 0, v.value ->> 1, $2, $3, v.value ->> 2 FROM {rows $4} AS v";
    let mut values = args![&new.newsletter, new.date.to_utc(), &new.issue];
    values.push(list);
    let delete = "DELETE FROM facet WHERE newsletter = $1 AND issue = $2";
    Ok([(delete, args![&new.newsletter, &new.issue]), (sql, values)])
}

fn words(new: &Revision) -> Statement {
    let Words { title, all } = search::words(new);
    let sql = "INSERT INTO search (newsletter, issue, title, words) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (newsletter, issue) DO UPDATE SET title = excluded.title, words = excluded.words";
    (sql, args![&new.newsletter, &new.issue, title, all])
}

/// The revision that feeds show now; `None` for an issue that is new or withdrawn.
async fn seen_by_readers(tx: &mut Tx, newsletter: &NewsletterId, issue: &IssueId) -> Result<Option<Revision>, Fault> {
    let sql = concat!(
        "SELECT ",
        revision_columns!(),
        newest_whole!(),
        "WHERE i.newsletter = $1 AND i.issue = $2 AND i.published = 1"
    );
    let row = tx.fetch_optional(sql, args![newsletter, issue]).await?;
    Ok(row.map(|row| revision(&row)).transpose()?)
}

/// Takes an issue out of feeds and archive; whether it was in them. Its identity, slug and revisions stay.
async fn withdraw(tx: &mut Tx, newsletter: &NewsletterId, issue: &IssueId) -> Result<bool, Fault> {
    tx.execute("DELETE FROM facet WHERE newsletter = $1 AND issue = $2", args![newsletter, issue]).await?;
    let sql = "UPDATE issue SET published = 0 WHERE newsletter = $1 AND issue = $2 AND published = 1";
    Ok(tx.execute(sql, args![newsletter, issue]).await? == 1)
}

async fn write_holds(tx: &mut Tx, newsletter: &NewsletterId, holds: &[Finding]) -> Result<(), Fault> {
    let row = |(place, Finding { rule, place: at, message, remedy }): (i64, &Finding)| {
        args![place, rule.as_str(), &at.path, at.line.map(i64::from), at.column.map(i64::from), message, remedy]
    };
    let sql = "INSERT INTO hold (newsletter, place, rule, path, line_number, column_number, message, remedy) \
         SELECT $1, CAST(v.value ->> 0 AS BIGINT), v.value ->> 1, v.value ->> 2, CAST(v.value ->> 3 AS BIGINT), \
         CAST(v.value ->> 4 AS BIGINT), v.value ->> 5, v.value ->> 6 FROM {rows $2} AS v";
    let list = rows(&(0_i64..).zip(holds).map(row).collect::<Vec<_>>())?;
    let statements =
        vec![("DELETE FROM hold WHERE newsletter = $1", args![newsletter]), (sql, vec![Value::from(newsletter), list])];
    tx.execute_all(statements).await.map(|_| ())
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Value(error.to_string()))
}
