//! WebSub in the store: who subscribed to which feed, what was distributed last, and the requests that are owed.
//!
//! An errand is leased by one node and settled in one transaction with what follows from it. Its version tells whether
//! something newer has become due in the meantime.

mod errands;
mod subscriptions;
mod topics;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::types::{NodeId, Secret};
use crate::websub::{Kind, Mode};

/// How much strangers may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// Subscriptions to one topic.
    pub topic: i64,
    /// Subscriptions of one host, to all topics.
    pub host: i64,
    /// The window in which requests are counted.
    pub window: Duration,
    /// Requests in a window that name callbacks which are not subscribed yet.
    pub requests: i64,
    /// Requests in a window for one host.
    pub host_requests: i64,
}

/// What became of a request to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A verification is due.
    Accepted,
    /// There is no such subscription to end.
    NotSubscribed,
    /// Too many requests in this window.
    Busy,
    /// The topic, or the host, has as many subscriptions as it may.
    Full,
}

/// A topic as it was distributed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The feed's URL.
    pub url: String,
    /// Of the bytes that were distributed last.
    pub hash: String,
    /// See [`crate::store::Store::sources_version`].
    pub version: i64,
}

/// A leased errand.
#[derive(Clone, Debug)]
pub struct Errand {
    /// Its key.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// The feed.
    pub topic: String,
    /// The callback, or the hub elsewhere.
    pub target: String,
    /// Its subscription; empty for a ping.
    pub subscription: String,
    /// What is to be verified.
    pub mode: Option<Mode>,
    /// The secret: of the subscription for a push, asked for in a verification.
    pub secret: Option<Secret>,
    /// The lease that is asked for, in seconds.
    pub lease_seconds: i64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it has been failing: of a push, over all versions.
    pub failing_since: DateTime<Utc>,
    /// False for a push whose subscription is gone or over.
    pub wanted: bool,
    version: i64,
    owner: NodeId,
    epoch: i64,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Done. A subscription that is verified brings the topic as it is now, to know later what is new.
    Done(Option<Topic>),
    /// To be tried again.
    Again {
        /// When.
        due_at: DateTime<Utc>,
        /// Why it failed.
        why: String,
    },
    /// Given up; a push takes its subscription with it.
    Over,
}

/// What operators want to know of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    /// The feed's URL.
    pub topic: String,
    /// Subscriptions that are not over.
    pub subscriptions: i64,
    /// Of these, whose pushes fail.
    pub failing: i64,
}

/// A reader that does not take what it subscribed to, or a hub that does not take a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingView {
    /// The feed's URL.
    pub topic: String,
    /// Whose host it is. The whole callback is a key of the reader's.
    pub host: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, last time.
    pub error: String,
}

/// A span as the database's clock counts.
fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 2)
}
