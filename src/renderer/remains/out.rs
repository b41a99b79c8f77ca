//! Writes the cleaned document line by line: knows where a line begins, and quotes what is in a container.

use super::shortcodes::escape;

/// Containers that become quotes, inside one another; deeper ones keep their content as it stands. Nobody writes
/// three, and each costs two characters a line.
const DEEPEST: usize = 4;
/// Containers of any kind that are kept track of; deeper ones are only counted.
const MOST_OPEN: usize = 16;

/// What a container becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A quote: each line begins with `> `.
    Quote,
    /// A `<details>` element.
    Details,
    /// Its content.
    Plain,
}

#[derive(Debug)]
struct Container {
    /// Bytes of white space before its first line.
    indent: usize,
    shape: Shape,
}

/// The document so far.
#[derive(Debug)]
pub(super) struct Out {
    text: String,
    /// Where the line that is being written begins.
    start: usize,
    /// White space of the line, as long as it has nothing else.
    margin: String,
    fresh: bool,
    /// The line before is blank, or there is none.
    blank: bool,
    /// The next line that says something stands apart from what is before it.
    gap: bool,
    /// As `gap`, for what comes after the line that is being written.
    gap_after: bool,
    /// The line lost all it had. Its indentation counts for the next: a paragraph could not become code, but its
    /// lines can when the first one is gone.
    emptied: Option<usize>,
    dedent: Option<usize>,
    containers: Vec<Container>,
    /// Containers inside the last of these that are not kept track of.
    deeper: usize,
}

impl Out {
    pub fn new(capacity: usize) -> Self {
        Self {
            text: String::with_capacity(capacity),
            start: 0,
            margin: String::new(),
            fresh: true,
            blank: true,
            gap: false,
            gap_after: false,
            emptied: None,
            dedent: None,
            containers: Vec::new(),
            deeper: 0,
        }
    }

    /// Whether the line has nothing but white space yet.
    pub fn fresh(&self) -> bool {
        self.fresh
    }

    /// The line that is being written.
    pub fn line(&self) -> &str {
        self.text.get(self.start..).filter(|_| !self.fresh).unwrap_or_default()
    }

    /// Text of any number of lines. The margins of lines of code are left alone.
    pub fn push(&mut self, text: &str, code: bool) {
        for line in text.split_inclusive('\n') {
            let content = if self.fresh { line.trim_start_matches([' ', '\t']) } else { line };
            if self.fresh {
                self.margin.push_str(line.get(..line.len() - content.len()).unwrap_or_default());
                if content.is_empty() {
                    continue;
                }
                self.begin(content == "\n", code);
            }
            self.text.push_str(content);
            self.fresh = content.ends_with('\n');
            if self.fresh {
                self.start = self.text.len();
                self.gap |= std::mem::take(&mut self.gap_after);
            }
        }
    }

