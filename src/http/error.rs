//! Why a request has no answer: told to the operator in full, once, and to the reader without a word about our inside.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Web;
use super::{answer, parts};
use crate::chance::NoChance;
use crate::content::SourceError;
use crate::renderer::TemplateError;
use crate::renderer::pages::Notice;
use crate::store::StoreError;

/// Everything that can go wrong behind a route.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no such page.
    #[error("there is no such page")]
    NotFound,
    /// Mail goes to a relay, not to an outbox.
    #[error("mail goes to a relay, so there is no outbox to show")]
    NoOutbox,
    /// The newsletter's source was never read.
    #[error("the issues of this newsletter were not read yet")]
    NotReadYet,
    /// The body of a POST is not the form of our page.
    #[error("the form cannot be read")]
    BadForm,
    /// The body of a POST is over the limit.
    #[error("the form is too large")]
    TooLarge,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A letter cannot become a message.
    #[error(transparent)]
    Compose(#[from] crate::message::ComposeError),
    /// There is no randomness.
    #[error(transparent)]
    Chance(#[from] NoChance),
    /// The outbox cannot be read.
    #[error("the outbox cannot be read: {0}")]
    Outbox(#[from] std::io::Error),
}

/// What a reader is told. Rides on the response until [`dress`] makes a page of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Excuse {
    heading: &'static str,
    words: &'static str,
}

const AWAY: Excuse = Excuse {
    heading: "Back in a moment",
    words: "Something here does not answer just now. Please try again in a minute.",
};

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoOutbox => StatusCode::NOT_FOUND,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotReadYet | Self::Store(_) | Self::Source(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Template(_) | Self::Compose(_) | Self::Chance(_) | Self::Outbox(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn excuse(&self) -> Excuse {
        match self {
            Self::NotFound => Excuse {
                heading: "Not here",
                words: "There is no page at this address. It may have moved: look in the archive.",
            },
            Self::NoOutbox => Excuse {
                heading: "No outbox",
                words: "Mail goes to a relay. Set mail.transport to \"outbox\" to see it here instead.",
            },
            Self::NotReadYet => Excuse {
                heading: "Nothing here yet",
                words: "The issues of this newsletter are being read for the first time. Please try again in a minute.",
            },
            Self::BadForm => Excuse {
                heading: "That did not work",
                words: "The form could not be read. Please go back and send it again.",
            },
            Self::TooLarge => Excuse { heading: "That did not work", words: "The form was far larger than it can be." },
            Self::Store(_) | Self::Source(_) => AWAY,
            Self::Template(_) | Self::Compose(_) | Self::Chance(_) | Self::Outbox(_) => Excuse {
                heading: "Our mistake",
                words: "Something went wrong on our side, and the people who run this site have been told.",
            },
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, excuse) = (self.status(), self.excuse());
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), "a request has no answer: {self}");
        }
        let mut response = (status, format!("{}\n{}\n", excuse.heading, excuse.words)).into_response();
        response.extensions_mut().insert(excuse);
        response.headers_mut().insert(header::CACHE_CONTROL, answer::NEVER);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, answer::A_MINUTE);
        }
        response
    }
}

/// What no route takes.
pub(super) async fn not_found() -> Error {
    Error::NotFound
}

/// Makes a page of an excuse. Where that fails too, the plain words stay.
pub(super) async fn dress(State(web): State<Web>, mut response: Response) -> Response {
    let Some(Excuse { heading, words }) = response.extensions_mut().remove::<Excuse>() else { return response };
    // Of several newsletters, a page that is not there belongs to none.
    let only = match web.config().newsletters.as_slice() {
        [only] => Some(parts::frame(&web, only, &only.language)),
        _ => None,
    };
    let notice = Notice {
        frame: only,
        style: web.style_path(),
        front: web.root().to_owned(),
        heading: heading.to_owned(),
        paragraphs: vec![words.to_owned()],
        button: None,
    };
    let Ok(page) = notice.render(web.templates()) else { return response };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, answer::HTML);
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = page.into();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_nothing_about_our_inside() {
        let response = Error::Store(StoreError::Sql("no such table: subscriber".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "60");
        assert_eq!(response.extensions().get::<Excuse>(), Some(&AWAY));
    }
}
