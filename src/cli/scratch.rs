//! The database of one run of a verb that needs none.

use std::path::{Path, PathBuf};

/// A SQLite file, deleted at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A file in a directory, named after the process.
    pub fn new(directory: &Path) -> Self {
        Self(directory.join(format!(".tidings-{}.db", std::process::id())))
    }

    /// Its URL for the configuration.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
    }
}
