//! What stands in braces: Hugo's shortcodes, Liquid and Zola tags and variables.

use super::super::guard;
use super::args::{self, Args};
use super::liquid::{self, Tag};
use super::notes::Fate;
use super::shortcodes::{self, Expansion};
use super::walk::Walk;

/// Bytes of the longest shortcode or tag. A figure with a long caption has 1,000.
const LONGEST: usize = 8192;
/// Bytes of the longest id, and of a link reference definition up to its target.
const LONGEST_ID: usize = 300;

impl<'t> Walk<'t> {
    pub(super) fn brace(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let two = rest.get(..2)?;
        match two {
            "{{" if rest.starts_with("{{<") => self.hugo(at, ">}}"),
            "{{" if rest.starts_with("{{%") => self.hugo(at, "%}}"),
            "{{" => self.expression(at),
            "{%" => self.tag(at),
            "{#" => self.comment_or_id(at),
            "{/" if rest.starts_with("{/*") => {
                let (_, end) = self.delimited(at, 3, "*/}", "{/*")?;
                Some(self.remove(end))
            }
            "{:" | "{." => self.attributes(at),
            _ => None,
        }
    }

    /// `\{{ x }}`: an editor who writes this wants it to be read.
    pub(super) fn escape(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at + 1);
        let close = if rest.starts_with("{{") {
            "}}"
        } else if rest.starts_with("{%") {
            "%}"
        } else {
            // The next character stands for itself, so it begins nothing. In raw HTML a `\` is nothing special.
            let next = rest.chars().next().filter(char::is_ascii_punctuation);
            let escapes = next.is_some() && self.regions.html(at).is_none();
            self.copy_to(at + 1 + usize::from(escapes));
            return Some(self.at);
        };
        let found = self.delimited(at + 1, 2, close, if close == "}}" { "{{" } else { "{%" });
        match found {
            Some((_, end)) => self.literal(self.part(at + 1, end)),
            None => self.copy_to(at + 3),
        }
        Some(found.map_or(at + 3, |(_, end)| end))
    }

    /// Content and end of what opens at `at` with `opening` bytes. `None` when it is not closed, too long, or when
    /// another one opens in it: then the end found is the other's.
    fn delimited(&mut self, at: usize, opening: usize, close: &'static str, nested: &str) -> Option<(&'t str, usize)> {
        let stop = self.find.find(close, at + opening).filter(|stop| stop - at <= LONGEST)?;
        let content = self.part(at + opening, stop);
        (!content.contains(nested)).then_some((content, stop + close.len()))
    }

    /// As `delimited`, for what never has a blank line in it.
    fn within_paragraph(&mut self, at: usize, close: &'static str, nested: &str) -> Option<(&'t str, usize)> {
        self.delimited(at, 2, close, nested).filter(|(content, _)| !content.contains("\n\n"))
    }

    /// Leaves out the beginning of something that has no end.
    fn unclosed(&mut self, at: usize, mark: &str) -> Option<usize> {
        self.note(at, Fate::LeftOut, format!("a `{mark}` that is not closed"));
        Some(self.remove(at + mark.len()))
    }

    fn hugo(&mut self, at: usize, close: &'static str) -> Option<usize> {
        let mark = self.part(at, at + 3);
        let Some((content, end)) = self.delimited(at, 3, close, "{{") else { return self.unclosed(at, mark) };
        let content = content.trim();
        // `{{</* name */>}}` is how Hugo's manual shows a shortcode.
        if let Some(shown) = content.strip_prefix("/*").and_then(|rest| rest.strip_suffix("*/")) {
            self.literal(&format!("{mark}{shown}{close}"));
            return Some(end);
        }
        if at < self.raw_until {
            self.literal(self.part(at, end));
            return Some(end);
        }
        let (name, arguments) = args::split(content);
        if name.starts_with('/') || name.is_empty() {
            return Some(self.remove(end));
        }
        let args = Args::read(arguments);
        match name {
            "highlight" | "mermaid" => {
                let language = if name == "mermaid" { name } else { args.at(0).unwrap_or_default() };
                match self.find.closing_shortcode(name, end) {
                    Some(close) => Some(self.code(at, end, language, close)),
                    None => self.unclosed(at, self.part(at, end)),
                }
            }
            "comment" => {
                let close = self.find.closing_shortcode(name, end).map_or(end, |(_, end)| end);
                Some(self.remove_lines(at, close))
            }
            "include" | "readfile" => {
                self.note(at, Fate::NeedsGenerator, format!("the shortcode `{}`", short(content)));
                Some(self.remove(end))
            }
            name => Some(self.shortcode(at, end, name, &args)),
        }
    }

    /// A shortcode of any generator.
    pub(super) fn shortcode(&mut self, at: usize, end: usize, name: &str, args: &Args) -> usize {
        let what = format!("the shortcode `{}`", short(name));
        match shortcodes::expand(name, args) {
            Some(Expansion::Html(html)) => {
                self.note(at, Fate::Replaced, what);
                self.put(&html, end)
            }
            Some(Expansion::Document(path)) => {
                self.note(at, Fate::Replaced, what);
                self.document(&path, end)
            }
            None => {
                self.note(at, Fate::LeftOut, what);
                self.remove(end)
            }
        }
    }

    /// The URL of another document, for a link that is being written; else a link to it.
    fn document(&mut self, path: &str, end: usize) -> usize {
        let url = shortcodes::document_url(path);
        let line = self.out.line();
        let is_target = ["](", "](<", "]: ", "]:", "=\"", "='", "="].iter().any(|before| line.ends_with(before));
        if is_target {
            self.out.push(&url, false);
        } else {
            let name = path.rsplit('/').next().unwrap_or(path);
            self.out.push(&format!("[{}]({url})", guard::without_marks(name).replace(['[', ']'], "")), false);
        }
        end
    }

    /// A code block, or a code span where opening and closing tag share a line with text.
    fn code(&mut self, at: usize, open_end: usize, language: &str, (close, end): (usize, usize)) -> usize {
        let language: String = language.chars().filter(|c| c.is_alphanumeric() || "+#-_.".contains(*c)).collect();
        let inner = self.part(open_end, close);
        self.note(at, Fate::Replaced, "a `highlight` block".to_owned());
        if inner.trim().is_empty() {
            return self.remove(end);
        }
        if !inner.contains('\n') && !self.alone(end) {
            self.code_span(at, inner);
            return end;
        }
        if self.regions.html(at).is_some() {
            // Markdown is not read here; a blank line might end the HTML.
            let inner = shortcodes::escape(inner.trim_start_matches('\n')).replace("\n\n", "\n&#10;");
            self.out.push(&format!("<pre><code>{inner}</code></pre>"), true);
            return end;
        }
        let inner = match inner.split_once('\n') {
            Some((first, rest)) if first.trim().is_empty() => rest,
            _ => inner,
        };
        let (inner, margin) = match inner.rsplit_once('\n') {
            Some((inner, last)) if last.trim_matches([' ', '\t', '>']).is_empty() => (inner, last),
            _ => (inner, ""),
        };
        self.out.fence(&language, inner, margin);
        match self.line_end(end) {
            Some(stop) => stop,
            None => {
                self.out.push("\n", false);
                end
            }
        }
    }

    /// `{{ x }}`
    fn expression(&mut self, at: usize) -> Option<usize> {
        if let Some((text, length)) = liquid::shown(self.rest(at)) {
            self.literal(text);
            return Some(at + length);
        }
        let (content, end) = self.within_paragraph(at, "}}", "{{")?;
        // `{{{ x }}}` is HTML in Mustache and its kin.
        let end = end + usize::from(content.starts_with('{') && self.rest(end).starts_with('}'));
        if at < self.raw_until {
            self.literal(self.part(at, end));
            return Some(end);
        }
        let content = liquid::bare(content.trim_matches(['{', '}']));
        if content.is_empty() || content.starts_with("/*") {
            return Some(self.remove(end));
        }
        if let Some((name, arguments)) = liquid::call(content) {
            return Some(self.shortcode(at, end, name, &Args::read(arguments)));
        }
        if liquid::is_site_url(content) && self.rest(end).starts_with(['/', '{', '#', '?', ')', '"', '\'']) {
            self.note(at, Fate::Replaced, format!("the variable `{}`", short(content)));
            return Some(end);
        }
        if let Some(text) = liquid::literal(content) {
            if guard::has_mark(text) || text.contains(['{', '}']) {
                self.literal(text);
            } else {
                self.out.push(text, false);
            }
            return Some(end);
        }
        let fate = if self.defines_link() { Fate::NeedsGenerator } else { Fate::LeftOut };
        self.note(at, fate, format!("the variable `{}`", short(content)));
        Some(self.remove(end))
    }

    /// Whether the target of a link reference definition is being written.
    fn defines_link(&self) -> bool {
        let line = self.out.line();
        let target = line.trim_start().strip_prefix('[').filter(|_| line.len() < LONGEST_ID);
        let target = target.and_then(|rest| rest.split_once("]:")).map(|(_, target)| target.trim_start());
        target.is_some_and(|target| !target.contains(char::is_whitespace))
    }

    /// `{% x %}`
    fn tag(&mut self, at: usize) -> Option<usize> {
        let Some((content, end)) = self.within_paragraph(at, "%}", "{%") else { return self.unclosed(at, "{%") };
        if at < self.raw_until {
            self.literal(self.part(at, end));
            return Some(end);
        }
        let content = liquid::bare(content);
        let (name, arguments) = args::split(content);
        Some(match liquid::tag(content, name) {
            Tag::Raw => {
                self.raw_until = self.find.tag(&["endraw", "endverbatim"], end).map_or(self.text.len(), |(at, _)| at);
                self.remove(end)
            }
            Tag::Comment => {
                let close = self.find.tag(&["endcomment"], end).map_or(end, |(_, end)| end);
                self.remove_lines(at, close)
            }
            Tag::Highlight => {
                let language = arguments.split_whitespace().next().unwrap_or_default();
                match self.find.tag(&["endhighlight", "endcodeblock"], end) {
                    Some(close) => self.code(at, end, language.trim_start_matches("lang:"), close),
                    None => return self.unclosed(at, self.part(at, end)),
                }
            }
            Tag::Document => self.shortcode(at, end, "ref", &Args::read(arguments)),
            Tag::Shortcode => self.shortcode(at, end, name, &Args::read(arguments)),
            Tag::Closing => self.remove(end),
            Tag::Program => {
                self.note(at, Fate::NeedsGenerator, format!("the template tag `{{% {} %}}`", short(content)));
                self.remove(end)
            }
            Tag::Unknown => {
                self.note(at, Fate::LeftOut, format!("the template tag `{}`", short(name)));
                self.remove(end)
            }
        })
    }

    /// `{# a comment #}`, or the id of a heading: `## Title {#id}`.
    fn comment_or_id(&mut self, at: usize) -> Option<usize> {
        let rest = self.rest(at + 2);
        if rest.starts_with([' ', '-', '\n']) {
            let (_, end) = self.within_paragraph(at, "#}", "{#")?;
            return Some(self.remove(end));
        }
        let length = rest
            .bytes()
            .take(LONGEST_ID)
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte >= 0x80 || b"-_.:".contains(&byte)))?;
        let id = rest.get(..length).filter(|_| rest.as_bytes().get(length) == Some(&b'}')).unwrap_or_default();
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c));
        let end = at + 2 + length + 1;
        if is_id && self.out.line().starts_with('#') {
            self.out.push(&format!("<a id=\"{id}\"></a>"), false);
            return Some(end);
        }
        self.attributes(at)
    }
}

/// A name for people: one line, not long.
pub(super) fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
