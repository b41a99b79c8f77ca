//! A relay that takes half a minute for each reply, beside one that is well.
//!
//! Two installs run at the same time on the same machine, one with the tarpit and one without, so that whatever else the machine does
//! slows both. Two processes that do the same differ by up to a fifth all the same, each in its way for as long as it runs; so both are compared again
//! when the tarpit is gone, and what it did is the difference. The relay that is well sets the rate, and not the processor.

use std::time::Duration;

use tidings::store::MailingState;
use tokio::time::Instant;

use crate::crowd::crowd;
use crate::harness::{Process, TestApp, eventually};
use crate::smtp::{Action, Peer, Said, Script};

/// More than the healthy relay takes in a minute with seven connections.
const PEOPLE: usize = 14_000;
/// Of the tarpit.
const CONNECTIONS: usize = 4;
/// What a healthy relay takes for a content.
const REPLY: Duration = Duration::from_millis(40);
const WINDOW: Duration = Duration::from_secs(2);
/// With the tarpit, and as many without.
const WINDOWS: usize = 9;
/// When a tarpit slows by just what it may, half of the pairs of windows are beyond that, give or take 0.14 by chance (the deviation of
/// Mann and Whitney's U with nine and nine). This is two deviations more.
const MOST: f64 = 0.78;
/// Readers who ask for feeds at once.
const READERS: usize = 4;

struct Install {
    app: TestApp,
    _process: Process,
    url: String,
    healthy: Peer,
    tarpit: Peer,
}

