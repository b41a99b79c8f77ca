//! The database of one run of a verb that needs none.

use std::path::{Path, PathBuf};

/// A SQLite file, deleted at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A file in a directory, named after the process. One that an earlier process of that number left behind, because it was killed, is deleted: it
    /// may be of another version. In a container the number is always the same.
    pub fn new(directory: &Path) -> Self {
        let scratch = Self(directory.join(format!(".tidings-{}.db", std::process::id())));
        scratch.delete();
        scratch
    }

    fn delete(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
    }

    /// Its URL for the configuration.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.delete();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_behind_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join(format!(".tidings-{}.db", std::process::id()));
        std::fs::write(&left, "of an older version").unwrap();
        let scratch = Scratch::new(directory.path());
        assert!(!left.exists());
        std::fs::write(&left, "of this one").unwrap();
        drop(scratch);
        assert!(!left.exists());
    }
}
