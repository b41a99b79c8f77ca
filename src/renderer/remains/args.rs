//! Name and arguments of a shortcode, in the spellings of Hugo, Zola and Liquid.

/// Arguments in order. A key may be given as `key="x"`, `key=x` or `key: "x"`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Args {
    named: Vec<(String, String)>,
    positional: Vec<String>,
}

/// The name at the start of a shortcode, and what follows it without parentheses.
pub(super) fn split(content: &str) -> (&str, &str) {
    let content = content.trim();
    let end = content.find(|c: char| !c.is_alphanumeric() && !"_-./:".contains(c)).unwrap_or(content.len());
    let (name, rest) = content.split_at(end);
    let rest = rest.trim();
    let inner = rest.strip_prefix('(').map(|rest| rest.strip_suffix(')').unwrap_or(rest));
    (name.trim_end_matches('/'), inner.unwrap_or(rest))
}

impl Args {
    pub fn read(text: &str) -> Self {
        let mut args = Self::default();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() {
                return args;
            }
            if rest.starts_with(QUOTES) {
                let (value, after) = quoted(rest);
                args.positional.push(value);
                rest = after;
                continue;
            }
            let (word, after) = word(rest);
            rest = match after.strip_prefix('=').or_else(|| after.strip_prefix(':')) {
                Some(after) => {
                    let (value, after) = value(after.trim_start());
                    args.named.push((word.to_lowercase(), value));
                    after
                }
                None => {
                    args.positional.push(word.to_owned());
                    after
                }
            };
        }
    }

    /// The first of the keys that has a value which is not empty.
    pub fn get(&self, keys: &[&str]) -> Option<&str> {
        let value = |key: &&str| self.named.iter().find(|(name, value)| name == key && !value.is_empty());
        keys.iter().find_map(value).map(|(_, value)| value.as_str())
    }

    /// A positional argument, from 0.
    pub fn at(&self, index: usize) -> Option<&str> {
        self.positional.iter().filter(|value| *value != "/").nth(index).map(String::as_str)
    }
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// A bare word. A `:` ends it only before a quote or a space, so that a URL is one word.
fn word(text: &str) -> (&str, &str) {
    let ends = |(at, c): (usize, char)| match c {
        ':' => text.get(at + 1..).is_some_and(|rest| rest.starts_with(QUOTES) || rest.starts_with(' ')),
        c => c.is_whitespace() || c == ',' || (c == '=' && at > 0),
    };
    text.split_at(text.char_indices().find(|found| ends(*found)).map_or(text.len(), |(at, _)| at))
}

fn value(text: &str) -> (String, &str) {
    if text.starts_with(QUOTES) {
        return quoted(text);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.to_owned(), rest)
}

/// The text between quotes, `\"` undone, and the rest. Without an end it is all of the rest.
fn quoted(text: &str) -> (String, &str) {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        if Some(c) == quote {
            return (value, text.get(at + c.len_utf8()..).unwrap_or_default());
        }
        match c {
            '\\' if quote != Some('`') => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_in_every_spelling() {
        for (content, name, src, first) in [
            (" figure src=\"a b.png\" caption=\"say \\\"x\\\"\" ", "figure", Some("a b.png"), None),
            ("youtube w7Ft2ymGmfc", "youtube", None, Some("w7Ft2ymGmfc")),
            ("image(src=\"a.png\", width=3)", "image", Some("a.png"), None),
            ("image src: 'a.png', x: y", "image", Some("a.png"), None),
            ("ref \"/blog/a.md#b\" /", "ref", None, Some("/blog/a.md#b")),
            ("x https://example.org/a", "x", None, Some("https://example.org/a")),
            ("figure src=a.png", "figure", Some("a.png"), None),
            ("img src=`C:\\a.png`", "img", Some("C:\\a.png"), None),
            ("x \"open", "x", None, Some("open")),
            ("", "", None, None),
            ("=== =", "", None, Some("=")),
        ] {
            let (found, rest) = split(content);
            let args = Args::read(rest);
            assert_eq!((found, args.get(&["src"])), (name, src), "{content}");
            if first.is_some_and(|first| first != "=") {
                assert_eq!(args.at(0), first, "{content}");
            }
        }
    }
}
