//! Cadences, opening a mailing, its books, and how it ends.

use std::collections::BTreeSet;

use chrono::Duration;
use tidings::delivery::books::Books;
use tidings::store::{CadenceState, Closed, Event, Lane, MailingState};
use tidings::types::{IssueId, MailingId};

use crate::store::world::{LONG, World, entry, letter, local, now, reply};

on_both! {
    a_cadence_begins_once
    an_occurrence_is_dealt_with_once
    nodes_that_open_one_occurrence_at_once_open_one_mailing
    an_issue_is_mailed_once_to_a_cadence
    an_occurrence_of_another_cadence_is_another_mailing
    a_mailing_to_nobody_finishes_at_once
    a_mailing_finishes_when_everyone_is_settled
    books_that_do_not_balance_pause_the_mailing
    a_paused_mailing_is_not_leased_until_it_is_resumed
    a_pause_of_all_leaves_confirmations_and_other_newsletters
    a_large_bucket_is_split_into_ranges_without_gap
    a_confirmation_goes_to_one_person_in_a_lane_of_its_own
    old_confirmations_are_forgotten_and_nothing_else
    the_letter_is_frozen
}

async fn a_cadence_begins_once(w: World) {
    let (start, last) = (now(), local("2026-01-05T09:00:00"));
    let first = w.store.cadence_state(&w.newsletter, &w.weekly, start, last).await.unwrap();
    assert_eq!(first, CadenceState { since: start, last });
    let later =
        w.store.cadence_state(&w.newsletter, &w.weekly, start + Duration::days(1), local("2026-02-05T09:00:00")).await;
    assert_eq!(later.unwrap(), first);
}

async fn an_occurrence_is_dealt_with_once(w: World) {
    let (one, two) = (local("2026-01-05T09:00:00"), local("2026-01-12T09:00:00"));
    w.store.cadence_state(&w.newsletter, &w.weekly, now(), one).await.unwrap();
    assert!(w.store.pass(&w.newsletter, &w.weekly, one, two).await.unwrap());
    assert!(!w.store.pass(&w.newsletter, &w.weekly, one, two).await.unwrap(), "another node was faster");
    let mut late = w.draft(&w.weekly).await;
    (late.last, late.occurrence) = (one, two);
    assert!(!w.store.open_mailing(&late).await.unwrap(), "passed already");
    assert!(w.store.mailings(10, true).await.unwrap().is_empty());
}

async fn nodes_that_open_one_occurrence_at_once_open_one_mailing(w: World) {
    w.add_many(5).await;
    let draft = w.draft(&w.weekly).await;
    let mut nodes = Vec::new();
    for _ in 0..6 {
        let (store, mut draft) = (w.another().await, draft.clone());
        draft.mailing = MailingId::from_bytes(w.chance.bytes().unwrap());
        nodes.push(tokio::spawn(async move { store.open_mailing(&draft).await.unwrap() }));
    }
    let mut opened = 0;
    for node in nodes {
        opened += i32::from(node.await.unwrap());
    }
    assert_eq!(opened, 1);
    let mailings = w.store.mailings(10, false).await.unwrap();
    assert_eq!((mailings.len(), mailings[0].occurrence), (1, Some(draft.occurrence)));
    assert_eq!(mailings[0].books, Books { audience: 5, ..Books::default() });
}

async fn an_issue_is_mailed_once_to_a_cadence(w: World) {
    let issue = |name: &str| (IssueId::parse(name).unwrap(), 1);
    let mut first = w.draft(&w.weekly).await;
    first.issues = vec![issue("one"), issue("two")];
    assert!(w.store.open_mailing(&first).await.unwrap());
    let mut second = w.draft(&w.weekly).await;
    second.issues = vec![issue("three"), issue("two")];
    assert!(!w.store.open_mailing(&second).await.unwrap());
    assert_eq!(w.store.mailings(10, true).await.unwrap().len(), 1, "nothing of it was written");
    let state = w.store.cadence_state(&w.newsletter, &w.weekly, now(), second.occurrence).await.unwrap();
    assert_eq!(state.last, first.occurrence, "nor was the occurrence dealt with");
    second.issues = vec![issue("three")];
    assert!(w.store.open_mailing(&second).await.unwrap());
}

async fn an_occurrence_of_another_cadence_is_another_mailing(w: World) {
    w.open(&w.weekly).await;
    w.open(&w.monthly).await;
    assert_eq!(w.store.mailings(10, false).await.unwrap().len(), 2);
    assert_eq!(w.store.mailings(1, false).await.unwrap().len(), 1);
}

