//! Whom a newsletter's mail comes from besides `from`: the addresses behind it, and the keys that sign for it.

use std::path::PathBuf;

use super::super::model::Dkim;
use super::super::reader::Reader;
use super::super::values::{self, Problem};
use crate::types::{EmailAddress, Mailbox};

/// What stands in a newsletter or in `[defaults]` about who sends.
pub(super) struct Identity {
    pub(super) sender: Option<EmailAddress>,
    pub(super) reply_to: Option<EmailAddress>,
    pub(super) return_path: Option<EmailAddress>,
    pub(super) bounce_domain: Option<String>,
    pub(super) unsubscribe_address: Option<EmailAddress>,
    pub(super) complaint_address: Option<EmailAddress>,
    pub(super) dkim: Dkim,
}

/// Reads it; `None` when an error is on record.
pub(super) fn identity(r: &mut Reader<'_>, newsletter: &str, from: Option<&Mailbox>) -> Option<Identity> {
    let mut address = |key: &str| r.may(&[&format!("{newsletter}.{key}"), &format!("defaults.{key}")], values::address);
    let (sender, reply_to, return_path) = (address("sender"), address("reply_to"), address("return_path"));
    let unsubscribe_address = address("unsubscribe_address");
    let complaint_address = complaint_address(r, newsletter, from);
    let bounce_domain = r.may(&[&format!("{newsletter}.bounce_domain"), "defaults.bounce_domain"], values::domain);
    let dkim = dkim(r, newsletter, from);
    Some(Identity {
        sender: sender?,
        reply_to: reply_to?,
        return_path: return_path?,
        bounce_domain: bounce_domain?,
        unsubscribe_address: unsubscribe_address?,
        complaint_address: complaint_address?,
        dkim: dkim?,
    })
}

/// RFC 9477 section 3.1: providers answer only to an address whose domain is that of `From`, or below it.
fn complaint_address(r: &mut Reader<'_>, newsletter: &str, from: Option<&Mailbox>) -> Option<Option<EmailAddress>> {
    let paths = [format!("{newsletter}.complaint_address"), "defaults.complaint_address".to_owned()];
    let paths = paths.each_ref().map(String::as_str);
    let address = r.may(&paths, values::address)?;
    if let (Some(address), Some(from)) = (&address, from)
        && !is_within(address.domain(), from.address().domain())
    {
        let found = r.need(&paths)?;
        let why = format!("`from` is in {}", from.address().domain());
        let remedy = "Write an address in the domain of `from`: providers send complaints nowhere else (RFC 9477).";
        r.refuse(found, Problem::new("is in another domain than `from`", why, remedy));
        return None;
    }
    Some(address)
}

/// A signature of another domain is no proof for `from` (RFC 7489 section 3.1.1), so it is refused here rather than by readers.
fn dkim(r: &mut Reader<'_>, newsletter: &str, from: Option<&Mailbox>) -> Option<Dkim> {
    let paths = [format!("{newsletter}.dkim_domain"), "defaults.dkim_domain".to_owned()];
    let paths = paths.each_ref().map(String::as_str);
    let domain = r.may(&paths, values::domain)?;
    let own = from?.address().domain();
    if let Some(domain) = &domain
        && !is_within(own, domain)
    {
        let found = r.need(&paths)?;
        let remedy = "Write the domain of `from` or one above it, or leave it out.";
        r.refuse(found, Problem::new("does not cover `from`", format!("`from` is in {own}"), remedy));
        return None;
    }
    let domain = domain.unwrap_or_else(|| own.to_owned());
    let paths = [format!("{newsletter}.dkim_keys"), "defaults.dkim_keys".to_owned()];
    let paths = paths.each_ref().map(String::as_str);
    let mut keys = Vec::new();
    for (selector, path) in r.map(&paths) {
        if values::domain(&format!("{selector}.{domain}")).is_err() || path.is_empty() {
            let found = r.need(&paths)?;
            let why = format!("{selector:?} = {path:?}");
            let remedy = "Write a selector and its key file: { a-rsa = \"keys/a-rsa.pem\" }.";
            r.refuse(found, Problem::new("has what is no selector and file", why, remedy));
            return None;
        }
        keys.push((selector, PathBuf::from(path)));
    }
    Some(Dkim { domain, keys })
}

/// Whether `domain` is `above` or below it.
fn is_within(domain: &str, above: &str) -> bool {
    domain.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
