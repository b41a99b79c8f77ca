//! The inbox: a Maildir into which a mail server puts what is sent to us about our mail.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::AsyncReadExt;

/// How much of a mail is read. A report stands at its beginning; behind it may be a copy of a mail of any size.
const MOST: u64 = 1 << 20;

/// A Maildir. Mail servers, mail programs and programs that fetch mail put each mail into `new` as a whole, under a name that nothing else has.
#[derive(Clone, Debug)]
pub struct Maildir {
    root: PathBuf,
}

/// The mailbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// There is none.
    #[error(
        "{} is no Maildir, or not yet: it has no folder `new`. Make it with `mkdir -p {}/{{cur,new,tmp}}`, and let the mail server write there", .0.display(), .0.display()
    )]
    Missing(PathBuf),
    /// The system does not let us.
    #[error("{} cannot be {done}: {error}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Such as `read`.
        done: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl Maildir {
    /// The Maildir in a directory; nothing is looked at yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The names of mails that nobody has looked at, by the time of their arrival.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn arrived(&self) -> Result<Vec<String>, MailboxError> {
        let new = self.root.join("new");
        let failed = |error| MailboxError::Io { path: new.clone(), done: "read", error };
        let mut entries = match fs::read_dir(&new).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(MailboxError::Missing(self.root.clone())),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type().await.map_err(failed)?.is_file();
            if is_file && !name.starts_with('.') {
                names.push(name);
            }
        }
        // They begin with the time in seconds.
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("new").join(name)
    }

    /// The first MiB of a mail; `None` when somebody was faster.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, MailboxError> {
        let path = self.path(name);
        let read = async {
            let mut bytes = Vec::new();
            File::open(&path).await?.take(MOST).read_to_end(&mut bytes).await?;
            Ok(bytes)
        };
        gone_or(read.await, &path, "read")
    }

    /// Removes a mail that was dealt with.
    ///
    /// # Errors
    /// When it stays.
    pub async fn remove(&self, name: &str) -> Result<(), MailboxError> {
        let path = self.path(name);
        gone_or(fs::remove_file(&path).await, &path, "removed").map(|_| ())
    }

    /// Leaves a mail to a person: mail programs show it as unread, and it is not looked at here again.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub async fn leave(&self, name: &str) -> Result<(), MailboxError> {
        let path = self.path(name);
        // What comes behind the colon are flags; one that is there already (a program may write them into `new`) stays.
        let seen = if name.contains(":2,") { name.to_owned() } else { format!("{name}:2,") };
        let moved = fs::rename(&path, self.root.join("cur").join(seen)).await;
        gone_or(moved, &path, "moved to cur").map(|_| ())
    }
}

/// `None` for a mail that is not there any more: another node, or a person, was faster.
fn gone_or<T>(result: io::Result<T>, path: &Path, done: &'static str) -> Result<Option<T>, MailboxError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.exists() => Ok(None),
        Err(error) => Err(MailboxError::Io { path: path.to_owned(), done, error }),
    }
}

impl fmt::Display for Maildir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.display())
    }
}
