//! `tidings migrate`

use std::process::ExitCode;

use clap::Args;

use crate::chance::Chance;
use crate::config::Config;
use crate::store::Store;

/// Create the database or bring it up to date. `serve` does the same at its start; a cluster runs this once before its nodes.
#[derive(Debug, Args)]
pub struct Migrate {}

impl Migrate {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let store = Store::open(&config.database.url, &Chance::system()).await?;
        store.close().await;
        println!("the database is up to date");
        Ok(ExitCode::SUCCESS)
    }
}
