//! The site as files: the router is asked for one page after the other, as a browser would that follows each link, so that what
//! is a page, a feed or an image is decided in one place.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;
use url::Url;

use crate::app::App;
use crate::cli::output;
use crate::http;
use crate::site;

/// The names of the files that a run wrote, so that the next one knows which of them are its own to remove.
const LIST: &str = ".tidings-files";

/// Writes every page, feed and file below `server.url` that has a link to it, and what needs none.
pub(super) async fn write(app: &App, files: &mut Files) -> anyhow::Result<()> {
    let base = &app.config.server.url;
    let router = http::public(app.web().still());
    let mut queue = Queue::new(base);
    for path in ["", "robots.txt", "sitemap.xml", "favicon.ico", "favicon.svg"] {
        queue.push(base.join(path)?);
    }
    for (path, _) in http::feeds::paths(&app.web()).await? {
        queue.push(base.join(&path)?);
    }
    for newsletter in &app.config.newsletters {
        queue.push(site::home(base, &newsletter.id));
        // Also those whose public page is on another site, and former paths, which no page names.
        for head in app.store.archive(&newsletter.id).await? {
            queue.push(site::issue(base, &newsletter.id, &head.slug));
        }
        for alias in app.store.aliases(&newsletter.id).await? {
            let home = site::home(base, &newsletter.id);
            queue.extend(home.join(&format!("./{}", alias.replace('%', "%25").replace('#', "%23"))).ok());
        }
    }
    let progress = output::Progress::new("files written");
    while let Some(url) = queue.next() {
        let answer = router.clone().oneshot(Request::get(url.path()).body(Body::empty())?).await?;
        match Found::new(base, &url, &answer) {
            Found::File(name) => {
                let text = is_text(&answer);
                let bytes = to_bytes(answer.into_body(), usize::MAX).await?;
                if text {
                    queue.links(&String::from_utf8_lossy(&bytes));
                }
                files.put(&name, &bytes)?;
            }
            Found::Elsewhere(name, target) => {
                queue.push(target.clone());
                files.put(&name, redirect(&target).as_bytes())?;
            }
            Found::Alias => {}
            // An issue may show a file that the source has not, or link to a page that never was: it is readable without.
            Found::Nothing(status) => eprintln!("{} is left out: {status}", url.path()),
        }
        progress.at(files.written.len());
    }
    Ok(())
}

/// What an answer is as a file.
enum Found {
    File(String),
    Elsewhere(String, Url),
    /// Another name of a feed: a page would be no feed, and a copy would be another feed.
    Alias,
    Nothing(StatusCode),
}

impl Found {
    fn new(base: &Url, url: &Url, answer: &Response) -> Self {
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let html = answer.status().is_redirection() || text(header::CONTENT_TYPE).starts_with("text/html");
        let target = || base.join(text(header::LOCATION)).ok();
        match (file_name(base, url, html), answer.status()) {
            (Some(name), StatusCode::OK) => Self::File(name),
            (_, status) if status.is_redirection() && [".xml", ".json"].iter().any(|end| url.path().ends_with(end)) => {
                Self::Alias
            }
            (Some(name), status) if status.is_redirection() => {
                target().map_or(Self::Nothing(status), |target| Self::Elsewhere(name, target))
            }
            (_, status) => Self::Nothing(status),
        }
    }
}

/// The file below the output directory that a file server gives for a URL.
fn file_name(base: &Url, url: &Url, html: bool) -> Option<String> {
    let path = url.path().strip_prefix(base.path())?;
    let path = percent_decoded(path)?;
    let (folder, last) = path.rsplit_once('/').map_or((String::new(), path.as_str()), |(f, l)| (format!("{f}/"), l));
    Some(match last {
        "" => format!("{folder}index.html"),
        // A file server tells the type by the name: a page whose name says no type is the index of a folder.
        last if html && !last.ends_with(".html") && !last.ends_with(".htm") => format!("{folder}{last}/index.html"),
        last => format!("{folder}{last}"),
    })
}

fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push((digit(high)? << 4) | digit(low)?);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A page that leads to another, for servers that know nothing but files. HTML's own refresh, without a script.
fn redirect(target: &Url) -> String {
    let url = target.as_str().replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Moved</title>\n\
         <link rel=\"canonical\" href=\"{url}\">\n<meta http-equiv=\"refresh\" content=\"0; url={url}\">\n</head>\n\
         <body><p>This page is now at <a href=\"{url}\">{url}</a>.</p></body>\n</html>\n"
    )
}

/// Whether an answer may name more URLs.
fn is_text(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    ["html", "xml", "json", "opml"].iter().any(|known| kind.contains(known)) && !kind.contains("svg")
}

/// The URLs below the base that wait, each once.
struct Queue<'a> {
    base: &'a Url,
    seen: HashSet<String>,
    waiting: VecDeque<Url>,
}

impl<'a> Queue<'a> {
    fn new(base: &'a Url) -> Self {
        Self { base, seen: HashSet::new(), waiting: VecDeque::new() }
    }

    fn push(&mut self, mut url: Url) {
        url.set_fragment(None);
        let ours = url.origin() == self.base.origin() && url.path().starts_with(self.base.path());
        // What has a query is an answer to someone, not a file.
        if ours && url.query().is_none() && self.seen.insert(url.path().to_owned()) {
            self.waiting.push_back(url);
        }
    }

