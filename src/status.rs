//! What an install is doing: sources, issues, holds, schedules and mailings. `tidings status` and `GET /status` show the same.

mod rates;
mod relays;

use chrono::{DateTime, NaiveDateTime, Utc};
pub use rates::{RateStatus, SpanStatus};
pub use relays::{RelayStatus, WarmUpStatus};
use serde::Serialize;

use crate::config::{Cadence, Config, Newsletter};
use crate::delivery::books::Books;
use crate::delivery::rate::remaining;
use crate::issue::news::Mail;
use crate::store::{
    FailingView, IssueMail, MailingState, MailingView, PausedConfirmations, Progress, Refusal, Return, SourceState,
    Store, StoreError, TopicView,
};
use crate::types::{Finding, Place};

/// How many mailings are shown: about two years of a weekly one.
const MAILINGS: usize = 100;

/// How many failing subscriptions are shown: who has more has another trouble than single readers.
const FAILING: usize = 20;

/// Of how many of them the reasons of refusals are shown.
const REASONS: usize = 5;

/// The state of an install at one moment. Counts and times, and no addresses.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// When it was collected.
    pub at: DateTime<Utc>,
    /// The newsletters, in the order of the configuration.
    pub newsletters: Vec<NewsletterStatus>,
    /// The newest digest mailings, newest first.
    pub mailings: Vec<MailingStatus>,
    /// Readers and hubs that are told when a feed changes.
    pub websub: WebSubStatus,
    /// How far those are that are open or paused, newest first.
    pub progress: Vec<ProgressStatus>,
    /// Confirmations that the relay refused, until `tidings resume confirmations`.
    pub paused_confirmations: Vec<PausedConfirmations>,
    /// Relays that are down.
    pub relays: Vec<RelayStatus>,
    /// Relays and groups of domains with a rate: what they may have, and how much of it is used.
    pub rates: Vec<RateStatus>,
    /// Relays that are warmed up: what they may have today.
    pub warm_up: Vec<WarmUpStatus>,
}

/// What the hub does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebSubStatus {
    /// Each feed that somebody subscribed to.
    pub feeds: Vec<FeedSubscriptions>,
    /// Subscriptions whose pushes fail, those that have failed longest first.
    pub failing_pushes: Vec<Failing>,
    /// Hubs elsewhere that do not take our pings.
    pub failing_pings: Vec<Failing>,
}

/// How many are told of one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedSubscriptions {
    /// The feed.
    pub feed: String,
    /// Subscriptions.
    pub subscriptions: i64,
    /// Of these, whose pushes fail.
    pub failing: i64,
}

/// Who does not take what we send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// The feed.
    pub feed: String,
    /// Whose host it is.
    pub host: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, last time.
    pub error: String,
}

/// How far a mailing is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProgressStatus {
    /// Its id.
    pub mailing: String,
    /// The newsletter.
    pub newsletter: String,
    /// Its subject.
    pub subject: String,
    /// Open or paused.
    pub state: MailingState,
    /// Why it is paused.
    pub reason: Option<String>,
    /// The audience; not known in the first seconds.
    pub people: Option<i64>,
    /// Settled, one way or the other.
    pub done: i64,
    /// Settled per second, over the last seconds.
    pub per_second: f64,
    /// Seconds until everyone was tried, at this rate; `None` when nothing moves.
    pub seconds_left: Option<u64>,
    /// What an operator allows at most, as in `20/s, 5000/h`.
    pub limit: Option<String>,
    /// When it goes on, if that is used up.
    pub waits_until: Option<DateTime<Utc>>,
}

impl From<Progress> for ProgressStatus {
    fn from(progress: Progress) -> Self {
        let Progress { mailing, newsletter, subject, state, reason, people, done, per_second, rate } = progress;
        let left = people.and_then(|people| remaining(people, done, per_second));
        Self {
            mailing: mailing.to_string(),
            newsletter: newsletter.to_string(),
            subject,
            state,
            reason,
            people,
            done,
            per_second,
            seconds_left: left.map(|left| left.as_secs()),
            limit: rate.as_ref().map(|usage| usage.rate.to_string()),
            waits_until: rate.and_then(|usage| usage.waits_until),
        }
    }
}

