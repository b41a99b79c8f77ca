//! What operators decide about an issue: release it, dismiss it, mail it after all.

use chrono::{DateTime, Utc};

use super::issues::{mail, mail_columns, newest};
use super::row::Row;
use super::sql::{args, write};
use super::{IssueMail, IssueMailing, Store, StoreError};
use crate::issue::news::Mail;
use crate::types::{IssueId, NewsletterId, Slug};

/// Every column of an issue as [`issue_mail`] reads it.
macro_rules! columns {
    () => {
        concat!("SELECT i.issue, i.slug, r.title, i.published, ", mail_columns!(), newest!())
    };
}

impl Store {
    /// The issue that an operator names: by its slug, its id, or its path.
    pub async fn find_issue(&self, newsletter: &NewsletterId, name: &str) -> Result<Option<IssueMail>, StoreError> {
        let sql = concat!(
            columns!(),
            "WHERE i.newsletter = $1 AND (i.slug = $2 OR i.issue = $2 OR r.path = $2) ORDER BY i.published DESC, i.issue LIMIT 1"
        );
        let Some(row) = self.pool.fetch_optional(sql, args![newsletter, name]).await? else { return Ok(None) };
        let mut found = issue_mail(&row)?;
        let sql = "SELECT x.mailing_id, x.cadence, x.number, x.variant, m.state FROM mailing_issue x \
             JOIN mailing m ON m.mailing_id = x.mailing_id WHERE x.newsletter = $1 AND x.issue = $2 \
             ORDER BY m.opened_at, x.mailing_id";
        let held_by = |row: &Row| {
            Ok(IssueMailing {
                mailing: row.mailing()?,
                cadence: row.cadence()?,
                number: row.int("number")?,
                variant: row.text("variant")?,
                finished: row.text("state")? == "finished",
            })
        };
        let rows = self.pool.fetch_all(sql, args![newsletter, &found.issue]).await?;
        found.mailings = rows.iter().map(held_by).collect::<Result<_, StoreError>>()?;
        Ok(Some(found))
    }

    /// Published issues that are held from mail, by slug.
    pub async fn held_issues(&self, newsletter: &NewsletterId) -> Result<Vec<IssueMail>, StoreError> {
        let sql =
            concat!(columns!(), "WHERE i.newsletter = $1 AND i.published = 1 AND i.mail = 'held' ORDER BY i.slug");
        self.pool.fetch_all(sql, args![newsletter]).await?.iter().map(issue_mail).collect()
    }

    /// Lets an issue go out with the next digest, whatever held it, and even from the archive. False when it is news already.
    pub async fn release(
        &self,
        newsletter: &NewsletterId,
        issue: &IssueId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE issue SET mail = 'released', hold_rule = NULL, hold_message = NULL, hold_remedy = NULL, \
             news_at = $1 WHERE newsletter = $2 AND issue = $3 AND mail IN ('held', 'archive', 'dismissed')";
        write!(self.pool, |tx| Ok(tx.execute(sql, args![now, newsletter, issue]).await? == 1))
    }

    /// Decides that an issue is never mailed. False when that is so already. A mailing that holds it goes on.
    pub async fn dismiss(&self, newsletter: &NewsletterId, issue: &IssueId) -> Result<bool, StoreError> {
        let sql = "UPDATE issue SET mail = 'dismissed', hold_rule = NULL, hold_message = NULL, hold_remedy = NULL \
             WHERE newsletter = $1 AND issue = $2 AND mail IN ('held', 'news', 'released')";
        write!(self.pool, |tx| Ok(tx.execute(sql, args![newsletter, issue]).await? == 1))
    }
}

fn issue_mail(row: &Row) -> Result<IssueMail, StoreError> {
    let mail: Mail = mail(row)?;
    Ok(IssueMail {
        issue: row.parsed("issue", IssueId::parse)?,
        slug: row.parsed("slug", Slug::parse)?,
        title: row.text("title")?,
        published: row.int("published")? == 1,
        mail,
        mailings: Vec::new(),
    })
}
