//! Feeds as programs of other people read them: feedparser and newsboat.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tidings::types::NewsletterId;

use crate::harness::{Backend, TestApp, there};

/// Titles that break a careless writer. YAML reads each as JSON would.
const TITLES: &[&str] = &[
    "Vec<T>, Option<&str> and <script>alert(1)</script>",
    "]]> ends CDATA, ]]]]><![CDATA[> begins it",
    "Tom & Jerry &amp; co. &lt;b&gt; &#0;",
    "\"quotes\" and 'ticks' \\ and \\ud800",
    "周刊 \u{1F980} e\u{301} \u{202E}rtl\u{202C} مرحبا שלום",
    "\u{1F469}\u{200D}\u{1F680} at the end",
];

const BODIES: &[&str] = &[
    "Text with `Vec<T>` and ]]> and &amp; and &lt;b&gt;.",
    "A note[^1] here.\n\n[^1]: And its text.",
    "Line one  \nline two\n\n- a list\n- [a link](https://example.org/?a=1&b=2 \"t\")",
    "```xml\n<?xml version=\"1.0\"?>\n<!DOCTYPE x [<!ENTITY a \"b\">]>\n<x>&a;]]></x>\n```",
    "مرحبا \u{1F980} שלום e\u{301}",
    "# Heading <T>\n\n> quote\n\n| a | b |\n|---|---|\n| 1 | <2> |",
];

async fn app() -> TestApp {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    for (number, (title, body)) in TITLES.iter().zip(BODIES).enumerate() {
        let (title, date) = (json!(title), format!("2025-01-{:02}T10:00:00+09:00", number + 1));
        let text = format!(
            "---\ntitle: {title}\ndate: {date}\nauthors: [Ada <Lovelace>, \"Zoë & Co\"]\ntags: [rust]\n---\n\n{body}\n"
        );
        std::fs::write(app.path("issues").join(format!("{number}.md")), text).unwrap();
    }
    app.watch().await.unwrap();
    app
}

/// Whether a program answers; where everything should be installed, it must.
fn installed(program: &str, arguments: &[&str]) -> bool {
    let found = python_path(Command::new(program).args(arguments)).stdout(Stdio::null()).stderr(Stdio::null()).status();
    there(found.is_ok_and(|status| status.success()), &format!("{program} {}", arguments.join(" ")))
}

/// Where `tests/run` puts packages of PyPI.
fn python_path(command: &mut Command) -> &mut Command {
    command.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/target/python"))
}

/// Prints as JSON what feedparser makes of the feed on its input. Nothing is sanitised, so that what arrived can be compared.
const FEEDPARSER: &str = r#"
import feedparser, json, sys
feed = feedparser.parse(sys.stdin.buffer.read(), sanitize_html=False, resolve_relative_uris=False)
assert not feed.bozo, feed.bozo_exception
print(json.dumps([{
    "id": e.id, "title": e.title, "link": e.link, "guidislink": e.get("guidislink", False),
    "authors": [a.get("name") for a in e.authors], "content": e.content[0].value,
    "published": list(e.published_parsed[:6]), "tags": [t.term for t in e.tags],
} for e in feed.entries]))
"#;

fn feedparser(feed: &str) -> Vec<Value> {
    let mut python = python_path(Command::new("python3").args(["-c", FEEDPARSER]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), feed.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "feedparser failed on {feed}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn feedparser_reads_what_we_wrote() {
    if !installed("python3", &["-c", "import feedparser"]) {
        return;
    }
    let app = app().await;
    let expected = app.app().store.newest_revisions(&weekly(), 10).await.unwrap();
    for path in ["/weekly/atom.xml", "/weekly/rss.xml"] {
        let read = feedparser(&app.get(path).await.body);
        assert_eq!(read.len(), TITLES.len());
        for (entry, issue) in read.iter().zip(&expected) {
            assert_eq!(entry["id"], json!(tidings::feed::entry_id(&issue.newsletter, &issue.issue)), "{path}");
            assert_eq!(entry["title"], json!(issue.title), "{path}");
            assert!(TITLES.contains(&issue.title.as_str()), "{}", issue.title);
            assert_eq!(entry["link"], json!(issue.url), "{path}");
            // feedparser says so of every Atom entry.
            assert_eq!(entry["guidislink"], json!(path.ends_with("atom.xml")), "{path}");
            assert_eq!(entry["authors"], json!(issue.authors), "{path}");
            assert_eq!(entry["tags"], json!(["rust"]), "{path}");
            assert_eq!(entry["content"].as_str().unwrap().trim(), issue.content.feed.trim(), "{path}");
            let date = issue.date.to_utc().format("[%Y,%-m,%-d,%-H,%-M,%-S]").to_string();
            assert_eq!(entry["published"].to_string(), date, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newsboat_reads_what_we_wrote() {
    if !installed("newsboat", &["-v"]) {
        return;
    }
    let app = app().await;
    let expected = app.app().store.newest_revisions(&weekly(), 10).await.unwrap();
    for name in ["atom.xml", "rss.xml"] {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(file("urls"), format!("{}/weekly/{name}\n", app.url)).unwrap();
        std::fs::write(file("config"), "").unwrap();
        let files = ["-u", &file("urls"), "-c", &file("cache.db"), "-C", &file("config"), "-x", "reload"];
        let output = Command::new("newsboat").args(files).env("HOME", directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut cache = SqliteConnection::connect(&format!("sqlite:{}", file("cache.db"))).await.unwrap();
        let sql = "SELECT guid, title, author, url, pubDate, content FROM rss_item ORDER BY pubDate DESC";
        let rows = sqlx::query(sql).fetch_all(&mut cache).await.unwrap();
        assert_eq!(rows.len(), TITLES.len(), "{name}");
        for (row, issue) in rows.iter().zip(&expected) {
            let text = |column: &str| row.get::<String, _>(column);
            assert_eq!(text("guid"), tidings::feed::entry_id(&issue.newsletter, &issue.issue), "{name}");
            assert_eq!(text("title"), issue.title, "{name}");
            assert_eq!(text("url"), issue.url, "{name}");
            assert_eq!(row.get::<i64, _>("pubDate"), issue.date.timestamp(), "{name}");
            // Of several authors in RSS newsboat shows the last.
            assert!(issue.authors.iter().any(|name| text("author").contains(name)), "{name}: {}", text("author"));
            assert_eq!(text("content").trim(), issue.content.feed.trim(), "{name}");
        }
    }
}

fn weekly() -> NewsletterId {
    NewsletterId::parse("weekly").unwrap()
}
