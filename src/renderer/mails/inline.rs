//! Style sheets written into elements, because many mail programs drop them: Gmail for other providers' accounts does.

use css_inline::CSSInliner;

use super::super::TemplateError;
use super::super::raw::{self, Piece};

/// An element around the content while it is inlined, so that the selectors of the sheet mean the same here and in a mail.
const OPEN: &str = "<div class=\"content\">";
const CLOSE: &str = "</div>";

/// The inliner goes down as deep as elements nest, on the stack. No editor nests like that.
const DEEPEST: usize = 100;

/// Writes the `style` elements of a whole document into its elements, but those marked `data-css-inline="keep"`, which stay.
///
/// # Errors
/// When a selector is not one; `name` is the template's.
pub(super) fn document(html: &str, name: &str) -> Result<String, TemplateError> {
    let html = inliner().inline(html).map_err(|error| failed(name, &error))?;
    Ok(html.replace(" data-css-inline=\"keep\"", ""))
}

/// Writes the sheet into the content of an issue; `None` when that is nested too deep.
///
/// # Errors
/// When a selector is not one; `name` is the sheet's.
pub(super) fn content(html: &str, sheet: &str, name: &str) -> Result<Option<String>, TemplateError> {
    if depth(html) > DEEPEST {
        return Ok(None);
    }
    let wrapped = format!("{OPEN}{html}{CLOSE}");
    let inlined = inliner().inline_fragment(&wrapped, sheet).map_err(|error| failed(name, &error))?;
    let inner = inlined.strip_prefix(OPEN).and_then(|rest| rest.trim_end().strip_suffix(CLOSE));
    Ok(inner.map(str::to_owned))
}

fn inliner() -> CSSInliner<'static> {
    CSSInliner::options().load_remote_stylesheets(false).minify_css(true).build()
}

fn failed(name: &str, error: &css_inline::InlineError) -> TemplateError {
    TemplateError { name: name.to_owned(), line: None, why: format!("its style sheet cannot be inlined: {error}") }
}

/// How deep the elements of well-formed HTML nest.
fn depth(html: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for piece in raw::read(html) {
        match piece {
            Piece::Open(tag, _) if !matches!(tag.as_str(), "br" | "hr" | "img" | "wbr") => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Piece::Close(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_what_cannot_be_inlined() {
        let html = "<html><head><style data-css-inline=\"keep\">@media (a) { p { x: y !important; } }</style><style>p { color: red; }</style></head><body><!--[if mso]><b><![endif]--><p>a&nbsp;b</p></body></html>";
        assert_eq!(
            document(html, "x").unwrap(),
            "<html><head><style>@media (a) { p { x: y !important; } }</style></head><body><!--[if mso]><b><![endif]--><p style=\"color:red\">a&nbsp;b</p></body></html>"
        );
    }

    #[test]
    fn content_is_styled_by_its_sheet_alone() {
        let sheet = ".content p { color: red; } .content li p { color: blue; }";
        assert_eq!(
            content("<p>a &amp; b</p><ul><li><p>c</p></li></ul>", sheet, "x").unwrap().unwrap(),
            "<p style=\"color:red\">a &amp; b</p><ul><li><p style=\"color:blue\">c</p></li></ul>"
        );
    }

    #[test]
    fn what_is_nested_too_deep_is_left_alone() {
        let deep = |levels: usize| format!("{}x{}", "<b>".repeat(levels), "</b>".repeat(levels));
        assert!(content(&deep(DEEPEST), "", "x").unwrap().is_some());
        assert!(content(&deep(50_000), "", "x").unwrap().is_none());
    }
}
