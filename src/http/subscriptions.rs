//! Subscribe, confirm, unsubscribe. Scanners open every link of every mail, so links lead to pages with a button, and only a
//! POST changes anything. No cookies: the token in the URL is all the authority there is, so a forged request has none.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::Web;
use super::answer::{Words, notice};
use super::clients::Peer;
use super::error::Error;
use crate::config::{Cadence, Newsletter};
use crate::letters;
use crate::site;
use crate::subscription::{Consent, ConsentSource, Request, State as Life, Subscription};
use crate::types::{self, Confirm, EmailAddress, FieldTooLong, Scope, Token, Unsubscribe};

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    email: String,
    /// Absent where there is nothing to choose.
    cadence: Option<String>,
    /// What the newsletter asks for besides.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// `POST /{newsletter}/subscribe`. The answer is the same for known, unknown and suppressed addresses.
pub(super) async fn subscribe(
    State(web): State<Web>,
    Path(name): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let Form(fields) = form.map_err(unreadable)?;
    let Some(cadence) = chosen(newsletter, fields.cadence.as_deref()) else {
        return wrong(&web, newsletter, "How often you want mail is not one of the choices.");
    };
    let told = match told_fields(newsletter, &fields.others) {
        Ok(told) => told,
        Err(error) => return wrong(&web, newsletter, &format!("{error}.")),
    };
    let address = match EmailAddress::parse(&fields.email) {
        Ok(address) => address,
        Err(error) => return wrong(&web, newsletter, &format!("This address cannot be right: {error}.")),
    };
    if let Err(wait) = web.admit_form(peer.map(|Extension(peer)| peer), &headers) {
        return too_many(&web, newsletter, wait);
    }
    let (base, now) = (&web.config().server.url, web.clock().now());
    let letter = letters::confirmation(base, web.templates(), newsletter, cadence, now)?;
    let consent =
        Consent { source: ConsentSource::Form, note: format!("the form of {}", site::home(base, &newsletter.id)) };
    let (name, cadence) = (newsletter.id.clone(), cadence.id.clone());
    let request = Request { newsletter: name, cadence, address, now, consent, fields: told };
    let answer = web.store().subscribe(&request, &letter, web.chance()).await?;
    tracing::info!(newsletter = %newsletter.id, cadence = %request.cadence, ?answer, "a request to subscribe");
    let words = Words {
        heading: "Please look into your inbox",
        paragraphs: &[
            "If the address is right, a mail with a link is on its way. Open the link and press the button there: only then are you subscribed.",
            "No mail after some minutes? Look among the spam; or you are subscribed already, and there is nothing to do.",
        ],
        button: None,
    };
    notice(&web, newsletter, StatusCode::OK, &words)
}

/// The answer to a network from which the form came again and again: a program, more likely than people.
fn too_many(web: &Web, newsletter: &Newsletter, wait: Duration) -> Result<Response, Error> {
    let words = Words {
        heading: "Please wait a little",
        paragraphs: &["Many requests came from where you are. Please try again in some minutes."],
        button: None,
    };
    let mut response = notice(web, newsletter, StatusCode::TOO_MANY_REQUESTS, &words)?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    Ok(response)
}

/// What a form says about the person, of what the newsletter asks for; anything else in it is not looked at.
pub(super) fn told_fields(
    newsletter: &Newsletter,
    form: &BTreeMap<String, String>,
) -> Result<types::Fields, FieldTooLong> {
    let mut told = types::Fields::default();
    for name in &newsletter.fields {
        told.set(name, form.get(name.as_str()).map_or("", String::as_str))?;
    }
    Ok(told)
}

/// The form was read, and what it says cannot be.
pub(super) fn wrong(web: &Web, newsletter: &Newsletter, why: &str) -> Result<Response, Error> {
    let words =
        Words { heading: "That did not work", paragraphs: &[why, "Please go back and try again."], button: None };
    notice(web, newsletter, StatusCode::UNPROCESSABLE_ENTITY, &words)
}

pub(super) fn unreadable(rejection: FormRejection) -> Error {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Error::TooLarge } else { Error::BadForm }
}

/// The cadence that the form names; the first where it names none.
fn chosen<'a>(newsletter: &'a Newsletter, name: Option<&str>) -> Option<&'a Cadence> {
    match name {
        Some(name) => newsletter.cadences.iter().find(|cadence| cadence.id.as_str() == name),
        None => newsletter.cadences.first(),
    }
}

/// `GET /{newsletter}/confirm/{token}`: says what the button would do.
pub(super) async fn ask_confirm(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    match asked_for(&web, newsletter, &token).await? {
        Some(subscription) => told(&web, newsletter, subscription.state),
        None => bad_link(&web, newsletter),
    }
}

