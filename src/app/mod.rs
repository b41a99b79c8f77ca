//! Wiring: opens the ports, starts the roles, and shuts them down in order.

mod keys;
mod loops;

pub use keys::signers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

pub use self::loops::stopped;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::content::Source;
use crate::distributor::{self, Distributor};
use crate::feed::Format;
use crate::housekeeper::Housekeeper;
use crate::http::{self, Web};
use crate::hub::Outside;
use crate::mailbox::Maildir;
use crate::message::Signers;
use crate::receiver::Receiver;
use crate::renderer::Templates;
use crate::scheduler::Scheduler;
use crate::sender::{self, Lane, Sender};
use crate::site;
use crate::store::Store;
use crate::transport::Transport;
use crate::types::{NewsletterId, NodeId};
use crate::watcher::{Pages, Watcher};
use crate::websub::address::Guard;

/// What a process can do. Nodes of a large install each do some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Pages, feeds and subscriptions.
    Web,
    /// Reads the content sources and publishes.
    Watcher,
    /// Opens mailings at their occurrences.
    Scheduler,
    /// Delivers.
    Sender,
    /// Tells readers and hubs that a feed changed.
    Distributor,
    /// Reads the inbox: bounces, complaints and requests to unsubscribe. Does nothing without `mail.inbox`.
    Receiver,
}

/// How long a shutdown waits for what is in flight; a container runtime kills after 30 s or less by default.
const DRAIN: Duration = Duration::from_secs(25);

/// The opened ports of one process.
#[derive(Debug)]
pub struct App {
    /// What it was told.
    pub config: Arc<Config>,
    /// The database.
    pub store: Store,
    /// Pages and mails.
    pub templates: Arc<Templates>,
    /// The content source of each newsletter.
    pub sources: BTreeMap<NewsletterId, Arc<Source>>,
    /// The built site of each newsletter that takes pages from one.
    pub pages: BTreeMap<NewsletterId, Arc<Source>>,
    /// What signs mail.
    pub signers: Arc<Signers>,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub chance: Chance,
}

/// Sends the log to standard error, filtered by `TIDINGS_LOG`.
pub fn log_to_stderr(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::new(config::log_filter().unwrap_or_else(|| "info,sqlx=warn".to_owned()));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    // A second call (tests do that) finds a log in place, which is fine.
    let _ = if json { log.json().try_init() } else { log.try_init() };
}

/// Opens the database that the configuration names.
///
/// # Errors
/// In words, with the remedy.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&config.database.url, &Chance::system()).await?)
}

/// Opens the content sources; nothing is read yet.
///
/// # Errors
/// When a pattern of a source is not one.
pub fn open_sources(config: &Config) -> anyhow::Result<BTreeMap<NewsletterId, Arc<Source>>> {
    let mut sources = BTreeMap::new();
    for newsletter in &config.newsletters {
        let mirror = config.data.join("mirrors").join(newsletter.id.as_str());
        let source = Source::open(&newsletter.source, &mirror).with_context(|| newsletter.id.to_string())?;
        sources.insert(newsletter.id.clone(), Arc::new(source));
    }
    Ok(sources)
}

/// Opens the built sites of the newsletters that take pages from one; nothing is read yet.
///
/// # Errors
/// When the place of one cannot be used at all.
pub fn open_pages(config: &Config) -> anyhow::Result<BTreeMap<NewsletterId, Arc<Source>>> {
    let mut sites = BTreeMap::new();
    for newsletter in &config.newsletters {
        let Some(pages) = &newsletter.pages else { continue };
        let mirror = config.data.join("mirrors").join(format!("{}.pages", newsletter.id));
        let source = Source::open(&pages.source, &mirror).with_context(|| newsletter.id.to_string())?;
        sites.insert(newsletter.id.clone(), Arc::new(source));
    }
    Ok(sites)
}

