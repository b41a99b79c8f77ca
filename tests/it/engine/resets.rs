//! Connections that are reset after the final dot, when the relay has the message and nobody heard it say so.

use std::time::Duration;

use super::{Bench, Plan, mark, scale};
use crate::harness::Backend;
use crate::smtp::{Action, Said, Script};

const RARE: u64 = 100;

/// Resets the first time that one recipient in a hundred gets a message.
fn resets() -> Script {
    Script::default().rule(|event| {
        let chosen = event.said == Said::Content && event.time == 1 && mark(&event.to, 1).is_multiple_of(RARE);
        chosen.then_some(Action::CommitAndReset)
    })
}

async fn run(policy: &str) -> (Bench, usize) {
    let people = scale(5_000, 100_000);
    let plan = Plan::new(people, 16).mail(&format!("in_doubt = \"{policy}\""));
    let bench = Bench::open(Backend::Sqlite, plan, resets()).await.unwrap();
    let _sender = bench.sender();
    bench.finishes(Duration::from_secs(scale(120, 1_200) as u64)).await;
    let resets = bench.peer.verdicts().iter().filter(|verdict| verdict.code.is_none()).count();
    eprintln!("{policy}: {resets} of {people} were reset after the dot");
    assert!(resets > people / 200, "{resets} resets");
    (bench, resets)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_after_the_dot_doubles_exactly_that_message_under_resend() {
    let (bench, resets) = run("resend").await;
    let doubled = bench.keeps_its_promise().await;
    assert_eq!(doubled.values().map(|copies| copies - 1).sum::<usize>(), resets);
    let doubts = bench.doubts().await;
    assert_eq!(doubts.keys().collect::<Vec<_>>(), doubled.keys().collect::<Vec<_>>(), "the list is exact");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_after_the_dot_doubles_nothing_under_hold_and_lists_exactly_that_message() {
    let (bench, resets) = run("hold").await;
    assert!(bench.keeps_its_promise().await.is_empty());
    let doubts = bench.doubts().await;
    let chosen: Vec<_> = bench.peer.verdicts().into_iter().filter(|v| v.code.is_none()).map(|v| v.to).collect();
    assert_eq!(doubts.len(), resets);
    assert!(chosen.iter().all(|to| doubts.contains_key(to)));
    assert_eq!(bench.view().await.books.held, i64::try_from(resets).unwrap());
}
