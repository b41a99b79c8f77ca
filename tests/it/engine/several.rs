//! Several relays: by weight, by newsletter, and when one of them is not there.

use std::time::Duration;

use tokio::net::TcpListener;

use super::{Bench, Plan};
use crate::harness::Backend;
use crate::smtp::{Action, Peer, Said, Script};

/// A relay beside the bench's own, as lines of `[mail]`.
fn second(port: u16, more: &str) -> String {
    format!("relays.second = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\", {more} }}\n")
}

/// Everyone got one message, over one relay or the other; how many came over each.
async fn shares(bench: &Bench, other: &Peer) -> (usize, usize) {
    bench.app.send().await;
    assert!(bench.is_finished().await, "{:?}", bench.view().await);
    let mut seen: Vec<String> = bench.peer.committed().into_iter().chain(other.committed()).map(|one| one.to).collect();
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((all, seen.len()), (bench.people, bench.people), "everyone once");
    assert_eq!(bench.view().await.books.accepted, i64::try_from(bench.people).unwrap());
    (bench.peer.count(), other.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_share_a_mailing_by_weight_although_one_is_faster() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let slow = Action::After(Duration::from_millis(4), Box::new(Action::Willing));
        let other = Peer::start(Script::default().on(Said::Content, slow)).await;
        // Enough people that those who go before the second relay's first connection is made weigh little.
        let plan = Plan::new(2_400, 4).mail(&second(other.port(), "weight = 3, connections = 4"));
        let Some(bench) = Bench::open(backend, plan, Script::default()).await else { continue };
        let (own, theirs) = shares(&bench, &other).await;
        assert!(own.abs_diff(600) <= 90, "{own} and {theirs}; 1 of 4 was to go over the first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_not_there_does_not_stop_the_others() {
    for weight in ["connections = 2", "weight = 9"] {
        let nobody = Peer::start(Script::default()).await.port();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for port in [nobody, silent.local_addr().unwrap().port()] {
            let unused = Peer::start(Script::default()).await;
            let plan = Plan::new(100, 4).mail(&second(port, weight));
            let bench = Bench::open(Backend::Sqlite, plan, Script::default()).await.unwrap();
            let sent = tokio::time::timeout(Duration::from_secs(30), shares(&bench, &unused)).await;
            assert_eq!(sent.expect("nobody waits for it"), (100, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_breaks_off_half_way_leaves_the_rest_to_the_others() {
    let busy = Script::default().rule(|event| {
        (event.said == Said::Mail && event.connection > 2).then(|| Action::reply("421 4.3.2 shutting down"))
    });
    let other = Peer::start(busy).await;
    let plan = Plan::new(400, 4).mail(&second(other.port(), "weight = 1, messages = 20, connections = 2"));
    let bench = Bench::open(Backend::Sqlite, plan, Script::default()).await.unwrap();
    let (own, theirs) = shares(&bench, &other).await;
    assert!((1..=50).contains(&theirs) && own == 400 - theirs, "{own} and {theirs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newsletter_goes_over_the_relays_that_it_names_and_no_other() {
    let other = Peer::start(Script::default()).await;
    let lines = format!("{}[defaults]\nrelays = [\"second\"]\n", second(other.port(), "connections = 2"));
    let bench = Bench::open(Backend::Sqlite, Plan::new(60, 4).mail(&lines), Script::default()).await.unwrap();
    assert_eq!(shares(&bench, &other).await, (0, 60));
}
