//! One pass over code, from left to right; each step takes at least one character and never comes back.

use super::languages::{Language, Style};
use super::{Kind, Out};

pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Where the plain text begins that is not written yet.
    plain: usize,
    language: &'static Language,
    /// Whether nothing but space, or the mark of a list item, stands before on this line.
    fresh: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, language: &'static Language) -> Self {
        Self { text, at: 0, plain: 0, language, fresh: true }
    }

    pub(super) fn run(mut self, out: &mut Out) {
        while let Some(c) = self.rest().chars().next() {
            match self.part(c) {
                Some((kind, length)) => {
                    out.push(None, self.text.get(self.plain..self.at).unwrap_or_default());
                    let end = (self.at + length.max(c.len_utf8())).min(self.text.len());
                    out.push(kind, self.text.get(self.at..end).unwrap_or_default());
                    self.at = end;
                    self.plain = end;
                    self.fresh = false;
                }
                None => {
                    self.at += c.len_utf8();
                    self.fresh = c == '\n' || (self.fresh && (c.is_whitespace() || c == '-' || c == '{' || c == ','));
                }
            }
        }
        out.push(None, self.text.get(self.plain..).unwrap_or_default());
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn before(&self) -> Option<char> {
        self.text.get(..self.at)?.chars().next_back()
    }

    /// What begins here, and its length in bytes. A part without a kind is a name: what is in it is nothing else.
    fn part(&self, c: char) -> Option<(Option<Kind>, usize)> {
        if let Some(length) = self.comment() {
            return Some((Some(Kind::Comment), length));
        }
        if self.language.style == Style::Markup {
            return self.markup(c);
        }
        if let Some(found) = self.text_in_quotes(c) {
            return Some(found);
        }
        if c.is_ascii_digit() {
            return Some((Some(Kind::Number), number(self.rest())));
        }
        match self.language.style {
            Style::Shell if c == '$' => return Some((Some(Kind::Type), variable(self.rest()))),
            Style::Shell if c == '-' && self.before().is_none_or(char::is_whitespace) => {
                let length = length_while(self.rest(), |c| c.is_alphanumeric() || c == '-');
                return Some((Some(Kind::Key), length));
            }
            Style::Keys if c == '[' && self.fresh && !self.language.names.starts_with("json") => {
                let length = self.rest().find('\n').unwrap_or(self.rest().len());
                let length = self.rest().get(..length)?.rfind(']').map_or(length, |end| end + 1);
                return Some((Some(Kind::Type), length));
            }
            _ => {}
        }
        (c.is_alphabetic() || c == '_').then(|| self.name())
    }

    fn comment(&self) -> Option<usize> {
        let rest = self.rest();
        for (open, close) in self.language.block {
            if let Some(inside) = rest.strip_prefix(open) {
                return Some(inside.find(close).map_or(rest.len(), |end| open.len() + end + close.len()));
            }
        }
        let open = self.language.line.iter().find(|open| rest.starts_with(*open))?;
        // `#` within a word and `//` within a URL begin no comment.
        let free = match *open {
            "//" => self.before() != Some(':'),
            "#" | ";" | "%" if self.language.style != Style::Hyphens => {
                self.before().is_none_or(|c| c.is_whitespace() || ";({,".contains(c))
            }
            _ => true,
        };
        free.then(|| rest.find('\n').unwrap_or(rest.len())).filter(|length| *length >= open.len())
    }

    fn text_in_quotes(&self, c: char) -> Option<(Option<Kind>, usize)> {
        let rest = self.rest();
        if c == '\'' && self.language.style == Style::Ticks {
            return character(rest)
                .map(|length| (Some(Kind::Text), length))
                .or_else(|| Some((None, 1 + length_while(rest.get(1..)?, |c| c.is_alphanumeric() || c == '_'))));
        }
        let quote = self.language.quotes.iter().find(|quote| rest.starts_with(**quote))?;
        // An apostrophe within a word, as in plain text of YAML.
        if *quote == "'" && self.before().is_some_and(char::is_alphanumeric) {
            return None;
        }
        let length = quoted(rest, quote);
        let key = self.language.style == Style::Keys && is_key(rest.get(length..).unwrap_or_default());
        Some((Some(if key { Kind::Key } else { Kind::Text }), length))
    }

    fn name(&self) -> (Option<Kind>, usize) {
        let rest = self.rest();
        let style = self.language.style;
        let hyphens = matches!(style, Style::Hyphens | Style::Shell);
        let inner = |c: char| {
            c.is_alphanumeric()
                || c == '_'
                || (hyphens && matches!(c, '-' | '*' | '!'))
                || (style == Style::Keys && matches!(c, '-' | '.' | '/'))
                || (style == Style::Ticks && self.language.line == ["--"] && c == '\'')
        };
        let length = length_while(rest, inner);
        let name = rest.get(..length).unwrap_or_default();
        let after = rest.get(length..).unwrap_or_default();
        let is_word = |word: &str| match style {
            Style::Caseless => word.eq_ignore_ascii_case(name),
            _ => word == name,
        };
        let kind = match style {
            Style::Keys if self.fresh && is_key(after) => Some(Kind::Key),
            _ if self.language.words.split(' ').any(is_word) => Some(Kind::Word),
            Style::Hyphens if after.starts_with(':') || after.trim_start_matches(' ').starts_with("= ") => {
                Some(Kind::Key)
            }
            Style::Program | Style::Ticks if name.starts_with(char::is_uppercase) || is_basic(name) => Some(Kind::Type),
            Style::Program | Style::Ticks if after.starts_with(['(', '<']) || after.starts_with("!(") => {
                Some(Kind::Function)
            }
            _ => None,
        };
        (kind, length)
    }

    fn markup(&self, c: char) -> Option<(Option<Kind>, usize)> {
        let rest = self.rest();
        match c {
            '<' => {
                let length = 1 + length_while(rest.get(1..)?, |c| c.is_alphanumeric() || "/:-?!".contains(c));
                let end = rest.get(length..).is_some_and(|after| after.starts_with('>'));
                Some((Some(Kind::Word), length + usize::from(end)))
            }
            '>' => Some((Some(Kind::Word), 1)),
            '"' | '\'' if self.before() == Some('=') => {
                Some((Some(Kind::Text), quoted(rest, if c == '"' { "\"" } else { "'" })))
            }
            c if c.is_alphabetic() => {
                let length = length_while(rest, |c| c.is_alphanumeric() || ":-_".contains(c));
                let attribute = rest.get(length..).is_some_and(|after| after.starts_with('='));
                Some((attribute.then_some(Kind::Key), length))
            }
            _ => None,
        }
    }
}

