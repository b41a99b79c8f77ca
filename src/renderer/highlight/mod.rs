//! Code in colours: a lexer that knows comments, strings, numbers and words, and gives each a class for the style sheet.
//!
//! Not a grammar: it reads each character once, so that no input is slow, where regular expressions of editors take 5 to 14 ms
//! for a kilobyte, and seconds for one that was made for it (ARCHITECTURE.md). What it does not know stays plain.

mod languages;
mod scan;

use languages::Style;
use scan::Scan;

/// What a part of code is; its class in HTML is one letter, because there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Comment,
    Text,
    Number,
    Word,
    Type,
    Function,
    Key,
    Added,
    Removed,
}

impl Kind {
    fn class(self) -> char {
        match self {
            Self::Comment => 'c',
            Self::Text => 's',
            Self::Number => 'n',
            Self::Word => 'k',
            Self::Type => 't',
            Self::Function => 'f',
            Self::Key => 'a',
            Self::Added => 'i',
            Self::Removed => 'd',
        }
    }
}

/// The code as escaped HTML with classes; `None` for a language that we do not know.
pub(super) fn html(code: &str, language: &str) -> Option<String> {
    if language.eq_ignore_ascii_case("ansi") {
        let mut out = Out(String::with_capacity(code.len()));
        out.push(None, &without_colours(code));
        return Some(out.0);
    }
    let language = languages::named(language)?;
    let mut out = Out(String::with_capacity(code.len() * 2));
    match language.style {
        Style::Diff => lines(code, &mut out, |line, out| {
            let kind = match line.as_bytes() {
                [b'+', ..] => Some(Kind::Added),
                [b'-', ..] => Some(Kind::Removed),
                [b'@', ..] => Some(Kind::Key),
                _ => None,
            };
            out.push(kind, line);
        }),
        Style::Session => lines(code, &mut out, |line, out| {
            let prompt = ["$ ", "# ", "> ", "% "].into_iter().find(|prompt| line.starts_with(prompt));
            match (prompt, languages::named("sh")) {
                (Some(prompt), Some(shell)) => {
                    out.push(Some(Kind::Comment), prompt);
                    Scan::new(line.get(prompt.len()..).unwrap_or_default(), shell).run(out);
                }
                _ => out.push(None, line),
            }
        }),
        _ => Scan::new(code, language).run(&mut out),
    }
    Some(out.0)
}

/// Output of a terminal without its escape sequences for colours, whose first character, the escape itself, no page can carry.
fn without_colours(code: &str) -> String {
    let mut parts = code.split('[');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').strip_prefix('m') {
            Some(rest) => out.push_str(rest),
            None => {
                out.push('[');
                out.push_str(part);
            }
        }
    }
    out
}

fn lines(code: &str, out: &mut Out, each: impl Fn(&str, &mut Out)) {
    for line in code.split_inclusive('\n') {
        let text = line.strip_suffix('\n');
        each(text.unwrap_or(line), out);
        if text.is_some() {
            out.push(None, "\n");
        }
    }
}

/// The HTML so far.
struct Out(String);

impl Out {
    fn push(&mut self, kind: Option<Kind>, text: &str) {
        let Some(kind) = kind.filter(|_| !text.is_empty()) else { return self.escaped(text) };
        self.0.push_str("<span class=\"");
        self.0.push(kind.class());
        self.0.push_str("\">");
        self.escaped(text);
        self.0.push_str("</span>");
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                c => self.0.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts that have a class, as `class:text`.
    fn parts(code: &str, language: &str) -> Vec<String> {
        let html = html(code, language).unwrap();
        let spans = html.split("<span class=\"").skip(1);
        spans.map(|span| span.split("</span>").next().unwrap_or_default().replacen("\">", ":", 1)).collect()
    }

    #[test]
    fn each_language_is_told_by_its_own_rules() {
        for (language, code, expected) in [
            (
                "rust",
                "fn f<'a>(x: &'a str) -> char { 'x' } // no\nlet y = Foo::new(1_000.5, \"a\\\"b\"); 0..n",
                "k:fn f:f t:str t:char s:'x' c:// no k:let t:Foo f:new n:1_000.5 s:\"a\\\"b\" n:0",
            ),
            ("C++", "int a = 0xFF; /* x\ny */ char c = '\\'';", "k:int n:0xFF c:/* x\ny */ k:char s:'\\''"),
            ("py", "def f(x):\n    '''a\n    b'''\n    return x#no\n", "k:def f:f s:'''a\n    b''' k:return"),
            ("bash", "curl -sS --fail $URL ${A:-x} \"x y\" # z", "a:-sS a:--fail t:$URL t:${A:-x} s:\"x y\" c:# z"),
            (
                "yaml",
                "# a\nkey: 1\nlist:\n  - name: \"x\" # b\n  - http://a:1",
                "c:# a a:key n:1 a:list a:name s:\"x\" c:# b n:1",
            ),
            ("json", "{\"a\": [1, true, \"b\"]}", "a:\"a\" n:1 k:true s:\"b\""),
            ("toml", "[package]\nname = \"x\"\nfeatures.y = true", "t:[package] a:name s:\"x\" a:features.y k:true"),
            ("sql", "select A from b -- c", "k:select k:from c:-- c"),
            ("css", ".a-b { color: red; /* x */ }", "a:color c:/* x */"),
            (
                "html",
                "<a href=\"x\" b='y'>t</a><!-- <b> -->",
                "k:&lt;a a:href s:\"x\" a:b s:'y' k:&gt; k:&lt;/a&gt; c:&lt;!-- &lt;b&gt; --&gt;",
            ),
            ("diff", "-a\n+b\n c", "d:-a i:+b"),
            ("console", "$ ls -l\n# not a comment of ours\nfile", "c:$  a:-l c:# "),
            ("nix", "with import <nixpkgs> {}; my-name", "k:with k:import"),
            ("text2", "x", ""),
        ] {
            let found = if language == "text2" { Vec::new() } else { parts(code, language) };
            assert_eq!(found.join(" "), expected, "{language}");
        }
        assert_eq!(html("[1;31mError[0m a[0] [x]", "ansi").unwrap(), "Error a[0] [x]");
        assert_eq!(html("x", "brainfuck"), None);
    }

    #[test]
    fn no_character_is_lost_or_left_unescaped() {
        let code = "a < b && c > 'd' \"e \u{1F600} // f\n'unclosed\n/* unclosed & <b>";
        for language in
            ["rust", "js", "py", "sh", "yaml", "json", "toml", "sql", "html", "diff", "console", "lisp", "css"]
        {
            let mut text = html(code, language).unwrap();
            while let Some(start) = text.find("<span") {
                let end = start + text[start..].find('>').unwrap();
                text.replace_range(start..=end, "");
            }
            let text = text.replace("</span>", "");
            assert!(!text.contains(['<', '>']), "{language}: {text}");
            assert_eq!(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), code, "{language}");
        }
    }
}
