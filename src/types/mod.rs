//! The vocabulary: small types that cannot hold a wrong value.
//!
//! Each has a private field and one fallible constructor, so nothing behind the door validates again.
//! Addresses and secrets redact themselves. No I/O, no clock, no randomness.

mod address;
mod facet;
mod fields;
mod finding;
mod id;
mod secret;
mod slug;
mod token;
mod verp;

pub use address::{AddressError, AddressKey, EmailAddress, Mailbox};
pub(crate) use facet::folded;
pub use facet::{Facet, FacetId, FacetKind};
pub use fields::{FIELD_LENGTH, FieldName, FieldTooLong, Fields, clean, is_direction};
pub use finding::{Finding, Place, Rule};
pub use id::{Bucket, IdError, IssueId, MailingId, NodeId, SubscriberId};
pub(crate) use id::{base32, hex};
pub use secret::Secret;
pub use slug::{CadenceId, NewsletterId, Slug, SlugError};
pub use token::{Confirm, InstallKey, Preferences, Purpose, Scope, TOKEN_LENGTH, Token, TokenError, Unsubscribe};
pub use verp::{VERP_LENGTH, Verp};
