//! The feeds: written when something changed, and served from memory until the next change.

mod lists;
mod served;
mod shelf;
mod target;

pub use lists::paths;
pub(super) use lists::{icon, install_opml, list, opml, stylesheet};

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use axum::RequestExt as _;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Web;
use super::clients::{self, Clients};
use super::error::Error;
use super::pages;
use crate::config::{Config, Newsletter};
use crate::feed::About;
use crate::site;
use crate::store::{SourceState, StoreError};
use crate::types::{FacetId, NewsletterId};
use served::Freshness;
use shelf::{Found, Shelf};
use target::Target;

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
        Self { shelves, clients: Clients::default(), hasher: RandomState::new() }
    }
}

/// `GET /{newsletter}/...`: a feed, where the path is the path of one; any other may be a former path of an issue.
pub(super) async fn feed(State(web): State<Web>, mut request: Request) -> Result<Response, Error> {
    let path = request.uri().path();
    let (name, below) = web.below_root(path).and_then(|path| path.split_once('/')).ok_or(Error::NotFound)?;
    let newsletter = web.newsletter(name)?;
    let Some(target) = Target::parse(below) else {
        let Path((_, below)): Path<(String, String)> = request.extract_parts().await.map_err(|_| Error::NotFound)?;
        return pages::moved(&web, newsletter, &below).await;
    };
    let shelf = web.feeds().shelves.get(&newsletter.id).ok_or(Error::NotFound)?;
    let known = shelf.known(&web, newsletter).await?.ok_or(Error::NotReadYet)?;
    match shelf.find(&web, newsletter, &known, &target).await? {
        Found::Document(kept) => {
            let fresh = kept.archived.clone().unwrap_or_else(|| freshness(known.state(), web.clock().now()));
            let response = kept.served.answer(request.headers(), &fresh);
            Ok(too_many(&web, &request).filter(|_| response.status() == StatusCode::OK).unwrap_or(response))
        }
        Found::Elsewhere(folder) => {
            let feed = base_of(home(&web, newsletter, target.facet.as_ref()).as_str(), &folder);
            Ok(Redirect::temporary(&format!("{feed}{}", target.format.file_name())).into_response())
        }
        Found::Nothing => Err(Error::NotFound),
    }
}

/// `OPTIONS` of a feed: a script on another site asks whether it may send conditions with its request (CORS preflight).
pub(super) async fn preflight(State(web): State<Web>, request: Request) -> Result<Response, Error> {
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

/// The answer to a client that loads a feed whole again and again. Who says what it has is never told to wait.
fn too_many(web: &Web, request: &axum::extract::Request) -> Option<Response> {
    let headers = request.headers();
    if headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::IF_MODIFIED_SINCE) {
        return None;
    }
    let client = clients::client(request.extensions(), headers, web.config().server.client_header.as_deref())?;
    let feed = web.feeds().hasher.hash_one(request.uri().path());
    let wait = web.feeds().clients.admit(client, feed, Instant::now()).err()?;
    let retry = HeaderValue::from(wait.as_secs() + 1);
    let words = "This feed was loaded many times in a few minutes. Please send If-None-Match with its ETag, or ask less often.\n";
    let headers = [(header::RETRY_AFTER, retry), (header::CACHE_CONTROL, super::answer::NEVER)];
    Some((StatusCode::TOO_MANY_REQUESTS, headers, words).into_response())
}

/// How long a feed may be kept without asking. WebSub tells of surprises; an issue that waits for its date is none.
const KEPT: i64 = 300;

/// Until the next issue is due, and no longer than [`KEPT`] seconds. `Last-Modified` is when anything readers see changed, and not
/// the date of the newest entry: a new issue may bear an old date, and a withdrawn one takes its date with it.
fn freshness(state: &SourceState, now: DateTime<Utc>) -> Freshness {
    let seconds = state.next_at.map_or(KEPT, |next| (next - now).num_seconds().clamp(0, KEPT));
    let cache = if seconds == KEPT {
        HeaderValue::from_static("public, max-age=300")
    } else {
        HeaderValue::from_str(&format!("public, max-age={seconds}")).unwrap_or(super::answer::NEVER)
    };
    Freshness::new(cache, state.changed_at)
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
        hubs: web.config().hubs(),
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
