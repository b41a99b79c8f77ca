//! From a commit or a file to feeds and pages.

use std::time::Duration;

use crate::harness::{Backend, TestApp, git, issue, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_is_in_every_feed_and_has_a_page() {
    on_both(async |mut app| {
        app.write_issue("2026-02.md", "February", "2026-02-05", "Old *news*.");
        app.watch().await.unwrap();
        app.write_issue(
            "2026-03.md",
            "March & <Co>",
            "2026-03-01",
            "Fresh **news** and a [link](https://example.org/x).",
        );
        app.watch().await.unwrap();
        for (file, media_type) in [
            ("atom.xml", "application/atom+xml"),
            ("rss.xml", "application/rss+xml"),
            ("feed.json", "application/feed+json"),
        ] {
            let answer = app.get(&format!("/weekly/{file}")).await;
            assert_eq!(answer.status, 200);
            assert!(answer.header("content-type").starts_with(media_type), "{}", answer.header("content-type"));
            let feed = feed_rs::parser::parse(answer.body.as_bytes()).unwrap();
            let titles: Vec<_> = feed.entries.iter().map(|e| e.title.as_ref().unwrap().content.clone()).collect();
            assert_eq!(titles, ["March & <Co>", "February"], "{file}: newest first");
        }
        let page = app.get("/weekly/issues/2026-03").await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("March &amp; &lt;Co&gt;") && page.body.contains("<strong>news</strong>"));
        let home = app.get("/weekly/").await;
        assert!(home.body.contains("/weekly/issues/2026-02") && home.body.contains("/weekly/atom.xml"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_and_pages_answer_conditional_requests_with_304() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "A", "2026-02-05", "One.");
    app.watch().await.unwrap();
    for path in ["/weekly/atom.xml", "/weekly/rss.xml", "/weekly/feed.json"] {
        let first = app.get(path).await;
        let (etag, modified) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
        assert!(etag.starts_with('"') && !modified.is_empty(), "{path}");
        for validator in [("If-None-Match", etag.as_str()), ("If-Modified-Since", modified.as_str())] {
            let again = app.get_with(path, &[validator]).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{path} {validator:?}");
            assert_eq!(again.header("etag"), etag);
        }
        let both = app.get_with(path, &[("If-None-Match", "\"other\""), ("If-Modified-Since", &modified)]).await;
        assert_eq!(both.status, 200, "If-None-Match wins (RFC 9110 section 13.2.2)");
    }
    let before = app.get("/weekly/atom.xml").await;
    app.restart().await;
    assert_eq!(
        app.get("/weekly/atom.xml").await.header("etag"),
        before.header("etag"),
        "a restart changes no validator"
    );
    app.write_issue("b.md", "B", "2026-02-06", "Two.");
    app.watch().await.unwrap();
    let after = app.get_with("/weekly/atom.xml", &[("If-None-Match", before.header("etag"))]).await;
    assert_eq!(after.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_reaches_the_feed_and_ids_survive_edits_and_renames() {
    let source = tempfile::TempDir::new().unwrap();
    let repository = source.path();
    git(repository, &["init", "--quiet"]);
    std::fs::write(repository.join("one.md"), issue("One", "2026-02-05", "First.")).unwrap();
    git(repository, &["add", "."]);
    git(repository, &["commit", "--quiet", "-m", "one"]);
    let extra = format!(
        "[newsletters.weekly]\ntitle = \"W\"\ndescription = \"d\"\nfrom = \"w@news.example\"\n[newsletters.weekly.source]\ngit = {:?}\n[newsletters.weekly.cadences.mondays]\ntitle = \"M\"\ncron = \"0 9 * * 1\"\n",
        repository.display().to_string()
    );
    let mut app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    app.watch().await.unwrap();
    let entries = async |app: &TestApp| {
        let answer = app.get("/weekly/atom.xml").await;
        feed_rs::parser::parse(answer.body.as_bytes()).unwrap().entries
    };
    let first = entries(&app).await;
    assert_eq!(first.len(), 1);

    std::fs::write(repository.join("one.md"), issue("One, corrected", "2026-02-05", "First, corrected.")).unwrap();
    git(repository, &["commit", "--quiet", "-am", "correct"]);
    app.watch().await.unwrap();
    git(repository, &["mv", "one.md", "renamed.md"]);
    git(repository, &["commit", "--quiet", "-m", "rename"]);
    app.watch().await.unwrap();

    let last = entries(&app).await;
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].id, first[0].id);
    assert_eq!(last[0].title.as_ref().unwrap().content, "One, corrected");
    assert!(last[0].updated > first[0].updated, "an edit is an update");

    git(repository, &["rm", "--quiet", "renamed.md"]);
    git(repository, &["commit", "--quiet", "-m", "withdraw"]);
    app.watch().await.unwrap();
    assert!(entries(&app).await.is_empty());
    assert_eq!(app.get("/weekly/issues/one").await.status, 410, "its page says that it was withdrawn");

    git(repository, &["revert", "--no-edit", "HEAD"]);
    app.watch().await.unwrap();
    assert_eq!(entries(&app).await[0].id, first[0].id, "re-added, it is the same issue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_document_is_held_and_the_others_go_on() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("good.md", "Good", "2026-02-05", "Fine.");
    app.watch().await.unwrap();
    std::fs::write(app.path("issues/bad.md"), "---\ntitle: Bad\ndate: [soon\n---\nText.\n").unwrap();
    app.write_issue("better.md", "Better", "2026-02-06", "Fine too.");
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    assert!(feed.contains("Good") && feed.contains("Better") && !feed.contains("Bad"));
    let status = app.get(&format!("{}/status", app.private)).await.body;
    assert!(status.contains("bad.md") && status.contains("broken-front-matter"), "{status}");

    app.write_issue("good.md", "Good", "not a date", "Fine.");
    app.watch().await.unwrap();
    assert!(app.get("/weekly/atom.xml").await.body.contains("Good"), "the last good state stays served");

    std::fs::write(app.path("issues/bad.md"), issue("No longer bad", "2026-02-07", "Mended.")).unwrap();
    app.watch().await.unwrap();
    assert!(app.get("/weekly/atom.xml").await.body.contains("No longer bad"), "mended, it is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn template_remains_reach_no_reader_and_what_a_generator_must_fill_in_is_held() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "With remains", "2026-02-05", "Hello {{< unknown >}}readers.\n\n::: tip\nA tip.\n:::");
    app.write_issue(
        "b.md",
        "Generated",
        "2026-02-06",
        "{% for post in site.posts %}\n- {{ post.title }}\n{% endfor %}",
    );
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    assert!(feed.contains("Hello readers.") && feed.contains("A tip.") && !feed.contains("Generated"), "{feed}");
    assert!(!feed.contains("{{") && !feed.contains(":::"), "{feed}");
    let status = app.get(&format!("{}/status", app.private)).await.body;
    assert!(status.contains("b.md") && status.contains("needs-generator"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_vanishes_leaves_the_last_good_state_and_may_come_back() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "Still here", "2026-02-05", "One.");
    app.watch().await.unwrap();
    std::fs::rename(app.path("issues"), app.path("elsewhere")).unwrap();
    let error = app.watch().await.unwrap_err();
    assert!(error.contains("is not there"), "{error}");
    assert!(app.get("/weekly/atom.xml").await.body.contains("Still here"));
    assert!(app.get(&format!("{}/status", app.private)).await.body.contains("is not there"));
    app.advance(Duration::from_secs(60));
    let metrics = app.get(&format!("{}/metrics", app.private)).await.body;
    for line in [
        "tidings_source_age_seconds{newsletter=\"weekly\"} 60\n",
        "tidings_source_failing{newsletter=\"weekly\"} 1\n",
        "tidings_issues{newsletter=\"weekly\"} 1\n",
        "tidings_subscribers{newsletter=\"weekly\",cadence=\"mondays\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    std::fs::rename(app.path("elsewhere"), app.path("issues")).unwrap();
    app.watch().await.unwrap();
    assert!(!app.get(&format!("{}/status", app.private)).await.body.contains("is not there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_wait_and_future_issues_appear_on_their_date() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    std::fs::write(app.path("issues/draft.md"), "---\ntitle: Draft\ndate: 2026-02-05\ndraft: true\n---\nText.\n")
        .unwrap();
    app.write_issue("future.md", "Future", "2026-03-02T09:30:00Z", "Soon.");
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    assert!(!feed.contains("Draft") && !feed.contains("Future"));
    app.advance(Duration::from_secs(2 * 3600));
    app.watch().await.unwrap();
    assert!(app.get("/weekly/atom.xml").await.body.contains("Future"));

    let config = std::fs::read_to_string(app.config_path()).unwrap();
    std::fs::write(app.config_path(), config.replace("min_length = 1", "min_length = 1\nfuture = \"publish\""))
        .unwrap();
    app.restart().await;
    app.write_issue("far.md", "Far away", "2027-01-01", "Later.");
    app.watch().await.unwrap();
    assert!(app.get("/weekly/atom.xml").await.body.contains("Far away"), "where the configuration says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_that_a_published_issue_shows_are_served() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.write_issue("a.md", "A", "2026-02-05", "![A chart](images/chart.png)");
    std::fs::create_dir(app.path("issues/images")).unwrap();
    std::fs::write(app.path("issues/images/chart.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    std::fs::write(app.path("issues/images/secret.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    app.watch().await.unwrap();
    let shown = app.get("/weekly/files/images/chart.png").await;
    assert_eq!((shown.status, shown.header("content-type")), (200, "image/png"));
    for path in ["images/secret.png", "a.md", "images/../images/secret.png", "%2e%2e/tidings.db", "..%2ftidings.db"] {
        assert_eq!(app.get(&format!("/weekly/files/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_many_habits_is_read_as_it_is() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    std::fs::create_dir_all(app.path("issues/2026/02/bundle")).unwrap();
    for (name, text) in [
        ("yaml.md", " ---\r\nTitle: Yaml\r\ndate: 2026-01-31\r\n---\r\n# YAML\r\n\r\nText"),
        ("toml.md", "+++\ntitle = \"Toml\"\ndate = 2026-02-02\n+++\nText\n"),
        ("json.md", "{\n  \"title\": \"Json\",\n  \"date\": \"2026-02-03\"\n}\n\nText\n"),
        ("lines.markdown", "Title: Lines\nDate: 2026-02-04 10:00\nCategory: News\n\nText\n"),
        ("2026-02-05-bare.md", "<!-- by hand -->\n\n# Bare *heading*\n\nText\n"),
        ("2026/02/bundle/index.md", "Folder\n======\n\nText\n"),
        ("lines-draft.md", "Title: Draft\nDate: 2026-02-04\nStatus: draft\n\nText\n"),
        ("README.md", "# Read me\n"),
        ("_index.md", "# Section\n"),
        ("2026-02-06-note.md", "Note: this is no header.\n\nText\n"),
    ] {
        std::fs::write(app.path("issues").join(name), text).unwrap();
    }
    app.watch().await.unwrap();
    let feed = app.get("/weekly/feed.json").await.body;
    let feed: serde_json::Value = serde_json::from_str(&feed).unwrap();
    let items = feed["items"].as_array().unwrap();
    let titles: Vec<_> = items.iter().map(|item| item["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Bare heading", "Lines", "Json", "Toml", "Folder", "Yaml"]);
    for item in items {
        let html = item["content_html"].as_str().unwrap();
        assert!(html.contains("Text") && !html.contains("<h"), "the title does not stand twice: {html}");
    }
    let status = app.get(&format!("{}/status", app.private)).await.body;
    assert!(status.contains("2026-02-06-note.md") && !status.contains("README.md"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_leaves_out_leaves_the_feed_when_the_configuration_changes_and_comes_back_with_it() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    let write = |name: &str, kind: &str| {
        let text = format!("---\ntitle: {name}\ndate: 2026-02-05\ntype: {kind}\n---\nText.\n");
        std::fs::write(app.path("issues").join(name), text).unwrap();
    };
    write("issue.md", "newsletter");
    write("essay.md", "[blog, essay]");
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    assert!(feed.contains("issue.md") && feed.contains("essay.md"));

    let config = std::fs::read_to_string(app.config_path()).unwrap();
    let source = "[newsletters.weekly.source]";
    let only = config.replace(source, &format!("{source}\nonly = {{ Type = \"newsletter\" }}"));
    std::fs::write(app.config_path(), only).unwrap();
    app.restart().await;
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    assert!(feed.contains("issue.md") && !feed.contains("essay.md"), "{feed}");
    let checked = crate::harness::tidings(app.directory.path()).args(["--config", "tidings.toml", "check"]).output();
    let checked = String::from_utf8(checked.unwrap().stdout).unwrap();
    assert!(checked.contains("1 issue, 0 drafts, 0 dated in the future, 1 not of this newsletter"), "{checked}");

    std::fs::write(app.config_path(), config).unwrap();
    app.restart().await;
    app.watch().await.unwrap();
    assert!(app.get("/weekly/atom.xml").await.body.contains("essay.md"));
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_may_stand_on_the_projects_own_site_and_old_paths_lead_to_them() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    let with = |title: &str, more: &str| {
        issue(title, &format!("2026-02-05\n{more}"), "Text, [next](two.md) and ![chart](chart.png).")
    };
    std::fs::write(app.path("issues/one.md"), with("One", "aliases: [/2018-03-29/, old/one.html]")).unwrap();
    std::fs::write(app.path("issues/two.md"), with("Two", "permalink: /special/")).unwrap();
    app.watch().await.unwrap();
    for old in ["2018-03-29", "2018-03-29/", "old/one.html"] {
        let answer = app.get(&format!("/weekly/{old}")).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (308, format!("{}/weekly/issues/one", app.url).as_str())
        );
    }
    assert_eq!(app.get("/weekly/nothing/here").await.status, 404);

    let text = std::fs::read_to_string(app.config_path()).unwrap();
    let rule = "min_length = 1\nsite = \"https://project.example/\"\npermalink = \"/blog/:year/:month/:slug/\"\n";
    std::fs::write(app.config_path(), text.replace("min_length = 1\n", rule)).unwrap();
    app.restart().await;
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await.body;
    for url in [
        "https://project.example/blog/2026/02/one/",
        "https://project.example/special/",
        "https://project.example/blog/2026/02/one/chart.png",
    ] {
        assert!(feed.contains(url), "{url} in {feed}");
    }
    assert!(!feed.contains("/weekly/files/"), "what an issue shows is on its own site");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_with_an_edit_keeps_the_issue_one_by_one_and_by_the_folder() {
    let source = tempfile::TempDir::new().unwrap();
    let repository = source.path();
    git(repository, &["init", "--quiet"]);
    std::fs::create_dir(repository.join("old")).unwrap();
    let text = |number: usize, word: &str| {
        let lines: String = (0..10).map(|line| format!("Line {line} of number {number}.\n")).collect();
        issue(&format!("Number {number}{word}"), "2026-02-05", &format!("{lines}\nThe same end as ever."))
    };
    for number in 0..12 {
        std::fs::write(repository.join(format!("old/{number}.md")), text(number, "")).unwrap();
    }
    let commit = |message: &str| {
        git(repository, &["add", "--all"]);
        git(repository, &["commit", "--quiet", "-m", message]);
    };
    commit("all");
    let extra = format!(
        "[newsletters.weekly]\ntitle = \"W\"\nfrom = \"w@news.example\"\nsource.git = {:?}\n\
         cadences.mondays = {{ title = \"M\", cron = \"0 9 * * 1\" }}\n",
        repository.display().to_string()
    );
    let mut app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    app.watch().await.unwrap();
    let ids = async |app: &TestApp| {
        let answer = app.get("/weekly/atom.xml").await;
        let entries = feed_rs::parser::parse(answer.body.as_bytes()).unwrap().entries;
        let mut ids: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let title = entry.title.unwrap().content;
                (title.split(',').next().unwrap().to_owned(), entry.id)
            })
            .collect();
        ids.sort();
        ids
    };
    let first = ids(&app).await;
    assert_eq!(first.len(), 12);

    git(repository, &["mv", "old/3.md", "old/2026-02-three.md"]);
    std::fs::write(repository.join("old/2026-02-three.md"), text(3, ", corrected")).unwrap();
    std::fs::write(repository.join("old/other.md"), issue("Other", "2026-02-05", "Something else altogether."))
        .unwrap();
    commit("a rename with an edit, and a new issue");
    app.watch().await.unwrap();
    let (others, same): (Vec<_>, Vec<_>) = ids(&app).await.into_iter().partition(|(title, _)| title == "Other");
    assert_eq!(same, first);
    assert_eq!(others.len(), 1);

    git(repository, &["mv", "old", "new"]);
    for number in (0..12).filter(|number| *number != 3) {
        std::fs::write(repository.join(format!("new/{number}.md")), text(number, ", moved")).unwrap();
    }
    commit("the folder moves, with an edit of each");
    app.watch().await.unwrap();
    assert_eq!(ids(&app).await.into_iter().filter(|(title, _)| title != "Other").collect::<Vec<_>>(), first);

    // The branch begins anew, with everything at other paths and edited again.
    git(repository, &["checkout", "--quiet", "--orphan", "fresh"]);
    git(repository, &["mv", "new", "fresh"]);
    for number in (0..12).filter(|number| *number != 3) {
        std::fs::write(repository.join(format!("fresh/{number}.md")), text(number, ", rewritten")).unwrap();
    }
    commit("history is rewritten");
    git(repository, &["branch", "--force", "main", "fresh"]);
    git(repository, &["checkout", "--quiet", "main"]);
    app.watch().await.unwrap();
    assert_eq!(ids(&app).await.into_iter().filter(|(title, _)| title != "Other").collect::<Vec<_>>(), first);
    assert_eq!(
        app.app().store.known_issues(&tidings::types::NewsletterId::parse("weekly").unwrap()).await.unwrap().len(),
        13,
        "and nothing else was ever seen"
    );
}
