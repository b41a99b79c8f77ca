//! The command line: one file per verb. The only place that prints to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is what this layer is for

mod check;
mod config;
mod csv;
mod dkim;
mod doubt;
mod health;
mod issues;
mod mailings;
mod migrate;
mod output;
mod preview;
mod render;
mod schedule;
mod scratch;
mod send;
mod serve;
mod status;
mod subscribers;
mod suppression;
mod watch;
mod who;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// After so many turns of tasks a busy thread looks for events of sockets. tokio's 61 are for turns of microseconds: a connection that writes a message of
/// 40 KB takes tens of them, and replies of the relay would lie there for longer than they take to come.
const EVENTS: u32 = 8;

/// Turns a git repository of Markdown issues into feeds and mail.
///
/// Editors commit an issue; feed readers see it at once; confirmed subscribers get it as a digest on
/// their schedule. Start with `tidings serve` and open the addresses that it prints.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, max_term_width = 100)]
struct Arguments {
    /// Configuration file [default: config/tidings.toml if it is there, else the compiled-in defaults].
    ///
    /// The environment variable `TIDINGS_CONFIG` does the same, and each key can be overridden, as in
    /// `TIDINGS_SERVER__URL=https://news.example.org/`.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service: watch, publish, schedule and send.
    Serve(serve::Serve),
    /// Check the configuration and every document; the exit status is 1 when something is wrong.
    Check(check::Check),
    /// Write all feeds, pages and the newest mail as files, without a database.
    Render(render::Render),
    /// Show a document while it is written, as mail and page.
    Preview(preview::Preview),
    /// Send the newest digest to one address, to see what subscribers will see.
    Send(send::Send),
    /// Show issues, holds and mailings with their books.
    Status(status::Status),
    /// List, add, remove, import and export subscribers.
    #[command(subcommand)]
    Subscribers(subscribers::Subscribers),
    /// Say whom a mail was to, from its return path or its unsubscribe token.
    Who(who::Who),
    /// Make keys that sign mail, and show which do.
    #[command(subcommand)]
    Dkim(dkim::Dkim),
    /// Print the next occurrences of every cadence.
    Schedule(schedule::Schedule),
    /// Decide about an issue: release it, dismiss it, mail it after all.
    #[command(flatten)]
    Issues(issues::Issues),
    /// Pause, resume or cancel a mailing, or say how fast it goes.
    #[command(flatten)]
    Mailings(mailings::Mailings),
    /// List and settle messages of which nobody knows whether the relay took them.
    #[command(subcommand)]
    Doubt(doubt::Doubts),
    /// Print the effective configuration, secrets masked.
    Config(config::ShowConfig),
    /// Create the database or bring it up to date, and exit.
    Migrate(migrate::Migrate),
    /// Ask the running service whether it is well; for container health checks.
    Health(health::Health),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    crate::app::log_to_stderr(arguments.json);
    let config = match crate::config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(errors) => {
            for error in &errors {
                eprintln!("error: {error}");
            }
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENTS).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(run(arguments.verb, config, arguments.json));
    // Whoever still waits for a database that does not answer must not hold up the end: what it has in flight is in the ledger.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(verb: Verb, config: Config, json: bool) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Serve(verb) => verb.run(config).await,
        Verb::Check(verb) => verb.run(config, json).await,
        Verb::Render(verb) => verb.run(config).await,
        Verb::Preview(verb) => verb.run(config).await,
        Verb::Send(verb) => verb.run(config).await,
        Verb::Status(verb) => verb.run(config, json).await,
        Verb::Subscribers(verb) => verb.run(config, json).await,
        Verb::Who(verb) => verb.run(config, json).await,
        Verb::Dkim(verb) => verb.run(&config, json),
        Verb::Schedule(verb) => verb.run(&config, json),
        Verb::Issues(verb) => verb.run(config).await,
        Verb::Mailings(verb) => verb.run(config).await,
        Verb::Doubt(verb) => verb.run(config, json).await,
        Verb::Config(verb) => verb.run(&config, json),
        Verb::Migrate(verb) => verb.run(config).await,
        Verb::Health(verb) => verb.run(&config).await,
    }
}
