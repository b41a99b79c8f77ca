//! Where a document has code and raw HTML, as CommonMark reads it.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};

use super::super::markdown;

/// Code spans and code blocks, and raw HTML; asked from the start of a document to its end.
#[derive(Debug)]
pub(super) struct Regions {
    code: Vec<Range<usize>>,
    html: Vec<Range<usize>>,
    at_code: usize,
    at_html: usize,
}

impl Regions {
    pub fn of(text: &str) -> Self {
        let (mut code, mut html) = (Vec::new(), Vec::new());
        for (event, range) in Parser::new_ext(text, markdown::options()).into_offset_iter() {
            match event {
                Event::Code(_) | Event::Start(Tag::CodeBlock(_)) => code.push(range),
                Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock) => html.push(range),
                _ => {}
            }
        }
        code.sort_by_key(|range| range.start);
        html.sort_by_key(|range| range.start);
        Self { code, html, at_code: 0, at_html: 0 }
    }

    /// The code that ends after `at`: around it, or the next.
    pub fn code(&mut self, at: usize) -> Option<Range<usize>> {
        while self.code.get(self.at_code).is_some_and(|range| range.end <= at) {
            self.at_code += 1;
        }
        self.code.get(self.at_code).cloned()
    }

    /// The end of the raw HTML that `at` is in.
    pub fn html(&mut self, at: usize) -> Option<usize> {
        while self.html.get(self.at_html).is_some_and(|range| range.end <= at) {
            self.at_html += 1;
        }
        self.html.get(self.at_html).filter(|range| range.start <= at).map(|range| range.end)
    }

    /// Goes on at `at`. What began before it, inside a remain, was no code.
    pub fn skip(&mut self, at: usize) {
        while self.code.get(self.at_code).is_some_and(|range| range.start < at) {
            self.at_code += 1;
        }
    }
}
