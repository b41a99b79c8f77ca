//! Subscriptions, consent and suppression.

use chrono::Duration;
use tidings::store::Store;
use tidings::subscription::{Answer, Consent, ConsentSource, Request, State, SuppressionReason};
use tidings::types::{Bucket, EmailAddress, Fields, SubscriberId};

use crate::store::world::{World, letter, now};

on_both! {
    a_request_is_pending_until_it_is_confirmed
    two_requests_at_the_same_moment_are_one_person_and_one_mail
    the_form_cannot_flood_anyone
    only_the_last_request_can_be_confirmed
    a_request_number_is_never_given_twice_in_a_newsletter
    a_confirmed_cadence_replaces_another
    unsubscribing_ends_everything_of_the_newsletter_once
    an_import_never_brings_anyone_back
    an_operator_can_confirm_a_pending_request
    a_removed_person_leaves_no_address
    a_request_that_nobody_confirms_is_forgotten_with_the_address
    a_suppressed_address_is_neither_asked_nor_added
    a_list_comes_in_pages_that_never_cut_a_person
    a_bad_address_in_the_database_stops_nobody_else
    a_link_from_another_install_ends_nothing
    consent_is_written_down_word_for_word
    what_is_written_may_be_spawned
}

async fn a_request_is_pending_until_it_is_confirmed(w: World) {
    assert_eq!(w.request(&w.weekly, "Ada@Example.org", now()).await, Answer::Confirm);
    let person = w.person("Ada@example.org").await.unwrap();
    let pending = w.subscription(person, &w.weekly).await.unwrap();
    assert_eq!((pending.state, pending.request, pending.confirmed_at), (State::Pending, 1, None));
    assert!(w.store.audience_sizes(&w.newsletter).await.unwrap().is_empty());

    assert!(w.confirm(person, &w.weekly).await);
    assert!(!w.store.confirm(&pending, now()).await.unwrap(), "a second click changes nothing");
    let confirmed = w.subscription(person, &w.weekly).await.unwrap();
    assert_eq!(confirmed.state, State::Confirmed);
    assert_eq!(w.store.audience_sizes(&w.newsletter).await.unwrap(), [(w.weekly.clone(), 1)]);
    assert_eq!(w.request(&w.weekly, "ada@example.org", now() + Duration::days(9)).await, Answer::Nothing);
}

async fn two_requests_at_the_same_moment_are_one_person_and_one_mail(w: World) {
    let request = |store: Store| {
        let request = Request {
            newsletter: w.newsletter.clone(),
            cadence: w.weekly.clone(),
            address: EmailAddress::parse("ada@example.org").unwrap(),
            now: now(),
            consent: Consent { source: ConsentSource::Form, note: String::new() },
            fields: Fields::default(),
        };
        let chance = w.chance.clone();
        tokio::spawn(async move { store.subscribe(&request, &letter("please confirm"), &chance).await.unwrap() })
    };
    let other = w.another().await;
    let requests: Vec<_> = (0..8).map(|i| request(if i % 2 == 0 { w.store.clone() } else { other.clone() })).collect();
    let mut confirms = 0;
    for answer in requests {
        confirms += i32::from(answer.await.unwrap() == Answer::Confirm);
    }
    assert_eq!(confirms, 1);
    assert_eq!(w.count("SELECT COUNT(*) FROM subscriber").await, 1);
    assert_eq!(w.store.mailings(10, true).await.unwrap().len(), 1);
}

async fn the_form_cannot_flood_anyone(w: World) {
    let start = now();
    assert_eq!(w.request(&w.weekly, "ada@example.org", start).await, Answer::Confirm);
    for (cadence, minutes, answer) in [
        (&w.weekly, 1, Answer::Nothing),
        (&w.weekly, -1, Answer::Nothing), // from a node whose clock is behind, or one that waited its turn
        (&w.monthly, 2, Answer::Nothing),
        (&w.weekly, 14, Answer::Nothing),
        (&w.monthly, 16, Answer::Confirm),
        (&w.weekly, 17, Answer::Nothing),
        (&w.weekly, 32, Answer::Confirm),
    ] {
        let at = start + Duration::minutes(minutes);
        assert_eq!(w.request(cadence, "ada@example.org", at).await, answer, "{cadence} after {minutes} minutes");
    }
    assert_eq!(w.store.mailings(10, true).await.unwrap().len(), 3, "one mail for each Confirm");
}

