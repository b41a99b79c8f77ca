//! Mailings on the private listener: `GET /mailings` shows how far they are, `POST /mailings/ID/ORDER` controls one.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Web;
use super::error::Error;
use crate::control::{self, Order};
use crate::delivery::rate::Rate;
use crate::status::ProgressStatus;
use crate::types::MailingId;

/// A page of any site that an operator has open could post here; browsers say where it comes from, programs do not.
const FROM_A_BROWSER: &str = "orders are not taken from browsers\n";

/// `GET /mailings`: mailings that are open or paused, newest first.
pub(super) async fn list(State(web): State<Web>) -> Result<Response, Error> {
    let progress = web.store().progress().await?;
    let shown: Vec<_> = progress.into_iter().map(ProgressStatus::from).collect();
    let json = serde_json::to_vec_pretty(&shown).unwrap_or_default(); // texts and numbers cannot fail to serialise
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// `POST /mailings/ID/pause`, `/resume`, `/cancel`, and `/rate` with the form field `rate`.
pub(super) async fn order(
    State(web): State<Web>,
    Path((mailing, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Error> {
    if headers.contains_key(header::ORIGIN) {
        return Ok(plain(StatusCode::FORBIDDEN, FROM_A_BROWSER));
    }
    let Ok(mailing) = MailingId::parse(&mailing) else {
        return Ok(plain(StatusCode::NOT_FOUND, "that is not the id of a mailing\n"));
    };
    let order = match read(&order, &body) {
        Ok(order) => order,
        Err((status, why)) => return Ok(plain(status, &format!("{why}\n"))),
    };
    let Some(obeyed) = control::obey(web.store(), mailing, &order).await? else {
        return Ok(plain(StatusCode::NOT_FOUND, "there is no such mailing; GET /status lists them\n"));
    };
    let status = if obeyed.changed { StatusCode::OK } else { StatusCode::CONFLICT };
    let json = serde_json::to_vec(&obeyed).unwrap_or_default(); // a text and a flag cannot fail to serialise
    Ok((status, [(header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// `POST /mailings/confirmations/resume`: all that are paused.
pub(super) async fn resume_confirmations(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Error> {
    if headers.contains_key(header::ORIGIN) {
        return Ok(plain(StatusCode::FORBIDDEN, FROM_A_BROWSER));
    }
    let json = format!("{{\"resumed\":{}}}", web.store().resume_confirmations().await?);
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

fn read(order: &str, body: &str) -> Result<Order, (StatusCode, String)> {
    match order {
        "pause" => Ok(Order::Pause),
        "resume" => Ok(Order::Resume),
        "cancel" => Ok(Order::Cancel),
        "rate" => {
            let wanted = url::form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == "rate");
            let wanted = wanted.map(|(_, value)| value.into_owned()).unwrap_or_default();
            if wanted == "none" {
                return Ok(Order::Rate(None));
            }
            let rate = Rate::parse(&wanted).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
            Ok(Order::Rate(Some(rate)))
        }
        _ => Err((StatusCode::NOT_FOUND, "orders are pause, resume, cancel and rate".to_owned())),
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    (status, text.to_owned()).into_response()
}
