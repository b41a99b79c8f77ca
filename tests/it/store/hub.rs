//! The hub in the store: limits, leases of errands, and what is newer than what is under way.

use std::time::Duration;

use tidings::store::{Asked, Errand, HubLimits, LeaseLost, Settled, Topic};
use tidings::types::Secret;
use tidings::websub::address::Guard;
use tidings::websub::{Kind, Request};

use crate::store::world::{LONG, World, now};

on_both! {
    a_topic_and_a_host_have_limits_and_who_is_subscribed_renews_beyond_them
    requests_are_counted_in_windows_for_everybody_and_for_each_host
    an_errand_has_one_owner_and_is_taken_over_when_its_lease_ends
    what_becomes_due_during_a_push_is_pushed_after_it
    a_verification_of_what_is_not_asked_any_more_decides_nothing
    an_older_reading_of_a_feed_is_not_distributed
    at_one_host_few_errands_are_under_way_at_once
}

const TOPIC: &str = "https://example.org/news/atom.xml";
const LIMITS: HubLimits =
    HubLimits { topic: 3, host: 2, window: Duration::from_secs(60), requests: 100, host_requests: 50 };

fn request(mode: &str, topic: &str, callback: &str, secret: &str) -> Request {
    let fields = [("hub.mode", mode), ("hub.topic", topic), ("hub.callback", callback), ("hub.secret", secret)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Request::parse(&fields, &Guard::default()).unwrap()
}

fn seen(version: i64, hash: &str) -> Topic {
    Topic { url: TOPIC.into(), hash: hash.into(), version }
}

async fn ask(w: &World, callback: &str) -> Asked {
    w.store.ask_hub(&request("subscribe", TOPIC, callback, ""), &LIMITS, now()).await.unwrap()
}

async fn lease(w: &World) -> Vec<Errand> {
    w.store.lease_errands(w.node(), LONG, 100, now()).await.unwrap()
}

async fn settle(w: &World, errand: &Errand, settled: Settled) -> Result<(), LeaseLost> {
    w.store.settle_errand(errand, &settled, now()).await.unwrap()
}

/// Subscribes and confirms.
async fn subscribe(w: &World, callback: &str) {
    assert_eq!(ask(w, callback).await, Asked::Accepted);
    let [errand] = lease(w).await.try_into().unwrap();
    settle(w, &errand, Settled::Done(Some(seen(1, "one")))).await.unwrap();
}

async fn distribute(w: &World, version: i64, hash: &str) -> bool {
    w.store.distribute(&seen(version, hash), &[], now()).await.unwrap()
}

async fn a_topic_and_a_host_have_limits_and_who_is_subscribed_renews_beyond_them(w: World) {
    subscribe(&w, "https://one.example/1").await;
    assert_eq!(ask(&w, "https://one.example/2").await, Asked::Accepted, "not verified yet, and counted");
    assert_eq!(ask(&w, "https://one.example/3").await, Asked::Full, "the host has two");
    assert_eq!(ask(&w, "https://two.example/1").await, Asked::Accepted);
    assert_eq!(ask(&w, "https://three.example/1").await, Asked::Full, "the topic has three");
    assert_eq!(ask(&w, "https://one.example/1").await, Asked::Accepted);
}

async fn requests_are_counted_in_windows_for_everybody_and_for_each_host(w: World) {
    let limits = HubLimits { topic: 100, host: 100, requests: 3, host_requests: 2, ..LIMITS };
    let start = now();
    let ask = async |host: &str, seconds: i64| {
        let request = request("subscribe", TOPIC, &format!("https://{host}.example/"), "");
        w.store.ask_hub(&request, &limits, start + chrono::Duration::seconds(seconds)).await.unwrap()
    };
    for (host, asked) in [("a", Asked::Accepted), ("a", Asked::Accepted), ("a", Asked::Busy), ("b", Asked::Busy)] {
        // Within one window, wherever it began.
        let second = -(start.timestamp() % 60);
        assert_eq!(ask(host, second).await, asked, "{host}");
    }
    assert_eq!(ask("b", 60).await, Asked::Accepted);
    w.store.expire_hub(start + chrono::Duration::seconds(3_600), start).await.unwrap();
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_quota").await, 0);
}

async fn an_errand_has_one_owner_and_is_taken_over_when_its_lease_ends(w: World) {
    assert_eq!(ask(&w, "https://one.example/1").await, Asked::Accepted);
    let short = w.store.lease_errands(w.node(), Duration::from_millis(200), 100, now()).await.unwrap();
    assert_eq!((short.len(), short[0].attempt), (1, 1));
    assert!(lease(&w).await.is_empty());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let [taken] = lease(&w).await.try_into().unwrap();
    assert_eq!(taken.attempt, 2);
    assert_eq!(settle(&w, &short[0], Settled::Done(Some(seen(1, "one")))).await, Err(LeaseLost));
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_subscription").await, 0);
    settle(&w, &taken, Settled::Done(Some(seen(1, "one")))).await.unwrap();
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_subscription").await, 1);
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_errand").await, 0);
}

async fn what_becomes_due_during_a_push_is_pushed_after_it(w: World) {
    subscribe(&w, "https://one.example/1").await;
    assert!(distribute(&w, 2, "two").await);
    let [push] = lease(&w).await.try_into().unwrap();
    assert!(distribute(&w, 3, "three").await);
    assert!(lease(&w).await.is_empty(), "never two pushes to one reader at once");
    settle(&w, &push, Settled::Done(None)).await.unwrap();
    let [again] = lease(&w).await.try_into().unwrap();
    assert_eq!((again.kind, again.attempt), (Kind::Push, 1));
    settle(&w, &again, Settled::Done(None)).await.unwrap();
    assert!(lease(&w).await.is_empty());
}

async fn a_verification_of_what_is_not_asked_any_more_decides_nothing(w: World) {
    let callback = "https://one.example/1";
    let ask = async |mode: &str, secret: &str| {
        w.store.ask_hub(&request(mode, TOPIC, callback, secret), &LIMITS, now()).await.unwrap()
    };
    assert_eq!(ask("subscribe", "old").await, Asked::Accepted);
    let [old] = lease(&w).await.try_into().unwrap();
    assert_eq!(old.secret, Some(Secret::new("old")));
    assert_eq!(ask("subscribe", "new").await, Asked::Accepted);
    settle(&w, &old, Settled::Done(Some(seen(1, "one")))).await.unwrap();
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_subscription").await, 0);
    let [new] = lease(&w).await.try_into().unwrap();
    assert_eq!(new.secret, Some(Secret::new("new")));
    assert_eq!(ask("unsubscribe", "").await, Asked::Accepted, "it is asked for, if not yet there");
    settle(&w, &new, Settled::Done(Some(seen(1, "one")))).await.unwrap();
    let [leave] = lease(&w).await.try_into().unwrap();
    settle(&w, &leave, Settled::Done(None)).await.unwrap();
    assert_eq!(w.count("SELECT COUNT(*) FROM hub_subscription").await, 0);
    assert_eq!(ask("unsubscribe", "").await, Asked::NotSubscribed);
}

async fn an_older_reading_of_a_feed_is_not_distributed(w: World) {
    subscribe(&w, "https://one.example/1").await;
    assert!(distribute(&w, 5, "five").await);
    assert!(!distribute(&w, 5, "five as another node has it").await);
    assert!(!distribute(&w, 4, "four").await, "it was read before");
    assert!(!distribute(&w, 6, "five").await, "nothing that readers see has changed");
    assert!(!distribute(&w, 6, "six, and it was compared already").await);
    assert!(distribute(&w, 7, "seven").await);
    assert_eq!(w.store.topics_behind(7).await.unwrap(), []);
    assert_eq!(w.store.topics_behind(8).await.unwrap(), [seen(7, "seven")]);
}

async fn at_one_host_few_errands_are_under_way_at_once(w: World) {
    let limits = HubLimits { topic: 100, host: 100, ..LIMITS };
    for number in 0..10 {
        for host in ["slow", "quick"] {
            let request = request("subscribe", TOPIC, &format!("https://{host}.example/{number}"), "");
            assert_eq!(w.store.ask_hub(&request, &limits, now()).await.unwrap(), Asked::Accepted);
        }
    }
    let first = lease(&w).await;
    assert_eq!(first.len(), 8, "four of each");
    assert!(lease(&w).await.is_empty());
    let quick: Vec<_> = first.iter().filter(|errand| errand.target.contains("quick")).collect();
    for errand in &quick {
        settle(&w, errand, Settled::Over).await.unwrap();
    }
    let next = lease(&w).await;
    assert_eq!(next.len(), 4);
    assert!(next.iter().all(|errand| errand.target.contains("quick")), "a slow host does not hold up the others");
}
