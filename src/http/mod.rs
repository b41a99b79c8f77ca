//! The web face: pages, feeds and subscriptions for readers; health, status and outbox for operators.
//!
//! Each handler parses, asks the store, asks the core or the renderer, and answers. GET and HEAD never change state.
//! What readers see and what operators see are two routers for two listeners.

mod answer;
mod archive;
mod clients;
mod coding;
mod conditional;
mod error;
pub mod feeds;
mod files;
mod front;
mod headers;
mod hub;
mod listings;
mod mail;
mod mailings;
mod metrics;
mod outbox;
mod pages;
mod parts;
mod patient;
mod preferences;
pub mod preview;
mod private;
mod search;
pub mod serve;
mod sitemap;
mod subscriptions;
mod web;
mod webhook;

pub use front::{Front, front};
pub use hub::feeds;
pub use web::Web;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{map_response, map_response_with_state};
use axum::routing::{get, post};

/// The largest body that is read: a form with one address needs a hundredth of it.
const BODY_LIMIT: usize = 64 * 1024;

/// What readers reach, at the path of `server.url`: a proxy in front passes paths on as they are.
pub fn public(web: Web) -> Router {
    let at = |path: &str| format!("{}{path}", web.root());
    let mut router = Router::new();
    if web.config().websub.hub {
        router = router.route(&at("hub"), get(hub::page).post(hub::request));
    }
    router
        .route(&at(""), get(pages::front))
        .route(&at("robots.txt"), get(parts::robots))
        .route(&at("favicon.svg"), get(parts::icon))
        .route(&at("favicon.ico"), get(parts::old_icon))
        .route(&at("sitemap.xml"), get(sitemap::sitemap))
        .route(&at("icon.png"), get(feeds::icon))
        .route(&at("feed.css"), get(feeds::stylesheet))
        .route(&at("feeds.opml"), get(feeds::install_opml))
        .route(&web.style_path(), get(parts::style))
        .route(&at("{newsletter}"), get(pages::with_slash))
        .route(&at("{newsletter}/"), get(pages::home))
        .route(&at("{newsletter}/archive/"), get(pages::with_slash))
        .route(&at("{newsletter}/archive/{year}/"), get(listings::year))
        .route(&at("{newsletter}/tags/"), get(pages::with_slash))
        .route(&at("{newsletter}/tags/{slug}/"), get(listings::tag))
        .route(&at("{newsletter}/authors/"), get(pages::with_slash))
        .route(&at("{newsletter}/authors/{slug}/"), get(listings::author))
        .route(&at("{newsletter}/search"), get(search::search))
        .route(&at("{newsletter}/issues/{slug}"), get(pages::issue))
        .route(&at("{newsletter}/files/{*path}"), get(files::file))
        .route(&at("{newsletter}/subscribe"), get(pages::with_slash).post(subscriptions::subscribe))
        .route(&at("{newsletter}/confirm/{token}"), get(subscriptions::ask_confirm).post(subscriptions::confirm))
        .route(
            &at("{newsletter}/unsubscribe/{token}"),
            get(subscriptions::ask_unsubscribe).post(subscriptions::unsubscribe),
        )
        .route(&at("{newsletter}/preferences/{token}"), get(preferences::show).post(preferences::change))
        .route(&at("{newsletter}/webhook"), post(webhook::push))
        .route(&at("{newsletter}/feeds/"), get(feeds::list))
        .route(&at("{newsletter}/feeds.opml"), get(feeds::opml))
        .route(&at("{newsletter}/{*path}"), get(feeds::feed).options(feeds::preflight))
        .fallback(error::not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response_with_state(web.clone(), error::dress))
        .layer(map_response(headers::public))
        .with_state(web)
}

/// What operators reach. It asks for no password: the listener must not be reachable from outside.
pub fn private(web: Web) -> Router {
    Router::new()
        .route("/", get(private::front))
        .route("/health", get(private::health))
        .route("/status", get(private::status))
        .route("/mailings", get(mailings::list))
        .route("/mailings/confirmations/resume", post(mailings::resume_confirmations))
        .route("/mailings/{mailing}/{order}", post(mailings::order))
        .route("/metrics", get(metrics::metrics))
        .route("/favicon.ico", get(parts::old_icon))
        .route(&format!("/{}", web.templates().style_name()), get(parts::style))
        .route("/outbox", get(outbox::with_slash))
        .route("/outbox/", get(outbox::list))
        .route("/outbox/{name}", get(outbox::mail))
        .route("/outbox/{name}/html", get(outbox::html))
        .fallback(error::not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response(headers::private))
        .with_state(web)
}