/// `POST /{newsletter}/confirm/{token}`
pub(super) async fn confirm(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let Some(subscription) = asked_for(&web, newsletter, &token).await? else { return bad_link(&web, newsletter) };
    if subscription.state == Life::Pending && web.store().confirm(&subscription, web.clock().now()).await? {
        return told(&web, newsletter, Life::Confirmed);
    }
    // Someone was faster (a double click, a newer request): say what is true now.
    match asked_for(&web, newsletter, &token).await? {
        Some(subscription) => told(&web, newsletter, subscription.state),
        None => bad_link(&web, newsletter),
    }
}

/// The subscription whose last request the token answers.
async fn asked_for(web: &Web, newsletter: &Newsletter, token: &str) -> Result<Option<Subscription>, Error> {
    let Ok(token) = Token::<Confirm>::parse(token) else { return Ok(None) };
    let (bucket, subscriber) = (token.bucket(), token.subscriber());
    let known = web.store().subscriptions(&newsletter.id, bucket, subscriber).await?;
    let answers = |subscription: &Subscription| {
        let scope = Scope { newsletter: &newsletter.id, bucket, subscriber, request: subscription.request };
        token.answers(web.store().key(), &scope)
    };
    Ok(known.into_iter().find(answers))
}

/// The page for where a subscription stands.
fn told(web: &Web, newsletter: &Newsletter, state: Life) -> Result<Response, Error> {
    let (heading, paragraph, button) = match state {
        Life::Pending => {
            ("One more step", "Press the button, and {newsletter} comes to you by mail.", Some("Subscribe"))
        }
        Life::Confirmed => {
            ("You are subscribed", "{newsletter} comes to you by mail. Each mail has a link that ends it.", None)
        }
        Life::Unsubscribed => (
            "This link has done its work",
            "You have unsubscribed since, or a month has gone by. To get {newsletter}, please use the form.",
            None,
        ),
    };
    notice(web, newsletter, StatusCode::OK, &Words { heading, paragraphs: &[paragraph], button })
}

/// `GET /{newsletter}/unsubscribe/{token}`: asks, and works while the database is away.
pub(super) async fn ask_unsubscribe(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    if of_subscriber(&web, newsletter, &token).is_none() {
        return bad_link(&web, newsletter);
    }
    let paragraph = "Press the button, and no more mail of {newsletter} comes to you.";
    let words = Words { heading: "Unsubscribe?", paragraphs: &[paragraph], button: Some("Unsubscribe") };
    notice(&web, newsletter, StatusCode::OK, &words)
}

/// `POST /{newsletter}/unsubscribe/{token}`: from the button, and from mail programs by RFC 8058, whose body
/// `List-Unsubscribe=One-Click` says nothing that the URL does not. The body is not read.
pub(super) async fn unsubscribe(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let Some(token) = of_subscriber(&web, newsletter, &token) else { return bad_link(&web, newsletter) };
    let now = web.clock().now();
    let ended = web.store().unsubscribe(&newsletter.id, token.bucket(), token.subscriber(), now).await?;
    tracing::info!(newsletter = %newsletter.id, ended, "a request to unsubscribe");
    unsubscribed(&web, newsletter, ended)
}

/// The page after an unsubscribe; `ended` says whether there was anything to end.
pub(super) fn unsubscribed(web: &Web, newsletter: &Newsletter, ended: bool) -> Result<Response, Error> {
    let paragraph = if ended {
        "No more mail of {newsletter} comes to you. A mail that was already on its way may still arrive."
    } else {
        "You were not subscribed to {newsletter} any more: there is nothing left to do."
    };
    let words = Words { heading: "You are unsubscribed", paragraphs: &[paragraph], button: None };
    notice(web, newsletter, StatusCode::OK, &words)
}

/// The page of someone who was subscribed and is not any more.
pub(super) fn gone(web: &Web, newsletter: &Newsletter) -> Result<Response, Error> {
    told(web, newsletter, Life::Unsubscribed)
}

/// The token, if we wrote it for this newsletter. It is valid for ever, so nothing needs to be looked up.
fn of_subscriber(web: &Web, newsletter: &Newsletter, token: &str) -> Option<Token<Unsubscribe>> {
    let token = Token::<Unsubscribe>::parse(token).ok()?;
    let scope =
        Scope { newsletter: &newsletter.id, bucket: token.bucket(), subscriber: token.subscriber(), request: 0 };
    token.answers(web.store().key(), &scope).then_some(token)
}

pub(super) fn bad_link(web: &Web, newsletter: &Newsletter) -> Result<Response, Error> {
    let words = Words {
        heading: "This link does not work",
        paragraphs: &[
            "It may have been cut short on its way, or a newer mail has replaced it. Please open the link in the newest mail, or copy all of it.",
        ],
        button: None,
    };
    notice(web, newsletter, StatusCode::NOT_FOUND, &words)
}