async fn only_the_last_request_can_be_confirmed(w: World) {
    w.request(&w.weekly, "ada@example.org", now()).await;
    let person = w.person("ada@example.org").await.unwrap();
    let first = w.subscription(person, &w.weekly).await.unwrap();
    w.request(&w.weekly, "ada@example.org", now() + Duration::hours(1)).await;
    assert!(!w.store.confirm(&first, now()).await.unwrap(), "an old link");
    w.unsubscribe(person).await;
    let ended = w.subscription(person, &w.weekly).await.unwrap();
    assert!(!w.store.confirm(&ended, now()).await.unwrap(), "a link from before the end");
}

async fn a_request_number_is_never_given_twice_in_a_newsletter(w: World) {
    // A token does not name the cadence: two subscriptions with the same number would answer to one token.
    let start = now();
    for (hours, cadence) in [&w.weekly, &w.monthly, &w.weekly].into_iter().enumerate() {
        w.request(cadence, "ada@example.org", start + Duration::hours(i64::try_from(hours).unwrap())).await;
    }
    let person = w.person("ada@example.org").await.unwrap();
    let numbers: Vec<_> = w.all().await.into_iter().map(|s| (s.cadence.to_string(), s.request)).collect();
    assert_eq!(numbers, [("monthly".to_owned(), 2), ("weekly".to_owned(), 3)]);
    assert!(w.confirm(person, &w.monthly).await);
}

async fn a_confirmed_cadence_replaces_another(w: World) {
    let person = w.add("ada@example.org").await;
    assert_eq!(w.request(&w.monthly, "ada@example.org", now()).await, Answer::Confirm);
    assert_eq!(w.subscription(person, &w.weekly).await.unwrap().state, State::Confirmed, "nothing changes yet");
    assert!(w.confirm(person, &w.monthly).await);
    assert_eq!(w.subscription(person, &w.weekly).await.unwrap().state, State::Unsubscribed);
    assert_eq!(w.store.audience_sizes(&w.newsletter).await.unwrap(), [(w.monthly.clone(), 1)]);
}

async fn unsubscribing_ends_everything_of_the_newsletter_once(w: World) {
    let person = w.add("ada@example.org").await;
    w.request(&w.monthly, "ada@example.org", now()).await;
    assert!(w.unsubscribe(person).await);
    assert!(!w.unsubscribe(person).await, "a second click changes nothing");
    assert!(w.all().await.iter().all(|s| s.state == State::Unsubscribed && s.unsubscribed_at.is_some()));
    assert!(w.store.audience_sizes(&w.newsletter).await.unwrap().is_empty());
    let stranger = SubscriberId::from_bytes([1; 10]);
    assert!(!w.store.unsubscribe(&w.newsletter, person.bucket, stranger, now()).await.unwrap());
}

async fn an_import_never_brings_anyone_back(w: World) {
    let person = w.add("ada@example.org").await;
    assert!(!w.try_add(&w.weekly, "ADA@example.org").await, "stands already");
    assert!(!w.try_add(&w.monthly, "ada@example.org").await, "chose another cadence");
    w.unsubscribe(person).await;
    assert!(!w.try_add(&w.weekly, "ada@example.org").await);
    assert!(!w.try_add(&w.monthly, "ada@example.org").await);
    w.request(&w.weekly, "ada@example.org", now()).await;
    assert!(!w.try_add(&w.weekly, "ada@example.org").await, "asked again, but did not confirm");
    assert!(w.confirm(person, &w.weekly).await, "the person may come back");
}

async fn an_operator_can_confirm_a_pending_request(w: World) {
    w.request(&w.weekly, "ada@example.org", now()).await;
    let person = w.person("ada@example.org").await.unwrap();
    let pending = w.subscription(person, &w.weekly).await.unwrap();
    assert!(w.try_add(&w.weekly, "ada@example.org").await);
    assert!(!w.store.confirm(&pending, now()).await.unwrap(), "the old link has nothing left to do");
    assert_eq!(w.store.audience_sizes(&w.newsletter).await.unwrap(), [(w.weekly.clone(), 1)]);
}

async fn a_removed_person_leaves_no_address(w: World) {
    let person = w.add("ada@example.org").await;
    let address = EmailAddress::parse("ADA@example.org").unwrap();
    assert!(w.store.remove(&address, now()).await.unwrap());
    assert!(!w.store.remove(&address, now()).await.unwrap(), "unknown now");
    let left = w.subscription(person, &w.weekly).await.unwrap();
    assert_eq!((left.address, left.state), (None, State::Unsubscribed));
    assert_eq!(
        w.count("SELECT COUNT(*) FROM subscriber WHERE address LIKE '%ada%' OR address_key LIKE '%ada%'").await,
        0
    );
    assert_eq!(w.request(&w.weekly, "ada@example.org", now()).await, Answer::Confirm);
    assert_ne!(w.person("ada@example.org").await.unwrap().id, person.id, "who comes back is someone new");
}

