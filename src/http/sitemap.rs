//! The sitemap of an install (sitemaps.org protocol 0.9): every page for readers, or an index of parts where they are too many.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};

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
    let pages = pages(&web).await?;
    let xml = if pages.len() <= LARGEST { urls(&pages) } else { index(&web, pages.chunks(LARGEST)) };
    Ok(answer(xml, &headers))
}

/// `GET /sitemap-{number}.xml`
pub(super) async fn part(web: &Web, number: usize, headers: &HeaderMap) -> Result<Response, Error> {
    let pages = pages(web).await?;
    let at = number.checked_sub(1).filter(|_| pages.len() > LARGEST).ok_or(Error::NotFound)?;
    Ok(answer(urls(pages.chunks(LARGEST).nth(at).ok_or(Error::NotFound)?), headers))
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

fn index<'a>(web: &Web, parts: impl Iterator<Item = &'a [Page]>) -> String {
    let mut xml = start("sitemapindex");
    for (number, _) in (1..).zip(parts) {
        let url = site::sitemap(&web.config().server.url, Some(number));
        xml.push_str(&format!("<sitemap><loc>{}</loc></sitemap>\n", escaped(url.as_str())));
    }
    xml + "</sitemapindex>\n"
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
    fn parts_have_numbers_and_newsletters_have_none() {
        assert_eq!((number("sitemap-12.xml"), number("sitemap.xml"), number("weekly")), (Some(12), None, None));
    }
}
