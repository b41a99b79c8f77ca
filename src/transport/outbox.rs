//! Mail as `.eml` files in a directory.

use std::path::PathBuf;

/// A directory of `.eml` files.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The directory; created when the first mail is written.
    pub directory: PathBuf,
}

/// One mail of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxMail {
    /// File name.
    pub name: String,
    /// The bytes as they would go over the wire.
    pub bytes: Vec<u8>,
}

/// An open connection to the outbox.
#[derive(Debug)]
pub struct Connection {}