    fn extend(&mut self, urls: impl IntoIterator<Item = Url>) {
        urls.into_iter().for_each(|url| self.push(url));
    }

    fn next(&mut self) -> Option<Url> {
        self.waiting.pop_front()
    }

    /// Every URL of ours that a text names, in whatever format: absolute, or as a path in an attribute.
    fn links(&mut self, text: &str) {
        let ends = |c: char| c.is_whitespace() || "\"'<>\\`".contains(c);
        let path = format!("=\"{}", self.base.path());
        let absolute = text.match_indices(self.base.as_str()).map(|(at, _)| at);
        let relative = text.match_indices(&path).map(|(at, _)| at + 2);
        for at in absolute.chain(relative) {
            let link = text.get(at..).and_then(|link| link.split(ends).next()).unwrap_or_default();
            // In RSS, HTML is text: its quotes and tags are references.
            let link =
                ["&quot;", "&lt;", "&gt;", "&#"].iter().fold(link, |link, end| link.split(end).next().unwrap_or(link));
            self.extend(self.base.join(&link.replace("&amp;", "&")).ok());
        }
    }
}

/// The files of the output directory that are ours.
pub(super) struct Files {
    root: PathBuf,
    before: BTreeSet<String>,
    written: BTreeSet<String>,
}

impl Files {
    /// Reads which files the run before wrote.
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        let list = root.join(LIST);
        let before = match std::fs::read_to_string(&list) {
            Ok(text) => text.lines().filter(|name| is_below(name)).map(str::to_owned).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", list.display())),
        };
        Ok(Self { root: root.to_owned(), before, written: BTreeSet::new() })
    }

    /// Writes a file, unless it has these bytes already: what copies a site by time finds only what changed.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        if !is_below(name) {
            bail!("{name:?} is not a path below the output directory");
        }
        let path = self.root.join(name);
        self.written.insert(name.to_owned());
        if self.before.contains(name) && std::fs::read(&path).is_ok_and(|kept| kept == bytes) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes what an earlier run wrote and this one did not, and notes what there is now; how many files that is.
    pub(super) fn finish(self) -> anyhow::Result<usize> {
        for name in self.before.difference(&self.written) {
            let path = self.root.join(name);
            let _ = std::fs::remove_file(&path);
            // Folders go with their last file: removing one that is not empty fails, as it should.
            for folder in path.ancestors().skip(1).take_while(|folder| **folder != *self.root) {
                if std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        let list = self.written.iter().fold(String::new(), |list, name| list + name + "\n");
        let path = self.root.join(LIST);
        std::fs::write(&path, list).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(self.written.len())
    }
}

/// Whether a name stays below the directory, and on one line of the list.
fn is_below(name: &str) -> bool {
    let parts = Path::new(name).components();
    !name.is_empty()
        && !name.contains(['\n', '\r', '\0'])
        && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_file_that_a_file_server_looks_for() {
        let base = Url::parse("https://example.org/news/").unwrap();
        for (path, html, name) in [
            ("/news/", true, Some("index.html")),
            ("/news/w/", true, Some("w/index.html")),
            ("/news/w/issues/a", true, Some("w/issues/a/index.html")),
            ("/news/w/2018-03-29.1", true, Some("w/2018-03-29.1/index.html")),
            ("/news/w/old.html", true, Some("w/old.html")),
            ("/news/w/atom.xml", false, Some("w/atom.xml")),
            ("/news/w/files/%E5%91%A8%20a.png", false, Some("w/files/周 a.png")),
            ("/other/", true, None),
        ] {
            let url = base.join(path).unwrap();
            assert_eq!(file_name(&base, &url, html).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn links_are_found_in_every_format() {
        let base = Url::parse("https://example.org/news/").unwrap();
        let mut queue = Queue::new(&base);
        queue.links("<a href=\"https://example.org/news/a/#x\"> <link href=\"/news/s.css\"> {\"url\":\"https://example.org/news/b\"} <loc>https://example.org/news/c</loc> src=&quot;https://example.org/news/b&quot; https://example.org/news/?q=1 https://example.org/other href=\"/x\" https://example.org/news/a/");
        let found: Vec<_> = std::iter::from_fn(|| queue.next()).map(|url| url.path().to_owned()).collect();
        assert_eq!(found, ["/news/a/", "/news/b", "/news/c", "/news/s.css"]);
    }

    #[test]
    fn what_an_earlier_run_wrote_goes_and_what_others_wrote_stays() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Files::open(directory.path()).unwrap();
        first.put("a/b/old.html", b"old").unwrap();
        first.put("a/kept.html", b"kept").unwrap();
        assert_eq!(first.finish().unwrap(), 2);
        std::fs::write(directory.path().join("CNAME"), "theirs").unwrap();
        let mut second = Files::open(directory.path()).unwrap();
        second.put("a/kept.html", b"new").unwrap();
        assert!(second.put("../x", b"").is_err() && second.put("/etc/x", b"").is_err());
        second.finish().unwrap();
        let there = |name: &str| directory.path().join(name).exists();
        assert!(!there("a/b") && there("a/kept.html") && there("CNAME"));
        assert_eq!(std::fs::read(directory.path().join("a/kept.html")).unwrap(), b"new");
    }
}
