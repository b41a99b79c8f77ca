//! An issue: from the bytes of a document to its fields, its identity and its revisions. Pure.

mod date;
mod fields;
mod front_matter;
mod hash;
pub mod identity;
mod language;
pub mod news;
pub mod parse;
pub mod permalink;
pub mod revision;
pub mod search;

pub use hash::content_hash;
pub use language::{Languages, direction};
pub use parse::{DateSource, Document, Issue, MAX_DOCUMENT, Markup, Reading, VERSION, needs_history, parse, too_large};
pub use revision::{Content, Revision};
