//! One errand: the request, what its answer means, and the record of it.

use std::sync::Arc;
use std::time::Duration;

use url::{Url, form_urlencoded};

use super::Shared;
use crate::hub::{self, Post};
use crate::store::{Errand, LeaseLost, Settled, Topic};
use crate::types::{Secret, base32};
use crate::websub::{self, Attempt, Callback, Kind, Mode, Reply, Verdict};

/// Twice as long as a request can take: whose lease ends has died, and another node may go.
pub(super) const LEASE: Duration = Duration::from_secs(hub::LONGEST.as_secs() * 2);

/// What a reader is told whose topic is gone.
const GONE: &str = "There is no such feed here any more.";

/// Runs an errand and records what came of it.
pub(super) async fn run(shared: Arc<Shared>, errand: Errand) {
    let settled = shared.settled(&errand).await;
    match shared.store.settle_errand(&errand, &settled, shared.clock.now()).await {
        Ok(Ok(())) => {}
        Ok(Err(LeaseLost)) => {
            tracing::warn!(topic = errand.topic, "a request took too long, and another node has taken it over")
        }
        // The lease ends, and it is done again.
        Err(error) => tracing::error!(topic = errand.topic, "what came of a request is not recorded: {error}"),
    }
}

impl Shared {
    async fn settled(&self, errand: &Errand) -> Settled {
        if !errand.wanted {
            return Settled::Over;
        }
        // Without randomness a challenge would be guessed: nothing is asked then. A jitter can do without.
        let Ok(random) = self.chance.bytes::<20>() else { return self.again(errand, "there is no randomness") };
        let challenge = base32(&random);
        let (reply, topic) = match self.made(errand, &challenge).await {
            Ok(made) => made,
            Err(why) => return self.again(errand, &why),
        };
        let now = self.clock.now();
        let failing = (now - errand.failing_since).to_std().unwrap_or_default();
        let attempt = Attempt { number: errand.attempt, failing, jitter: random.first().copied().unwrap_or(128) };
        match websub::decide(errand.kind, &reply, &challenge, &attempt) {
            Verdict::Done => {
                log_done(errand);
                Settled::Done(topic)
            }
            Verdict::Again { wait, why } => {
                let host = host(&errand.target);
                tracing::debug!(topic = errand.topic, host, kind = errand.kind.as_str(), "not yet: {why}");
                Settled::Again { due_at: now + wait, why }
            }
            Verdict::Over(why) => {
                log_over(errand, &why);
                Settled::Over
            }
        }
    }

    /// Something of ours is not there: no fault of the other side.
    fn again(&self, errand: &Errand, why: &str) -> Settled {
        tracing::warn!(topic = errand.topic, kind = errand.kind.as_str(), "a request is put off: {why}");
        Settled::Again { due_at: self.clock.now() + super::HOUSE, why: why.to_owned() }
    }

    /// Makes the request. A verification to subscribe also looks at the topic, so that what comes later is known to be new.
    async fn made(&self, errand: &Errand, challenge: &str) -> Result<(Reply, Option<Topic>), String> {
        let callback = Callback::parse(&errand.target).map_err(|refusal| refusal.to_string())?;
        Ok(match (errand.kind, errand.mode) {
            (Kind::Verify, Some(mode)) => {
                let version = self.store.sources_version().await.map_err(|error| error.to_string())?;
                let topic = match mode {
                    Mode::Subscribe => self.topic(&errand.topic, version).await.map_err(|error| error.to_string())?,
                    Mode::Unsubscribe => None,
                };
                let url = match (mode, &topic) {
                    (Mode::Subscribe, None) => callback.denial(&errand.topic, GONE),
                    _ => callback.verification(mode, &errand.topic, challenge, errand.lease_seconds),
                };
                (self.outside.get(&url).await, topic)
            }
            (Kind::Verify, None) => return Err("it does not say what is to be verified".to_owned()),
            (Kind::Deny, _) => (self.outside.get(&callback.denial(&errand.topic, GONE)).await, None),
            (Kind::Push, _) => (self.push(errand, callback.url()).await?, None),
            (Kind::Ping, _) => (self.outside.post(callback.url(), ping(&errand.topic)).await, None),
        })
    }

    /// The feed as it is now: what has changed since the errand became due is told with it.
    async fn push(&self, errand: &Errand, callback: &Url) -> Result<Reply, String> {
        let content = (self.feeds)(errand.topic.clone()).await?.ok_or("the feed is not here")?;
        let post = Post {
            content_type: content.content_type,
            links: Some(content.links),
            signature: errand.secret.as_ref().map(|secret: &Secret| websub::signature(secret, &content.bytes)),
            body: content.bytes,
        };
        Ok(self.outside.post(callback, post).await)
    }
}

/// What hubs take as news from a publisher. The Recommendation leaves it open (section 6); this is how `PubSubHubbub` 0.4 has it.
fn ping(topic: &str) -> Post {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "publish")
        .append_pair("hub.url", topic)
        .finish();
    Post {
        content_type: "application/x-www-form-urlencoded".to_owned(),
        links: None,
        signature: None,
        body: body.into(),
    }
}

fn host(target: &str) -> String {
    Callback::parse(target).map(|callback| callback.host()).unwrap_or_default()
}

/// A callback is a key of the reader's, so only its host is logged.
fn log_done(errand: &Errand) {
    let (topic, host) = (&errand.topic, host(&errand.target));
    match (errand.kind, errand.mode) {
        (Kind::Verify, Some(mode)) => tracing::info!(topic, host, "a reader means it: {}", mode.as_str()),
        (kind, _) => tracing::debug!(topic, host, "done: {}", kind.as_str()),
    }
}

fn log_over(errand: &Errand, why: &str) {
    let (topic, host) = (&errand.topic, host(&errand.target));
    match errand.kind {
        Kind::Verify => tracing::info!(topic, host, "a request to subscribe is not confirmed: {why}"),
        Kind::Deny => tracing::debug!(topic, host, "a reader did not hear that its subscription is over: {why}"),
        Kind::Push => tracing::warn!(topic, host, "a subscription is over, since its reader took no push: {why}"),
        Kind::Ping => tracing::warn!(topic, host, "the hub does not take our pings: {why}"),
    }
}
