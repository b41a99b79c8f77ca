//! A reader with a real browser: what is seen, what works by keyboard, and what a screen reader would stumble over.

use std::time::Duration;

use tidings::types::NewsletterId;

use crate::browser::Browser;
use crate::harness::{Backend, TestApp, eventually};

/// A long issue of all that Markdown has, with lines and tables wider than a phone.
fn long_body() -> String {
    let section = |n: usize| {
        format!(
            "## Section {n} with `code`\n\nWords with [a link](https://example.org/a) and a footnote[^{n}].\n\n\
             ### Details\n\n```rust\nfn section_{n}(argument: &str) -> Result<Vec<String>, Error> {{ /* a long line of code */ Ok(vec![\"{n}\".into()]) }}\n```\n\n\
             | Query | Before | After | Notes |\n|---|--:|--:|---|\n| point | 12 ms | 9 ms | averylongwordthatdoesnotbreakanywhere_{n}_at_all |\n\n\
             > A quote.\n\n> [!TIP]\n> A tip.\n\n- [x] done\n- [ ] to do\n\n```diff\n-old\n+new\n```\n\n```yaml\nkey: \"value\" # comment\n```\n\n[^{n}]: A note.\n\n"
        )
    };
    (1..=6).map(section).collect()
}

const TITLE: &str =
    "</script><script>document.documentElement.dataset.run='1'</script> & a long \"title\" that goes on";

/// A site with every kind of page on it.
async fn site() -> TestApp {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    let write = |name: &str, head: &str, body: &str| {
        std::fs::write(app.path("issues").join(name), format!("---\n{head}\n---\n\n{body}\n")).unwrap();
    };
    let title = TITLE.replace('"', "\\\"");
    write(
        "long.md",
        &format!("title: \"{title}\"\ndate: 2026-02-20\nauthors: [Ada, Grace]\ntags: [Release, 周刊]"),
        &long_body(),
    );
    write(
        "arabic.md",
        "title: نشرة الشهر\ndate: 2026-02-10\nlang: ar\ntags: [Release]",
        "## مقدمة\n\nنص قصير مع `code` وكلمات.",
    );
    write(
        "chinese.md",
        "title: 第九十期周刊\ndate: 2025-12-10\nlang: zh",
        "这里记录每周值得分享的科技内容，周五发布。",
    );
    write("gone.md", "title: A mistake\ndate: 2026-02-11", "Soon gone.");
    for n in 1..=30 {
        write(
            &format!("old-{n}.md"),
            &format!("title: Number {n}\ndate: 2024-01-{n:02}\nauthor: Ada\ntags: [Weekly]"),
            "Old news.",
        );
    }
    app.watch().await.unwrap();
    std::fs::remove_file(app.path("issues/gone.md")).unwrap();
    app.watch().await.unwrap();
    app
}