/// One newsletter.
#[derive(Clone, Debug, Serialize)]
pub struct NewsletterStatus {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its source; `None` before the first reading.
    pub source: Option<SourceStatus>,
    /// Published issues.
    pub issues: usize,
    /// Documents that are not published, and why.
    pub holds: Vec<HoldStatus>,
    /// Issues that are published and kept from mail, and why.
    pub held_issues: Vec<HeldIssue>,
    /// How often its subscribers get mail.
    pub cadences: Vec<CadenceStatus>,
}

/// What was last seen of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// The commit read last; empty for a directory.
    pub commit: String,
    /// When it was last read without error.
    pub read_at: DateTime<Utc>,
    /// When anything readers see last changed.
    pub changed_at: DateTime<Utc>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// A document that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Path, line and column.
    #[serde(flatten)]
    pub place: Place,
    /// Stable name of the rule.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// An issue that is in feeds and archive and kept from mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldIssue {
    /// Its slug: what `tidings release` and `tidings dismiss` take.
    pub issue: String,
    /// Its title.
    pub title: String,
    /// Why.
    #[serde(flatten)]
    pub hold: HoldStatus,
}

/// A cadence.
#[derive(Clone, Debug, Serialize)]
pub struct CadenceStatus {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its schedule in words.
    pub schedule: String,
    /// When it fires next; `None` when it never does again.
    pub next: Option<DateTime<Utc>>,
    /// Confirmed subscriptions.
    pub subscribers: i64,
}

/// A digest mailing with its books.
#[derive(Clone, Debug, Serialize)]
pub struct MailingStatus {
    /// Its id.
    pub mailing: String,
    /// The newsletter.
    pub newsletter: String,
    /// The cadence.
    pub cadence: Option<String>,
    /// Local time of the occurrence.
    pub occurrence: Option<NaiveDateTime>,
    /// Where it stands.
    pub state: MailingState,
    /// Why it is paused or cancelled.
    pub reason: Option<String>,
    /// Its subject.
    pub subject: String,
    /// When it opened.
    pub opened_at: DateTime<Utc>,
    /// When it finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many got it, and what became of the others.
    pub books: Books,
    /// Everyone is accounted for.
    pub balanced: bool,
    /// Why deliveries were refused or deferred, most frequent first.
    pub refusals: Vec<Refusal>,
    /// What came back after the relay had taken it, and complaints, most frequent first.
    pub returns: Vec<Return>,
}

/// Collects the state of everything that the configuration names.
///
/// # Errors
/// When the database fails.
pub async fn collect(store: &Store, config: &Config, now: DateTime<Utc>) -> Result<Status, StoreError> {
    let mut newsletters = Vec::with_capacity(config.newsletters.len());
    for newsletter in &config.newsletters {
        newsletters.push(of_newsletter(store, newsletter, now).await?);
    }
    let mut mailings = Vec::new();
    let views = store.mailings(MAILINGS, false).await?;
    let mut returns = store.returns(&views.iter().map(|view| view.mailing).collect::<Vec<_>>()).await?;
    for view in views {
        // To look for reasons reads a whole ledger; the newest mailings are what one asks about.
        let wanted = mailings.len() < REASONS && (view.books.refused > 0 || view.books.deferred > 0);
        let refusals = if wanted { store.refusals(view.mailing).await? } else { Vec::new() };
        let returns = returns.remove(&view.mailing).unwrap_or_default();
        mailings.push(MailingStatus { refusals, returns, ..MailingStatus::from(view) });
    }
    let progress = store.progress().await?.into_iter().map(ProgressStatus::from).collect();
    let paused_confirmations = store.paused_confirmations().await?;
    let relays = store.relay_troubles().await?.into_iter().map(RelayStatus::from).collect();
    let rates = rates::rates(store, &config.mail).await?;
    let warm_up = relays::warm_up(store, &config.mail, now).await?;
    let websub = of_websub(store, now).await?;
    Ok(Status { at: now, newsletters, mailings, websub, progress, paused_confirmations, relays, rates, warm_up })
}

async fn of_websub(store: &Store, now: DateTime<Utc>) -> Result<WebSubStatus, StoreError> {
    let (pushes, pings) = store.hub_failing(FAILING).await?;
    Ok(WebSubStatus {
        feeds: store.hub_topics(now).await?.into_iter().map(FeedSubscriptions::from).collect(),
        failing_pushes: pushes.into_iter().map(Failing::from).collect(),
        failing_pings: pings.into_iter().map(Failing::from).collect(),
    })
}

