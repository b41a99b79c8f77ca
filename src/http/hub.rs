//! The WebSub hub: a form for readers' programs, a page for people, and our feeds as the distributor gets them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use url::Url;

use super::Web;
use super::answer::{A_MINUTE, HTML, NEVER};
use super::error::Error;
use super::feeds::Fresh;
use crate::distributor::{Content, Feeds};
use crate::renderer::pages::Notice;
use crate::store::{Asked, HubLimits};
use crate::websub::address::Guard;
use crate::websub::{self, Mode};

/// What strangers may ask for. A request costs whoever it names a GET or three, and us a row: so many that large readers can
/// subscribe to everything at once, so few that nobody notices an attack. Full topics still cost less than polling would.
const LIMITS: HubLimits =
    HubLimits { topic: 10_000, host: 500, window: Duration::from_secs(60), requests: 120, host_requests: 30 };

/// The largest feed that is distributed.
const LARGEST: usize = 16 * 1024 * 1024;

/// `POST /hub`. Answers are plain text, as section 5.1 wants: a programmer reads them in a log.
pub(super) async fn request(
    State(web): State<Web>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, Error> {
    let fields = match form {
        Ok(Form(fields)) => fields,
        Err(rejection) => return Ok(said(rejection.status(), format!("This is not a form: {rejection}."))),
    };
    let guard = Guard::new(web.config().websub.allow_networks.clone());
    let request = match websub::Request::parse(&fields, &guard) {
        Ok(request) => request,
        Err(refusal) => return Ok(said(StatusCode::BAD_REQUEST, refusal.to_string())),
    };
    // Who wants to leave may, also when the feed has left before.
    if request.mode == Mode::Subscribe {
        match feed(super::public(web.clone()), &web.config().server.url, &request.topic).await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(said(StatusCode::FORBIDDEN, foreign(&web))),
            Err(_) => return Ok(busy("The feed is not there just now.")),
        }
    }
    let asked = web.store().ask_hub(&request, &LIMITS, web.clock().now()).await?;
    tracing::info!(
        topic = request.topic,
        host = request.callback.host(),
        mode = request.mode.as_str(),
        ?asked,
        "a request to the hub"
    );
    Ok(match asked {
        Asked::Accepted => said(StatusCode::ACCEPTED, "Thank you. The callback is asked next whether it means it."),
        Asked::NotSubscribed => said(StatusCode::NOT_FOUND, "There is no such subscription."),
        Asked::Busy => busy("There are too many requests just now."),
        Asked::Full => busy("There are as many subscriptions as this hub takes."),
    })
}

fn foreign(web: &Web) -> String {
    let base = &web.config().server.url;
    format!(
        "hub.topic is not a feed of {base}. This hub takes the exact URL that a feed of this site gives as its rel=\"self\"."
    )
}

fn said(status: StatusCode, words: impl Into<String>) -> Response {
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, plain, [(header::CACHE_CONTROL, NEVER)], format!("{}\n", words.into())).into_response()
}

fn busy(words: &str) -> Response {
    let mut response = said(StatusCode::SERVICE_UNAVAILABLE, format!("{words} Please try again in a minute."));
    response.headers_mut().insert(header::RETRY_AFTER, A_MINUTE);
    response
}

/// `GET /hub`: what this is, for people who follow the link.
pub(super) async fn page(State(web): State<Web>) -> Result<Response, Error> {
    let notice = Notice {
        frame: None,
        front: web.root().to_owned(),
        style: web.style_path(),
        heading: "This is a hub for feed readers".to_owned(),
        paragraphs: [
            "Feed readers subscribe here by themselves (with WebSub, a standard of the W3C), and have a new issue within seconds.",
            "There is nothing to do for you: add the address of a feed to your reader, and it finds the way.",
        ]
        .map(str::to_owned)
        .to_vec(),
        button: None,
    };
    let html = notice.render(web.templates())?;
    Ok(([(header::CONTENT_TYPE, HTML), (header::CACHE_CONTROL, NEVER)], html).into_response())
}

/// Our feeds as the public routes give them, for the distributor: what is pushed is what GET gives.
#[must_use]
pub fn feeds(web: &Web) -> Feeds {
    let (router, base) = (super::public(web.clone()), web.config().server.url.clone());
    Arc::new(move |topic| {
        let (router, base) = (router.clone(), base.clone());
        Box::pin(async move { feed(router, &base, &topic).await })
    })
}

/// The feed whose own URL is exactly this, in identity coding. What a topic is, the site decides by what it serves: whatever
/// answers with a `Link` header that calls this very URL `self`.
async fn feed(router: Router, base: &Url, topic: &str) -> Result<Option<Content>, String> {
    let Some(below) = topic.strip_prefix(base.as_str()) else { return Ok(None) };
    let Ok(mut request) = Request::get(format!("{}{below}", base.path())).body(Body::empty()) else { return Ok(None) };
    // What is told must not be older than the change that it is told for.
    request.extensions_mut().insert(Fresh);
    // A router cannot fail; its answer says what did.
    let Ok(answer) = router.oneshot(request).await;
    let (head, body) = answer.into_parts();
    if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(format!("GET answers {}", head.status));
    }
    let own = |links: &&str| websub::own_link(links) == Some(topic);
    let Some(links) = texts(&head.headers, header::LINK).find(own).filter(|_| head.status == StatusCode::OK) else {
        return Ok(None);
    };
    let content_type = texts(&head.headers, header::CONTENT_TYPE).next().unwrap_or_default().to_owned();
    let links = links.to_owned();
    let bytes = to_bytes(body, LARGEST).await.map_err(|error| error.to_string())?;
    Ok(Some(Content { content_type, links, bytes }))
}

fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}
