//! Files of the content source that published issues show: images above all.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::Web;
use super::answer::{FIVE_MINUTES, Representation};
use super::error::Error;

/// The largest file that is served. It is held in memory while it is, and an image of 10 MiB is in nobody's interest.
const LIMIT: u64 = 10 * 1024 * 1024;

/// A drawing may hold script. Opened on its own it stands in a sandbox: no script, no origin, nothing loaded.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// `GET /{newsletter}/files/{path}`
pub(super) async fn file(
    State(web): State<Web>,
    Path((name, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let content_type = content_type(&path).ok_or(Error::NotFound)?;
    if !web.store().shows_asset(&newsletter.id, &path).await? {
        return Err(Error::NotFound);
    }
    let bytes = web.source(&newsletter.id)?.asset(&path, LIMIT).await?.ok_or(Error::NotFound)?;
    let mut response = Representation::new(content_type, FIVE_MINUTES, bytes).answer(&headers);
    if content_type == SVG {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    Ok(response)
}

const SVG: &str = "image/svg+xml";

/// The types that are served: what shows in a page or downloads, and nothing that a browser would run in our name. The name
/// decides and `nosniff` keeps it so, whatever the bytes are.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => SVG,
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        "txt" | "md" | "csv" | "log" => "text/plain; charset=utf-8",
        "zip" => "application/zip",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_will_not_run_is_served() {
        for (path, kind) in [
            ("2020/a.png", Some("image/png")),
            ("a.JPG", Some("image/jpeg")),
            ("a.html.txt", Some("text/plain; charset=utf-8")),
            ("drawing.svg", Some(SVG)),
            ("a.html", None),
            ("a.txt.html", None),
            ("a.xhtml", None),
            ("a.xml", None),
            ("a.js", None),
            ("a.wasm", None),
            ("png", None),
            ("a.png/b", None),
            (".png", Some("image/png")),
            ("", None),
        ] {
            assert_eq!(content_type(path), kind, "{path:?}");
        }
    }
}