async fn a_mailing_to_nobody_finishes_at_once(w: World) {
    assert!(w.store.finish_mailings(now()).await.unwrap().is_empty());
    let mailing = w.open(&w.weekly).await;
    assert!(w.lease().await.is_none());
    let finished = w.store.finish_mailings(now()).await.unwrap();
    assert_eq!((finished[0].mailing, finished[0].books), (mailing, Books::default()));
}

async fn a_mailing_finishes_when_everyone_is_settled(w: World) {
    w.add_many(30).await;
    let mailing = w.open(&w.weekly).await;
    let first = w.lease().await.unwrap();
    assert_eq!(w.work_off(&first).await, Closed::Done);
    assert!(w.store.finish_mailings(now()).await.unwrap().is_empty(), "other batches are left");
    w.work_off_all().await;
    let at = now();
    let finished = w.store.finish_mailings(at).await.unwrap();
    let books = Books { audience: 30, accepted: 30, ..Books::default() };
    assert_eq!((finished.len(), finished[0].books), (1, books));
    assert!(w.store.finish_mailings(now()).await.unwrap().is_empty(), "once");
    let view = w.store.mailing(mailing).await.unwrap().unwrap();
    assert_eq!((view.state, view.finished_at, view.books), (MailingState::Finished, Some(at), books));
    assert_eq!(finished[0].state, MailingState::Finished);
    assert!(!w.store.pause(mailing, "too late").await.unwrap());
}

async fn books_that_do_not_balance_pause_the_mailing(w: World) {
    w.add_many(3).await;
    let mailing = w.open(&w.weekly).await;
    w.work_off_all().await;
    w.sql("DELETE FROM delivery WHERE subscriber_id = (SELECT MIN(subscriber_id) FROM delivery)").await;
    assert!(w.store.finish_mailings(now()).await.unwrap().is_empty());
    let view = w.store.mailing(mailing).await.unwrap().unwrap();
    assert_eq!(view.state, MailingState::Paused);
    let reason = view.reason.unwrap();
    assert!(reason.contains("an audience of 3, but 2 accepted"), "{reason}");
}

async fn a_paused_mailing_is_not_leased_until_it_is_resumed(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    assert!(!w.store.resume(mailing).await.unwrap());
    assert!(w.store.pause(mailing, "554 5.7.1 go away").await.unwrap());
    assert!(!w.store.pause(mailing, "again").await.unwrap(), "the first reason stays");
    let view = w.store.mailing(mailing).await.unwrap().unwrap();
    assert_eq!((view.state, view.reason.as_deref()), (MailingState::Paused, Some("554 5.7.1 go away")));
    assert!(w.lease().await.is_none());
    assert!(w.store.finish_mailings(now()).await.unwrap().is_empty());
    assert!(w.store.resume(mailing).await.unwrap());
    assert_eq!(w.store.mailing(mailing).await.unwrap().unwrap().reason, None);
    assert!(w.lease().await.is_some());
}

async fn a_pause_of_all_leaves_confirmations_and_other_newsletters(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    w.request(&w.monthly, "new@example.org", now()).await;
    let pause = async |but: &[_]| w.store.pause_all(but, "535 5.7.8 wrong password").await.unwrap();
    assert!(pause(std::slice::from_ref(&w.newsletter)).await.is_empty());
    assert!(w.lease().await.is_some());
    assert_eq!(pause(&[]).await, [mailing], "the confirmation stays open");
    assert!(pause(&[]).await.is_empty(), "once");
    let reason = w.store.mailing(mailing).await.unwrap().unwrap().reason;
    assert_eq!(reason.as_deref(), Some("535 5.7.8 wrong password"));
}

