//! Identities: of issues, subscribers, mailings, nodes, and the bucket a subscriber lives in.

use std::fmt;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct IdError {
    text: String,
    what: &'static str,
}

/// An issue's identity within its newsletter: the `id` of its front matter, else the path where it was
/// first seen. At most 1024 bytes, no control characters. Stable for ever; never derived from title, date or slug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssueId(String);

impl IssueId {
    /// Accepts an id as the front matter or the store has it.
    ///
    /// # Errors
    /// When the text is empty, longer than 1024 bytes or has control characters.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(IdError { text: text.to_owned(), what: "an issue id" });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 4648 section 7 base32hex in lower case, without padding. One case, so a mail system that folds case
/// cannot harm it; and texts sort as their bytes do, where the database sorts these characters one by one (the store
/// refuses a database that does not).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Bytes in lower-case hex.
pub(crate) fn hex<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> String {
    bytes.into_iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes bytes in [`ALPHABET`], 8 characters for 5 bytes.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut pending, mut bits) = (0u32, 0u32);
    for byte in bytes {
        pending = (pending << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(pending >> bits) as usize & 31]));
        }
        pending &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(pending << (5 - bits)) as usize & 31]));
    }
    text
}

/// Reads [`base32`] back; `None` for a foreign character or bits that a writer would have left zero.
pub(super) fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut pending, mut bits) = (0u32, 0u32);
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|letter| *letter == c)?;
        pending = (pending << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits) as u8);
            pending &= (1 << bits) - 1;
        }
    }
    (pending == 0 && bits < 5).then_some(bytes)
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 10]);

        impl $name {
            /// Length of the text form.
            pub const LENGTH: usize = 16;

            /// An id of 80 random bits; the caller brings them (see [`crate::chance::Chance`]).
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 10]) -> Self {
                Self(bytes)
            }

            /// The 80 bits.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; 10] {
                &self.0
            }

            /// Reads the text form: 16 characters of lower-case base32hex.
            ///
            /// # Errors
            /// When the text is not of that form.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                unbase32(text)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.to_owned(), what: $what })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

random_id!(
    /// A subscriber. Random, so that a key range can be split by arithmetic instead of by reading.
    SubscriberId,
    "a subscriber id: 16 characters of 0-9 and a-v"
);
random_id!(
    /// A mailing.
    MailingId,
    "a mailing id: 16 characters of 0-9 and a-v"
);
random_id!(
    /// One run of one process: the owner of leases. A restart is a new node.
    NodeId,
    "a node id: 16 characters of 0-9 and a-v"
);

/// The bucket of a subscriber: a hash of the address key modulo the install's bucket count.
///
/// First column of the primary key of every table that grows with subscribers, so that the schema can be
/// distributed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// A bucket as the store has it.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number, from 0.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_reads_back_what_it_wrote() {
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
            assert_eq!(unbase32(&base32(&bytes)), Some(bytes));
        }
        assert_eq!(base32(b"foobar"), "cpnmuoj1e8"); // RFC 4648 section 10, lower case, no padding
    }

    #[test]
    fn base32_has_one_spelling_for_each_value() {
        assert_eq!(unbase32("cpnmuoj1e9"), None, "stray low bits");
        assert_eq!(unbase32("a"), None, "a lone character carries no byte");
        assert_eq!(unbase32("CPNMU==="), None);
    }

    #[test]
    fn random_ids_read_back() {
        let id = SubscriberId::from_bytes([7; 10]);
        assert_eq!(id.to_string().len(), SubscriberId::LENGTH);
        assert_eq!(SubscriberId::parse(&id.to_string()), Ok(id));
        assert!(SubscriberId::parse("short").is_err());
    }

    #[test]
    fn ids_sort_as_their_bytes_do() {
        let mut ids: Vec<_> =
            (0..=255u8).map(|i| SubscriberId::from_bytes([i.wrapping_mul(91), i, 0, 1, 2, 3, 4, 5, 6, 7])).collect();
        ids.sort();
        assert!(ids.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string()));
    }

    #[test]
    fn an_issue_id_has_no_control_characters() {
        assert!(IssueId::parse("blog/2020-03.md").is_ok());
        for bad in ["", "a\nb", &"x".repeat(1025)] {
            assert!(IssueId::parse(bad).is_err());
        }
    }
}
