//! What site generators leave in Markdown: shortcodes, template tags, containers, components, comments.
//!
//! Each is replaced by what a reader of the site sees, or left out and reported; inside code it stays as it is. The
//! work is done on the source, before Markdown is read, because arguments with quotes and underscores would be torn
//! apart by it. One pass from left to right: linear in the size of the document, whatever it holds.

mod args;
mod blocks;
mod braces;
mod find;
mod html;
mod liquid;
mod lists;
mod notes;
mod out;
mod regions;
mod shortcodes;
mod walk;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(super) use notes::{Dropped, Fate};

/// A document without template remains.
#[derive(Debug)]
pub(super) struct Cleaned<'a> {
    /// The Markdown.
    pub text: Cow<'a, str>,
    /// What was replaced or left out, in order of the first line of each.
    pub dropped: Vec<Dropped>,
}

/// Every remain holds one of these. Most documents have none, and are not read twice.
const SIGNS: &[&str] =
    &["{{", "{%", "{#", "{:", "{.", "{/*", ":::", "<!--", "<<<", "[[", "[TOC]", "[toc]", "import ", "v-for="];

/// Cleans a document. Lines end with `\n`.
pub(super) fn clean(text: &str) -> Cleaned<'_> {
    if !SIGNS.iter().any(|sign| text.contains(sign)) && !has_odd_tag(text) {
        return Cleaned { text: Cow::Borrowed(text), dropped: Vec::new() };
    }
    let (cleaned, dropped) = walk::Walk::new(text).run();
    Cleaned { text: Cow::Owned(cleaned), dropped }
}

/// Whether there may be a component, a script or a style.
fn has_odd_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let tag = text.get(at + 1..).unwrap_or_default().trim_start_matches('/');
        let name = html::name(tag);
        tag.starts_with(|c: char| c.is_ascii_uppercase())
            || name.contains('-')
            || html::ELEMENTS.iter().any(|element| name.eq_ignore_ascii_case(element))
    })
}
