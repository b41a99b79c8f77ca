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

/// An occurrence that has fired, as the choice of issues needs it.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Issues that were news before this time belong to the time before the cadence existed.
    pub since: DateTime<Utc>,
    /// How long an issue must have been unchanged.
    pub settle: Duration,
    /// When the occurrence fired.
    pub fired_at: DateTime<Utc>,
    /// Now: at or after `fired_at`.
    pub now: DateTime<Utc>,
}

/// What to do with an occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// There is no news.
    Nothing,
    /// There is news, but its editor may still be correcting it: ask again soon.
    Wait,
    /// Mail these, oldest first; never empty.
    Mail(Vec<Revision>),
}

/// Chooses the issues of a digest.
///
/// An issue committed minutes before a monthly occurrence must not wait a month, so the occurrence waits for it: up to the
/// settle time when there is other news to mail, for as long as it takes when there is none (the grace period of the
/// schedule ends that).
#[must_use]
pub fn select(candidates: Vec<Candidate>, due: &Due) -> Selection {
    let settle = chrono::Duration::from_std(due.settle).unwrap_or(chrono::Duration::MAX);
    let is_news = |candidate: &Candidate| candidate.news_at.is_some_and(|at| at >= due.since);
    let (settled, unsettled): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .filter(is_news)
        .partition(|candidate| due.now.signed_duration_since(candidate.seen_at) >= settle);
    let waited_enough = due.now.signed_duration_since(due.fired_at) >= settle;
    if !unsettled.is_empty() && (settled.is_empty() || !waited_enough) {
        return Selection::Wait;
    }
    if settled.is_empty() {
        return Selection::Nothing;
    }
    let mut news: Vec<Revision> = settled.into_iter().map(|candidate| candidate.revision).collect();
    news.sort_by(|a, b| (a.date, &a.issue).cmp(&(b.date, &b.issue)));
    Selection::Mail(news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::Content;
    use crate::types::{IssueId, NewsletterId, Slug};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn candidate(name: &str, news: Option<i64>, seen: i64) -> Candidate {
        Candidate {
            revision: Revision {
                newsletter: NewsletterId::parse("n").unwrap(),
                issue: IssueId::parse(name).unwrap(),
                number: 1,
                path: name.into(),
                slug: Slug::parse(name).unwrap(),
                commit: String::new(),
                blob: String::new(),
                title: name.into(),
                authors: vec![],
                tags: vec![],
                language: None,
                image: None,
                date: at(0).fixed_offset(),
                updated: at(0),
                url: String::new(),
                content: Content::default(),
            },
            news_at: news.map(at),
            seen_at: at(seen),
        }
    }

    /// Names of what is mailed at `now` by an occurrence that fired at minute 100, with 30 minutes to settle.
    fn choose(candidates: Vec<Candidate>, now: i64) -> Result<Vec<String>, Selection> {
        let due = Due { since: at(50), settle: Duration::from_secs(30 * 60), fired_at: at(100), now: at(now) };
        match select(candidates, &due) {
            Selection::Mail(issues) => Ok(issues.into_iter().map(|r| r.title).collect()),
            other => Err(other),
        }
    }

    #[test]
    fn settled_news_is_mailed_in_order() {
        let both = vec![candidate("b", Some(60), 60), candidate("a", Some(61), 61)];
        assert_eq!(choose(both, 100), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn archive_and_news_from_before_the_cadence_are_not_mailed() {
        assert_eq!(
            choose(vec![candidate("old", None, 60), candidate("before", Some(49), 49)], 100),
            Err(Selection::Nothing)
        );
        assert_eq!(choose(vec![], 100), Err(Selection::Nothing));
    }

    #[test]
    fn an_occurrence_waits_for_news_that_is_still_settling() {
        let fresh = || candidate("fresh", Some(95), 95);
        assert_eq!(choose(vec![fresh()], 100), Err(Selection::Wait));
        assert_eq!(choose(vec![fresh()], 125), Ok(vec!["fresh".into()]));
        assert_eq!(
            choose(vec![fresh(), candidate("ripe", Some(60), 60)], 101),
            Err(Selection::Wait),
            "both go together"
        );
    }

    #[test]
    fn one_restless_issue_does_not_keep_the_others_back_for_ever() {
        let restless = |seen| candidate("restless", Some(95), seen);
        let ripe = || candidate("ripe", Some(60), 60);
        assert_eq!(choose(vec![restless(129), ripe()], 130), Ok(vec!["ripe".into()]));
        assert_eq!(choose(vec![restless(129)], 130), Err(Selection::Wait), "alone it is waited for");
    }
}
