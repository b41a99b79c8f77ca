//! `tidings serve`

use std::process::ExitCode;

use clap::Args;

use crate::app::{self, App, Listeners, Role};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Transport};
use crate::http::serve::bind;
use crate::site;

/// Run the service until SIGTERM or Ctrl-C.
///
/// One process does everything by default. With PostgreSQL, any number of processes can share the work, each with some of the roles.
#[derive(Debug, Args)]
pub struct Serve {
    /// What this process does.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "ROLE,...",
        default_value = "web,watcher,scheduler,sender,distributor,receiver"
    )]
    roles: Vec<Role>,
}

impl Serve {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let mut listeners = Listeners::default();
        if self.roles.contains(&Role::Web) {
            listeners.public = Some(bind(config.server.public, "server.public").await?);
        }
        listeners.private = Some(bind(config.server.private, "server.private").await?);
        let stop = app::stop_on_signal()?;
        let app = App::open(config, Clock::system(), Chance::system()).await?;
        greet(&app.config, &listeners)?;
        app.serve(&self.roles, listeners, stop).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The addresses to open.
fn greet(config: &Config, listeners: &Listeners) -> anyhow::Result<()> {
    println!("Tidings {}", env!("CARGO_PKG_VERSION"));
    if listeners.public.is_some() {
        for newsletter in &config.newsletters {
            println!("  {:<24} {}", newsletter.title, site::home(&config.server.url, &newsletter.id));
        }
    }
    if let Some(private) = &listeners.private {
        let address = private.local_addr()?;
        println!("  {:<24} http://{address}/status", "Status (private)");
        if let Transport::Outbox(_) = config.mail.transport {
            println!("  {:<24} http://{address}/outbox/", "Outbox (private)");
        }
    }
    println!("Stop with Ctrl-C.");
    Ok(())
}
