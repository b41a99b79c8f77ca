//! `GET /metrics`: the state of an install in the Prometheus text format 0.0.4. Counts and times, and no addresses.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::error::Error;
use crate::status::{self, MailingStatus, NewsletterStatus, ProgressStatus, Status};
use crate::store::MailingState;

/// What is said of each newsletter: name, meaning, value; none before its source was read.
type Gauge = (&'static str, &'static str, fn(&Status, &NewsletterStatus) -> Option<i64>);

const GAUGES: [Gauge; 5] = [
    ("tidings_source_age_seconds", "Time since the source was last read without error.", |status, newsletter| {
        newsletter.source.as_ref().map(|source| status.at.signed_duration_since(source.read_at).num_seconds())
    }),
    ("tidings_source_failing", "1 while the last look at the source failed.", |_, newsletter| {
        newsletter.source.as_ref().map(|source| i64::from(source.error.is_some()))
    }),
    ("tidings_issues", "Published issues.", |_, newsletter| i64::try_from(newsletter.issues).ok()),
    ("tidings_documents_held", "Documents that are not published.", |_, newsletter| {
        i64::try_from(newsletter.holds.len()).ok()
    }),
    ("tidings_issues_held", "Published issues that are kept from mail.", |_, newsletter| {
        i64::try_from(newsletter.held_issues.len()).ok()
    }),
];

/// `GET /metrics`
pub(super) async fn metrics(State(web): State<Web>) -> Result<Response, Error> {
    let status = status::collect(web.store(), web.config(), web.clock().now()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&status)).into_response())
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    for (name, meaning, value) in GAUGES {
        describe(&mut text, name, meaning);
        for newsletter in &status.newsletters {
            if let Some(value) = value(status, newsletter) {
                line(&mut text, name, &[("newsletter", &newsletter.name)], value);
            }
        }
    }
    describe(&mut text, "tidings_subscribers", "Confirmed subscriptions.");
    for newsletter in &status.newsletters {
        for cadence in &newsletter.cadences {
            let labels = [("newsletter", newsletter.name.as_str()), ("cadence", &cadence.name)];
            line(&mut text, "tidings_subscribers", &labels, cadence.subscribers);
        }
    }
    describe(&mut text, "tidings_hub_subscriptions", "Subscriptions of readers at the built-in hub.");
    for feed in &status.websub.feeds {
        line(&mut text, "tidings_hub_subscriptions", &[("feed", &feed.feed)], feed.subscriptions);
    }
    describe(&mut text, "tidings_hub_failing", "Subscriptions whose pushes fail.");
    for feed in &status.websub.feeds {
        line(&mut text, "tidings_hub_failing", &[("feed", &feed.feed)], feed.failing);
    }
    describe(&mut text, "tidings_mailing_deliveries", "Deliveries of the newest mailings by what became of them.");
    status.mailings.iter().take(MAILINGS).for_each(|mailing| deliveries(&mut text, mailing));
    describe(&mut text, "tidings_mailing_returned", "What came back of the newest mailings, and complaints.");
    status.mailings.iter().take(MAILINGS).for_each(|mailing| returned(&mut text, mailing));
    sending(&mut text, status);
    text
}

/// How far open mailings are, and relays that are down.
fn sending(text: &mut String, status: &Status) {
    describe(text, "tidings_mailing_done", "Settled deliveries of mailings that are open or paused.");
    for mailing in &status.progress {
        line(text, "tidings_mailing_done", &labels(mailing), mailing.done);
    }
    describe(text, "tidings_mailing_audience", "The audience of mailings that are open or paused.");
    for mailing in &status.progress {
        if let Some(people) = mailing.people {
            line(text, "tidings_mailing_audience", &labels(mailing), people);
        }
    }
    describe(text, "tidings_mailing_paused", "1 while a mailing is paused.");
    for mailing in &status.progress {
        line(text, "tidings_mailing_paused", &labels(mailing), i64::from(mailing.state == MailingState::Paused));
    }
    describe(text, "tidings_confirmations_paused", "People whose confirmation the relay refused.");
    for newsletter in &status.newsletters {
        let paused = status.paused_confirmations.iter().find(|paused| paused.newsletter == newsletter.name);
        let labels = [("newsletter", newsletter.name.as_str())];
        line(text, "tidings_confirmations_paused", &labels, paused.map_or(0, |paused| paused.people));
    }
    describe(text, "tidings_relays_down", "Relays that are down.");
    // No label: a relay's name may hold anything that an operator writes.
    let _ = writeln!(text, "tidings_relays_down {}", status.relays.len());
}

fn labels(mailing: &ProgressStatus) -> [(&str, &str); 2] {
    [("newsletter", mailing.newsletter.as_str()), ("mailing", &mailing.mailing)]
}

/// Mailings with lines of their own: a monitor keeps each label for ever, so only those that may still move.
const MAILINGS: usize = 10;

fn deliveries(text: &mut String, mailing: &MailingStatus) {
    let books = &mailing.books;
    for (outcome, count) in [
        ("accepted", books.accepted),
        ("refused", books.refused),
        ("skipped", books.skipped),
        ("held", books.held),
        ("deferred", books.deferred),
        ("open", books.open),
    ] {
        let labels = [("newsletter", mailing.newsletter.as_str()), ("mailing", &mailing.mailing), ("outcome", outcome)];
        line(text, "tidings_mailing_deliveries", &labels, count);
    }
}

fn returned(text: &mut String, mailing: &MailingStatus) {
    for (kind, complaint) in [("bounce", false), ("complaint", true)] {
        let count = mailing.returns.iter().filter(|entry| entry.complaint == complaint).map(|entry| entry.times).sum();
        let labels = [("newsletter", mailing.newsletter.as_str()), ("mailing", &mailing.mailing), ("kind", kind)];
        line(text, "tidings_mailing_returned", &labels, count);
    }
}

fn describe(text: &mut String, name: &str, meaning: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {meaning}\n# TYPE {name} gauge");
}

/// Names of newsletters, cadences and mailings are letters, digits and hyphens, and a URL has no quote: nothing to escape.
fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: i64) {
    let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
}
