//! Push events of git servers: a signed one makes the watcher look at once.
//!
//! What an event says is not read, only who signed it; the repository itself says what changed. So an event that is sent
//! twice, late, or about another branch costs one fetch that finds nothing.

use aws_lc_rs::{constant_time, hmac};
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Web;
use super::answer::NEVER;
use super::error::Error;
use crate::types::Secret;

/// The largest event that is read. One of many commits has some hundred KiB.
const LIMIT: usize = 1024 * 1024;

/// Headers with the HMAC-SHA-256 of the body in hex, and what stands before it: GitHub (and Gitea and Forgejo, for its sake), then
/// Gitea and Forgejo by their own names.
const SIGNATURES: [(&str, &str); 3] =
    [("x-hub-signature-256", "sha256="), ("x-forgejo-signature", ""), ("x-gitea-signature", "")];

/// The header in which GitLab sends the secret itself.
const TOKEN: &str = "x-gitlab-token";

/// `POST /{newsletter}/webhook`
pub(super) async fn push(
    State(web): State<Web>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let secret = newsletter.source.webhook_secret.as_ref().ok_or(Error::NotFound)?;
    let (parts, body) = request.into_parts();
    // Also the body of somebody without a signature is read: an answer before its end is a broken connection to many clients.
    let Ok(body) = to_bytes(body, LIMIT).await else {
        return Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "The event is too large, or was cut off.\n"));
    };
    Ok(match claim(secret, &parts.headers, &body) {
        Claim::Good => {
            tracing::debug!(newsletter = %newsletter.id, "a push event came");
            web.source(&newsletter.id)?.poke();
            answer(StatusCode::ACCEPTED, "Thank you, looking.\n")
        }
        Claim::None => {
            tracing::warn!(newsletter = %newsletter.id, "a push event without a signature was refused; set the secret at the git server");
            answer(StatusCode::UNAUTHORIZED, "The event is not signed.\n")
        }
        Claim::Bad => {
            tracing::warn!(newsletter = %newsletter.id, "a push event with a wrong signature was refused; compare webhook_secret with the secret at the git server");
            answer(StatusCode::FORBIDDEN, "The signature is wrong.\n")
        }
    })
}

fn answer(status: StatusCode, words: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, NEVER)], words).into_response()
}

/// Whether an event comes from someone who knows the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Good,
    /// There is nothing to prove it.
    None,
    Bad,
}

/// Looks at the first header that any of the servers sends. Takes the same time for every wrong signature.
fn claim(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> Claim {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signed = SIGNATURES.iter().find_map(|(name, prefix)| Some((headers.get(*name)?, *prefix)));
    let good = match (signed, headers.get(TOKEN)) {
        (Some((signature, prefix)), _) => {
            let text = signature.to_str().ok().and_then(|text| text.strip_prefix(prefix));
            text.and_then(bytes).is_some_and(|signature| hmac::verify(&key, body, &signature).is_ok())
        }
        (None, Some(token)) => {
            // Of equal length, whatever was sent: the time must not tell the length of the secret either.
            let (sent, own) = (hmac::sign(&key, token.as_bytes()), hmac::sign(&key, secret.expose().as_bytes()));
            constant_time::verify_slices_are_equal(sent.as_ref(), own.as_ref()).is_ok()
        }
        (None, None) => return Claim::None,
    };
    if good { Claim::Good } else { Claim::Bad }
}

/// Reads hex.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn each_server_proves_it_its_own_way() {
        // The example of GitHub's documentation, "Validating webhook deliveries".
        let secret = Secret::new("It's a Secret to Everybody");
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = format!("sha256={hex}");
        let other = hex.replace('7', "8");
        for (name, value, expected) in [
            ("x-hub-signature-256", github.as_str(), Claim::Good),
            ("x-gitea-signature", hex, Claim::Good),
            ("x-forgejo-signature", hex, Claim::Good),
            ("x-gitlab-token", "It's a Secret to Everybody", Claim::Good),
            ("x-hub-signature-256", hex, Claim::Bad),
            ("x-hub-signature-256", "sha256=", Claim::Bad),
            ("x-gitea-signature", &other, Claim::Bad),
            ("x-gitea-signature", "75710", Claim::Bad),
            ("x-gitea-signature", "not hex at all", Claim::Bad),
            ("x-gitlab-token", "It's a Secret to Everybod", Claim::Bad),
            ("x-gitlab-token", "", Claim::Bad),
            ("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", Claim::None),
            ("authorization", "It's a Secret to Everybody", Claim::None),
        ] {
            let headers = HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )]);
            assert_eq!(claim(&secret, &headers, b"Hello, World!"), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_wrong_signature_is_not_outweighed_by_another_header() {
        let secret = Secret::new("It's a Secret to Everybody");
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", HeaderValue::from_static("sha256=00"));
        headers.insert(TOKEN, HeaderValue::from_static("It's a Secret to Everybody"));
        assert_eq!(claim(&secret, &headers, b"Hello, World!"), Claim::Bad);
    }
}
