//! Finds a header between two lines of marks: `---` for YAML, `+++` for TOML.

use super::{Found, Kind, Unclosed, line_number};

/// The header of a text that starts with a mark; `None` when it does not. Lines are counted from 1.
pub(super) fn find(text: &str) -> Option<Result<Found<'_>, Unclosed>> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next()?;
    let kind = announced_by(first)?;
    let from = first.len();
    let mut at = from;
    for (number, line) in lines.enumerate() {
        if closed_by(kind, line) {
            let (header, body) = (text.get(from..at), text.get(at + line.len()..));
            let (header, body) = (header.unwrap_or_default(), body.unwrap_or_default());
            return Some(Ok(Found { kind, header, line: 2, body, body_line: line_number(number + 2) }));
        }
        at += line.len();
    }
    Some(Err(match kind {
        Kind::Toml => Unclosed { mark: "+++", remedy: "Add a line with only \"+++\" after its last key." },
        _ => Unclosed { mark: "---", remedy: "Add a line with only \"---\" after its last key." },
    }))
}

/// The kind that a first line announces. Some editors have put a space before it; four would make it code.
fn announced_by(line: &str) -> Option<Kind> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    match line.trim() {
        "---" if indent < 4 => Some(Kind::Yaml),
        "+++" if indent < 4 => Some(Kind::Toml),
        _ => None,
    }
}

/// Whether a line closes the header. YAML documents may also end with three dots, and Jekyll accepts that.
fn closed_by(kind: Kind, line: &str) -> bool {
    match line.trim_end() {
        "---" | "..." => kind == Kind::Yaml,
        "+++" => kind == Kind::Toml,
        _ => false,
    }
}
