//! What RSS and Atom share beyond their own elements: links of a document, extensions, and the word to browsers.

use super::{Feed, Format, text};

/// The namespace of RFC 5005.
pub(super) const HISTORY: (&str, &str) = ("fh", "http://purl.org/syndication/history/1.0");

/// The links of a document besides `alternate`, as relation, URL and media type: itself, its hubs (WebSub section 4), and its
/// neighbours in the archive (RFC 5005 section 4).
pub(super) fn links(feed: &Feed, format: Format) -> Vec<(&'static str, String, Option<&'static str>)> {
    let kind = Some(format.media_type());
    let mut links = vec![("self", feed.url(format), kind)];
    links.extend(feed.hubs.iter().map(|hub| ("hub", hub.clone(), None)));
    let chain =
        [("current", &feed.chain.current), ("prev-archive", &feed.chain.previous), ("next-archive", &feed.chain.next)];
    links.extend(chain.into_iter().filter_map(|(rel, base)| Some((rel, format.below(base.as_deref()?), kind))));
    links
}

/// The media type of an image by the end of its name; `None` where that does not say.
pub(super) fn image_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// Puts the style sheet's processing instruction behind the XML declaration: the only word a browser listens to in a feed. The
/// path stays as it is when the style sheet changes, so that a feed does not change with the program.
pub(super) fn with_stylesheet(document: Vec<u8>, path: &str) -> Vec<u8> {
    let end = document.windows(2).position(|two| two == b"?>").map_or(0, |at| at + 2);
    let instruction = format!("\n<?xml-stylesheet type=\"text/css\" href=\"{}\"?>", text::attribute(path));
    let (declaration, rest) = document.split_at(end);
    [declaration, instruction.as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_image_is_known_by_its_name_or_not_at_all() {
        for (url, kind) in [
            ("https://example.org/a.PNG?x=.gif#.jpg", Some("image/png")),
            ("https://example.org/a.jpeg", Some("image/jpeg")),
            ("https://example.org/image", None),
            ("https://example.org/a.exe", None),
        ] {
            assert_eq!(image_type(url), kind, "{url}");
        }
    }

    #[test]
    fn the_style_sheet_comes_right_after_the_declaration() {
        let with = with_stylesheet(b"<?xml version=\"1.0\"?>\n<feed/>".to_vec(), "/a&b.css");
        let expected = "<?xml version=\"1.0\"?>\n<?xml-stylesheet type=\"text/css\" href=\"/a&amp;b.css\"?>\n<feed/>";
        assert_eq!(String::from_utf8(with).unwrap(), expected);
    }
}
