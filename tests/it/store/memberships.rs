//! People come, go, come back and change their minds while a mailing is open: the books balance all the same.

use chrono::Duration;
use tidings::delivery::books::Books;
use tidings::types::{EmailAddress, MailingId};

use crate::store::world::{World, now};

on_both! {
    who_comes_after_the_opening_is_not_in_the_audience
    who_leaves_after_the_opening_is_skipped
    who_leaves_and_comes_back_gets_the_mail_once
    who_comes_and_goes_and_comes_between_two_mailings_counts_once
    who_changes_the_cadence_is_skipped_in_the_old_one_and_not_in_the_new
    who_is_removed_stays_in_the_books
    a_clock_that_goes_wrong_moves_nobody
    audiences_that_change_while_mailings_open_stay_what_they_were
}

/// Works the mailing off and finishes it.
async fn finish(w: &World, mailing: MailingId) -> Books {
    w.work_off_all().await;
    let finished = w.store.finish_mailings(now()).await.unwrap();
    let view = finished.into_iter().find(|view| view.mailing == mailing);
    view.unwrap_or_else(|| panic!("it did not finish")).books
}

async fn who_comes_after_the_opening_is_not_in_the_audience(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    w.add("grace@example.org").await;
    assert_eq!(finish(&w, mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
}

async fn who_leaves_after_the_opening_is_skipped(w: World) {
    let person = w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    w.unsubscribe(person).await;
    assert_eq!(finish(&w, mailing).await, Books { audience: 1, skipped: 1, ..Books::default() });
    let next = w.open(&w.weekly).await;
    assert_eq!(finish(&w, next).await, Books::default());
}

async fn who_leaves_and_comes_back_gets_the_mail_once(w: World) {
    let person = w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    for round in 1..4 {
        w.unsubscribe(person).await;
        w.request(&w.weekly, "ada@example.org", now() + Duration::hours(round)).await;
        w.confirm(person, &w.weekly).await;
    }
    assert_eq!(finish(&w, mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
    let next = w.open(&w.weekly).await;
    assert_eq!(finish(&w, next).await, Books { audience: 1, accepted: 1, ..Books::default() });
}

async fn who_comes_and_goes_and_comes_between_two_mailings_counts_once(w: World) {
    let person = w.add("ada@example.org").await;
    w.unsubscribe(person).await;
    w.request(&w.weekly, "ada@example.org", now()).await;
    w.confirm(person, &w.weekly).await;
    let mailing = w.open(&w.weekly).await;
    assert_eq!(finish(&w, mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
    assert_eq!(w.count("SELECT COUNT(*) FROM membership").await, 1, "one stretch: no mailing saw the gap");
}

async fn who_changes_the_cadence_is_skipped_in_the_old_one_and_not_in_the_new(w: World) {
    let person = w.add("ada@example.org").await;
    let (weekly, monthly) = (w.open(&w.weekly).await, w.open(&w.monthly).await);
    w.request(&w.monthly, "ada@example.org", now()).await;
    w.confirm(person, &w.monthly).await;
    w.work_off_all().await;
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 3, "with the confirmation");
    assert_eq!(w.books(weekly).await, Books { audience: 1, skipped: 1, ..Books::default() });
    assert_eq!(w.books(monthly).await, Books::default());
    let next = w.open(&w.monthly).await;
    assert_eq!(finish(&w, next).await, Books { audience: 1, accepted: 1, ..Books::default() });
}

async fn who_is_removed_stays_in_the_books(w: World) {
    w.add("ada@example.org").await;
    let mailing = w.open(&w.weekly).await;
    w.store.remove(&EmailAddress::parse("ada@example.org").unwrap(), now()).await.unwrap();
    w.add("ada@example.org").await;
    assert_eq!(finish(&w, mailing).await, Books { audience: 1, skipped: 1, ..Books::default() });
}

async fn a_clock_that_goes_wrong_moves_nobody(w: World) {
    let person = w.add("ada@example.org").await;
    // A node whose clock is a day ahead opens; people who come and go afterwards do so before its time.
    let mut draft = w.draft(&w.weekly).await;
    draft.now += Duration::days(1);
    assert!(w.store.open_mailing(&draft).await.unwrap());
    w.unsubscribe(person).await;
    w.add("grace@example.org").await;
    assert_eq!(finish(&w, draft.mailing).await, Books { audience: 1, skipped: 1, ..Books::default() });
    // And a day behind: everyone who stands is in the audience.
    let mut draft = w.draft(&w.weekly).await;
    draft.now -= Duration::days(1);
    assert!(w.store.open_mailing(&draft).await.unwrap());
    assert_eq!(finish(&w, draft.mailing).await, Books { audience: 1, accepted: 1, ..Books::default() });
}

async fn audiences_that_change_while_mailings_open_stay_what_they_were(w: World) {
    let people = w.add_many(40).await;
    // Half of the people leave and twenty come, while four mailings open.
    let mut tasks = Vec::new();
    for person in people.iter().copied().step_by(2) {
        let (store, newsletter) = (w.store.clone(), w.newsletter.clone());
        tasks.push(tokio::spawn(async move {
            store.unsubscribe(&newsletter, person.bucket, person.id, now()).await.unwrap();
        }));
    }
    let other = w.another().await;
    for i in 0..20 {
        let (store, newsletter, cadence, chance) =
            (other.clone(), w.newsletter.clone(), w.weekly.clone(), w.chance.clone());
        tasks.push(tokio::spawn(async move {
            let consent = tidings::subscription::Consent {
                source: tidings::subscription::ConsentSource::Import,
                note: String::new(),
            };
            let address = EmailAddress::parse(&format!("new{i}@example.org")).unwrap();
            assert!(store.add(&newsletter, &cadence, &address, &consent, now(), &chance).await.unwrap());
        }));
    }
    let mut at_opening = Vec::new();
    for _ in 0..4 {
        let mailing = w.open(&w.weekly).await;
        at_opening.push((mailing, w.books(mailing).await.audience));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for (mailing, audience) in &at_opening {
        assert_eq!(w.books(*mailing).await.audience, *audience, "an audience changed after its mailing had opened");
    }
    w.work_off_all().await;
    assert_eq!(w.store.finish_mailings(now()).await.unwrap().len(), 4, "{:?}", w.store.mailings(9, true).await);
    let last = w.open(&w.weekly).await;
    assert_eq!(w.books(last).await.audience, 40);
}
