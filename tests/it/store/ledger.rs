//! The ledger: handing, outcomes, doubt, and what a group refuses.

use chrono::Duration;
use tidings::delivery::books::Books;
use tidings::store::{Appended, Closed, Event, Lane, Lease, LeaseLost, Pending};
use tidings::subscription::SuppressionReason;
use tidings::types::{EmailAddress, MailingId, SubscriberId};

use crate::store::world::{LONG, World, entry, handed, now, reply};

on_both! {
    a_delivery_is_handed_and_then_accepted
    a_repeat_after_a_lost_answer_changes_nothing
    nobody_is_handed_twice_without_doubt
    what_was_handed_by_a_dead_node_is_in_doubt_and_listed
    a_delivery_in_doubt_is_sent_again
    a_delivery_in_doubt_is_held
    a_deferral_is_due_again_later_and_remembers_the_first_attempt
    a_refusal_for_good_suppresses_in_the_same_step
    a_paused_mailing_takes_outcomes_and_hands_nothing
    who_is_not_eligible_any_more_is_skipped_with_the_reason
    a_confirmation_that_lost_its_meaning_is_skipped
    a_group_of_many_is_one_transaction
    an_entry_of_another_batch_is_refused
    the_readers_go_by_key
    a_reply_of_any_text_is_kept
}

/// One person, one mailing, one lease, and the first thing to do in it.
async fn one(w: &World) -> (MailingId, Lease, Pending) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let next = w.store.untried(&lease, None, 10).await.unwrap().remove(0);
    (mailing, lease, next)
}

/// The same batch for another node, as after a crash of its owner.
async fn taken_over(w: &World) -> Lease {
    w.expire_leases().await;
    w.lease().await.unwrap()
}

async fn a_delivery_is_handed_and_then_accepted(w: World) {
    let (mailing, lease, next) = one(&w).await;
    assert_eq!((next.attempt, next.first_at, next.request), (1, None, 0));
    assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::Written]);
    assert_eq!(w.books(mailing).await, Books { audience: 1, open: 1, ..Books::default() });
    assert_eq!(w.store.doubts(mailing, 10).await.unwrap(), [(next.subscriber, 1)], "in flight");
    assert!(w.store.untried(&lease, None, 10).await.unwrap().is_empty());
    let accepted = entry(next.subscriber, 1, Event::Accepted(reply(250)));
    assert_eq!(w.append(&lease, &[accepted]).await, [Appended::Written]);
    assert_eq!(w.books(mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
    assert!(w.store.doubts(mailing, 10).await.unwrap().is_empty());
    assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Done));
    assert_eq!(w.store.append(&lease, LONG, &[], now()).await.unwrap(), Err(LeaseLost), "a batch that is done");
}

async fn a_repeat_after_a_lost_answer_changes_nothing(w: World) {
    let (mailing, lease, next) = one(&w).await;
    w.append(&lease, &[handed(&next)]).await;
    assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::Present], "go on");
    let retry_at = now() + Duration::hours(1);
    let deferred = entry(next.subscriber, 1, Event::Deferred { retry_at, reply: reply(451) });
    assert_eq!(w.append(&lease, std::slice::from_ref(&deferred)).await, [Appended::Written]);
    assert_eq!(w.append(&lease, &[deferred]).await, [Appended::Present]);
    assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::Stale], "that attempt is over");
    let accepted = entry(next.subscriber, 1, Event::Accepted(reply(250)));
    assert_eq!(w.append(&lease, &[accepted]).await, [Appended::Stale], "it had another outcome");
    assert_eq!(w.books(mailing).await, Books { audience: 1, deferred: 1, ..Books::default() });
}

async fn nobody_is_handed_twice_without_doubt(w: World) {
    let (mailing, lease, next) = one(&w).await;
    w.append(&lease, &[handed(&next)]).await;
    w.append(&lease, &[entry(next.subscriber, 1, Event::Accepted(reply(250)))]).await;
    for attempt in [1, 2, 9] {
        let again = entry(next.subscriber, attempt, Event::Handed);
        assert_eq!(w.append(&lease, &[again]).await, [Appended::Stale]);
        let again = entry(next.subscriber, attempt + 1, Event::Accepted(reply(250)));
        assert_eq!(w.append(&lease, &[again]).await, [Appended::Stale]);
    }
    assert_eq!(w.books(mailing).await.accepted, 1);
}