/// Each reply comes a byte at a time and takes half a minute; a session begins sooner, because connecting has a minute at most.
fn tarpit() -> Script {
    Script::default().rule(|event| {
        Some(match event.said {
            Said::Connect | Said::Hello => Action::After(Duration::from_secs(5), Box::new(Action::Willing)),
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
    let healthy = Script::default().on(Said::Content, Action::After(REPLY, Box::new(Action::Willing)));
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
    Install { app, _process: process, url: format!("http://{public}/weekly/atom.xml"), healthy, tarpit }
}

/// The slowest hundredth of what an install's feed took in a window, and the messages of its healthy relay.
struct Measured {
    feed: Duration,
    messages: usize,
}

/// Readers ask both for their feed in turns.
async fn measure(installs: [&Install; 2]) -> [Measured; 2] {
    let before = installs.map(|install| install.healthy.count());
    let urls = installs.map(|install| install.url.clone());
    let end = Instant::now() + WINDOW;
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..READERS {
        let urls = urls.clone();
        readers.spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut took = [Vec::new(), Vec::new()];
            // Neither is always the first one after a pause.
            for turn in reader.. {
                for which in [turn % 2, 1 - turn % 2] {
                    let start = Instant::now();
                    let response = client.get(&urls[which]).send().await.unwrap();
                    assert_eq!(response.status(), 200);
                    response.bytes().await.unwrap();
                    took[which].push(start.elapsed());
                }
                if Instant::now() > end {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            took
        });
    }
    let mut all = [Vec::new(), Vec::new()];
    for took in readers.join_all().await {
        for (all, took) in all.iter_mut().zip(took) {
            all.extend(took);
        }
    }
    let after = installs.map(|install| install.healthy.count());
    [0, 1].map(|which| {
        all[which].sort();
        let feed = all[which][all[which].len() * 99 / 100];
        Measured { feed, messages: after[which] - before[which] }
    })
}

/// Windows of measurement: by how much the first install's feeds are slower and its relay takes more, as logarithms.
#[derive(Default)]
struct Compared {
    feeds: Vec<f64>,
    messages: Vec<f64>,
}

impl Compared {
    async fn windows(installs: [&Install; 2], what: &str) -> Self {
        let mut compared = Self::default();
        for _ in 0..WINDOWS {
            let [one, other] = measure(installs).await;
            compared.feeds.push((one.feed.as_secs_f64() / other.feed.as_secs_f64()).ln());
            compared.messages.push((one.messages as f64 / other.messages as f64).ln());
            eprintln!(
                "{what}: feeds, p99, {:?} and {:?}; messages {} and {}",
                one.feed, other.feed, one.messages, other.messages
            );
        }
        compared
    }
}

/// By what factor the windows with the tarpit differ from those without: the median of all pairs, so that a window in which the machine did
/// something else counts no more than another. And how many of the pairs are beyond a factor, of one.
fn differ(with: &[f64], without: &[f64], beyond: f64) -> (f64, f64) {
    let mut pairs: Vec<_> = with.iter().flat_map(|with| without.iter().map(move |without| with - without)).collect();
    pairs.sort_by(f64::total_cmp);
    let far = pairs.iter().filter(|pair| **pair * beyond.ln().signum() > beyond.ln().abs()).count();
    (pairs[pairs.len() / 2].exp(), far as f64 / pairs.len() as f64)
}

/// Waits until mail flows in both and the tarpit has some of it.
async fn flows(beside: &Install, alone: &Install) {
    for install in [beside, alone] {
        eventually(Duration::from_secs(60), "mail flows", async || install.healthy.count() > 300).await;
    }
    eventually(Duration::from_secs(60), "the tarpit is at work", async || {
        beside.tarpit.lines().iter().any(|line| line.starts_with("MAIL"))
    })
    .await;
}

fn was_in_the_middle(beside: &Install, alone: &Install) {
    for install in [beside, alone] {
        assert!(install.healthy.count() < PEOPLE, "all of it was measured in the middle of a mailing");
    }
}

fn has_few_connections(tarpit: &Peer) {
    let most = tarpit.most_open();
    assert!((1..=CONNECTIONS).contains(&most), "the tarpit had {most} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_slows_neither_the_mailing_of_a_healthy_relay_nor_the_feeds() {
    let (mut beside, alone) = tokio::join!(install("\"smtp\"", true), install("\"smtp\"", false));
    flows(&beside, &alone).await;
    let with = Compared::windows([&beside, &alone], "beside a tarpit").await;
    has_few_connections(&beside.tarpit);
    // Without it: its mailing pauses, and its connections are closed.
    let store = &beside.app.app().store;
    for mailing in store.mailings(9, false).await.unwrap() {
        if mailing.newsletter.as_str() == "slow" {
            assert_eq!(mailing.state, MailingState::Open);
            assert!(store.pause(mailing.mailing, "the test goes on without it").await.unwrap());
        }
    }
    beside.tarpit = Peer::start(Script::default()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let without = Compared::windows([&beside, &alone], "without").await;
    was_in_the_middle(&beside, &alone);
    let (feeds, slower) = differ(&with.feeds, &without.feeds, 1.1);
    let (rate, fewer) = differ(&with.messages, &without.messages, 0.9);
    eprintln!("feeds took {feeds:.3} of their time, {slower:.2} beyond; the rate was {rate:.3}, {fewer:.2} beyond");
    assert!(fewer < MOST, "the healthy mailing went at {rate:.2} of its rate");
    assert!(slower < MOST, "the slowest hundredth of the feeds took {feeds:.2} times as long");
}

/// The same where both relays carry the same mailing: the tarpit keeps what it has, the other one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_does_not_slow_the_relay_that_it_shares_a_mailing_with() {
    let (beside, alone) = tokio::join!(install("\"smtp\", \"tarpit\"", false), install("\"smtp\"", false));
    flows(&beside, &alone).await;
    let before = [beside.healthy.count(), alone.healthy.count()];
    tokio::time::sleep(Duration::from_secs(25)).await;
    let [with, without] = [beside.healthy.count() - before[0], alone.healthy.count() - before[1]];
    eprintln!("messages over the healthy relay: {with} beside a tarpit, {without} without");
    was_in_the_middle(&beside, &alone);
    has_few_connections(&beside.tarpit);
    let rate = with as f64 / without as f64;
    assert!(rate >= 0.9, "the healthy relay went at {rate:.2} of its rate");
}
