//! A document of a feed as it is served: its bytes in every coding, and the headers of its answers, made once.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use chrono::{DateTime, Utc};

use crate::feed::{Feed, Format};
use crate::http::answer::{KEEP, fingerprint};
use crate::http::coding::{Coded, Coding};
use crate::http::conditional::{self, Known};
use crate::http::headers;
use crate::websub;

/// A document that is ready to be copied out.
#[derive(Debug)]
pub(super) struct Served {
    bytes: Coded,
    reader: Variant,
    browser: Variant,
}

/// The document for readers, or for a browser that shows it as a page: the bytes are the same, their type is not.
#[derive(Debug)]
struct Variant {
    /// What entity tags begin with, without quotation marks.
    tag: String,
    /// The entity tags of the codings in the order of [`CODINGS`].
    etags: [HeaderValue; 4],
    /// The headers of the whole and of a 304. To copy them and to put in what differs costs half of making them.
    whole: HeaderMap,
    unchanged: HeaderMap,
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
    /// Of what never changes under its name.
    pub(super) fn for_ever(modified: DateTime<Utc>) -> Self {
        Self { cache: HeaderValue::from_static(KEEP), modified, last_modified: last_modified(modified) }
    }
}

/// A date as a header.
pub(super) fn last_modified(at: DateTime<Utc>) -> HeaderValue {
    // A date of HTTP is ASCII.
    HeaderValue::from_str(&conditional::http_date(at)).unwrap_or(HeaderValue::from_static(""))
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
    /// Writes a document for somebody who takes `coding`. Takes milliseconds of processor time: not for a thread that serves.
    pub(super) fn write(feed: &Feed, format: Format, coding: Coding) -> Self {
        let bytes = Coded::new(feed.write(format)).with(coding);
        let page = match format {
            Format::Rss | Format::Atom => "application/xml; charset=utf-8",
            Format::Json => "application/json",
        };
        let (link, content) = (link(feed, format), fingerprint(bytes.identity()));
        let reader = Variant::new(format.content_type(), &content, link.as_ref());
        let mut browser = Variant::new(page, &content, link.as_ref());
        browser.whole.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        Self { reader, browser, bytes }
    }

    /// How many bytes are held in memory.
    pub(super) fn size(&self) -> usize {
        self.bytes.size()
    }

    /// The whole, or 304 where the request's conditions say that the other side has it.
    pub(super) async fn answer(&self, request: &HeaderMap, fresh: &Freshness) -> Response<Bytes> {
        if let Some(answer) = self.at_hand(request, fresh) {
            return answer;
        }
        let coding = Coding::choose(request);
        self.bytes.make(coding).await;
        let (coding, bytes) = self.bytes.made(coding).unwrap_or((Coding::Identity, self.bytes.identity()));
        self.variant(request).whole(coding, bytes, fresh)
    }

    /// The same, where nothing must be compressed for it.
    pub(super) fn at_hand(&self, request: &HeaderMap, fresh: &Freshness) -> Option<Response<Bytes>> {
        let variant = self.variant(request);
        match conditional::known(request, &variant.tag, Some(fresh.modified)) {
            Some(Known::Tag(coding)) => Some(variant.unchanged(coding, fresh)),
            Some(Known::Otherwise) => {
                let coding = Coding::choose(request);
                let made = self.bytes.made(coding).map_or(coding, |(made, _)| made);
                Some(variant.unchanged(made, fresh))
            }
            None => {
                let (coding, bytes) = self.bytes.made(Coding::choose(request))?;
                Some(variant.whole(coding, bytes, fresh))
            }
        }
    }

    fn variant(&self, request: &HeaderMap) -> &Variant {
        let is_page = request.get(DEST).is_some_and(|dest| dest == "document");
        if is_page { &self.browser } else { &self.reader }
    }
}

impl Variant {
    /// The tag comes from type and content alone, so that all nodes agree on it, today and after the next restart. `content` is the
    /// fingerprint of the bytes.
    fn new(content_type: &'static str, content: &str, link: Option<&HeaderValue>) -> Self {
        let tag = fingerprint(format!("{content_type}\n{content}").as_bytes());
        let etag = |coding| {
            let text = match coding {
                Coding::Identity => format!("\"{tag}\""),
                other => format!("\"{tag}-{}\"", other.name()),
            };
            // Hex digits, a hyphen and letters.
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""))
        };
        let mut unchanged = HeaderMap::with_capacity(16);
        for (name, value) in [
            // Each answer has its own of the first three.
            (header::ETAG, HeaderValue::from_static("")),
            (header::LAST_MODIFIED, HeaderValue::from_static("")),
            (header::CACHE_CONTROL, HeaderValue::from_static("")),
            (header::VARY, VARY),
            // Readers that run in a browser on another site may read feeds: they are public, and no cookie is involved.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        ] {
            unchanged.insert(name, value);
        }
        // What guards a page guards nothing in an answer without one (RFC 9110 section 15.4.5).
        let mut whole = unchanged.clone();
        headers::guard(&mut whole);
        whole.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        whole.insert(header::CONTENT_ENCODING, HeaderValue::from_static(""));
        if let Some(link) = link {
            whole.insert(header::LINK, link.clone());
        }
        Self { etags: CODINGS.map(etag), tag, whole, unchanged }
    }

    fn whole(&self, coding: Coding, bytes: &Bytes, fresh: &Freshness) -> Response<Bytes> {
        let mut response = Response::new(bytes.clone());
        *response.headers_mut() = self.completed(&self.whole, coding, fresh);
        match coding {
            Coding::Identity => response.headers_mut().remove(header::CONTENT_ENCODING),
            other => response.headers_mut().insert(header::CONTENT_ENCODING, other.header()),
        };
        response
    }

    fn unchanged(&self, coding: Coding, fresh: &Freshness) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = self.completed(&self.unchanged, coding, fresh);
        response
    }

    fn completed(&self, headers: &HeaderMap, coding: Coding, fresh: &Freshness) -> HeaderMap {
        let mut headers = headers.clone();
        headers.insert(header::ETAG, self.etag(coding));
        headers.insert(header::LAST_MODIFIED, fresh.last_modified.clone());
        headers.insert(header::CACHE_CONTROL, fresh.cache.clone());
        headers
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
    HeaderValue::from_str(&websub::links(&feed.hubs, &feed.url(format))).ok()
}
