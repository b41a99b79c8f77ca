//! Blocks of lines inside containers: margins of quotes and lists, and the empty lines between blocks.

use super::wrap::{COLUMNS, width};

/// However deep a quote is, its lines keep this many columns.
const NARROWEST: usize = 24;

/// What stands before each line of a container: a marker once, then its indent.
#[derive(Debug)]
struct Margin {
    marker: Option<String>,
    rest: String,
    kind: Kind,
}

/// What a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A quote or a footnote.
    Block,
    /// An item; the items of a tight list, and the blocks in them, follow each other without an empty line.
    Item { first: bool, tight: bool },
}

/// The text written so far, and the containers that the next line stands in.
#[derive(Debug, Default)]
pub(super) struct Lines {
    out: String,
    margins: Vec<Margin>,
    /// The last line written says nothing.
    blank: bool,
}

impl Lines {
    /// Opens a container; `marker` and `rest` are of the same width.
    pub fn enter(&mut self, marker: String, rest: String, kind: Kind) {
        self.margins.push(Margin { marker: Some(marker), rest, kind });
    }

    /// Closes the innermost container.
    pub fn leave(&mut self) {
        self.margins.pop();
    }

    /// What is left of a line inside the margins.
    pub fn columns(&self) -> usize {
        let margin: usize = self.margins.iter().map(|margin| width(&margin.rest)).sum();
        COLUMNS.saturating_sub(margin).max(NARROWEST)
    }

    /// Writes lines below what stands there, after an empty line unless the list is tight.
    pub fn block(&mut self, lines: Vec<String>) {
        // Containers that nothing was written in yet begin on this block's first line.
        let begins = self.margins.iter().position(|margin| margin.marker.is_some()).unwrap_or(self.margins.len());
        let within = begins.checked_sub(1).and_then(|outer| self.margins.get(outer)).map(|margin| margin.kind);
        let tight = match self.margins.get(begins).map(|margin| margin.kind) {
            Some(Kind::Item { first: false, tight }) => tight,
            _ => matches!(within, Some(Kind::Item { tight: true, .. })),
        };
        if !tight && !self.out.is_empty() && !lines.is_empty() {
            let margin: String = self.margins.iter().take(begins).map(|margin| margin.rest.as_str()).collect();
            self.put(&margin, "");
        }
        for line in lines {
            let margin: String = self
                .margins
                .iter_mut()
                .map(|margin| margin.marker.take().unwrap_or_else(|| margin.rest.clone()))
                .collect();
            self.put(&margin, &line);
        }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.out
    }

    fn put(&mut self, margin: &str, line: &str) {
        let blank = line.trim().is_empty();
        if !(blank && self.blank) {
            // A no-break space has done its work once lines are broken.
            self.out.push_str(format!("{margin}{line}").replace('\u{A0}', " ").trim_end());
            self.out.push('\n');
        }
        self.blank = blank;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_stand_once_and_empty_lines_never_twice() {
        let block = |lines: &mut Lines, text: &str| lines.block(text.split('|').map(str::to_owned).collect());
        let mut lines = Lines::default();
        lines.enter("> ".to_owned(), "> ".to_owned(), Kind::Block);
        lines.enter("- ".to_owned(), "  ".to_owned(), Kind::Item { first: true, tight: true });
        block(&mut lines, "a|b\u{A0}c ");
        block(&mut lines, "d");
        lines.leave();
        lines.enter("- ".to_owned(), "  ".to_owned(), Kind::Item { first: false, tight: false });
        assert_eq!(lines.columns(), COLUMNS - 4);
        block(&mut lines, "e|||f");
        lines.leave();
        lines.leave();
        block(&mut lines, "g");
        assert_eq!(lines.finish(), "> - a\n>   b c\n>   d\n>\n> - e\n>\n>   f\n\ng\n");
    }
}
