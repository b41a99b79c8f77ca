//! The search page of a newsletter: a form that GETs, and what it found.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Web;
use super::answer;
use super::error::Error;
use super::parts;
use crate::renderer::pages::SearchPage;

/// The results of a page. Who does not find it among these asks more precisely.
const RESULTS: u32 = 50;
/// Searches at a time. Each looks through the words of all issues, which is the dearest thing that a stranger can ask of us: a
/// flood of them must leave the database to the others.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Question {
    #[serde(default)]
    q: String,
}

/// `GET /{newsletter}/search?q=...`
pub(super) async fn search(
    State(web): State<Web>,
    Path(name): Path<String>,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    // A query that cannot be read is no question.
    let question = question.map(|Query(question)| question.q).unwrap_or_default();
    let question: String = question.trim().chars().take(200).collect();
    let mut heads = {
        let _permit = AT_ONCE.acquire().await;
        web.store().search(&newsletter.id, &question, RESULTS + 1).await?
    };
    let more = heads.len() > RESULTS as usize;
    heads.truncate(RESULTS as usize);
    let phrases = web.templates().phrases(&newsletter.language);
    let page = SearchPage {
        frame: parts::frame(&web, newsletter, &newsletter.language),
        question,
        issues: heads.iter().map(|head| parts::line(head, phrases)).collect(),
        more,
    };
    Ok(answer::page(&headers, page.render(web.templates())?))
}
