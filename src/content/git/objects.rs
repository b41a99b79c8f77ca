//! Reads what `ls-tree` and `cat-file` write.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Mode 100644 or 100755.
    File,
    /// Mode 120000.
    Link,
    /// Mode 160000.
    Submodule,
    /// A folder, or a mode nobody writes.
    Other,
}

/// An entry of a tree.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    pub(super) id: &'a str,
    pub(super) path: Cow<'a, str>,
    /// The path is not UTF-8; `path` has replacement characters.
    pub(super) is_lossy: bool,
}

/// An entry of `ls-tree -z`: `mode type id\tpath`, without the zero byte at its end.
pub(super) fn entry(record: &[u8]) -> Option<Entry<'_>> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let (about, path) = record.split_at_checked(tab)?;
    let path = String::from_utf8_lossy(path.get(1..)?);
    let mut about = std::str::from_utf8(about).ok()?.split_ascii_whitespace();
    let kind = match (about.next()?, about.next()?) {
        ("100644" | "100755", "blob") => Kind::File,
        ("120000", _) => Kind::Link,
        ("160000", _) => Kind::Submodule,
        _ => Kind::Other,
    };
    Some(Entry { kind, id: about.next()?, is_lossy: matches!(path, Cow::Owned(_)), path })
}

/// Whether a text is an object id: SHA-1 or SHA-256 in hex.
pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The sizes of `cat-file --batch-check`: `id blob size` lines. An object that is missing is not in it.
pub(super) fn sizes<'a>(output: &[u8], ids: &[&'a str]) -> HashMap<&'a str, u64> {
    let asked: HashMap<&str, &'a str> = ids.iter().map(|id| (*id, *id)).collect();
    let line = |line: &[u8]| {
        let (id, size) = header(line)?;
        Some((*asked.get(id)?, size))
    };
    output.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Reads the blobs of `cat-file --batch` in the order in which they were asked for: a line `id blob size`, the bytes, a line end,
/// for each. `None` for one that is missing.
pub(super) async fn blobs(mut output: impl AsyncBufRead + Unpin, count: usize) -> io::Result<Vec<Option<Vec<u8>>>> {
    let mut blobs = Vec::with_capacity(count);
    let mut line = Vec::new();
    while blobs.len() < count {
        line.clear();
        if output.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        let size = header(line.strip_suffix(b"\n").unwrap_or(&line)).and_then(|(_, size)| usize::try_from(size).ok());
        let Some(size) = size else {
            blobs.push(None); // `id missing`
            continue;
        };
        let mut bytes = vec![0; size];
        output.read_exact(&mut bytes).await?;
        output.read_u8().await?;
        blobs.push(Some(bytes));
    }
    Ok(blobs)
}

fn header(line: &[u8]) -> Option<(&str, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some(id), Some("blob"), Some(size)) => Some((id, size.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_read_with_their_kinds_and_odd_names() {
        for (record, expected) in [
            (b"100644 blob aa\ta b.md".as_slice(), (Kind::File, "aa", "a b.md", false)),
            (b"120000 blob bb\tl", (Kind::Link, "bb", "l", false)),
            (b"160000 commit cc\ts", (Kind::Submodule, "cc", "s", false)),
            (b"100755 blob dd\t\xff.md", (Kind::File, "dd", "\u{fffd}.md", true)),
            (b"040000 tree ee\td", (Kind::Other, "ee", "d", false)),
        ] {
            let found = entry(record).unwrap();
            assert_eq!((found.kind, found.id, &*found.path, found.is_lossy), expected);
        }
        assert!(entry(b"").is_none() && entry(b"100644 blob").is_none());
    }

    #[tokio::test]
    async fn batches_are_read_also_when_an_object_is_missing() {
        let output = b"aa blob 3\nx\ny\nbb missing\ncc blob 0\n\n".as_slice();
        let found = blobs(output, 3).await.unwrap();
        assert_eq!(found, [Some(b"x\ny".to_vec()), None, Some(Vec::new())]);
        assert!(blobs(b"aa blob 3\nx".as_slice(), 1).await.is_err(), "it was cut off");
        let ids = ["aa", "bb", "cc"];
        assert_eq!(sizes(b"aa blob 3\nbb missing\ncc blob 7\n", &ids), HashMap::from([("aa", 3), ("cc", 7)]));
    }
}
