//! The answers that handlers give: a page or a file that caches can ask about, and a notice that they must not keep.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::Web;
use super::conditional;
use super::error::Error;
use super::parts;
use crate::config::Newsletter;
use crate::renderer::pages::Notice;
use crate::types::hex;

/// The media type of pages.
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// `Cache-Control` of what answers one person or one moment.
pub(super) const NEVER: HeaderValue = HeaderValue::from_static("no-store");
/// `Retry-After` while something is away.
pub(super) const A_MINUTE: HeaderValue = HeaderValue::from_static("60");

/// Kept, but asked about each time: a new issue is seen at once, and an unchanged page costs a 304.
pub(super) const ASK: &str = "public, no-cache";
/// Kept for good: the name changes with the content.
pub(super) const KEEP: &str = "public, max-age=31536000, immutable";
/// Kept for a while: each look at a file may cost a run of git.
pub(super) const FIVE_MINUTES: &str = "public, max-age=300";

/// Bytes with what caches need to know.
#[derive(Clone, Debug)]
pub(super) struct Representation {
    pub content_type: &'static str,
    pub cache: &'static str,
    pub etag: String,
    pub modified: Option<DateTime<Utc>>,
    pub bytes: Bytes,
}

impl Representation {
    /// The strong entity tag comes from the bytes, so that all nodes agree on it.
    pub(super) fn new(content_type: &'static str, cache: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { content_type, cache, etag: format!("\"{}\"", fingerprint(&bytes)), modified: None, bytes }
    }

    /// The whole, or 304 where the request's conditions say that the other side has it (RFC 9110 section 15.4.5).
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let mut validators = HeaderMap::new();
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            validators.insert(header::ETAG, etag);
        }
        validators.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        if let Some(modified) = self.modified.and_then(|at| HeaderValue::from_str(&conditional::http_date(at)).ok()) {
            validators.insert(header::LAST_MODIFIED, modified);
        }
        if conditional::known(request, self.etag.trim_matches('"'), self.modified).is_some() {
            return (StatusCode::NOT_MODIFIED, validators).into_response();
        }
        (validators, [(header::CONTENT_TYPE, self.content_type)], self.bytes.clone()).into_response()
    }
}

/// 128 bits of SHA-256 in hex: enough to tell contents apart.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hex(hash.as_ref().iter().take(16))
}

/// A page that caches may keep.
pub(super) fn page(request: &HeaderMap, html: String) -> Response {
    Representation::new("text/html; charset=utf-8", ASK, html).answer(request)
}

/// What a notice says.
pub(super) struct Words<'a> {
    pub heading: &'a str,
    pub paragraphs: &'a [&'a str],
    pub button: Option<&'a str>,
}

/// A page with one message of a newsletter, which nothing may keep: it may answer one person's link.
pub(super) fn notice(
    web: &Web,
    newsletter: &Newsletter,
    status: StatusCode,
    words: &Words<'_>,
) -> Result<Response, Error> {
    let Words { heading, paragraphs, button } = words;
    let phrases = web.templates().phrases(&newsletter.language);
    let say = |english: &str| phrases.fill(english, &[("newsletter", &newsletter.title)]);
    let notice = Notice {
        frame: Some(parts::frame(web, newsletter, &newsletter.language)),
        style: web.style_path(),
        front: web.root().to_owned(),
        heading: say(heading),
        paragraphs: paragraphs.iter().map(|paragraph| say(paragraph)).collect(),
        button: button.map(say),
    };
    let html = notice.render(web.templates())?;
    let headers = [(header::CONTENT_TYPE, HTML), (header::CACHE_CONTROL, NEVER)];
    Ok((status, headers, html).into_response())
}
