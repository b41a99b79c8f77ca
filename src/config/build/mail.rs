//! `[mail]` and below.

use std::time::Duration;

use url::{Host, Url};

use super::super::model::{InDoubt, Mail, Smtp, Tls, Transport};
use super::super::reader::{Found, Reader};
use super::super::values::{self, Problem};
use crate::delivery::Patience;
use crate::types::Secret;

/// Reads `[mail]`. `url` is the public URL, whose host greets the relay unless told otherwise.
pub(super) fn mail(r: &mut Reader<'_>, url: Option<&Url>) -> Option<Mail> {
    let chosen = r.need(&["mail.transport"]);
    let smtp_chosen =
        chosen.and_then(|found| r.read(found, |text| values::choice(text, &[("outbox", false), ("smtp", true)])));
    let in_doubt = r
        .must(&["mail.in_doubt"], |text| values::choice(text, &[("resend", InDoubt::Resend), ("hold", InDoubt::Hold)]));
    let patience = patience(r);
    let outbox = r.must(&["mail.outbox.directory"], values::path);
    // A relay that is described but not chosen is read too: a slip should show before the day it is chosen.
    let wanted = smtp_chosen == Some(true) || r.find(&["mail.smtp.host"]).is_some();
    let smtp = if wanted { smtp(r, chosen, url) } else { None };
    let transport = if smtp_chosen? { Transport::Smtp(smtp?) } else { Transport::Outbox(outbox?) };
    Some(Mail { transport, in_doubt: in_doubt?, patience: patience? })
}

fn patience(r: &mut Reader<'_>) -> Option<Patience> {
    let first_found = r.need(&["mail.retry_first"]);
    let most_found = r.need(&["mail.retry_most"]);
    let first = first_found.and_then(|found| r.read(found, values::duration));
    let most = most_found.and_then(|found| r.read(found, values::duration));
    let period = r.must(&["mail.retry_period"], values::duration);
    let (first_found, most_found) = (first_found?, most_found?);
    let (first, most, period) = (first?, most?, period?);
    let mut shorter = |found, what: &str| {
        let remedy =
            "Write retry_first, retry_most and retry_period so that each is at least as long as the one before.";
        r.refuse(found, Problem::new(what, None, remedy));
        None
    };
    if first < Duration::from_secs(1) {
        return shorter(first_found, "is less than a second, which would hammer the relay");
    }
    if first > most {
        return shorter(first_found, "is longer than mail.retry_most");
    }
    if most > period {
        return shorter(most_found, "is longer than mail.retry_period");
    }
    Some(Patience { first, most, period })
}

fn smtp(r: &mut Reader<'_>, chosen: Option<Found<'_>>, url: Option<&Url>) -> Option<Smtp> {
    let host = match r.find(&["mail.smtp.host"]) {
        Some(found) => r.read(found, values::host),
        None => {
            r.missing("mail.smtp.host", chosen);
            None
        }
    };
    let tls = tls(r, host.as_deref());
    let port = match r.find(&["mail.smtp.port"]) {
        Some(found) => r.number(found, 1..=65_535),
        None => tls.map(usual_port),
    };
    let login = login(r);
    let connections = r.need(&["mail.smtp.connections"]).and_then(|found| r.number(found, 1..=100));
    let messages = r.need(&["mail.smtp.messages"]).and_then(|found| r.number(found, 1..=1_000_000));
    let rate = r.may(&["mail.smtp.rate"], values::rate);
    let idle = r.must(&["mail.smtp.idle"], values::duration);
    let hello = r.may(&["mail.smtp.hello"], values::hello);
    let timeout = r.must(&["mail.smtp.timeout"], |text| values::at_least(Duration::from_secs(1), text));
    Some(Smtp {
        host: host?,
        port: port?,
        tls: tls?,
        login: login?,
        connections: connections?,
        messages: messages?,
        rate: rate?,
        idle: idle?,
        hello: hello?.or_else(|| url.map(own_name))?,
        timeout: timeout?,
    })
}

fn tls(r: &mut Reader<'_>, host: Option<&str>) -> Option<Tls> {
    let found = r.need(&["mail.smtp.tls"])?;
    let choices = [("starttls", Tls::Starttls), ("implicit", Tls::Implicit), ("none", Tls::None)];
    let tls = r.read(found, |text| values::choice(text, &choices))?;
    match host {
        Some(host) if tls == Tls::None && !values::is_loopback(host) => {
            let what = format!("would send mail and passwords to {host} in plain text");
            let remedy = "Write \"starttls\" or \"implicit\"; \"none\" is for a relay on this machine.";
            r.refuse(found, Problem::new(&what, None, remedy));
            None
        }
        _ => Some(tls),
    }
}

/// The ports of RFC 8314 section 3 and RFC 5321.
fn usual_port(tls: Tls) -> u16 {
    match tls {
        Tls::Implicit => 465,
        Tls::Starttls => 587,
        Tls::None => 25,
    }
}

/// User and password: both or neither.
fn login(r: &mut Reader<'_>) -> Option<Option<(String, Secret)>> {
    let (user, password) = (r.find(&["mail.smtp.username"]), r.find(&["mail.smtp.password"]));
    match (user, password) {
        (None, None) => Some(None),
        (Some(user), Some(password)) => {
            let user = r.read(user, values::line);
            let password = r.read(password, |text| Ok(Secret::new(text)));
            Some(Some((user?, password?)))
        }
        (Some(user), None) => {
            let remedy = "Set TIDINGS_MAIL__SMTP__PASSWORD_FILE to a file that holds it, or remove the user.";
            r.refuse(user, Problem::new("has no password", None, remedy));
            None
        }
        (None, Some(password)) => {
            let remedy = "Write mail.smtp.username too, or remove the password.";
            r.refuse(password, Problem::new("has no user", None, remedy));
            None
        }
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
