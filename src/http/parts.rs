//! The parts that pages share: the frame around them, lines and ways of archives, the style sheet, icons, the word to robots.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::answer::{KEEP, Representation};
use crate::config::Newsletter;
use crate::feed::Format;
use crate::issue::direction;
use crate::renderer::Phrases;
use crate::renderer::pages::{FeedLink, Form, Frame, IssueLine, Way};
use crate::site;
use crate::store::{FacetCount, IssueHead};
use crate::types::{Facet, FacetKind, FieldName, Fields};

/// Icons are asked for by every browser, and change once in years.
const A_DAY: &str = "public, max-age=86400";

/// `GET /style-HASH.css`
pub(super) async fn style(State(web): State<Web>, headers: HeaderMap) -> Response {
    Representation::new("text/css; charset=utf-8", KEEP, web.templates().style().to_owned()).answer(&headers)
}

/// `GET /robots.txt`: the pages of single people are not for search engines, nor is our search, which has no end.
pub(super) async fn robots(State(web): State<Web>) -> Response {
    let root = web.root();
    let base = &web.config().server.url;
    let closed = ["confirm/", "unsubscribe/", "preferences/", "search"]
        .map(|path| format!("Disallow: {root}*/{path}\n"))
        .concat();
    format!("User-agent: *\n{closed}\nSitemap: {}\n", site::sitemap(base, None)).into_response()
}

/// `GET /favicon.svg`
pub(super) async fn icon(State(web): State<Web>, headers: HeaderMap) -> Response {
    Representation::new("image/svg+xml", A_DAY, web.templates().icon().to_owned()).answer(&headers)
}

/// `GET /favicon.ico`, which browsers ask for whatever a page says, and feed readers know only.
pub(super) async fn old_icon(State(web): State<Web>, headers: HeaderMap) -> Response {
    Representation::new("image/x-icon", A_DAY, web.templates().old_icon().to_vec()).answer(&headers)
}

/// What every page of a newsletter shows around its content.
pub(super) fn frame(web: &Web, newsletter: &Newsletter, language: &str) -> Frame {
    let base = &web.config().server.url;
    Frame {
        newsletter: newsletter.title.clone(),
        description: newsletter.description.clone(),
        language: language.to_owned(),
        direction: direction(language),
        home: site::home(base, &newsletter.id).to_string(),
        root: web.root().to_owned(),
        style: web.style_path(),
        search: (!web.is_still()).then(|| site::search(base, &newsletter.id).path().to_owned()),
        all_feeds: site::feeds(base, &newsletter.id).to_string(),
        feeds: feeds(web, newsletter),
    }
}

/// The feeds of a newsletter.
fn feeds(web: &Web, newsletter: &Newsletter) -> Vec<FeedLink> {
    let feed = |format: Format| FeedLink {
        title: format.title().to_owned(),
        url: site::feed(&web.config().server.url, &newsletter.id, format.file_name()).to_string(),
        media_type: format.media_type().to_owned(),
    };
    Format::ALL.into_iter().map(feed).collect()
}

/// The subscribe form; none where nobody answers it. Its target is a path and not a URL: our policy lets a form go to the host the
/// page came from, whatever name the reader used for it.
pub(super) fn form(web: &Web, newsletter: &Newsletter) -> Option<Form> {
    let action = site::subscribe(&web.config().server.url, &newsletter.id).path().to_owned();
    let cadences = cadences(newsletter);
    let fields = fields(newsletter, &Fields::default());
    (!web.is_still()).then_some(Form { action, cadences, fields })
}

/// The cadences that there are to choose from: name and title.
pub(super) fn cadences(newsletter: &Newsletter) -> Vec<(String, String)> {
    newsletter.cadences.iter().map(|cadence| (cadence.id.to_string(), cadence.title.clone())).collect()
}

/// What the newsletter asks subscribers about themselves: name, label, and what is known.
pub(super) fn fields(newsletter: &Newsletter, known: &Fields) -> Vec<(String, String, String)> {
    let field = |name: &FieldName| {
        (name.as_str().to_owned(), name.label(), known.get(name.as_str()).unwrap_or_default().to_owned())
    };
    newsletter.fields.iter().map(field).collect()
}

/// The line of an issue in an archive.
pub(super) fn line(head: &IssueHead, phrases: Phrases<'_>) -> IssueLine {
    let IssueHead { title, url, date, summary, .. } = head;
    IssueLine {
        title: title.clone(),
        url: url.clone(),
        date: date.format("%Y-%m-%d").to_string(),
        date_words: phrases.date(*date),
        summary: summary.clone(),
    }
}

/// Links to the pages of tags or authors, with the number of their issues.
pub(super) fn ways(web: &Web, newsletter: &Newsletter, counts: &[&FacetCount]) -> Vec<Way> {
    let way = |count: &&FacetCount| Way {
        title: count.facet.name.clone(),
        url: site::facet(&web.config().server.url, &newsletter.id, &count.facet.id).to_string(),
        count: usize::try_from(count.issues).unwrap_or_default(),
    };
    counts.iter().map(way).collect()
}

/// Links to the pages of one issue's tags or authors.
pub(super) fn ways_of(web: &Web, newsletter: &Newsletter, kind: FacetKind, names: &[String]) -> Vec<Way> {
    let facets = names.iter().filter_map(|name| Facet::new(kind, name));
    let counts: Vec<_> = facets.map(|facet| FacetCount { facet, issues: 1 }).collect();
    ways(web, newsletter, &counts.iter().collect::<Vec<_>>())
}

/// A link to the page of a year.
pub(super) fn year_way(web: &Web, newsletter: &Newsletter, (year, count): (i32, usize)) -> Way {
    let url = site::year(&web.config().server.url, &newsletter.id, year).to_string();
    Way { title: year.to_string(), url, count }
}