async fn what_was_handed_by_a_dead_node_is_in_doubt_and_listed(w: World) {
    let people = w.add_many(40).await;
    let mailing = w.open(&w.weekly).await;
    let mut expected = Vec::new();
    while let Some(lease) = w.lease().await {
        for (i, next) in w.store.untried(&lease, None, 100).await.unwrap().iter().enumerate() {
            w.append(&lease, &[handed(next)]).await;
            if i % 2 == 0 {
                w.append(&lease, &[entry(next.subscriber, 1, Event::Accepted(reply(250)))]).await;
            } else {
                expected.push((lease.bucket, next.subscriber));
            }
        }
        assert!(w.store.in_doubt(&lease).await.unwrap().is_empty(), "its own are in flight, not in doubt");
    }
    expected.sort_unstable();
    let listed = w.store.doubts(mailing, 100).await.unwrap();
    assert_eq!(listed, expected.iter().map(|(_, id)| (*id, 1)).collect::<Vec<_>>());
    assert_eq!(w.store.doubts(mailing, 2).await.unwrap(), listed[..2]);
    w.expire_leases().await;
    let mut found = Vec::new();
    while let Some(lease) = w.lease().await {
        found.extend(w.store.in_doubt(&lease).await.unwrap().into_iter().map(|p| (lease.bucket, p.subscriber)));
    }
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(w.books(mailing).await.audience, i64::try_from(people.len()).unwrap());
}

async fn a_delivery_in_doubt_is_sent_again(w: World) {
    let (mailing, lease, next) = one(&w).await;
    let first_at = now() - Duration::hours(1);
    w.store.append(&lease, LONG, &[handed(&next)], first_at).await.unwrap().unwrap();
    let lease = taken_over(&w).await;
    let doubt = w.store.in_doubt(&lease).await.unwrap().remove(0);
    assert_eq!((doubt.attempt, doubt.first_at, doubt.address.as_str()), (1, Some(first_at), "ada@example.org"));
    assert_eq!(w.append(&lease, &[handed(&doubt)]).await, [Appended::Stale], "that attempt is another lease's");
    let again = entry(doubt.subscriber, 3, Event::Handed);
    assert_eq!(w.append(&lease, &[again]).await, [Appended::Written]);
    let between = entry(doubt.subscriber, 2, Event::Handed);
    assert_eq!(w.append(&lease, &[between]).await, [Appended::Stale], "a later attempt was made");
    assert!(w.store.in_doubt(&lease).await.unwrap().is_empty(), "sent again since");
    w.append(&lease, &[entry(doubt.subscriber, 3, Event::Accepted(reply(250)))]).await;
    assert_eq!(w.books(mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
    assert_eq!(w.store.doubts(mailing, 10).await.unwrap(), [(doubt.subscriber, 1)], "may have come twice");
    assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Done));
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 1);
}

async fn a_delivery_in_doubt_is_held(w: World) {
    let (mailing, lease, next) = one(&w).await;
    w.append(&lease, &[handed(&next)]).await;
    let lease = taken_over(&w).await;
    assert_eq!(w.append(&lease, &[entry(next.subscriber, 1, Event::Held)]).await, [Appended::Written]);
    assert!(w.store.in_doubt(&lease).await.unwrap().is_empty());
    assert_eq!(w.books(mailing).await, Books { audience: 1, held: 1, ..Books::default() });
    assert_eq!(w.store.doubts(mailing, 10).await.unwrap(), [(next.subscriber, 1)], "still listed");
    assert_eq!(w.append(&lease, &[entry(next.subscriber, 2, Event::Handed)]).await, [Appended::Stale], "kept");
    assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Done));
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 1);
}

async fn a_deferral_is_due_again_later_and_remembers_the_first_attempt(w: World) {
    let (mailing, mut lease, next) = one(&w).await;
    let (start, hour) = (now(), Duration::hours(1));
    w.store.append(&lease, LONG, &[handed(&next)], start).await.unwrap().unwrap();
    for attempt in 1..4_u32 {
        let at = start + hour * i32::try_from(attempt).unwrap();
        let deferred = entry(next.subscriber, attempt, Event::Deferred { retry_at: at, reply: reply(451) });
        assert_eq!(w.append(&lease, &[deferred]).await, [Appended::Written]);
        assert_eq!(w.books(mailing).await, Books { audience: 1, deferred: 1, ..Books::default() });
        assert!(w.store.due_again(&lease, None, 10, at - Duration::seconds(1)).await.unwrap().is_empty());
        assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Waits(at)));
        lease = w.store.lease(w.node(), Lane::Digests, &[], LONG, at).await.unwrap().unwrap();
        assert!(w.store.untried(&lease, None, 10).await.unwrap().is_empty());
        assert!(w.store.in_doubt(&lease).await.unwrap().is_empty());
        let due = w.store.due_again(&lease, None, 10, at).await.unwrap().remove(0);
        assert_eq!((due.attempt, due.first_at, due.address.as_str()), (attempt + 1, Some(start), "ada@example.org"));
        assert!(w.store.due_again(&lease, Some(due.subscriber), 10, at).await.unwrap().is_empty());
        assert_eq!(w.append(&lease, &[handed(&due)]).await, [Appended::Written]);
        assert!(w.store.due_again(&lease, None, 10, at).await.unwrap().is_empty(), "handed, so no longer waiting");
        assert_eq!(w.books(mailing).await, Books { audience: 1, open: 1, ..Books::default() });
    }
    w.append(&lease, &[entry(next.subscriber, 4, Event::Accepted(reply(250)))]).await;
    assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Done));
    assert!(w.store.doubts(mailing, 10).await.unwrap().is_empty());
    assert_eq!(w.store.finish_mailings(now()).await.unwrap()[0].books.accepted, 1);
}

