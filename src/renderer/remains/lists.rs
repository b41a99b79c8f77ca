//! Attribute lists in braces: `{: .class}` of kramdown, `{.class}` of Goldmark, `{::options /}`.

use super::walk::Walk;

/// Bytes of the longest attribute list.
const LONGEST_LIST: usize = 300;

impl Walk<'_> {
    /// Leaves out a list that can be nothing else, where it stands.
    pub(super) fn attributes(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let stops = |byte: u8| matches!(byte, b'{' | b'}' | b'\n');
        let length = rest.bytes().take(LONGEST_LIST).skip(1).position(stops)? + 1;
        if !rest.get(length..)?.starts_with('}') {
            return None;
        }
        let end = at + length + 1;
        let list = rest.get(1..length)?;
        let alone = self.alone(end);
        if list.starts_with("::") || list.starts_with(":/") {
            let comment = list.trim_start_matches(':').trim() == "comment";
            let close = if comment { self.find.find("{:/", end) } else { None };
            return Some(match close {
                Some(close) => self.remove_lines(at, close),
                None => self.remove(end),
            });
        }
        let (colon, list) = list.strip_prefix(':').map_or((false, list), |list| (true, list));
        let fits = match attributes(list)? {
            Attributes::Some => alone || colon || self.out.line().starts_with('#'),
            Attributes::Names => alone && colon,
        };
        if !fits {
            return None;
        }
        if !alone {
            return Some(self.remove(end));
        }
        // The line goes altogether: a blank one would end the list or the quote that it speaks of.
        if list.split_whitespace().any(|word| word.eq_ignore_ascii_case("toc")) {
            self.out.retract(LONGEST_LIST, is_contents_item);
        }
        self.out.trim();
        self.line_end(end).map(|stop| (stop + 1).min(self.text.len()))
    }
}

/// What an attribute list has.
enum Attributes {
    /// Classes, ids and values, and maybe names.
    Some,
    /// Only names, as of `{:toc}`.
    Names,
}

/// Reads an attribute list; `None` when it is something else in braces.
fn attributes(list: &str) -> Option<Attributes> {
    let mut found = Attributes::Names;
    let mut rest = list.trim();
    while !rest.is_empty() {
        let name = rest.strip_prefix(['.', '#']);
        let word = name.unwrap_or(rest);
        let is_name = |c: char| c.is_alphanumeric() || "-_:".contains(c);
        let length = word.find(|c| !is_name(c)).unwrap_or(word.len());
        let after = word.get(length..).filter(|_| length > 0)?;
        rest = match after.strip_prefix('=') {
            Some(value) if name.is_none() => {
                found = Attributes::Some;
                match value.strip_prefix(['"', '\'']).zip(value.chars().next()) {
                    Some((value, quote)) => value.split_once(quote)?.1,
                    None => value.split_once(' ').map_or("", |(_, rest)| rest),
                }
            }
            _ => after,
        };
        if name.is_some() {
            found = Attributes::Some;
        } else if !rest.is_empty() && !rest.starts_with([' ', '.', '#']) {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(found)
}

/// `* TOC`, the list that kramdown puts the table of contents in place of.
fn is_contents_item(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    let item = line.strip_prefix(['*', '-', '+']).or_else(|| line.strip_prefix("1."));
    item.is_some_and(|item| item.contains("toc") || item.contains("contents"))
}
