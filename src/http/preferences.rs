//! The page where a subscriber changes how often mail comes, or ends it. The token in the URL is all the authority there is;
//! GET shows, POST changes.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Web;
use super::answer::{HTML, NEVER};
use super::error::Error;
use super::parts;
use super::subscriptions::{bad_link, gone, told_fields, unreadable, unsubscribed, wrong};
use crate::config::Newsletter;
use crate::renderer::pages::PreferencesPage;
use crate::site;
use crate::subscription::{Choice, Consent, ConsentSource, State as Life, Subscription};
use crate::types::{Preferences, Scope, Token};

/// The choice that ends the subscription. No cadence can have this name.
const NOTHING: &str = "-";

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    cadence: String,
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// `GET /{newsletter}/preferences/{token}`
pub(super) async fn show(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    match subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => page(&web, newsletter, &subscription, false),
        Found::Gone => gone(&web, newsletter),
        Found::BadLink => bad_link(&web, newsletter),
    }
}

/// `POST /{newsletter}/preferences/{token}`
pub(super) async fn change(
    State(web): State<Web>,
    Path((name, token)): Path<(String, String)>,
    form: Result<Form<Chosen>, FormRejection>,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let Form(chosen) = form.map_err(unreadable)?;
    let subscription = match self::subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => subscription,
        Found::Gone => return gone(&web, newsletter),
        Found::BadLink => return bad_link(&web, newsletter),
    };
    let now = web.clock().now();
    if chosen.cadence == NOTHING {
        let Subscription { bucket, subscriber, .. } = subscription;
        let ended = web.store().unsubscribe(&newsletter.id, bucket, subscriber, now).await?;
        return unsubscribed(&web, newsletter, ended);
    }
    let Some(cadence) = newsletter.cadences.iter().find(|cadence| cadence.id.as_str() == chosen.cadence) else {
        return wrong(&web, newsletter, "How often you want mail is not one of the choices.");
    };
    let fields = match told_fields(newsletter, &chosen.others) {
        Ok(fields) => fields,
        Err(error) => return wrong(&web, newsletter, &format!("{error}.")),
    };
    let base = &web.config().server.url;
    let note = format!("the preferences page of {}", site::home(base, &newsletter.id));
    let consent = Consent { source: ConsentSource::Form, note };
    let choice = Choice { cadence: cadence.id.clone(), fields, now, consent };
    let changed = web.store().choose(&subscription, &choice).await?;
    tracing::info!(newsletter = %newsletter.id, cadence = %cadence.id, changed, "a subscriber chose");
    // Read again: what the page shows is what holds, whoever else changed it meanwhile.
    match self::subscription(&web, newsletter, &token).await? {
        Found::Confirmed(subscription) => page(&web, newsletter, &subscription, true),
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

fn page(web: &Web, newsletter: &Newsletter, subscription: &Subscription, saved: bool) -> Result<Response, Error> {
    let page = PreferencesPage {
        frame: parts::frame(web, newsletter, &newsletter.language),
        cadences: parts::cadences(newsletter),
        chosen: subscription.cadence.to_string(),
        nothing: NOTHING,
        fields: parts::fields(newsletter, &subscription.fields),
        saved,
    };
    let html = page.render(web.templates())?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, HTML), (header::CACHE_CONTROL, NEVER)], html).into_response())
}
