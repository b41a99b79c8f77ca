//! `tidings pause`, `resume`, `cancel` and `rate`

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::output;
use crate::app;
use crate::config::Config;
use crate::control::{self, Order};
use crate::delivery::rate::Rate;
use crate::types::MailingId;

#[derive(Debug, Subcommand)]
pub enum Mailings {
    /// Pause an open mailing. What is on the wire is finished; nothing new is handed over.
    Pause(Which),
    /// Resume a paused mailing, once its cause is mended.
    Resume {
        /// The id that `tidings status` shows, or `confirmations` for all of those.
        mailing: String,
    },
    /// End a mailing for good. Who has it has it; nobody else gets it.
    Cancel(Which),
    /// Say how fast a mailing goes, over all nodes together.
    Rate {
        #[command(flatten)]
        which: Which,
        /// As in 10/s, 300/m, 5000/h or 20000/d, or several, as in "20/s, 5000/h"; `none` lifts the limit.
        rate: String,
    },
}

/// The mailing.
#[derive(Debug, Args)]
pub struct Which {
    /// The id that `tidings status` shows.
    mailing: String,
}

impl Mailings {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let (mailing, order) = match self {
            Self::Pause(Which { mailing }) => (mailing, Order::Pause),
            Self::Resume { mailing } if mailing == "confirmations" => return resume_confirmations(&config).await,
            Self::Resume { mailing } => (mailing, Order::Resume),
            Self::Cancel(Which { mailing }) => (mailing, Order::Cancel),
            Self::Rate { which, rate } if rate == "none" => (&which.mailing, Order::Rate(None)),
            Self::Rate { which, rate } => {
                let rate = Rate::parse(rate).with_context(|| rate.clone())?;
                (&which.mailing, Order::Rate(Some(rate)))
            }
        };
        let mailing = MailingId::parse(mailing)?;
        let store = app::open_store(&config).await?;
        let result = control::obey(&store, mailing, &order).await;
        store.close().await;
        match result? {
            None => bail!("there is no mailing {mailing}; `tidings status` lists them"),
            Some(done) if !done.changed => bail!("nothing changed: the mailing is {}", done.state),
            Some(done) => println!("the mailing {}", done.words(&order)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn resume_confirmations(config: &Config) -> anyhow::Result<ExitCode> {
    let store = app::open_store(config).await?;
    let resumed = store.resume_confirmations().await;
    store.close().await;
    println!("{} resumed", output::count(usize::try_from(resumed?).unwrap_or(usize::MAX), "confirmation"));
    Ok(ExitCode::SUCCESS)
}
