//! `[mail.smtp]` and `[mail.relays.NAME]`: the relays.

use std::time::Duration;

use url::{Host, Url};

use super::super::model::{Login, Protocol, Smtp, Tls};
use super::super::reader::{Found, Reader};
use super::super::values::{self, Problem};
use crate::types::Secret;

/// The name of the relay of `[mail.smtp]`.
const DEFAULT: &str = "smtp";

/// Reads the relays; `chosen` is the key that asks for one, and `None` when none is asked for. A relay that is described
/// but not chosen is read too: a slip should show before the day it is chosen.
pub(super) fn relays(r: &mut Reader<'_>, chosen: Option<Found<'_>>, url: Option<&Url>) -> Option<Vec<Smtp>> {
    let names = r.names("mail.relays");
    let mut read = Vec::new();
    if r.find(&["mail.smtp.host", "mail.smtp.socket"]).is_some() || (names.is_empty() && chosen.is_some()) {
        read.push(Relay { section: "mail.smtp".to_owned(), name: DEFAULT.to_owned() }.read(r, chosen, url));
    }
    for name in names {
        let section = format!("mail.relays.{name}");
        if name == DEFAULT {
            let remedy = "Give it another name; that one means the relay of [mail.smtp].";
            r.refuse_section(&section, "a relay cannot have this name", remedy);
            read.push(None);
            continue;
        }
        read.push(Relay { section, name }.read(r, None, url));
    }
    read.into_iter().collect()
}

/// One relay's section.
struct Relay {
    section: String,
    name: String,
}

impl Relay {
    fn own(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }

    /// A key of the relay, else the same key of `[mail.smtp]`. Where a relay is, and who we are there, is never inherited: a
    /// password would go to a stranger.
    fn both(&self, key: &str) -> [String; 2] {
        [self.own(key), format!("mail.smtp.{key}")]
    }

    fn read(&self, r: &mut Reader<'_>, chosen: Option<Found<'_>>, url: Option<&Url>) -> Option<Smtp> {
        let protocols = [("smtp", Protocol::Smtp), ("lmtp", Protocol::Lmtp)];
        let [own, default] = self.both("protocol");
        let protocol = r.must(&[&own, &default], |text| values::choice(text, &protocols));
        let socket = r.may(&[&self.own("socket")], values::path);
        let on_socket = socket.as_ref().is_some_and(Option::is_some);
        let host = self.host(r, chosen, on_socket);
        // What passes through a socket of this machine needs no encryption.
        let tls = if on_socket { Some(Tls::None) } else { self.tls(r, host.as_deref()) };
        let port = match r.find(&[&self.own("port")]) {
            Some(found) => r.number(found, 1..=65_535),
            None => tls.map(|tls| usual_port(protocol, tls)),
        };
        let [own, default] = self.both("chunking");
        let chunking = r.must(&[&own, &default], |text| values::choice(text, &[("no", false), ("offered", true)]));
        let weight = match r.find(&[&self.own("weight")]) {
            Some(found) => r.number(found, 1..=1_000_000).map(Some),
            None => Some(None),
        };
        let login = self.login(r);
        let [own, default] = self.both("connections");
        let connections = r.need(&[&own, &default]).and_then(|found| r.number(found, 1..=100));
        let [own, default] = self.both("messages");
        let messages = r.need(&[&own, &default]).and_then(|found| r.number(found, 1..=1_000_000));
        let rate = r.may(&[&self.own("rate")], values::rate);
        let warm_up = match r.find(&[&self.own("warm_up")]) {
            Some(_) => r.list(&[&self.own("warm_up")], values::day),
            None => Some(Vec::new()),
        };
        let [own, default] = self.both("idle");
        let idle = r.must(&[&own, &default], values::duration);
        let [own, default] = self.both("hello");
        let hello = r.may(&[&own, &default], values::hello);
        let [own, default] = self.both("timeout");
        let timeout = r.must(&[&own, &default], |text| values::at_least(Duration::from_secs(1), text));
        Some(Smtp {
            name: self.name.clone(),
            weight: weight?,
            protocol: protocol?,
            host: host?,
            port: port?,
            socket: socket?,
            tls: tls?,
            login: login?,
            chunking: chunking?,
            connections: connections?,
            messages: messages?,
            rate: rate?,
            warm_up: warm_up?,
            idle: idle?,
            hello: hello?.or_else(|| url.map(own_name))?,
            timeout: timeout?,
        })
    }

