//! The shortcodes that sites share, and what readers see in place of them.

use super::super::guard;
use super::args::Args;

/// What a shortcode becomes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expansion {
    /// HTML for one line of Markdown.
    Html(String),
    /// A link to another document of the source.
    Document(String),
}

/// `None` when only the site generator knows what it stands for.
pub(super) fn expand(name: &str, args: &Args) -> Option<Expansion> {
    match name {
        "figure" | "image" | "img" | "picture" => figure(args),
        "ref" | "relref" => args.get(&["path"]).or(args.at(0)).map(|path| Expansion::Document(path.to_owned())),
        "video" | "audio" => args.get(&["src", "url"]).or(args.at(0)).map(link),
        "youtube" => Some(link(&format!("https://www.youtube.com/watch?v={}", id(args, &["id"], 0)?))),
        "vimeo" => Some(link(&format!("https://vimeo.com/{}", id(args, &["id"], 0)?))),
        "instagram" => Some(link(&format!("https://www.instagram.com/p/{}/", id(args, &["id"], 0)?))),
        "tweet" | "twitter" | "twitter_simple" | "x" | "x_simple" => tweet(args),
        "gist" => gist(args),
        _ => None,
    }
}

/// The private URL that stands for another document until its public one is known.
pub(super) fn document_url(path: &str) -> String {
    let mut url = super::super::urls::DOCUMENT.to_owned();
    for byte in path.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"/#-_.~?=".contains(&b) => url.push(char::from(b)),
            b => url.push_str(&format!("%{b:02X}")),
        }
    }
    url
}

/// An image, in a link if it has one, and its caption below.
fn figure(args: &Args) -> Option<Expansion> {
    let src = args.get(&["src", "path", "url", "image"]).or(args.at(0))?;
    let attribute = |name: &str, value: &str| format!(" {name}=\"{}\"", escape(&one_line(value)));
    let mut html =
        format!("<img{}{}>", attribute("src", src), attribute("alt", args.get(&["alt"]).unwrap_or_default()));
    if let Some(link) = args.get(&["link", "href"]) {
        html = format!("<a{}>{html}</a>", attribute("href", link));
    }
    let credit = args.get(&["attr"]).map(|credit| match args.get(&["attrlink"]) {
        Some(link) => format!("<a{}>{}</a>", attribute("href", link), one_line(credit)),
        None => one_line(credit),
    });
    // Hugo reads a caption as Markdown.
    let texts = [args.get(&["title"]).map(one_line), args.get(&["caption"]).map(one_line), credit];
    let caption: Vec<String> = texts.into_iter().flatten().collect();
    if !caption.is_empty() {
        html = format!("{html}<br>{}", caption.join(" "));
    }
    Some(Expansion::Html(html))
}

fn tweet(args: &Args) -> Option<Expansion> {
    if let Some(url) = args.at(0).or(args.get(&["url"])).filter(|url| url.starts_with("https://")) {
        return Some(link(url));
    }
    let user = args.get(&["user"]).filter(|user| is_id(user)).unwrap_or("i");
    Some(link(&format!("https://twitter.com/{user}/status/{}", id(args, &["id"], 0)?)))
}

fn gist(args: &Args) -> Option<Expansion> {
    if let Some(url) = args.get(&["url"]).filter(|url| url.starts_with("https://")) {
        return Some(link(url));
    }
    let first = args.at(0)?;
    let path = match args.at(1).filter(|id| is_id(id)) {
        Some(id) if is_id(first) => format!("{first}/{id}"),
        _ => first.to_owned(),
    };
    let fits = path.split('/').all(is_id);
    fits.then(|| link(&format!("https://gist.github.com/{path}")))
}

/// An argument that may stand in a URL.
fn id<'a>(args: &'a Args, keys: &[&str], index: usize) -> Option<&'a str> {
    args.get(keys).or(args.at(index)).filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// A link that shows its URL. As HTML, it is one in Markdown and in raw HTML alike.
fn link(url: &str) -> Expansion {
    let url = escape(&one_line(url));
    let shown = url.strip_prefix("https://").unwrap_or(&url);
    Expansion::Html(format!("<a href=\"{url}\">{shown}</a>"))
}

/// Text for the cleaned document, which holds no remains.
fn one_line(text: &str) -> String {
    guard::without_marks(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
