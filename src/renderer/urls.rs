//! Relative links and images made absolute (RFC 3986 section 5), once for HTML and text alike.

use url::{ParseError, Url};

use super::Links;

/// What a reader may follow. Everything else is dropped, `javascript:` and `data:` above all.
pub(super) const LINK_SCHEMES: [&str; 8] = ["http", "https", "mailto", "tel", "xmpp", "irc", "ircs", "matrix"];
/// What a reader's program loads by itself.
const IMAGE_SCHEMES: [&str; 2] = ["http", "https"];

/// Scheme of the private URLs that [`super::remains`] makes of references to other documents by name.
pub(super) const DOCUMENT: &str = "document:";

/// Stands for the root of the source while a path is resolved; `.invalid` never resolves (RFC 2606).
const ROOT: &str = "http://source.invalid/";

/// What a URL of a document comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The absolute URL.
    pub url: String,
    /// Path of the file of the source that it shows, unless that is a page of ours.
    pub file: Option<String>,
}

impl Target {
    fn outside(url: &Url) -> Self {
        Self { url: url.as_str().to_owned(), file: None }
    }
}

/// Where a link leads; `None` when it must not be one.
pub(super) fn link(text: &str, links: &Links) -> Option<Target> {
    resolve(text, links, &LINK_SCHEMES)
}

/// Where an image lies; `None` when it must not be loaded.
pub(super) fn image(text: &str, links: &Links) -> Option<Target> {
    resolve(text, links, &IMAGE_SCHEMES)
}

fn resolve(text: &str, links: &Links, schemes: &[&str]) -> Option<Target> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(fragment) = text.strip_prefix('#') {
        let mut url = links.issue.clone();
        url.set_fragment(Some(fragment));
        return Some(Target::outside(&url));
    }
    if let Some(found) = of_generator(text, links) {
        return found;
    }
    match Url::parse(text) {
        Ok(url) => schemes.contains(&url.scheme()).then(|| Target::outside(&url)),
        Err(ParseError::RelativeUrlWithoutBase) => relative(text, links),
        Err(_) => None,
    }
}

/// A path as a site generator has it: the outer `None` when it is none of these. `{` may be percent-encoded already.
fn of_generator(text: &str, links: &Links) -> Option<Option<Target>> {
    if let Some(path) = text.strip_prefix(DOCUMENT) {
        return Some(document(path, links));
    }
    // Zola, from the root of the content.
    if let Some(path) = text.strip_prefix("@/") {
        return Some(document(&format!("/{path}"), links));
    }
    // Pelican, from the root or the document's folder.
    let rest = text.strip_prefix('{').or_else(|| text.strip_prefix("%7B"));
    let rest = rest.and_then(|rest| rest.split_once('}').or_else(|| rest.split_once("%7D")));
    let (kind, path) = rest.or_else(|| text.strip_prefix('|')?.split_once('|'))?;
    match kind {
        "filename" => Some(document(path, links)),
        "static" | "attach" => Some(relative(path, links)),
        "tag" | "category" | "author" | "index" | "archives" => Some(None),
        _ => None,
    }
}

/// The page of a document that is named by its path or a part of it, else a file of the source.
fn document(text: &str, links: &Links) -> Option<Target> {
    let (path, fragment) = text.split_once('#').map_or((text, None), |(path, fragment)| (path, Some(fragment)));
    if path.is_empty() {
        return resolve(&format!("#{}", fragment?), links, &LINK_SCHEMES);
    }
    let name = unescape(path.split('?').next().unwrap_or_default())?;
    if let Some(page) = links.documents.named(&name, &links.path) {
        let mut page = page.clone();
        page.set_fragment(fragment);
        return Some(Target::outside(&page));
    }
    let file = name.rsplit('/').next().unwrap_or_default();
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    extension.filter(|extension| !matches!(*extension, "md" | "markdown")).and_then(|_| relative(path, links))
}

/// Resolves a path against the document's folder. What climbs above the root stays at the root, as RFC 3986
/// section 5.2.4 has it, so nothing outside the source can be named.
fn relative(text: &str, links: &Links) -> Option<Target> {
    let mut base = Url::parse(ROOT).ok()?;
    base.set_path(&links.path);
    let mut url = base.join(text).ok()?;
    if url.host_str() != base.host_str() {
        // `//host/path` takes the scheme of the page it stands on; a mail has none.
        url.set_scheme("https").ok()?;
        return Some(Target::outside(&url));
    }
    let path = decode(url.path().strip_prefix('/')?);
    if let Some(page) = path.as_deref().and_then(|path| links.documents.at(path)) {
        let mut page = page.clone();
        if let Some(fragment) = url.fragment() {
            page.set_fragment(Some(fragment));
        }
        return Some(Target::outside(&page));
    }
    let Some(files) = &links.files else {
        // On another site the issue's own URL is the base, as for a browser there.
        return links.issue.join(text).ok().map(|url| Target::outside(&url));
    };
    // A folder of the source has no page.
    let path = path.filter(|path| !path.is_empty() && !path.ends_with('/'))?;
    let rest = url.as_str().strip_prefix(ROOT)?;
    let url = Url::parse(&format!("{files}{rest}")).ok()?;
    Some(Target { url: url.as_str().to_owned(), file: Some(path) })
}

