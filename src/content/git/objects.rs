//! Reads what `ls-tree` and `cat-file` write. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

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
    /// Only with `--long`.
    pub(super) size: Option<u64>,
    pub(super) path: Cow<'a, str>,
    /// The path is not UTF-8; `path` has replacement characters.
    pub(super) is_lossy: bool,
}

/// The entries of `ls-tree -z`, with or without `--long`: `mode type id [size]\tpath\0`.
pub(super) fn entries(output: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    output.split(|byte| *byte == 0).filter_map(|record| {
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
        let (id, size) = (about.next()?, about.next().and_then(|size| size.parse().ok()));
        Some(Entry { kind, id, size, is_lossy: matches!(path, Cow::Owned(_)), path })
    })
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

/// The blobs of `cat-file --batch`: a line `id blob size`, the bytes, a line end, for each.
pub(super) fn blobs<'a>(output: &[u8], ids: &[&'a str]) -> HashMap<&'a str, Vec<u8>> {
    let asked: HashMap<&str, &'a str> = ids.iter().map(|id| (*id, *id)).collect();
    let mut found = HashMap::with_capacity(ids.len());
    let mut rest = output;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let Some((line, after)) = rest.split_at_checked(end) else { break };
        let after = after.get(1..).unwrap_or_default();
        let Some((id, size)) = header(line) else {
            rest = after; // `id missing`
            continue;
        };
        let Some((bytes, after)) = usize::try_from(size).ok().and_then(|size| after.split_at_checked(size)) else {
            break;
        };
        if let Some(id) = asked.get(id) {
            found.insert(*id, bytes.to_vec());
        }
        rest = after.get(1..).unwrap_or_default();
    }
    found
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
        let tree = b"100644 blob aa       2\ta b.md\x00120000 blob bb       3\tl\x00160000 commit cc       -\ts\x00100755 blob dd\t\xff.md\x00040000 tree ee\td\0";
        let found: Vec<_> = entries(tree).map(|e| (e.kind, e.id, e.size, e.path.into_owned(), e.is_lossy)).collect();
        assert_eq!(
            found,
            [
                (Kind::File, "aa", Some(2), "a b.md".into(), false),
                (Kind::Link, "bb", Some(3), "l".into(), false),
                (Kind::Submodule, "cc", None, "s".into(), false),
                (Kind::File, "dd", None, "\u{fffd}.md".into(), true),
                (Kind::Other, "ee", None, "d".into(), false),
            ]
        );
    }

    #[test]
    fn batches_are_read_also_when_an_object_is_missing() {
        let ids = ["aa", "bb", "cc"];
        let output = b"aa blob 3\nx\ny\nbb missing\ncc blob 0\n\n";
        let found = blobs(output, &ids);
        assert_eq!(found.get("aa").map(Vec::as_slice), Some(b"x\ny".as_slice()));
        assert_eq!((found.get("bb"), found.get("cc").map(Vec::len)), (None, Some(0)));
        assert_eq!(sizes(b"aa blob 3\nbb missing\ncc blob 7\n", &ids), HashMap::from([("aa", 3), ("cc", 7)]));
    }
}
