//! The processor time from a change to everything that shows it.
//!
//! `cargo bench --bench rebuild -- [ISSUES]`, by default 10000 of 5 KB. Two figures: the feeds of a newsletter of that many
//! issues after one new issue (target: 50 ms), and from a changed issue of 40 KB, as a file, to all its feeds and pages (target:
//! 20 ms). Every feed is asked for as readers do, with all codings they take.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a benchmark prints, and what it cannot prepare it cannot measure

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tempfile::TempDir;
use tidings::app::App;
use tidings::chance::Chance;
use tidings::clock::Clock;
use tidings::watcher::Watcher;
use tidings::{config, http};
use tower::ServiceExt as _;

/// How often each is measured; the median counts.
const ROUNDS: usize = 15;

const FEEDS: [&str; 3] = ["/news/atom.xml", "/news/rss.xml", "/news/feed.json"];
const EVERYTHING: [&str; 11] = [
    "/news/atom.xml",
    "/news/rss.xml",
    "/news/feed.json",
    "/news/tags/release/atom.xml",
    "/news/tags/release/rss.xml",
    "/news/tags/release/feed.json",
    "/news/authors/ada/atom.xml",
    "/news/authors/ada/rss.xml",
    "/news/authors/ada/feed.json",
    "/news/issues/large",
    "/news/",
];

fn main() {
    let issues = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        many(issues).await;
        large().await;
    });
}

/// The feeds of a large newsletter after one new issue.
async fn many(issues: usize) {
    let home = TempDir::new().unwrap();
    for number in 0..issues {
        write(home.path(), &format!("{number:05}.md"), number, 5 * 1024, "");
    }
    let (app, mut watcher, router) = open(home.path()).await;
    ask(&router, &FEEDS).await;
    let mut costs = Vec::new();
    for round in 0..ROUNDS {
        write(home.path(), &format!("new-{round}.md"), issues + round, 5 * 1024, "");
        watcher.tick(Clock::system().now()).await.unwrap();
        costs.push(cost(async || ask(&router, &FEEDS).await).await);
    }
    println!("feeds of {issues} issues after a new one       {:?}", median(costs));
    app.store.close().await;
}

/// From a changed file to everything that shows it.
async fn large() {
    let home = TempDir::new().unwrap();
    let facets = "tags: [release]\nauthor: Ada\n";
    write(home.path(), "large.md", 0, 40 * 1024, facets);
    for number in 1..100 {
        write(home.path(), &format!("{number:05}.md"), number, 5 * 1024, "");
    }
    // The newest, so that it is in the newsletter's feeds too.
    write(home.path(), "large.md", 1000, 40 * 1024, facets);
    let (app, mut watcher, router) = open(home.path()).await;
    ask(&router, &EVERYTHING).await;
    let (mut ticks, mut costs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        write(home.path(), "large.md", 1000, 40 * 1024 + round, facets);
        ticks.push(cost(async || watcher.tick(Clock::system().now()).await.map(|_| ()).unwrap()).await);
        costs.push(cost(async || ask(&router, &EVERYTHING).await).await);
    }
    let total = median(ticks.iter().zip(&costs).map(|(tick, cost)| *tick + *cost).collect());
    println!(
        "a changed issue of 40 KB                     {total:?}: {:?} to read and publish, {:?} for 9 feeds and 2 pages",
        median(ticks),
        median(costs)
    );
    app.store.close().await;
}

async fn open(home: &Path) -> (App, Watcher, Router) {
    let text = format!(
        "[database]\nurl = \"sqlite:{home}/tidings.db\"\n[data]\ndirectory = \"{home}/data\"\n\
         [newsletters.news]\ntitle = \"News\"\nfrom = \"news@example.org\"\nmax_new = 1000000\nsource.directory = \"{home}/issues\"\n\
         [newsletters.news.cadences.weekly]\ntitle = \"W\"\ncron = \"0 9 * * 1\"\n",
        home = home.display()
    );
    let config = config::parse(Some(("bench.toml", &text)), &[]).unwrap();
    let app = App::open(config, Clock::system(), Chance::system()).await.unwrap();
    let mut watcher = app.watchers().remove(0);
    watcher.tick(Clock::system().now()).await.unwrap();
    let router = http::public(app.web());
    (app, watcher, router)
}

fn write(home: &Path, name: &str, number: usize, bytes: usize, more: &str) {
    let line = format!(
        "- [#{number}](https://example.org/pull/{number}?a=1&b=2) Fix a \"race\" in the scheduler `<core>` (Zoë)\n"
    );
    let date = chrono::DateTime::from_timestamp(1_500_000_000 + 3600 * i64::try_from(number).unwrap(), 0).unwrap();
    let mut body = line.repeat(bytes / line.len());
    body.push_str(&"x".repeat(bytes % line.len()));
    fs::create_dir_all(home.join("issues")).unwrap();
    let text = format!("---\ntitle: Issue {number}\ndate: {}\n{more}---\n\n{body}\n", date.to_rfc3339());
    fs::write(home.join("issues").join(name), text).unwrap();
}

/// Asks for each path as a reader does.
async fn ask(router: &Router, paths: &[&str]) {
    for path in paths {
        let request =
            Request::get(*path).header("Accept-Encoding", "gzip, deflate, br, zstd").body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
}

async fn cost(work: impl AsyncFnOnce()) -> Duration {
    let before = processor();
    work().await;
    processor() - before
}

/// The processor time of all our threads.
fn processor() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or_default()
    };
    Duration::from_nanos(tasks.map(|task| nanoseconds(task.unwrap())).sum())
}

fn median(mut costs: Vec<Duration>) -> Duration {
    costs.sort();
    costs[costs.len() / 2]
}
