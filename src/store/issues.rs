//! Sources, issues, revisions, holds and assets.

use super::{IssueHead, KnownIssue, Publication, SourceState, Store, StoreError};
use crate::digest::Candidate;
use crate::issue::Revision;
use crate::types::{CadenceId, Finding, NewsletterId};
use chrono::{DateTime, Utc};

impl Store {
    /// What is known of a source; `None` before its first reading.
    pub async fn source_state(&self, newsletter: &NewsletterId) -> Result<Option<SourceState>, StoreError> {
        todo!()
    }
    /// Every issue ever seen, also withdrawn ones.
    pub async fn known_issues(&self, newsletter: &NewsletterId) -> Result<Vec<KnownIssue>, StoreError> {
        todo!()
    }
    /// Applies one reading in one transaction. `changed_at` moves only when something readers see changed.
    pub async fn publish(&self, publication: &Publication) -> Result<(), StoreError> {
        todo!()
    }
    /// Notes that a look at the source found nothing new (`Ok`), or why it failed.
    pub async fn note_look(
        &self,
        newsletter: &NewsletterId,
        now: DateTime<Utc>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        todo!()
    }
    /// Newest revisions of published issues, newest date first, at most `limit`.
    pub async fn newest_revisions(&self, newsletter: &NewsletterId, limit: usize) -> Result<Vec<Revision>, StoreError> {
        todo!()
    }
    /// All published issues, newest date first.
    pub async fn archive(&self, newsletter: &NewsletterId) -> Result<Vec<IssueHead>, StoreError> {
        todo!()
    }
    /// The newest revision of the issue with this slug; the flag says whether it is published (else withdrawn).
    pub async fn issue_by_slug(
        &self,
        newsletter: &NewsletterId,
        slug: &str,
    ) -> Result<Option<(Revision, bool)>, StoreError> {
        todo!()
    }
    /// Whether a published issue shows this file.
    pub async fn shows_asset(&self, newsletter: &NewsletterId, path: &str) -> Result<bool, StoreError> {
        todo!()
    }
    /// What is held, in the order of paths.
    pub async fn holds(&self, newsletter: &NewsletterId) -> Result<Vec<Finding>, StoreError> {
        todo!()
    }
    /// Published issues that no mailing of this cadence holds, with what decides whether they are news.
    pub async fn candidates(
        &self,
        newsletter: &NewsletterId,
        cadence: &CadenceId,
    ) -> Result<Vec<Candidate>, StoreError> {
        todo!()
    }
}
