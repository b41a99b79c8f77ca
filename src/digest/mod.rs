//! What one mail contains: which issues are news at an occurrence. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::issue::Revision;

/// An issue that a cadence has not mailed yet, with what decides whether it is news now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The newest revision.
    pub revision: Revision,
    /// When the watcher first saw the issue as news; `None` for the archive of the first run.
    pub news_at: Option<DateTime<Utc>>,
    /// When the watcher last saw its content change.
    pub seen_at: DateTime<Utc>,
}

/// When a cadence's audience is due what.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Issues that were news before this time belong to the time before the cadence existed.
    pub since: DateTime<Utc>,
    /// How long an issue must have been unchanged.
    pub settle: Duration,
    /// The occurrence.
    pub now: DateTime<Utc>,
}

/// The issues of a digest, oldest first; empty when there is nothing to mail.
#[must_use]
pub fn select(candidates: Vec<Candidate>, due: &Due) -> Vec<Revision> {
    let settle = chrono::Duration::from_std(due.settle).unwrap_or(chrono::Duration::MAX);
    let is_news = |candidate: &Candidate| {
        candidate.news_at.is_some_and(|at| at >= due.since)
            && due.now.signed_duration_since(candidate.seen_at) >= settle
    };
    let mut news: Vec<Revision> = candidates.into_iter().filter(is_news).map(|candidate| candidate.revision).collect();
    news.sort_by(|a, b| (a.date, &a.issue).cmp(&(b.date, &b.issue)));
    news
}
