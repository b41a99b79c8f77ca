//! Mail as `.eml` files in a directory.

use std::path::PathBuf;

/// A directory of `.eml` files.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The directory; created when the first mail is written.
    pub directory: PathBuf,
}

impl Outbox {
    /// File names of the mails, newest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn names(&self) -> std::io::Result<Vec<String>> {
        todo!()
    }

    /// The bytes of one mail; `None` when there is none of that name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, name: &str) -> std::io::Result<Option<Vec<u8>>> {
        let _ = name;
        todo!()
    }
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
