//! All feeds: as a page for people, as OPML for their readers, and as paths for `tidings render`.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::home;
use crate::config::Newsletter;
use crate::feed::Format;
use crate::feed::opml::{self, Outline};
use crate::feed::plan::{ARCHIVE, Plan};
use crate::http::answer::{self, ASK, Representation};
use crate::http::error::Error;
use crate::http::{Web, parts};
use crate::renderer::feeds::{FeedGroup, FeedLine, FeedsPage};
use crate::renderer::pages::FeedLink;
use crate::site;
use crate::store::{FacetCount, StoreError};
use crate::types::FacetKind;

const OPML: &str = "text/x-opml; charset=utf-8";

/// `GET /{newsletter}/feeds/`
pub(in crate::http) async fn list(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let facets = web.store().facets(&newsletter.id).await?;
    let phrases = web.templates().phrases(&newsletter.language);
    let group = |kind| FeedGroup {
        heading: phrases.say(heading(kind)).to_owned(),
        feeds: of_kind(&facets, kind).map(|count| line(&web, newsletter, Some(count))).collect(),
    };
    let page = FeedsPage {
        frame: parts::frame(&web, newsletter, &newsletter.language),
        all: line(&web, newsletter, None),
        groups: FacetKind::ALL.map(group).into_iter().filter(|group| !group.feeds.is_empty()).collect(),
        opml: site::feed(&web.config().server.url, &newsletter.id, OPML_FILE).into(),
        install_opml: (web.config().newsletters.len() > 1).then(|| site::opml(&web.config().server.url).into()),
    };
    Ok(answer::page(&headers, page.render(web.templates())?))
}

fn heading(kind: FacetKind) -> &'static str {
    match kind {
        FacetKind::Tag => "Tags",
        FacetKind::Author => "Authors",
    }
}

fn of_kind(facets: &[FacetCount], kind: FacetKind) -> impl Iterator<Item = &FacetCount> {
    facets.iter().filter(move |count| count.facet.id.kind == kind)
}

fn line(web: &Web, newsletter: &Newsletter, count: Option<&FacetCount>) -> FeedLine {
    let home = home(web, newsletter, count.map(|count| &count.facet.id));
    let link = |format: Format| FeedLink {
        title: format.title().to_owned(),
        url: format!("{home}{}", format.file_name()),
        media_type: format.media_type().to_owned(),
    };
    FeedLine {
        title: count.map_or_else(|| newsletter.title.clone(), |count| count.facet.name.clone()),
        issues: count.map(|count| count.issues),
        formats: Format::ALL.map(link).into(),
        home,
    }
}

/// The file of a newsletter's list.
const OPML_FILE: &str = "feeds.opml";

/// `GET /{newsletter}/feeds.opml`: the newsletter, its tags and its authors.
pub(in crate::http) async fn opml(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let facets = web.store().facets(&newsletter.id).await?;
    let phrases = web.templates().phrases(&newsletter.language);
    let folder = |kind| Outline::Folder {
        title: phrases.say(heading(kind)).to_owned(),
        outlines: of_kind(&facets, kind).map(|count| outline(&web, newsletter, Some(count))).collect(),
    };
    let folders = FacetKind::ALL.map(folder).into_iter();
    let filled = folders.filter(|folder| matches!(folder, Outline::Folder { outlines, .. } if !outlines.is_empty()));
    let outlines: Vec<_> = std::iter::once(outline(&web, newsletter, None)).chain(filled).collect();
    let list = opml::write(&newsletter.title, &outlines);
    Ok(Representation::new(OPML, ASK, list).answer(&headers))
}

/// `GET /feeds.opml`: every newsletter once, for a reader that subscribes to all it is given.
pub(in crate::http) async fn install_opml(State(web): State<Web>, headers: HeaderMap) -> Response {
    let outlines: Vec<_> = web.config().newsletters.iter().map(|newsletter| outline(&web, newsletter, None)).collect();
    let host = web.config().server.url.host_str().unwrap_or_default().to_owned();
    Representation::new(OPML, ASK, opml::write(&host, &outlines)).answer(&headers)
}

fn outline(web: &Web, newsletter: &Newsletter, count: Option<&FacetCount>) -> Outline {
    let home = home(web, newsletter, count.map(|count| &count.facet.id));
    let title = &newsletter.title;
    Outline::Feed {
        title: count.map_or_else(|| title.clone(), |count| format!("{title}: {}", count.facet.name)),
        feed: format!("{home}{}", Format::Atom.file_name()),
        home,
        language: newsletter.language.clone(),
    }
}

/// `GET /feed.css`: what makes a feed readable in a browser. Its path is in every feed and stays; browsers ask whether it changed.
pub(in crate::http) async fn stylesheet(State(web): State<Web>, headers: HeaderMap) -> Response {
    Representation::new("text/css; charset=utf-8", ASK, web.templates().feed_style().to_owned()).answer(&headers)
}

/// The envelope of `favicon.svg`, for feed readers: they want pixels.
const ICON: &[u8] = include_bytes!("../../../templates/web/icon.png");

/// `GET /icon.png`
pub(in crate::http) async fn icon(headers: HeaderMap) -> Response {
    Representation::new("image/png", "public, max-age=86400", ICON).answer(&headers)
}

/// The paths of all feeds, their archives and their lists below `server.url`, with the names of their files: for a static copy.
///
/// # Errors
/// When the database fails.
pub async fn paths(web: &Web) -> Result<Vec<(String, String)>, StoreError> {
    let mut paths = vec!["feeds.opml".to_owned(), "feed.css".to_owned(), "icon.png".to_owned()];
    for newsletter in &web.config().newsletters {
        paths.extend(["feeds/", OPML_FILE].map(|file| format!("{}/{file}", newsletter.id)));
        let Some(state) = web.store().source_state(&newsletter.id).await? else { continue };
        let facets = web.store().facets(&newsletter.id).await?;
        let feeds = facets.into_iter().map(|count| Some(count.facet.id));
        for facet in std::iter::once(None).chain(feeds) {
            let Some(about) = super::about(web, newsletter, &state, facet.as_ref()).await? else { continue };
            let lines = web.store().feed_lines(&newsletter.id, facet.as_ref()).await?;
            let plan = Plan::new(&about, lines, newsletter.feed);
            let folders = folders(&plan);
            let below = facet.as_ref().map_or_else(String::new, |facet| format!("{facet}/"));
            for folder in folders {
                paths.extend(
                    Format::ALL.map(|format| format!("{}/{below}{folder}{}", newsletter.id, format.file_name())),
                );
            }
        }
    }
    let file = |path: String| (path.clone(), if path.ends_with('/') { format!("{path}index.html") } else { path });
    Ok(paths.into_iter().map(file).collect())
}

/// The folders of all documents: the current one, each archived one under the name it keeps, and under its number.
fn folders(plan: &Plan) -> Vec<String> {
    let archived = plan.archived();
    let versions = (1..=archived).filter_map(|number| plan.folder(number));
    let last = if archived == 0 { 0 } else { archived + 1 };
    let numbers = (2..=last).map(|number| format!("{ARCHIVE}/{number}/"));
    std::iter::once(String::new()).chain(versions).chain(numbers).collect()
}
