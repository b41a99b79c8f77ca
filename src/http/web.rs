//! What every handler is given, and what it finds there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::Instant;

use super::archive::Archives;
use super::clients::{self, Clients, Peer};
use super::error::Error;
use super::feeds::Cache;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::content::Source;
use crate::renderer::Templates;
use crate::store::Store;
use crate::transport::Outbox;
use crate::types::NewsletterId;

/// The web face's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    templates: Arc<Templates>,
    config: Arc<Config>,
    clock: Clock,
    chance: Chance,
    sources: BTreeMap<NewsletterId, Arc<Source>>,
    feeds: Cache,
    forms: Clients,
    archives: Archives,
    /// Whether pages are written as files, with nobody behind them who answers.
    still: bool,
}

impl Web {
    /// Joins the opened ports; nothing is read yet.
    #[must_use]
    pub fn new(
        store: Store,
        templates: Arc<Templates>,
        config: Arc<Config>,
        clock: Clock,
        chance: Chance,
        sources: BTreeMap<NewsletterId, Arc<Source>>,
    ) -> Self {
        let feeds = Cache::new(&config);
        Self(Arc::new(Shared {
            store,
            templates,
            config,
            clock,
            chance,
            sources,
            feeds,
            forms: Clients::new(clients::FORM),
            archives: Archives::default(),
            still: false,
        }))
    }

    /// For files on a static host: pages without forms, which nobody would answer there.
    #[must_use]
    pub fn still(self) -> Self {
        let Shared { store, templates, config, clock, chance, sources, .. } = &*self.0;
        Self(Arc::new(Shared {
            store: store.clone(),
            templates: Arc::clone(templates),
            config: Arc::clone(config),
            clock: clock.clone(),
            chance: chance.clone(),
            sources: sources.clone(),
            feeds: Cache::new(config),
            forms: Clients::new(clients::FORM),
            archives: Archives::default(),
            still: true,
        }))
    }

    /// Whether a client may send the form; if not, how long it should wait.
    pub(super) fn admit_form(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Duration> {
        match clients::client(peer, headers, self.config().server.client_header.as_deref()) {
            Some(client) => self.0.forms.admit(client, 0, Instant::now()),
            None => Ok(()),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn templates(&self) -> &Templates {
        &self.0.templates
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn chance(&self) -> &Chance {
        &self.0.chance
    }

    pub(super) fn feeds(&self) -> &Cache {
        &self.0.feeds
    }

    pub(super) fn archives(&self) -> &Archives {
        &self.0.archives
    }

    /// Whether nobody answers forms.
    pub(super) fn is_still(&self) -> bool {
        self.0.still
    }

    /// The newsletter that a path names.
    pub(super) fn newsletter(&self, name: &str) -> Result<&config::Newsletter, Error> {
        let named = |newsletter: &&config::Newsletter| newsletter.id.as_str() == name;
        self.config().newsletters.iter().find(named).ok_or(Error::NotFound)
    }

    /// Where the newsletter's files are.
    pub(super) fn source(&self, newsletter: &NewsletterId) -> Result<&Source, Error> {
        self.0.sources.get(newsletter).map(Arc::as_ref).ok_or(Error::NotFound)
    }

    /// The outbox, when mail goes there.
    pub(super) fn outbox(&self) -> Result<Outbox, Error> {
        match &self.config().mail.transport {
            config::Transport::Outbox(directory) => Ok(Outbox::new(directory)),
            config::Transport::Smtp(_) => Err(Error::NoOutbox),
        }
    }

    /// The path of `server.url`: where the public routes begin. Ends with `/`.
    pub(super) fn root(&self) -> &str {
        self.config().server.url.path()
    }

    /// What follows [`Self::root`] in a path.
    pub(super) fn below_root<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.root())
    }

    /// The public path of the style sheet.
    pub(super) fn style_path(&self) -> String {
        format!("{}{}", self.root(), self.templates().style_name())
    }
}
