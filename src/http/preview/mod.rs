//! The preview, for an editor on their own machine: a document as its readers will get it, while it is being written.
//!
//! Everything else is answered as a server would, so that the links and images of the shown page and mail work.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::watch;

use super::Web;
use super::error::Error;
use super::{pages, parts};
use crate::config::Newsletter;
use crate::content::Snapshot;
use crate::issue::{self, Revision};
use crate::letters;
use crate::message::Signers;
use crate::renderer::pages::{IssueLine, PreviewPage, PreviewedIssue, in_words};
use crate::store::IssueHead;
use crate::types::Finding;

/// What the last look at the source came to.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Counts looks that brought something new.
    pub number: u64,
    /// Why the source cannot be read.
    pub failed: Option<String>,
}

/// What the preview is given.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The web face, with the one newsletter that is shown.
    pub web: Web,
    /// The newest look.
    pub looks: watch::Receiver<Look>,
    /// Which document is shown first: a path or a part of one, a slug, or words of a title.
    pub wanted: Option<String>,
}

/// Issues in the digest of several.
const SEVERAL: usize = 3;

/// How long a page waits for a change before it asks again.
const WAIT: Duration = Duration::from_secs(20);

const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What is framed: a stranger's page that runs nothing. The same origin, so that the preview can scroll it.
const MAIL: &str = "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox";
/// The same mail as a program shows it that loads no images.
const MAIL_WITHOUT_IMAGES: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox";
const FRAMED: &str = "default-src 'none'; img-src 'self' https: http: data:; style-src 'self'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox";

/// The preview's routes, and all public ones.
pub fn routes(preview: Preview) -> Router {
    let public = super::public(preview.web.clone());
    Router::new()
        .route("/preview/", get(front))
        .route("/preview/style.css", get(async || ([(header::CONTENT_TYPE, "text/css")], include_str!("style.css"))))
        .route(
            "/preview/script.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("script.js"))),
        )
        .route("/preview/version", get(version))
        .route("/preview/issues/{slug}", get(page))
        .route("/preview/issues/{slug}/mail", get(mail))
        .route("/preview/issues/{slug}/page", get(framed))
        .with_state(preview)
        .merge(public)
}

/// The choices of the page, kept in its URL.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Choice {
    #[serde(default)]
    several: u8,
    /// 1 for images off.
    #[serde(default)]
    images: u8,
}

#[derive(Debug, Deserialize)]
struct After {
    after: String,
}

impl Preview {
    fn newsletter(&self) -> Result<&Newsletter, Error> {
        self.web.config().newsletters.first().ok_or(Error::NotFound)
    }

    fn version(&self) -> String {
        self.looks.borrow().number.to_string()
    }

    /// The issue and, for a digest, those before it; the oldest first.
    async fn issues(&self, slug: &str, several: bool) -> Result<Vec<Revision>, Error> {
        let newsletter = self.newsletter()?;
        let Some((revision, true)) = self.web.store().issue_by_slug(&newsletter.id, slug).await? else {
            return Err(Error::NotFound);
        };
        let mut issues = vec![revision];
        if several {
            let archive = self.web.store().archive(&newsletter.id).await?;
            let others = archive.iter().filter(|head| head.slug.as_str() != slug).take(SEVERAL - 1);
            for head in others {
                let found = self.web.store().issue_by_slug(&newsletter.id, head.slug.as_str()).await?;
                issues.extend(found.map(|(revision, _)| revision));
            }
            issues.sort_by_key(|revision| revision.date);
        }
        Ok(issues)
    }

    /// The document's own findings: what readers will miss, and whether it is cut.
    async fn warnings(&self, revision: &Revision) -> Result<Vec<Finding>, Error> {
        let newsletter = self.newsletter()?;
        let snapshot = Snapshot { commit: String::new(), documents: vec![], refused: vec![] };
        let document = [(revision.path.clone(), String::new())];
        let read = self.web.source(&newsletter.id)?.read(&snapshot, &document).await?;
        let mut warnings = Vec::new();
        for document in read.into_iter().flatten() {
            // What does not parse is a problem, and the look has it.
            if let Ok(Some(issue)) = issue::parse(&document, &newsletter.reading) {
                warnings.extend(crate::renderer::check(&issue, &revision.path).unwrap_or_default());
            }
        }
        Ok(warnings)
    }

    fn line(&self, head: &IssueHead, newsletter: &Newsletter) -> IssueLine {
        let phrases = self.web.templates().phrases(&newsletter.language);
        IssueLine { url: url(head.slug.as_str()), ..parts::line(head, phrases) }
    }
}

/// `GET /preview/`: the wanted issue, else the newest.
async fn front(State(preview): State<Preview>) -> Result<Response, Error> {
    let newsletter = preview.newsletter()?;
    let archive = preview.web.store().archive(&newsletter.id).await?;
    let wanted = preview.wanted.as_deref();
    match wanted.map_or(archive.first(), |wanted| archive.iter().find(|head| is_meant(head, wanted))) {
        Some(head) => Ok(Redirect::temporary(&url(head.slug.as_str())).into_response()),
        None => {
            let held = preview.web.store().holds(&newsletter.id).await?;
            let failed = preview.looks.borrow().failed.clone();
            let problems: Vec<&Finding> =
                held.iter().filter(|held| wanted.is_none_or(|wanted| held.place.path.contains(wanted))).collect();
            let mut words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            words.extend(failed);
            if let Some(wanted) = wanted.filter(|_| words.is_empty()) {
                words.push(format!(
                    "No document has {wanted:?} in its path or title. Is it below the source's folder, and not excluded?"
                ));
            }
            let page = PreviewPage {
                version: preview.version(),
                newsletter: newsletter.title.clone(),
                shown: None,
                problems: words,
                warnings: vec![],
                elsewhere: vec![],
                issues: archive.iter().map(|head| preview.line(head, newsletter)).collect(),
            };
            answer(page.render(preview.web.templates())?, PAGE)
        }
    }
}