async fn a_large_bucket_is_split_into_ranges_without_gap(w: World) {
    // 10,001 people in one bucket, written behind the store's back: ids spread evenly over all there are.
    let mut ids = Vec::new();
    for i in 0..10_001_u128 {
        let number = i * ((1 << 80) / 10_001);
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&number.to_be_bytes()[6..]);
        ids.push(tidings::types::SubscriberId::from_bytes(bytes).to_string());
    }
    for chunk in ids.chunks(1_000) {
        let rows = |row: &dyn Fn(&String) -> String| chunk.iter().map(row).collect::<Vec<_>>().join(",");
        let members = rows(&|id| format!("(3, 'news', 'weekly', '{id}', 0, {})", i64::MAX));
        w.sql(&format!("INSERT INTO membership VALUES {members}")).await;
        let people = rows(&|id| format!("(3, '{id}', '{id}@example.org', '{id}@example.org', 0)"));
        w.sql(&format!("INSERT INTO subscriber VALUES {people}")).await;
    }
    w.open(&w.weekly).await;
    let mut found = Vec::new();
    let mut batches = Vec::new();
    while let Some(lease) = w.lease().await {
        let mut after = None;
        let mut people = 0;
        loop {
            let page = w.store.untried(&lease, after, 1_000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.subscriber);
            people += page.len();
            found.extend(page.into_iter().map(|p| p.subscriber.to_string()));
        }
        batches.push((lease.batch, people));
    }
    batches.sort_unstable();
    assert_eq!(batches.iter().map(|b| b.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(batches.iter().all(|b| (3_300..3_400).contains(&b.1)), "{batches:?}");
    found.sort_unstable();
    assert_eq!(found, ids, "each one once");
}

async fn a_confirmation_goes_to_one_person_in_a_lane_of_its_own(w: World) {
    w.add_many(5).await;
    w.open(&w.weekly).await;
    w.request(&w.monthly, "ada@example.org", now()).await;
    let ada = w.person("ada@example.org").await.unwrap();
    let digest = w.store.lease(w.node(), Lane::Digests, &[], LONG, now()).await.unwrap().unwrap();
    let lease = w.store.lease(w.node(), Lane::Confirmations, &[], LONG, now()).await.unwrap().unwrap();
    assert_ne!(digest.mailing, lease.mailing);
    assert_eq!((lease.bucket, &lease.first, &lease.last), (ada.bucket, &ada.id.to_string(), &ada.id.to_string()));
    let next = w.store.untried(&lease, None, 10).await.unwrap();
    assert_eq!(
        next.iter().map(|p| (p.subscriber, p.request, p.attempt, p.address.as_str())).collect::<Vec<_>>(),
        [(ada.id, 1, 1, "ada@example.org")]
    );
    assert_eq!(w.work_off(&lease).await, Closed::Done);
    let finished = w.store.finish_mailings(now()).await.unwrap();
    let books = Books { audience: 1, accepted: 1, ..Books::default() };
    assert_eq!(finished.len(), 1);
    assert_eq!((finished[0].mailing, finished[0].books, finished[0].cadence.clone()), (lease.mailing, books, None));
    assert_eq!(w.store.mailings(10, false).await.unwrap().len(), 1, "not among the digests");
    assert_eq!(w.store.mailings(10, true).await.unwrap().len(), 2);
}

async fn old_confirmations_are_forgotten_and_nothing_else(w: World) {
    w.add_many(3).await;
    w.open(&w.weekly).await;
    let start = now();
    for i in 0..150 {
        w.request(&w.monthly, &format!("new{i}@example.org"), start).await;
    }
    // One stays open: it is deferred.
    let waiting = w.lease().await.unwrap();
    let next = w.store.untried(&waiting, None, 1).await.unwrap().remove(0);
    w.append(&waiting, &[crate::store::world::handed(&next)]).await;
    let retry_at = now() + Duration::hours(1);
    w.append(&waiting, &[entry(next.subscriber, 1, Event::Deferred { retry_at, reply: reply(451) })]).await;
    assert_eq!(w.store.close_batch(&waiting).await.unwrap(), Ok(Closed::Waits(retry_at)));
    w.work_off_all().await;
    let at = now();
    assert_eq!(w.store.finish_mailings(at).await.unwrap().len(), 150);
    assert_eq!(w.store.forget_confirmations(start, at).await.unwrap(), 0, "none is old enough");
    assert_eq!(w.store.forget_confirmations(start + Duration::seconds(1), at).await.unwrap(), 149);
    assert_eq!(w.store.forget_confirmations(start + Duration::seconds(1), at).await.unwrap(), 0);
    let left: BTreeSet<_> = w.store.mailings(500, true).await.unwrap().into_iter().map(|m| m.mailing).collect();
    assert_eq!(left.len(), 2);
    assert!(left.contains(&waiting.mailing));
    assert_eq!(w.count("SELECT COUNT(*) FROM delivery").await, 3 * 2 + 2, "of the digest, and of the one that waits");
}

async fn the_letter_is_frozen(w: World) {
    let mailing = w.open(&w.weekly).await;
    assert_eq!(w.store.letter(mailing).await.unwrap(), Some(letter("the news")));
    assert_eq!(w.store.letter(MailingId::from_bytes([1; 10])).await.unwrap(), None);
    assert!(w.store.mailing(MailingId::from_bytes([1; 10])).await.unwrap().is_none());
    assert_eq!(w.store.mailing(mailing).await.unwrap().unwrap().subject, "the news");
}
