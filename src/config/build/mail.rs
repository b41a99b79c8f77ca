//! `[mail]` and below.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::super::model::{DomainGroup, InDoubt, Mail, Transport};
use super::super::reader::Reader;
use super::super::values::{self, Problem};
use super::relay;
use crate::delivery::Patience;

/// Reads `[mail]`. `url` is the public URL, whose host greets the relay unless told otherwise.
pub(super) fn mail(r: &mut Reader<'_>, url: Option<&Url>) -> Option<Mail> {
    let chosen = r.need(&["mail.transport"]);
    let smtp_chosen =
        chosen.and_then(|found| r.read(found, |text| values::choice(text, &[("outbox", false), ("smtp", true)])));
    let in_doubt = r
        .must(&["mail.in_doubt"], |text| values::choice(text, &[("resend", InDoubt::Resend), ("hold", InDoubt::Hold)]));
    let patience = patience(r);
    let outbox = r.must(&["mail.outbox.directory"], values::path);
    let inbox = r.may(&["mail.inbox.maildir"], values::path);
    let relays = relay::relays(r, chosen.filter(|_| smtp_chosen == Some(true)), url);
    let domains = domains(r);
    let transport = if smtp_chosen? { Transport::Smtp(relays?) } else { Transport::Outbox(outbox?) };
    Some(Mail { transport, in_doubt: in_doubt?, patience: patience?, inbox: inbox?, domains: domains? })
}

/// Reads `[mail.domains]`.
fn domains(r: &mut Reader<'_>) -> Option<Vec<DomainGroup>> {
    let mut groups = Vec::new();
    for name in r.names("mail.domains") {
        let own = |key: &str| format!("mail.domains.{name}.{key}");
        let nothing = ("names no domain", "Write it as in domains = [\"outlook.com\", \"hotmail.com\"].");
        let domains = r.some(&[&own("domains")], values::domain, nothing);
        let rate = r.must(&[&own("rate")], values::rate);
        groups.push(domains.zip(rate).map(|(domains, rate)| DomainGroup { name, domains, rate }));
    }
    let groups: Vec<DomainGroup> = groups.into_iter().collect::<Option<_>>()?;
    let mut seen = BTreeMap::new();
    for group in &groups {
        for domain in &group.domains {
            if let Some(other) = seen.insert(domain.as_str(), group.name.as_str()) {
                let what = format!("has {domain}, which stands in {other} too");
                let path = format!("mail.domains.{}.domains", group.name);
                if let Some(found) = r.find(&[&path]) {
                    r.refuse(found, Problem::new(&what, None, "Name a domain once: one rate holds for it."));
                }
                return None;
            }
        }
    }
    Some(groups)
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
