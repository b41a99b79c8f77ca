//! What operators and their monitoring look at.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::Web;
use super::error::Error;
use crate::status;

/// `GET /`
pub(super) async fn front() -> Html<&'static str> {
    Html(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Tidings</title>\n<h1>Tidings</h1>\n<ul>\n\
         <li><a href=\"/outbox/\">Outbox</a>: mail that did not leave\n\
         <li><a href=\"/status\">Status</a>: issues, schedules, mailings\n\
         <li><a href=\"/metrics\">Metrics</a> for Prometheus\n<li><a href=\"/health\">Health</a>\n</ul>\n</html>\n",
    )
}

/// `GET /health`: 200 when the database answers, else 503.
pub(super) async fn health(State(web): State<Web>) -> Response {
    match web.store().ping().await {
        Ok(()) => (NOT_KEPT, "ok\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, NOT_KEPT, format!("{error}\n")).into_response(),
    }
}

/// `GET /status`: what `tidings status --json` prints.
pub(super) async fn status(State(web): State<Web>) -> Result<Response, Error> {
    let status = status::collect(web.store(), web.config(), web.clock().now()).await?;
    let json = serde_json::to_vec_pretty(&status).unwrap_or_default(); // texts and numbers cannot fail to serialise
    Ok((NOT_KEPT, [(header::CONTENT_TYPE, "application/json")], json).into_response())
}

const NOT_KEPT: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