async fn a_refusal_for_good_suppresses_in_the_same_step(w: World) {
    let (mailing, lease, next) = one(&w).await;
    w.append(&lease, &[handed(&next)]).await;
    let refused = entry(next.subscriber, 1, Event::Refused { suppress: true, reply: reply(550) });
    assert_eq!(w.append(&lease, &[refused]).await, [Appended::Written]);
    assert_eq!(w.books(mailing).await, Books { audience: 1, refused: 1, ..Books::default() });
    assert_eq!(w.store.list(None, None, 10).await.unwrap()[0].suppressed.as_deref(), Some("bounce"));
    w.store.close_batch(&lease).await.unwrap().unwrap();

    let mailing = w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let next = w.store.untried(&lease, None, 10).await.unwrap().remove(0);
    assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::NotEligible]);
    assert_eq!(w.books(mailing).await, Books { audience: 1, skipped: 1, ..Books::default() });
}

async fn a_paused_mailing_takes_outcomes_and_hands_nothing(w: World) {
    w.add_many(2).await;
    w.sql("UPDATE membership SET bucket = 0").await;
    w.sql("UPDATE subscription SET bucket = 0").await;
    w.sql("UPDATE subscriber SET bucket = 0").await;
    let mailing = w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let people = w.store.untried(&lease, None, 10).await.unwrap();
    w.append(&lease, &[handed(&people[0])]).await;
    w.store.pause(mailing, "554 5.7.1 go away").await.unwrap();
    let accepted = entry(people[0].subscriber, 1, Event::Accepted(reply(250)));
    assert_eq!(w.append(&lease, &[accepted, handed(&people[1])]).await, [Appended::Written, Appended::Paused]);
    assert_eq!(w.books(mailing).await, Books { audience: 2, accepted: 1, ..Books::default() }, "nobody was skipped");
    w.store.give_back(&lease).await.unwrap();
    w.store.resume(mailing).await.unwrap();
    w.work_off_all().await;
    assert_eq!(w.store.finish_mailings(now()).await.unwrap()[0].books.accepted, 2);
}

async fn who_is_not_eligible_any_more_is_skipped_with_the_reason(w: World) {
    let [gone, bounced, erased] =
        [w.add("a@example.org").await, w.add("b@example.org").await, w.add("c@example.org").await];
    let mailing = w.open(&w.weekly).await;
    w.unsubscribe(gone).await;
    let address = |text: &str| EmailAddress::parse(text).unwrap();
    w.store.suppress(&address("b@example.org"), SuppressionReason::Complaint, now()).await.unwrap();
    w.store.remove(&address("c@example.org"), now()).await.unwrap();
    while let Some(lease) = w.lease().await {
        for next in w.store.untried(&lease, None, 10).await.unwrap() {
            assert_eq!(next.address.is_empty(), next.subscriber == erased.id);
            assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::NotEligible]);
            assert_eq!(w.append(&lease, &[handed(&next)]).await, [Appended::NotEligible], "a repeat");
        }
        assert_eq!(w.store.close_batch(&lease).await.unwrap(), Ok(Closed::Done));
    }
    for (person, reason) in
        [(gone, "the subscription is unsubscribed"), (bounced, "suppressed: complaint"), (erased, "removed")]
    {
        let sql = format!(
            "SELECT COUNT(*) FROM delivery WHERE event = 'skipped' AND step = 1 AND subscriber_id = '{}' AND reply = '{reason}'",
            person.id
        );
        assert_eq!(w.count(&sql).await, 1, "{reason}");
    }
    assert_eq!(w.books(mailing).await, Books { audience: 3, skipped: 3, ..Books::default() });
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 1);
}

