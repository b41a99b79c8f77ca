//! The header of a document: finds it, and reads it into plain values with the line of each key.
//!
//! Every kind of header ends up as the same [`Header`]; another kind is one more [`Kind`] and one more reader.
//! What a key means is not known here.

mod json;
mod lines;
mod marks;
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
    /// One object, from its `{` to its `}`, as Hugo has it.
    Json,
    /// Lines of the form `Key: value` up to the first blank line, as Pelican and MultiMarkdown have it.
    Lines,
    /// None: the document starts with its text.
    Bare,
}

impl Kind {
    /// How a key is written with a text value, for remedies.
    pub(super) fn example(self, key: &str, value: &str) -> String {
        match self {
            Self::Yaml | Self::Bare if value.contains(": ") => format!("{key}: \"{value}\""),
            Self::Yaml | Self::Bare => format!("{key}: {value}"),
            Self::Toml => format!("{key} = \"{value}\""),
            Self::Json => format!("\"{key}\": \"{value}\","),
            Self::Lines => {
                let (first, rest) = key.split_at_checked(1).unwrap_or_default();
                format!("{}{rest}: {value}", first.to_uppercase())
            }
        }
    }

    /// What to do when a key is not there, as a sentence.
    pub(super) fn to_add(self, key: &str, value: &str) -> String {
        let example = self.example(key, value);
        match self {
            Self::Bare => format!("Start the file with front matter: the lines \"---\", {example:?} and \"---\"."),
            _ => format!("Add a line like this: {example}"),
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
    /// Everything after the header.
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

/// Where header and body are.
struct Found<'a> {
    kind: Kind,
    /// The header without marks.
    header: &'a str,
    /// Line on which it starts, counted as [`find`] counts.
    line: u32,
    body: &'a str,
    body_line: u32,
}

/// Takes a document apart. Line ends are `\n` and there is no byte order mark; blank lines before the header are skipped.
///
/// A header without marks is told from a paragraph by having one of the keys `telling`, in lower case.
pub(super) fn read<'a>(path: &str, text: &'a str, telling: &[&str]) -> Result<Parts<'a>, Finding> {
    let found = find(path, text, telling)?;
    if found.header.len() > MAX_HEADER {
        return Err(too_long(path, &found));
    }
    let fields = match found.kind {
        Kind::Yaml => yaml::read(found.header),
        Kind::Toml => toml::read(found.header),
        Kind::Json => json::read(found.header),
        Kind::Lines => Ok(lines::read(found.header)),
        Kind::Bare => Ok(Vec::new()),
    };
    let place = |line: u32| found.line.saturating_add(line).saturating_sub(1);
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

/// Finds the header by the first line that is not blank.
fn find<'a>(path: &str, text: &'a str, telling: &[&str]) -> Result<Found<'a>, Finding> {
    let bare = Found { kind: Kind::Bare, header: "", line: 1, body: text, body_line: 1 };
    let mut start = 0;
    let mut blank = 0;
    for line in text.split_inclusive('\n').take_while(|line| line.trim().is_empty()) {
        start += line.len();
        blank += 1;
    }
    let rest = text.get(start..).unwrap_or_default();
    let found = if let Some(found) = marks::find(rest) {
        Some(found)
    } else if let Some(found) = json::find(rest) {
        Some(found)
    } else {
        lines::find(rest, telling).map(Ok)
    };
    match found {
        None => Ok(bare),
        Some(Ok(found)) => Ok(Found { line: found.line + blank, body_line: found.body_line + blank, ..found }),
        Some(Err(unclosed)) => Err(Finding {
            rule: Rule::BrokenFrontMatter,
            place: Place::line(path, blank + 1),
            message: format!("the front matter that starts with \"{}\" is not closed", unclosed.mark),
            remedy: unclosed.remedy.into(),
        }),
    }
}

/// A header that begins and does not end.
struct Unclosed {
    mark: &'static str,
    remedy: &'static str,
}

/// The `number`-th line from 0 as it is counted everywhere: from 1.
fn line_number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1)
}

fn too_long(path: &str, found: &Found<'_>) -> Finding {
    let size = found.header.len();
    // Marks stand on a line of their own before the header.
    let (closes, line) = match found.kind {
        Kind::Yaml => ("the \"---\" that closes it", found.line.saturating_sub(1)),
        Kind::Toml => ("the \"+++\" that closes it", found.line.saturating_sub(1)),
        Kind::Json => ("the \"}\" that closes it", found.line),
        Kind::Lines | Kind::Bare => ("the blank line after it", found.line),
    };
    Finding {
        rule: Rule::TooLarge,
        place: Place::line(path, line),
        message: format!("the front matter has {size} bytes, more than the {MAX_HEADER} that are read"),
        remedy: format!("Look whether {closes} is missing; move long texts into the body."),
    }
}

#[cfg(test)]
mod tests;
