//! `tidings subscribers`

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::csv::{self, Record};
use super::{output, suppression};
use crate::app;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Cadence, Config, Newsletter};
use crate::store::Store;
use crate::subscription::{Consent, ConsentSource, Listed, Request, State};
use crate::types::{EmailAddress, FieldName, Fields};

/// How many subscriptions one read brings.
const PAGE: usize = 1000;

#[derive(Debug, Subcommand)]
pub enum Subscribers {
    /// List subscriptions with their state.
    List(Which),
    /// Add one person who gave you permission. They get no confirmation mail; the note is kept as proof.
    Add(Add),
    /// End all subscriptions of a person and erase the address.
    Remove {
        /// The address.
        address: String,
    },
    /// Never mail an address again, whatever the newsletter; or all of a file, such as those who left the system you come from.
    Suppress(suppression::Suppress),
    /// Let an address be mailed again that came back, complained or was suppressed by hand.
    Unsuppress {
        /// The address.
        address: String,
    },
    /// Add the addresses of a file, one a line, or the first column of a CSV file; columns whose names are fields of the newsletter are
    /// taken too. Nobody who unsubscribed comes back by it.
    Import(Import),
    /// Print confirmed addresses as CSV, with what people told about themselves.
    Export(Which),
}

#[derive(Debug, Args)]
pub struct Which {
    /// Only this newsletter.
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
}

#[derive(Debug, Args)]
pub struct Target {
    /// The newsletter; may be left out when there is only one.
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
    /// The cadence; the newsletter's first one unless named.
    #[arg(long, value_name = "NAME")]
    cadence: Option<String>,
    /// How they gave permission, such as "signed the list at the meetup".
    #[arg(long, value_name = "TEXT")]
    note: String,
}

#[derive(Debug, Args)]
pub struct Add {
    /// The address.
    address: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

#[derive(Serialize)]
struct Line {
    newsletter: String,
    cadence: String,
    address: Option<String>,
    state: State,
    suppressed: Option<String>,
    confirmed_at: Option<chrono::DateTime<chrono::Utc>>,
    fields: Fields,
}

#[derive(Default, Serialize)]
struct Imported {
    added: usize,
    unchanged: usize,
    refused: Vec<String>,
}

impl Subscribers {
    pub async fn run(&self, config: Config, json: bool) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        let result = match self {
            Self::List(which) => list(&store, &config, which, json).await,
            Self::Export(which) => export(&store, &config, which).await,
            Self::Add(add) => add.run(&store, &config).await,
            Self::Import(import) => import.run(&store, &config, json).await,
            Self::Remove { address } => remove(&store, address).await,
            Self::Suppress(suppress) => suppress.run(&store, json).await,
            Self::Unsuppress { address } => suppression::unsuppress(&store, address).await,
        };
        store.close().await;
        result
    }
}

async fn each(
    store: &Store,
    config: &Config,
    which: &Which,
    mut visit: impl FnMut(Listed) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let newsletter = which.newsletter.as_deref().map(|name| output::newsletter(config, Some(name))).transpose()?;
    let mut after = None;
    loop {
        let page = store.list(newsletter.map(|n| &n.id), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.subscription.bucket, last.subscription.subscriber));
        page.into_iter().try_for_each(&mut visit)?;
    }
}

fn line(listed: Listed) -> Line {
    let Listed { subscription, suppressed } = listed;
    Line {
        newsletter: subscription.newsletter.to_string(),
        cadence: subscription.cadence.to_string(),
        address: subscription.address.map(|address| address.expose().to_owned()),
        state: subscription.state,
        suppressed,
        confirmed_at: subscription.confirmed_at,
        fields: subscription.fields,
    }
}

