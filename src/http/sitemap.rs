//! The sitemap of an install (sitemaps.org protocol 0.9): every page for readers, or an index of parts where they are too many.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use url::Url;

use super::Web;
use super::answer::{ASK, Representation};
use super::archive::Archive;
use super::error::Error;
use crate::site;
use crate::types::FacetKind;

/// URLs of one sitemap, by the protocol. The other limit, 50 MB, is far above what as many of our URLs take.
const LARGEST: usize = 50_000;

/// A page, and when it last changed.
struct Page {
    url: String,
    changed: Option<DateTime<Utc>>,
}

/// `GET /sitemap.xml`
pub(super) async fn sitemap(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Error> {
    Ok(answer(whole(&web.config().server.url, &pages(&web).await?, LARGEST), &headers))
}

/// `GET /sitemap-{number}.xml`
pub(super) async fn part(web: &Web, number: usize, headers: &HeaderMap) -> Result<Response, Error> {
    Ok(answer(piece(&pages(web).await?, number, LARGEST).ok_or(Error::NotFound)?, headers))
}

/// All pages, or the index of their parts.
fn whole(base: &Url, pages: &[Page], largest: usize) -> String {
    if pages.len() <= largest {
        return urls(pages);
    }
    let mut xml = start("sitemapindex");
    for (number, _) in (1..).zip(pages.chunks(largest)) {
        let url = site::sitemap(base, Some(number));
        xml.push_str(&format!("<sitemap><loc>{}</loc></sitemap>\n", escaped(url.as_str())));
    }
    xml + "</sitemapindex>\n"
}

/// The part with a number, from 1. A sitemap that is whole has none.
fn piece(pages: &[Page], number: usize, largest: usize) -> Option<String> {
    let at = number.checked_sub(1).filter(|_| pages.len() > largest)?;
    pages.chunks(largest).nth(at).map(urls)
}

/// The number in the name of a part.
pub(super) fn number(name: &str) -> Option<usize> {
    name.strip_prefix("sitemap-")?.strip_suffix(".xml")?.parse().ok()
}

fn answer(xml: String, headers: &HeaderMap) -> Response {
    Representation::new("application/xml; charset=utf-8", ASK, xml).answer(headers)
}

/// All pages of all newsletters. An issue whose public URL is on another site belongs into that site's sitemap.
async fn pages(web: &Web) -> Result<Vec<Page>, Error> {
    let base = &web.config().server.url;
    let mut pages = Vec::new();
    if web.config().newsletters.len() > 1 {
        pages.push(Page { url: base.to_string(), changed: None });
    }
    for newsletter in &web.config().newsletters {
        let archive = Archive::current(web, newsletter).await?;
        let home = site::home(base, &newsletter.id).to_string();
        let ours = archive.heads.iter().filter(|head| head.url.starts_with(&home));
        let issues = ours.map(|head| Page { url: head.url.clone(), changed: Some(head.updated) });
        let years = archive.years().into_iter().map(|(year, _)| site::year(base, &newsletter.id, year));
        let facets = FacetKind::ALL.into_iter().flat_map(|kind| archive.facets(kind));
        let facets = facets.map(|count| site::facet(base, &newsletter.id, &count.facet.id));
        let newest = archive.heads.iter().map(|head| head.updated).max();
        pages.push(Page { url: home.clone(), changed: newest });
        pages.extend(issues);
        pages.extend(years.chain(facets).map(|url| Page { url: url.to_string(), changed: None }));
    }
    Ok(pages)
}

fn urls(pages: &[Page]) -> String {
    let mut xml = start("urlset");
    for Page { url, changed } in pages {
        let changed = changed.map(|at| format!("<lastmod>{}</lastmod>", at.format("%Y-%m-%dT%H:%M:%SZ")));
        xml.push_str(&format!("<url><loc>{}</loc>{}</url>\n", escaped(url), changed.unwrap_or_default()));
    }
    xml + "</urlset>\n"
}

fn start(root: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n"
    )
}

/// A URL has no `<` or `>`, but it may have `&` and `'`.
fn escaped(url: &str) -> String {
    url.replace('&', "&amp;").replace('\'', "&apos;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sitemap_names_urls_and_when_they_changed() {
        let page =
            |url: &str, changed: Option<&str>| Page { url: url.into(), changed: changed.map(|at| at.parse().unwrap()) };
        let xml = urls(&[page("https://e.org/n/?a&b", Some("2020-03-02T10:00:00.5Z")), page("https://e.org/", None)]);
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n\
             <url><loc>https://e.org/n/?a&amp;b</loc><lastmod>2020-03-02T10:00:00Z</lastmod></url>\n\
             <url><loc>https://e.org/</loc></url>\n</urlset>\n"
        );
    }

    #[test]
    fn too_many_pages_are_parts_and_an_index() {
        let base = Url::parse("https://e.org/n/").unwrap();
        let pages: Vec<_> = (0..5).map(|n| Page { url: format!("https://e.org/n/{n}"), changed: None }).collect();
        assert!(whole(&base, &pages, 5).contains("<urlset") && piece(&pages, 1, 5).is_none());
        let index = whole(&base, &pages, 2);
        assert_eq!(index.matches("<loc>https://e.org/n/sitemap-").count(), 3);
        let parts: String = (0..9).filter_map(|number| piece(&pages, number, 2)).collect();
        assert_eq!((parts.matches("<urlset").count(), parts.matches("<url><loc>").count()), (3, 5));
    }

    #[test]
    fn parts_have_numbers_and_newsletters_have_none() {
        assert_eq!((number("sitemap-12.xml"), number("sitemap.xml"), number("weekly")), (Some(12), None, None));
    }
}
