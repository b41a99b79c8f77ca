//! The site as files: complete, at home on any file server, and without what needs someone who answers.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Backend, TestApp, tidings};

async fn site() -> TestApp {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    for n in 1..=40 {
        app.write_issue(
            &format!("old-{n}.md"),
            &format!("Number {n}"),
            &format!("20{:02}-03-01", n % 3 + 20),
            "Old *news*.",
        );
    }
    let head = "title: Moved\ndate: 2026-02-20\ntags: [Release, 周刊]\naliases: [/2026/old-name.html, /2026/older]\nimage: chart.png";
    std::fs::write(app.path("issues/moved.md"), format!("---\n{head}\n---\n\n![a](chart.png) [b](a b.txt)\n")).unwrap();
    std::fs::write(app.path("issues/chart.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    std::fs::write(app.path("issues/a b.txt"), "text").unwrap();
    app.watch().await.unwrap();
    app
}

fn render(app: &TestApp) -> String {
    let output = tidings(app.directory.path()).args(["--config", "tidings.toml", "render", "site"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    errors
}

/// Every file below a directory, as paths relative to it.
fn files(root: &Path, below: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(root, &path, found),
            false => drop(found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())),
        }
    }
}

fn written(app: &TestApp) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    files(&app.path("site"), &app.path("site"), &mut found);
    found
}

/// How many links of ours a file has; each leads to a file below the site's root, which is what `base` names.
fn links(root: &Path, file: &str, base: &str) -> usize {
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    assert!(!text.contains("<form"), "{file} has a form that nobody answers");
    let base = url::Url::parse(base).unwrap();
    let (origin, mut found) = (base.origin().ascii_serialization(), 0);
    for link in text.split(['"', ' ', '<', '>', '\\']).filter(|text| text.starts_with(&origin) || text.starts_with('/'))
    {
        let path = link.strip_prefix(&origin).unwrap_or(link).split('#').next().unwrap();
        // The ends of tags, and what stands behind a slash in words.
        if !path.starts_with('/')
            || path.starts_with("//")
            || !link.starts_with(&origin) && !text.contains(&format!("\"{link}\""))
        {
            continue;
        }
        let below = path.strip_prefix(base.path()).unwrap_or_else(|| panic!("{file} links to {link}, outside {base}"));
        let there = root.join(below.replace("%20", " "));
        let is_file = there.is_file() || there.join("index.html").is_file();
        assert!(is_file, "{file} links to {link}, which is no file");
        found += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_site_below_a_path_stays_below_it() {
    let directory = tempfile::TempDir::new().unwrap();
    let here = directory.path();
    std::fs::create_dir(here.join("issues")).unwrap();
    for n in 1..=3 {
        let head = format!("title: Number {n}\ndate: 2026-01-0{n}\ntags: [Release]\nauthor: Ada\nimage: chart.png");
        let body = "[the first](1.md), [a file](<a b.txt>) and ![a chart](chart.png)";
        std::fs::write(here.join(format!("issues/{n}.md")), format!("---\n{head}\n---\n\n{body}\n")).unwrap();
    }
    std::fs::write(here.join("issues/chart.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    std::fs::write(here.join("issues/a b.txt"), "text").unwrap();
    let newsletter = |id: &str| {
        format!(
            "[newsletters.{id}]\ntitle = \"{id}\"\nfrom = \"{id}@example.org\"\nsource.directory = \"issues\"\n\
             [newsletters.{id}.cadences.each]\ntitle = \"Each\"\ncron = \"0 9 * * 1\"\n"
        )
    };
    let config =
        format!("[server]\nurl = \"https://example.org/news/\"\n{}{}", newsletter("weekly"), newsletter("monthly"));
    std::fs::write(here.join("tidings.toml"), config).unwrap();
    let output = tidings(here).args(["--config", "tidings.toml", "render", "site"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (site, base) = (here.join("site"), "https://example.org/news/");
    for file in [
        "index.html",
        "sitemap.xml",
        "feeds.opml",
        "weekly/index.html",
        "weekly/feeds/index.html",
        "weekly/issues/1/index.html",
        "weekly/tags/release/index.html",
        "weekly/atom.xml",
        "weekly/rss.xml",
        "weekly/feed.json",
        "monthly/authors/ada/atom.xml",
    ] {
        assert!(links(&site, file, base) > 1, "{file}");
    }
    let sheet = std::fs::read_to_string(site.join("weekly/atom.xml")).unwrap();
    assert!(sheet.contains("href=\"/news/feed.css\""), "{sheet}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_a_static_site_leads_to_a_file() {
    let app = site().await;
    assert_eq!(render(&app), "");
    let written = written(&app);
    for file in [
        "index.html",
        "robots.txt",
        "sitemap.xml",
        "favicon.ico",
        "favicon.svg",
        "weekly/index.html",
        "weekly/atom.xml",
        "weekly/rss.xml",
        "weekly/feed.json",
        "weekly/issues/old-40/index.html",
        "weekly/archive/2021/index.html",
        "weekly/tags/release/index.html",
        "weekly/authors/the-editors/index.html",
        "weekly/2026/old-name.html",
        "weekly/2026/older/index.html",
        "weekly/files/chart.png",
        "weekly/mail.eml",
    ] {
        assert!(written.contains(file), "{file} is not in {written:#?}");
    }
    let pages = written.iter().filter(|file| file.ends_with(".html") && !file.ends_with("mail.html"));
    let links: usize = pages.map(|file| links(&app.path("site"), file, &format!("{}/", app.url))).sum();
    assert!(links > 500, "{links} links were looked at");
    let moved = std::fs::read_to_string(app.path("site/weekly/2026/older/index.html")).unwrap();
    assert!(moved.contains(&format!("content=\"0; url={}/weekly/issues/moved\"", app.url)), "{moved}");
    let served = app.get("/weekly/atom.xml").await.body;
    let hub = format!("  <link href=\"{}/hub\" rel=\"hub\"/>\n", app.url);
    assert!(served.contains(&hub), "{served}");
    let written = std::fs::read_to_string(app.path("site/weekly/atom.xml")).unwrap();
    assert_eq!(written, served.replace(&hub, ""), "the same bytes as served, but for the hub, which needs a server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_removes_what_is_no_longer_published_and_touches_nothing_else() {
    let app = site().await;
    render(&app);
    std::fs::write(app.path("site/CNAME"), "news.example").unwrap();
    let before = std::fs::metadata(app.path("site/weekly/issues/old-2/index.html")).unwrap().modified().unwrap();
    std::fs::remove_file(app.path("issues/moved.md")).unwrap();
    render(&app);
    let after = written(&app);
    for gone in ["weekly/issues/moved/index.html", "weekly/2026/older/index.html", "weekly/files/chart.png"] {
        assert!(!after.contains(gone), "{gone}");
    }
    assert!(after.contains("CNAME") && !app.path("site/weekly/tags").exists());
    let now = std::fs::metadata(app.path("site/weekly/issues/old-2/index.html")).unwrap().modified().unwrap();
    assert_eq!(now, before, "a page that did not change keeps its time");
}
