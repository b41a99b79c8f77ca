//! The HTTP requests of WebSub to strangers: verification, denial, push, ping.
//!
//! A stranger chose the URL. So it connects only to addresses that it has checked, follows no redirect, uses no proxy, has a
//! deadline for each phase and a bound for what it reads, and says what happened as a [`Reply`], never as an error.

mod connect;
mod exchange;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use url::Url;

use crate::tls::Trust;
use crate::websub::Reply;
use crate::websub::address::Guard;

/// Longer than all phases of a request together; see `connect` and `exchange`.
pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(40);

/// The way out.
#[derive(Debug)]
pub struct Outside {
    guard: Guard,
    trust: Trust,
    agent: String,
}

/// What is posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its media type.
    pub content_type: String,
    /// The `Link` header, for a feed.
    pub links: Option<String>,
    /// `X-Hub-Signature`, where the reader gave a secret.
    pub signature: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Outside {
    /// A way out through `guard`; `site` is our public URL, which `User-Agent` names. Nothing is opened.
    #[must_use]
    pub fn new(guard: Guard, site: &Url) -> Self {
        let agent = format!("Tidings/{} (WebSub; +{site})", env!("CARGO_PKG_VERSION"));
        Self { guard, trust: Trust::default(), agent }
    }

    /// GETs a URL; the answer has the first bytes of the body.
    pub async fn get(&self, url: &Url) -> Reply {
        self.send(url, Request::builder().method(Method::GET), Bytes::new(), true).await
    }

    /// POSTs to a URL; the body of the answer is not read.
    pub async fn post(&self, url: &Url, post: Post) -> Reply {
        let Post { content_type, links, signature, body } = post;
        let mut request = Request::builder().method(Method::POST).header(header::CONTENT_TYPE, content_type);
        if let Some(links) = links {
            request = request.header(header::LINK, links);
        }
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature", signature);
        }
        self.send(url, request, body, false).await
    }

    async fn send(&self, url: &Url, request: hyper::http::request::Builder, body: Bytes, read: bool) -> Reply {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        // A URL leaves out its scheme's own port, and so does `Host`.
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let request = request
            .uri(target)
            .header(header::HOST, host)
            .header(header::USER_AGENT, &self.agent)
            .header(header::CONNECTION, HeaderValue::from_static("close"))
            .body(Full::new(body));
        match request {
            Err(error) => Reply::Unreachable(format!("no request can be made of it: {error}")),
            Ok(request) => match self.connect(url).await {
                Err(reply) => reply,
                Ok(stream) => exchange::exchange(stream, request, read).await,
            },
        }
    }
}
