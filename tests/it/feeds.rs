//! Feeds through the door: archives, tags and authors, caches, other nodes, and clients that ask too often.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use reqwest::Method;
use tidings::app::App;
use tidings::chance::Chance;
use tidings::http;
use tower::ServiceExt as _;

use crate::harness::{Answer, Backend, TestApp, eventually, on_both};

/// What stands between `begin` and `end`, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

fn link(answer: &Answer, rel: &str) -> Option<String> {
    let links = between(&answer.body, "<link ", ">");
    let link = links.into_iter().find(|link| link.contains(&format!("rel=\"{rel}\"")))?;
    between(link, "href=\"", "\"").first().map(|href| (*href).to_owned())
}

fn ids(answer: &Answer) -> Vec<String> {
    between(&answer.body, "<id>", "</id>").into_iter().skip(1).map(str::to_owned).collect()
}

async fn write_issues(app: &mut TestApp, count: usize) {
    for number in 1..=count {
        let date = format!("2025-{:02}-{:02}", (number - 1) / 28 + 1, (number - 1) % 28 + 1);
        app.write_issue(&format!("{number:03}.md"), &format!("Issue {number}"), &date, "Some *news* of this day.");
    }
    app.watch().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_walks_the_archive_finds_every_issue_once_and_keeps_it_for_ever() {
    on_both(async |mut app: TestApp| {
        write_issues(&mut app, 50).await;
        let newest = app.get("/weekly/atom.xml").await;
        assert_eq!(ids(&newest).len(), 20);
        let (mut seen, mut previous) = (ids(&newest), link(&newest, "prev-archive"));
        let mut walked = Vec::new();
        while let Some(url) = previous {
            let document = app.get(&url).await;
            assert_eq!(document.status, 200, "{url}");
            assert_eq!(document.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(link(&document, "self"), Some(url.clone()));
            assert_eq!(link(&document, "current"), Some(format!("{}/weekly/atom.xml", app.url)));
            assert!(document.body.contains("<fh:archive>"));
            seen.extend(ids(&document));
            previous = link(&document, "prev-archive");
            walked.push((url, document));
        }
        assert_eq!(walked.len(), 2);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 50);
        // Forward again, by the names that stay.
        let next = link(&walked[1].1, "next-archive").unwrap();
        assert_eq!(app.get(&next).await.body, walked[0].1.body);
        let last = link(&walked[0].1, "next-archive").unwrap();
        let last = app.get(&last).await;
        assert_eq!((last.body.as_str(), last.header("cache-control")), (newest.body.as_str(), "public, max-age=300"));

        // A new issue moves nothing; an edit gives new names from its document on, and the old ones lead there.
        app.write_issue("051.md", "Issue 51", "2025-12-01", "More.");
        app.watch().await.unwrap();
        for (url, before) in &walked {
            let now = app.get(url).await;
            assert_eq!((&now.body, now.header("etag")), (&before.body, before.header("etag")));
        }
        app.write_issue("025.md", "Issue 25, mended", "2025-01-25", "Better.");
        app.watch().await.unwrap();
        let [(second, _), (first, oldest)] = &walked[..] else { panic!("two documents") };
        assert_eq!(app.get(first).await.body, oldest.body);
        let moved = app.get(second).await;
        assert_eq!(moved.status, 307);
        let now = app
            .get(&format!(
                "{}{}",
                if moved.header("location").starts_with("http") { "" } else { &app.url },
                moved.header("location")
            ))
            .await;
        assert!(now.body.contains("Issue 25, mended"), "{}", now.body);
        assert_eq!(link(&app.get("/weekly/atom.xml").await, "prev-archive"), link(&now, "self"));
        for wrong in ["archive/0/atom.xml", "archive/9/atom.xml", "archive/9-aa/atom.xml", "archive/atom.xml"] {
            assert_eq!(app.get(&format!("/weekly/{wrong}")).await.status, 404, "{wrong}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_readers_walk_the_archive_by_next_url() {
    let mut app = TestApp::start_with(Backend::Sqlite, "[defaults]\nfeed_entries = 2\n").await.unwrap();
    write_issues(&mut app, 5).await;
    let (mut titles, mut next) = (Vec::new(), Some("/weekly/feed.json".to_owned()));
    while let Some(url) = next {
        let json: serde_json::Value = serde_json::from_str(&app.get(&url).await.body).unwrap();
        titles.extend(json["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()));
        next = json["next_url"].as_str().map(str::to_owned);
    }
    assert_eq!(
        titles,
        ["Issue 5", "Issue 4", "Issue 4", "Issue 3", "Issue 2", "Issue 1"],
        "the newest overlap the archive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_long_issues_has_fewer_of_them() {
    let mut app = TestApp::start_with(Backend::Sqlite, "[defaults]\nfeed_kilobytes = 64\n").await.unwrap();
    for number in 1..=9 {
        let body = "A long line with <angles> & \"quotes\" in it.\n\n".repeat(300);
        app.write_issue(&format!("{number}.md"), &format!("Issue {number}"), &format!("2025-01-0{number}"), &body);
    }
    app.watch().await.unwrap();
    for path in ["/weekly/atom.xml", "/weekly/rss.xml", "/weekly/feed.json"] {
        let length = app.get(path).await.body.len();
        assert!((16 * 1024..64 * 1024).contains(&length), "{path}: {length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_authors_have_feeds_that_are_listed() {
    on_both(async |mut app: TestApp| {
        let tagged = |name: &str, date: &str, tags: &str, author: &str| {
            let text = format!("---\ntitle: {name}\ndate: {date}\ntags: [{tags}]\nauthor: {author}\n---\n\nNews.\n");
            std::fs::write(app.path("issues").join(format!("{name}.md")), text).unwrap();
        };
        tagged("one", "2025-01-01", "Rust, C++", "Ada");
        tagged("two", "2025-01-02", "rust, 周刊", "Zoë");
        app.watch().await.unwrap();
        let titles = async |path: &str| {
            let answer = app.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            between(&answer.body, "<title>", "</title>").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(titles("/weekly/tags/rust/atom.xml").await, ["The Weekly: Rust", "two", "one"]);
        assert_eq!(titles("/weekly/tags/c-plus-plus/atom.xml").await, ["The Weekly: C++", "one"]);
        assert_eq!(titles("/weekly/authors/zoe/atom.xml").await, ["The Weekly: Zoë", "two"]);
        for wrong in
            ["tags/zoe/atom.xml", "authors/rust/atom.xml", "tags/Rust/atom.xml", "tags//atom.xml", "x/rust/atom.xml"]
        {
            assert_eq!(app.get(&format!("/weekly/{wrong}")).await.status, 404, "{wrong}");
        }
        let all = app.get("/weekly/atom.xml").await;
        let entry = ids(&app.get("/weekly/authors/zoe/atom.xml").await);
        assert_eq!(ids(&all)[..1], entry[..], "an entry is the same one in every feed");

        let page = app.get("/weekly/feeds/").await.body;
        let opml = app.get("/weekly/feeds.opml").await;
        assert_eq!(opml.header("content-type"), "text/x-opml; charset=utf-8");
        let listed = between(&opml.body, "xmlUrl=\"", "\"");
        assert_eq!(listed.len(), 1 + 3 + 2);
        for url in listed {
            assert_eq!(app.get(url).await.status, 200, "{url}");
            assert!(page.contains(url), "{url} is not in {page}");
        }
        assert_eq!(between(&app.get("/feeds.opml").await.body, "xmlUrl=\"", "\"").len(), 1);

        // A change elsewhere leaves the bytes of a feed as they are, a withdrawn tag is gone.
        let before = app.get("/weekly/tags/c-plus-plus/rss.xml").await;
        std::fs::remove_file(app.path("issues/two.md")).unwrap();
        app.watch().await.unwrap();
        let after = app.get("/weekly/tags/c-plus-plus/rss.xml").await;
        assert_eq!(after.header("etag"), before.header("etag"));
        assert_eq!(app.get("/weekly/authors/zoe/atom.xml").await.status, 404);
    })
    .await;
}

/// Another node on the same database, and its URL.
async fn another_node(app: &TestApp) -> (App, String, tokio::task::JoinHandle<()>) {
    let node = App::open(app.config(), app.clock.clone(), Chance::system()).await.unwrap();
    let listener = http::serve::bind("127.0.0.1:0".parse().unwrap(), "server.public").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(http::serve::run(listener, http::front(node.web()), std::future::pending()));
    (node, url, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_give_the_same_bytes_and_validators_and_learn_of_each_others_changes() {
    on_both(async |mut app: TestApp| {
        write_issues(&mut app, 25).await;
        let (_node, url, server) = another_node(&app).await;
        let archive = link(&app.get("/weekly/atom.xml").await, "prev-archive").unwrap().replace(&app.url, "");
        let paths = [
            "/weekly/atom.xml",
            "/weekly/rss.xml",
            "/weekly/feed.json",
            "/weekly/authors/the-editors/atom.xml",
            &archive,
        ];
        for path in paths {
            for coding in ["identity", "gzip", "zstd", "br"] {
                let asked = [("Accept-Encoding", coding)];
                let (here, there) =
                    (app.get_with(path, &asked).await, app.get_with(&format!("{url}{path}"), &asked).await);
                assert_eq!((here.status, &here.body), (200, &there.body), "{path} {coding}");
                for name in ["etag", "last-modified", "content-type", "content-encoding", "content-length", "link"] {
                    assert_eq!(here.header(name), there.header(name), "{path} {coding} {name}");
                }
            }
        }
        let before = app.get("/weekly/atom.xml").await;
        app.restart().await;
        let after = app.get("/weekly/atom.xml").await;
        assert_eq!((after.header("etag"), &after.body), (before.header("etag"), &before.body));
        assert_eq!(after.header("last-modified"), before.header("last-modified"));

        app.write_issue("new.md", "A new one", "2025-12-01", "News.");
        app.watch().await.unwrap();
        let here = app.get("/weekly/atom.xml").await;
        assert!(here.body.contains("A new one"), "the node that published knows at once");
        eventually(Duration::from_secs(2), "the other node knows", async || {
            app.get(&format!("{url}/weekly/atom.xml")).await.header("etag") == here.header("etag")
        })
        .await;
        server.abort();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_answers_conditions_ranges_and_preflights_as_caches_expect() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    write_issues(&mut app, 3).await;
    for path in ["/weekly/atom.xml", "/weekly/rss.xml", "/weekly/feed.json"] {
        let whole = app.get_with(path, &[("Accept-Encoding", "gzip")]).await;
        assert_eq!(whole.header("content-encoding"), "gzip");
        let (etag, date) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
        for condition in [
            ("If-None-Match", etag.clone()),
            ("If-None-Match", format!("W/{etag}")),
            ("If-None-Match", etag.replace("-gzip", "")),
            ("If-None-Match", etag.replace("-gzip", "-br")),
            ("If-Modified-Since", date.clone()),
        ] {
            let answer = app.get_with(path, &[(condition.0, condition.1.as_str())]).await;
            assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{path} {condition:?}");
            assert_eq!(answer.header("cache-control"), whole.header("cache-control"));
            assert_eq!(answer.header("vary"), "Accept-Encoding, Sec-Fetch-Dest");
        }
        let both = [("If-None-Match", "\"old\""), ("If-Modified-Since", date.as_str())];
        assert_eq!(app.get_with(path, &both).await.status, 200, "{path}");
        let part = app.get_with(path, &[("Range", "bytes=0-9"), ("If-Range", etag.as_str())]).await;
        assert_eq!((part.status, part.body.len() > 10), (200, true), "{path}: a range is not what was asked for first");

        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let preflight =
            client.request(Method::OPTIONS, format!("{}{path}", app.url)).header("Origin", "https://reader.example");
        let preflight = preflight.header("Access-Control-Request-Headers", "if-none-match").send().await.unwrap();
        assert_eq!(preflight.status().as_u16(), 204);
        assert!(preflight.headers()["access-control-allow-headers"].to_str().unwrap().contains("If-None-Match"));
        assert!(whole.header("access-control-expose-headers").contains("ETag"));
        let page = app.get_with(path, &[("Sec-Fetch-Dest", "document")]).await;
        let kind = if path.ends_with("json") { "application/json" } else { "application/xml; charset=utf-8" };
        assert_eq!(page.header("content-type"), kind, "{path}");
    }
    let sheet = app.get("/feed.css").await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(app.get("/icon.png").await.header("content-type"), "image/png");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_from_memory_is_answered_as_the_router_answers_it() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    write_issues(&mut app, 25).await;
    // With a shelf of its own, which is empty.
    let router = http::public(app.app().web());
    let archive = link(&app.get("/weekly/atom.xml").await, "prev-archive").unwrap().replace(&app.url, "");
    let mut compared = 0;
    for path in
        ["/weekly/atom.xml", "/weekly/rss.xml", "/weekly/feed.json", "/weekly/authors/the-editors/atom.xml", &archive]
    {
        let whole = app.get_with(path, &[("Accept-Encoding", "gzip")]).await;
        let (etag, date) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
        for asked in [
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            ("Accept-Encoding", "gzip, deflate, br, zstd"),
            ("Sec-Fetch-Dest", "document"),
            ("If-None-Match", etag.as_str()),
            ("If-None-Match", "*"),
            ("If-None-Match", "\"old\""),
            ("If-Modified-Since", date.as_str()),
        ] {
            // The first may still go through the router; the second finds it made.
            app.get_with(path, &[asked]).await;
            let from_memory = app.get_with(path, &[asked]).await;
            let request = Request::get(path).header(asked.0, asked.1).body(Body::empty()).unwrap();
            let routed = router.clone().oneshot(request).await.unwrap();
            assert_eq!(from_memory.status, routed.status().as_u16(), "{path} {asked:?}");
            for (name, value) in &from_memory.headers {
                let is_hypers = name == "date" || name == "content-length";
                assert!(
                    is_hypers
                        || routed
                            .headers()
                            .get(name.as_str())
                            .is_some_and(|other| other.as_bytes() == value.as_bytes()),
                    "{path} {asked:?} {name}"
                );
            }
            let guards = ["x-content-type-options", "referrer-policy", "content-length"];
            let missing = routed.headers().keys().filter(|name| !from_memory.headers.contains_key(name.as_str()));
            let missing: Vec<_> = missing.map(|name| name.as_str()).collect();
            match from_memory.status {
                304 => assert!(missing.iter().all(|name| guards.contains(name)), "{path} {asked:?}: {missing:?}"),
                _ => assert!(missing.is_empty(), "{path} {asked:?}: {missing:?}"),
            }
            let bytes = axum::body::to_bytes(routed.into_body(), usize::MAX).await.unwrap();
            assert_eq!(from_memory.body, String::from_utf8_lossy(&bytes), "{path} {asked:?}");
            compared += 1;
        }
        let head = reqwest::Client::new().head(format!("{}{path}", app.url)).send().await.unwrap();
        let plain = app.get(path).await;
        assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &plain.headers["etag"]), "{path}");
        assert_eq!(head.headers()["content-length"].to_str().unwrap(), plain.body.len().to_string(), "{path}");
    }
    assert_eq!(compared, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_kept_shorter_the_nearer_the_next_issue_comes() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    write_issues(&mut app, 1).await;
    app.write_issue("next.md", "Next", "2026-03-02T08:04:00Z", "In four minutes.");
    app.watch().await.unwrap();
    assert_eq!(app.get("/weekly/atom.xml").await.header("cache-control"), "public, max-age=240");
    app.advance(Duration::from_secs(180));
    assert_eq!(app.get("/weekly/atom.xml").await.header("cache-control"), "public, max-age=60");
    app.advance(Duration::from_secs(61));
    app.watch().await.unwrap();
    let answer = app.get("/weekly/atom.xml").await;
    assert!(answer.body.contains("Next"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.get("/weekly/atom.xml").await.header("cache-control"), "public, max-age=300");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loads_a_whole_feed_again_and_again_is_told_to_wait_and_who_asks_politely_never_is() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    write_issues(&mut app, 1).await;
    let mut config = app.config();
    config.server.client_header = Some("x-real-ip".into());
    let (url, server) = app.serve_as(config).await;
    let url = format!("{url}/weekly/atom.xml");
    let greedy = [("X-Real-IP", "192.0.2.1")];
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(app.get_with(&url, &greedy).await);
    }
    let refused = answers.pop().unwrap();
    assert_eq!((answers[0].status, refused.status), (200, 429));
    assert!((1..=61).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    let etag = answers[0].header("etag").to_owned();
    for _ in 0..50 {
        let polite = [("X-Real-IP", "192.0.2.1"), ("If-None-Match", etag.as_str())];
        assert_eq!(app.get_with(&url, &polite).await.status, 304);
        let outdated = [("X-Real-IP", "192.0.2.1"), ("If-None-Match", "\"old\"")];
        assert_eq!(app.get_with(&url, &outdated).await.status, 200, "a condition is polite, whatever it is about");
    }
    assert_eq!(app.get_with(&url, &[("X-Real-IP", "192.0.2.2")]).await.status, 200);
    // Nobody knows who is behind a proxy that does not say.
    for _ in 0..50 {
        assert_eq!(app.get(&url).await.status, 200);
    }
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_stand_in_feeds_and_in_their_headers() {
    let extra = "[websub]\nhub = \"off\"\nother_hubs = [\"https://hub.example.org/\"]\n";
    let mut app = TestApp::start_with(Backend::Sqlite, extra).await.unwrap();
    write_issues(&mut app, 1).await;
    for (path, part) in [
        ("/weekly/atom.xml", "<link href=\"https://hub.example.org/\" rel=\"hub\"/>"),
        ("/weekly/rss.xml", "<atom:link href=\"https://hub.example.org/\" rel=\"hub\"></atom:link>"),
        ("/weekly/feed.json", "\"hubs\":[{\"type\":\"WebSub\",\"url\":\"https://hub.example.org/\"}]"),
    ] {
        let answer = app.get(path).await;
        assert!(answer.body.contains(part), "{}", answer.body);
        let expected = format!("<{}{path}>; rel=\"self\", <https://hub.example.org/>; rel=\"hub\"", app.url);
        assert_eq!(answer.header("link"), expected);
    }
}
