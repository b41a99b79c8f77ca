//! A fresh database with a store on it, and short names for what every test does.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tidings::chance::Chance;
use tidings::delivery::Reply;
use tidings::delivery::books::Books;
use tidings::message::Letter;
use tidings::store::{Appended, Closed, Entry, Event, Lane, Lease, NewMailing, Pending, Store};
use tidings::subscription::{Answer, Consent, ConsentSource, Request, Subscription};
use tidings::types::{Bucket, CadenceId, EmailAddress, Fields, MailingId, NewsletterId, NodeId, Secret, SubscriberId};

/// Long enough that no lease of a test expires by itself.
pub const LONG: Duration = Duration::from_secs(600);

pub struct World {
    pub store: Store,
    pub url: Secret,
    pub chance: Chance,
    pub newsletter: NewsletterId,
    pub weekly: CadenceId,
    pub monthly: CadenceId,
    _directory: Option<tempfile::TempDir>,
}

/// Someone with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    pub bucket: Bucket,
    pub id: SubscriberId,
}

impl World {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("tidings.db").display());
        Self::new(url, Some(directory)).await
    }

    pub async fn postgres() -> Option<Self> {
        Some(Self::new(crate::postgres::fresh_database("").await?, None).await)
    }

    async fn new(url: String, directory: Option<tempfile::TempDir>) -> Self {
        let (url, chance) = (Secret::new(url), Chance::system());
        let store = Store::open(&url, &chance).await.unwrap();
        let [weekly, monthly] = ["weekly", "monthly"].map(|name| CadenceId::parse(name).unwrap());
        let newsletter = NewsletterId::parse("news").unwrap();
        Self { store, url, chance, newsletter, weekly, monthly, _directory: directory }
    }

    /// Another node on the same database.
    pub async fn another(&self) -> Store {
        Store::open(&self.url, &self.chance).await.unwrap()
    }

    pub fn node(&self) -> NodeId {
        NodeId::from_bytes(self.chance.bytes().unwrap())
    }

    /// Runs SQL behind the store's back.
    pub async fn sql(&self, sql: &str) {
        self.raw(sql).await;
    }

    /// The one number that a query gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.raw(sql).await.unwrap()
    }

    async fn raw(&self, sql: &str) -> Option<i64> {
        let (url, sql) = (self.url.expose(), AssertSqlSafe(sql.to_owned()));
        if url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.first().map(|row| row.get(0))
        } else {
            let mut connection = PgConnection::connect(url).await.unwrap();
            // A prepared statement, so that numbers come in their binary form.
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.first().map(|row| row.get(0))
        }
    }

    pub async fn add(&self, address: &str) -> Person {
        assert!(self.try_add(&self.weekly, address).await, "{address} was not added");
        self.person(address).await.unwrap()
    }

    pub async fn try_add(&self, cadence: &CadenceId, address: &str) -> bool {
        let consent = Consent { source: ConsentSource::Import, note: "an old list".into() };
        let address = EmailAddress::parse(address).unwrap();
        self.store.add(&self.newsletter, cadence, &address, &consent, now(), &self.chance).await.unwrap()
    }

    pub async fn add_many(&self, count: usize) -> Vec<Person> {
        let mut people = Vec::new();
        for i in 0..count {
            people.push(self.add(&format!("person{i}@example.org")).await);
        }
        people
    }

    pub async fn request(&self, cadence: &CadenceId, address: &str, at: DateTime<Utc>) -> Answer {
        let request = Request {
            newsletter: self.newsletter.clone(),
            cadence: cadence.clone(),
            address: EmailAddress::parse(address).unwrap(),
            now: at,
            consent: Consent { source: ConsentSource::Form, note: "/news/".into() },
            fields: Fields::default(),
        };
        self.store.subscribe(&request, &letter("please confirm"), &self.chance).await.unwrap()
    }

    /// Everyone listed, with all subscriptions.
    pub async fn all(&self) -> Vec<Subscription> {
        let listed = self.store.list(None, None, usize::MAX).await.unwrap();
        listed.into_iter().map(|listed| listed.subscription).collect()
    }

    pub async fn person(&self, address: &str) -> Option<Person> {
        let address = EmailAddress::parse(address).unwrap();
        let found = self.all().await.into_iter().find(|s| s.address.as_ref() == Some(&address))?;
        Some(Person { bucket: found.bucket, id: found.subscriber })
    }

    /// The subscription to a cadence.
    pub async fn subscription(&self, person: Person, cadence: &CadenceId) -> Option<Subscription> {
        let all = self.store.subscriptions(&self.newsletter, person.bucket, person.id).await.unwrap();
        all.into_iter().find(|s| s.cadence == *cadence)
    }

    pub async fn confirm(&self, person: Person, cadence: &CadenceId) -> bool {
        let subscription = self.subscription(person, cadence).await.unwrap();
        self.store.confirm(&subscription, now()).await.unwrap()
    }

    pub async fn unsubscribe(&self, person: Person) -> bool {
        self.store.unsubscribe(&self.newsletter, person.bucket, person.id, now()).await.unwrap()
    }

    /// A mailing for the cadence's next occurrence, not yet opened.
    pub async fn draft(&self, cadence: &CadenceId) -> NewMailing {
        let start = local("2026-01-05T09:00:00");
        let last = self.store.cadence_state(&self.newsletter, cadence, now(), start).await.unwrap().last;
        NewMailing {
            mailing: MailingId::from_bytes(self.chance.bytes().unwrap()),
            newsletter: self.newsletter.clone(),
            cadence: cadence.clone(),
            occurrence: last + chrono::Duration::days(7),
            last,
            issues: Vec::new(),
            letter: letter("the news"),
            now: now(),
        }
    }

    pub async fn open(&self, cadence: &CadenceId) -> MailingId {
        let draft = self.draft(cadence).await;
        assert!(self.store.open_mailing(&draft).await.unwrap());
        draft.mailing
    }

    pub async fn lease(&self) -> Option<Lease> {
        let confirmation = self.store.lease(self.node(), Lane::Confirmations, &[], LONG, now()).await.unwrap();
        if confirmation.is_some() {
            return confirmation;
        }
        self.store.lease(self.node(), Lane::Digests, &[], LONG, now()).await.unwrap()
    }

    /// As if the node that holds it had died long ago.
    pub async fn expire_leases(&self) {
        self.sql("UPDATE batch SET lease_until = 0").await;
    }

    pub async fn append(&self, lease: &Lease, entries: &[Entry]) -> Vec<Appended> {
        self.store.append(lease, LONG, entries, now()).await.unwrap().unwrap()
    }

    /// Hands and accepts everyone who has not been tried, closes the batch.
    pub async fn work_off(&self, lease: &Lease) -> Closed {
        for next in self.store.untried(lease, None, 10_000).await.unwrap() {
            if self.append(lease, &[handed(&next)]).await == [Appended::Written] {
                let accepted = entry(next.subscriber, next.attempt, Event::Accepted(reply(250)));
                assert_eq!(self.append(lease, &[accepted]).await, [Appended::Written]);
            }
        }
        self.store.close_batch(lease).await.unwrap().unwrap()
    }

    /// Works off everything that can be leased.
    pub async fn work_off_all(&self) {
        while let Some(lease) = self.lease().await {
            assert_eq!(self.work_off(&lease).await, Closed::Done);
        }
    }

    pub async fn books(&self, mailing: MailingId) -> Books {
        self.store.mailing(mailing).await.unwrap().unwrap().books
    }
}

/// Now, as the store keeps it. Tests that need another time add to it.
pub fn now() -> DateTime<Utc> {
    tidings::clock::Clock::system().now()
}

pub fn local(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

pub fn entry(subscriber: SubscriberId, attempt: u32, event: Event) -> Entry {
    Entry { subscriber, attempt, event }
}

pub fn handed(next: &Pending) -> Entry {
    entry(next.subscriber, next.attempt, Event::Handed)
}

pub fn reply(code: u16) -> Reply {
    Reply { code, enhanced: None, text: "said the relay".into() }
}

pub fn letter(subject: &str) -> Letter {
    Letter {
        newsletter: "news".into(),
        from_name: None,
        from: "news@example.org".into(),
        sender: None,
        reply_to: None,
        bounce_domain: None,
        complaint_address: None,
        return_path: "bounces@example.org".into(),
        subject: subject.into(),
        html: "<p>Hello</p>".into(),
        text: "Hello\n".into(),
        date: DateTime::from_timestamp_millis(1_767_600_000_000).unwrap(),
        domain: "example.org".into(),
        language: "en".into(),
        list: None,
    }
}
