//! `tidings doubt`

use std::collections::btree_map::{BTreeMap, Entry};
use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output;
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::maillog::MailLog;
use crate::message::{Compiled, Signers};
use crate::store::{Doubt, DoubtState, Settlement, Store};
use crate::types::{EmailAddress, MailingId};

/// More than a crash of many nodes can leave.
const MOST: usize = 100_000;

#[derive(Debug, Subcommand)]
pub enum Doubts {
    /// List messages that were handed to the relay and whose answer is not known.
    List {
        /// The mailing; all of them without it.
        mailing: Option<String>,
    },
    /// Send held messages again: same Message-ID, same bytes.
    Resend(Chosen),
    /// Settle messages as delivered, by the relay's log or by hand.
    Settle {
        #[command(flatten)]
        chosen: Chosen,
        /// A Postfix log, `-` for standard input: what it shows to have been queued is settled by Message-ID, everything else stays in doubt.
        #[arg(long, value_name = "FILE")]
        maillog: Option<PathBuf>,
    },
}

/// Which doubts.
#[derive(Debug, Args)]
pub struct Chosen {
    /// The mailing; needed to name addresses.
    mailing: Option<String>,
    /// Addresses of the mailing's recipients; all of its doubts without them.
    addresses: Vec<String>,
    /// Every doubt of every mailing.
    #[arg(long, conflicts_with = "mailing")]
    all: bool,
}

impl Doubts {
    pub async fn run(&self, config: Config, json: bool) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        let result = match self {
            Self::List { mailing } => list(&store, mailing.as_deref(), json).await,
            Self::Resend(chosen) => resend(&store, chosen).await,
            Self::Settle { chosen, maillog: Some(log) } => settle_by_log(&store, chosen, log).await,
            Self::Settle { chosen, maillog: None } => settle_by_hand(&store, chosen).await,
        };
        store.close().await;
        result.map(|()| ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct Shown {
    mailing: String,
    subscriber: String,
    address: Option<String>,
    attempt: u32,
    handed_at: chrono::DateTime<chrono::Utc>,
    state: DoubtState,
    message_id: Option<String>,
}

async fn list(store: &Store, mailing: Option<&str>, json: bool) -> anyhow::Result<()> {
    let mailings = match mailing {
        Some(mailing) => vec![known(store, mailing).await?],
        None => store.doubtful_mailings().await?,
    };
    let mut shown = Vec::new();
    for mailing in mailings {
        let ids = MessageIds::of(store, mailing).await?;
        for doubt in store.doubt_list(mailing, MOST).await? {
            let Doubt { subscriber, ref address, attempt, handed_at, state, .. } = doubt;
            shown.push(Shown {
                mailing: mailing.to_string(),
                subscriber: subscriber.to_string(),
                address: address.as_ref().map(|address| address.expose().to_owned()),
                attempt,
                handed_at,
                state,
                message_id: ids.of_doubt(&doubt),
            });
        }
    }
    if json {
        return output::json(&shown);
    }
    for Shown { mailing, subscriber, address, attempt, handed_at, state, message_id } in &shown {
        let state = match state {
            DoubtState::Open => "without an answer",
            DoubtState::Held => "held",
            DoubtState::Waits => "to be sent again",
            DoubtState::SentAgain => "sent again",
        };
        let handed = handed_at.format("%Y-%m-%d %H:%M:%S UTC");
        println!(
            "{mailing} {} attempt {attempt}, handed {handed}, {state}, <{}>",
            address.as_deref().unwrap_or(subscriber),
            message_id.as_deref().unwrap_or_default()
        );
    }
    if shown.is_empty() {
        println!("nothing is in doubt");
    }
    Ok(())
}

/// The doubts that a command means and that can be settled.
async fn chosen(store: &Store, chosen: &Chosen) -> anyhow::Result<Vec<Doubt>> {
    let mailings = match (&chosen.mailing, chosen.all) {
        (Some(mailing), _) => vec![known(store, mailing).await?],
        (None, true) => store.doubtful_mailings().await?,
        (None, false) => bail!("name a mailing, or say --all; `tidings doubt list` shows what there is"),
    };
    let mut doubts = Vec::new();
    for mailing in mailings {
        doubts.extend(store.doubt_list(mailing, MOST).await?);
    }
    doubts.retain(|doubt| matches!(doubt.state, DoubtState::Held | DoubtState::Open));
    if chosen.addresses.is_empty() {
        return Ok(doubts);
    }
    let mut named = Vec::new();
    for text in &chosen.addresses {
        let key = EmailAddress::parse(text).with_context(|| text.clone())?.key();
        let is = |doubt: &&Doubt| doubt.address.as_ref().is_some_and(|address| address.key() == key);
        named.push(doubts.iter().find(is).with_context(|| format!("nothing to {text} is in doubt"))?.clone());
    }
    Ok(named)
}

async fn resend(store: &Store, which: &Chosen) -> anyhow::Result<()> {
    let doubts = chosen(store, which).await?;
    let settled = settle(store, doubts.iter().map(|doubt| (doubt, Settlement::Resend))).await?;
    say(settled, doubts.len(), "sent again");
    Ok(())
}

async fn settle_by_hand(store: &Store, which: &Chosen) -> anyhow::Result<()> {
    let doubts = chosen(store, which).await?;
    let delivered = Settlement::Delivered("settled by an operator".into());
    let settled = settle(store, doubts.iter().map(|doubt| (doubt, delivered.clone()))).await?;
    say(settled, doubts.len(), "settled as delivered");
    Ok(())
}

async fn settle_by_log(store: &Store, which: &Chosen, path: &PathBuf) -> anyhow::Result<()> {
    let log = read_log(path).with_context(|| format!("cannot read {}", path.display()))?;
    if log.lines() == 0 {
        bail!("{} has no line of Postfix: name its mail log, such as /var/log/mail.log", path.display());
    }
    // With a log, all doubts of all mailings are meant unless it is said otherwise.
    let all = Chosen { mailing: None, addresses: Vec::new(), all: true };
    let doubts = chosen(store, if which.mailing.is_some() { which } else { &all }).await?;
    let mut ids = BTreeMap::new();
    let mut taken = Vec::new();
    for doubt in &doubts {
        let ids = match ids.entry(doubt.mailing) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(MessageIds::of(store, doubt.mailing).await?),
        };
        let id = ids.of_doubt(doubt);
        if let Some(queue_id) = id.as_deref().and_then(|id| log.taken(id)) {
            taken.push((doubt, Settlement::Delivered(format!("the relay's log has it as {queue_id}"))));
        }
    }
    let settled = settle(store, taken.into_iter()).await?;
    say(settled, doubts.len(), "settled as delivered");
    Ok(())
}

fn read_log(path: &PathBuf) -> std::io::Result<MailLog> {
    let mut log = MailLog::default();
    let mut reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(path)?))
    };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        log.read(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(log)
}