async fn a_request_that_nobody_confirms_is_forgotten_with_the_address(w: World) {
    let (long_ago, later) = (now() - Duration::days(40), now() - Duration::days(20));
    // Left once, and asked again; has another subscription; confirmed; asked twice; never came back; was refused by the relay.
    let left = w.add("left@example.org").await;
    w.unsubscribe(left).await;
    w.add("other@example.org").await;
    for name in ["left", "confirmed", "twice", "never", "paused"] {
        assert_eq!(w.request(&w.weekly, &format!("{name}@example.org"), long_ago).await, Answer::Confirm);
    }
    assert_eq!(w.request(&w.monthly, "other@example.org", long_ago).await, Answer::Confirm);
    assert_eq!(w.request(&w.weekly, "twice@example.org", later).await, Answer::Confirm);
    let [confirmed, twice, never, paused, other] = [
        w.person("confirmed@example.org").await.unwrap(),
        w.person("twice@example.org").await.unwrap(),
        w.person("never@example.org").await.unwrap(),
        w.person("paused@example.org").await.unwrap(),
        w.person("other@example.org").await.unwrap(),
    ];
    w.confirm(confirmed, &w.weekly).await;
    w.sql(&format!(
        "UPDATE mailing SET state = 'paused' WHERE mailing_id = (SELECT mailing_id FROM batch WHERE first_subscriber = '{}')",
        paused.id
    ))
    .await;
    w.work_off_all().await;
    w.store.finish_mailings(now()).await.unwrap();
    assert_eq!(w.store.forget_confirmations(now() - Duration::days(30), now()).await.unwrap(), 6);
    assert_eq!(w.store.forget_confirmations(now() - Duration::days(30), now()).await.unwrap(), 0);

    let stands = async |person, cadence| w.subscription(person, cadence).await.map(|s| (s.state, s.address.is_some()));
    for person in [never, paused] {
        assert_eq!(stands(person, &w.weekly).await, Some((State::Unsubscribed, false)));
    }
    assert_eq!(stands(left, &w.weekly).await, Some((State::Unsubscribed, true)), "an import must not bring them back");
    assert_eq!(stands(other, &w.weekly).await, Some((State::Confirmed, true)));
    assert_eq!(stands(other, &w.monthly).await, Some((State::Unsubscribed, true)));
    assert_eq!(stands(confirmed, &w.weekly).await, Some((State::Confirmed, true)));
    assert_eq!(stands(twice, &w.weekly).await, Some((State::Pending, true)), "the newer request is young");
    assert_eq!(w.count("SELECT COUNT(*) FROM consent WHERE event = 'lapsed'").await, 4);
    assert!(!w.try_add(&w.weekly, "left@example.org").await);
    assert!(w.try_add(&w.weekly, "never@example.org").await, "they never were here");
    assert_eq!(w.request(&w.monthly, "other@example.org", now()).await, Answer::Confirm);
    let again = w.subscription(other, &w.monthly).await.unwrap();
    assert_eq!(again.request, 3, "an old link means nothing: numbers are never given twice");
}

async fn a_suppressed_address_is_neither_asked_nor_added(w: World) {
    let address = EmailAddress::parse("Ada@example.org").unwrap();
    w.store.suppress(&address, SuppressionReason::Complaint, now()).await.unwrap();
    w.store.suppress(&address, SuppressionReason::Bounce, now()).await.unwrap();
    assert_eq!(w.request(&w.weekly, "ada@example.org", now()).await, Answer::Suppressed);
    assert!(!w.try_add(&w.weekly, "ada@example.org").await);
    assert_eq!(w.count("SELECT COUNT(*) FROM subscriber").await, 0);

    w.add("grace@example.org").await;
    let grace = EmailAddress::parse("grace@example.org").unwrap();
    w.store.suppress(&grace, SuppressionReason::Operator, now()).await.unwrap();
    let listed = w.store.list(None, None, 10).await.unwrap();
    assert_eq!(listed[0].suppressed.as_deref(), Some("operator"));
}