    /// A block of its own, with blank lines around it. The caller ends the line.
    pub fn block(&mut self, text: &str) {
        self.gap = !self.blank;
        let margin = self.margin.clone();
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.push(&format!("\n{margin}"), false);
            }
            self.push(line, false);
        }
        self.gap_after = true;
    }

    /// Takes the white space from the end of the line, of which something was left out.
    pub fn trim(&mut self) {
        if self.fresh {
            self.emptied = Some(width(&self.margin));
            self.margin.clear();
        } else {
            let end = self.line().trim_end_matches([' ', '\t']).len();
            self.text.truncate(self.start + end);
        }
    }

    /// Puts a space where what was left out kept two characters from becoming a mark.
    pub fn seam(&mut self, next: Option<char>) {
        let meets = |last: char| "{<:!\\[-`".contains(last);
        if self.line().ends_with(meets) && next.is_some_and(|next| "{%<!:#/-[`sS".contains(next)) {
            self.text.push(' ');
        }
    }

    /// Code between lines of backticks. `inner` has the margins of its lines, `closing` is the margin of the last.
    pub fn fence(&mut self, language: &str, inner: &str, closing: &str) {
        let fence = "`".repeat(longest_run(inner).max(2) + 1);
        if self.fresh {
            self.gap = !self.blank;
        } else if !self.line().chars().all(|c| " >-*+0123456789.".contains(c)) {
            self.push("\n\n", false);
        }
        self.push(&format!("{fence}{language}\n"), true);
        self.push(inner, true);
        self.push("\n", true);
        self.push(closing, true);
        self.push(&fence, true);
    }

    /// Opens a container; the line must be fresh. `alert` is the word of an alert as GitHub has them.
    pub fn open(&mut self, shape: Shape, alert: &str, title: &str) {
        let quotes = self.containers.iter().filter(|container| container.shape == Shape::Quote).count();
        let too_deep = quotes >= DEEPEST || self.containers.len() >= MOST_OPEN;
        let shape = if too_deep { Shape::Plain } else { shape };
        let margin = std::mem::take(&mut self.margin);
        let bold = if title.is_empty() { String::new() } else { format!("{margin}**{title}**\n\n") };
        self.leave(margin.len());
        self.separate();
        let head = match shape {
            Shape::Quote => format!("{margin}[!{alert}]\n{bold}"),
            Shape::Details => format!("{margin}<details><summary>{}</summary>\n\n", summary(title)),
            Shape::Plain => bold,
        };
        if self.containers.len() < MOST_OPEN {
            self.containers.push(Container { indent: margin.len(), shape });
        } else {
            self.deeper += 1;
        }
        self.push(&head, false);
    }

    /// Closes the innermost container; the line must be fresh.
    pub fn close(&mut self) {
        let margin = std::mem::take(&mut self.margin);
        self.gap = true;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if self.containers.pop().is_some_and(|container| container.shape == Shape::Details) {
            self.push(&format!("{margin}</details>\n"), false);
            self.gap = true;
        }
    }

    /// Removes the line before when it says something that `remove` knows.
    pub fn retract(&mut self, longest: usize, remove: impl Fn(&str) -> bool) {
        let end = self.start.saturating_sub(1);
        let tail = self.text.get(end.saturating_sub(longest)..end).unwrap_or_default();
        let from = tail.rfind('\n').map(|at| end - tail.len() + at + 1).or((tail.len() == end).then_some(0));
        if let Some(from) = from.filter(|from| self.text.get(*from..end).is_some_and(remove)) {
            self.text.truncate(from);
            self.start = from;
        }
    }

    /// The document.
    pub fn finish(mut self) -> String {
        self.text.push_str(&self.margin);
        self.text
    }

    /// Writes what stands before the first word of a line.
    fn begin(&mut self, blank: bool, code: bool) {
        let mut margin = std::mem::take(&mut self.margin);
        if blank {
            self.dedent = self.emptied.take();
            self.gap = false;
            self.blank_prefix(&margin);
            self.blank = true;
            return;
        }
        if !code {
            self.leave(margin.len());
            match self.dedent {
                Some(indent) if width(&margin) >= indent + 4 => margin = " ".repeat(indent),
                _ => {}
            }
        }
        if self.gap {
            self.separate();
        }
        self.emptied = None;
        self.blank = false;
        let mut rest = margin.as_str();
        let mut taken = 0;
        for container in self.containers.iter().filter(|container| container.shape == Shape::Quote) {
            let (before, after) = rest.split_at(container.indent.saturating_sub(taken).min(rest.len()));
            self.text.push_str(before);
            self.text.push_str("> ");
            taken += before.len();
            rest = after;
        }
        self.text.push_str(rest);
    }

    /// Writes a blank line unless there is one.
    fn separate(&mut self) {
        self.gap = false;
        if !std::mem::replace(&mut self.blank, true) {
            self.blank_prefix("");
            self.text.push('\n');
            self.start = self.text.len();
        }
    }

    fn blank_prefix(&mut self, margin: &str) {
        let mut quotes = self.containers.iter().filter(|container| container.shape == Shape::Quote).peekable();
        match quotes.peek() {
            None => self.text.push_str(margin),
            Some(first) => {
                let prefix = " ".repeat(first.indent) + ">".repeat(quotes.count()).as_str();
                self.text.push_str(&prefix);
            }
        }
    }

    /// A line with less indentation than a container ends it, as it ends the list item that the container is in.
    fn leave(&mut self, indent: usize) {
        while self.containers.last().is_some_and(|last| last.indent > indent) {
            let last = self.containers.pop();
            self.deeper = 0;
            self.gap |= last.is_some_and(|last| last.shape == Shape::Quote);
        }
    }
}

/// Columns of white space; a tab is taken for four.
fn width(margin: &str) -> usize {
    margin.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// The longest run of backticks.
pub(super) fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

fn summary(title: &str) -> String {
    if title.is_empty() { "Details".to_owned() } else { escape(title) }
}
