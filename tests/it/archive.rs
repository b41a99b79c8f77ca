//! The archive as readers and search engines find it, on both databases.

use crate::harness::{Answer, Backend, TestApp, on_both};

async fn with_issues(mut app: TestApp) -> TestApp {
    for (name, title, date, body) in [
        ("a.md", "Zoë's release notes", "2026-02-20", "A new version of tokio-util, and the Łódź meeting."),
        ("b.md", "Weekly", "2026-02-21", "Notes on the release of 3.0.10 and C++ bindings. 100% done."),
        ("c.md", "周刊", "2026-02-22", "今年发布新版本。谢谢。"),
        ("d.md", "Withdrawn", "2026-02-23", "Another release."),
    ] {
        app.write_issue(name, title, date, body);
    }
    app.watch().await.unwrap();
    std::fs::remove_file(app.path("issues/d.md")).unwrap();
    app.watch().await.unwrap();
    app
}

/// The slugs of what a page links to, in order.
fn found(answer: &Answer) -> Vec<String> {
    let list = answer.body.split("<main").nth(1).unwrap();
    let slugs = list.split("/weekly/issues/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    slugs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn search_finds_what_people_mean_and_titles_come_first() {
    on_both(|app| async move {
        let app = with_issues(app).await;
        for (question, slugs) in [
            ("release", vec!["a", "b"]),
            ("RELEA%20note", vec!["a", "b"]),
            ("zoe", vec!["a"]),
            ("lodz", vec!["a"]),
            ("util", vec!["a"]),
            ("3.0.10", vec!["b"]),
            ("c%2B%2B", vec!["b"]),
            ("%E6%96%B0%E7%89%88", vec!["c"]),
            ("the+editors", vec!["c", "b", "a"]),
            ("release+nothing", vec![]),
            ("100%25", vec!["b"]),
            ("%25", vec![]),
            ("_", vec![]),
            ("", vec![]),
            ("%ff", vec![]),
            ("another", vec![]),
        ] {
            let answer = app.get(&format!("/weekly/search?q={question}")).await;
            assert_eq!(answer.status, 200, "{question}");
            assert_eq!(found(&answer), slugs, "{question}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_changes_what_is_found() {
    let mut app = with_issues(TestApp::start(Backend::Sqlite).await.unwrap()).await;
    app.write_issue("a.md", "Other words", "2026-02-20", "Nothing of it is left.");
    app.watch().await.unwrap();
    assert_eq!(found(&app.get("/weekly/search?q=zoe").await), Vec::<String>::new());
    assert_eq!(found(&app.get("/weekly/search?q=left").await), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_for_people_and_has_bounds() {
    let app = with_issues(TestApp::start(Backend::Sqlite).await.unwrap()).await;
    let answer = app.get(&format!("/weekly/search?q={}", "%3Cb%3E%25".repeat(500))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<meta name=\"robots\" content=\"noindex\">") && !answer.body.contains("<b>"));
    assert!(answer.body.len() < 10_000, "{}", answer.body.len());
    assert!(app.get("/robots.txt").await.body.contains("Disallow: /*/search\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_archive_has_a_small_home_page_and_a_way_to_every_issue() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    for n in 0..400 {
        let date = format!("{}-{:02}-{:02}", 2016 + n / 40, n % 12 + 1, n % 28 + 1);
        let text = format!(
            "---\ntitle: Number {n}\ndate: {date}\ntags: [All, T{}]\n---\n\n{}",
            n % 50,
            "Words of it. ".repeat(30)
        );
        std::fs::write(app.path("issues").join(format!("n{n}.md")), text).unwrap();
    }
    app.watch().await.unwrap();
    let home = app.get("/weekly/").await.body;
    assert!(home.len() < 32 * 1024, "{} bytes", home.len());
    let mut seen: std::collections::BTreeSet<String> = Default::default();
    for year in 2016..=2025 {
        assert!(home.contains(&format!("/weekly/archive/{year}/\"")), "{year}");
        seen.extend(found(&app.get(&format!("/weekly/archive/{year}/")).await));
    }
    assert_eq!(seen.len(), 400);
    for wrong in ["2015", "02016", "+2016", "x", "2016-1"] {
        assert_eq!(app.get(&format!("/weekly/archive/{wrong}/")).await.status, 404, "{wrong}");
    }
    assert_eq!(found(&app.get("/weekly/tags/t7/").await).len(), 8);
    let sitemap = app.get("/sitemap.xml").await;
    assert_eq!(sitemap.body.matches("/weekly/issues/").count(), 400);
    assert_eq!(sitemap.body.matches("/weekly/archive/").count(), 10);
    assert_eq!(sitemap.body.matches("/weekly/tags/").count(), 51);
    assert_eq!(app.get("/sitemap-1.xml").await.status, 404, "one file holds them");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_archive_is_asked_about_with_its_tag_and_leads_on() {
    let app = with_issues(TestApp::start(Backend::Sqlite).await.unwrap()).await;
    for path in [
        "/weekly/",
        "/weekly/issues/a",
        "/weekly/archive/2026/",
        "/weekly/authors/the-editors/",
        "/weekly/search?q=release",
        "/sitemap.xml",
        "/favicon.ico",
        "/favicon.svg",
    ] {
        let answer = reqwest::get(format!("{}{path}", app.url)).await.unwrap();
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert!(!answer.bytes().await.unwrap().is_empty(), "{path}");
        let again = app.get_with(path, &[("If-None-Match", &etag)]).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    let page = app.get("/weekly/issues/b").await.body;
    for link in [
        "rel=\"prev\" href=\"{}/weekly/issues/a\"",
        "rel=\"next\" href=\"{}/weekly/issues/c\"",
        "rel=\"author\" href=\"{}/weekly/authors/the-editors/\"",
    ] {
        assert!(page.contains(&link.replace("{}", &app.url)), "{link} in {page}");
    }
    let author = app.get("/weekly/authors/the-editors/").await.body;
    assert!(author.contains("/weekly/authors/the-editors/atom.xml\""), "{author}");
    assert_eq!(app.get("/weekly/issues/d").await.status, 410);
    assert!(!app.get("/sitemap.xml").await.body.contains("/issues/d<"));
    assert!(app.get("/robots.txt").await.body.ends_with(&format!("\nSitemap: {}/sitemap.xml\n", app.url)));
}
