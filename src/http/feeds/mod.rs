//! The feeds: written when something changed, and served from memory until the next change.

mod entries;
mod lists;
mod served;
mod shelf;
mod target;

pub use lists::paths;
pub(super) use lists::{icon, install_opml, list, opml, stylesheet};

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Web;
use super::clients::{self, Clients, Peer};
use super::coding::Coding;
use super::error::Error;
use super::pages;
use crate::config::{Config, Newsletter};
use crate::feed::About;
use crate::site;
use crate::store::{SourceState, StoreError};
use crate::types::{FacetId, NewsletterId};
use served::Freshness;
use shelf::{Found, Kept, Known, Shelf};
use target::Target;

/// A request of our own for a feed as it is now, and for no answer while that cannot be said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh;

/// The feeds of all newsletters in memory, and who loads them.
#[derive(Debug)]
pub(super) struct Cache {
    shelves: BTreeMap<NewsletterId, Shelf>,
    clients: Clients,
    hasher: RandomState,
}

impl Cache {
    pub(super) fn new(config: &Config) -> Self {
        let shelves = config.newsletters.iter().map(|newsletter| (newsletter.id.clone(), Shelf::default())).collect();
        Self { shelves, clients: Clients::new(clients::WHOLE_FEED), hasher: RandomState::new() }
    }
}

/// `GET /{newsletter}/...`: a feed, where the path is the path of one; any other may be a former path of an issue.
pub(super) async fn feed(State(web): State<Web>, mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let (name, below) = web.below_root(path).and_then(|path| path.split_once('/')).ok_or(Error::NotFound)?;
    let newsletter = web.newsletter(name)?;
    let Some(target) = Target::parse(below) else {
        let Path((_, below)): Path<(String, String)> = request.extract_parts().await.map_err(|_| Error::NotFound)?;
        return pages::moved(&web, newsletter, &below).await;
    };
    let shelf = web.feeds().shelves.get(&newsletter.id).ok_or(Error::NotFound)?;
    let fresh = request.extensions().get::<Fresh>().is_some();
    let known = if fresh { shelf.fresh(&web, newsletter).await } else { shelf.known(&web, newsletter).await };
    let known = known?.ok_or(Error::NotReadYet)?;
    let coding = Coding::choose(request.headers());
    match shelf.find(&web, newsletter, &known, &target, coding).await? {
        Found::Document(kept) if fresh && !kept.is_as_of(&known) => Err(Error::NotReadYet),
        Found::Document(kept) => {
            let response = kept.served.answer(request.headers(), &freshness(&web, &known, &kept)).await;
            if response.status() == StatusCode::OK
                && let Err(wait) = admit(&web, &request, clients::peer(request.extensions()))
            {
                return Ok(too_many(wait));
            }
            Ok(response.map(Body::from))
        }
        Found::Elsewhere(folder) => {
            let feed = base_of(home(&web, newsletter, target.facet.as_ref()).as_str(), &folder);
            Ok(Redirect::temporary(&format!("{feed}{}", target.format.file_name())).into_response())
        }
        Found::Nothing => Err(Error::NotFound),
    }
}

