//! A document of a feed as it is served: its bytes in every coding, and the headers of its answers, made once.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};

use crate::feed::{Feed, Format};
use crate::http::answer::{KEEP, fingerprint};
use crate::http::coding::{Coded, Coding};
use crate::http::conditional::{self, Known};

/// A document that is ready to be copied out.
#[derive(Debug)]
pub(super) struct Served {
    bytes: Coded,
    reader: Variant,
    browser: Variant,
    link: Option<HeaderValue>,
}

/// The document for readers, or for a browser that shows it as a page: the bytes are the same, their type is not.
#[derive(Debug)]
struct Variant {
    content_type: HeaderValue,
    /// What entity tags begin with, without quotation marks.
    tag: String,
    /// The entity tags of the codings in the order of [`CODINGS`].
    etags: [HeaderValue; 4],
}

const CODINGS: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Brotli];

/// How long an answer may be kept, and since when it is true.
#[derive(Clone, Debug)]
pub(super) struct Freshness {
    pub cache: HeaderValue,
    pub modified: DateTime<Utc>,
    pub last_modified: HeaderValue,
}

impl Freshness {
    pub(super) fn new(cache: HeaderValue, modified: DateTime<Utc>) -> Self {
        // A date of HTTP is ASCII.
        let date = HeaderValue::from_str(&conditional::http_date(modified));
        Self { cache, modified, last_modified: date.unwrap_or(HeaderValue::from_static("")) }
    }

    /// Of what never changes under its name.
    pub(super) fn for_ever(modified: DateTime<Utc>) -> Self {
        Self::new(HeaderValue::from_static(KEEP), modified)
    }
}

/// A browser shows the feed with our style sheet and its images, and does nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const VARY: HeaderValue = HeaderValue::from_static("Accept-Encoding, Sec-Fetch-Dest");
const ANYONE: HeaderValue = HeaderValue::from_static("*");
/// What scripts on other sites may read besides the few headers that they always may (Fetch section 3.2.3).
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Link, Retry-After");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

impl Served {
    /// Writes and compresses a document. Takes milliseconds of processor time: not for a thread that serves.
    pub(super) fn write(feed: &Feed, format: Format) -> Self {
        let bytes = Coded::new(feed.write(format));
        let page = match format {
            Format::Rss | Format::Atom => "application/xml; charset=utf-8",
            Format::Json => "application/json",
        };
        let variant = |content_type: &'static str| Variant::new(content_type, bytes.identity());
        let (reader, browser) = (variant(format.content_type()), variant(page));
        Self { reader, browser, link: link(feed, format), bytes }
    }

    /// How many bytes are held in memory.
    pub(super) fn size(&self) -> usize {
        self.bytes.size()
    }

    /// The whole, or 304 where the request's conditions say that the other side has it.
    pub(super) fn answer(&self, request: &HeaderMap, fresh: &Freshness) -> Response {
        let is_page = request.get(DEST).is_some_and(|dest| dest == "document");
        let variant = if is_page { &self.browser } else { &self.reader };
        let (coding, bytes) = self.bytes.choose(request);
        let known = conditional::known(request, &variant.tag, Some(fresh.modified));
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::ETAG, variant.etag(known.as_ref().and_then(Known::coding).unwrap_or(coding)));
        headers.insert(header::LAST_MODIFIED, fresh.last_modified.clone());
        headers.insert(header::CACHE_CONTROL, fresh.cache.clone());
        headers.insert(header::VARY, VARY);
        // Readers that run in a browser on another site may read feeds: they are public, and no cookie is involved.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        let mut response = Response::new(Body::empty());
        if known.is_some() {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(header::CONTENT_TYPE, variant.content_type.clone());
            if coding != Coding::Identity {
                headers.insert(header::CONTENT_ENCODING, coding.header());
            }
            if let Some(link) = &self.link {
                headers.insert(header::LINK, link.clone());
            }
            if is_page {
                headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
            }
            *response.body_mut() = Body::from(bytes.clone());
        }
        *response.headers_mut() = headers;
        response
    }
}

impl Variant {
    /// The tag comes from type and content alone, so that all nodes agree on it, today and after the next restart.
    fn new(content_type: &'static str, bytes: &[u8]) -> Self {
        let tag = fingerprint(&[content_type.as_bytes(), b"\n", bytes].concat());
        let etag = |coding| {
            let text = match coding {
                Coding::Identity => format!("\"{tag}\""),
                other => format!("\"{tag}-{}\"", other.name()),
            };
            // Hex digits, a hyphen and letters.
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""))
        };
        Self { content_type: HeaderValue::from_static(content_type), etags: CODINGS.map(etag), tag }
    }

    fn etag(&self, coding: Coding) -> HeaderValue {
        let [identity, gzip, zstd, brotli] = &self.etags;
        match coding {
            Coding::Identity => identity,
            Coding::Gzip => gzip,
            Coding::Zstd => zstd,
            Coding::Brotli => brotli,
        }
        .clone()
    }
}

/// `Link: <...>; rel="self", <...>; rel="hub"` where there is a hub (WebSub section 4).
fn link(feed: &Feed, format: Format) -> Option<HeaderValue> {
    if feed.hubs.is_empty() {
        return None;
    }
    let hubs = feed.hubs.iter().map(|hub| format!(", <{hub}>; rel=\"hub\"")).collect::<String>();
    HeaderValue::from_str(&format!("<{}>; rel=\"self\"{hubs}", feed.url(format))).ok()
}