    /// The host; with a socket it is this machine.
    fn host(&self, r: &mut Reader<'_>, chosen: Option<Found<'_>>, socket: bool) -> Option<String> {
        match r.find(&[&self.own("host")]) {
            Some(found) if socket => {
                let remedy = "Remove one of the two; a socket is on this machine.";
                r.refuse(found, Problem::new("stands beside a socket", None, remedy));
                None
            }
            Some(found) => r.read(found, values::host),
            None if socket => Some("localhost".to_owned()),
            None => {
                r.missing(&self.own("host"), chosen);
                None
            }
        }
    }

    fn tls(&self, r: &mut Reader<'_>, host: Option<&str>) -> Option<Tls> {
        let [own, default] = self.both("tls");
        let found = r.need(&[&own, &default])?;
        let choices = [("starttls", Tls::Starttls), ("implicit", Tls::Implicit), ("none", Tls::None)];
        let tls = r.read(found, |text| values::choice(text, &choices))?;
        match host {
            Some(host) if tls == Tls::None && !values::is_loopback(host) => {
                let what = format!("would send mail and passwords to {host} in plain text");
                let inherited = found.key != own;
                let place = if inherited { format!(" as tls in [{}]", self.section) } else { String::new() };
                let remedy =
                    format!("Write \"starttls\" or \"implicit\"{place}; \"none\" is for a relay on this machine.");
                r.refuse(found, Problem::new(&what, None, remedy));
                None
            }
            _ => Some(tls),
        }
    }

    /// A user with a password or with a token, or neither.
    fn login(&self, r: &mut Reader<'_>) -> Option<Option<Login>> {
        let (user, password) = (r.find(&[&self.own("username")]), r.find(&[&self.own("password")]));
        let token = r.find(&[&self.own("token_path")]);
        match (user, password, token) {
            (None, None, None) => Some(None),
            (Some(_), Some(_), Some(token)) => {
                let remedy = "Remove one of the two.";
                r.refuse(token, Problem::new("stands beside a password", None, remedy));
                None
            }
            (Some(user), Some(password), None) => {
                let user = r.read(user, values::line);
                let password = r.read(password, |text| Ok(Secret::new(text)));
                Some(Some(Login::Password { user: user?, password: password? }))
            }
            (Some(user), None, Some(token)) => {
                let user = r.read(user, values::line);
                let path = r.read(token, values::path);
                Some(Some(Login::Token { user: user?, path: path? }))
            }
            (Some(user), None, None) => {
                let variable = self.own("password").replace('.', "__").replace('-', "_").to_uppercase();
                let remedy = format!("Set TIDINGS_{variable}_FILE to a file that holds it, or remove the user.");
                r.refuse(user, Problem::new("has no password", None, remedy));
                None
            }
            (None, Some(found), _) | (None, None, Some(found)) => {
                let which = if password.is_some() { "password" } else { "token" };
                let remedy = format!("Write {} too, or remove the {which}.", self.own("username"));
                r.refuse(found, Problem::new("has no user", None, remedy));
                None
            }
        }
    }
}

/// The ports of RFC 8314 section 3 and RFC 5321. LMTP must not be on port 25 (RFC 2033 section 5); 24 is what its servers use.
fn usual_port(protocol: Option<Protocol>, tls: Tls) -> u16 {
    match (protocol, tls) {
        (Some(Protocol::Lmtp), _) => 24,
        (_, Tls::Implicit) => 465,
        (_, Tls::Starttls) => 587,
        (_, Tls::None) => 25,
    }
}

/// The host of the public URL; an address becomes an address literal (RFC 5321 section 4.1.3).
fn own_name(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => format!("[{address}]"),
        Some(Host::Ipv6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}
