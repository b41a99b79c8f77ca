//! The content port: reads documents and the files beside them from a git repository or a directory.
//!
//! A repository is read from a bare mirror at one commit, by object id, never from a checkout. Links, submodules and
//! odd paths are refused, never followed. Nothing that content names is fetched.

mod directory;
mod git;
mod paths;
mod source;
mod watch;

pub use source::{Snapshot, Source, SourceError};
