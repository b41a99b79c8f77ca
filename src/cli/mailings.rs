//! `tidings pause` and `tidings resume`

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::app;
use crate::config::Config;
use crate::types::MailingId;

#[derive(Debug, Subcommand)]
pub enum Mailings {
    /// Pause an open mailing. What is on the wire is finished; nothing new is handed over.
    Pause(Which),
    /// Resume a paused mailing, once its cause is mended.
    Resume(Which),
}

/// The mailing.
#[derive(Debug, Args)]
pub struct Which {
    /// The id that `tidings status` shows.
    mailing: String,
}

impl Mailings {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        let (Self::Pause(which) | Self::Resume(which)) = self;
        let mailing = MailingId::parse(&which.mailing)?;
        let changed = match self {
            Self::Pause(_) => store.pause(mailing, "paused by an operator").await?,
            Self::Resume(_) => store.resume(mailing).await?,
        };
        let state = store.mailing(mailing).await?.map(|view| view.state);
        store.close().await;
        match state {
            None => bail!("there is no mailing {mailing}; `tidings status` lists them"),
            Some(state) if !changed => bail!("nothing changed: the mailing is {}", format!("{state:?}").to_lowercase()),
            Some(state) => println!("the mailing is {}", format!("{state:?}").to_lowercase()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
