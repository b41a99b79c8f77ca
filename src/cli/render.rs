//! `tidings render`

mod site;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use self::site::Files;
use super::output;
use super::scratch::Scratch;
use crate::app::App;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Newsletter};
use crate::letters;
use crate::types::Secret;

/// Write the whole site (pages, feeds, images) and the newest digest as files, without a database.
///
/// Any file server can show them: they are what `serve` would answer with, but for what needs someone who answers: the forms to
/// subscribe and to search, and the built-in hub. Files of an earlier run that are not part of the site any more are removed;
/// others stay untouched.
#[derive(Debug, Args)]
pub struct Render {
    /// Directory for the files; created when missing.
    outdir: PathBuf,
}

impl Render {
    pub async fn run(&self, mut config: Config) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.outdir).with_context(|| format!("cannot create {}", self.outdir.display()))?;
        let scratch = Scratch::new(&self.outdir);
        // A file server takes no subscriptions.
        config.websub.hub = false;
        config.database.url = Secret::new(scratch.url());
        let app = App::open(config, Clock::system(), Chance::system()).await?;
        let result = self.write(&app).await;
        app.store.close().await;
        drop(scratch);
        println!("{} written to {}", output::count(result?, "file"), self.outdir.display());
        Ok(ExitCode::SUCCESS)
    }

    async fn write(&self, app: &App) -> anyhow::Result<usize> {
        for mut watcher in app.watchers() {
            let name = watcher.newsletter().id.clone();
            let tick = output::waiting(&format!("reading {name}"), watcher.tick(app.clock.now())).await;
            let tick = tick.with_context(|| name.to_string())?;
            for finding in tick.held {
                eprintln!("held: {finding}");
            }
        }
        let mut files = Files::open(&self.outdir)?;
        site::write(app, &mut files).await?;
        for newsletter in &app.config.newsletters {
            mail(app, newsletter, &mut files).await?;
        }
        files.finish()
    }
}

/// The digest of the newest issue, as `mail.eml`, `mail.html` and `mail.txt`.
async fn mail(app: &App, newsletter: &Newsletter, files: &mut Files) -> anyhow::Result<()> {
    let issues = app.store.newest_revisions(&newsletter.id, 1).await?;
    let (Some(issue), Some(cadence)) = (issues.first(), newsletter.cadences.first()) else { return Ok(()) };
    let date = issue.date.to_utc();
    let letter = letters::digest(&app.config.server.url, &app.templates, newsletter, cadence, &issues, date)?;
    let message = letters::sample(&letter, app.store.key(), &app.signers, app.store.buckets())?;
    let below = |name: &str| format!("{}/{name}", newsletter.id);
    files.put(&below("mail.eml"), &message.bytes())?;
    files.put(&below("mail.html"), letters::shown(&letter.html).as_bytes())?;
    files.put(&below("mail.txt"), letters::shown(&letter.text).as_bytes())?;
    Ok(())
}
