//! `tidings dkim`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output;
use crate::app;
use crate::config::Config;
use crate::message::{Algorithm, SigningKey};
use crate::types::EmailAddress;

#[derive(Debug, Subcommand)]
pub enum Dkim {
    /// Make an RSA and an Ed25519 key, and print the DNS records and the configuration for them.
    Keygen(Keygen),
    /// Show which keys sign for which newsletter, with the DNS records that must be there; the exit status is 1 when a newsletter's
    /// mail is not signed.
    Check,
}

#[derive(Debug, Args)]
pub struct Keygen {
    /// The domain that signatures stand for, such as example.org.
    domain: String,
    /// A name for this pair of keys; choose another one for the next pair, such as the month.
    selector: String,
    /// Where the key files go. An existing file is never overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

/// A key as `check` shows it.
#[derive(Serialize)]
struct Line {
    newsletter: String,
    algorithm: &'static str,
    file: String,
    record_name: String,
    record: String,
}

impl Dkim {
    pub fn run(&self, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
        match self {
            Self::Keygen(keygen) => keygen.run(),
            Self::Check => check(config, json),
        }
    }
}

impl Keygen {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let domain = EmailAddress::parse(&format!("x@{}", self.domain)).context("DOMAIN is no domain name")?;
        let domain = domain.domain().to_owned();
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let selector = &self.selector;
        ensure!(
            (1..=50).contains(&selector.len()) && selector.chars().all(label) && !selector.starts_with('-'),
            "SELECTOR is not a name: use 1 to 50 lower-case letters a-z, digits and hyphens"
        );
        std::fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot create {}", self.directory.display()))?;
        let mut made = Vec::new();
        for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
            let selector = format!("{selector}-{}", algorithm.name());
            let path = self.directory.join(format!("{selector}.pem"));
            let pem = algorithm.generate()?;
            write_private(&path, &pem)?;
            made.push((SigningKey::from_pem(&domain, &selector, &pem)?, path));
        }
        println!("Publish these records, for example as these lines of a zone file:\n");
        for (key, _) in &made {
            println!("{}", key.zone_line());
        }
        println!("\nA panel wants name and text apart, the text without quotes and in one piece:\n");
        for (key, _) in &made {
            println!("{}\n    {}", key.record_name(), key.record());
        }
        let keys: Vec<String> =
            made.iter().map(|(key, path)| format!("{} = {:?}", key.selector(), path.display().to_string())).collect();
        println!("\nWhen the records are there (dig +short TXT {}), sign with the keys:\n", made[0].0.record_name());
        println!("dkim_domain = {domain:?}\ndkim_keys = {{ {} }}", keys.join(", "));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file that only its owner may read, and that was not there before.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot make {}; keys are never overwritten", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn check(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let signers = app::signers(config)?;
    let (mut lines, mut unsigned) = (Vec::new(), Vec::new());
    for newsletter in &config.newsletters {
        let keys = signers.of(&newsletter.id);
        if keys.is_empty() {
            unsigned.push(newsletter.id.as_str());
        }
        for key in keys {
            let file = newsletter.dkim.keys.iter().find(|(selector, _)| selector == key.selector());
            lines.push(Line {
                newsletter: newsletter.id.to_string(),
                algorithm: key.algorithm().tag(),
                file: file.map(|(_, path)| path.display().to_string()).unwrap_or_default(),
                record_name: key.record_name(),
                record: key.record(),
            });
        }
    }
    if json {
        output::json(&lines)?;
    } else {
        for Line { newsletter, algorithm, file, record_name, record } in &lines {
            println!("{newsletter}: {algorithm} with {file}\n    {record_name}\n    {record}");
        }
        for newsletter in &unsigned {
            println!("{newsletter}: not signed here, so your relay has to; or see `tidings dkim keygen --help`");
        }
    }
    Ok(if unsigned.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
