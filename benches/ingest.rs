//! What a large archive costs: a git repository of N issues of 5 KB, read for the first time into an empty SQLite database,
//! looked at when nothing has changed, and looked at when one issue has.
//!
//! `cargo bench --bench ingest -- [ISSUES]`, by default 10000. Processor time is our own; that of the git programs we start
//! stands beside it. Targets, for 10000: 60 s, 50 ms and 200 ms of our own, and 256 MiB at the peak.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints and takes the time

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings::chance::Chance;
use tidings::clock::Clock;
use tidings::config::{self, Config};
use tidings::content::Source;
use tidings::renderer::Templates;
use tidings::store::Store;
use tidings::watcher::{Tick, Watcher};

/// How often the small looks are repeated.
const ROUNDS: u32 = 20;

fn main() {
    let issues = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok()).unwrap_or(10_000);
    let home = TempDir::new().unwrap();
    repository(&home.path().join("news"), issues);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(home.path(), issues));
}

async fn measure(home: &Path, issues: usize) {
    let config = configuration(home);
    let store = Store::open(&config.database.url, &Chance::system()).await.unwrap();
    let newsletter = config.newsletters[0].clone();
    let source = Arc::new(Source::open(&newsletter.source, &home.join("mirror")).unwrap());
    let templates = Arc::new(Templates::load(None).unwrap());
    let mut watcher = Watcher::new(store.clone(), source, newsletter, config.server.url.clone(), templates);
    println!("{issues} issues of 5 KB; before the first look the peak is {} MiB", peak());

    let (tick, cost) = look(&mut watcher).await;
    assert_eq!((tick.published, tick.held.len()), (issues, 0));
    println!("first reading          {cost}; peak {} MiB", peak());

    let mut total = Cost::default();
    for _ in 0..ROUNDS {
        let (tick, cost) = look(&mut watcher).await;
        assert_eq!(tick, Tick::default());
        total = total.plus(cost);
    }
    println!("nothing changed        {}", total.by(ROUNDS));

    let mut total = Cost::default();
    for round in 0..ROUNDS {
        change(&home.join("news"), round);
        let (tick, cost) = look(&mut watcher).await;
        assert_eq!((tick.published, tick.withdrawn), (1, 0));
        total = total.plus(cost);
    }
    println!("one issue changed      {}; peak {} MiB", total.by(ROUNDS), peak());
    store.close().await;
}

async fn look(watcher: &mut Watcher) -> (Tick, Cost) {
    let (own, children) = processor();
    let start = Instant::now();
    let tick = watcher.tick(Clock::system().now()).await.unwrap();
    let wall = start.elapsed();
    let now = processor();
    (tick, Cost { wall, own: now.0 - own, children: now.1 - children })
}

/// What a look took.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    own: Duration,
    children: Duration,
}

impl Cost {
    fn plus(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, own: self.own + other.own, children: self.children + other.children }
    }

    fn by(self, rounds: u32) -> Self {
        Self { wall: self.wall / rounds, own: self.own / rounds, children: self.children / rounds }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |span: Duration| span.as_secs_f64() * 1000.0;
        write!(
            f,
            "{:8.1} ms of our own processor time, {:7.1} ms of git's, {:8.1} ms in all",
            ms(self.own),
            ms(self.children),
            ms(self.wall)
        )
    }
}

/// Processor time of this process and of the children it has waited for (proc(5): fields 14 to 17 of `stat`, in hundredths
/// of a second on every Linux).
fn processor() -> (Duration, Duration) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(") ").unwrap().1; // begins with field 3
    let fields: Vec<u64> = after.split(' ').map(|field| field.parse().unwrap_or_default()).collect();
    let ticks = |from: usize| Duration::from_millis((fields[from] + fields[from + 1]) * 10);
    (ticks(11), ticks(13))
}

/// The most memory this process ever had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

fn configuration(home: &Path) -> Config {
    let text = format!(
        "[database]\nurl = \"sqlite:{0}/tidings.db\"\n[newsletters.news]\ntitle = \"News\"\nfrom = \"news@news.example\"\n\
         source.git = \"{0}/news\"\ncadences.each = {{ title = \"Each\", cron = \"* * * * *\" }}\n",
        home.display()
    );
    let path = home.join("tidings.toml");
    fs::write(&path, text).unwrap();
    config::load(Some(&path)).unwrap()
}

fn git(directory: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new("git")
        .current_dir(directory)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "git {arguments:?}");
}

/// A bare repository with a commit for each hundred issues.
fn repository(directory: &Path, issues: usize) {
    fs::create_dir(directory).unwrap();
    git(directory, &["init", "--quiet", "--bare", "--initial-branch=main"], "");
    let mut stream = String::new();
    for number in 0..issues {
        if number % 100 == 0 {
            commit(&mut stream, number as u64);
        }
        file(&mut stream, number, &issue(number, "as it was"));
    }
    git(directory, &["fast-import", "--quiet"], &stream);
}

fn change(directory: &Path, round: u32) {
    let mut stream = String::new();
    commit(&mut stream, 1_000_000 + u64::from(round));
    stream.push_str("from refs/heads/main^0\n");
    file(&mut stream, 7, &issue(7, &format!("changed {round}")));
    git(directory, &["fast-import", "--quiet"], &stream);
}

fn commit(stream: &mut String, time: u64) {
    let _ = write!(
        stream,
        "commit refs/heads/main\ncommitter Ed <ed@news.example> {} +0000\ndata 1\nx\n",
        1_577_836_800 + time
    );
}

fn file(stream: &mut String, number: usize, text: &str) {
    let path = format!("issues/{}/{number:05}.md", number / 500);
    let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
}

/// Five kilobytes as people write them: headings, lists, links, a table, code and prose.
fn issue(number: usize, word: &str) -> String {
    let date = chrono::DateTime::from_timestamp(1_262_304_000 + number as i64 * 40_000, 0).unwrap();
    let mut text = format!(
        "---\ntitle: News, number {number}\ndate: {}\nauthor: The Editors\ntags: [news, week]\n---\n\nWhat happened, {word}.\n",
        date.format("%Y-%m-%d")
    );
    for part in 0.. {
        if text.len() > 5_000 {
            break;
        }
        let _ = write!(
            text,
            "\n## Part {part} of {number}\n\nSomebody wrote *number {part}* of **the series** about `things({number})`, and it is \
             [worth reading](https://example.org/{number}/{part}), as ever.\n\n* [A first link](https://example.org/a/{part}) by \
             someone\n* [A second link](../{:02}/other.md), and a word on it\n* ![A chart](images/{number}-{part}.png)\n\n\
             | What | How many |\n| --- | ---: |\n| Letters | {part} |\n| Replies | {number} |\n\n```rust\nfn part() -> u32 {{\n    \
             {part}\n}}\n```\n",
            part % 20
        );
    }
    text
}