/// Undoes percent-encoding; `None` when a segment would then mean something else: a separator, a dot segment,
/// a control character, or bytes that are not UTF-8.
fn decode(path: &str) -> Option<String> {
    unescape(path).filter(|path| !path.split('/').any(|segment| matches!(segment, "." | "..")))
}

/// As `decode`, for a name that is only compared with names: dot segments are resolved there.
fn unescape(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            match u8::try_from(value).ok()? {
                b'/' | b'\\' => return None,
                byte => byte,
            }
        } else {
            byte
        };
        bytes.push(byte);
    }
    let path = String::from_utf8(bytes).ok()?;
    (!path.chars().any(char::is_control)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::links;
    use super::*;

    fn url(text: &str) -> String {
        link(text, &links()).map(|target| target.url).unwrap_or_default()
    }

    #[test]
    fn on_the_projects_own_site_everything_is_as_a_browser_there_would_have_it() {
        let links = Links { files: None, ..links() };
        for (written, absolute) in [
            ("/downloads/", "https://news.example.org/downloads/"),
            ("/", "https://news.example.org/"),
            ("../april/", "https://news.example.org/2026/april/"),
            ("chart.png", "https://news.example.org/2026/march/chart.png"),
            ("/a%2Fb", "https://news.example.org/a%2Fb"),
            ("../02/index.md", "https://news.example.org/2026/february/"),
        ] {
            let target = link(written, &links).unwrap();
            assert_eq!((target.url.as_str(), target.file), (absolute, None), "{written}");
        }
    }

    #[test]
    fn every_kind_of_url_comes_out_absolute() {
        for (written, absolute) in [
            ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
            ("HTTPS://Example.org", "https://example.org/"),
            ("//cdn.example.org/a.png", "https://cdn.example.org/a.png"),
            ("\\\\cdn.example.org\\a.png", "https://cdn.example.org/a.png"),
            ("mailto:team@example.org", "mailto:team@example.org"),
            ("#releases", "https://news.example.org/2026/march/#releases"),
            ("chart.png", "https://news.example.org/files/2026/03/chart.png"),
            ("images/a b.png", "https://news.example.org/files/2026/03/images/a%20b.png"),
            ("./images/../chart.png", "https://news.example.org/files/2026/03/chart.png"),
            ("/logo.png", "https://news.example.org/files/logo.png"),
            ("../../logo.png?raw=true", "https://news.example.org/files/logo.png?raw=true"),
            ("../02/index.md", "https://news.example.org/2026/february/"),
            ("/2026/02/index.md#fixes", "https://news.example.org/2026/february/#fixes"),
            ("a:b.png", ""),
            ("./a:b.png", "https://news.example.org/files/2026/03/a:b.png"),
        ] {
            assert_eq!(url(written), absolute, "{written}");
        }
    }

    #[test]
    fn nothing_climbs_out_of_the_source() {
        for (written, absolute) in [
            ("../../../../etc/passwd", "https://news.example.org/files/etc/passwd"),
            ("%2e%2e/%2e%2e/%2e%2e/x", "https://news.example.org/files/x"),
            ("..%2f..%2f..%2fx", ""),
            ("..\\..\\..\\x", "https://news.example.org/files/x"),
            ("a%5c..%5cx", ""),
            ("a%00b", ""),
            ("%ff", ""),
            ("", ""),
            (".", ""),
            ("../", ""),
        ] {
            assert_eq!(url(written), absolute, "{written}");
        }
    }

    #[test]
    fn a_scheme_that_runs_or_hides_something_is_no_link() {
        for text in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
        ] {
            assert_eq!(link(text, &links()), None, "{text}");
            assert_eq!(image(text, &links()), None, "{text}");
        }
        assert_eq!(image("mailto:a@example.org", &links()), None);
    }

    #[test]
    fn paths_of_site_generators_lead_to_pages_and_files() {
        let (page, files) = ("https://news.example.org/2026/february/", "https://news.example.org/files");
        for (written, absolute) in [
            ("document:02/index.md#fixes", format!("{page}#fixes")),
            ("document:#fixes", "https://news.example.org/2026/march/#fixes".to_owned()),
            ("document:/assets/a%20b.pdf", format!("{files}/assets/a%20b.pdf")),
            ("document:nowhere", String::new()),
            ("@/news/2026/02/index.md", page.to_owned()),
            ("@/nowhere.md", String::new()),
            ("{filename}../02/index.md", page.to_owned()),
            ("%7Bfilename%7D/2026/02/index.md", page.to_owned()),
            ("|filename|/images/a.png", format!("{files}/images/a.png")),
            ("{static}/images/a.png", format!("{files}/images/a.png")),
            ("{attach}a.png", format!("{files}/2026/03/a.png")),
            ("{tag}rust", String::new()),
        ] {
            assert_eq!(url(written), absolute, "{written}");
        }
    }

    #[test]
    fn a_file_of_the_source_is_named_by_its_path() {
        let file = |text| image(text, &links()).and_then(|target| target.file);
        assert_eq!(file("images/a%20b.png?x#y").as_deref(), Some("2026/03/images/a b.png"));
        assert_eq!(file("../02/index.md"), None);
        assert_eq!(file("https://example.org/a.png"), None);
    }
}
