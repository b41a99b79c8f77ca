//! Newsletters that take the text of issues from the pages that the project's site generator built.

use std::path::Path;
use std::time::Duration;

use crate::harness::{Backend, TestApp, git, issue, on_both, tidings};

/// A newsletter whose documents are in `content` and whose built site is at `pages`, both below a directory.
fn newsletter(root: &Path, pages: &str) -> String {
    let content = format!("{:?}", root.join("content").display().to_string());
    format!(
        "[newsletters.weekly]\ntitle = \"W\"\nfrom = \"w@news.example\"\nsite = \"https://project.example/\"\n\
         permalink = \"/news/:slug/\"\nsettle = \"0s\"\nmin_length = 1\nmax_age = \"60d\"\n\
         [newsletters.weekly.source]\ndirectory = {content}\n\
         [newsletters.weekly.pages]\n{pages}\n\
         [newsletters.weekly.cadences.mondays]\ntitle = \"M\"\ncron = \"0 9 * * 1\"\n"
    )
}

fn page(title: &str, text: &str) -> String {
    format!(
        "<!doctype html><html><head><title>{title}</title></head><body><nav>Menu</nav>\
         <article><header><h1>{title}</h1></header>{text}</article><footer>Imprint</footer></body></html>"
    )
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const HOUR: Duration = Duration::from_secs(3600);

const LOOP: &str = "{% for item in site.data.releases %}\n- {{ item }}\n{% endfor %}";

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_waits_for_its_page_and_then_says_what_the_page_says_in_feed_and_mail() {
    on_both(async |mut app| {
        let root = app.directory.path().to_owned();
        std::fs::create_dir_all(root.join("content")).unwrap();
        std::fs::create_dir_all(root.join("public")).unwrap();
        app.configure(&newsletter(&root, &format!("directory = {:?}", root.join("public").display().to_string())))
            .await;
        app.watch().await.unwrap();
        app.schedule().await;
        app.subscribe("ada@reader.example").await;

        put(&root, "content/march.md", &issue("March", "2026-03-01", LOOP));
        app.watch().await.unwrap();
        let status = app.get(&format!("{}/status", app.private)).await.body;
        assert!(
            status.contains("its page is not built yet: the built site has no file news/march/index.html"),
            "{status}"
        );
        assert_eq!(feed(&app).await, [""; 0], "nothing is published that nobody could read");

        put(
            &root,
            "public/news/march/index.html",
            &page("March", "<h2 id=\"r\">Releases</h2><ul><li>3.0 <a href=\"/dl/\">here</a></li></ul>"),
        );
        app.watch().await.unwrap();
        let entries = feed(&app).await;
        assert!(
            entries.len() == 1 && entries[0].contains("<li>3.0 <a href=\"https://project.example/dl/\">here</a></li>"),
            "{entries:?}"
        );
        assert!(
            !entries[0].contains("Menu") && !entries[0].contains("{%") && !entries[0].contains("<h1"),
            "{entries:?}"
        );

        app.advance(HOUR);
        app.schedule().await;
        app.send().await;
        let digests = app.digests();
        assert_eq!(digests.len(), 1);
        assert!(
            digests[0].text.contains("Releases") && digests[0].text.contains("- 3.0 here [1]"),
            "{}",
            digests[0].text
        );

        // The site is built anew with other words: the feed follows, nobody is mailed again.
        let before = updated(&app).await;
        app.advance(7 * 24 * HOUR);
        put(&root, "public/news/march/index.html", &page("March", "<p>Corrected</p>"));
        app.watch().await.unwrap();
        assert!(feed(&app).await[0].contains("<p>Corrected</p>"));
        assert!(updated(&app).await > before);
        app.schedule().await;
        app.send().await;
        assert_eq!(app.digests().len(), 1);

        // A build that changes other pages, or the frame of this one, moves nothing.
        let before = app.get("/weekly/atom.xml").await;
        put(&root, "public/index.html", &page("Home", "<p>x</p>"));
        put(&root, "public/news/march/index.html", &page("March", "<p>Corrected</p>").replace("Menu", "Another menu"));
        app.watch().await.unwrap();
        assert_eq!(app.get("/weekly/atom.xml").await.body, before.body);

        // While the site is built, its directory may be gone: the last good state stays.
        std::fs::rename(root.join("public"), root.join("away")).unwrap();
        assert!(app.watch().await.unwrap_err().contains("public is not there"));
        assert!(feed(&app).await[0].contains("<p>Corrected</p>"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_be_a_branch_of_the_repository_and_check_knows_them() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    let root = app.directory.path().to_owned();
    let site = root.join("site");
    std::fs::create_dir_all(&site).unwrap();
    git(&site, &["init", "--quiet", "--initial-branch", "gh-pages"]);
    put(&site, "docs/news/march.html", &page("March", "<p>From the branch</p>"));
    put(&site, "docs/news/april/index.html", "<main>No article here</main>");
    git(&site, &["add", "."]);
    git(&site, &["commit", "--quiet", "-m", "built"]);
    put(&root, "content/march.md", &issue("March", "2026-03-01", LOOP));
    put(&root, "content/april.md", &issue("April", "2026-03-01", LOOP));
    put(&root, "content/draft.md", &issue("Draft", "2026-03-01", LOOP).replace("author:", "draft: true\nauthor:"));
    let pages = format!("git = {:?}\nbranch = \"gh-pages\"\nfolder = \"docs\"", site.display().to_string());
    app.configure(&newsletter(&root, &pages)).await;
    app.watch().await.unwrap();
    let entries = feed(&app).await;
    assert!(entries.len() == 1 && entries[0].contains("<p>From the branch</p>"), "{entries:?}");

    let output = tidings(&root).args(["--config", "tidings.toml", "check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let april = "april.md: its page news/april/index.html has no text in the element that `content` names (not-built).";
    assert!(said.contains(april) && !said.contains("march") && !said.contains("draft.md"), "{said}");
    assert!(said.contains("weekly: 1 issue, 1 draft"), "{said}");
}

async fn feed(app: &TestApp) -> Vec<String> {
    let feed = feed_rs::parser::parse(app.get("/weekly/atom.xml").await.body.as_bytes()).unwrap();
    feed.entries.into_iter().map(|entry| entry.content.unwrap().body.unwrap()).collect()
}

async fn updated(app: &TestApp) -> chrono::DateTime<chrono::Utc> {
    feed_rs::parser::parse(app.get("/weekly/atom.xml").await.body.as_bytes()).unwrap().entries[0].updated.unwrap()
}