/// Whether an issue is what the editor named.
fn is_meant(head: &IssueHead, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("./");
    head.path == wanted
        || head.slug.as_str() == wanted
        || head.path.contains(wanted)
        // A path that begins above the source's folder.
        || wanted.ends_with(&format!("/{}", head.path))
        || head.title.to_lowercase().contains(&wanted.to_lowercase())
}

/// `GET /preview/version?after=N`: answers when it is another one, or after a while.
async fn version(State(mut preview): State<Preview>, Query(After { after }): Query<After>) -> String {
    let changed = preview.looks.wait_for(|look| look.number.to_string() != after);
    let _ = tokio::time::timeout(WAIT, changed).await;
    preview.version()
}

/// `GET /preview/issues/{slug}`
async fn page(
    State(preview): State<Preview>,
    Path(slug): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let newsletter = preview.newsletter()?;
    let failed = preview.looks.borrow().failed.clone();
    let held = preview.web.store().holds(&newsletter.id).await?;
    let issues = match preview.issues(&slug, choice.several == 1).await {
        Err(Error::NotFound) => return Ok(Redirect::temporary("/preview/").into_response()),
        issues => issues?,
    };
    let revision = issues.iter().find(|issue| issue.slug.as_str() == slug).ok_or(Error::NotFound)?;
    let cadence = newsletter.cadences.first().ok_or(Error::NotFound)?;
    let (base, templates, store) = (&preview.web.config().server.url, preview.web.templates(), preview.web.store());
    let letter = letters::digest(base, templates, newsletter, cadence, &issues, preview.web.clock().now())?;
    let fit = letters::fit(base, templates, newsletter, cadence, &issues)?;
    let message = letters::sample(&letter, store.key(), &Signers::default(), store.buckets())?;
    let mut warnings = preview.warnings(revision).await?;
    warnings.extend(letters::finding(&fit, newsletter, &revision.path));
    let (own, other): (Vec<_>, Vec<_>) = held.iter().partition(|held| held.place.path == revision.path);
    let thousands = |bytes: usize| format!("{}.{}", bytes / 1000, bytes % 1000 / 100);
    let page = PreviewPage {
        version: preview.version(),
        newsletter: newsletter.title.clone(),
        problems: own.into_iter().map(in_words).chain(failed).collect(),
        warnings: warnings.iter().map(in_words).collect(),
        elsewhere: other.into_iter().map(ToString::to_string).collect(),
        issues: store
            .archive(&newsletter.id)
            .await?
            .iter()
            .filter(|head| head.slug.as_str() != slug)
            .map(|head| preview.line(head, newsletter))
            .collect(),
        shown: Some(PreviewedIssue {
            title: revision.title.clone(),
            path: revision.path.clone(),
            base: url(&slug),
            query: format!("?several={}&images={}", choice.several, choice.images),
            several: choice.several == 1,
            blocked: choice.images == 1,
            subject: letter.subject.clone(),
            from: newsletter.from.name().unwrap_or_else(|| newsletter.from.address().expose()).to_owned(),
            text: letters::shown(&letter.text),
            source: String::from_utf8_lossy(&message.bytes()).into_owned(),
            size: thousands(fit.size),
            limit: thousands(newsletter.html_limit),
            filled: (100 * fit.size / newsletter.html_limit.max(1)).min(100),
            lean: fit.lean,
            cut: !fit.cut.is_empty(),
        }),
    };
    answer(page.render(templates)?, PAGE)
}

/// `GET /preview/issues/{slug}/mail`: the HTML part alone, for the frames.
async fn mail(
    State(preview): State<Preview>,
    Path(slug): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Response, Error> {
    let newsletter = preview.newsletter()?;
    let issues = preview.issues(&slug, choice.several == 1).await?;
    let cadence = newsletter.cadences.first().ok_or(Error::NotFound)?;
    let (base, templates) = (&preview.web.config().server.url, preview.web.templates());
    let letter = letters::digest(base, templates, newsletter, cadence, &issues, preview.web.clock().now())?;
    answer(letters::shown(&letter.html), if choice.images == 1 { MAIL_WITHOUT_IMAGES } else { MAIL })
}

/// `GET /preview/issues/{slug}/page`: the page, allowed into a frame.
async fn framed(
    State(preview): State<Preview>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let name = preview.newsletter()?.id.to_string();
    let mut response = pages::issue(State(preview.web.clone()), Path((name, slug)), headers).await?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAMED));
    Ok(response)
}

fn url(slug: &str) -> String {
    format!("/preview/issues/{slug}")
}

fn answer(html: String, policy: &'static str) -> Result<Response, Error> {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::OK, headers, Html(html)).into_response())
}
