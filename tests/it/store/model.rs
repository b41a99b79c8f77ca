//! Random walks through subscriptions, mailings, leases, crashes and the ledger, against a model that knows what must be true.

use std::collections::{BTreeMap, BTreeSet};

use tidings::store::{Appended, Closed, DoubtState, Entry, Event, Lane, Lease, LeaseLost, MailingState, Settlement};
use tidings::types::{Bucket, CadenceId, MailingId, SubscriberId};

use crate::store::world::{LONG, Person, World, entry, now, reply};

on_both! {
    a_random_walk_keeps_every_promise
}

const STEPS: u32 = 260;
const SEEDS: [u64; 3] = [1, 2, 3];

/// A batch.
type Key = (MailingId, Bucket, i64);

fn key(lease: &Lease) -> Key {
    (lease.mailing, lease.bucket, lease.batch)
}

/// What one mailing must come to.
#[derive(Debug, Default)]
struct Expected {
    cadence: Option<CadenceId>,
    audience: BTreeSet<SubscriberId>,
    /// The final outcome of each, as the answers of the store said.
    settled: BTreeMap<SubscriberId, &'static str>,
}

struct Walk<'a> {
    w: &'a World,
    seed: u64,
    people: Vec<(String, Person)>,
    members: BTreeMap<SubscriberId, CadenceId>,
    mailings: BTreeMap<MailingId, Expected>,
    leases: Vec<Lease>,
    /// Those of them that anyone may take over.
    expired: BTreeSet<Key>,
    paused: BTreeSet<MailingId>,
    /// Attempts on the wire: what a crash would leave in doubt.
    flying: Vec<(Lease, SubscriberId, u32)>,
    hours: i64,
}

async fn a_random_walk_keeps_every_promise(w: World) {
    let fresh = u64::from_be_bytes(w.chance.bytes::<8>().unwrap());
    for seed in SEEDS.into_iter().chain([fresh]) {
        // Shown when the test fails: put it into SEEDS to walk the same way again.
        #[allow(clippy::print_stdout)]
        {
            println!("seed {seed}");
        }
        let mut walk = Walk {
            w: &w,
            seed,
            people: Vec::new(),
            members: BTreeMap::new(),
            mailings: BTreeMap::new(),
            leases: Vec::new(),
            expired: BTreeSet::new(),
            paused: BTreeSet::new(),
            flying: Vec::new(),
            hours: 0,
        };
        for listed in w.all().await {
            w.unsubscribe(Person { bucket: listed.bucket, id: listed.subscriber }).await;
        }
        for i in 0..12 {
            walk.join(&format!("walker{i}-{seed}@example.org")).await;
        }
        for _ in 0..STEPS {
            walk.step().await;
        }
        walk.come_to_an_end().await;
    }
    let twice = "SELECT COUNT(*) FROM (SELECT subscriber_id FROM delivery WHERE event IN ('accepted', 'refused', 'skipped', 'held') \
         GROUP BY bucket, mailing_id, subscriber_id HAVING COUNT(*) > 1) AS twice";
    assert_eq!(w.count(twice).await, 0, "someone was settled twice");
    assert_eq!(w.count("SELECT COUNT(*) FROM retry").await, 0, "someone still waits");
}

