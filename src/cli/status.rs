//! `tidings status`

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use super::output;
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::status::{self, Failing, MailingStatus, NewsletterStatus, WarmUpStatus, WebSubStatus};
use crate::store::{PausedConfirmations, Return};

/// Show issues, holds and mailings with their books, read from the database.
#[derive(Debug, Args)]
pub struct Status {
    /// Show how far open mailings are, every second, until Ctrl-C.
    #[arg(long)]
    watch: bool,
}

impl Status {
    pub async fn run(&self, config: Config, json: bool) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        if self.watch {
            let result = super::watch::watch(&store, json).await;
            store.close().await;
            return result.map(|()| ExitCode::SUCCESS);
        }
        let status = status::collect(&store, &config, Clock::system().now()).await;
        store.close().await;
        let status = status?;
        if json {
            output::json(&status)?;
            return Ok(ExitCode::SUCCESS);
        }
        for newsletter in &status.newsletters {
            print_newsletter(newsletter, status.at);
        }
        for relay in &status.relays {
            let since = relay.down_since.format("%Y-%m-%d %H:%M UTC");
            println!("the relay {} is down since {since}: {}", relay.relay, relay.reason);
        }
        for paused in &status.paused_confirmations {
            let PausedConfirmations { newsletter, people, since, reason } = paused;
            let people = output::count(usize::try_from(*people).unwrap_or_default(), "confirmation");
            let since = since.format("%Y-%m-%d %H:%M UTC");
            println!(
                "{newsletter}: {people} paused since {since}: {reason}; mend it, then `tidings resume confirmations`"
            );
        }
        for rate in &status.rates {
            println!("{}", rate.words());
        }
        for relay in &status.warm_up {
            let WarmUpStatus { relay, day, days, allowed, used } = relay;
            println!("the relay {relay} is warmed up, day {day} of {days}: {used} of {allowed} messages today");
        }
        for mailing in &status.mailings {
            print_mailing(mailing);
            if let Some(progress) = status.progress.iter().find(|progress| progress.mailing == mailing.mailing) {
                println!("  {}", super::watch::line(progress));
            }
        }
        print_websub(&status.websub, status.at);
        Ok(ExitCode::SUCCESS)
    }
}

fn print_newsletter(newsletter: &NewsletterStatus, now: DateTime<Utc>) {
    println!("{} ({})", newsletter.title, newsletter.name);
    match &newsletter.source {
        None => println!("  not read yet"),
        Some(source) => {
            let commit = source.commit.get(..12).map(|commit| format!(" at {commit}")).unwrap_or_default();
            let read = source.read_at.format("%Y-%m-%d %H:%M UTC");
            let age = age(now - source.read_at);
            println!("  {}{commit}, last read {age} ago ({read})", output::count(newsletter.issues, "issue"));
            if let Some(error) = &source.error {
                println!("  the last look failed: {error}");
            }
        }
    }
    for hold in &newsletter.holds {
        println!("  held {}: {} ({}). {}", hold.place, hold.message, hold.rule, hold.remedy);
    }
    for held in &newsletter.held_issues {
        println!(
            "  not mailed {} ({:?}): {} ({}). {}",
            held.issue, held.title, held.hold.message, held.hold.rule, held.hold.remedy
        );
    }
    for cadence in &newsletter.cadences {
        let subscribers = output::count(usize::try_from(cadence.subscribers).unwrap_or_default(), "subscriber");
        let next = cadence.next.map(|at| format!(", next {}", at.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
        println!("  {}: {subscribers}, {}{next}", cadence.name, cadence.schedule);
    }
}

fn print_websub(websub: &WebSubStatus, now: DateTime<Utc>) {
    for feed in &websub.feeds {
        let subscriptions = output::count(usize::try_from(feed.subscriptions).unwrap_or_default(), "subscription");
        let failing = if feed.failing > 0 { format!(", {} of them failing", feed.failing) } else { String::new() };
        println!("hub {}: {subscriptions}{failing}", feed.feed);
    }
    for (what, list) in [("push", &websub.failing_pushes), ("ping", &websub.failing_pings)] {
        for Failing { feed, host, since, error } in list {
            println!("  {what} of {feed} to {host} fails since {}: {error}", age(now - *since));
        }
    }
}

/// A span in its largest unit: what matters is whether it is seconds or days.
fn age(span: TimeDelta) -> String {
    match span.num_seconds().max(0) {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn print_mailing(mailing: &MailingStatus) {
    let books = &mailing.books;
    let occurrence = mailing.occurrence.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    let state = format!("{:?}", mailing.state).to_lowercase();
    println!(
        "mailing {} {}/{} {occurrence} {state}",
        mailing.mailing,
        mailing.newsletter,
        mailing.cadence.as_deref().unwrap_or("-")
    );
    println!("  {:?}", mailing.subject);
    if let Some(reason) = &mailing.reason {
        println!("  {reason}");
    }
    println!(
        "  audience {} = {} accepted + {} refused + {} skipped + {} held in doubt{}",
        books.audience,
        books.accepted,
        books.refused,
        books.skipped,
        books.held,
        if mailing.balanced {
            String::new()
        } else {
            format!(", {} to try again, {} without an answer, the others to come", books.deferred, books.open)
        }
    );
    for refusal in &mailing.refusals {
        let how = if refusal.refused { "refused" } else { "put off" };
        println!("  {how} {} x {} {}", refusal.times, refusal.code, refusal.example);
    }
    for returned in &mailing.returns {
        println!("  {}", words(returned));
    }
}

/// `came back 3 x 5.1.1 no such user`. Servers mostly begin with the status themselves.
fn words(returned: &Return) -> String {
    let Return { complaint, status, example, times } = returned;
    match complaint {
        true => format!("called spam {times} x"),
        false if example.starts_with(status.as_str()) => format!("came back {times} x {example}"),
        false => format!("came back {times} x {status} {example}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_says_its_status_once() {
        let returned = |status: &str, example: &str| Return {
            complaint: status.is_empty(),
            status: status.into(),
            example: example.into(),
            times: 3,
        };
        assert_eq!(words(&returned("5.1.1", "5.1.1 no such user")), "came back 3 x 5.1.1 no such user");
        assert_eq!(words(&returned("5.0.0", "it failed")), "came back 3 x 5.0.0 it failed");
        assert_eq!(words(&returned("", "")), "called spam 3 x");
    }

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, shown) in [
            (-5, "0 s"),
            (59, "59 s"),
            (119, "119 s"),
            (180, "3 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(age(TimeDelta::seconds(seconds)), shown);
        }
    }
}
