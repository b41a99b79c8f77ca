//! Mail addresses: parsed once, redacted in every print.

use std::fmt;

use super::{Bucket, clean};

/// A mail address that SMTP can carry: RFC 5321 `local-part@domain`, with the domain in lower-case A-labels.
///
/// `Debug` and `Display` print `a***@example.org`; the raw text needs [`EmailAddress::expose`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// What makes two addresses the same subscriber: the whole address in lower case. Redacted like the address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AddressKey(String);

/// Why a text is not an [`EmailAddress`]. The text is not repeated: it may be a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`.
    #[error("there is no @ in it")]
    NoAt,
    /// The part before the `@` is empty or longer than 64 octets (RFC 5321 section 4.5.3.1.1).
    #[error("the part before the @ must have 1 to 64 characters")]
    LocalLength,
    /// The part before the `@` has a character that needs quoting, or that nobody sees.
    #[error("the part before the @ has a character that is not allowed there")]
    LocalCharacter,
    /// The part after the `@` is not a domain name with at least two labels.
    #[error("the part after the @ is not a domain name such as example.org")]
    Domain,
}

impl EmailAddress {
    /// Accepts what a person types: surrounding white space is dropped, the domain becomes lower-case
    /// A-labels (IDNA), the local part stays as it is.
    ///
    /// Quoted local parts, comments and address literals are refused: no list needs them, and each is a
    /// way to write something else (RFC 5321 section 4.1.2).
    ///
    /// # Errors
    /// The reason, in words for the person who typed it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.trim().rsplit_once('@').ok_or(AddressError::NoAt)?;
        if local.is_empty() || local.len() > 64 {
            return Err(AddressError::LocalLength);
        }
        // RFC 6531 section 3.3 adds every character outside ASCII; those that nobody sees or that turn text around are left out.
        let unseen = |c: char| c.is_control() || c.is_whitespace() || clean(c.encode_utf8(&mut [0; 4])).is_empty();
        let invisible = |c| matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
        let atext = |c: char| {
            let ascii = c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
            ascii || (!c.is_ascii() && !unseen(c) && !invisible(c))
        };
        if !local.chars().all(atext) || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
            return Err(AddressError::LocalCharacter);
        }
        let domain = domain_to_ascii(domain).ok_or(AddressError::Domain)?;
        Ok(Self { text: format!("{local}@{domain}"), at: local.len() })
    }

    /// The raw address, for SMTP, a `To` header or an operator's export. Each call is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether every relay takes it; else it needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// The domain, in lower-case A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The key that identifies the subscriber.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey(self.text.to_lowercase())
    }
}

/// A host name of at least two labels, in lower-case A-labels, at most 253 octets; `None` for anything else.
fn domain_to_ascii(domain: &str) -> Option<String> {
    if domain.is_empty() || domain.ends_with('.') || !domain.contains('.') {
        return None;
    }
    let url::Host::Domain(host) = url::Host::parse(domain).ok()? else {
        return None;
    };
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    (host.len() <= 253 && host.split('.').all(label)).then_some(host)
}

impl AddressKey {
    /// The raw key, for the store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Which of `buckets` buckets the subscriber lives in: the first 8 bytes of SHA-256 of the key, big-endian, modulo `buckets`.
    /// The count is fixed when the database is created.
    #[must_use]
    pub fn bucket(&self, buckets: u16) -> Bucket {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.0.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_ref()[..8]);
        let number = u64::from_be_bytes(first) % u64::from(buckets.max(1));
        // The remainder of a division by a u16 fits one.
        Bucket::new(u16::try_from(number).unwrap_or_default())
    }
}

/// `a***@example.org`: enough to recognise, not enough to write to.
fn redact(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    write!(f, "{}***@{domain}", local.chars().next().unwrap_or('*'))
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact(f, &self.text)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact(f, &self.text)
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact(f, &self.0)
    }
}

/// A display name with an address: RFC 5322 `mailbox`, as in `From`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: EmailAddress,
}

