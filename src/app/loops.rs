//! The loops around the roles: `wait -> tick`. They have no logic; what lasts is logged once, and so is its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config;
use crate::distributor::{self, Distributor};
use crate::housekeeper::Housekeeper;
use crate::receiver::Receiver;
use crate::scheduler::{self, Scheduler};
use crate::sender::{self, Lane, Sender};
use crate::watcher::{self, Watcher};

/// How often the scheduler and the housekeeper look: well under the minute that cron resolves.
const LOOK: Duration = Duration::from_secs(1);
/// How often an idle sender asks for a batch: a confirmation mail should leave before the person has changed windows.
const IDLE: Duration = Duration::from_millis(500);
/// How often the receiver looks into the inbox: a bounce has been on its way for longer.
const ARRIVALS: Duration = Duration::from_secs(5);
/// Between two tries of a sender for which something is away: a database that is back is noticed soon; how often a relay is asked, the
/// sender's breaker decides.
const SOON: Duration = Duration::from_secs(1);

/// Ends when `stop` turns true, or its sender is gone.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits; true when it is time to stop.
async fn pause(span: Duration, stop: &watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(span) => false,
        () = stopped(stop.clone()) => true,
    }
}

/// Logs a failure when it is new: an error that lasts for hours is one line, and so is its end.
struct Trouble {
    what: String,
    last: Option<String>,
}

impl Trouble {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), last: None }
    }

    fn note<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.last.take().is_some() {
                    tracing::info!("{}: well again", self.what);
                }
                Some(value)
            }
            Err(error) => {
                let error = error.to_string();
                if self.last.as_ref() != Some(&error) {
                    tracing::error!("{}: {error}", self.what);
                }
                self.last = Some(error);
                None
            }
        }
    }
}

pub(super) async fn watch_source(
    mut watcher: Watcher,
    clock: Clock,
    chance: Chance,
    news: Arc<Notify>,
    stop: watch::Receiver<bool>,
) {
    let poll = watcher.newsletter().poll;
    // To look at a directory again costs nobody anything.
    let is_remote = matches!(watcher.newsletter().source.place, config::SourcePlace::Git { .. });
    let mut trouble = Trouble::new(format!("the source of {}", watcher.newsletter().id));
    let mut failures = 0;
    loop {
        match trouble.note(watcher.tick(clock.now()).await) {
            Some(tick) => {
                failures = 0;
                tick.log(watcher.newsletter());
                if tick.published + tick.withdrawn > 0 {
                    news.notify_one();
                }
            }
            None => failures += u32::from(is_remote),
        }
        // Without randomness newsletters come back together, which is no reason to stop.
        let [chance] = chance.bytes().unwrap_or([128]);
        let pause = watcher::pause(poll, failures, chance);
        let changed = async {
            tokio::select! { () = watcher.changed() => {}, () = tokio::time::sleep(pause) => {} }
        };
        tokio::select! { () = changed => {}, () = stopped(stop.clone()) => return }
    }
}

pub(super) async fn keep_schedule(scheduler: Scheduler, clock: Clock, stop: watch::Receiver<bool>) {
    let mut trouble = Trouble::new("the scheduler");
    loop {
        for event in trouble.note(scheduler.tick(clock.now()).await).unwrap_or_default() {
            match event {
                scheduler::Event::Opened { mailing, issues } => {
                    tracing::info!(%mailing, issues, "a mailing is open");
                }
                scheduler::Event::Missed { cadence, occurrence } => {
                    tracing::warn!(cadence, occurrence = %occurrence.local, "an occurrence was missed by more than its grace period and is skipped; its issues go out with the next one");
                }
            }
        }
        if pause(LOOK, &stop).await {
            return;
        }
    }
}

pub(super) async fn keep_house(housekeeper: Housekeeper, clock: Clock, stop: watch::Receiver<bool>) {
    let mut trouble = Trouble::new("the housekeeper");
    loop {
        for mailing in trouble.note(housekeeper.tick(clock.now()).await).unwrap_or_default() {
            let books = mailing.books;
            tracing::info!(mailing = %mailing.mailing, accepted = books.accepted, refused = books.refused, skipped = books.skipped, held = books.held, "a mailing is finished");
        }
        if pause(LOOK, &stop).await {
            return;
        }
    }
}

pub(super) async fn receive(receiver: Receiver, clock: Clock, stop: watch::Receiver<bool>) {
    let mut trouble = Trouble::new("the inbox");
    while !*stop.borrow() {
        let more = trouble.note(receiver.tick(clock.now()).await).unwrap_or(false);
        if !more && pause(ARRIVALS, &stop).await {
            return;
        }
    }
}

pub(super) async fn send(sender: Arc<Sender>, lane: Lane, crew: usize, stop: watch::Receiver<bool>) {
    let mut trouble = Trouble::new("the sender");
    while !*stop.borrow() {
        let wait = match sender.tick(lane, crew).await {
            // Still down: nothing new.
            Ok(sender::Tick::Waits) => IDLE,
            result => match trouble.note(result) {
                Some(sender::Tick::Worked { .. }) => Duration::ZERO,
                Some(_) => IDLE,
                None => SOON,
            },
        };
        if !wait.is_zero() && pause(wait, &stop).await {
            break;
        }
    }
    sender.close().await;
}

/// Looks each second, and at once when the watcher of this process has published something.
pub(super) async fn distribute(
    mut distributor: Distributor,
    clock: Clock,
    news: Arc<Notify>,
    stop: watch::Receiver<bool>,
) {
    let mut trouble = Trouble::new("the distributor");
    while !*stop.borrow() {
        trouble.note(distributor.tick(clock.now()).await);
        tokio::select! {
            () = tokio::time::sleep(distributor::LOOK) => {}
            () = news.notified() => {}
            () = distributor.room() => {}
            () = stopped(stop.clone()) => {}
        }
    }
    distributor.settled().await;
}
