//! A private key, and what DNS says of it.

use std::fmt;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

/// Longest string of a TXT record (RFC 1035 section 3.3).
const TXT_STRING: usize = 255;
/// RFC 8301 section 3.2: shorter ones must not sign. Longer than 2048 bits makes a record that some DNS panels refuse.
const RSA_SIZE: KeySize = KeySize::Rsa2048;

/// The two algorithms in use, in the order in which their signatures stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// `rsa-sha256`: every verifier knows it.
    Rsa,
    /// `ed25519-sha256` (RFC 8463): short and quick, and unknown to some verifiers, which then look at the other signature.
    Ed25519,
}

/// A key that signs for a domain under a selector. Never printed.
pub struct SigningKey {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a text is not a key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No private key in PEM.
    #[error("it has no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")")]
    NotPem,
    /// A key, and not one for DKIM.
    #[error("its key is neither RSA with 2048 to 8192 bits nor Ed25519")]
    Unfit,
    /// The cryptography library could not make a key.
    #[error("a key could not be made: there is no randomness")]
    Chance,
}

impl Algorithm {
    /// The name in `a=`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }

    /// The name in `k=` of the record, and of a new key's file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Makes a new key, as PKCS#8 in PEM.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(self) -> Result<String, KeyError> {
        let der = match self {
            Self::Rsa => {
                let pair = rsa::KeyPair::generate(RSA_SIZE).map_err(|_| KeyError::Chance)?;
                AsDer::as_der(&pair).map_err(|_| KeyError::Chance)?.as_ref().to_vec()
            }
            // Version 1 has no public key in it: OpenSSL reads no other.
            Self::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Chance)?;
                pair.to_pkcs8v1().map_err(|_| KeyError::Chance)?.as_ref().to_vec()
            }
        };
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = pieces(&text, 64).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
    }
}

impl SigningKey {
    /// Reads PKCS#8, or the PKCS#1 that `opendkim-genkey` writes.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_pem(domain: &str, selector: &str, pem: &str) -> Result<Self, KeyError> {
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NotPem)? {
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519);
                rsa::KeyPair::from_pkcs8(der).map(Pair::Rsa).or_else(|_| ed25519())
            }
            PrivateKeyDer::Pkcs1(der) => rsa::KeyPair::from_der(der.secret_pkcs1_der()).map(Pair::Rsa),
            _ => return Err(KeyError::Unfit),
        };
        let pair = pair.map_err(|_| KeyError::Unfit)?;
        Ok(Self { domain: domain.to_owned(), selector: selector.to_owned(), pair })
    }

    /// `d=`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `s=`.
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// `a=`.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &self.pair {
            Pair::Rsa(_) => Algorithm::Rsa,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The name of the DNS record.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The text of the TXT record: an RSA key as SubjectPublicKeyInfo (RFC 6376 section 3.6.1 and its erratum 3017), an Ed25519 key
    /// as it is (RFC 8463 section 4).
    #[must_use]
    pub fn record(&self) -> String {
        let public = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default(),
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key().as_ref()),
        };
        format!("v=DKIM1; k={}; p={public}", self.algorithm().name())
    }

    /// The record as a line of a zone file: strings of at most 255 characters, which resolvers join.
    #[must_use]
    pub fn zone_line(&self) -> String {
        let record = self.record();
        let strings: Vec<String> = pieces(&record, TXT_STRING).map(|piece| format!("\"{piece}\"")).collect();
        format!("{}. IN TXT ( {} )", self.record_name(), strings.join(" "))
    }

    /// Signs a SHA-256 hash, in base64. Both algorithms are deterministic: the same hash has one signature.
    pub(super) fn sign(&self, hash: &Digest) -> Result<String, aws_lc_rs::error::Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, hash, &mut signature)?;
                Ok(STANDARD.encode(signature))
            }
            // The hash itself is what PureEdDSA signs (RFC 8463 section 3).
            Pair::Ed25519(pair) => Ok(STANDARD.encode(pair.try_sign(hash.as_ref())?)),
        }
    }
}

/// ASCII text in pieces of at most `length` characters.
pub(super) fn pieces(text: &str, length: usize) -> impl Iterator<Item = &str> {
    (0..text.len()).step_by(length).filter_map(move |at| text.get(at..(at + length).min(text.len())))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} for {} as {})", self.algorithm().tag(), self.domain, self.selector)
    }
}