impl Mailbox {
    /// Joins a display name and an address. Control characters (CR and LF above all) become spaces, so the
    /// name can never end a header; a name that is blank after that is none.
    #[must_use]
    pub fn new(name: Option<&str>, address: EmailAddress) -> Self {
        let name =
            name.map(|name| name.replace(char::is_control, " ").trim().to_owned()).filter(|name| !name.is_empty());
        Self { name, address }
    }

    /// Reads `Name <local@domain>` or a bare address.
    ///
    /// # Errors
    /// When the address in it is not one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => Ok(Self::new(Some(name.trim().trim_matches('"')), EmailAddress::parse(address)?)),
            None => Ok(Self::new(None, EmailAddress::parse(text)?)),
        }
    }

    /// The display name, without control characters.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_its_domain_made_ascii() {
        for (typed, kept) in [
            ("a@example.org", "a@example.org"),
            (" Ada.Lovelace+news@Example.ORG\n", "Ada.Lovelace+news@example.org"),
            ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
            ("用户@例子.example", "用户@xn--fsqu00a.example"),
            ("a\u{200B}b@example.org", ""),
            ("a\u{202E}b@example.org", ""),
            ("\u{E000}confirm\u{E001}@example.org", ""),
            ("joerg@bücher.example", "joerg@xn--bcher-kva.example"),
            ("o'brien@example.org", "o'brien@example.org"),
        ] {
            assert_eq!(EmailAddress::parse(typed).map(|a| a.expose().to_owned()).unwrap_or_default(), kept);
        }
    }

    #[test]
    fn what_could_be_something_else_is_refused() {
        for (text, error) in [
            ("example.org", AddressError::NoAt),
            ("@example.org", AddressError::LocalLength),
            (&format!("{}@example.org", "x".repeat(65)), AddressError::LocalLength),
            ("a b@example.org", AddressError::LocalCharacter),
            ("a\r\nRCPT TO:<b@example.org>@example.org", AddressError::LocalCharacter),
            ("\"a b\"@example.org", AddressError::LocalCharacter),
            ("a..b@example.org", AddressError::LocalCharacter),
            ("a,b@example.org", AddressError::LocalCharacter),
            ("<a@example.org", AddressError::LocalCharacter),
            ("a@[127.0.0.1]", AddressError::Domain),
            ("a@127.0.0.1", AddressError::Domain),
            ("a@localhost", AddressError::Domain),
            ("a@exam ple.org", AddressError::Domain),
            ("a@example.org>", AddressError::Domain),
            ("a@-example.org", AddressError::Domain),
            ("a@example.org.", AddressError::Domain),
        ] {
            assert_eq!(EmailAddress::parse(text).map(|_| ()), Err(error), "{text:?}");
        }
    }

    #[test]
    fn one_person_has_one_key_whatever_the_case() {
        let key = |text| EmailAddress::parse(text).unwrap().key();
        assert_eq!(key("Ada@Example.org"), key("ada@example.ORG"));
        assert_eq!(key("ada@example.org").bucket(16), key("ADA@example.org").bucket(16));
        assert!(key("ada@example.org").bucket(16).number() < 16);
    }

    #[test]
    fn prints_are_redacted() {
        let address = EmailAddress::parse("ada@example.org").unwrap();
        assert_eq!(
            format!("{address} {address:?} {:?}", address.key()),
            "a***@example.org a***@example.org a***@example.org"
        );
    }

    #[test]
    fn a_mailbox_reads_its_usual_forms_and_has_no_line_breaks() {
        let mailbox = Mailbox::parse("\"The Team\" <team@example.org>").unwrap();
        assert_eq!((mailbox.name(), mailbox.address().expose()), (Some("The Team"), "team@example.org"));
        assert_eq!(Mailbox::parse("team@example.org").unwrap().name(), None);
        let evil = Mailbox::new(Some("A\r\nBcc: x@example.org"), mailbox.address().clone());
        assert_eq!(evil.name(), Some("A  Bcc: x@example.org"));
    }
}
