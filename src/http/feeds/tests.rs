//! What an answer says besides the feed.

use axum::http::{HeaderMap, HeaderName, header};

use super::served::Served;
use super::*;
use crate::feed::plan::{Document, Limits, Plan};
use crate::feed::{Feed, Format};
use crate::http::coding::Coding;

const TYPES: [(Format, &str, &str); 3] = [
    (Format::Atom, "application/atom+xml; charset=utf-8", "application/xml; charset=utf-8"),
    (Format::Rss, "application/rss+xml; charset=utf-8", "application/xml; charset=utf-8"),
    (Format::Json, "application/feed+json", "application/json"),
];

fn about() -> About {
    About {
        newsletter: NewsletterId::parse("n").unwrap(),
        facet: None,
        title: "N".into(),
        description: "News that compresses, compresses, compresses, compresses and compresses".into(),
        language: "en".into(),
        home: "https://example.org/n/".into(),
        icon: "https://example.org/icon.png".into(),
        logo: None,
        hubs: vec!["https://hub.example.org/".into()],
        stylesheet: "/feed.css".into(),
        since: "2020-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn served(format: Format) -> Served {
    let plan = Plan::new(&about(), vec![], Limits { entries: 20, bytes: 1000 });
    let feed = Feed::assemble(&about(), &about().home, plan.chain("/", Document::Current), vec![]);
    Served::write(&feed, format, Coding::Identity)
}

async fn asked(served: &Served, request: &[(HeaderName, &str)]) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    for (name, value) in request {
        headers.insert(name, value.parse().unwrap());
    }
    let modified = "2020-03-14T10:00:00.5Z".parse().unwrap();
    let fresh = Freshness { cache: LONGEST, modified, last_modified: served::last_modified(modified) };
    let at_hand = served.at_hand(&headers, &fresh);
    let answer = served.answer(&headers, &fresh).await;
    if let Some(at_hand) = at_hand {
        assert_eq!((at_hand.status(), at_hand.headers()), (answer.status(), answer.headers()));
    }
    let again = served.at_hand(&headers, &fresh).expect("it was asked for before");
    assert_eq!((again.headers(), again.body()), (answer.headers(), answer.body()));
    answer
}

fn header_of(response: &Response<Bytes>, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_feed_has_its_type_its_validators_and_is_open_to_every_origin() {
    for (format, reader, browser) in TYPES {
        let served = served(format);
        let response = asked(&served, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", reader),
            ("last-modified", "Sat, 14 Mar 2020 10:00:00 GMT"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "public, max-age=300"),
            ("vary", "Accept-Encoding, Sec-Fetch-Dest"),
            ("content-encoding", ""),
            ("content-security-policy", ""),
        ] {
            assert_eq!(header_of(&response, name), value, "{name}");
        }
        let link = format!(
            "<https://example.org/n/{}>; rel=\"self\", <https://hub.example.org/>; rel=\"hub\"",
            format.file_name()
        );
        assert_eq!(header_of(&response, "link"), link);
        let page = asked(&served, &[(HeaderName::from_static("sec-fetch-dest"), "document")]).await;
        assert_eq!(header_of(&page, "content-type"), browser);
        assert_ne!(header_of(&page, "etag"), header_of(&response, "etag"), "another type is another representation");
        assert!(header_of(&page, "content-security-policy").contains("style-src 'self'"));
    }
}

#[tokio::test]
async fn each_coding_and_each_format_has_a_tag_of_its_own() {
    let mut tags = std::collections::HashSet::new();
    for format in Format::ALL {
        let served = served(format);
        for coding in ["identity", "gzip", "zstd", "br"] {
            let response = asked(&served, &[(header::ACCEPT_ENCODING, coding)]).await;
            let (etag, encoding) = (header_of(&response, "etag"), header_of(&response, "content-encoding"));
            assert_eq!(if encoding.is_empty() { "identity" } else { &encoding }, coding);
            assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
            assert!(tags.insert(etag));
        }
    }
    assert_eq!(tags.len(), 12);
}

#[tokio::test]
async fn who_has_the_feed_gets_304_with_the_validators_of_what_it_has_and_no_body() {
    let served = served(Format::Atom);
    let zipped = asked(&served, &[(header::ACCEPT_ENCODING, "gzip")]).await;
    let tag = header_of(&zipped, "etag");
    let plain = tag.replace("-gzip", "");
    let date = "Sat, 14 Mar 2020 10:00:00 GMT";
    for (condition, told) in [
        ((header::IF_NONE_MATCH, tag.clone()), tag.clone()),
        ((header::IF_NONE_MATCH, format!("W/{tag}")), tag.clone()),
        ((header::IF_NONE_MATCH, plain.clone()), plain.clone()),
        ((header::IF_NONE_MATCH, format!("\"x\", W/{plain}")), plain.clone()),
        ((header::IF_NONE_MATCH, "*".to_owned()), tag.clone()),
        ((header::IF_MODIFIED_SINCE, date.to_owned()), tag.clone()),
    ] {
        let (name, value) = condition;
        let response = asked(&served, &[(header::ACCEPT_ENCODING, "gzip"), (name, &value)]).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{value}");
        assert_eq!(header_of(&response, "etag"), told, "{value}");
        for name in ["last-modified", "cache-control", "vary", "access-control-allow-origin"] {
            assert_eq!(header_of(&response, name), header_of(&zipped, name), "{name}");
        }
        for name in ["content-type", "content-encoding"] {
            assert_eq!(header_of(&response, name), "", "{name}");
        }
    }
    let stale = [(header::IF_NONE_MATCH, "\"other\""), (header::IF_MODIFIED_SINCE, date)];
    assert_eq!(asked(&served, &stale).await.status(), StatusCode::OK, "the tag is asked before the date");
}

#[test]
fn a_feed_is_kept_until_the_next_issue_is_due_and_no_longer() {
    let now = "2020-03-14T12:00:00Z".parse().unwrap();
    for (next, expected) in [
        ("2020-03-15T12:00:00Z", LONGEST),
        ("2020-03-14T12:02:05Z", HeaderValue::from_static("public, max-age=125")),
        ("2020-03-14T12:00:01.900Z", HeaderValue::from_static("public, max-age=1")),
        ("2020-03-14T11:59:00Z", HeaderValue::from_static("public, max-age=0")),
    ] {
        assert_eq!(until(next.parse().unwrap(), now), expected, "{next}");
    }
}
