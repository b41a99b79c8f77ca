//! `tidings release`, `tidings dismiss` and `tidings mail`

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::output;
use crate::app;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Newsletter};
use crate::issue::news::Mail;
use crate::letters;
use crate::renderer::Templates;
use crate::store::{IssueMail, NewCorrection, Store};
use crate::types::MailingId;

#[derive(Debug, Subcommand)]
pub enum Issues {
    /// Let an issue that is held go out with the next digest.
    Release(Which),
    /// Decide that an issue is never mailed. It stays in feeds and archive.
    Dismiss(Which),
    /// Mail an issue of the archive with the next digest, or a correction of one that was mailed.
    Mail(Mailed),
}

/// The issue.
#[derive(Debug, Args)]
pub struct Which {
    /// Its slug, as in its URL and in `tidings status`; or its path, or its id.
    issue: String,
    /// The newsletter; may be left out when there is only one.
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
}

#[derive(Debug, Args)]
pub struct Mailed {
    #[command(flatten)]
    which: Which,
    /// Send the newest revision at once, marked as a correction, to everyone who had the issue.
    #[arg(long)]
    correction: bool,
}

impl Issues {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let store = app::open_store(&config).await?;
        let (Self::Release(which) | Self::Dismiss(which) | Self::Mail(Mailed { which, .. })) = self;
        let newsletter = output::newsletter(&config, which.newsletter.as_deref())?;
        let result = match find(&store, newsletter, &which.issue).await {
            Err(error) => Err(error),
            Ok(issue) => match self {
                Self::Release(_) => release(&store, newsletter, &issue).await,
                Self::Dismiss(_) => dismiss(&store, newsletter, &issue).await,
                Self::Mail(Mailed { correction: false, .. }) => mail(&store, newsletter, &issue).await,
                Self::Mail(_) => correct(&store, &config, newsletter, &issue).await,
            },
        };
        store.close().await;
        result.map(|()| ExitCode::SUCCESS)
    }
}

async fn find(store: &Store, newsletter: &Newsletter, name: &str) -> anyhow::Result<IssueMail> {
    store
        .find_issue(&newsletter.id, name)
        .await?
        .with_context(|| format!("{} has no issue {name:?}; its page's URL ends with the slug", newsletter.id))
}

async fn release(store: &Store, newsletter: &Newsletter, issue: &IssueMail) -> anyhow::Result<()> {
    match &issue.mail {
        Mail::Held(_) => {}
        Mail::Archive | Mail::Dismissed => {
            bail!("{} is not held; to mail it after all, use `tidings mail`", issue.slug)
        }
        Mail::News | Mail::Released => bail!("{} is not held: it goes out, or went out, with a digest", issue.slug),
    }
    store.release(&newsletter.id, &issue.issue, Clock::system().now()).await?;
    println!("released: {:?} goes out with the next digest", issue.title);
    Ok(())
}

async fn dismiss(store: &Store, newsletter: &Newsletter, issue: &IssueMail) -> anyhow::Result<()> {
    if !store.dismiss(&newsletter.id, &issue.issue).await? {
        bail!("nothing changed: {} would not have been mailed anyway", issue.slug);
    }
    println!("dismissed: {:?} is never mailed by itself; it stays in feeds and archive", issue.title);
    Ok(())
}

async fn mail(store: &Store, newsletter: &Newsletter, issue: &IssueMail) -> anyhow::Result<()> {
    if let Some(mailing) = issue.mailings.iter().find(|mailing| mailing.variant.is_empty()) {
        bail!(
            "{} was mailed already, in mailing {} of {}; an issue is mailed once. A correction: `tidings mail {} --correction`",
            issue.slug,
            mailing.mailing,
            mailing.cadence,
            issue.slug
        );
    }
    if !issue.published {
        bail!("{} was withdrawn: only a published issue can be mailed", issue.slug);
    }
    if !store.release(&newsletter.id, &issue.issue, Clock::system().now()).await? {
        bail!("nothing changed: {} goes out with the next digest anyway", issue.slug);
    }
    println!("{:?} goes out with the next digest of each cadence", issue.title);
    Ok(())
}

async fn correct(store: &Store, config: &Config, newsletter: &Newsletter, issue: &IssueMail) -> anyhow::Result<()> {
    let (revision, published) =
        store.issue_by_slug(&newsletter.id, issue.slug.as_str()).await?.context("the issue has no revision")?;
    if !published {
        bail!("{} was withdrawn: there is nothing to send", issue.slug);
    }
    let mailed: Vec<_> = issue.mailings.iter().filter(|mailing| mailing.variant.is_empty()).collect();
    if mailed.is_empty() {
        bail!("{} was never mailed, so there is nothing to correct", issue.slug);
    }
    let templates = Templates::load(config.templates.as_deref())?;
    let (now, chance) = (Clock::system().now(), Chance::system());
    let mut opened = 0;
    for mailing in mailed {
        let name = format!("mailing {} of {}", mailing.mailing, mailing.cadence);
        let cadence = newsletter.cadences.iter().find(|cadence| cadence.id == mailing.cadence);
        let Some(cadence) = cadence else {
            eprintln!("{name}: left out, the cadence is no longer configured");
            continue;
        };
        if !mailing.finished {
            eprintln!("{name}: left out, it is not finished; try again when it is");
            continue;
        }
        if mailing.number == revision.number {
            eprintln!("{name}: left out, the issue has not changed since");
            continue;
        }
        let base = &config.server.url;
        let correction = NewCorrection {
            mailing: MailingId::from_bytes(chance.bytes()?),
            corrects: mailing.mailing,
            issue: issue.issue.clone(),
            number: revision.number,
            letter: letters::correction(base, &templates, newsletter, cadence, &revision, now)?,
            now,
        };
        if store.open_correction(&correction).await? {
            println!("a correction goes to everyone who had {name}");
            opened += 1;
        } else {
            eprintln!("{name}: left out, this revision was sent as a correction already");
        }
    }
    if opened == 0 {
        bail!("nothing is sent");
    }
    Ok(())
}
