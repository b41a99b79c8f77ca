//! `tidings who`

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;

use super::output;
use crate::app;
use crate::config::Config;
use crate::store::Store;
use crate::subscription::State;
use crate::types::{Bucket, MailingId, NewsletterId, Scope, SubscriberId, Token, Unsubscribe, Verp};

/// Say whom a mail was to: from its return path, its CFBL-Feedback-ID, or the token of its unsubscribe link or mail.
///
/// A text that this install did not write is refused, so a forged bounce or complaint names nobody.
#[derive(Debug, Args)]
pub struct Who {
    /// Such as bounces+TOKEN@bounce.example.org, or the TOKEN alone.
    token: String,
}

/// The answer.
#[derive(Serialize)]
struct Person {
    address: Option<String>,
    mailing: Option<String>,
    subject: Option<String>,
    subscriptions: Vec<Standing>,
}

#[derive(Serialize)]
struct Standing {
    newsletter: String,
    cadence: String,
    state: State,
}

impl Who {
    pub async fn run(&self, config: Config, json: bool) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        let person = self.find(&store, &config).await;
        store.close().await;
        let person = person?;
        if json {
            output::json(&person)?;
            return Ok(ExitCode::SUCCESS);
        }
        println!("{}", person.address.as_deref().unwrap_or("(removed)"));
        if let (Some(mailing), subject) = (&person.mailing, &person.subject) {
            println!("  mailing {mailing} {:?}", subject.as_deref().unwrap_or("(gone)"));
        }
        for Standing { newsletter, cadence, state } in &person.subscriptions {
            println!("  {newsletter}/{cadence} {}", state.as_str());
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn find(&self, store: &Store, config: &Config) -> anyhow::Result<Person> {
        let text = self.token.trim();
        if let Ok(verp) = Verp::parse(text) {
            ensure!(verp.is_ours(store.key()), "this install did not write that: it is forged, or of another install");
            return person(store, config, verp.bucket, verp.subscriber, Some(verp.mailing)).await;
        }
        let token = text.rsplit(['/', ' ']).next().unwrap_or_default();
        let token = Token::<Unsubscribe>::parse(token).context("that is neither a return path nor a token")?;
        let (bucket, subscriber) = (token.bucket(), token.subscriber());
        let ours = |newsletter: &NewsletterId| {
            token.answers(store.key(), &Scope { newsletter, bucket, subscriber, request: 0 })
        };
        if !config.newsletters.iter().any(|newsletter| ours(&newsletter.id)) {
            bail!("this install did not write that as an unsubscribe token");
        }
        person(store, config, bucket, subscriber, None).await
    }
}

async fn person(
    store: &Store,
    config: &Config,
    bucket: Bucket,
    subscriber: SubscriberId,
    mailing: Option<MailingId>,
) -> anyhow::Result<Person> {
    let mut person = Person { address: None, mailing: None, subject: None, subscriptions: Vec::new() };
    for newsletter in &config.newsletters {
        for subscription in store.subscriptions(&newsletter.id, bucket, subscriber).await? {
            person.address = subscription.address.map(|address| address.expose().to_owned());
            person.subscriptions.push(Standing {
                newsletter: subscription.newsletter.to_string(),
                cadence: subscription.cadence.to_string(),
                state: subscription.state,
            });
        }
    }
    if let Some(mailing) = mailing {
        person.mailing = Some(mailing.to_string());
        person.subject = store.letter(mailing).await?.map(|letter| letter.shown_subject());
    }
    Ok(person)
}
