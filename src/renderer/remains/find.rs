//! Searches forward that cost linear time over a whole document, however many beginnings have no end.

use std::collections::{HashMap, HashSet};

/// Remembers the last answer for each needle. Searches of one needle never start before an earlier one did.
#[derive(Debug)]
pub(super) struct Finder<'t> {
    text: &'t str,
    next: HashMap<&'static str, Option<usize>>,
    missing: HashSet<String>,
}

impl<'t> Finder<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, next: HashMap::new(), missing: HashSet::new() }
    }

    /// Where `needle` stands next, at or after `from`.
    pub fn find(&mut self, needle: &'static str, from: usize) -> Option<usize> {
        match self.next.get(needle) {
            Some(None) => None,
            Some(Some(at)) if *at >= from => Some(*at),
            _ => {
                let found = self.text.get(from..).and_then(|rest| rest.find(needle)).map(|at| at + from);
                self.next.insert(needle, found);
                found
            }
        }
    }

    /// Start and end of the template tag `{% name %}` with one of the names, at or after `from`.
    pub fn tag(&mut self, names: &[&str], from: usize) -> Option<(usize, usize)> {
        let key = names.first().copied().unwrap_or_default();
        self.end(format!("{{%{key}"), from, "{%", |rest| {
            let rest = rest.trim_start_matches('-').trim_start();
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            names.contains(&name).then(|| rest.find("%}").map(|at| rest.get(at + 2..).unwrap_or_default()))?
        })
    }

    /// Start and end of the shortcode `{{< /name >}}`, at or after `from`.
    pub fn closing_shortcode(&mut self, name: &str, from: usize) -> Option<(usize, usize)> {
        self.end(format!("{{{{/{name}"), from, "{{", |rest| {
            let rest = rest.strip_prefix(['<', '%'])?.trim_start().strip_prefix('/')?.trim_start();
            let rest = rest.strip_prefix(name)?.trim_start();
            rest.strip_prefix(">}}").or_else(|| rest.strip_prefix("%}}"))
        })
    }

    /// Start and end of the end tag of an element, at or after `from`.
    pub fn end_tag(&mut self, name: &str, from: usize) -> Option<(usize, usize)> {
        self.end(format!("</{name}"), from, "</", |rest| {
            let (tag, rest) = (rest.get(..name.len())?, rest.get(name.len()..)?);
            let ends = tag.eq_ignore_ascii_case(name) && !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
            ends.then(|| rest.split_once('>').map_or("", |(_, rest)| rest))
        })
    }

    /// The next place where `opening` stands and `rest_of` knows what follows it. That there is none is remembered:
    /// what is found ends the region that asked for it, so no part of the text is searched twice.
    fn end(
        &mut self,
        key: String,
        from: usize,
        opening: &str,
        rest_of: impl Fn(&'t str) -> Option<&'t str>,
    ) -> Option<(usize, usize)> {
        if self.missing.contains(&key) {
            return None;
        }
        let text = self.text;
        let found = text.get(from..).and_then(|tail| {
            tail.match_indices(opening).find_map(|(at, _)| {
                let rest = rest_of(tail.get(at + opening.len()..)?)?;
                Some((from + at, text.len() - rest.len()))
            })
        });
        if found.is_none() {
            self.missing.insert(key);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_in_every_spelling() {
        let text = "a {%- endraw -%} b {{</ x >}} c </SCRIPT > d";
        let mut finder = Finder::new(text);
        let of = |found: Option<(usize, usize)>| found.map(|(start, end)| &text[start..end]);
        assert_eq!(of(finder.tag(&["endraw"], 0)), Some("{%- endraw -%}"));
        assert_eq!(of(finder.closing_shortcode("x", 0)), Some("{{</ x >}}"));
        assert_eq!(of(finder.end_tag("script", 0)), Some("</SCRIPT >"));
        assert_eq!(finder.end_tag("style", 0), None);
        assert_eq!((finder.find("b", 0), finder.find("b", 9), finder.find("b", 40)), (Some(17), Some(17), None));
    }
}
