//! What answers on a listener: feeds that are in memory at once, and the router whatever else.

use std::convert::Infallible;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use tower::ServiceExt as _;

use super::clients::Peer;
use super::{Web, feeds, public};

/// A router, and before it the shelf of feeds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Front {
    feeds: Option<Web>,
    router: Router,
}

/// What readers reach: [`public`], with the feeds that are in memory before it.
pub fn front(web: Web) -> Front {
    Front { feeds: Some(web.clone()), router: public(web) }
}

impl From<Router> for Front {
    fn from(router: Router) -> Self {
        Self { feeds: None, router }
    }
}

/// The answer to a request, or how it comes about.
pub(super) enum Answer {
    Ready(Response<Bytes>),
    Later(Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>),
}

impl Answer {
    pub(super) async fn ready(self) -> Result<Response<Either<Full<Bytes>, Body>>, Infallible> {
        match self {
            Self::Ready(response) => Ok(response.map(|bytes| Either::Left(Full::new(bytes)))),
            Self::Later(response) => Ok(response.await?.map(Either::Right)),
        }
    }
}

impl Front {
    pub(super) fn answer(&self, mut request: Request<Incoming>, peer: Peer) -> Answer {
        let at_hand = self.feeds.as_ref().and_then(|web| feeds::at_hand(web, &request, peer));
        at_hand.map_or_else(
            || {
                request.extensions_mut().insert(peer);
                Answer::Later(Box::pin(self.router.clone().oneshot(request.map(Body::new))))
            },
            Answer::Ready,
        )
    }
}
