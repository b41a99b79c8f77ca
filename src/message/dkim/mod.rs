//! DKIM signatures (RFC 6376, 8301, 8463) over the final bytes of a message: which keys sign for which newsletter, and the header.

mod key;
mod sign;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use key::{Algorithm, KeyError, SigningKey};
pub(super) use sign::Signing;

use crate::types::NewsletterId;

/// The keys that sign each newsletter's mail: one install can have several identities.
#[derive(Clone, Debug, Default)]
pub struct Signers(BTreeMap<NewsletterId, Vec<Arc<SigningKey>>>);

impl Signers {
    /// Has these keys sign a newsletter's mail. RSA signatures come first: verifiers that look at one signature look at the first,
    /// and all know RSA.
    pub fn insert(&mut self, newsletter: NewsletterId, keys: Vec<SigningKey>) {
        let mut keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        keys.sort_by_key(|key| key.algorithm());
        self.0.insert(newsletter, keys);
    }

    /// The keys of a newsletter.
    #[must_use]
    pub fn of(&self, newsletter: &NewsletterId) -> &[Arc<SigningKey>] {
        self.0.get(newsletter).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
