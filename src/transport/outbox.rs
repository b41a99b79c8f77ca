//! Mail as `.eml` files in a directory. A file appears whole or not at all, and a message that is sent again replaces itself.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{Announced, Content, Envelope, Round, TransportError};
use crate::delivery::Reply;

/// Characters of the Message-ID in a file name: 80 bits of a hash.
const ID: usize = 16;
/// Length of `20261122T101500Z`.
const STAMP: usize = 16;

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
    /// The bytes as they would go over the wire, before dot-stuffing.
    pub bytes: Vec<u8>,
}

/// An open connection to the outbox.
#[derive(Debug)]
pub struct Connection {
    outbox: Outbox,
    announced: bool,
}

impl Outbox {
    /// The outbox in a directory, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Names of the mails, newest first by their `Date`. A directory that does not exist has none.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn list(&self) -> io::Result<Vec<String>> {
        let mut entries = match tokio::fs::read_dir(&self.directory).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            names.extend(entry.file_name().into_string().ok().filter(|name| is_name(name)));
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// One mail; `None` when the name is not one that [`Outbox::list`] gives. A name cannot lead out of the directory.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub async fn read(&self, name: &str) -> io::Result<Option<OutboxMail>> {
        if !is_name(name) {
            return Ok(None);
        }
        match tokio::fs::read(self.directory.join(name)).await {
            Ok(bytes) => Ok(Some(OutboxMail { name: name.to_owned(), bytes })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn open(&self) -> Connection {
        Connection { outbox: self.clone(), announced: false }
    }

    /// Writes a mail and returns its name.
    async fn write(&self, content: &Content) -> Result<String, TransportError> {
        let bytes = content.bytes();
        let name = name_of(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
            TransportError::Unfit("it has no Date and Message-ID of ours, from which its file name is made".to_owned())
        })?;
        let (directory, file) = (self.directory.clone(), name.clone());
        let written = tokio::task::spawn_blocking(move || write(&directory, &file, &bytes)).await;
        match written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(()) => Ok(name),
            Err(source) => Err(TransportError::Write { path: self.directory.join(name).display().to_string(), source }),
        }
    }
}

impl Connection {
    pub(super) async fn round(&mut self, content: Option<&Content>, next: Option<&Envelope>) -> Round {
        let mut round = Round::default();
        if std::mem::take(&mut self.announced) != content.is_some() {
            let why = "this round has content that was not announced, or lacks what was; nothing was written";
            round.broken = Some(TransportError::Lost(why.to_owned()));
            return round;
        }
        if let Some(content) = content {
            match self.outbox.write(content).await {
                Ok(name) => round.content = Some(Reply::new(250, &format!("2.0.0 written to {name}"))),
                Err(error @ TransportError::Unfit(_)) => return Round::not_sent(554, "5.6.0", error),
                Err(error) => return Round::not_sent(451, "4.3.0", error),
            }
        }
        round.envelope = next.map(|_| Announced::Ready);
        self.announced = next.is_some();
        round
    }
}

/// Whether a text is a file name as [`name_of`] makes them.
fn is_name(name: &str) -> bool {
    let Some((stamp, id)) = name.strip_suffix(".eml").and_then(|name| name.split_once('-')) else { return false };
    let digit = |(i, b): (usize, u8)| match i {
        8 => b == b'T',
        15 => b == b'Z',
        _ => b.is_ascii_digit(),
    };
    stamp.len() == STAMP && stamp.bytes().enumerate().all(digit) && id.len() == ID && id.bytes().all(is_id)
}

/// A character of our Message-IDs: lower-case base32hex.
fn is_id(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'v').contains(&byte)
}

/// The file name of a message: its date, so that names sort by time, and the start of its Message-ID, so that the same
/// message has the same name every time.
fn name_of(text: &str) -> Option<String> {
    let header = text.split_once("\r\n\r\n")?.0;
    let field = |name: &str| header.split("\r\n").find_map(|line| line.strip_prefix(name));
    let date = DateTime::parse_from_rfc2822(field("Date: ")?).ok()?.with_timezone(&Utc);
    let id = field("Message-ID: <")?.get(..ID)?;
    let name = format!("{}-{id}.eml", date.format("%Y%m%dT%H%M%SZ"));
    is_name(&name).then_some(name)
}

/// A whole file or none: written beside its place, synced, renamed, and the directory synced.
fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    // Two processes that write the same message must not share a half-written file.
    let draft = directory.join(format!(".{name}.{}", std::process::id()));
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, directory.join(name))
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str =
        "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <0123456789abcdefghij@example.org>\r\n\r\nHi\r\n";

    #[test]
    fn a_name_is_made_of_the_date_and_the_message_id() {
        assert_eq!(name_of(MAIL).as_deref(), Some("20270115T080000Z-0123456789abcdef.eml"));
        for unfit in [
            "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\nMessage-ID: <0123456789abcdefghij@example.org>\r\n",
            "Date: never\r\nMessage-ID: <0123456789abcdefghij@example.org>\r\n\r\n",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <../../../../etc/passwd>\r\n\r\n",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <short>\r\n\r\n",
            "",
        ] {
            assert_eq!(name_of(unfit), None, "{unfit}");
        }
    }

    #[test]
    fn only_such_a_name_is_a_name() {
        assert!(is_name("20270115T080000Z-0123456789abcdef.eml"));
        for bad in [
            "",
            ".eml",
            "..",
            "../20270115T080000Z-0123456789abcdef.eml",
            "20270115T080000Z-0123456789abcde/.eml",
            "20270115T080000Z-0123456789abcdef.eml.1",
            "20270115T080000Z-0123456789abcdeF.eml",
            "20270115T080000Z-0123456789abcdefg.eml",
            "20270115t080000Z-0123456789abcdef.eml",
            ".20270115T080000Z-0123456789abcdef.eml",
            "20270115T080000Z-0123456789abcdef.eml\0",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
