//! PostgreSQL that is restarted, and connections to it that are ended or cut in the middle of whatever they do.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bench, Dice, Plan, scale};
use crate::harness::{Process, eventually};
use crate::postgres::Server;
use crate::proxy::{Proxy, Target};
use crate::smtp::{Action, Said, Script};

const CONNECTIONS: usize = 16;

fn script() -> Script {
    Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(20)))
}

/// Messages a second over some seconds.
async fn rate(bench: &Bench, seconds: u64) -> f64 {
    let before = bench.peer.count();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    (bench.peer.count() - before) as f64 / seconds as f64
}

async fn comes_through(bench: &Bench, mut process: Process) {
    bench.finishes(Duration::from_secs(180)).await;
    assert!(process.0.try_wait().unwrap().is_none(), "the process never exits");
    assert!(bench.keeps_its_promise().await.is_empty(), "nobody got it twice");
    let _ = process.0.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_loses_and_doubles_nothing() {
    let Some(server) = Server::start() else { return };
    let database = server.fresh_database("").await;
    let (people, restarts) = (scale(8_000, 60_000), scale(6, 20));
    let bench = Bench::on(Some(database), Plan::new(people, CONNECTIONS), script()).await;
    let process = bench.sender();
    let mut dice = Dice::new("restarts of the database");
    bench.reaches(200, Duration::from_secs(60)).await;
    for _ in 0..restarts {
        server.restart();
        let before = bench.peer.count();
        let start = Instant::now();
        // What is on the wire at the restart ends first.
        eventually(Duration::from_secs(10), "mail flows within 10 s of a restart", async || {
            bench.peer.count() > before + CONNECTIONS
        })
        .await;
        eprintln!("mail flows {:?} after a restart", start.elapsed());
        tokio::time::sleep(dice.millis(500)).await;
    }
    assert!(!bench.is_finished().await, "all of it happened in the middle of the mailing");
    comes_through(&bench, process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_database_that_are_ended_all_the_time_lose_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let database = server.fresh_database("").await;
    let seconds = scale(12, 60) as u64;
    let people = scale(4_000, 12_000);
    // The relay sets the pace, so that other tests on the same machine do not.
    let slow = Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(150)));
    let bench = Bench::on(Some(database), Plan::new(people, CONNECTIONS), slow).await;
    let process = bench.sender();
    bench.reaches(500, Duration::from_secs(60)).await;
    let before = rate(&bench, 3).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        server
            .administer(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%' ORDER BY random() LIMIT 1",
            )
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Back at its rate within 10 s. Other tests take their share of the machine, so the best of those seconds counts.
    let mut after: f64 = 0.0;
    for _ in 0..5 {
        after = after.max(rate(&bench, 2).await);
    }
    eprintln!("{before:.0} messages a second before, {after:.0} after");
    assert!(after >= 0.95 * before || bench.peer.count() >= people, "{after:.0} a second, {before:.0} before");
    comes_through(&bench, process).await;
}

/// A commit whose answer is lost has happened or not; the sender must find out which.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_database_that_are_lost_on_the_way_lose_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let database = server.fresh_database("").await;
    let bench = Bench::on(Some(database.clone()), Plan::new(scale(6_000, 60_000), CONNECTIONS), script()).await;
    let proxy = Proxy::start(Target::Socket(server.socket())).await;
    let name = database.split(['/', '?']).nth(3).unwrap();
    let through = format!("postgres://tidings@127.0.0.1:{}/{name}?sslmode=disable", proxy.port);
    let process = super::serve(&bench.app, "sender", &[("TIDINGS_DATABASE__URL", &through)]);
    let mut dice = Dice::new("cuts");
    bench.reaches(200, Duration::from_secs(60)).await;
    for _ in 0..scale(40, 400) {
        proxy.cut();
        tokio::time::sleep(dice.millis(400)).await;
    }
    // A connection that hangs is worse than one that ends.
    proxy.freeze();
    tokio::time::sleep(Duration::from_secs(5)).await;
    proxy.cut();
    proxy.thaw();
    comes_through(&bench, process).await;
}
