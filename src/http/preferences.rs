//! The page where a subscriber changes how often mail comes, or ends it. The token in the URL is all the authority there is;
//! GET shows, POST changes.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Web;
use super::answer::{HTML, NEVER};
use super::error::Error;
use super::parts;
use super::subscriptions::{bad_link, gone, unreadable, unsubscribed, wrong};
use crate::config::Newsletter;
use crate::renderer::pages::PreferencesPage;
use crate::site;
use crate::subscription::{Consent, ConsentSource, State as Life, Subscription};
use crate::types::{Preferences, Scope, Token};

/// The choice that ends the subscription. No cadence can have this name.
const NOTHING: &str = "-";

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    cadence: String,
}

/// `GET /{newsletter}/preferences/{token}`
pub(super) async fn show(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    match subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => page(&web, newsletter, &subscription, None),
        Found::Gone => gone(&web, newsletter),
        Found::BadLink => bad_link(&web, newsletter),
    }
}

/// `POST /{newsletter}/preferences/{token}`
pub(super) async fn change(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
    form: Result<Form<Fields>, FormRejection>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let Form(fields) = form.map_err(unreadable)?;
    let subscription = match self::subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => subscription,
        Found::Gone => return gone(&web, newsletter),
        Found::BadLink => return bad_link(&web, newsletter),
    };
    let Subscription { bucket, subscriber, .. } = subscription;
    let now = web.clock().now();
    if fields.cadence == NOTHING {
        let ended = web.store().unsubscribe(&newsletter.id, bucket, subscriber, now).await?;
        return unsubscribed(&web, newsletter, ended);
    }
    let Some(cadence) = newsletter.cadences.iter().find(|cadence| cadence.id.as_str() == fields.cadence) else {
        return wrong(&web, newsletter, "How often you want mail is not one of the choices.");
    };
    let base = &web.config().server.url;
    let note = format!("the preferences page of {}", site::home(base, &newsletter.id));
    let consent = Consent { source: ConsentSource::Form, note };
    let changed = web.store().choose(&newsletter.id, &cadence.id, (bucket, subscriber), &consent, now).await?;
    tracing::info!(newsletter = %newsletter.id, cadence = %cadence.id, changed, "a subscriber chose");
    // Read again: what the page shows is what holds, whoever else changed it meanwhile.
    match self::subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => page(&web, newsletter, &subscription, Some("Saved.".to_owned())),
        Found::Gone => gone(&web, newsletter),
        Found::BadLink => bad_link(&web, newsletter),
    }
}

/// Whom a token leads to.
enum Found {
    Confirmed(Subscription),
    /// Ours, and the person is not subscribed any more.
    Gone,
    BadLink,
}

async fn subscription(web: &Web, newsletter: &Newsletter, token: &str) -> Result<Found, Error> {
    let Ok(token) = Token::<Preferences>::parse(token) else { return Ok(Found::BadLink) };
    let (bucket, subscriber) = (token.bucket(), token.subscriber());
    if !token.answers(web.store().key(), &Scope { newsletter: &newsletter.id, bucket, subscriber, request: 0 }) {
        return Ok(Found::BadLink);
    }
    let known = web.store().subscriptions(&newsletter.id, bucket, subscriber).await?;
    Ok(known.into_iter().find(|s| s.state == Life::Confirmed).map_or(Found::Gone, Found::Confirmed))
}

fn page(
    web: &Web,
    newsletter: &Newsletter,
    subscription: &Subscription,
    done: Option<String>,
) -> Result<Response, Error> {
    let page = PreferencesPage {
        frame: parts::frame(web, newsletter, &newsletter.language),
        cadences: parts::cadences(newsletter),
        chosen: subscription.cadence.to_string(),
        nothing: NOTHING,
        done,
    };
    let html = page.render(web.templates())?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, HTML), (header::CACHE_CONTROL, NEVER)], html).into_response())
}