impl Walk<'_> {
    /// The next number of the walk, below `below` (splitmix64).
    fn roll(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }

    fn cadence(&mut self) -> CadenceId {
        if self.roll(3) == 0 { self.w.monthly.clone() } else { self.w.weekly.clone() }
    }

    /// Time goes on, so that the form's interval is over.
    fn time(&mut self) -> chrono::DateTime<chrono::Utc> {
        self.hours += 1;
        now() + chrono::Duration::hours(self.hours)
    }

    async fn join(&mut self, address: &str) {
        let cadence = self.cadence();
        assert!(self.w.try_add(&cadence, address).await);
        let person = self.w.person(address).await.unwrap();
        self.people.push((address.to_owned(), person));
        self.members.insert(person.id, cadence);
    }

    async fn step(&mut self) {
        match self.roll(26) {
            0 => self.open().await,
            1 => self.join(&format!("late{}-{}@example.org", self.people.len(), self.seed)).await,
            2 => self.unsubscribe().await,
            3 | 4 => self.resubscribe().await,
            5 => self.crash().await,
            6 => self.pause_or_resume().await,
            7 | 8 => self.close().await,
            9 => self.finish().await,
            10..=12 => self.lease().await,
            13..=16 => self.hand().await,
            17 => self.expire().await,
            18 => self.renew().await,
            19 | 20 => self.operate().await,
            _ => self.land().await,
        }
    }

    async fn open(&mut self) {
        let cadence = self.cadence();
        let mailing = self.w.open(&cadence).await;
        let audience = self.members.iter().filter(|(_, c)| **c == cadence).map(|(id, _)| *id).collect();
        self.mailings.insert(mailing, Expected { cadence: Some(cadence), audience, ..Expected::default() });
    }

    async fn unsubscribe(&mut self) {
        let at = self.roll(self.people.len());
        let person = self.people[at].1;
        assert_eq!(self.w.unsubscribe(person).await, self.members.remove(&person.id).is_some());
    }

    /// Asks and confirms: comes back, or changes the cadence. The confirmation is a mailing of its own.
    async fn resubscribe(&mut self) {
        let (at, cadence, time) = (self.roll(self.people.len()), self.cadence(), self.time());
        let (address, person) = self.people[at].clone();
        if self.members.get(&person.id) == Some(&cadence) {
            return;
        }
        self.w.request(&cadence, &address, time).await;
        let newest = self.w.store.mailings(500, true).await.unwrap();
        for view in newest.into_iter().filter(|view| view.cadence.is_none()) {
            let audience = || [person.id].into_iter().collect();
            self.mailings
                .entry(view.mailing)
                .or_insert_with(|| Expected { audience: audience(), ..Expected::default() });
        }
        if self.roll(3) > 0 {
            assert!(self.w.confirm(person, &cadence).await);
            self.members.insert(person.id, cadence);
        } else {
            // Stays pending; ending it keeps the model simple.
            self.w.unsubscribe(person).await;
            self.members.remove(&person.id);
        }
    }

    async fn lease(&mut self) {
        let at = now() + chrono::Duration::hours(i64::try_from(self.roll(4)).unwrap());
        let mut lanes = [Lane::Confirmations, Lane::Digests];
        lanes.rotate_left(self.roll(2));
        let mut lease = self.w.store.lease(self.w.node(), lanes[0], &[], LONG, at).await.unwrap();
        if lease.is_none() {
            lease = self.w.store.lease(self.w.node(), lanes[1], &[], LONG, at).await.unwrap();
        }
        if let Some(lease) = lease {
            self.take_over(&lease).await;
            // What another node left is dealt with first.
            for doubt in self.w.store.in_doubt(&lease).await.unwrap() {
                if self.roll(3) == 0 {
                    self.outcome(&lease, doubt.subscriber, doubt.attempt, Event::Held).await;
                } else {
                    self.try_hand(&lease, doubt.subscriber, doubt.attempt + 1).await;
                }
            }
            self.leases.push(lease);
        }
    }

    /// The process of some leases dies: nobody hears of what it had on the wire.
    async fn crash(&mut self) {
        self.w.expire_leases().await;
        let dead = std::mem::take(&mut self.leases);
        self.flying.clear();
        self.expired.clear();
        if let (Some(lease), Some(_)) = (dead.first(), self.w.lease().await.as_ref()) {
            // Whoever was taken over is told so; whoever was not yet may still write.
            let _ = self.w.store.append(lease, LONG, &[], now()).await.unwrap();
        }
        self.w.expire_leases().await;
    }

    /// A lease is over, of a node that is only slow: it may write until somebody has taken its batch.
    async fn expire(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let at = self.roll(self.leases.len());
        let Lease { bucket, mailing, batch, .. } = self.leases[at];
        let number = bucket.number();
        let sql = format!(
            "UPDATE batch SET lease_until = 0 WHERE bucket = {number} AND mailing_id = '{mailing}' AND batch = {batch}"
        );
        self.w.sql(&sql).await;
        self.expired.insert((mailing, bucket, batch));
    }

    /// If a batch was ours under an earlier lease, that one is over, and whoever holds it can do nothing any more.
    async fn take_over(&mut self, new: &Lease) {
        let Some(at) = self.leases.iter().position(|old| key(old) == key(new)) else { return };
        assert!(self.expired.remove(&key(new)), "a lease was taken that had not expired");
        let old = self.leases.swap_remove(at);
        assert!(new.epoch > old.epoch);
        // A reply that comes too late stays unwritten: it is in doubt.
        let late = self.flying.iter().find(|(lease, ..)| *lease == old);
        let group: Vec<_> = late
            .map(|(_, subscriber, attempt)| entry(*subscriber, *attempt, Event::Accepted(reply(250))))
            .into_iter()
            .collect();
        assert_eq!(self.w.store.append(&old, LONG, &group, now()).await.unwrap(), Err(LeaseLost));
        assert_eq!(self.w.store.renew(&old, LONG).await.unwrap(), Err(LeaseLost));
        assert_eq!(self.w.store.close_batch(&old).await.unwrap(), Err(LeaseLost));
        self.w.store.give_back(&old).await.unwrap();
        self.w.store.give_back_until(&old, now()).await.unwrap();
        self.flying.retain(|(lease, ..)| *lease != old);
        let doubts = self.w.store.in_doubt(new).await.unwrap();
        assert!(group.iter().all(|late| doubts.iter().any(|doubt| doubt.subscriber == late.subscriber)));
    }

    async fn renew(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let at = self.roll(self.leases.len());
        let lease = self.leases[at].clone();
        let renewed = self.w.store.renew(&lease, LONG).await.unwrap();
        let expected = if self.paused.contains(&lease.mailing) { Err(LeaseLost) } else { Ok(()) };
        assert_eq!(renewed, expected, "{lease:?}");
        if renewed.is_ok() {
            self.expired.remove(&key(&lease));
        }
    }

    /// An operator settles a doubt, or has it sent again.
    async fn operate(&mut self) {
        let mailings: Vec<_> = self.mailings.keys().copied().collect();
        let mut doubts = Vec::new();
        for mailing in mailings {
            doubts.extend(self.w.store.doubt_list(mailing, 100).await.unwrap());
        }
        if doubts.is_empty() {
            return;
        }
        let at = self.roll(doubts.len());
        let doubt = &doubts[at];
        let id = doubt.subscriber.to_string();
        let has = |lease: &&Lease| {
            (lease.mailing, lease.bucket) == (doubt.mailing, doubt.bucket) && lease.first <= id && id <= lease.last
        };
        let lease = self.leases.iter().find(has).cloned();
        if lease.as_ref().is_some_and(|lease| self.expired.contains(&key(lease))) {
            return; // a race that the database decides either way
        }
        let again = self.roll(2) == 0;
        let settlement = if again { Settlement::Resend } else { Settlement::Delivered("the log has it".into()) };
        let can = lease.is_none() && matches!(doubt.state, DoubtState::Open | DoubtState::Held);
        let settled = self.w.store.settle(doubt, &settlement, now()).await.unwrap();
        assert_eq!(settled, can, "{doubt:?}");
        if !settled {
            return;
        }
        let expected = self.mailings.get_mut(&doubt.mailing).unwrap();
        let before = match again {
            true => expected.settled.remove(&doubt.subscriber),
            false => expected.settled.insert(doubt.subscriber, "accepted"),
        };
        assert_eq!(before, (doubt.state == DoubtState::Held).then_some("held"));
        assert!(!self.w.store.settle(doubt, &settlement, now()).await.unwrap(), "it is settled once");
    }

    async fn pause_or_resume(&mut self) {
        let open: Vec<_> = self.mailings.keys().copied().collect();
        if let Some(mailing) = (!open.is_empty()).then(|| open[self.roll(open.len())]) {
            if self.roll(2) == 0 {
                if self.w.store.pause(mailing, "a test").await.unwrap() {
                    self.paused.insert(mailing);
                }
            } else {
                assert_eq!(self.w.store.resume(mailing).await.unwrap(), self.paused.remove(&mailing));
            }
        }
    }

    async fn hand(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let at = self.roll(self.leases.len());
        let lease = self.leases[at].clone();
        let mut next = self.w.store.untried(&lease, None, 2).await.unwrap();
        let late = now() + chrono::Duration::hours(3);
        next.extend(self.w.store.due_again(&lease, None, 2, late).await.unwrap());
        for person in next {
            self.try_hand(&lease, person.subscriber, person.attempt).await;
        }
    }

    async fn try_hand(&mut self, lease: &Lease, subscriber: SubscriberId, attempt: u32) {
        let answer = self.append(lease, entry(subscriber, attempt, Event::Handed)).await;
        let expected = self.mailings.get_mut(&lease.mailing).unwrap();
        assert!(expected.audience.contains(&subscriber), "not in the audience");
        assert!(!expected.settled.contains_key(&subscriber), "settled already");
        let eligible = expected.cadence.is_none() || self.members.get(&subscriber) == expected.cadence.as_ref();
        match answer {
            Appended::Written => {
                assert!(eligible, "handed to someone who had left");
                self.flying.push((lease.clone(), subscriber, attempt));
            }
            Appended::NotEligible => {
                assert!(!eligible || expected.cadence.is_none(), "skipped someone who had not left");
                expected.settled.insert(subscriber, "skipped");
            }
            Appended::Paused => {}
            other => panic!("{other:?}"),
        }
    }

    /// A reply comes in.
    async fn land(&mut self) {
        if self.flying.is_empty() {
            return;
        }
        let at = self.roll(self.flying.len());
        let (lease, subscriber, attempt) = self.flying.swap_remove(at);
        let retry_at = now() + chrono::Duration::hours(1);
        let event = match self.roll(6) {
            0 => Event::Deferred { retry_at, reply: reply(451) },
            1 => Event::Refused { suppress: false, reply: reply(550) },
            _ => Event::Accepted(reply(250)),
        };
        self.outcome(&lease, subscriber, attempt, event).await;
    }

    async fn outcome(&mut self, lease: &Lease, subscriber: SubscriberId, attempt: u32, event: Event) {
        let word = match event {
            Event::Accepted(_) => Some("accepted"),
            Event::Refused { .. } => Some("refused"),
            Event::Held => Some("held"),
            _ => None,
        };
        assert_eq!(self.append(lease, entry(subscriber, attempt, event)).await, Appended::Written);
        if let Some(word) = word {
            let before = self.mailings.get_mut(&lease.mailing).unwrap().settled.insert(subscriber, word);
            assert_eq!(before, None, "settled twice");
        }
    }

    /// Appends, and sometimes once more, as after an answer that was lost.
    async fn append(&mut self, lease: &Lease, entry: Entry) -> Appended {
        let group = [entry];
        let answer = self.w.append(lease, &group).await[0];
        self.expired.remove(&key(lease));
        if self.roll(5) == 0 {
            let again = self.w.append(lease, &group).await[0];
            let expected = if answer == Appended::Written { Appended::Present } else { answer };
            assert_eq!(again, expected, "a repeat");
        }
        answer
    }

    async fn close(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let at = self.roll(self.leases.len());
        let lease = self.leases[at].clone();
        if self.flying.iter().any(|(flying, ..)| *flying == lease) {
            return;
        }
        self.leases.swap_remove(at);
        self.expired.remove(&key(&lease));
        match self.roll(6) {
            0 => return self.w.store.give_back(&lease).await.unwrap(),
            1 => {
                // Soon enough for the leases of this walk, which look some hours ahead.
                let due = now() + chrono::Duration::minutes(30);
                self.w.store.give_back_until(&lease, due).await.unwrap();
                let sql = format!(
                    "SELECT COUNT(*) FROM batch WHERE bucket = {} AND mailing_id = '{}' AND batch = {} AND state = 'free' \
                     AND due_at = {}",
                    lease.bucket.number(),
                    lease.mailing,
                    lease.batch,
                    due.timestamp_millis()
                );
                assert_eq!(self.w.count(&sql).await, 1, "it waits");
                return;
            }
            _ => {}
        }
        let closed = self.w.store.close_batch(&lease).await.unwrap().unwrap();
        let unsettled = self.mailings[&lease.mailing]
            .audience
            .iter()
            .filter(|id| (lease.first.clone()..=lease.last.clone()).contains(&id.to_string()))
            .filter(|id| self.people.iter().any(|(_, p)| p.id == **id && p.bucket == lease.bucket))
            .filter(|id| !self.mailings[&lease.mailing].settled.contains_key(id))
            .count();
        assert_eq!(closed == Closed::Done, unsettled == 0, "{unsettled} are not settled");
    }

    async fn finish(&mut self) {
        for view in self.w.store.finish_mailings(now()).await.unwrap() {
            let expected = &self.mailings[&view.mailing];
            let count = |word| i64::try_from(expected.settled.values().filter(|w| **w == word).count()).unwrap();
            assert_eq!(view.books.audience, i64::try_from(expected.audience.len()).unwrap());
            assert_eq!(view.books.accepted, count("accepted"));
            assert_eq!(view.books.refused, count("refused"));
            assert_eq!(view.books.skipped, count("skipped"));
            assert_eq!(view.books.held, count("held"));
            assert!(expected.settled.keys().eq(expected.audience.iter()), "not the same people");
        }
    }

    /// No more trouble: everything must come to an end, and the books must balance.
    async fn come_to_an_end(&mut self) {
        self.crash().await;
        for mailing in self.mailings.keys() {
            self.w.store.resume(*mailing).await.unwrap();
        }
        self.paused.clear();
        self.w.sql("UPDATE batch SET due_at = 0 WHERE state = 'free'").await;
        for _ in 0..5_000 {
            if self.leases.is_empty() {
                self.lease().await;
            }
            let Some(lease) = self.leases.first().cloned() else { break };
            self.hand().await;
            while !self.flying.is_empty() {
                self.land().await;
            }
            self.leases.retain(|held| *held != lease);
            self.w.store.close_batch(&lease).await.unwrap().unwrap();
            // Whoever waits is due at once.
            self.w.sql("UPDATE batch SET due_at = 0 WHERE state = 'free'").await;
            self.w.sql("UPDATE retry SET due_at = 0").await;
        }
        self.finish().await;
        for view in self.w.store.mailings(10_000, true).await.unwrap() {
            assert_eq!(view.state, MailingState::Finished, "{view:?}");
            assert!(view.books.balance());
        }
    }
}