async fn a_list_comes_in_pages_that_never_cut_a_person(w: World) {
    for person in w.add_many(20).await {
        let address = w.subscription(person, &w.weekly).await.unwrap().address.unwrap();
        w.request(&w.monthly, address.expose(), now()).await;
    }
    let other = tidings::types::NewsletterId::parse("other").unwrap();
    let mut seen = Vec::new();
    let mut after: Option<(Bucket, SubscriberId)> = None;
    loop {
        let page = w.store.list(Some(&w.newsletter), after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.subscription.bucket, last.subscription.subscriber));
        assert!(page.len() <= 6);
        seen.extend(
            page.into_iter().map(|l| (l.subscription.bucket, l.subscription.subscriber, l.subscription.cadence)),
        );
    }
    assert_eq!(seen.len(), 40);
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(w.store.list(Some(&other), None, 3).await.unwrap().is_empty());
}

async fn a_bad_address_in_the_database_stops_nobody_else(w: World) {
    let [bad, good] = [w.add("ada@example.org").await, w.add("grace@example.org").await];
    w.sql("UPDATE subscriber SET address = 'no address <at all>' WHERE address = 'ada@example.org'").await;
    assert_eq!(w.all().await.len(), 2);
    let mailing = w.open(&w.weekly).await;
    let mut addresses = Vec::new();
    while let Some(lease) = w.lease().await {
        let next = w.store.untried(&lease, None, 10).await.unwrap();
        addresses.extend(next.iter().map(|p| p.address.clone()));
        w.work_off(&lease).await;
    }
    addresses.sort();
    assert_eq!(addresses, ["grace@example.org", "no address <at all>"], "as it stands: composing judges it");
    assert_eq!(w.books(mailing).await.audience, 2);
    assert!(w.unsubscribe(bad).await && w.unsubscribe(good).await, "and may leave");
}

async fn a_link_from_another_install_ends_nothing(w: World) {
    let stranger = SubscriberId::from_bytes([1; 10]);
    let bucket = Bucket::new(w.store.buckets());
    assert!(!w.store.unsubscribe(&w.newsletter, bucket, stranger, now()).await.unwrap());
    assert!(w.store.subscriptions(&w.newsletter, bucket, stranger).await.unwrap().is_empty());
}

async fn consent_is_written_down_word_for_word(w: World) {
    w.request(&w.weekly, "ada@example.org", now()).await;
    let person = w.person("ada@example.org").await.unwrap();
    w.confirm(person, &w.weekly).await;
    w.unsubscribe(person).await;
    w.add("grace@example.org").await;
    for (event, source, note) in [
        ("requested", "form", "/news/"),
        ("confirmed", "", ""),
        ("unsubscribed", "", ""),
        ("added", "import", "an old list"),
    ] {
        let sql =
            format!("SELECT COUNT(*) FROM consent WHERE event = '{event}' AND source = '{source}' AND note = '{note}'");
        assert_eq!(w.count(&sql).await, 1, "{event}");
    }
    assert_eq!(w.count("SELECT COUNT(*) FROM consent").await, 4);
}

/// Handlers and roles are spawned: every future of the store must be `Send`, whatever it borrows.
async fn what_is_written_may_be_spawned(w: World) {
    fn spawnable<T: Send>(future: T) -> T {
        future
    }
    let person = w.add("ada@example.org").await;
    let (address, consent) = (
        EmailAddress::parse("b@example.org").unwrap(),
        Consent { source: ConsentSource::Operator, note: String::new() },
    );
    let subscription = w.subscription(person, &w.weekly).await.unwrap();
    spawnable(w.store.confirm(&subscription, now())).await.unwrap();
    spawnable(w.store.add(&w.newsletter, &w.weekly, &address, &consent, now(), &w.chance)).await.unwrap();
    spawnable(w.store.remove(&address, now())).await.unwrap();
    spawnable(w.store.suppress(&address, SuppressionReason::Operator, now())).await.unwrap();
    let draft = w.draft(&w.weekly).await;
    spawnable(w.store.open_mailing(&draft)).await.unwrap();
    let lease =
        spawnable(w.store.lease(w.node(), tidings::store::Lane::Digests, &[], crate::store::world::LONG, now()))
            .await
            .unwrap()
            .unwrap();
    spawnable(w.store.append(&lease, crate::store::world::LONG, &[], now())).await.unwrap().unwrap();
    spawnable(w.store.renew(&lease, crate::store::world::LONG)).await.unwrap().unwrap();
    spawnable(w.store.close_batch(&lease)).await.unwrap().unwrap();
    spawnable(w.store.give_back(&lease)).await.unwrap();
    spawnable(w.store.finish_mailings(now())).await.unwrap();
    spawnable(w.store.forget_confirmations(now(), now())).await.unwrap();
}
