//! Blocks of lines inside containers: margins of quotes and lists, and the empty lines between blocks.

use super::wrap::{COLUMNS, flow, width, wrap};

/// What stands before each line of a quote.
pub(super) const QUOTE: &str = "> ";

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

    /// Whether no container is open.
    pub fn is_top(&self) -> bool {
        self.margins.is_empty()
    }

    /// Writes a paragraph as [`Lines::block`] does. In lists it is not flowed: what stands before each line would get into the text.
    pub fn paragraph(&mut self, text: &str) {
        let lines = if self.margins.iter().all(|margin| margin.rest == QUOTE) {
            flow(text, self.columns())
        } else {
            wrap(text, self.columns())
        };
        self.write(lines);
    }

    /// Writes lines below what stands there, after an empty line unless the list is tight.
    pub fn block(&mut self, lines: Vec<String>) {
        self.write(lines.into_iter().map(|line| line.trim_end().to_owned()).collect());
    }

    fn write(&mut self, lines: Vec<String>) {
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
            let (quotes, margin) = quotes(margin);
            // A no-break space has done its work once lines are broken.
            let text = format!("{margin}{line}").replace('\u{A0}', " ");
            self.out.push_str(&quotes);
            // Nobody is quoted here.
            if quotes.is_empty() && text.starts_with('>') {
                self.out.push(' ');
            }
            self.out.push_str(if blank { text.trim_end() } else { &text });
            if blank && text.trim_end().is_empty() {
                self.out.truncate(self.out.trim_end_matches(' ').len());
            }
            self.out.push('\n');
        }
        self.blank = blank;
    }
}

/// The quotes at the start of a margin as RFC 3676 section 4.5 has them, without spaces between, and the rest of the margin.
fn quotes(margin: &str) -> (String, &str) {
    let mut rest = margin;
    let mut depth = 0;
    while let Some(after) = rest.strip_prefix(QUOTE) {
        (rest, depth) = (after, depth + 1);
    }
    (if depth == 0 { String::new() } else { format!("{} ", ">".repeat(depth)) }, rest)
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
