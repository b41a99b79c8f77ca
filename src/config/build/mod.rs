//! Makes the sections of the configuration from the settings. A section reads all its keys before it gives up, so
//! that an operator sees every error of it at once.

mod identity;
mod mail;
mod newsletter;
mod relay;

use std::path::PathBuf;

use super::model::{Database, Mail, Newsletter, Server, Transport, WebSub};
use super::reader::Reader;
use super::values::{self, Problem};
use crate::types::Secret;

/// What the file says, section by section.
pub(super) struct Sections {
    pub(super) server: Server,
    pub(super) websub: WebSub,
    pub(super) database: Database,
    pub(super) mail: Mail,
    pub(super) templates: Option<PathBuf>,
    pub(super) data: PathBuf,
    pub(super) newsletters: Vec<Newsletter>,
}

/// Reads everything; `None` when an error is on record.
pub(super) fn sections(r: &mut Reader<'_>) -> Option<Sections> {
    let server = server(r);
    let websub = websub(r);
    let database = r.must(&["database.url"], values::database_url).map(|url| Database { url: Secret::new(url) });
    let mail = mail::mail(r, server.as_ref().map(|server| &server.url));
    let templates = r.may(&["templates.directory"], values::path);
    let data = r.must(&["data.directory"], values::path);
    // Relays that do not read make no newsletter wrong.
    let relays: Option<Vec<&str>> = mail.as_ref().map(|mail| match &mail.transport {
        Transport::Smtp(relays) => relays.iter().map(|relay| relay.name.as_str()).collect(),
        Transport::Outbox(_) => Vec::new(),
    });
    let newsletters = newsletter::newsletters(r, relays.as_deref().filter(|names| !names.is_empty()));
    Some(Sections {
        server: server?,
        websub: websub?,
        database: database?,
        mail: mail?,
        templates: templates?,
        data: data?,
        newsletters: newsletters?,
    })
}

fn server(r: &mut Reader<'_>) -> Option<Server> {
    let public = r.must(&["server.public"], values::listen);
    let private = r.must(&["server.private"], values::listen);
    let url = r.must(&["server.url"], values::base_url);
    let client_header = r.may(&["server.client_header"], values::header_name);
    let (public, private) = (public?, private?);
    if public == private
        && public.port() != 0
        && let Some(found) = r.find(&["server.private"])
    {
        let remedy = "Give the private listener another port; what it shows is not for readers.";
        r.refuse(found, Problem::new("is the address of server.public too", None, remedy));
    }
    Some(Server { public, private, url: url?, client_header: client_header? })
}

fn websub(r: &mut Reader<'_>) -> Option<WebSub> {
    let hub = r.must(&["websub.hub"], |text| values::choice(text, &[("on", true), ("off", false)]));
    let other_hubs = r.list(&["websub.other_hubs"], values::other_hub);
    let allow_networks = r.list(&["websub.allow_networks"], values::network);
    Some(WebSub { hub: hub?, other_hubs: other_hubs?, allow_networks: allow_networks? })
}
