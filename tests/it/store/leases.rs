//! Leases: one owner at a time, taken over when it dies, and nothing is written under a lost one.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings::store::{Closed, Event, Lane, LeaseLost};

use crate::store::world::{LONG, World, entry, handed, now, reply};

on_both! {
    a_batch_has_one_owner_at_a_time
    nodes_that_lease_at_once_get_different_batches
    an_expired_lease_is_taken_over_and_the_old_owner_writes_nothing
    a_node_that_leases_a_batch_again_has_lost_its_first_lease
    a_renewed_lease_does_not_expire
    a_lease_that_was_given_back_is_free_at_once
    a_lease_of_a_paused_mailing_is_not_renewed
    a_batch_that_waits_is_leased_when_it_is_due
    a_batch_that_is_closed_too_early_is_free_at_once
    mailings_take_turns
}

async fn a_batch_has_one_owner_at_a_time(w: World) {
    w.add("ada@example.org").await;
    w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    assert_eq!(lease.epoch, 1);
    assert!(w.lease().await.is_none());
}

async fn nodes_that_lease_at_once_get_different_batches(w: World) {
    w.add_many(60).await;
    w.open(&w.weekly).await;
    let batches = usize::try_from(w.count("SELECT COUNT(*) FROM batch").await).unwrap();
    let nodes: Vec<_> = (0..batches + 5)
        .map(|_| {
            let (store, node) = (w.store.clone(), w.node());
            tokio::spawn(async move { store.lease(node, Lane::Digests, &[], LONG, now()).await.unwrap() })
        })
        .collect();
    let mut leased = BTreeSet::new();
    for node in nodes {
        if let Some(lease) = node.await.unwrap() {
            assert!(leased.insert((lease.bucket, lease.batch)), "leased twice");
        }
    }
    // A node that lost every race it entered may find nothing; whoever looks again finds the rest.
    while let Some(lease) = w.lease().await {
        assert!(leased.insert((lease.bucket, lease.batch)), "leased twice");
    }
    assert_eq!(leased.len(), batches);
}

async fn an_expired_lease_is_taken_over_and_the_old_owner_writes_nothing(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    let span = Duration::from_millis(200);
    let old = w.store.lease(w.node(), Lane::Digests, &[], span, now()).await.unwrap().unwrap();
    let next = w.store.untried(&old, None, 1).await.unwrap().remove(0);
    w.store.append(&old, span, &[handed(&next)], now()).await.unwrap().unwrap();
    assert!(w.lease().await.is_none(), "not expired yet");
    tokio::time::sleep(span * 2).await;
    let new = w.lease().await.unwrap();
    assert_eq!((new.batch, new.epoch), (old.batch, old.epoch + 1));

    let accepted = entry(next.subscriber, 1, Event::Accepted(reply(250)));
    assert_eq!(w.store.append(&old, span, &[accepted], now()).await.unwrap(), Err(LeaseLost));
    assert_eq!(w.store.renew(&old, LONG).await.unwrap(), Err(LeaseLost));
    assert_eq!(w.store.close_batch(&old).await.unwrap(), Err(LeaseLost));
    w.store.give_back(&old).await.unwrap();
    assert!(w.lease().await.is_none(), "the new owner keeps it");
    let books = w.books(mailing).await;
    assert_eq!((books.accepted, books.open), (0, 1), "nothing was written");
    assert_eq!(w.store.in_doubt(&new).await.unwrap().len(), 1);
}

async fn a_node_that_leases_a_batch_again_has_lost_its_first_lease(w: World) {
    w.add("ada@example.org").await;
    w.open(&w.weekly).await;
    let node = w.node();
    let first = w.store.lease(node, Lane::Digests, &[], LONG, now()).await.unwrap().unwrap();
    w.expire_leases().await;
    let second = w.store.lease(node, Lane::Digests, &[], LONG, now()).await.unwrap().unwrap();
    assert_eq!((second.owner, second.epoch), (first.owner, first.epoch + 1));
    assert_eq!(w.store.append(&first, LONG, &[], now()).await.unwrap(), Err(LeaseLost));
    assert!(w.store.append(&second, LONG, &[], now()).await.unwrap().is_ok());
}

async fn a_renewed_lease_does_not_expire(w: World) {
    w.add("ada@example.org").await;
    w.open(&w.weekly).await;
    let span = Duration::from_millis(100);
    let lease = w.store.lease(w.node(), Lane::Digests, &[], span, now()).await.unwrap().unwrap();
    assert_eq!(w.store.renew(&lease, LONG).await.unwrap(), Ok(()));
    tokio::time::sleep(span * 2).await;
    assert!(w.lease().await.is_none());
    // A group renews too, also an empty one.
    w.store.append(&lease, span, &[], now()).await.unwrap().unwrap();
    tokio::time::sleep(span * 2).await;
    assert!(w.lease().await.is_some());
}

async fn a_lease_that_was_given_back_is_free_at_once(w: World) {
    w.add("ada@example.org").await;
    w.open(&w.weekly).await;
    let old = w.lease().await.unwrap();
    w.store.give_back(&old).await.unwrap();
    assert_eq!(w.store.append(&old, LONG, &[], now()).await.unwrap(), Err(LeaseLost), "and is not held any more");
    let new = w.lease().await.unwrap();
    assert_eq!(new.epoch, 2);
    assert!(w.store.in_doubt(&new).await.unwrap().is_empty(), "nothing was handed");
}

async fn a_lease_of_a_paused_mailing_is_not_renewed(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    w.store.pause(mailing, "wait").await.unwrap();
    assert_eq!(w.store.renew(&lease, LONG).await.unwrap(), Err(LeaseLost));
    w.store.resume(mailing).await.unwrap();
    assert_eq!(w.store.renew(&lease, LONG).await.unwrap(), Ok(()));
}

async fn a_batch_that_waits_is_leased_when_it_is_due(w: World) {
    w.add("ada@example.org").await;
    w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let next = w.store.untried(&lease, None, 1).await.unwrap().remove(0);
    w.append(&lease, &[handed(&next)]).await;
    let retry_at = now() + chrono::Duration::hours(1);
    w.append(&lease, &[entry(next.subscriber, 1, Event::Deferred { retry_at, reply: reply(451) })]).await;
    assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Waits(retry_at)));
    assert!(w.lease().await.is_none());
    let due = w.store.lease(w.node(), Lane::Digests, &[], LONG, retry_at).await.unwrap();
    assert_eq!(due.unwrap().epoch, 2);
}

async fn a_batch_that_is_closed_too_early_is_free_at_once(w: World) {
    let (ada, _) = (w.add("ada@example.org").await, w.add_many(20).await);
    w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let before = now() - chrono::Duration::minutes(1);
    let Ok(Closed::Waits(at)) = w.store.close_batch(&lease).await.unwrap() else { panic!("nobody was tried") };
    assert!(at > before && at < now() + chrono::Duration::minutes(1), "at once, by the database's clock: {at}");
    assert!(w.store.lease(w.node(), Lane::Digests, &[], LONG, before).await.unwrap().is_some());
    assert_eq!(w.subscription(ada, &w.weekly).await.unwrap().request, 1);
}

async fn mailings_take_turns(w: World) {
    w.add_many(40).await;
    let first = w.open(&w.weekly).await;
    let mut second = w.draft(&w.weekly).await;
    second.now += chrono::Duration::hours(1);
    assert!(w.store.open_mailing(&second).await.unwrap());
    for _ in 0..4 {
        for mailing in [first, second.mailing] {
            assert_eq!(w.lease().await.unwrap().mailing, mailing);
            // Turns are counted in milliseconds.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}
