//! The vocabulary: small types that cannot hold a wrong value.
//!
//! Each has a private field and one fallible constructor, so nothing behind the door validates again.
//! Addresses and secrets redact themselves. No I/O, no clock, no randomness.

mod address;
mod finding;
mod id;
mod secret;
mod slug;
mod token;

pub use address::{AddressError, AddressKey, EmailAddress, Mailbox};
pub use finding::{Finding, Place, Rule};
pub(crate) use id::base32;
pub use id::{Bucket, IdError, IssueId, MailingId, NodeId, SubscriberId};
pub use secret::Secret;
pub use slug::{CadenceId, NewsletterId, Slug, SlugError};
pub use token::{Confirm, InstallKey, Preferences, Purpose, Scope, TOKEN_LENGTH, Token, TokenError, Unsubscribe};
