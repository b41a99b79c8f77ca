//! Mail that came back, and complaints.

use chrono::{DateTime, Duration, Utc};
use tidings::bounce::{Ours, Report, read};
use tidings::store::{Noted, Return};
use tidings::types::{Bucket, EmailAddress, MailingId, Verp};

use crate::bounces::report;
use crate::store::world::{Person, World, now};

on_both! {
    a_mailbox_that_is_gone_is_suppressed_at_once
    a_mailbox_whose_mail_comes_back_for_a_week_is_suppressed
    one_mail_that_arrives_begins_the_count_anew
    what_is_our_fault_marks_nobody
    a_complaint_suppresses_and_is_counted_apart
    a_report_is_written_down_once
    a_report_about_nobody_changes_nothing
    who_is_let_in_again_begins_anew
    what_came_back_of_a_confirmation_is_forgotten_with_it
}

impl World {
    /// A mailing that opened at this time and that everyone's relay took.
    async fn mailed(&self, at: DateTime<Utc>) -> MailingId {
        let mailing = self.open(&self.weekly).await;
        self.sql(&format!("UPDATE mailing SET opened_at = {} WHERE mailing_id = '{mailing}'", at.timestamp_millis()))
            .await;
        self.work_off_all().await;
        mailing
    }

    /// Reads what a server writes about ada@example.org's mail and tells the store.
    async fn bounce(&self, mailing: MailingId, person: Person, status: &str) -> Noted {
        let verp = Verp::mint(self.store.key(), mailing, person.bucket, person.id);
        let text = report(&verp.to_string(), "ada@example.org", status);
        let ours = Ours { key: self.store.key(), newsletters: &[] };
        let Ok(Report::Bounce(verp, bounce)) = read(text.as_bytes(), &ours) else { panic!("{text}") };
        self.store.bounced(&verp, &bounce, now()).await.unwrap()
    }

    async fn suppressed(&self) -> Option<String> {
        self.store.list(None, None, 10).await.unwrap().remove(0).suppressed
    }
}

async fn a_mailbox_that_is_gone_is_suppressed_at_once(w: World) {
    let ada = w.add("ada@example.org").await;
    let mailing = w.mailed(now()).await;
    assert_eq!(w.bounce(mailing, ada, "5.1.1").await, Noted::Suppressed);
    assert_eq!(w.suppressed().await.as_deref(), Some("bounce"));
    let returns = w.store.returns(&[mailing]).await.unwrap().remove(&mailing).unwrap();
    let example = "5.1.1 (address) unknown".to_owned();
    assert_eq!(returns, [Return { complaint: false, status: "5.1.1".into(), example, times: 1 }]);
}

async fn a_mailbox_whose_mail_comes_back_for_a_week_is_suppressed(w: World) {
    let ada = w.add("ada@example.org").await;
    let start = now() - Duration::days(60);
    let mailings =
        [w.mailed(start).await, w.mailed(start + Duration::days(4)).await, w.mailed(start + Duration::days(8)).await];
    // A fourth has gone out already, and nobody knows yet what becomes of it.
    w.mailed(start + Duration::days(9)).await;
    assert_eq!(w.bounce(mailings[0], ada, "5.2.2").await, Noted::Now);
    assert_eq!(w.bounce(mailings[1], ada, "5.2.2").await, Noted::Now);
    assert_eq!(w.suppressed().await, None);
    assert_eq!(w.bounce(mailings[2], ada, "4.2.2").await, Noted::Suppressed);
    assert_eq!(w.suppressed().await.as_deref(), Some("bounce"));
}

async fn one_mail_that_arrives_begins_the_count_anew(w: World) {
    let ada = w.add("ada@example.org").await;
    let start = now() - Duration::days(60);
    for week in 0..8 {
        let mailing = w.mailed(start + Duration::days(7 * week)).await;
        if week % 3 != 2 {
            assert_eq!(w.bounce(mailing, ada, "5.2.2").await, Noted::Now, "week {week}");
        }
    }
    assert_eq!(w.suppressed().await, None);
}

async fn what_is_our_fault_marks_nobody(w: World) {
    let ada = w.add("ada@example.org").await;
    for week in 0..4 {
        let mailing = w.mailed(now() - Duration::days(60 - 7 * week)).await;
        let status = if week % 2 == 0 { "5.7.1" } else { "4.4.1" };
        assert_eq!(w.bounce(mailing, ada, status).await, Noted::Now);
    }
    assert_eq!(w.suppressed().await, None);
}

