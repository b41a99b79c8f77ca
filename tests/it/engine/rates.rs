//! Rates with several spans, as two nodes keep them together.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bench, Plan, run};
use crate::harness::{Backend, eventually};
use crate::smtp::{Peer, Script};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// An install with one relay, which has a rate.
async fn limited(backend: Backend, people: usize, rate: &str) -> Option<(Bench, Peer)> {
    let relay = Peer::start(Script::default()).await;
    let lines = format!(
        "relays.counted = {{ host = \"127.0.0.1\", port = {}, tls = \"none\", connections = 6, rate = \"{rate}\" }}\n\
         [defaults]\nrelays = [\"counted\"]\n",
        relay.port()
    );
    Some((Bench::open(backend, Plan::new(people, 4).mail(&lines), Script::default()).await?, relay))
}

async fn epochs(bench: &Bench) -> i64 {
    super::count(&bench.app.database, "SELECT CAST(SUM(epoch) AS BIGINT) FROM batch").await
}

/// The most messages that came in a span, wherever it begins, by counts at many moments.
fn most(seen: &[(Instant, usize)], span: Duration) -> usize {
    let most_after = |(from, before): &(Instant, usize)| {
        let within = seen.iter().take_while(|(at, _)| *at <= *from + span);
        within.map(|(_, count)| count - before.min(count)).max().unwrap_or_default()
    };
    seen.iter().map(most_after).max().unwrap_or_default()
}

async fn no_minute_has_more(backend: Backend) {
    let Some((bench, relay)) = limited(backend, 160, "40/s, 100/m").await else { return };
    let digests = || relay.committed().iter().filter(|one| one.to.ends_with("@reader.example")).count();
    let _nodes = [bench.sender(), bench.sender()];
    let (mut seen, mut looked, start) = (Vec::new(), false, Instant::now());
    while !bench.is_finished().await {
        assert!(start.elapsed() < 3 * MINUTE, "{} went out", relay.count());
        seen.push((Instant::now(), relay.count()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        if !looked && digests() == 95 {
            looked = true;
            // No more for now, and no batch is leased for nothing.
            tokio::time::sleep(3 * SECOND).await;
            let (status, before) = (run(&bench, &["status"]), epochs(&bench).await);
            let line = "the relay counted: at most 40/s, 100/m, 95 of 100/m used; mailings wait until ";
            assert!(status.contains(line), "{status}");
            tokio::time::sleep(4 * SECOND).await;
            assert_eq!((digests(), epochs(&bench).await), (95, before));
            // Somebody who subscribes does not wait for the next minute.
            let form = [("email", "new@elsewhere.example"), ("cadence", "mondays")];
            assert_eq!(bench.app.post("/weekly/subscribe", &form).await.status, 200);
            eventually(10 * SECOND, "the confirmation arrives", async || relay.count() == 96).await;
        }
    }
    assert!(looked, "the first minute was never used up");
    // The peer's clock and ours are one, and a message is counted when it is due, a moment before it arrives.
    let most = most(&seen, MINUTE - Duration::from_millis(200));
    assert!((96..=100).contains(&most), "{most} in one minute");
    assert_eq!((relay.count(), bench.view().await.books.accepted), (161, 160));
    assert!(start.elapsed() < Duration::from_secs(90), "the second minute began late");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_minute_has_more_than_its_rate_says_wherever_it_begins() {
    tokio::join!(no_minute_has_more(Backend::Sqlite), no_minute_has_more(Backend::Postgres));
}

async fn a_mailing_waits(backend: Backend) {
    let Some(bench) = Bench::open(backend, Plan::new(400, 6), Script::default()).await else { return };
    let mailing = bench.mailing.to_string();
    assert_eq!(run(&bench, &["rate", &mailing, "60/m,50/s"]).trim(), "the mailing goes at most at 50/s, 60/m");
    let _nodes = [bench.sender(), bench.sender()];
    eventually(30 * SECOND, "the minute is used", async || bench.peer.count() >= 60).await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(bench.peer.count(), 60);
    let status = run(&bench, &["status"]);
    assert!(status.contains("(at most 50/s, 60/m), waits for its rate until "), "{status}");
    // A higher rate counts what went out already; no rate does not.
    run(&bench, &["rate", &mailing, "50/s, 90/m"]);
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(bench.peer.count(), 90);
    run(&bench, &["rate", &mailing, "none"]);
    tokio::time::sleep(SECOND).await;
    assert!(bench.peer.count() > 90, "an order is obeyed within a second");
    bench.finishes(30 * SECOND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailing_that_has_used_up_its_minute_waits_and_a_new_rate_is_felt_within_a_second() {
    tokio::join!(a_mailing_waits(Backend::Sqlite), a_mailing_waits(Backend::Postgres));
}

/// The mailing may have 50 in a minute and needs 45; its relay takes four a second. If slots of the mailing were lost whenever the relay
/// has none, they would not do.
async fn both_or_neither(backend: Backend) {
    let Some((bench, relay)) = limited(backend, 45, "4/s").await else { return };
    run(&bench, &["rate", &bench.mailing.to_string(), "100/s, 50/m"]);
    let _node = bench.sender();
    let start = Instant::now();
    bench.finishes(Duration::from_secs(40)).await;
    assert!(start.elapsed() > Duration::from_secs(9), "45 at four a second took {:?}", start.elapsed());
    assert_eq!(relay.count(), 45);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_takes_of_every_rate_that_it_is_under_or_of_none() {
    tokio::join!(both_or_neither(Backend::Sqlite), both_or_neither(Backend::Postgres));
}

async fn a_domain_waits(backend: Backend) {
    let lines = "domains.slow = { domains = [\"slow.example\"], rate = \"30/s, 40/m\" }\n";
    let Some(bench) = Bench::open(backend, Plan::new(300, 6).mail(lines), Script::default()).await else { return };
    // reader1, reader10 to 19 and reader100 to 199.
    let moved = "UPDATE subscriber SET address = REPLACE(address, '@reader.example', '@slow.example') \
         WHERE address LIKE 'reader1%'";
    crate::crowd::run(&bench.app.database, moved.to_owned()).await;
    let slow = || bench.peer.committed().iter().filter(|one| one.to.ends_with("@slow.example")).count();
    let _nodes = [bench.sender(), bench.sender()];
    let all = 189 + 38;
    eventually(30 * SECOND, "the others, and what the domain may have", async || bench.peer.count() >= all).await;
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!((bench.peer.count(), slow()), (all, 38), "a twentieth is kept for confirmations");
    let status = run(&bench, &["status"]);
    assert!(status.contains("the domains slow: at most 30/s, 40/m, 38 of 40/m used; mailings wait until "), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_has_used_up_its_minute_holds_nobody_else_up() {
    tokio::join!(a_domain_waits(Backend::Sqlite), a_domain_waits(Backend::Postgres));
}