async fn a_confirmation_that_lost_its_meaning_is_skipped(w: World) {
    let start = now();
    w.request(&w.weekly, "ada@example.org", start).await;
    w.request(&w.weekly, "ada@example.org", start + Duration::hours(1)).await;
    let mut answers = Vec::new();
    while let Some(lease) = w.lease().await {
        let next = w.store.untried(&lease, None, 10).await.unwrap().remove(0);
        answers.push((next.request, w.append(&lease, &[handed(&next)]).await.remove(0)));
        if answers.last().unwrap().1 == Appended::Written {
            w.append(&lease, &[entry(next.subscriber, 1, Event::Accepted(reply(250)))]).await;
        }
        w.store.close_batch(&lease).await.unwrap().unwrap();
    }
    answers.sort_unstable_by_key(|a| a.0);
    assert_eq!(answers, [(1, Appended::NotEligible), (2, Appended::Written)], "only the last request's link works");
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 2);
}

async fn a_group_of_many_is_one_transaction(w: World) {
    w.add_many(30).await;
    for table in ["membership", "subscription", "subscriber"] {
        w.sql(&format!("UPDATE {table} SET bucket = 0")).await;
    }
    let mailing = w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let people = w.store.untried(&lease, None, 100).await.unwrap();
    assert_eq!(people.len(), 30);
    let first: Vec<_> = people[..20].iter().map(handed).collect();
    assert!(w.append(&lease, &first).await.iter().all(|a| *a == Appended::Written));
    // A round: outcomes of every kind, and the next ones handed, in any order.
    let retry_at = now() + Duration::hours(1);
    let mut round: Vec<_> = people[20..].iter().map(handed).collect();
    for (i, person) in people[..20].iter().enumerate() {
        let event = match i % 4 {
            0 => Event::Accepted(reply(250)),
            1 => Event::Deferred { retry_at, reply: reply(451) },
            2 => Event::Refused { suppress: i == 2, reply: reply(550) },
            _ => Event::Held,
        };
        round.insert(i, entry(person.subscriber, 1, event));
    }
    assert!(w.append(&lease, &round).await.iter().all(|a| *a == Appended::Written));
    let expected = Books { audience: 30, accepted: 5, refused: 5, held: 5, deferred: 5, open: 10, skipped: 0 };
    assert_eq!(w.books(mailing).await, expected);
    assert_eq!(w.count("SELECT COUNT(*) FROM suppression").await, 1);
    assert!(w.append(&lease, &round).await.iter().all(|a| *a == Appended::Present), "the whole group again");
    assert_eq!(w.books(mailing).await, expected);
    // A group under a lost lease writes nothing of it.
    let retries = w.store.due_again(&lease, None, 100, retry_at).await.unwrap();
    assert_eq!(retries.len(), 5);
    let stranger = Lease { owner: w.node(), ..lease.clone() };
    let group: Vec<_> = retries.iter().map(handed).collect();
    assert_eq!(w.store.append(&stranger, LONG, &group, now()).await.unwrap(), Err(LeaseLost));
    assert_eq!(w.books(mailing).await, expected);
}

async fn an_entry_of_another_batch_is_refused(w: World) {
    w.request(&w.weekly, "ada@example.org", now()).await;
    let lease = w.lease().await.unwrap();
    let next = w.store.untried(&lease, None, 1).await.unwrap().remove(0);
    let stranger = SubscriberId::from_bytes([1; 10]);
    let error = w.store.append(&lease, LONG, &[entry(stranger, 1, Event::Handed)], now()).await.unwrap_err();
    assert!(error.to_string().contains("is not in batch 0"), "{error}");
    let error = w.store.append(&lease, LONG, &[handed(&next), handed(&next)], now()).await.unwrap_err();
    assert!(error.to_string().contains("twice in one group"), "{error}");
}

async fn the_readers_go_by_key(w: World) {
    w.add_many(12).await;
    for table in ["membership", "subscription", "subscriber"] {
        w.sql(&format!("UPDATE {table} SET bucket = 0")).await;
    }
    w.open(&w.weekly).await;
    let lease = w.lease().await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    while let Some(last) = {
        let page = w.store.untried(&lease, after, 5).await.unwrap();
        assert!(page.len() <= 5);
        seen.extend(page.iter().map(|p| p.subscriber));
        page.last().map(|p| p.subscriber)
    } {
        after = Some(last);
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.is_sorted());
}

async fn a_reply_of_any_text_is_kept(w: World) {
    let (_, lease, next) = one(&w).await;
    w.append(&lease, &[handed(&next)]).await;
    let mut said = reply(250);
    said.text = "2.0.0 'OK'; -- ünïcode $1 {clock} \"".into();
    w.append(&lease, &[entry(next.subscriber, 1, Event::Accepted(said))]).await;
    let sql = "SELECT COUNT(*) FROM delivery WHERE code = 250 AND reply = '2.0.0 ''OK''; -- ünïcode $1 {clock} \"'";
    assert_eq!(w.count(sql).await, 1);
}