async fn list(store: &Store, config: &Config, which: &Which, json: bool) -> anyhow::Result<ExitCode> {
    let mut lines = Vec::new();
    each(store, config, which, |listed| {
        lines.push(line(listed));
        Ok(())
    })
    .await?;
    if json {
        output::json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in &lines {
        let address = line.address.as_deref().unwrap_or("(removed)");
        let suppressed = line.suppressed.as_ref().map(|why| format!(", suppressed: {why}")).unwrap_or_default();
        println!("{address:40} {}/{} {}{suppressed}", line.newsletter, line.cadence, line.state.as_str());
    }
    println!("{}", output::count(lines.len(), "subscription"));
    Ok(ExitCode::SUCCESS)
}

async fn export(store: &Store, config: &Config, which: &Which) -> anyhow::Result<ExitCode> {
    let which_one =
        |newsletter: &&Newsletter| which.newsletter.as_deref().is_none_or(|name| newsletter.id.as_str() == name);
    let names = config.newsletters.iter().filter(which_one).flat_map(|newsletter| &newsletter.fields);
    let names: BTreeSet<&str> = names.map(FieldName::as_str).collect();
    let columns: String = names.iter().map(|name| format!(",{name}")).collect();
    println!("address,newsletter,cadence,confirmed_at{columns}");
    each(store, config, which, |listed| {
        let line = line(listed);
        if let (State::Confirmed, None, Some(address)) = (line.state, &line.suppressed, &line.address) {
            let at = line.confirmed_at.map(|at| at.to_rfc3339()).unwrap_or_default();
            let told = |name: &&str| format!(",{}", csv::write(line.fields.get(name).unwrap_or_default()));
            let told: String = names.iter().map(told).collect();
            // The first ones can hold no comma and no quote: addresses refuse them, names are slugs.
            println!("{address},{},{},{at}{told}", line.newsletter, line.cadence);
        }
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(store: &Store, address: &str) -> anyhow::Result<ExitCode> {
    let address = EmailAddress::parse(address)?;
    if !store.remove(&address, Clock::system().now()).await? {
        bail!("nobody with this address is known");
    }
    println!("removed: subscriptions ended, address erased");
    Ok(ExitCode::SUCCESS)
}

impl Target {
    fn resolve<'a>(&self, config: &'a Config) -> anyhow::Result<(&'a Newsletter, &'a Cadence)> {
        let newsletter = output::newsletter(config, self.newsletter.as_deref())?;
        let cadence = match &self.cadence {
            None => newsletter.cadences.first(),
            Some(name) => newsletter.cadences.iter().find(|cadence| cadence.id.as_str() == name),
        };
        let names = || newsletter.cadences.iter().map(|c| c.id.as_str()).collect::<Vec<_>>().join(", ");
        let cadence = cadence.with_context(|| format!("the newsletter has no such cadence; it has: {}", names()))?;
        Ok((newsletter, cadence))
    }

    fn consent(&self, source: ConsentSource) -> Consent {
        Consent { source, note: self.note.clone() }
    }
}

impl Add {
    async fn run(&self, store: &Store, config: &Config) -> anyhow::Result<ExitCode> {
        let (newsletter, cadence) = self.target.resolve(config)?;
        let address = EmailAddress::parse(&self.address).context("that is not a mail address")?;
        let consent = self.target.consent(ConsentSource::Operator);
        let added = store
            .add(&newsletter.id, &cadence.id, &address, &consent, Clock::system().now(), &Chance::system())
            .await?;
        if !added {
            bail!(
                "not added: the address is subscribed already, is suppressed, or its owner has unsubscribed; `tidings subscribers list` shows which"
            );
        }
        println!("added to {}/{}", newsletter.id, cadence.id);
        Ok(ExitCode::SUCCESS)
    }
}

impl Import {
    async fn run(&self, store: &Store, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
        let (newsletter, cadence) = self.target.resolve(config)?;
        let consent = self.target.consent(ConsentSource::Import);
        let text = csv::text(&self.file)?;
        let (clock, chance) = (Clock::system(), Chance::system());
        let progress = output::Progress::new("lines read");
        let (mut imported, mut seen) = (Imported::default(), HashSet::new());
        let mut columns: Vec<Option<&FieldName>> = Vec::new();
        for Record { line, cells, is_header } in csv::records(&text) {
            progress.at(line);
            if is_header {
                let field = |cell: &String| newsletter.fields.iter().find(|name| name.as_str() == cell.trim());
                columns = cells.iter().map(field).collect();
                continue;
            }
            match person(&cells, &columns) {
                Err(error) => imported.refused.push(format!("line {line}: {error}")),
                Ok((address, _)) if !seen.insert(address.key()) => imported.unchanged += 1,
                Ok((address, fields)) => {
                    let (newsletter, cadence) = (newsletter.id.clone(), cadence.id.clone());
                    let consent = consent.clone();
                    let request = Request { newsletter, cadence, address, now: clock.now(), consent, fields };
                    let added = store.admit(&request, &chance).await?;
                    *if added { &mut imported.added } else { &mut imported.unchanged } += 1;
                }
            }
        }
        drop(progress);
        report(&imported, json)
    }
}

/// Address and fields of a line. What is wrong is said without the address: it may be a person's.
fn person(cells: &[String], columns: &[Option<&FieldName>]) -> Result<(EmailAddress, Fields), String> {
    let first = cells.first().map(String::as_str).unwrap_or_default();
    let address = EmailAddress::parse(first).map_err(|error| error.to_string())?;
    let mut fields = Fields::default();
    for (name, cell) in columns.iter().zip(cells) {
        if let Some(name) = name {
            fields.set(name, cell).map_err(|error| error.to_string())?;
        }
    }
    Ok((address, fields))
}

fn report(imported: &Imported, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::json(imported)?;
    } else {
        for refused in &imported.refused {
            eprintln!("{refused}");
        }
        println!(
            "{} added, {} unchanged (known, suppressed or unsubscribed), {} refused",
            imported.added,
            imported.unchanged,
            imported.refused.len()
        );
    }
    Ok(if imported.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
