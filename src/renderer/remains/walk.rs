//! The walk over a document: finds what may be a remain, and copies everything else.

use super::find::Finder;
use super::notes::{Dropped, Fate, Notes};
use super::out::{Out, longest_run};
use super::regions::Regions;
use super::shortcodes::escape;

/// The state of the walk. What is before `at` is dealt with.
#[derive(Debug)]
pub(super) struct Walk<'t> {
    pub text: &'t str,
    pub at: usize,
    pub regions: Regions,
    pub find: Finder<'t>,
    pub out: Out,
    /// Until here, template tags are meant to be read: `{% raw %}`.
    pub raw_until: usize,
    notes: Notes,
}

impl<'t> Walk<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            regions: Regions::of(text),
            find: Finder::new(text),
            out: Out::new(text.len()),
            raw_until: 0,
            notes: Notes::default(),
        }
    }

    /// Walks to the end.
    pub fn run(mut self) -> (String, Vec<Dropped>) {
        self.imports();
        while let Some(mark) = next_mark(self.text, self.at) {
            self.copy_to(mark);
            if let Some(code) = self.regions.code(mark).filter(|code| code.start <= mark) {
                self.copy_to(code.end);
                continue;
            }
            match self.remain(mark) {
                Some(end) => {
                    self.at = self.at.max(end);
                    self.regions.skip(self.at);
                }
                None => self.copy_to((mark + 1).max(self.at)),
            }
        }
        self.copy_to(self.text.len());
        (self.out.finish(), self.notes.finish())
    }

    /// Deals with a remain at `at` and tells where it ends; `None` when there is none.
    fn remain(&mut self, at: usize) -> Option<usize> {
        match self.text.as_bytes().get(at)? {
            b'\\' => self.escape(at),
            b'{' => self.brace(at),
            b'<' => self.angle(at),
            b':' => self.colons(at),
            b'[' => self.contents(at),
            _ => None,
        }
    }

    /// The text between two places.
    pub fn part(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The text from a place on.
    pub fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Copies what is before `end`.
    pub fn copy_to(&mut self, end: usize) {
        while self.at < end {
            let (next, code) = match self.regions.code(self.at) {
                Some(code) if code.start <= self.at => (code.end.min(end), true),
                Some(code) => (code.start.min(end), false),
                None => (end, false),
            };
            self.out.push(self.part(self.at, next), code);
            self.at = next;
        }
    }

    /// Whether the line says nothing before `at`, where we are, and after `end`.
    pub fn alone(&self, end: usize) -> bool {
        self.out.fresh() && self.line_end(end).is_some()
    }

    /// Where the line of `end` ends, when it says nothing more.
    pub fn line_end(&self, end: usize) -> Option<usize> {
        let rest = self.rest(end);
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let stop = end + blanks;
        (stop == self.text.len() || self.rest(stop).starts_with('\n')).then_some(stop)
    }

    /// Leaves out what ends at `end`; tells where to go on.
    pub fn remove(&mut self, end: usize) -> usize {
        if let Some(stop) = self.line_end(end) {
            self.out.trim();
            return stop;
        }
        let rest = self.rest(end);
        if self.out.fresh() || self.out.line().ends_with(' ') {
            return end + rest.len() - rest.trim_start_matches(' ').len();
        }
        self.out.seam(rest.chars().next());
        end
    }

    /// Leaves out what ends at `end`, and keeps its lines.
    pub fn remove_lines(&mut self, start: usize, end: usize) -> usize {
        let lines = self.part(start, end).matches('\n').count();
        if lines > 0 {
            self.out.trim();
            self.out.push(&"\n".repeat(lines), false);
        }
        self.remove(end)
    }

    /// Writes `html` for what ends at `end`: as a block where it has a line for itself.
    pub fn put(&mut self, html: &str, end: usize) -> usize {
        match self.line_end(end).filter(|_| self.out.fresh()) {
            Some(stop) => {
                self.out.block(html);
                stop
            }
            None => {
                self.out.push(html, false);
                end
            }
        }
    }

    /// Writes text that looks like a remain and is meant to be read.
    pub fn literal(&mut self, text: &str) {
        self.out.push(&quoted(text), false);
    }

    /// Writes code within a line.
    pub fn code_span(&mut self, at: usize, text: &str) {
        let text = text.trim();
        if self.regions.html(at).is_some() {
            return self.out.push(&format!("<code>{}</code>", escape(text)), false);
        }
        let ticks = "`".repeat(longest_run(text) + 1);
        let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        let gap = if self.out.line().ends_with('`') { " " } else { "" };
        self.out.push(&format!("{gap}{ticks}{pad}{text}{pad}{ticks}"), false);
    }

    pub fn note(&mut self, at: usize, fate: Fate, what: String) {
        self.notes.add(self.text, at, fate, what);
    }
}

fn next_mark(text: &str, from: usize) -> Option<usize> {
    let marks = |byte: &u8| matches!(byte, b'\\' | b'{' | b'<' | b':' | b'[');
    text.as_bytes().get(from..)?.iter().position(marks).map(|at| at + from)
}

/// Text as character references, which mean nothing to Markdown and nothing to a second cleaning. Where readers see it,
/// [`super::super::guard`] makes code of it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        out.push_str(if out.is_empty() { "" } else { " " });
        for c in word.chars() {
            if c.is_ascii_punctuation() { out.push_str(&format!("&#{};", u32::from(c))) } else { out.push(c) }
        }
    }
    out
}
