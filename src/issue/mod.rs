//! An issue: from the bytes of a document to its fields, its identity and its revisions. Pure.

pub mod front_matter;
pub mod identity;
pub mod parse;
pub mod revision;

pub use parse::{Document, Issue, Reading, parse};
pub use revision::{Content, Revision};
