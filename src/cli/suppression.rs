//! `tidings subscribers suppress` and `unsuppress`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::csv::{self, Record};
use super::output;
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
        for Record { line, cells, .. } in csv::records(&csv::text(file)?).filter(|record| !record.is_header) {
            match EmailAddress::parse(cells.first().map(String::as_str).unwrap_or_default()) {
                Ok(address) => {
                    suppress(&address).await?;
                    suppressed += 1;
                }
                Err(error) => refused.push(format!("line {line}: {error}")),
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