fn length_while(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|c| !inside(c)).unwrap_or(text.len())
}

/// Types of C and its kin, and of Rust, that have no capital.
fn is_basic(name: &str) -> bool {
    const BASIC: &[&str] = &[
        "bool", "byte", "char", "double", "f32", "f64", "float", "i128", "i16", "i32", "i64", "i8", "int", "isize",
        "size_t", "str", "string", "u128", "u16", "u32", "u64", "u8", "usize",
    ];
    BASIC.binary_search(&name).is_ok()
}

/// Whether what follows makes a key of what was before.
fn is_key(after: &str) -> bool {
    let after = after.trim_start_matches(' ');
    after.starts_with('=')
        || after
            .strip_prefix(':')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r', '"', '[', '{']))
}

fn number(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let fraction = c == '.' && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !(c.is_ascii_alphanumeric() || c == '_' || fraction) {
            break;
        }
        end = at + 1;
    }
    end
}

/// `$name`, `${...}` on one line, or the sign alone.
fn variable(text: &str) -> usize {
    if let Some(inside) = text.strip_prefix("${") {
        let line = inside.split('\n').next().unwrap_or_default();
        return line.find('}').map_or(2, |end| end + 3);
    }
    1 + length_while(text.get(1..).unwrap_or_default(), |c| c.is_alphanumeric() || c == '_')
}

/// Bytes of a string with its quotes. One quote ends with its line at the latest, so that a stray one does not colour the rest.
fn quoted(text: &str, quote: &str) -> usize {
    let long = quote.len() > 1 || quote == "`";
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return at + quote.len();
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some('\n') if !long => return at,
            Some('\\') => at += 1 + chars.next().filter(|c| *c != '\n').map_or(0, char::len_utf8),
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    text.len()
}

/// Bytes of a character literal such as `'x'` or `'\u{1F600}'`.
fn character(text: &str) -> Option<usize> {
    let inside = text.get(1..)?;
    if inside.starts_with('\\') {
        let end = inside.char_indices().skip(2).take(10).find(|(_, c)| *c == '\'')?.0;
        return Some(end + 2);
    }
    let c = inside.chars().next().filter(|c| *c != '\'' && *c != '\n')?;
    inside.get(c.len_utf8()..)?.starts_with('\'').then(|| c.len_utf8() + 2)
}
