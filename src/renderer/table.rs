//! A table as plain text: aligned columns where they fit, else one paragraph for each row.

use pulldown_cmark::Alignment;

use super::wrap::{width, wrap};

/// A table of plain cells; the first row is the head.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub aligned: Vec<Alignment>,
    pub rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "  ";

/// Lines of at most `columns`, where the cells allow it.
pub(super) fn lines(table: &Table, columns: usize) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in &table.rows {
        for (at, cell) in row.iter().enumerate() {
            match widths.get_mut(at) {
                Some(widest) => *widest = (*widest).max(width(cell)),
                None => widths.push(width(cell)),
            }
        }
    }
    if widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1) > columns {
        return records(table, columns);
    }
    let mut lines: Vec<String> = table.rows.iter().map(|row| aligned(row, &widths, &table.aligned)).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1.min(lines.len()), rule.join(GAP));
    lines
}

fn aligned(row: &[String], widths: &[usize], alignments: &[Alignment]) -> String {
    let mut line = String::new();
    for (at, cell) in row.iter().enumerate() {
        let room = widths.get(at).copied().unwrap_or_default().saturating_sub(width(cell));
        let left = match alignments.get(at) {
            Some(Alignment::Right) => room,
            Some(Alignment::Center) => room / 2,
            _ => 0,
        };
        if at > 0 {
            line.push_str(GAP);
        }
        line.push_str(&" ".repeat(left));
        line.push_str(cell);
        line.push_str(&" ".repeat(room - left));
    }
    line
}

/// `Head: cell` for each cell of each row, for tables wider than a line.
fn records(table: &Table, columns: usize) -> Vec<String> {
    let Some((head, rows)) = table.rows.split_first() else { return Vec::new() };
    let mut lines = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let entry = match head.get(at).filter(|head| !head.is_empty()) {
                Some(head) => format!("{head}: {cell}"),
                None => cell.clone(),
            };
            for (number, line) in wrap(&entry, columns.saturating_sub(2)).into_iter().enumerate() {
                lines.push(if number == 0 { line } else { format!("  {line}") });
            }
        }
        lines.push(String::new());
    }
    lines.pop();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> Table {
        Table {
            aligned: vec![Alignment::None, Alignment::Right, Alignment::Center],
            rows: rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect(),
        }
    }

    #[test]
    fn columns_are_aligned_by_display_width() {
        let table = table(&[&["Name", "ms", "Note"], &["读取", "7", "a"], &["b", "123", ""]]);
        assert_eq!(lines(&table, 72), ["Name   ms  Note", "----  ---  ----", "读取    7   a  ", "b     123      "]);
    }

    #[test]
    fn a_wide_table_becomes_records() {
        let table = table(&[&["Name", "Value", "Note"], &["a", "one two three", ""], &["b", "2", "x"]]);
        assert_eq!(lines(&table, 14), ["Name: a", "Value: one", "  two three", "", "Name: b", "Value: 2", "Note: x"]);
    }

    #[test]
    fn a_huge_table_of_nothing_is_no_trouble() {
        assert_eq!(lines(&Table::default(), 72), [""; 1]);
    }
}
