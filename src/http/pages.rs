//! The pages people read: the newsletters, a newsletter's home, and one issue.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::Web;
use super::answer::{self, Words};
use super::archive::Archive;
use super::error::Error;
use super::{listings, parts, sitemap};
use crate::config::Newsletter;
use crate::issue::Revision;
use crate::renderer::pages::{Article, Facts, Home, Index, IssueLine, IssuePage};
use crate::renderer::{Phrases, contents};
use crate::site;
use crate::types::FacetKind;

/// The issues of an archive that a home page shows whole; of a larger one it shows [`NEWEST`] and the way to the years.
const WHOLE: usize = 30;
const NEWEST: usize = 20;
/// The tags or authors that a home page shows.
const FACETS: usize = 24;

/// `GET /`: the newsletters, or the home of the only one.
pub(super) async fn front(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Error> {
    let base = &web.config().server.url;
    if let [only] = web.config().newsletters.as_slice() {
        return Ok(Redirect::temporary(site::home(base, &only.id).path()).into_response());
    }
    let line = |newsletter: &Newsletter| {
        let home = site::home(base, &newsletter.id).to_string();
        (newsletter.title.clone(), newsletter.description.clone(), home)
    };
    let newsletters = web.config().newsletters.iter().map(line).collect();
    let index = Index { style: web.style_path(), newsletters };
    Ok(answer::page(&headers, index.render(web.templates())?))
}

/// `GET /{newsletter}`, and `GET` of the form's target, which a browser asks for when a page is loaded again. In the same place
/// are the parts of a sitemap: no newsletter has a dot in its name.
pub(super) async fn with_slash(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if let Some(number) = sitemap::number(&name) {
        return sitemap::part(&web, number, &headers).await;
    }
    let newsletter = web.newsletter(&name)?;
    Ok(Redirect::to(site::home(&web.config().server.url, &newsletter.id).path()).into_response())
}

/// `GET /{newsletter}/`
pub(super) async fn home(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let archive = Archive::current(&web, newsletter).await?;
    let all = archive.heads.len() <= WHOLE;
    let shown: Vec<_> = archive.heads.iter().take(if all { WHOLE } else { NEWEST }).collect();
    let years = if all { Vec::new() } else { archive.years() };
    let facets = |kind| {
        let facets = archive.facets(kind);
        parts::ways(&web, newsletter, facets.get(..FACETS).unwrap_or(&facets))
    };
    let authors = facets(FacetKind::Author);
    let home = Home {
        frame: parts::frame(&web, newsletter, &newsletter.language),
        groups: listings::by_year(&shown, web.templates().phrases(&newsletter.language)),
        years: years.into_iter().map(|year| parts::year_way(&web, newsletter, year)).collect(),
        tags: facets(FacetKind::Tag),
        authors: if authors.len() > 1 { authors } else { Vec::new() },
        form: parts::form(&web, newsletter),
    };
    Ok(answer::page(&headers, home.render(web.templates())?))
}

/// `GET /{newsletter}/issues/{slug}`
pub(super) async fn issue(
    State(web): State<Web>,
    Path((name, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let (revision, published) = web.store().issue_by_slug(&newsletter.id, &slug).await?.ok_or(Error::NotFound)?;
    if !published {
        let words = Words {
            heading: "This issue was withdrawn",
            paragraphs: &["Its editors took it back. The other issues are in the archive."],
            button: None,
        };
        return answer::notice(&web, newsletter, StatusCode::GONE, &words);
    }
    let archive = Archive::current(&web, newsletter).await?;
    let (newer, older) = archive.around(&slug);
    let language = revision.language.clone().unwrap_or_else(|| newsletter.language.clone());
    let authors = parts::ways_of(&web, newsletter, FacetKind::Author, &revision.authors);
    let tags = parts::ways_of(&web, newsletter, FacetKind::Tag, &revision.tags);
    let frame = parts::frame(&web, newsletter, &language);
    let phrases = web.templates().phrases(&language);
    let page = IssuePage {
        issue: line(&revision, phrases),
        article: Article::new(&Facts {
            newsletter: (&newsletter.title, &frame.home),
            title: &revision.title,
            summary: &revision.content.summary,
            url: &revision.url,
            published: revision.date,
            modified: revision.updated,
            language: &language,
            authors: &authors,
            tags: &tags,
            image: revision.image.as_deref(),
        }),
        frame,
        authors,
        tags,
        image: revision.image,
        contents: contents(&revision.content.web),
        html: revision.content.web,
        previous: older.map(|head| parts::line(head, phrases)),
        next: newer.map(|head| parts::line(head, phrases)),
        form: parts::form(&web, newsletter),
    };
    Ok(answer::page(&headers, page.render(web.templates())?))
}

fn line(revision: &Revision, phrases: Phrases<'_>) -> IssueLine {
    IssueLine {
        title: revision.title.clone(),
        url: revision.url.clone(),
        date: revision.date.to_rfc3339(),
        date_words: phrases.date(revision.date),
        summary: revision.content.summary.clone(),
    }
}

/// Redirects for good to the issue that was at this path before.
pub(super) async fn moved(web: &Web, newsletter: &Newsletter, path: &str) -> Result<Response, Error> {
    let path = site::alias(path).ok_or(Error::NotFound)?;
    let url = web.store().redirect(&newsletter.id, &path).await?.ok_or(Error::NotFound)?;
    Ok(Redirect::permanent(&url).into_response())
}
