//! Headers as editors write them, whole and broken.

use super::*;

fn keys(text: &str) -> Vec<(String, u32, Value)> {
    let parts = read("a.md", text, &["title", "date"]).unwrap();
    parts.header.fields.into_iter().map(|f| (f.key, f.line, f.value)).collect()
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

#[test]
fn scalars_stay_as_they_were_written() {
    let yaml = "---\ntitle: 1.10 # é\nlang: no\ndate: 2020-03-12 # soon\nid: 0x1F\nx: \"a\\tb\"\ny: 'true'\nz:\nw: ~\n\
                v: .nan\nu: 1_000\nt:   yes   \n---\n";
    assert_eq!(
        keys(yaml),
        [
            ("title".into(), 2, text("1.10")),
            ("lang".into(), 3, text("no")),
            ("date".into(), 4, text("2020-03-12")),
            ("id".into(), 5, text("0x1F")),
            ("x".into(), 6, text("a\tb")),
            ("y".into(), 7, text("true")),
            ("z".into(), 8, Value::Empty),
            ("w".into(), 9, Value::Empty),
            ("v".into(), 10, text(".nan")),
            ("u".into(), 11, text("1_000")),
            ("t".into(), 12, text("yes")),
        ]
    );
    let toml = "+++\ntitle = \"a\"\ndate = 2018-03-29\ndraft = false\nnumber = 7\n[extra]\nauthor = 'x'\n+++\n";
    assert_eq!(
        keys(toml),
        [
            ("title".into(), 2, text("a")),
            ("date".into(), 3, text("2018-03-29")),
            ("draft".into(), 4, text("false")),
            ("number".into(), 5, text("7")),
            ("extra".into(), 6, Value::Group),
        ]
    );
}

#[test]
fn lists_groups_aliases_and_multi_line_texts_are_read() {
    let yaml =
        "---\nTags: &t [a, 2020, true]\ncopy: *t\nblock: |\n  one\n  two\nmap: {a: 1}\nlist:\n  - x\n  - {y: z}\n---";
    let tags = Value::List(vec![text("a"), text("2020"), text("true")]);
    assert_eq!(
        keys(yaml),
        [
            ("tags".into(), 2, tags.clone()),
            ("copy".into(), 3, tags),
            ("block".into(), 4, text("one\ntwo\n")),
            ("map".into(), 7, Value::Group),
            ("list".into(), 8, Value::List(vec![text("x"), Value::Group])),
        ]
    );
}

#[test]
fn json_is_read_with_the_line_of_each_key() {
    let json = "{\n  \"Title\": \"a \\\"b\\\" \\ud83d\\ude00\",\n\n  \"draft\": false, \"n\": 7,\n  \"tags\": [\n    \"x\", 1.5\n  ],\n  \"none\": null,\n  \
                \"extra\": {\"date\": \"2020-03-12\"}\n}\n";
    assert_eq!(
        keys(json),
        [
            ("title".into(), 2, text("a \"b\" 😀")),
            ("draft".into(), 4, text("false")),
            ("n".into(), 4, text("7")),
            ("tags".into(), 5, Value::List(vec![text("x"), text("1.5")])),
            ("none".into(), 8, Value::Empty),
            ("extra".into(), 9, Value::Group),
        ]
    );
}

#[test]
fn lines_without_marks_are_read_as_pelican_and_multimarkdown_have_them() {
    let pelican = "\nTitle: Week #3: Swifts\nDate:2013-06-22 05:21\nTags: birds,\n    sky: blue\n\n";
    assert_eq!(
        keys(pelican),
        [
            ("title".into(), 2, text("Week #3: Swifts")),
            ("date".into(), 3, text("2013-06-22 05:21")),
            ("tags".into(), 4, text("birds,\nsky: blue")),
        ]
    );
    let multimarkdown = "Author:\n\tAda\n  Bob\nsave_as: x.html\nEmpty:\nDATE: 2020-03-12\nhttps://x.example/\n";
    assert_eq!(
        keys(multimarkdown),
        [
            ("author".into(), 1, text("Ada\nBob")),
            ("save_as".into(), 4, text("x.html")),
            ("empty".into(), 5, Value::Empty),
            ("date".into(), 6, text("2020-03-12")),
        ]
    );
}

#[test]
fn a_text_that_looks_a_little_like_a_header_stays_text() {
    for document in [
        "",
        "# Title: News\n",
        "Note: this is a paragraph.\nHint: so is this.\n\nTitle: late\n",
        "Dear reader: Title: x\n",
        "    Title: code\n",
        "\tTitle: code\n",
        "    ---\n",
        "----\ntitle: a\n----\n",
        "https://x.example/\nTitle: a\n\n",
        "{{< figure src=\"x\" >}}\n",
        "{% include x.html %}\n",
        "{: .lead}\nText\n",
    ] {
        let parts = read("a.md", document, &["title", "date"]).unwrap();
        assert_eq!(parts.header, Header { kind: Kind::Bare, fields: Vec::new() }, "{document:?}");
        assert_eq!((parts.body, parts.body_line), (document, 1));
    }
}

#[test]
fn the_body_starts_after_the_closing_mark() {
    for (document, body, line) in [
        ("---\na: 1\n---\nBody\n", "Body\n", 4),
        ("---\na: 1\n---", "", 4),
        ("\n \n---\n---\n\nBody", "\nBody", 5),
        ("---\na: 1\n...\nBody\n---\n", "Body\n---\n", 4),
        ("--- \na: 1\n---\t\nBody", "Body", 4),
        ("+++\na = 1\n+++\n---\n", "---\n", 4),
        (" ---\na: 1\n---\nBody", "Body", 4),
        ("{\n  \"a\": 1\n}\n\nBody", "\nBody", 4),
        ("\n{ \"a\": {\"b\": \"}\\\"\"} } \nBody", "Body", 3),
        ("{\"a\": 1} Body", " Body", 1),
        ("{\"a\": 1}", "", 1),
        ("Title: a\nX: b\n\nBody\n", "\nBody\n", 3),
        ("\n Title: a\n # Body\n", "", 4),
        ("Title: a\n# Body\n", "# Body\n", 2),
        ("Title: a", "", 2),
    ] {
        let parts = read("a.md", document, &["title"]).unwrap();
        assert_eq!((parts.body, parts.body_line), (body, line), "{document:?}");
    }
}

#[test]
fn a_header_that_cannot_be_read_says_where_and_why() {
    let large = format!("---\na: {}\n---\n", "x".repeat(MAX_HEADER));
    let lines = format!("Title: {}\n\n", "x".repeat(MAX_HEADER));
    for (document, expected) in [
        (
            "{\n  \"title\": \"News,\n}\n\nBody\n",
            "a.md:1: the front matter that starts with \"{\" is not closed (broken-front-matter). Look whether a quote, a \
             \"]\" or the last \"}\" is missing.",
        ),
        (
            &lines,
            "a.md:1: the front matter has 16392 bytes, more than the 16384 that are read (too-large). Look whether the \
             blank line after it is missing; move long texts into the body.",
        ),
        (
            "\n---\ntitle: a\n\nBody\n",
            "a.md:2: the front matter that starts with \"---\" is not closed (broken-front-matter). Add a line with \
             only \"---\" after its last key.",
        ),
        (
            &large,
            "a.md:1: the front matter has 16388 bytes, more than the 16384 that are read (too-large). Look whether the \
             \"---\" that closes it is missing; move long texts into the body.",
        ),
    ] {
        let finding = read("a.md", document, &["title"]).unwrap_err();
        assert_eq!(finding.to_string(), expected, "{document:?}");
    }
}

#[test]
fn a_parser_s_complaint_keeps_its_place_and_gets_a_remedy() {
    let yaml = "Correct the line; a text with \": \" in it, or with a special character at its start, needs quotes: \
                title: \"News: March\".";
    let toml = "Correct the line; a text needs quotes: title = \"News: March\".";
    let json = "Correct the line; a key is written \"title\": \"News: March\", with a comma before the next.";
    let keys = "Write each as a line of its own, title: News.";
    for (document, place, why, remedy) in [
        (
            "---\ndate: 2020-03-12\ntitle: News: March\n---\n",
            "3:12",
            "mapping values are not allowed in this context",
            yaml,
        ),
        ("---\ntitle: [a\n---\n", "2:8", "unclosed bracket '['", yaml),
        ("---\ntitle: \"a\n---\n", "3:1", "invalid indentation in multiline quoted scalar", yaml),
        ("---\n- a\n- b\n---\n", "2", "it is not made of keys and values", keys),
        ("---\njust words\n---\n", "2", "it is not made of keys and values", keys),
        (
            "---\ntitle: a\ntitle: b\n---\n",
            "3:1",
            "duplicate mapping key `title` is not allowed here",
            "Delete one of the two lines.",
        ),
        ("---\ntitle: *nope\n---\n", "2:8", "reference to unknown value", yaml),
        ("\n{\n  \"title\": \"a\"\n  \"date\": 1\n}\n", "4:3", "expected `,` or `}`", json),
        ("{\n  \"title\": News\n}\n", "2:12", "expected value", json),
        ("+++\ntitle = News\n+++\n", "2:9", "invalid float, expected `nan`", toml),
        ("+++\ntitle = 'a'\ntitle = 'b'\n+++\n", "3:1", "duplicate key", toml),
        ("+++\ntitle = 'a'\ndate = 2020-13-01\n+++\n", "3:8", "invalid date, expected month between 01 and 12", toml),
    ] {
        let expected = format!("a.md:{place}: the front matter does not parse: {why} (broken-front-matter). {remedy}");
        assert_eq!(read("a.md", document, &[]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn an_alias_bomb_is_refused_and_not_expanded() {
    let mut yaml = String::from("---\na: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        yaml.push_str(&format!("{name}: &{name} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n"));
    }
    yaml.push_str("---\n");
    assert_eq!(read("a.md", &yaml, &[]).unwrap_err().rule, Rule::BrokenFrontMatter);
    let deep = format!("---\na: {}{}\n---\n", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(read("a.md", &deep, &[]).unwrap_err().rule, Rule::BrokenFrontMatter);
    let json = format!("{{\"a\": {}{}}}\n", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(read("a.md", &json, &[]).unwrap_err().rule, Rule::BrokenFrontMatter);
}
