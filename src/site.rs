//! Where everything is: the public URLs that pages, feeds and mails name. Pure.
//!
//! `base` is `server.url`: it ends with `/` and may have a path of its own. `http` routes what is written here.

use url::Url;

use crate::types::{NewsletterId, Slug};

/// A newsletter's home page; ends with `/`, and everything of the newsletter is below it.
#[must_use]
pub fn home(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/"))
}

/// The page of an issue.
#[must_use]
pub fn issue(base: &Url, newsletter: &NewsletterId, slug: &Slug) -> Url {
    below(base, &format!("{newsletter}/issues/{slug}"))
}

/// Below this, each file of the source that issues show has its path; ends with `/`.
#[must_use]
pub fn files(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/files/"))
}

/// A feed by its file name, such as `atom.xml`.
#[must_use]
pub fn feed(base: &Url, newsletter: &NewsletterId, file_name: &str) -> Url {
    below(base, &format!("{newsletter}/{file_name}"))
}

/// Where the subscribe form is posted.
#[must_use]
pub fn subscribe(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/subscribe"))
}

/// The confirmation page is this followed by a token; ends with `/`.
#[must_use]
pub fn confirm(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/confirm/"))
}

/// The unsubscribe page, and the one-click target of RFC 8058, is this followed by a token; ends with `/`.
#[must_use]
pub fn unsubscribe(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/unsubscribe/"))
}

/// The page where a subscriber changes how often mail comes is this followed by a token; ends with `/`.
#[must_use]
pub fn preferences(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/preferences/"))
}

/// A former path of an issue as it is looked up: without slashes at its ends, query and fragment; `None` when nothing is left.
#[must_use]
pub fn alias(text: &str) -> Option<String> {
    let path = text.split(['?', '#']).next()?.trim().trim_matches('/');
    let path = path.strip_suffix("/index.html").unwrap_or(path);
    (!path.is_empty() && !path.contains("://")).then(|| path.to_owned())
}

/// `base` with `path` after its last `/`. Not `Url::join`: that can fail, and reads some paths as URLs of their own.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let directory = base.path().rfind('/').map_or("/", |slash| &base.path()[..=slash]).to_owned();
    url.set_path(&format!("{directory}{path}"));
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_a_path_without_its_ends() {
        for (text, path) in [
            ("/2018-03-29/", Some("2018-03-29")),
            ("2018/03/news.html", Some("2018/03/news.html")),
            ("/old/index.html", Some("old")),
            ("/", None),
            ("https://example.org/x", None),
        ] {
            assert_eq!(alias(text).as_deref(), path, "{text}");
        }
    }

    #[test]
    fn every_url_is_below_the_base_and_keeps_its_path() {
        let news = NewsletterId::parse("tidings").unwrap();
        for (base, home_url) in [
            ("https://example.org/", "https://example.org/tidings/"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/tidings/"),
            ("https://example.org/news/?x#y", "https://example.org/news/tidings/"),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(home(&base, &news).as_str(), home_url);
            let below_home = [
                (issue(&base, &news, &Slug::parse("march-2020").unwrap()), "issues/march-2020"),
                (files(&base, &news), "files/"),
                (feed(&base, &news, "atom.xml"), "atom.xml"),
                (subscribe(&base, &news), "subscribe"),
                (confirm(&base, &news), "confirm/"),
                (unsubscribe(&base, &news), "unsubscribe/"),
                (preferences(&base, &news), "preferences/"),
            ];
            for (url, path) in below_home {
                assert_eq!(url.as_str(), format!("{home_url}{path}"));
            }
        }
    }
}
