//! The header of a document: finds it, and reads it into plain values with the line of each key.
//!
//! Every kind of header ends up as the same [`Header`]; another kind is one more [`Kind`] and one more reader.
//! What a key means is not known here.

mod toml;
mod yaml;

use crate::types::{Finding, Place, Rule};

/// A header of more than this is not metadata. The largest in the newsletters we know has 2 KiB.
const MAX_HEADER: usize = 16 * 1024;

/// What a header is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Between `---` and `---` (or `...`), as Jekyll, Hugo and VuePress have it.
    Yaml,
    /// Between `+++` and `+++`, as Hugo and Zola have it.
    Toml,
}

impl Kind {
    /// The kind that a document's first line announces.
    fn announced_by(line: &str) -> Option<Self> {
        match line.trim_end() {
            "---" => Some(Self::Yaml),
            "+++" => Some(Self::Toml),
            _ => None,
        }
    }

    /// The line that opens and closes it.
    fn mark(self) -> &'static str {
        match self {
            Self::Yaml => "---",
            Self::Toml => "+++",
        }
    }

    /// Whether a line closes it. YAML documents may also end with three dots, and Jekyll accepts that.
    fn closed_by(self, line: &str) -> bool {
        let line = line.trim_end();
        line == self.mark() || (self == Self::Yaml && line == "...")
    }

    /// How a key is written with a text value, for remedies.
    pub(super) fn example(self, key: &str, value: &str) -> String {
        match self {
            Self::Yaml if value.contains(": ") => format!("{key}: \"{value}\""),
            Self::Yaml => format!("{key}: {value}"),
            Self::Toml => format!("{key} = \"{value}\""),
        }
    }
}

/// A value as written. Numbers, booleans and dates stay text: what `1.10` or `no` means is the key's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing after the key, or `null`.
    Empty,
    /// One scalar.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Keys and values below a key; no field of an issue has that form.
    Group,
}

/// A key of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// In lower case.
    pub(super) key: String,
    /// Line of the file, from 1.
    pub(super) line: u32,
    /// Its value.
    pub(super) value: Value,
}

/// The header of a document, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// What it is written in.
    pub(super) kind: Kind,
    /// Its keys.
    pub(super) fields: Vec<Field>,
}

/// A document taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// The header.
    pub(super) header: Header,
    /// Everything after the line that closes the header.
    pub(super) body: &'a str,
    /// Line of the file on which the body starts, from 1.
    pub(super) body_line: u32,
}

/// Why a header does not parse.
struct Broken {
    /// Line within the header, from 1.
    line: u32,
    /// Column in characters, from 1, if known.
    column: Option<u32>,
    /// What the parser said, without the place.
    why: String,
    /// What usually helps.
    remedy: String,
}

/// Takes a document apart. Line ends are `\n` and there is no byte order mark; blank lines before the header are skipped.
pub(super) fn read<'a>(path: &str, text: &'a str) -> Result<Parts<'a>, Finding> {
    let Some(found) = find(path, text)? else {
        return Err(Finding {
            rule: Rule::NoTitle,
            place: Place::line(path, 1),
            message: "the file has no front matter, so it has no title and no date".into(),
            remedy: "Start it with the lines \"---\", \"title: ...\", \"date: 2020-03-12\" and \"---\"; \
                     if it is not an issue, add it to `exclude` of the source."
                .into(),
        });
    };
    let fields = match found.kind {
        Kind::Yaml => yaml::read(found.header),
        Kind::Toml => toml::read(found.header),
    };
    // Line 1 of the header follows the mark.
    let place = |line: u32| found.mark_line.saturating_add(line);
    let mut fields = fields.map_err(|broken| Finding {
        rule: Rule::BrokenFrontMatter,
        place: Place { path: path.to_owned(), line: Some(place(broken.line)), column: broken.column },
        message: format!("the front matter does not parse: {}", broken.why),
        remedy: broken.remedy,
    })?;
    for field in &mut fields {
        field.line = place(field.line);
        field.key = field.key.to_lowercase();
    }
    Ok(Parts { header: Header { kind: found.kind, fields }, body: found.body, body_line: found.body_line })
}

/// Where header and body are.
struct Found<'a> {
    kind: Kind,
    mark_line: u32,
    header: &'a str,
    body: &'a str,
    body_line: u32,
}

/// Finds the marks; `None` when the document does not start with one.
fn find<'a>(path: &str, text: &'a str) -> Result<Option<Found<'a>>, Finding> {
    let mut opened: Option<(Kind, u32, usize)> = None;
    let mut at = 0;
    for (line, number) in text.split_inclusive('\n').zip(1u32..) {
        let start = at;
        at += line.len();
        match opened {
            None if line.trim().is_empty() => {}
            None => match Kind::announced_by(line) {
                Some(kind) => opened = Some((kind, number, at)),
                None => return Ok(None),
            },
            Some((kind, mark_line, from)) if kind.closed_by(line) => {
                if start - from > MAX_HEADER {
                    return Err(too_long(path, kind, mark_line, start - from));
                }
                let (header, body) = (text.get(from..start), text.get(at..));
                let (header, body) = (header.unwrap_or_default(), body.unwrap_or_default());
                return Ok(Some(Found { kind, mark_line, header, body, body_line: number + 1 }));
            }
            Some(_) => {}
        }
    }
    match opened {
        None => Ok(None),
        Some((kind, mark_line, _)) => Err(unclosed(path, kind, mark_line)),
    }
}

fn unclosed(path: &str, kind: Kind, line: u32) -> Finding {
    let mark = kind.mark();
    Finding {
        rule: Rule::BrokenFrontMatter,
        place: Place::line(path, line),
        message: format!("the front matter that starts with \"{mark}\" is not closed"),
        remedy: format!("Add a line with only \"{mark}\" after its last key."),
    }
}

fn too_long(path: &str, kind: Kind, line: u32, size: usize) -> Finding {
    let mark = kind.mark();
    Finding {
        rule: Rule::TooLarge,
        place: Place::line(path, line),
        message: format!("the front matter has {size} bytes, more than the {MAX_HEADER} that are read"),
        remedy: format!("Look whether the \"{mark}\" that closes it is missing; move long texts into the body."),
    }
}

#[cfg(test)]
mod tests;
