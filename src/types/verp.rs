//! The name of one delivery, short enough for an envelope sender: whom a mail went to, and in which mailing.
//!
//! A bounce or a complaint brings it back. A MAC over it, so that nobody can make us believe a bounce that never was.

use std::fmt;

use super::id::{base32, unbase32};
use super::{Bucket, InstallKey, MailingId, SubscriberId, TokenError};

/// One mailing to one subscriber. Made by [`Verp::mint`]; one that came from outside is only a claim until [`Verp::is_ours`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verp {
    /// The mailing.
    pub mailing: MailingId,
    /// The subscriber's bucket.
    pub bucket: Bucket,
    /// The subscriber.
    pub subscriber: SubscriberId,
    mac: [u8; 10],
}

/// Length of the text: 32 bytes in base32hex. With `bounces+` before it, it is the 60 characters of a local part, of which there may
/// be 64 (RFC 5321 section 4.5.3.1.1).
pub const VERP_LENGTH: usize = 52;

impl Verp {
    /// The one name of this delivery.
    #[must_use]
    pub fn mint(key: &InstallKey, mailing: MailingId, bucket: Bucket, subscriber: SubscriberId) -> Self {
        let long = key.mac(&[b"verp", mailing.bytes(), &bucket.number().to_be_bytes(), subscriber.bytes()]);
        let mut mac = [0; 10];
        mac.copy_from_slice(&long[..10]);
        Self { mailing, bucket, subscriber, mac }
    }

    /// Reads the text form, or a whole return path with it between `+` and `@`. Upper case is taken too: some mail systems fold the
    /// case of a local part.
    ///
    /// # Errors
    /// When there is no such text in it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim().trim_start_matches('<').trim_end_matches('>');
        let local = text.rsplit_once('@').map_or(text, |(local, _)| local);
        let token = local.rsplit_once('+').map_or(local, |(_, token)| token).to_ascii_lowercase();
        let bytes: [u8; 32] = unbase32(&token).and_then(|bytes| bytes.try_into().ok()).ok_or(TokenError)?;
        let (mut mailing, mut subscriber, mut mac) = ([0; 10], [0; 10], [0; 10]);
        mailing.copy_from_slice(&bytes[..10]);
        subscriber.copy_from_slice(&bytes[12..22]);
        mac.copy_from_slice(&bytes[22..]);
        Ok(Self {
            mailing: MailingId::from_bytes(mailing),
            bucket: Bucket::new(u16::from_be_bytes([bytes[10], bytes[11]])),
            subscriber: SubscriberId::from_bytes(subscriber),
            mac,
        })
    }

    /// Whether this install wrote it, compared in constant time.
    #[must_use]
    pub fn is_ours(&self, key: &InstallKey) -> bool {
        let right = Self::mint(key, self.mailing, self.bucket, self.subscriber);
        aws_lc_rs::constant_time::verify_slices_are_equal(&right.mac, &self.mac).is_ok()
    }
}

impl fmt::Display for Verp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 32];
        bytes[..10].copy_from_slice(self.mailing.bytes());
        bytes[10..12].copy_from_slice(&self.bucket.number().to_be_bytes());
        bytes[12..22].copy_from_slice(self.subscriber.bytes());
        bytes[22..].copy_from_slice(&self.mac);
        f.write_str(&base32(&bytes))
    }
}

impl fmt::Debug for Verp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verp({} to {})", self.mailing, self.subscriber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_path_says_whom_it_was_for_and_cannot_be_forged() {
        let key = InstallKey::new(&[1; 32]);
        let verp = Verp::mint(&key, MailingId::from_bytes([5; 10]), Bucket::new(3), SubscriberId::from_bytes([9; 10]));
        let text = verp.to_string();
        assert_eq!(text.len(), VERP_LENGTH);
        for form in [
            text.clone(),
            format!("bounces+{text}@bounce.example.org"),
            format!(" <bounces+{}@bounce.example.org>\n", text.to_uppercase()),
        ] {
            assert_eq!(Verp::parse(&form), Ok(verp), "{form}");
        }
        assert!(verp.is_ours(&key) && !verp.is_ours(&InstallKey::new(&[2; 32])));
        assert!(!Verp { subscriber: SubscriberId::from_bytes([8; 10]), ..verp }.is_ours(&key));
        assert!(!Verp { mailing: MailingId::from_bytes([8; 10]), ..verp }.is_ours(&key));
        for other in ["", "bounces@example.org", &text[1..], "ada@example.org"] {
            assert_eq!(Verp::parse(other), Err(TokenError), "{other}");
        }
    }
}