impl App {
    /// Opens everything that must be there from the start: templates and database. Sources and relays may come later.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub async fn open(config: Config, clock: Clock, chance: Chance) -> anyhow::Result<Self> {
        let templates = Arc::new(Templates::load(config.templates.as_deref())?);
        let (sources, pages) = (open_sources(&config)?, open_pages(&config)?);
        let signers = Arc::new(signers(&config)?);
        let store = Store::open(&config.database.url, &chance).await?;
        Ok(Self { config: Arc::new(config), store, templates, sources, pages, signers, clock, chance })
    }

    /// The web face.
    #[must_use]
    pub fn web(&self) -> Web {
        Web::new(
            self.store.clone(),
            Arc::clone(&self.templates),
            Arc::clone(&self.config),
            self.clock.clone(),
            self.chance.clone(),
            self.sources.clone(),
        )
    }

    /// One watcher for each newsletter.
    #[must_use]
    pub fn watchers(&self) -> Vec<Watcher> {
        let watcher = |newsletter: &config::Newsletter| {
            let source = Arc::clone(self.sources.get(&newsletter.id)?);
            let pages = self.pages.get(&newsletter.id).and_then(|site| Pages::new(newsletter, site));
            let base = self.config.server.url.clone();
            let templates = Arc::clone(&self.templates);
            Some(Watcher::new(self.store.clone(), source, newsletter.clone(), base, templates).with_pages(pages))
        };
        self.config.newsletters.iter().filter_map(watcher).collect()
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        Scheduler {
            store: self.store.clone(),
            templates: Arc::clone(&self.templates),
            config: Arc::clone(&self.config),
            chance: self.chance.clone(),
        }
    }

    /// The sender.
    ///
    /// # Errors
    /// When there is no randomness for the id of this run.
    pub fn sender(&self, stop: watch::Receiver<bool>) -> anyhow::Result<Sender> {
        Ok(Sender::new(sender::Parts {
            store: self.store.clone(),
            transports: Transport::all(&self.config.mail),
            relays: self.config.newsletters.iter().map(|one| (one.id.clone(), one.relays.clone())).collect(),
            domains: self.config.mail.domains.clone(),
            signers: Arc::clone(&self.signers),
            in_doubt: self.config.mail.in_doubt,
            patience: self.config.mail.patience,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            node: NodeId::from_bytes(self.chance.bytes()?),
            stop,
        }))
    }

    /// The distributor, which takes feeds from this web face.
    ///
    /// # Errors
    /// When there is no randomness for the id of this run.
    pub fn distributor(&self, web: &Web) -> anyhow::Result<Distributor> {
        let Config { server, websub, newsletters, .. } = &*self.config;
        let feed = |id: &NewsletterId, format: Format| site::feed(&server.url, id, format.file_name()).to_string();
        Ok(Distributor::new(distributor::Parts {
            store: self.store.clone(),
            outside: Outside::new(Guard::new(websub.allow_networks.clone()), &server.url),
            feeds: http::feeds(web),
            other_hubs: websub.other_hubs.clone(),
            pinged: newsletters.iter().flat_map(|one| Format::ALL.map(|format| feed(&one.id, format))).collect(),
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            node: NodeId::from_bytes(self.chance.bytes()?),
        }))
    }

    /// The housekeeper.
    #[must_use]
    pub fn housekeeper(&self) -> Housekeeper {
        Housekeeper { store: self.store.clone() }
    }

    /// The receiver, if there is an inbox.
    #[must_use]
    pub fn receiver(&self) -> Option<Receiver> {
        let maildir = Maildir::new(self.config.mail.inbox.as_deref()?);
        let newsletters = self.config.newsletters.iter().map(|newsletter| newsletter.id.clone()).collect();
        Some(Receiver { store: self.store.clone(), maildir, newsletters })
    }

    /// Runs the roles until `stop` turns true, then finishes what is in flight.
    ///
    /// # Errors
    /// When a role cannot start.
    pub async fn serve(self, roles: &[Role], listeners: Listeners, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        let web = self.web();
        let news = Arc::new(Notify::new());
        if roles.contains(&Role::Distributor) {
            let distributor = self.distributor(&web)?;
            tasks.spawn(loops::distribute(distributor, self.clock.clone(), Arc::clone(&news), stop.clone()));
        }
        if let Some(public) = listeners.public {
            tasks.spawn(http::serve::run(public, http::front(web.clone()), stopped(stop.clone())));
        }
        if let Some(private) = listeners.private {
            tasks.spawn(http::serve::run(private, http::private(web), stopped(stop.clone())));
        }
        if roles.contains(&Role::Watcher) {
            for watcher in self.watchers() {
                let (clock, chance, news) = (self.clock.clone(), self.chance.clone(), Arc::clone(&news));
                tasks.spawn(loops::watch_source(watcher, clock, chance, news, stop.clone()));
            }
        }
        if roles.contains(&Role::Scheduler) {
            tasks.spawn(loops::keep_schedule(self.scheduler(), self.clock.clone(), stop.clone()));
        }
        if let Some(receiver) = self.receiver().filter(|_| roles.contains(&Role::Receiver)) {
            tasks.spawn(loops::receive(receiver, self.clock.clone(), stop.clone()));
        }
        if roles.contains(&Role::Sender) {
            let sender = Arc::new(self.sender(stop.clone())?);
            // Digests twice: the next batch begins while the last replies to one come in.
            for lane in [Lane::Confirmations, Lane::Digests, Lane::Digests] {
                for crew in 0..sender.crews() {
                    tasks.spawn(loops::send(Arc::clone(&sender), lane, crew, stop.clone()));
                }
            }
            tasks.spawn(loops::keep_house(self.housekeeper(), self.clock.clone(), stop.clone()));
        }
        tokio::select! {
            () = stopped(stop.clone()) => {}
            // A role that ends by itself has panicked: better a restart than a service that lacks a part. One that ends because it was told
            // to is no failure, and it may be seen before the order is: so the order is looked at, and not which of the two came first.
            Some(ended) = tasks.join_next() => if !*stop.borrow() {
                tasks.shutdown().await;
                self.store.close().await;
                ended.context("a role failed; this is a bug")?;
                anyhow::bail!("a role ended by itself; this is a bug");
            }
        }
        let drained = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(
                "some work did not end within {} s and is cut off; the ledger lists what is in doubt",
                DRAIN.as_secs()
            );
            tasks.abort_all();
        }
        self.store.close().await;
        Ok(())
    }
}

/// The bound ports of a process.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For readers; only with [`Role::Web`].
    pub public: Option<TcpListener>,
    /// For operators; always, so that every node can be asked for its health.
    pub private: Option<TcpListener>,
}

/// Waits for SIGTERM or SIGINT, then turns the returned channel true. A second signal ends the process at once.
///
/// # Errors
/// When the system refuses to deliver signals.
pub fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut first = true;
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if !first {
                std::process::exit(130);
            }
            first = false;
            tracing::info!("stopping: what is in flight is finished first");
            let _ = sender.send(true);
        }
    });
    Ok(receiver)
}
