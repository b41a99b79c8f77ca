//! Tokens in links: one purpose each, bound to one subscriber and one newsletter, valid without a table of tokens.
//!
//! A token is the bucket and the subscriber id in clear and a MAC over everything it stands for. Fixed
//! length and alphabet, so splicing one into a compiled mail never moves a line.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::hmac;

use super::id::{base32, unbase32};
use super::{Bucket, NewsletterId, SubscriberId};

/// The install's key for tokens and message ids: 32 random bytes, made once and kept in the database.
#[derive(Clone)]
pub struct InstallKey(hmac::Key);

impl InstallKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// HMAC-SHA-256 (RFC 2104) over parts, each preceded by its length, so no two lists of parts read the same.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }
}

impl fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallKey(***)")
    }
}

/// What a token is for. A token of one purpose is a type error where another is wanted, and a wrong MAC besides.
pub trait Purpose {
    /// The word that goes into the MAC.
    const WORD: &'static str;
}

/// Confirms a subscription (double opt-in).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {}
/// Ends a subscription. Valid for ever: an unsubscribe link in an old mail must work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsubscribe {}
/// Shows and changes how often a subscriber gets mail. Valid while they are subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preferences {}

impl Purpose for Confirm {
    const WORD: &'static str = "confirm";
}
impl Purpose for Unsubscribe {
    const WORD: &'static str = "unsubscribe";
}
impl Purpose for Preferences {
    const WORD: &'static str = "preferences";
}

/// What a token is bound to, besides its purpose.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The newsletter whose page takes the token.
    pub newsletter: &'a NewsletterId,
    /// The subscriber's bucket.
    pub bucket: Bucket,
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// For [`Confirm`] the request it answers (so an old link cannot undo a later unsubscribe); 0 for the others.
    pub request: i64,
}

/// A token as it stands in a link. Made by [`Token::mint`]; one that came from outside is only a claim until [`Token::answers`].
#[derive(PartialEq, Eq)]
pub struct Token<P> {
    bucket: Bucket,
    subscriber: SubscriberId,
    mac: [u8; 16],
    purpose: PhantomData<P>,
}

/// The text is not a token at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a link that Tidings wrote, or it was cut short")]
pub struct TokenError;

/// Length of every token: 28 bytes in base32hex.
pub const TOKEN_LENGTH: usize = 45;

impl<P: Purpose> Token<P> {
    /// The one token for this purpose and scope.
    #[must_use]
    pub fn mint(key: &InstallKey, scope: &Scope<'_>) -> Self {
        let long = key.mac(&[
            P::WORD.as_bytes(),
            scope.newsletter.as_str().as_bytes(),
            &scope.bucket.number().to_be_bytes(),
            scope.subscriber.bytes(),
            &scope.request.to_be_bytes(),
        ]);
        let mut mac = [0; 16];
        mac.copy_from_slice(&long[..16]);
        Self { bucket: scope.bucket, subscriber: scope.subscriber, mac, purpose: PhantomData }
    }

    /// Reads the text form. The token is a claim: look the subscriber up, then ask [`Token::answers`].
    ///
    /// # Errors
    /// When the text has not the form of a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let bytes: [u8; 28] = unbase32(text).and_then(|b| b.try_into().ok()).ok_or(TokenError)?;
        let (mut id, mut mac) = ([0; 10], [0; 16]);
        id.copy_from_slice(&bytes[2..12]);
        mac.copy_from_slice(&bytes[12..]);
        Ok(Self {
            bucket: Bucket::new(u16::from_be_bytes([bytes[0], bytes[1]])),
            subscriber: SubscriberId::from_bytes(id),
            mac,
            purpose: PhantomData,
        })
    }

    /// The bucket it claims.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// The subscriber it claims.
    #[must_use]
    pub fn subscriber(&self) -> SubscriberId {
        self.subscriber
    }

    /// Whether it is the token for this scope, compared in constant time.
    #[must_use]
    pub fn answers(&self, key: &InstallKey, scope: &Scope<'_>) -> bool {
        let right = Self::mint(key, scope);
        right.bucket == self.bucket
            && right.subscriber == self.subscriber
            && aws_lc_rs::constant_time::verify_slices_are_equal(&right.mac, &self.mac).is_ok()
    }
}

impl<P> fmt::Display for Token<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 28];
        bytes[..2].copy_from_slice(&self.bucket.number().to_be_bytes());
        bytes[2..12].copy_from_slice(self.subscriber.bytes());
        bytes[12..].copy_from_slice(&self.mac);
        f.write_str(&base32(&bytes))
    }
}

impl<P> fmt::Debug for Token<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(newsletter: &NewsletterId) -> Scope<'_> {
        Scope { newsletter, bucket: Bucket::new(3), subscriber: SubscriberId::from_bytes([9; 10]), request: 7 }
    }

    #[test]
    fn a_token_reads_back_and_answers_only_its_own_scope_and_purpose() {
        let (key, news, other) =
            (InstallKey::new(&[1; 32]), NewsletterId::parse("n").unwrap(), NewsletterId::parse("o").unwrap());
        let text = Token::<Confirm>::mint(&key, &scope(&news)).to_string();
        assert_eq!(text.len(), TOKEN_LENGTH);
        let token = Token::<Confirm>::parse(&text).unwrap();
        assert!(token.answers(&key, &scope(&news)));
        assert!(!token.answers(&key, &scope(&other)), "another newsletter");
        assert!(!token.answers(&key, &Scope { request: 8, ..scope(&news) }), "a later request");
        assert!(!token.answers(&InstallKey::new(&[2; 32]), &scope(&news)), "another install");
        assert!(!Token::<Unsubscribe>::parse(&text).unwrap().answers(&key, &scope(&news)), "another purpose");
    }

    #[test]
    fn a_token_that_was_cut_or_changed_is_refused() {
        let (key, news) = (InstallKey::new(&[1; 32]), NewsletterId::parse("n").unwrap());
        let text = Token::<Confirm>::mint(&key, &scope(&news)).to_string();
        assert_eq!(Token::<Confirm>::parse(&text[..44]), Err(TokenError));
        assert_eq!(Token::<Confirm>::parse(""), Err(TokenError));
        let changed = format!(
            "{}{}",
            &text[..20],
            text[20..].replace(|c| c == text.as_bytes()[20] as char, if &text[20..21] == "0" { "1" } else { "0" })
        );
        assert!(
            Token::<Confirm>::parse(&changed).is_ok_and(|t| !t.answers(&key, &scope(&news)))
                || Token::<Confirm>::parse(&changed).is_err()
        );
    }
}
