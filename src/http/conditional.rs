//! Conditional requests, RFC 9110 section 13: does the other side have what we would send? Pure.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, SubsecRound, Utc};

use super::coding::Coding;

/// How the other side says that it has what we would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// By the entity tag, in the form that marks this coding.
    Tag(Coding),
    /// By `*` or by date.
    Otherwise,
}

/// Whether a GET or HEAD is answered by 304. `If-None-Match` takes precedence over `If-Modified-Since` (section 13.2.2). `tag` is
/// the opaque tag without quotation marks and coding.
pub(super) fn known(request: &HeaderMap, tag: &str, modified: Option<DateTime<Utc>>) -> Option<Known> {
    let mut tags = request.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags.filter_map(|value| value.to_str().ok()).find_map(|list| names(list, tag));
    }
    let since = request.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok()).and_then(parse_http_date);
    match (modified, since) {
        (Some(modified), Some(since)) => (modified.trunc_subsecs(0) <= since).then_some(Known::Otherwise),
        _ => None,
    }
}

/// Whether a list of entity tags names this one, or is `*`. The weak comparison of section 8.8.3.2: `W/` does not matter, since
/// a proxy that compresses makes our strong tag weak. Others put the coding behind the tag; we do too, so it is the same content.
/// A tag may hold commas, so the list is read tag by tag.
fn names(list: &str, tag: &str) -> Option<Known> {
    let mut rest = list.trim();
    if rest == "*" {
        return Some(Known::Otherwise);
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        rest = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (named, after) = rest.split_once('"')?;
        if let Some(coding) = named.strip_prefix(tag).and_then(suffix) {
            return Some(Known::Tag(coding));
        }
        rest = after;
    }
}

/// The coding that the end of a tag marks; `None` where it is the end of another tag.
fn suffix(end: &str) -> Option<Coding> {
    if end.is_empty() {
        return Some(Coding::Identity);
    }
    // Jetty writes two hyphens.
    let name = end.strip_prefix("--").or_else(|| end.strip_prefix('-'))?;
    Coding::ALL.into_iter().find(|coding| coding.name() == name)
}

/// The preferred form of a date in HTTP, section 5.6.7.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads the preferred form. One that is obsolete or wrong is no condition: the answer is then the whole, which is never wrong.
fn parse_http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "abc";

    fn has_it(request: &HeaderMap, tag: &str, modified: Option<DateTime<Utc>>) -> bool {
        known(request, tag, modified).is_some()
    }

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn at(text: &str) -> Option<DateTime<Utc>> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn if_none_match_compares_weakly_and_reads_lists() {
        for (list, has) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("*", true),
            ("\"x\", W/\"y\" , \"abc\"", true),
            ("\"a,b\",\"abc\"", true),
            ("\"x,\"abc\"", false),
            ("abc", false),
            ("\"abcd\"", false),
            ("\"ABC\"", false),
            ("\"abc", false),
            ("", false),
            ("\"x\" *", false),
            ("\"abc-gzip\"", true),
            ("W/\"abc-br\"", true),
            ("\"abc--gzip\"", true),
            ("\"abc-zstd\"", true),
            ("\"abc-\"", false),
            ("\"abc-deflate\"", false),
            ("\"abcgzip\"", false),
        ] {
            assert_eq!(has_it(&headers(&[(header::IF_NONE_MATCH, list)]), TAG, None), has, "{list}");
        }
    }

    #[test]
    fn the_coding_that_was_named_is_told() {
        for (list, expected) in [
            ("\"abc\"", Known::Tag(Coding::Identity)),
            ("\"x\", W/\"abc-gzip\"", Known::Tag(Coding::Gzip)),
            ("\"abc-br\"", Known::Tag(Coding::Brotli)),
            ("*", Known::Otherwise),
        ] {
            let known = known(&headers(&[(header::IF_NONE_MATCH, list)]), TAG, None);
            assert_eq!(known, Some(expected), "{list}");
        }
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let request = headers(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, "\"abc\"")]);
        assert!(has_it(&request, TAG, None));
    }

    #[test]
    fn if_modified_since_counts_whole_seconds() {
        let request = headers(&[(header::IF_MODIFIED_SINCE, THEN)]);
        for (modified, has) in [
            ("1994-11-06T08:49:37Z", true),
            ("1994-11-06T08:49:37.999Z", true),
            ("1994-11-06T08:49:38Z", false),
            ("1994-11-06T08:49:36Z", true),
        ] {
            assert_eq!(has_it(&request, TAG, at(modified)), has, "{modified}");
        }
        assert!(!has_it(&request, TAG, None), "without a date of ours there is nothing to compare");
    }

    #[test]
    fn if_none_match_is_asked_before_if_modified_since() {
        let request = headers(&[(header::IF_NONE_MATCH, "\"old\""), (header::IF_MODIFIED_SINCE, THEN)]);
        assert!(!has_it(&request, TAG, at("1994-11-06T08:49:37Z")));
    }

    #[test]
    fn a_date_that_is_none_is_no_condition() {
        for date in ["", "soon", "Sunday, 06-Nov-94 08:49:37 GMT", "0"] {
            assert!(!has_it(&headers(&[(header::IF_MODIFIED_SINCE, date)]), TAG, at("1990-01-01T00:00:00Z")), "{date}");
        }
    }

    #[test]
    fn a_date_reads_back() {
        let then = at("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(http_date(then), THEN);
        assert_eq!(parse_http_date(THEN), Some(then));
    }

    #[test]
    fn no_condition_means_the_whole() {
        assert!(!has_it(&HeaderMap::new(), TAG, at("1990-01-01T00:00:00Z")));
    }
}