async fn settle(store: &Store, doubts: impl Iterator<Item = (&Doubt, Settlement)>) -> anyhow::Result<usize> {
    let mut settled = 0;
    for (doubt, settlement) in doubts {
        settled += usize::from(store.settle(doubt, &settlement, Clock::system().now()).await?);
    }
    Ok(settled)
}

fn say(settled: usize, all: usize, how: &str) {
    println!("{} {how}", output::count(settled, "message"));
    if settled < all {
        println!("{} as before: still in doubt, or a node is at work on them", output::count(all - settled, "message"));
    }
}

async fn known(store: &Store, mailing: &str) -> anyhow::Result<MailingId> {
    let mailing = MailingId::parse(mailing)?;
    let known = store.mailing(mailing).await?;
    known.with_context(|| format!("there is no mailing {mailing}; `tidings status` lists them"))?;
    Ok(mailing)
}

/// The Message-IDs of a mailing: they follow from the letter and the recipient.
struct MessageIds(Option<Compiled>);

impl MessageIds {
    async fn of(store: &Store, mailing: MailingId) -> anyhow::Result<Self> {
        let letter = store.letter(mailing).await?;
        let unsigned = Signers::default();
        let compiled = letter.map(|letter| Compiled::new(mailing, &letter, store.key(), &unsigned)).transpose();
        // A letter that cannot be composed was never sent.
        Ok(Self(compiled.unwrap_or_default()))
    }

    fn of_doubt(&self, doubt: &Doubt) -> Option<String> {
        self.0.as_ref().map(|compiled| compiled.message_id(doubt.subscriber))
    }
}
