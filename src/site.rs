//! Where everything is: the public URLs that pages, feeds and mails name. Pure.
//!
//! `base` is `server.url`: it ends with `/` and may have a path of its own. `http` routes what is written here.

use url::Url;

use crate::types::{FacetId, NewsletterId, Slug};

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

/// The page of a tag or an author; ends with `/`, and its feeds are below it by their file names.
#[must_use]
pub fn facet(base: &Url, newsletter: &NewsletterId, facet: &FacetId) -> Url {
    below(base, &format!("{newsletter}/{facet}/"))
}

/// The page of a year of a newsletter's archive; ends with `/`.
#[must_use]
pub fn year(base: &Url, newsletter: &NewsletterId, year: i32) -> Url {
    below(base, &format!("{newsletter}/archive/{year}/"))
}

/// The page that searches a newsletter's issues.
#[must_use]
pub fn search(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/search"))
}

/// The sitemap of an install, or the part with this number, from 1, where it has several.
#[must_use]
pub fn sitemap(base: &Url, part: Option<usize>) -> Url {
    below(base, &part.map_or_else(|| "sitemap.xml".to_owned(), |number| format!("sitemap-{number}.xml")))
}

/// The page that lists all feeds of a newsletter; ends with `/`.
#[must_use]
pub fn feeds(base: &Url, newsletter: &NewsletterId) -> Url {
    below(base, &format!("{newsletter}/feeds/"))
}

/// The picture that feeds have when a newsletter has none.
#[must_use]
pub fn icon(base: &Url) -> Url {
    below(base, "icon.png")
}

/// The style sheet of feeds that are opened in a browser.
#[must_use]
pub fn feed_style(base: &Url) -> Url {
    below(base, "feed.css")
}

/// All feeds of an install as OPML.
#[must_use]
pub fn opml(base: &Url) -> Url {
    below(base, "feeds.opml")
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

/// Where readers subscribe to feeds: the WebSub hub.
#[must_use]
pub fn hub(base: &Url) -> Url {
    below(base, "hub")
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
    use crate::types::FacetKind;

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
                (facet(&base, &news, &FacetId::parse(FacetKind::Tag, "rust").unwrap()), "tags/rust/"),
                (facet(&base, &news, &FacetId::parse(FacetKind::Author, "ada").unwrap()), "authors/ada/"),
                (feeds(&base, &news), "feeds/"),
                (year(&base, &news, 2020), "archive/2020/"),
                (search(&base, &news), "search"),
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