/// Looks at the page that is open, on a large screen and a phone, bright and dark.
async fn look(browser: &Browser, what: &str) {
    for (width, dark) in [(1280, false), (1280, true), (360, false), (360, true)] {
        browser.screen(width, dark).await;
        let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.run(overflow).await, 0, "{what} is wider than a screen of {width}");
        let found = browser.axe().await;
        assert!(found.is_empty(), "{what}, {width} wide, dark: {dark}:\n{}", found.join("\n"));
    }
    let complaints = browser.complaints().await;
    let real: Vec<_> =
        complaints.iter().filter(|line| !line.contains("404 (Not Found)") && !line.contains("410 (Gone)")).collect();
    assert!(real.is_empty(), "{what}: {real:?}");
    browser.screen(1280, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_walks_from_the_home_page_to_a_subscription_on_any_screen() {
    let Some(browser) = Browser::start().await else { return };
    let app = site().await;
    let at = |path: &str| format!("{}{path}", app.url);

    browser.open(&at("/weekly/")).await;
    look(&browser, "home").await;
    let background = "return getComputedStyle(document.body).backgroundColor";
    let bright = browser.run(background).await;
    browser.screen(1280, true).await;
    assert_ne!(browser.run(background).await, bright, "dark is another colour");
    browser.screen(1280, false).await;
    browser.keys("body", "\u{E004}").await;
    assert_eq!(
        browser.run("return document.activeElement.className").await,
        "skip",
        "the first Tab offers the content"
    );

    browser.follow(".archive ol a").await;
    assert_eq!(browser.text("h1").await, TITLE);
    look(&browser, "issue").await;
    let run = browser.run("return document.documentElement.dataset.run ?? null").await;
    assert!(run.is_null(), "no title is a script");
    let data = "return JSON.parse(document.querySelector('script').textContent)";
    let data = browser.run(data).await;
    assert_eq!((data["@type"].as_str(), data["headline"].as_str()), (Some("Article"), Some(TITLE)));
    browser.click(".contents summary").await;
    browser.click(".contents li:nth-child(3) > a").await;
    eventually(Duration::from_secs(10), "the table of contents leads to the section", async || {
        browser.run("return location.hash").await.as_str().unwrap().starts_with("#section-3")
    })
    .await;
    let scrolls =
        "const box = document.querySelector('pre[tabindex]'); box.focus(); return document.activeElement === box";
    browser.screen(360, false).await;
    assert_eq!(browser.run(scrolls).await, true, "wide code can be reached by keyboard");
    browser.screen(1280, false).await;

    let feed = browser.run("return document.querySelector('link[type=\"application/atom+xml\"]').href").await;
    browser.open(feed.as_str().unwrap()).await;
    let shown = browser.run("return document.contentType + document.documentElement.textContent").await;
    assert!(shown.as_str().unwrap().contains("xml") && shown.as_str().unwrap().contains("Number 30"), "{shown}");
    browser.complaints().await;

    browser.open(&at("/weekly/search")).await;
    look(&browser, "search, before a question").await;
    browser.submit("input[type=search]", "NUMBER 7").await;
    assert_eq!(browser.text(".archive ol a").await, "Number 7");
    look(&browser, "search, with an answer").await;
    browser.open(&at("/weekly/search?q=%3Cb%3Enothing")).await;
    look(&browser, "search, without an answer").await;

    browser.open(&at("/weekly/")).await;
    browser.keys("#tidings-email", "reader@reader.example").await;
    browser.follow(".subscribe button").await;
    assert_eq!(browser.text("h1").await, "Please look into your inbox");
    look(&browser, "the answer to the form").await;
    app.send().await;
    let link = app.outbox().pop().unwrap().link("/confirm/");
    browser.open(&link).await;
    look(&browser, "the question to confirm").await;
    browser.follow("form button").await;
    assert_eq!(browser.text("h1").await, "You are subscribed");
    look(&browser, "the confirmation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_page_is_as_good() {
    let Some(browser) = Browser::start().await else { return };
    let app = site().await;
    app.post("/weekly/subscribe", &[("email", "ada@reader.example")]).await;
    app.send().await;
    for path in [
        "/weekly/issues/arabic",
        "/weekly/issues/chinese",
        "/weekly/issues/old-1",
        "/weekly/archive/2024/",
        "/weekly/tags/release/",
        "/weekly/tags/weekly/",
        "/weekly/authors/ada/",
        "/weekly/feeds/",
        "/weekly/issues/gone",
        "/nothing/here",
    ] {
        browser.open(&format!("{}{path}", app.url)).await;
        look(&browser, path).await;
    }
    browser.open(&format!("{}/weekly/issues/arabic", app.url)).await;
    assert_eq!(browser.run("return getComputedStyle(document.querySelector('.content p')).direction").await, "rtl");
    let mut config = app.config();
    let mut second = config.newsletters[0].clone();
    (second.id, second.title) = (NewsletterId::parse("monthly").unwrap(), "The Monthly".into());
    config.newsletters.push(second);
    let (several, server) = app.serve_as(config).await;
    browser.open(&several).await;
    look(&browser, "the list of several newsletters").await;
    assert!(browser.text("main").await.contains("The Monthly"));
    server.abort();
    browser.open(&format!("{}/outbox/", app.private)).await;
    look(&browser, "outbox").await;
    browser.follow(".archive li a").await;
    look(&browser, "a mail of the outbox").await;
}