/// `OPTIONS` of a feed: a script on another site asks whether it may send conditions with its request (CORS preflight).
pub(super) async fn preflight(State(web): State<Web>, request: Request<Body>) -> Result<Response<Body>, Error> {
    let (name, below) =
        web.below_root(request.uri().path()).and_then(|path| path.split_once('/')).ok_or(Error::NotFound)?;
    web.newsletter(name)?;
    Target::parse(below).ok_or(Error::NotFound)?;
    let allowed = [
        (header::ALLOW, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "If-None-Match, If-Modified-Since, Cache-Control"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    Ok((StatusCode::NO_CONTENT, allowed).into_response())
}

/// The answer of [`feed`] where it is in memory and nothing has to be waited for; `None` for whatever else, which the router answers.
/// Most requests that Tidings ever gets are these, and routing costs more than answering them.
pub(super) fn at_hand<B>(web: &Web, request: &Request<B>, peer: Peer) -> Option<Response<Bytes>> {
    if request.method() != Method::GET {
        return None;
    }
    let (name, below) = web.below_root(request.uri().path())?.split_once('/')?;
    let target = Target::parse(below)?;
    let newsletter = web.newsletter(name).ok()?;
    let (known, kept) = web.feeds().shelves.get(&newsletter.id)?.at_hand(web, &target)?;
    let response = kept.served.at_hand(request.headers(), &freshness(web, &known, &kept))?;
    // Who is refused here is refused by the router again, and told to wait.
    let is_admitted = response.status() != StatusCode::OK || admit(web, request, Some(peer)).is_ok();
    is_admitted.then_some(response)
}

/// Whether a client may load the feed whole; if not, how long it should wait. Who says what it has is never told to.
fn admit<B>(web: &Web, request: &Request<B>, peer: Option<Peer>) -> Result<(), Duration> {
    let headers = request.headers();
    if headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::IF_MODIFIED_SINCE) {
        return Ok(());
    }
    let Some(client) = clients::client(peer, headers, web.config().server.client_header.as_deref()) else {
        return Ok(());
    };
    let feed = web.feeds().hasher.hash_one(request.uri().path());
    web.feeds().clients.admit(client, feed, Instant::now())
}

/// The answer to a client that loads a feed whole again and again.
fn too_many(wait: Duration) -> Response<Body> {
    let retry = HeaderValue::from(wait.as_secs() + 1);
    let words = "This feed was loaded many times in a few minutes. Please send If-None-Match with its ETag, or ask less often.\n";
    let headers = [(header::RETRY_AFTER, retry), (header::CACHE_CONTROL, super::answer::NEVER)];
    (StatusCode::TOO_MANY_REQUESTS, headers, words).into_response()
}

/// How long a feed may be kept without asking. WebSub tells of surprises; an issue that waits for its date is none.
const KEPT: i64 = 300;

/// `Last-Modified` of a feed is when anything readers see changed, and not the date of the newest entry: a new issue may bear an old
/// date, and a withdrawn one takes its date with it.
fn freshness(web: &Web, known: &Known, kept: &Kept) -> Freshness {
    kept.archived.clone().unwrap_or_else(|| Freshness {
        cache: known.state().next_at.map_or(LONGEST, |next| until(next, web.clock().now())),
        modified: known.state().changed_at,
        last_modified: known.last_modified(),
    })
}

const LONGEST: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Until the next issue is due, and no longer than [`KEPT`] seconds.
fn until(next: DateTime<Utc>, now: DateTime<Utc>) -> HeaderValue {
    let seconds = (next - now).num_seconds().clamp(0, KEPT);
    HeaderValue::from_str(&format!("public, max-age={seconds}")).unwrap_or(super::answer::NEVER)
}

/// What the feeds of a newsletter, or of one of its tags or authors, say about themselves. `None` for a facet that nothing has.
async fn about(
    web: &Web,
    newsletter: &Newsletter,
    state: &SourceState,
    facet: Option<&FacetId>,
) -> Result<Option<About>, StoreError> {
    let facet = match facet {
        None => None,
        Some(facet) => match web.store().facet(&newsletter.id, facet).await? {
            None => return Ok(None),
            Some(count) => Some(count.facet),
        },
    };
    let base = &web.config().server.url;
    let icon = newsletter.icon.clone().unwrap_or_else(|| site::icon(base));
    Ok(Some(About {
        newsletter: newsletter.id.clone(),
        title: newsletter.title.clone(),
        description: newsletter.description.clone(),
        language: newsletter.language.clone(),
        home: home(web, newsletter, facet.as_ref().map(|facet| &facet.id)),
        icon: icon.into(),
        logo: newsletter.logo.clone().map(Into::into),
        // Hubs elsewhere are told about the feeds of the whole newsletter: a tag would be a ping for each of its feeds.
        hubs: if facet.is_none() { web.config().hubs() } else { web.config().own_hub().into_iter().collect() },
        stylesheet: site::feed_style(base).path().to_owned(),
        since: state.baseline_at,
        facet,
    }))
}

/// The page of a newsletter or of a facet: its feeds are below it.
fn home(web: &Web, newsletter: &Newsletter, facet: Option<&FacetId>) -> String {
    let base = &web.config().server.url;
    match facet {
        None => site::home(base, &newsletter.id),
        Some(facet) => site::facet(base, &newsletter.id, facet),
    }
    .into()
}

fn base_of(home: &str, folder: &str) -> String {
    format!("{home}{folder}")
}

#[cfg(test)]
mod tests;
