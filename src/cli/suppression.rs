//! `tidings subscribers suppress` and `unsuppress`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::{csv, output};
use crate::clock::Clock;
use crate::store::Store;
use crate::subscription::SuppressionReason;
use crate::types::EmailAddress;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Suppress {
    /// The address.
    address: Option<String>,
    /// A file with an address a line, or in the first column; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Serialize)]
struct Suppressed {
    suppressed: usize,
    refused: Vec<String>,
}

impl Suppress {
    pub async fn run(&self, store: &Store, json: bool) -> anyhow::Result<ExitCode> {
        let suppress = async |address: &EmailAddress| {
            store.suppress(address, SuppressionReason::Operator, Clock::system().now()).await
        };
        if let Some(address) = &self.address {
            suppress(&EmailAddress::parse(address)?).await?;
            println!("suppressed: this address is never mailed again");
        }
        let Some(file) = &self.from else { return Ok(ExitCode::SUCCESS) };
        let (mut suppressed, mut refused) = (0, Vec::new());
        for (number, line) in csv::text(file)?.lines().enumerate() {
            let first = csv::read(line).into_iter().next().unwrap_or_default();
            let is_header = number == 0 && !first.contains('@');
            if first.trim().is_empty() || first.starts_with('#') || is_header {
                continue;
            }
            match EmailAddress::parse(&first) {
                Ok(address) => {
                    suppress(&address).await?;
                    suppressed += 1;
                }
                Err(error) => refused.push(format!("line {}: {error}", number + 1)),
            }
        }
        let done = Suppressed { suppressed, refused };
        if json {
            output::json(&done)?;
        } else {
            done.refused.iter().for_each(|refused| eprintln!("{refused}"));
            println!("{suppressed} suppressed, {} refused", done.refused.len());
        }
        Ok(if done.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

pub async fn unsuppress(store: &Store, address: &str) -> anyhow::Result<ExitCode> {
    let address = EmailAddress::parse(address)?;
    let Some(reason) = store.unsuppress(&address).await? else { bail!("this address is not suppressed") };
    println!("mailed again from now on; it was suppressed: {reason}");
    Ok(ExitCode::SUCCESS)
}
