//! Who is next in a batch, and whose message is made next.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::draft::Draft;
use crate::store::Pending;

/// How many messages are made before their turn comes, beside those that the connections hold already: what two processors sign while a commit keeps half
/// of fifty connections waiting. With twice as many, messages that are signed quickly are made in bursts for which replies wait.
const AHEAD: usize = 32;

/// What to do with one recipient.
#[derive(Clone, Debug)]
pub enum Job {
    /// Send a message.
    Send(Arc<Draft>),
    /// In doubt since an earlier lease, and the policy is to hold: note it, send nothing.
    Hold(Pending),
    /// Not eligible any more, for this reason: note it, send nothing.
    Skip(Pending, String),
}

/// The next recipients, between connections that take them and threads that make their messages.
#[derive(Debug, Default)]
pub struct Ready {
    inner: Mutex<Inner>,
    /// There are messages to be made, or never again.
    unmade: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// The messages of the first so many are made, or are being made.
    begun: usize,
    /// Who was taken before that; their messages come first.
    urgent: VecDeque<Arc<Draft>>,
    /// Threads that wait for messages to make, and how many of them were called.
    waiting: usize,
    called: usize,
    dismissed: bool,
}

impl Ready {
    /// Takes the first.
    pub fn pop(&self) -> Option<Job> {
        let mut inner = self.lock();
        let job = inner.jobs.pop_front()?;
        match (inner.begun.checked_sub(1), &job) {
            (Some(fewer), _) => inner.begun = fewer,
            (None, Job::Send(draft)) => inner.urgent.push_back(Arc::clone(draft)),
            (None, Job::Hold(_) | Job::Skip(..)) => {}
        }
        if inner.waiting > inner.called && inner.wanted() > inner.called {
            inner.called += 1;
            self.unmade.notify_one();
        }
        Some(job)
    }

    /// Puts somebody back who was taken.
    pub fn put_back(&self, draft: Arc<Draft>) {
        let mut inner = self.lock();
        inner.jobs.push_front(Job::Send(draft));
        inner.begun += 1;
    }

    /// Adds who comes after all the others.
    pub fn extend(&self, jobs: impl Iterator<Item = Job>) {
        self.lock().jobs.extend(jobs);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Somebody whose message nobody has begun to make; the thread waits while enough are made. `None` when no more are needed.
    pub fn unmade(&self) -> Option<Arc<Draft>> {
        let mut inner = self.lock();
        loop {
            if inner.dismissed {
                return None;
            }
            if let Some(draft) = inner.begin() {
                return Some(draft);
            }
            inner.waiting += 1;
            inner = self.unmade.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.waiting -= 1;
            inner.called = inner.called.saturating_sub(1);
        }
    }

    /// No more messages are needed.
    pub fn dismiss(&self) {
        self.lock().dismissed = true;
        self.unmade.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How many of those who are there should have their messages.
    fn ahead(&self) -> usize {
        AHEAD.min(self.jobs.len())
    }

    /// How many threads have something to do. Not one for each message that was taken: to wake a thread takes longer than to make a message that
    /// nothing signs.
    fn wanted(&self) -> usize {
        self.urgent.len() + usize::from(self.begun < self.ahead() / 2)
    }

    /// Whose message is made next, unless enough of them are.
    fn begin(&mut self) -> Option<Arc<Draft>> {
        if let Some(draft) = self.urgent.pop_front() {
            return Some(draft);
        }
        while self.begun < self.ahead() {
            self.begun += 1;
            if let Some(Job::Send(draft)) = self.jobs.get(self.begun - 1) {
                return Some(Arc::clone(draft));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Fields, SubscriberId};

    fn pending(number: u8) -> Pending {
        Pending {
            subscriber: SubscriberId::from_bytes([number; 10]),
            address: format!("{number}@reader.example"),
            fields: Fields::default(),
            skip: None,
            request: 0,
            attempt: 1,
            first_at: None,
        }
    }

    fn send(number: u8) -> Job {
        Job::Send(Draft::new(pending(number)))
    }

    /// Whose messages would be made now, without a wait.
    fn begin(ready: &Ready) -> Vec<String> {
        std::iter::from_fn(|| ready.lock().begin()).map(|draft| draft.pending.address.clone()).collect()
    }

    fn taken(ready: &Ready) -> Arc<Draft> {
        match ready.pop() {
            Some(Job::Send(draft)) => draft,
            other => panic!("somebody to send to was expected: {other:?}"),
        }
    }

    fn addresses(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
        numbers.into_iter().map(|number| pending(number).address).collect()
    }

    #[test]
    fn so_many_are_made_ahead_in_their_order_and_nobody_twice() {
        let ready = Ready::default();
        ready.extend((0..100).map(send));
        assert_eq!(begin(&ready), addresses(0..32));
        assert_eq!(begin(&ready), addresses([]));
        assert_eq!((taken(&ready).pending.address.as_str(), ready.len()), ("0@reader.example", 99));
        assert_eq!(begin(&ready), addresses([32]));
    }

    #[test]
    fn whoever_is_taken_before_their_message_is_begun_comes_first() {
        let ready = Ready::default();
        ready.extend((0..40).map(send));
        let (first, second) = (taken(&ready), taken(&ready));
        let begun = begin(&ready);
        assert_eq!(begun[..3], addresses([0, 1, 2]));
        assert_eq!(begun.len(), 34);
        assert_eq!(addresses([0, 1]), [&first, &second].map(|draft| draft.pending.address.clone()));
    }

    #[test]
    fn whoever_is_put_back_is_next_and_their_message_is_not_made_again() {
        let ready = Ready::default();
        ready.extend((0..2).map(send));
        assert_eq!(begin(&ready), addresses([0, 1]));
        let first = taken(&ready);
        ready.put_back(Arc::clone(&first));
        ready.extend((2..3).map(send));
        assert_eq!(begin(&ready), addresses([2]));
        assert!(Arc::ptr_eq(&taken(&ready), &first));
    }

    #[test]
    fn no_message_is_made_for_those_who_get_none() {
        let ready = Ready::default();
        ready.extend([Job::Hold(pending(0)), send(1), Job::Skip(pending(2), "gone".into()), send(3)].into_iter());
        assert!(matches!(ready.pop(), Some(Job::Hold(_))));
        assert_eq!(begin(&ready), addresses([1, 3]));
    }

    #[test]
    fn threads_that_wait_are_called_for_work_and_sent_home() {
        let ready = Ready::default();
        let made = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(draft) = ready.unmade() {
                        made.lock().unwrap().push(draft.pending.address.clone());
                    }
                });
            }
            // They may wait already, or not yet.
            for number in 0..100 {
                ready.extend([send(number)].into_iter());
                taken(&ready);
            }
            while made.lock().unwrap().len() < 100 {
                std::thread::yield_now();
            }
            ready.dismiss();
        });
        let mut made = made.into_inner().unwrap();
        made.sort_unstable_by_key(|address| address.split('@').next().unwrap().parse::<u8>().unwrap());
        assert_eq!(made, addresses(0..100));
    }
}
