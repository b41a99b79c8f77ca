//! The headers that every answer carries, so that a browser trusts a page no further than it must.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// A public page loads its style sheet and images and posts to us; nothing else, and no script at all. Images come from anywhere,
/// since issues show them from anywhere.
const PUBLIC: &str = "default-src 'none'; img-src 'self' https: http: data:; style-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A private page also frames the HTML of a mail.
const PRIVATE: &str = "default-src 'none'; img-src 'self'; style-src 'self'; frame-src 'self'; form-action 'none'; \
                       base-uri 'none'; frame-ancestors 'none'";

/// For what readers reach.
pub(super) async fn public(response: Response) -> Response {
    guarded(response, PUBLIC)
}

/// For what operators reach.
pub(super) async fn private(response: Response) -> Response {
    guarded(response, PRIVATE)
}

fn guarded(mut response: Response, policy: &'static str) -> Response {
    guard(response.headers_mut());
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        let policy = HeaderValue::from_static(policy);
        response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// Puts in what is not about pages only, where it is not set.
pub(super) fn guard(headers: &mut HeaderMap) {
    let mut unless_set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // The URL of a token page is a key: no other site may learn it.
    unless_set(header::REFERRER_POLICY, "no-referrer");
}
