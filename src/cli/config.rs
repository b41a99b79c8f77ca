//! `tidings config`

use std::process::ExitCode;

use clap::Args;

use crate::config::Config;

/// Print the effective configuration: the file, the environment and the defaults, merged and checked.
#[derive(Debug, Args)]
pub struct ShowConfig {}

impl ShowConfig {
    pub fn run(&self, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            super::output::json(&toml::from_str::<serde_json::Value>(&config.effective())?)?;
        } else {
            print!("{}", config.effective());
        }
        Ok(ExitCode::SUCCESS)
    }
}
