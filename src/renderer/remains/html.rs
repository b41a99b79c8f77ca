//! What stands in angle brackets: comments, scripts, components, files to be included.

use super::super::{raw, sanitise};
use super::braces::short;
use super::notes::Fate;
use super::walk::Walk;

/// Elements whose content is no text.
pub(super) const ELEMENTS: &[&str] = &["script", "style"];
/// Elements whose content is code.
const CODE: &[&str] = &["pre", "code"];

/// Bytes of the longest component tag, and of the longest comment that CommonMark does not know as one.
const LONGEST_TAG: usize = 1024;
const LONGEST_COMMENT: usize = 4096;

impl Walk<'_> {
    pub(super) fn angle(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        if rest.starts_with("<!--") {
            return self.comment(at);
        }
        if rest.starts_with("<<<") && self.out.fresh() && rest.get(3..)?.starts_with([' ', '@', '.', '/']) {
            let end = at + rest.find('\n').unwrap_or(rest.len());
            self.note(at, Fate::LeftOut, "code from another file (`<<<`)".to_owned());
            return Some(self.remove(end));
        }
        let name = name(rest.get(1..)?.trim_start_matches('/'));
        if let Some(element) = ELEMENTS.iter().find(|element| name.eq_ignore_ascii_case(element)) {
            return self.element(at, element);
        }
        if let Some(element) = CODE.iter().find(|element| name.eq_ignore_ascii_case(element)) {
            return self.code_element(at, element);
        }
        if is_component(name) {
            return self.component(at, name);
        }
        self.directive(at);
        None
    }

    fn comment(&mut self, at: usize) -> Option<usize> {
        let end = self.find.find("-->", at + 2).map(|at| at + 3);
        let html = self.regions.html(at);
        match (html, end) {
            // A comment to CommonMark as well: it is dropped with the other tags, and its lines stay what they are.
            (Some(stop), Some(end)) if end <= stop => {
                self.includes(at, self.part(at + 4, end.saturating_sub(3)));
                self.out.push(self.part(at, end), true);
                Some(end)
            }
            (Some(stop), None) => {
                self.note(at, Fate::LeftOut, "everything after a `<!--` that is not closed".to_owned());
                self.out.push(self.part(at, stop), true);
                Some(stop)
            }
            // It goes over a blank line, where CommonMark ends what a comment stands in.
            (_, Some(end)) if end - at <= LONGEST_COMMENT && !self.part(at + 4, end).contains("<!--") => {
                Some(self.remove_lines(at, end))
            }
            _ => {
                self.note(at, Fate::LeftOut, "a `<!--` that is not closed".to_owned());
                Some(self.remove(at + 4))
            }
        }
    }

    /// VitePress includes files by comments.
    fn includes(&mut self, at: usize, comment: &str) {
        if comment.trim_start().starts_with("@include:") {
            self.note(at, Fate::NeedsGenerator, format!("`<!--{}-->`", short(comment)));
        }
    }

    fn element(&mut self, at: usize, name: &'static str) -> Option<usize> {
        if self.rest(at).starts_with("</") {
            return self.find.find(">", at).map(|end| self.remove(end + 1));
        }
        let found = self.find.end_tag(name, at);
        let end = found.map(|(_, end)| end).or_else(|| self.regions.html(at))?;
        self.note(at, Fate::LeftOut, format!("a `<{name}>` element"));
        if self.regions.html(at).is_some_and(|stop| end <= stop) {
            // One piece of raw HTML, which is dropped later, as comments are.
            self.out.push(self.part(at, end), true);
            return Some(end);
        }
        Some(self.remove_lines(at, end))
    }

    fn code_element(&mut self, at: usize, name: &'static str) -> Option<usize> {
        self.regions.html(at)?;
        let (_, end) = self.find.end_tag(name, at)?;
        let blank = self.find.find("\n\n", at).filter(|_| name == "code");
        if blank.is_some_and(|blank| blank < end) {
            return None;
        }
        self.out.push(self.part(at, end), true);
        Some(end)
    }

    fn component(&mut self, at: usize, name: &str) -> Option<usize> {
        let rest = self.rest(at);
        let length = tag_length(rest)?;
        let tag = rest.get(..length)?;
        let closing = tag.starts_with("</");
        let attributes = tag.get(1 + name.len()..length - 1).unwrap_or_default();
        let generic = self.out.line().ends_with(|c: char| c.is_alphanumeric());
        // `Vec<String>` without backticks is for CommonMark to read, as it always was.
        if generic && !closing && attributes.trim_matches(['/', ' ']).is_empty() {
            return None;
        }
        if self.regions.html(at).is_none() && !(name.starts_with(|c: char| c.is_ascii_uppercase())) {
            return None;
        }
        if closing {
            return Some(self.remove(at + length));
        }
        if let Some(text) = badge(name, attributes) {
            self.note(at, Fate::Replaced, format!("the component `<{}>`", short(name)));
            self.out.push(&super::shortcodes::escape(&text), false);
            return Some(at + length);
        }
        self.note(at, Fate::LeftOut, format!("the component `<{}>`", short(name)));
        Some(self.remove(at + length))
    }

    /// A list that Vue makes of data.
    fn directive(&mut self, at: usize) {
        let rest = self.rest(at);
        let tag = rest.get(1..).unwrap_or_default().split(['<', '>']).next().unwrap_or_default();
        if tag.len() < LONGEST_TAG && tag.contains(" v-for=") && self.regions.html(at).is_some() {
            self.note(at, Fate::NeedsGenerator, format!("`<{}>`", short(tag)));
        }
    }
}

/// The name at the start of a tag, when a tag may have it.
pub(super) fn name(tag: &str) -> &str {
    let end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.').unwrap_or(tag.len());
    let (name, rest) = tag.split_at(end);
    if rest.is_empty() || rest.starts_with([' ', '\t', '\n', '/', '>']) { name } else { "" }
}

/// `<PascalCase>` or `<custom-element>`.
fn is_component(name: &str) -> bool {
    let pascal = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.contains(|c: char| c.is_ascii_lowercase());
    let custom = name.contains('-') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let lower = name.to_ascii_lowercase();
    (pascal || custom) && !sanitise::knows(&lower) && !sanitise::WITH_CONTENT.contains(&lower.as_str())
}

/// Bytes of a tag whose attributes may hold anything in quotes and braces.
fn tag_length(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    for (at, byte) in tag.bytes().enumerate().take(LONGEST_TAG).skip(1) {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            // Props nest two or three deep.
            (None, b'{') if depth > 8 => return None,
            (None, b'{') => depth += 1,
            (None, b'}') => depth = depth.saturating_sub(1),
            (None, b'>') if depth == 0 => return Some(at + 1),
            (None, b'<') if depth == 0 => return None,
            (None, b'\n') if tag.as_bytes().get(at + 1) == Some(&b'\n') => return None,
            _ => {}
        }
    }
    None
}

/// The text that VuePress shows in a badge.
fn badge(name: &str, attributes: &str) -> Option<String> {
    if name != "Badge" {
        return None;
    }
    let (_, attributes, _) = raw::start_tag(attributes);
    attributes.into_iter().find(|(key, _)| key == "text").map(|(_, text)| raw::decode(text))
}
