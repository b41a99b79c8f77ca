//! A line of comma-separated values (RFC 4180), as spreadsheets write it; semicolons and tabs separate too. Values have no line breaks.

use std::io::Read;
use std::path::Path;

use anyhow::Context;

/// A file, or standard input for `-`.
pub fn text(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read as UTF-8")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read as UTF-8", file.display()))
}

/// A line of a list of addresses.
pub struct Record {
    /// From 1.
    pub line: usize,
    /// The address is in the first one.
    pub cells: Vec<String>,
    /// It names the columns.
    pub is_header: bool,
}

/// The lines of a list of addresses that say something: not empty, and no remarks.
pub fn records(text: &str) -> impl Iterator<Item = Record> {
    let record = |(line, text)| {
        let cells = read(text);
        let first = cells.first().map(|cell| cell.trim()).unwrap_or_default();
        let says_something = !first.is_empty() && !first.starts_with('#');
        let is_header = line == 1 && !first.contains('@');
        says_something.then_some(Record { line, cells, is_header })
    };
    (1..).zip(text.lines()).filter_map(record)
}

/// The cells of a line.
pub fn read(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = line.trim_start_matches('\u{FEFF}').chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' if quoted || cell.trim().is_empty() => {
                quoted = !quoted;
                if quoted {
                    cell.clear();
                }
            }
            ',' | ';' | '\t' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

/// A cell. A value that a spreadsheet would compute gets a mark before it that makes it text.
pub fn write(value: &str) -> String {
    let value = if value.starts_with(['=', '+', '-', '@']) { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', ';', '"', '\'', '\t']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_spreadsheets_write_them() {
        for (line, cells) in [
            ("a@b.example", vec!["a@b.example"]),
            ("\"a@b.example\",\"Ada, \"\"Countess\"\"\",x", vec!["a@b.example", "Ada, \"Countess\"", "x"]),
            ("\u{FEFF}a;b\tc,", vec!["a", "b", "c", ""]),
            ("a, \"b\"", vec!["a", "b"]),
            ("a,5\" disk", vec!["a", "5\" disk"]),
        ] {
            assert_eq!(read(line), cells, "{line}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_computes_nothing() {
        for value in ["Ada", "Ada, \"Countess\"", "O'Brien", "a;b\tc", ""] {
            assert_eq!(read(&write(value)), [value], "{value}");
        }
        assert_eq!(write("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
    }
}