async fn a_complaint_suppresses_and_is_counted_apart(w: World) {
    let ada = w.add("ada@example.org").await;
    let mailing = w.mailed(now()).await;
    let verp = Verp::mint(w.store.key(), mailing, ada.bucket, ada.id);
    assert_eq!(w.bounce(mailing, ada, "5.2.2").await, Noted::Now);
    assert_eq!(w.store.complained(&verp, now()).await.unwrap(), Noted::Suppressed);
    assert_eq!(w.suppressed().await.as_deref(), Some("complaint"));
    let kinds: Vec<_> = w.store.returns(&[mailing]).await.unwrap()[&mailing]
        .iter()
        .map(|entry| (entry.complaint, entry.times))
        .collect();
    assert_eq!(kinds, [(false, 1), (true, 1)]);
}

async fn a_report_is_written_down_once(w: World) {
    let ada = w.add("ada@example.org").await;
    let mailing = w.mailed(now()).await;
    // Two nodes read it at the same moment.
    let noted = tokio::join!(w.bounce(mailing, ada, "5.1.1"), w.bounce(mailing, ada, "5.1.1"));
    assert!(matches!(noted, (Noted::Suppressed, Noted::Before) | (Noted::Before, Noted::Suppressed)), "{noted:?}");
    assert_eq!(w.bounce(mailing, ada, "5.2.2").await, Noted::Before);
    assert_eq!(w.count("SELECT COUNT(*) FROM returned").await, 1);
    // Somebody who was removed is nobody's address any more.
    assert!(w.store.remove(&EmailAddress::parse("ada@example.org").unwrap(), now()).await.unwrap());
    let later = w.mailed(now()).await;
    assert_eq!(w.bounce(later, ada, "5.1.1").await, Noted::Now);
    assert_eq!(w.count("SELECT COUNT(*) FROM suppression").await, 1);
}

async fn a_report_about_nobody_changes_nothing(w: World) {
    let ada = w.add("ada@example.org").await;
    let mailing = w.mailed(now()).await;
    let stranger = tidings::types::SubscriberId::from_bytes([1; 10]);
    assert_eq!(w.bounce(mailing, Person { id: stranger, ..ada }, "5.1.1").await, Noted::Before);
    let elsewhere = Bucket::new(w.store.buckets());
    assert_eq!(w.bounce(mailing, Person { bucket: elsewhere, ..ada }, "5.1.1").await, Noted::Before);
    let verp = Verp::mint(w.store.key(), mailing, elsewhere, ada.id);
    assert_eq!(w.store.complained(&verp, now()).await.unwrap(), Noted::Before);
    let verp = Verp::mint(w.store.key(), mailing, ada.bucket, stranger);
    assert_eq!(w.store.complained(&verp, now()).await.unwrap(), Noted::Before);
    assert_eq!(w.count("SELECT COUNT(*) FROM returned").await, 0);
}

async fn who_is_let_in_again_begins_anew(w: World) {
    let ada = w.add("ada@example.org").await;
    let address = EmailAddress::parse("Ada@example.org").unwrap();
    assert_eq!(w.store.unsuppress(&address).await.unwrap(), None);
    for week in 0..3 {
        let mailing = w.mailed(now() - Duration::days(60 - 7 * week)).await;
        w.bounce(mailing, ada, "5.2.2").await;
    }
    assert_eq!(w.store.unsuppress(&address).await.unwrap().as_deref(), Some("bounce"));
    let mailing = w.mailed(now()).await;
    assert_eq!(w.books(mailing).await.accepted, 1);
    assert_eq!(w.bounce(mailing, ada, "5.2.2").await, Noted::Now, "one is not a row");
}

async fn what_came_back_of_a_confirmation_is_forgotten_with_it(w: World) {
    w.request(&w.weekly, "ada@example.org", now()).await;
    let ada = w.person("ada@example.org").await.unwrap();
    w.work_off_all().await;
    w.store.finish_mailings(now()).await.unwrap();
    let confirmation = w.store.mailings(1, true).await.unwrap().remove(0).mailing;
    assert_eq!(w.bounce(confirmation, ada, "5.1.1").await, Noted::Suppressed);
    assert_eq!(w.store.forget_confirmations(now() + Duration::days(1), now()).await.unwrap(), 1);
    assert_eq!(w.count("SELECT COUNT(*) FROM returned").await, 0);
}
