//! The seam: one pool of either kind, one statement text for both.

/// What the database said, in words.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{what} cannot be opened: {why}. {remedy}")]
    Open {
        /// The database, without credentials.
        what: String,
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Sql(String),
    /// A row holds what the program cannot read: it was written by another program or another version.
    #[error("the database holds a value that cannot be read: {0}")]
    Value(String),
}
