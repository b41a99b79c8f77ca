//! What stands on lines of its own: containers, tables of contents, imports.

use super::super::guard;
use super::out::Shape;
use super::walk::Walk;

/// How far before a fence a line is looked at for the marks of lists and quotes.
const MARKERS: usize = 32;
/// Lines of the longest import.
const LONGEST_IMPORT: usize = 20;

impl Walk<'_> {
    /// `::: tip Title`, and the `:::` that ends it.
    pub(super) fn colons(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let count = rest.bytes().take_while(|byte| *byte == b':').count();
        let fresh = self.out.fresh();
        if count < 3 || !(fresh || self.after_markers(at)) {
            self.copy_to(at + count);
            return Some(self.at);
        }
        let end = at + rest.find('\n').unwrap_or(rest.len());
        let (name, title) = head(self.part(at + count, end));
        if !fresh {
            self.out.push(&title, false);
            return Some(self.remove(end));
        }
        if name.is_empty() && title.is_empty() {
            self.out.close();
        } else {
            let (shape, alert) = shape(&name);
            self.out.open(shape, alert, &title);
        }
        Some((end + 1).min(self.text.len()))
    }

    /// Whether only the marks of lists and quotes stand before `at`.
    fn after_markers(&self, at: usize) -> bool {
        let line = self.out.line();
        line.len() <= MARKERS && at > 0 && line.chars().all(|c| " \t>-*+".contains(c))
    }

    /// `[[toc]]` and its kin: a place for a table of contents.
    pub(super) fn contents(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let known = ["[[toc]]", "[[_toc_]]", "[toc]"];
        let length = known.iter().map(|sign| sign.len()).find(|length| {
            rest.get(..*length).is_some_and(|start| known.contains(&start.to_ascii_lowercase().as_str()))
        })?;
        self.alone(at + length).then(|| self.remove(at + length))
    }

    /// The imports at the top of MDX, and exports of one line among them. Nobody begins a text like this.
    pub(super) fn imports(&mut self) {
        let mut at = self.text.len() - self.text.trim_start_matches('\n').len();
        let mut seen = false;
        loop {
            let rest = self.rest(at);
            if rest.starts_with('\n') {
                at += 1;
                continue;
            }
            let Some(length) = import(rest, seen) else { break };
            seen = true;
            at += length;
        }
        if seen {
            self.out.push(&"\n".repeat(self.part(0, at).matches('\n').count()), false);
            self.at = at;
            self.regions.skip(at);
        }
    }
}

/// Bytes of the import that the text begins with.
fn import(text: &str, exports: bool) -> Option<usize> {
    let line = text.split('\n').next().unwrap_or_default();
    let ends = |line: &str| line.trim_end().trim_end_matches(';').ends_with(['"', '\'']);
    let from = |line: &str| line.contains(" from '") || line.contains(" from \"") || line.contains("} from ");
    if line.starts_with("import ") && ends(line) && (from(line) || line.starts_with(['"', '\''])) {
        return Some((line.len() + 1).min(text.len()));
    }
    if exports && line.starts_with("export ") && line.trim_end().ends_with(';') {
        return Some((line.len() + 1).min(text.len()));
    }
    if line.starts_with("import {") && !line.contains('}') {
        let mut length = 0;
        for line in text.split_inclusive('\n').take(LONGEST_IMPORT) {
            length += line.len();
            if line.contains('}') {
                return (from(line) && ends(line)).then_some(length);
            }
        }
    }
    None
}

/// Name and title of a container: `tip Title`, `tip[Title]`, `{.tip}`, `{tip} Title`.
fn head(info: &str) -> (String, String) {
    let info = info.trim().trim_end_matches(':').trim_end();
    let (name, rest) = match info.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((attributes, rest)) => (attributes.split_whitespace().next().unwrap_or_default(), rest),
        None => info.split_at(info.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').unwrap_or(info.len())),
    };
    let rest = rest.trim();
    let title = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((title, _)) => title,
        // Attributes of Pandoc and VitePress.
        None => rest.split_once('{').map_or(rest, |(title, _)| title),
    };
    let plain = |c: char| c != '*' && c != '\\' && c != '`';
    let title: String = guard::without_marks(title.trim()).chars().filter(|c| plain(*c)).collect();
    (name.trim_start_matches('.').to_lowercase(), title.trim().to_owned())
}

/// What a container becomes, and the word of GitHub's alert for it.
fn shape(name: &str) -> (Shape, &'static str) {
    match name {
        "tip" | "hint" | "success" => (Shape::Quote, "TIP"),
        "info" | "note" | "seealso" => (Shape::Quote, "NOTE"),
        "important" => (Shape::Quote, "IMPORTANT"),
        "warning" | "warn" | "attention" => (Shape::Quote, "WARNING"),
        "danger" | "caution" | "error" => (Shape::Quote, "CAUTION"),
        "details" => (Shape::Details, ""),
        _ => (Shape::Plain, ""),
    }
}
