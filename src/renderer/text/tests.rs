//! Tests.

use super::super::fixture::links;
use super::super::wrap::{COLUMNS, width};
use super::*;

fn text(markdown: &str) -> String {
    write(&Markdown::read(markdown), &links())
}

#[test]
fn each_construct_has_its_plain_form() {
    for (markdown, plain) in [
        ("One\ntwo  \nthree\\\nfour", "One two\nthree\nfour\n"),
        ("# A\n\nx\n\n### B `c`\n\ny", "A\n---\n\nx\n\n### B `c`\n\ny\n"),
        ("### Releases\n\nx", "Releases\n--------\n\nx\n"),
        ("*a* **b** ~~c~~ `d  e`", "_a_ *b* ~c~ `d e`\n"),
        ("- a\n  - b\n    c\n  - d\n- e", "- a\n  - b c\n  - d\n- e\n"),
        ("- a\n\n- b\n\n  c", "- a\n\n- b\n\n  c\n"),
        ("9. a\n10. b\n    - c", "9. a\n10. b\n    - c\n"),
        ("x\n\n- a\n\ny", "x\n\n- a\n\ny\n"),
        ("- [x] a\n- [ ] b", "- [x] a\n- [ ] b\n"),
        ("> a\n>\n> > b\n\nc", "> a\n>\n>> b\n\nc\n"),
        ("\\> a", " > a\n"),
        ("> [!WARNING]\n> a", "> WARNING\n>\n> a\n"),
        ("- > a\n  > b\n- ```\n  c\n  ```", "- > a b\n-     c\n"),
        ("```rust\nfn a() {\n\n\n    b  \n}\n```", "    fn a() {\n\n        b\n    }\n"),
        ("a\n\n---\n\nb", "a\n\n* * *\n\nb\n"),
        ("a[^x] b[^x]\n\n[^x]: note\n\n    more", "a[^1] b[^1]\n\n[^1]: note\n\n    more\n"),
        ("![A chart](a.png) ![](b.png)", "A chart\n"),
        ("|a|b|\n|-|-:|\n|c|1|\n|d|22|", "a   b\n-  --\nc   1\nd  22\n"),
        ("a<!-- b -->c\n\n<!-- d -->\n\ne", "ac\n\ne\n"),
        ("", ""),
    ] {
        assert_eq!(text(markdown), plain, "{markdown}");
    }
}

#[test]
fn links_are_numbered_and_listed_at_the_end() {
    for (markdown, plain) in [
        (
            "[a](https://example.org/1), [b](2.md), [a again](https://example.org/1)",
            "a [1], b [2], a again [1]\n\n[1] https://example.org/1\n[2] https://news.example.org/files/2026/03/2.md\n",
        ),
        ("<https://example.org/x> https://example.org/y.", "https://example.org/x https://example.org/y.\n"),
        ("[example.org](https://example.org)", "https://example.org/\n"),
        (
            "<team@example.org> [write](mailto:team@example.org)",
            "team@example.org write [1]\n\n[1] mailto:team@example.org\n",
        ),
        ("[![logo](a.png)](https://example.org/1)", "logo [1]\n\n[1] https://example.org/1\n"),
        ("[a](javascript:alert(1)) [b]()", "a b\n"),
        ("[a][r]\n\n[r]: #x", "a [1]\n\n[1] https://news.example.org/2026/march/#x\n"),
    ] {
        assert_eq!(text(markdown), plain, "{markdown}");
    }
}

#[test]
fn raw_html_is_read_for_its_text() {
    for (markdown, plain) in [
        ("<p align=center>\n<img src=a.png alt='A &amp; B'><br>caption</p>\n\nx", "A & B\ncaption\n\nx\n"),
        ("a <a href='b.md'>b</a> <kbd>c</kbd>", "a b [1] c\n\n[1] https://news.example.org/files/2026/03/b.md\n"),
        ("<details><summary>More</summary>\n\n*x*\n\n</details>", "More\n\n_x_\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc\n"),
        ("<script>alert(1)</script>\n\n<style>p{}</style>\n\nx", "x\n"),
    ] {
        assert_eq!(text(markdown), plain, "{markdown}");
    }
}

#[test]
fn lines_are_wrapped_within_their_margins() {
    let words = "word ".repeat(40);
    for start in ["", "> ", "- ", "12. ", "> - > "] {
        let text = text(&format!("{start}{words}"));
        assert!(text.lines().count() > 2 && text.lines().all(|line| width(line.trim_end()) <= COLUMNS), "{text}");
        let margin = text.lines().nth(1).unwrap().split('w').next().unwrap();
        assert_eq!(width(margin), start.len(), "{text}");
    }
    assert!(text(&format!("> {words}")).lines().all(|line| line.starts_with("> ")));
}

/// What a reader's program makes of `format=flowed; delsp=yes` (RFC 3676 section 4).
fn unflowed(text: &str) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut flowing = false;
    for line in text.lines() {
        let depth = line.len() - line.trim_start_matches('>').len();
        let content = &line[depth..];
        let content = content.strip_prefix(' ').unwrap_or(content);
        match paragraphs.last_mut() {
            Some((before, paragraph)) if flowing && *before == depth => paragraph.push_str(content),
            _ => paragraphs.push((depth, content.to_owned())),
        }
        flowing = content.ends_with(' ');
        if flowing && let Some((_, paragraph)) = paragraphs.last_mut() {
            paragraph.pop();
        }
    }
    paragraphs
}

#[test]
fn a_program_that_flows_lines_gets_each_paragraph_as_it_was() {
    let (words, chinese) = ("some words to fill a line ".repeat(9), "数据库引擎很快。".repeat(12));
    let (words, chinese) = (words.trim(), chinese.as_str());
    let markdown = format!("{words}\n\n> {words}\n>\n> > {chinese}\n\n{chinese} {words}  \nFrom here\n\n- {words}");
    let flowed = unflowed(&crate::renderer::mails::stuffed(&text(&markdown)));
    for expected in [
        (0, words.to_owned()),
        (1, words.to_owned()),
        (2, chinese.to_owned()),
        (0, format!("{chinese} {words}")),
        (0, "From here".to_owned()),
    ] {
        assert!(flowed.contains(&expected), "{expected:?} in {flowed:#?}");
    }
    let item = flowed.iter().position(|(_, line)| line.starts_with("- some")).unwrap();
    assert!(flowed[item + 1].1.starts_with("  "), "the lines of an item stay where they are");
}

#[test]
fn links_are_listed_where_their_section_ends() {
    assert_eq!(
        text("[a](https://a.example)\n\n## B\n\n[b](https://b.example) [a](https://a.example)"),
        "a [1]\n\n[1] https://a.example/\n\nB\n---\n\nb [2] a [3]\n\n[2] https://b.example/\n[3] https://a.example/\n"
    );
}
