//! A relay that takes half a minute for each reply, beside one that is well.
//!
//! Two installs run at the same time on the same machine, one with the tarpit and one without, so that whatever else the machine does
//! slows both. The relay that is well answers after 10 ms: that sets the rate, and not the processor.

use std::time::Duration;

use tokio::time::Instant;

use crate::crowd::crowd;
use crate::harness::{Process, TestApp, eventually};
use crate::smtp::{Action, Peer, Said, Script};

const PEOPLE: usize = 9_000;
/// Of the tarpit.
const CONNECTIONS: usize = 4;
const WINDOW: Duration = Duration::from_secs(7);
/// Windows for the feeds: what other programs do to the slowest hundredth differs from one to the next, what a tarpit does would not.
const WINDOWS: usize = 4;

struct Install {
    _app: TestApp,
    _process: Process,
    url: String,
    healthy: Peer,
    tarpit: Peer,
}

/// Each reply comes a byte at a time and takes half a minute; a session begins a little sooner, because connecting has a minute at most.
fn tarpit() -> Script {
    Script::default().rule(|event| {
        Some(match event.said {
            Said::Connect | Said::Hello => Action::After(Duration::from_secs(12), Box::new(Action::Willing)),
            _ => Action::Trickle(Duration::from_millis(2_500)),
        })
    })
}

fn newsletter(name: &str, relays: &str) -> String {
    format!(
        "[newsletters.{name}]\ntitle = \"{name}\"\nfrom = \"News <{name}@news.example>\"\nsettle = \"0s\"\nmin_length = 1\n\
         max_age = \"60d\"\nrelays = [{relays}]\n[newsletters.{name}.source]\ndirectory = {{issues}}\n\
         [newsletters.{name}.cadences.mondays]\ntitle = \"Every Monday\"\ncron = \"0 9 * * 1\"\n"
    )
}

/// Newsletter `weekly` goes over the relays `weekly`, and newsletter `slow`, if it has a mailing, over the tarpit.
async fn install(weekly: &str, slow: bool) -> Install {
    let healthy = Script::default().rule(|_| Some(Action::After(Duration::from_millis(10), Box::new(Action::Willing))));
    let (healthy, tarpit) = (Peer::start(healthy).await, Peer::start(tarpit()).await);
    let relay = |port| format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"");
    let extra = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\n{}\nconnections = 8\n[mail.relays.tarpit]\n{}\nconnections = {CONNECTIONS}\n{}{}",
        relay(healthy.port()),
        relay(tarpit.port()),
        newsletter("weekly", weekly),
        newsletter("slow", "\"tarpit\"")
    );
    let mut app = TestApp::start_on(None, &extra).await;
    app.watch().await.unwrap();
    app.schedule().await;
    let buckets = app.app().store.buckets();
    crowd(&app.database, buckets, "weekly", "mondays", PEOPLE).await;
    if slow {
        let sql = "INSERT INTO subscription (bucket, subscriber_id, newsletter, cadence, state, request, fields, requested_at, confirmed_at) \
             SELECT bucket, subscriber_id, 'slow', cadence, state, request, fields, requested_at, confirmed_at FROM subscription; \
             INSERT INTO membership (bucket, newsletter, cadence, subscriber_id, joined_after, left_after) \
             SELECT bucket, 'slow', cadence, subscriber_id, joined_after, left_after FROM membership";
        crate::crowd::run(&app.database, sql.to_owned()).await;
    }
    app.write_issue("news.md", "News", "2026-03-02", "Hello.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    let public = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let process = super::serve(&app, "web,sender", &[("TIDINGS_SERVER__PUBLIC", &public)]);
    Install { _app: app, _process: process, url: format!("http://{public}/weekly/atom.xml"), healthy, tarpit }
}

/// Asks both for their feed in turns; the slowest hundredth of each.
async fn feeds(installs: [&Install; 2]) -> [Duration; 2] {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut took = [Vec::new(), Vec::new()];
    let end = Instant::now() + WINDOW;
    while Instant::now() < end {
        for (install, took) in installs.iter().zip(&mut took) {
            let start = Instant::now();
            let response = client.get(&install.url).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.bytes().await.unwrap();
            took.push(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    took.map(|mut took| {
        took.sort();
        took[took.len() * 99 / 100]
    })
}

/// The rate of the install with a tarpit over that of the other, and the same of the feeds.
async fn compare(beside: &Install, alone: &Install) -> (f64, f64) {
    for install in [beside, alone] {
        eventually(Duration::from_secs(60), "mail flows", async || install.healthy.count() > 500).await;
    }
    eventually(Duration::from_secs(60), "the tarpit is at work", async || {
        beside.tarpit.lines().iter().any(|line| line.starts_with("MAIL"))
    })
    .await;
    let before = [beside.healthy.count(), alone.healthy.count()];
    let mut feed: f64 = f64::INFINITY;
    for _ in 0..WINDOWS {
        let [with, without] = feeds([beside, alone]).await;
        eprintln!("feeds, p99: {with:?} beside a tarpit, {without:?} without");
        feed = feed.min(with.as_secs_f64() / without.as_secs_f64());
    }
    let [with, without] = [beside.healthy.count() - before[0], alone.healthy.count() - before[1]];
    eprintln!("messages over the healthy relay: {with} beside a tarpit, {without} without");
    for install in [beside, alone] {
        assert!(install.healthy.count() < PEOPLE, "all of it was measured in the middle of a mailing");
    }
    let most = beside.tarpit.most_open();
    assert!((1..=CONNECTIONS).contains(&most), "the tarpit had {most} connections");
    (with as f64 / without as f64, feed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_slows_neither_the_mailing_of_a_healthy_relay_nor_the_feeds() {
    let (beside, alone) = tokio::join!(install("\"smtp\"", true), install("\"smtp\"", false));
    let (rate, feeds) = compare(&beside, &alone).await;
    assert!(rate >= 0.9, "the healthy mailing went at {rate:.2} of its rate");
    assert!(feeds <= 1.1, "the slowest hundredth of the feeds took {feeds:.2} times as long");
}

/// The same where both relays carry the same mailing: the tarpit keeps what it has, the other one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_does_not_slow_the_relay_that_it_shares_a_mailing_with() {
    let (beside, alone) = tokio::join!(install("\"smtp\", \"tarpit\"", false), install("\"smtp\"", false));
    let (rate, _) = compare(&beside, &alone).await;
    assert!(rate >= 0.9, "the healthy relay went at {rate:.2} of its rate");
}
