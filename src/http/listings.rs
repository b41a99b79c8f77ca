//! Pages that list some of a newsletter's issues: those of a year, of a tag, of an author.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, FixedOffset};

use super::Web;
use super::answer;
use super::archive::Archive;
use super::error::Error;
use super::parts;
use crate::config::Newsletter;
use crate::feed::Format;
use crate::renderer::Phrases;
use crate::renderer::pages::{FeedLink, Group, Listing};
use crate::site;
use crate::store::IssueHead;
use crate::types::{FacetId, FacetKind};

/// With more issues than this a page leaves their summaries out.
const BRIEF: usize = 60;
/// The issues of a tag or an author that a page shows; the years have the others. Some 100 KB.
const MOST: usize = 400;

/// `GET /{newsletter}/archive/{year}/`
pub(super) async fn year(
    State(web): State<Web>,
    Path((name, year)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    // One spelling only: `2020`, not `02020` or `+2020`.
    let number: i32 = year.parse().ok().filter(|number: &i32| number.to_string() == year).ok_or(Error::NotFound)?;
    let archive = Archive::current(&web, newsletter).await?;
    let heads = archive.of_year(number);
    if heads.is_empty() {
        return Err(Error::NotFound);
    }
    let language = &newsletter.language;
    let years = archive.years();
    let at = years.iter().position(|(other, _)| *other == number).unwrap_or_default();
    // The year after stands before it.
    let around = at.checked_sub(1).into_iter().chain([at + 1]).filter_map(|at| years.get(at));
    let phrases = web.templates().phrases(language);
    let page = Listing {
        frame: parts::frame(&web, newsletter, language),
        title: year,
        kind: "year",
        url: site::year(&web.config().server.url, &newsletter.id, number).to_string(),
        count: heads.len(),
        more: 0,
        brief: heads.len() > BRIEF,
        groups: grouped(&heads, phrases, |date| phrases.month(date)),
        years: around.map(|year| parts::year_way(&web, newsletter, *year)).collect(),
    };
    Ok(answer::page(&headers, page.render(web.templates())?))
}

/// `GET /{newsletter}/tags/{slug}/`
pub(super) async fn tag(
    State(web): State<Web>,
    Path((name, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    facet(&web, web.newsletter(&name)?, FacetKind::Tag, &slug, &headers).await
}

/// `GET /{newsletter}/authors/{slug}/`
pub(super) async fn author(
    State(web): State<Web>,
    Path((name, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    facet(&web, web.newsletter(&name)?, FacetKind::Author, &slug, &headers).await
}

async fn facet(
    web: &Web,
    newsletter: &Newsletter,
    kind: FacetKind,
    slug: &str,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let id = FacetId::parse(kind, slug).map_err(|_| Error::NotFound)?;
    let known = web.store().facet(&newsletter.id, &id).await?.ok_or(Error::NotFound)?;
    let heads = web.store().facet_archive(&newsletter.id, &id).await?;
    let shown: Vec<_> = heads.iter().take(MOST).collect();
    let more = heads.len() - shown.len();
    let years = if more == 0 { Vec::new() } else { Archive::current(web, newsletter).await?.years() };
    let url = site::facet(&web.config().server.url, &newsletter.id, &id);
    let feed = |format: Format| FeedLink {
        title: format.title().to_owned(),
        url: format!("{url}{}", format.file_name()),
        media_type: format.media_type().to_owned(),
    };
    let mut frame = parts::frame(web, newsletter, &newsletter.language);
    frame.feeds = Format::ALL.into_iter().map(feed).collect();
    let page = Listing {
        frame,
        title: known.facet.name,
        kind: kind.as_str(),
        url: url.to_string(),
        count: heads.len(),
        more,
        brief: shown.len() > BRIEF,
        groups: by_year(&shown, web.templates().phrases(&newsletter.language)),
        years: years.into_iter().map(|year| parts::year_way(web, newsletter, year)).collect(),
    };
    Ok(answer::page(headers, page.render(web.templates())?))
}

/// Issues in groups of a year each.
pub(super) fn by_year(heads: &[&IssueHead], phrases: Phrases<'_>) -> Vec<Group> {
    grouped(heads, phrases, |date| date.format("%Y").to_string())
}

/// Issues in groups that have one title, in the order in which they come.
fn grouped(heads: &[&IssueHead], phrases: Phrases<'_>, title: impl Fn(DateTime<FixedOffset>) -> String) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for head in heads {
        let (title, line) = (title(head.date), parts::line(head, phrases));
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.issues.push(line),
            None => groups.push(Group { title, issues: vec![line] }),
        }
    }
    groups
}
