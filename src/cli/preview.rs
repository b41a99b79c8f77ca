//! `tidings preview`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use super::output;
use super::scratch::Scratch;
use crate::app::{self, App};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Newsletter, SourcePlace};
use crate::http::preview::{self, Look, Preview as Shown};
use crate::http::serve;
use crate::types::Secret;
use crate::watcher::{Tick, Watcher};

/// Show a document while it is written: the mail on every kind of screen, its text and source, and the page.
///
/// Reads the files as they lie there, committed or not, drafts too, and shows a change at once. Only this machine can open it; it needs
/// no database and sends nothing.
#[derive(Debug, Args)]
pub struct Preview {
    /// What to show first: the path of a document, or a part of its path or title. The newest issue unless set.
    issue: Option<String>,
    /// The newsletter; may be left out when there is only one.
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
    /// Where the content repository is checked out. Needed when the configuration names a repository on another machine.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// Port on 127.0.0.1; any free one unless set.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
}

/// Between two looks where no file notification comes.
const PAUSE: Duration = Duration::from_millis(500);

impl Preview {
    pub async fn run(&self, mut config: Config) -> anyhow::Result<ExitCode> {
        let newsletter = output::newsletter(&config, self.newsletter.as_deref())?.clone();
        let newsletter = self.as_edited(newsletter)?;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.context("the port cannot be opened")?;
        let scratch = Scratch::new(&std::env::temp_dir());
        config.database.url = Secret::new(scratch.url());
        config.server.url = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
        config.newsletters = vec![newsletter];
        println!("Preview  {}preview/", config.server.url);
        println!("Stop with Ctrl-C.");
        let app = App::open(config, Clock::system(), Chance::system()).await?;
        let stop = app::stop_on_signal()?;
        let (sender, looks) = watch::channel(Look::default());
        let watching: Vec<_> = app
            .watchers()
            .into_iter()
            .map(|watcher| tokio::spawn(look(watcher, app.clock.clone(), sender.clone(), stop.clone())))
            .collect();
        let shown = Shown { web: app.web(), looks, wanted: self.issue.clone() };
        serve::run(listener, preview::routes(shown), app::stopped(stop)).await;
        for task in watching {
            let _ = task.await;
        }
        app.store.close().await;
        Ok(ExitCode::SUCCESS)
    }

    /// The newsletter with its files as they lie there.
    fn as_edited(&self, mut newsletter: Newsletter) -> anyhow::Result<Newsletter> {
        let directory = match (&self.directory, &newsletter.source.place) {
            (Some(directory), _) => directory.clone(),
            (None, SourcePlace::Directory(directory)) => directory.clone(),
            (None, SourcePlace::Git { url, .. }) => {
                let directory = PathBuf::from(url.expose());
                if !directory.join(".git").exists() {
                    bail!(
                        "the source of {} is not a working tree on this machine; name yours: tidings preview --directory DIRECTORY",
                        newsletter.id
                    );
                }
                directory
            }
        };
        newsletter.source.place = SourcePlace::Directory(directory);
        newsletter.publish_future = true;
        newsletter.publish_drafts = true;
        // The project's own site does not have the issue yet, nor its images.
        newsletter.permalink = None;
        newsletter.pages = None;
        // And an editor's machine has no keys to sign with.
        newsletter.dkim.keys.clear();
        Ok(newsletter)
    }
}

/// Looks at the source until told to stop, and tells what it saw.
async fn look(mut watcher: Watcher, clock: Clock, looks: watch::Sender<Look>, stop: watch::Receiver<bool>) {
    loop {
        match watcher.tick(clock.now()).await {
            Ok(tick) => {
                looks.send_if_modified(|look| {
                    let news = tick != Tick::default() || look.failed.is_some();
                    *look = Look { number: look.number + u64::from(news), failed: None };
                    news
                });
            }
            Err(error) => {
                let failed = Some(error.to_string());
                looks.send_if_modified(|look| {
                    let news = look.failed != failed;
                    *look = Look { number: look.number + u64::from(news), failed: failed.clone() };
                    news
                });
            }
        }
        tokio::select! {
            () = app::stopped(stop.clone()) => return,
            () = tokio::time::sleep(PAUSE) => {}
            () = watcher.changed() => {}
        }
    }
}
