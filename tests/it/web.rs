//! What browsers, caches, proxies and operators see of the web face, besides its content.

use reqwest::{Client, Method, Response};

use crate::harness::{Backend, TestApp};

async fn app() -> TestApp {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("2026-02.md", "February", "2026-02-05", "Some *news*.");
    app.watch().await.unwrap();
    app
}

fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

async fn send(method: Method, url: &str, body: &str, content_type: &str) -> Response {
    let request = client().request(method, url).header("content-type", content_type).body(body.to_owned());
    request.send().await.unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_binds_the_browser() {
    let app = app().await;
    let token = "0".repeat(45);
    for path in
        ["/weekly/", "/weekly/issues/2026-02", "/nothing", "/weekly/confirm/x", &format!("/weekly/unsubscribe/{token}")]
    {
        let answer = app.get(path).await;
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_the_body() {
    let app = app().await;
    for path in ["/weekly/", "/weekly/issues/2026-02", "/weekly/atom.xml", "/weekly/rss.xml", "/weekly/feed.json"] {
        let get = app.get(path).await;
        let head = send(Method::HEAD, &format!("{}{path}", app.url), "", FORM).await;
        assert_eq!(head.status().as_u16(), 200, "{path}");
        for name in ["etag", "last-modified", "cache-control", "content-type", "content-length"] {
            assert_eq!(head.headers().get(name), get.headers.get(name), "{path} {name}");
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_asked_about_and_the_style_sheet_is_kept_for_good() {
    let app = app().await;
    let home = app.get("/weekly/").await;
    let again = app.get_with("/weekly/", &[("If-None-Match", home.header("etag"))]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let style = home.body.split('"').find(|text| text.starts_with("/style-")).unwrap();
    let sheet = app.get(style).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(sheet.header("cache-control").contains("immutable"));
    assert_eq!(app.get("/style-0.css").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_are_open_to_readers_on_other_sites_and_pages_are_not() {
    let app = app().await;
    assert_eq!(app.get("/weekly/feed.json").await.header("access-control-allow-origin"), "*");
    assert_eq!(app.get("/weekly/").await.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_our_form_is_refused() {
    let app = app().await;
    let url = format!("{}/weekly/subscribe", app.url);
    let large = format!("email=a%40b.example&x={}", "x".repeat(70 * 1024));
    for (body, content_type, status) in [
        (large.as_str(), FORM, 413),
        ("cadence=mondays", FORM, 400),
        ("{\"email\":\"a@b.example\"}", "application/json", 400),
        ("email=%ff", FORM, 422),
        ("email=a%40b.example%0d%0aBcc%3a+c%40d.example", FORM, 422),
        ("email=", FORM, 422),
    ] {
        let answer = send(Method::POST, &url, body, content_type).await;
        assert_eq!(answer.status().as_u16(), status, "{content_type} {:.40}", body);
    }
    assert_eq!(send(Method::DELETE, &format!("{}/weekly/", app.url), "", FORM).await.status().as_u16(), 405);
    assert_eq!(send(Method::POST, &format!("{}/weekly/atom.xml", app.url), "", FORM).await.status().as_u16(), 405);
    assert!(app.app().store.list(None, None, 10).await.unwrap().is_empty(), "nothing of this was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_loaded_again_leads_home() {
    let app = app().await;
    let answer = app.get("/weekly/subscribe").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/weekly/"));
    assert_eq!(app.get("/weekly").await.header("location"), "/weekly/");
    let front = app.get("/").await;
    assert_eq!((front.status, front.header("location")), (307, "/weekly/"), "there is only one newsletter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_leaves_the_feeds_and_says_nothing_about_our_inside() {
    let app = app().await;
    let before = app.get("/weekly/atom.xml").await;
    app.app().store.close().await;
    let after = app.get("/weekly/atom.xml").await;
    assert_eq!((after.status, after.header("etag")), (200, before.header("etag")), "the last good state stays served");
    let home = app.get("/weekly/").await;
    assert_eq!((home.status, home.header("retry-after")), (503, "60"));
    for word in ["sql", "SQL", "pool", "database"] {
        assert!(!home.body.contains(word), "{}", home.body);
    }
    assert_eq!(app.get(&format!("{}/health", app.private)).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_was_never_read_is_not_an_empty_feed() {
    let app = TestApp::start(Backend::Sqlite).await.unwrap();
    assert_eq!(app.get("/weekly/atom.xml").await.status, 503, "readers try again instead of forgetting everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawing_with_script_is_shown_in_a_sandbox() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "A", "2026-02-05", "![](a.svg) [page](a.html)");
    std::fs::write(app.path("issues/a.svg"), "<svg xmlns='http://www.w3.org/2000/svg'><script>x()</script></svg>")
        .unwrap();
    std::fs::write(app.path("issues/a.html"), "<script>x()</script>").unwrap();
    app.watch().await.unwrap();
    let svg = app.get("/weekly/files/a.svg").await;
    assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
    assert!(svg.header("content-security-policy").contains("sandbox"));
    assert!(svg.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(app.get("/weekly/files/a.html").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_a_page_and_its_mail_is_framed_without_powers() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    let list = app.get(&format!("{}/outbox/", app.private)).await;
    assert_eq!(list.status, 200, "before the first mail: {}", list.body);
    app.post("/weekly/subscribe", &[("email", "ada@reader.example")]).await;
    app.send().await;
    let list = app.get(&format!("{}/outbox/", app.private)).await.body;
    assert!(list.contains("ada@reader.example"), "{list}");
    let path = list.split('"').find(|text| text.starts_with("/outbox/") && text.len() > "/outbox/".len()).unwrap();
    let mail = app.get(&format!("{}{path}", app.private)).await;
    assert_eq!(mail.status, 200);
    assert!(mail.body.contains("Message-ID"), "the source is there too");
    assert!(mail.body.contains("/confirm/") && mail.body.contains(&format!("{path}/html")), "{}", mail.body);
    let html = app.get(&format!("{}{path}/html", app.private)).await;
    assert!(html.header("content-security-policy").contains("sandbox allow-popups"));
    assert!(html.body.contains("<base target=\"_blank\">"));
    for name in ["..%2ftidings.toml", "nothing.eml", "..", "%2e%2e%2ftidings.db"] {
        assert_eq!(app.get(&format!("{}/outbox/{name}/html", app.private)).await.status, 404, "{name}");
    }
    assert_eq!(app.get("/outbox/").await.status, 404, "readers have no way there");
    assert_eq!(app.get("/status").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_below_a_path_has_everything_below_it() {
    let app = app().await;
    let mut config = app.config();
    config.server.url = "https://example.org/news/".parse().unwrap();
    let (url, server) = app.serve_as(config).await;
    assert_eq!(app.get(&format!("{url}/news/")).await.header("location"), "/news/weekly/");
    let home = app.get(&format!("{url}/news/weekly/")).await;
    assert!(home.body.contains("\"/news/weekly/subscribe\""), "{}", home.body);
    let style = home.body.split('"').find(|text| text.starts_with("/news/style-")).unwrap();
    assert_eq!(app.get(&format!("{url}{style}")).await.status, 200);
    let feed = app.get(&format!("{url}/news/weekly/atom.xml")).await.body;
    assert!(feed.contains("href=\"https://example.org/news/weekly/atom.xml\" rel=\"self\""), "{feed}");
    assert_eq!(app.get(&format!("{url}/weekly/")).await.status, 404);
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_newsletters_have_a_front_page() {
    let extra = ["one", "two"]
        .map(|name| {
            format!(
                "[newsletters.{name}]\ntitle = \"Title {name}\"\ndescription = \"d\"\nfrom = \"w@news.example\"\n\
                 [newsletters.{name}.source]\ndirectory = \"{name}\"\n\
                 [newsletters.{name}.cadences.mondays]\ntitle = \"M\"\ncron = \"0 9 * * 1\"\n"
            )
        })
        .concat();
    let app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    let front = app.get("/").await;
    assert_eq!(front.status, 200);
    assert!(front.body.contains("Title one") && front.body.contains("/two/"), "{}", front.body);
}
