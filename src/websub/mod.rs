//! WebSub, W3C Recommendation of 23 January 2018: what a hub takes, where it may connect, and what it makes of an answer. Pure.

pub mod address;
mod request;
mod verdict;

use aws_lc_rs::{digest, hmac};

use crate::types::{Secret, base32, hex};

pub use request::{Callback, Mode, Refusal, Request, check_other_hub};
pub use verdict::{Attempt, Kind, Reply, Verdict, decide};

/// How long subscriptions are looked after, in seconds (section 5.1: the hub decides in the end). Shorter than an hour is more
/// verification than news; after a month without a word nobody may be there any more.
pub const LEASES: std::ops::RangeInclusive<i64> = 3_600..=30 * 86_400;

/// The lease of a reader that does not ask for one: the ten days that the Recommendation suggests.
pub const USUAL_LEASE: i64 = 10 * 86_400;

/// What tells two contents of a feed apart.
#[must_use]
pub fn hash(content: &[u8]) -> String {
    base32(digest::digest(&digest::SHA256, content).as_ref())
}

/// `X-Hub-Signature` of a push (section 7.1): who knows the secret can tell that it comes from us. SHA-256, since the
/// Recommendation advises against the SHA-1 of its predecessor.
#[must_use]
pub fn signature(secret: &Secret, content: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    format!("sha256={}", hex(hmac::sign(&key, content).as_ref()))
}

/// The `Link` header (RFC 8288) of a feed, in answers and in pushes: its own URL, and its hubs (section 4 and section 7).
#[must_use]
pub fn links(hubs: &[String], topic: &str) -> String {
    let hubs = hubs.iter().map(|hub| format!(", <{hub}>; rel=\"hub\""));
    format!("<{topic}>; rel=\"self\"{}", hubs.collect::<String>())
}

/// The URL that a `Link` header of ours calls `self`: what a feed says it is.
#[must_use]
pub fn own_link(links: &str) -> Option<&str> {
    let mut rest = links;
    while let Some((url, behind)) = rest.split_once('<').and_then(|(_, link)| link.split_once('>')) {
        // Up to the next link; no parameter of ours has a `<`.
        let parameters = behind.split('<').next().unwrap_or_default();
        if parameters.contains("rel=\"self\"") {
            return Some(url);
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_signed_with_the_secret() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            signature(&Secret::new("Jefe"), b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_link_header_names_every_hub_and_the_feed_itself() {
        let topic = "https://example.org/n/atom.xml";
        let hubs = ["https://example.org/hub".to_owned(), "https://hub.example/?a=1,%202".to_owned()];
        let header = links(&hubs, topic);
        assert_eq!(
            header,
            "<https://example.org/n/atom.xml>; rel=\"self\", <https://example.org/hub>; rel=\"hub\", \
             <https://hub.example/?a=1,%202>; rel=\"hub\""
        );
        assert_eq!(own_link(&header), Some(topic));
        assert_eq!(own_link(&links(&[], topic)), Some(topic));
        let typed = "<https://example.org/a,b>; rel=\"self\"; type=\"application/atom+xml\", <https://example.org/hub>; rel=\"hub\"";
        assert_eq!(own_link(typed), Some("https://example.org/a,b"));
        for none in ["", "<", "<https://example.org/>; rel=\"alternate\"", "https://example.org/; rel=\"self\""] {
            assert_eq!(own_link(none), None, "{none}");
        }
    }
}