async fn of_newsletter(
    store: &Store,
    newsletter: &Newsletter,
    now: DateTime<Utc>,
) -> Result<NewsletterStatus, StoreError> {
    let sizes = store.audience_sizes(&newsletter.id).await?;
    let of_cadence = |cadence: &Cadence| CadenceStatus {
        name: cadence.id.to_string(),
        title: cadence.title.clone(),
        schedule: cadence.schedule.in_words(),
        next: cadence.schedule.next(now).map(|occurrence| occurrence.at),
        subscribers: sizes.iter().find(|(id, _)| *id == cadence.id).map_or(0, |(_, size)| *size),
    };
    Ok(NewsletterStatus {
        name: newsletter.id.to_string(),
        title: newsletter.title.clone(),
        source: store.source_state(&newsletter.id).await?.map(SourceStatus::from),
        issues: store.archive(&newsletter.id).await?.len(),
        holds: store.holds(&newsletter.id).await?.into_iter().map(HoldStatus::from).collect(),
        held_issues: store.held_issues(&newsletter.id).await?.into_iter().filter_map(held_issue).collect(),
        cadences: newsletter.cadences.iter().map(of_cadence).collect(),
    })
}

fn held_issue(held: IssueMail) -> Option<HeldIssue> {
    match held.mail {
        Mail::Held(finding) => {
            Some(HeldIssue { issue: held.slug.to_string(), title: held.title, hold: HoldStatus::from(finding) })
        }
        Mail::Archive | Mail::News | Mail::Released | Mail::Dismissed => None,
    }
}

impl From<TopicView> for FeedSubscriptions {
    fn from(view: TopicView) -> Self {
        let TopicView { topic, subscriptions, failing } = view;
        Self { feed: topic, subscriptions, failing }
    }
}

impl From<FailingView> for Failing {
    fn from(view: FailingView) -> Self {
        let FailingView { topic, host, since, error } = view;
        Self { feed: topic, host, since, error }
    }
}

impl From<SourceState> for SourceStatus {
    fn from(state: SourceState) -> Self {
        let SourceState { commit, fingerprint: _, baseline_at: _, read_at, changed_at, next_at: _, error } = state;
        Self { commit, read_at, changed_at, error }
    }
}

impl From<Finding> for HoldStatus {
    fn from(finding: Finding) -> Self {
        let Finding { rule, place, message, remedy } = finding;
        Self { place, rule: rule.as_str(), message, remedy }
    }
}

impl From<MailingView> for MailingStatus {
    fn from(view: MailingView) -> Self {
        let MailingView {
            mailing,
            newsletter,
            cadence,
            occurrence,
            state,
            reason,
            subject,
            opened_at,
            finished_at,
            books,
        } = view;
        Self {
            mailing: mailing.to_string(),
            newsletter: newsletter.to_string(),
            cadence: cadence.map(|cadence| cadence.to_string()),
            occurrence,
            state,
            reason,
            subject,
            opened_at,
            finished_at,
            balanced: books.balance(),
            books,
            refusals: Vec::new(),
            returns: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{MailingId, NewsletterId, Rule};

    #[test]
    fn a_hold_says_where_what_and_the_remedy_in_json() {
        let hold = HoldStatus::from(Finding {
            rule: Rule::NoDate,
            place: Place::line("2020/03.md", 3),
            message: "there is no date".into(),
            remedy: "Write one.".into(),
        });
        assert_eq!(
            serde_json::to_string(&hold).unwrap(),
            "{\"path\":\"2020/03.md\",\"line\":3,\"column\":null,\"rule\":\"no-date\",\
             \"message\":\"there is no date\",\"remedy\":\"Write one.\"}"
        );
    }

    #[test]
    fn a_mailing_shows_its_books() {
        let at: DateTime<Utc> = "2020-03-12T09:00:00Z".parse().unwrap();
        let status = MailingStatus::from(MailingView {
            mailing: MailingId::from_bytes([0; 10]),
            newsletter: NewsletterId::parse("n").unwrap(),
            cadence: None,
            occurrence: Some(at.naive_utc()),
            state: MailingState::Open,
            reason: None,
            subject: "March".into(),
            opened_at: at,
            finished_at: None,
            books: Books { audience: 2, accepted: 1, open: 1, ..Books::default() },
        });
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["state"], "open");
        assert_eq!(json["books"]["open"], 1);
        assert_eq!(json["balanced"], false);
        assert_eq!(json["occurrence"], "2020-03-12T09:00:00");
    }
}
