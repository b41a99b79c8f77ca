//! Processes that are killed, stopped and suspended in the middle of a mailing.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bench, Dice, Plan, are_listed, mark, run, scale};
use crate::harness::{Backend, eventually};
use crate::smtp::{Action, Said, Script};

const CONNECTIONS: usize = 32;

/// A relay that commits a message, waits 5 or 50 ms, and then answers.
fn slow_to_answer() -> Script {
    Script::default().rule(|event| {
        let span = if mark(&event.to, 5).is_multiple_of(4) { 50 } else { 5 };
        (event.said == Said::Content).then(|| Action::CommitAndWait(Duration::from_millis(span)))
    })
}

async fn kill_nine(backend: Backend) {
    let (people, kills) = (30_000, scale(50, 200));
    let Some(bench) = Bench::open(backend, Plan::new(people, CONNECTIONS), slow_to_answer()).await else { return };
    let mut dice = Dice::new("kill -9");
    let mut done = 0;
    while done < kills && !bench.is_finished().await {
        let sender = bench.sender();
        let before = bench.peer.count();
        // A node that dies keeps its batch for 30 s; when all batches are waiting for that, so do we.
        eventually(Duration::from_secs(60), "mail flows again", async || bench.peer.count() > before).await;
        // Early ones too, when leases are taken and the first messages are handed.
        let longest = (people / kills) as u64 * 2;
        tokio::time::sleep(dice.millis(longest)).await;
        drop(sender); // SIGKILL
        done += 1;
        let doubts: usize = bench.doubts().await.values().sum();
        assert!(doubts <= done * CONNECTIONS, "at most one a connection: {doubts} after {done} kills");
    }
    let _last = bench.sender();
    bench.finishes(Duration::from_secs(240)).await;
    let doubled = bench.keeps_its_promise().await;
    let extra: usize = doubled.values().map(|copies| copies - 1).sum();
    eprintln!("{backend:?}: {done} kills, {} doubled, {} in doubt", extra, bench.doubts().await.len());
    assert!(extra <= done * CONNECTIONS, "{extra} doubled after {done} kills");
    assert!(done > kills / 2 && extra > 0, "{done} kills must meet some message that was committed and not answered");
    are_listed(&bench, &doubled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nobody_and_doubles_at_most_one_a_connection_on_sqlite() {
    kill_nine(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nobody_and_doubles_at_most_one_a_connection_on_postgresql() {
    kill_nine(Backend::Postgres).await;
}

/// Two nodes of which one is always being restarted.
async fn rolling_restarts(backend: Backend, people: usize) {
    let Some(bench) = Bench::open(backend, Plan::new(people, 16), slow_to_answer()).await else { return };
    let mut dice = Dice::new("rolling restarts");
    let mut nodes = vec![bench.sender()];
    if let Backend::Postgres = backend {
        nodes.push(bench.sender());
    }
    let mut longest = Duration::ZERO;
    for restart in 1..=20 {
        let before = bench.peer.count();
        eventually(Duration::from_secs(60), "mail flows", async || bench.peer.count() > before).await;
        tokio::time::sleep(dice.millis(500)).await;
        let mut old = nodes.remove(0);
        let start = Instant::now();
        old.signal("TERM");
        let status = old.wait(Duration::from_secs(30));
        assert!(status.success(), "restart {restart}: {status}, and the log ends with:\n{}", bench.log());
        longest = longest.max(start.elapsed());
        nodes.push(bench.sender());
    }
    assert!(!bench.is_finished().await, "all of it happened in the middle of the mailing");
    bench.finishes(Duration::from_secs(120)).await;
    eprintln!("{backend:?}: 20 restarts, the slowest exit took {longest:?}");
    assert!(bench.keeps_its_promise().await.is_empty(), "nobody got it twice");
    assert!(bench.doubts().await.is_empty(), "nothing was ever in doubt");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rolling_restarts_lose_and_double_nothing_on_sqlite() {
    rolling_restarts(Backend::Sqlite, 14_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rolling_restarts_of_two_nodes_lose_and_double_nothing_on_postgresql() {
    rolling_restarts(Backend::Postgres, 14_000).await;
}

/// SIGSTOP for longer than the lease while another node goes on, then CONT.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_for_longer_than_its_lease_doubles_at_most_one_a_connection() {
    let connections = 16;
    let plan = Plan::new(scale(6_000, 30_000), connections);
    let Some(bench) = Bench::open(Backend::Postgres, plan, slow_to_answer()).await else { return };
    let sleeper = bench.sender();
    bench.reaches(1_000, Duration::from_secs(60)).await;
    sleeper.signal("STOP");
    let before = bench.ledger().await;
    let epochs = before.values().flatten().map(|line| line.epoch).max().unwrap();
    let _other = bench.sender();
    // The other node waits for the lease, works off everything, and only then does the sleeper wake up.
    bench.finishes(Duration::from_secs(120)).await;
    let finished = bench.ledger().await;
    sleeper.signal("CONT");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.ledger().await, finished, "the sleeper writes no row under its old epoch");
    assert!(finished.values().flatten().any(|line| line.epoch > epochs), "the batch was taken over");
    let extra: usize = bench.keeps_its_promise().await.values().map(|copies| copies - 1).sum();
    assert!(extra <= connections, "{extra} doubled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mailing_stops_at_once_and_goes_on_where_it_was() {
    let bench = Bench::open(Backend::Sqlite, Plan::new(3_000, 8), slow_to_answer()).await.unwrap();
    let _sender = bench.sender();
    bench.reaches(500, Duration::from_secs(90)).await;
    run(&bench, &["pause", &bench.mailing.to_string()]);
    // What was handed before the pause is finished.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (taken, connections) = (bench.peer.count(), bench.peer.connections());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((bench.peer.count(), bench.peer.connections()), (taken, connections), "nothing moves");
    assert!(taken < bench.people);
    assert!(bench.doubts().await.is_empty());
    run(&bench, &["resume", &bench.mailing.to_string()]);
    bench.finishes(Duration::from_secs(90)).await;
    assert!(bench.keeps_its_promise().await.is_empty());
}
