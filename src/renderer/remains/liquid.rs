//! What Liquid, Jinja and Tera tags and variables mean.

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Until its end, tags are text.
    Raw,
    /// Until its end, nothing is shown.
    Comment,
    /// Until its end, code.
    Highlight,
    /// The URL of another document.
    Document,
    /// A shortcode, or a tag that does what one does.
    Shortcode,
    /// The end, or the middle, of another.
    Closing,
    /// Part of a program that makes the text: a loop, a condition, a file that is included.
    Program,
    /// Something that a plugin defines.
    Unknown,
}

/// Control flow, definitions and includes of Liquid, Jinja2 and Tera.
const PROGRAM: &[&str] = &[
    "assign",
    "block",
    "call",
    "capture",
    "case",
    "cycle",
    "decrement",
    "extends",
    "filter",
    "for",
    "from",
    "if",
    "ifchanged",
    "import",
    "include",
    "include_cached",
    "include_relative",
    "increment",
    "layout",
    "liquid",
    "macro",
    "paginate",
    "render",
    "section",
    "set",
    "tablerow",
    "unless",
    "with",
];

const MIDDLE: &[&str] = &["else", "elsif", "elif", "elseif", "when"];

/// Tags of plugins that are spelled as the shortcodes we know.
const SHORTCODES: &[&str] =
    &["figure", "gist", "image", "img", "instagram", "picture", "tweet", "twitter", "video", "vimeo", "youtube"];

/// What the tag with this content and name does.
pub(super) fn tag(content: &str, name: &str) -> Tag {
    match name {
        "raw" | "verbatim" => Tag::Raw,
        "comment" => Tag::Comment,
        "highlight" | "codeblock" => Tag::Highlight,
        "post_url" | "link" => Tag::Document,
        name if name.starts_with("end") || MIDDLE.contains(&name) => Tag::Closing,
        name if PROGRAM.contains(&name) => Tag::Program,
        name if SHORTCODES.contains(&name) || call(content).is_some() => Tag::Shortcode,
        _ => Tag::Unknown,
    }
}

/// Without the hyphens that strip white space, and without white space.
pub(super) fn bare(content: &str) -> &str {
    let content = content.trim();
    let content = content.strip_prefix(['-', '~']).unwrap_or(content);
    content.strip_suffix(['-', '~']).unwrap_or(content).trim()
}

/// Name and arguments of `name(arguments)`.
pub(super) fn call(content: &str) -> Option<(&str, &str)> {
    let (name, rest) = content.split_once('(')?;
    let name = name.trim_end();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = begins && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-:.".contains(c));
    Some((name, rest.strip_suffix(')')?)).filter(|_| fits)
}

/// Whether a variable is the address of the site, before a path: then the path below its root is what is left.
pub(super) fn is_site_url(content: &str) -> bool {
    let name = content.split(|c: char| c.is_whitespace() || c == '|').next().unwrap_or_default();
    ["site.baseurl", "site.url", "site.base_url", "site.github.url", "config.base_url", "base_url", "SITEURL"]
        .contains(&name)
}

/// Text and length of `{{ "{{" }}`, by which Liquid shows what would be a tag.
pub(super) fn shown(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix("{{")?.trim_start_matches(' ');
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = rest.get(1..)?;
    // It shows a mark or two; a string of any length is found otherwise.
    let end = rest.char_indices().take(40).find(|(_, c)| *c == quote).map(|(at, _)| at)?;
    let (shown, rest) = rest.split_at(end);
    let rest = rest.get(1..)?.trim_start_matches(' ').strip_prefix("}}")?;
    shown.contains(['{', '}']).then_some((shown, text.len() - rest.len()))
}

/// The text of a string with no filters, or with some that only make a URL of it.
pub(super) fn literal(content: &str) -> Option<&str> {
    let quote = content.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (text, filters) = content.get(1..)?.split_once(quote)?;
    let known = |filter: &str| {
        let name = filter.split([':', ' ']).next().unwrap_or_default();
        ["relative_url", "absolute_url", "prepend", "escape", "url", "relURL", "absURL"].contains(&name)
    };
    let mut filters = filters.split('|').map(str::trim);
    (filters.next()?.is_empty() && filters.all(known)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_told_from_calls_and_strings() {
        assert_eq!(call("youtube(id=\"x\")"), Some(("youtube", "id=\"x\"")));
        assert_eq!(call("$t('x')"), None);
        assert_eq!(call("page.title | replace: '(', ')'"), None);
        assert_eq!(literal("\"/a.png\" | prepend: site.baseurl"), Some("/a.png"));
        assert_eq!(literal("'{{'"), Some("{{"));
        assert_eq!(literal("'a' | upcase"), None);
        assert!(is_site_url("site.url | escape") && !is_site_url("site.urls"));
        assert_eq!(bare("- x -"), "x");
    }
}
