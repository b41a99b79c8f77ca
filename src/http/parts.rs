//! The parts that pages share: the frame around them, the style sheet, the icon, the word to robots.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Web;
use super::answer::{KEEP, Representation};
use crate::config::Newsletter;
use crate::feed::Format;
use crate::renderer::pages::{FeedLink, Frame};
use crate::site;

/// `GET /style-HASH.css`
pub(super) async fn style(State(web): State<Web>, headers: HeaderMap) -> Response {
    Representation::new("text/css; charset=utf-8", KEEP, web.templates().style().to_owned()).answer(&headers)
}

/// `GET /robots.txt`: the pages of single people are not for search engines.
pub(super) async fn robots(State(web): State<Web>) -> Response {
    let root = web.root();
    format!(
        "User-agent: *\nDisallow: {root}*/confirm/\nDisallow: {root}*/unsubscribe/\nDisallow: {root}*/preferences/\n"
    )
    .into_response()
}

/// An envelope.
const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="2" y="6" width="28" height="20" rx="3" fill="#2b6cb0"/><path d="M4 9l12 9 12-9" fill="none" stroke="#fff" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>"##;

/// `GET /favicon.svg`
pub(super) async fn icon(headers: HeaderMap) -> Response {
    Representation::new("image/svg+xml", "public, max-age=86400", ICON).answer(&headers)
}

/// `GET /favicon.ico`, which browsers ask for whatever a page says.
pub(super) async fn no_icon() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "public, max-age=86400")])
}

/// What every page of a newsletter shows around its content.
pub(super) fn frame(web: &Web, newsletter: &Newsletter, language: &str) -> Frame {
    let base = &web.config().server.url;
    let feed_link = |format: Format| FeedLink {
        title: format.title().to_owned(),
        url: site::feed(base, &newsletter.id, format.file_name()).to_string(),
        media_type: format.content_type().split(';').next().unwrap_or_default().to_owned(),
    };
    Frame {
        newsletter: newsletter.title.clone(),
        description: newsletter.description.clone(),
        language: language.to_owned(),
        home: site::home(base, &newsletter.id).to_string(),
        style: web.style_path(),
        feeds: Format::ALL.into_iter().map(feed_link).collect(),
    }
}

/// Where the subscribe form is posted. A path and not a URL: our policy lets a form go to the host the page came from, whatever
/// name the reader used for it.
pub(super) fn subscribe_path(web: &Web, newsletter: &Newsletter) -> String {
    site::subscribe(&web.config().server.url, &newsletter.id).path().to_owned()
}

/// The choices of the subscribe form.
pub(super) fn cadences(newsletter: &Newsletter) -> Vec<(String, String)> {
    newsletter.cadences.iter().map(|cadence| (cadence.id.to_string(), cadence.title.clone())).collect()
}
