//! What editors write, and what they are told.

use super::*;

fn document(path: &str, bytes: impl Into<Vec<u8>>) -> Document {
    let blob = "cd8a2c2b1f0e6a7d9c3b4a5f60718293a4b5c6d7".into();
    Document { path: path.into(), bytes: bytes.into(), blob, changed_at: DateTime::UNIX_EPOCH }
}

fn read(path: &str, bytes: impl Into<Vec<u8>>) -> Result<Issue, Finding> {
    parse(&document(path, bytes), &Reading { timezone: chrono_tz::Europe::Berlin })
}

fn issue(header: &str) -> Issue {
    read("a.md", format!("---\n{header}\n---\nBody\n")).unwrap()
}

const PLAIN: &str = "title: News\ndate: 2020-03-12";

#[test]
fn a_full_header_fills_every_field() {
    let read = issue(
        "title: This Month in Gardening\ndate: 2020-03-12\nauthor: The Gardeners\ntags: ['Monthly update', Community]\n\
         categories: Community, Soil\nlang: de_AT\ndescription: >\n  What grew\n  in March.\nslug: March_2020\n\
         image: images/rose.jpg\ndraft: no\nid: garden-3\nlayout: post",
    );
    let expected = Issue {
        id: Some(IssueId::parse("garden-3").unwrap()),
        title: "This Month in Gardening".into(),
        date: DateTime::parse_from_rfc3339("2020-03-12T00:00:00+01:00").unwrap(),
        authors: vec!["The Gardeners".into()],
        tags: vec!["Monthly update".into(), "Community".into(), "Soil".into()],
        language: Some("de-AT".into()),
        summary: Some("What grew in March.".into()),
        slug: Slug::parse("march-2020").unwrap(),
        image: Some("images/rose.jpg".into()),
        draft: false,
        body: "Body\n".into(),
        body_line: 17,
    };
    assert_eq!(read, expected);
}

#[test]
fn title_and_date_are_enough() {
    let read = issue(PLAIN);
    assert_eq!((read.authors.len(), read.tags.len(), read.draft), (0, 0, false));
    assert_eq!((read.id, read.language, read.summary, read.image), (None, None, None, None));
    assert_eq!(read.slug.as_str(), "a");
}

#[test]
fn toml_front_matter_gives_the_same_issue() {
    let toml =
        "+++\ntitle = \"News\"\ndate = 2020-03-12\nauthors = [\"A\", \"B\"]\ndraft = true\n[extra]\nx = 1\n+++\nBody\n";
    let yaml = "---\ntitle: News\ndate: 2020-03-12\nauthors: [A, B]\ndraft: true\nextra:\n  x: 1\n---\nBody\n";
    let (toml, yaml) = (read("a.md", toml).unwrap(), read("a.md", yaml).unwrap());
    assert_eq!(toml.authors, ["A", "B"]);
    assert!(toml.draft);
    assert_eq!((toml.title, toml.date, toml.body), (yaml.title, yaml.date, yaml.body));
}

#[test]
fn marks_line_ends_and_key_case_of_other_editors_are_tolerated() {
    let windows = "\u{feff}---\r\nTitle: News\r\nDATE: 2020-03-12\r\n---\r\n\r\nOne\r\nTwo\rThree";
    let read = read("a.md", windows).unwrap();
    assert_eq!((read.title.as_str(), read.body.as_str(), read.body_line), ("News", "\nOne\nTwo\nThree", 5));
}

#[test]
fn the_slug_comes_from_the_editor_the_file_the_title_or_the_blob() {
    for (path, header, expected) in [
        ("2020/march.md", "slug: The March Issue", "the-march-issue"),
        ("2020-03-12-march.md", "", "2020-03-12-march"),
        ("posts/2020-3-1_march.markdown", "", "2020-3-1-march"),
        ("2020-03-12.md", "", "2020-03-12"),
        ("posts/2026-01-05-news/index.md", "", "2026-01-05-news"),
        ("posts/march/index.md", "", "march"),
        ("index.md", "", "news"),
        ("2026-01-05-newsletter.it.md", "", "2026-01-05-newsletter-it"),
        ("周刊.md", "", "news"),
    ] {
        let text = format!("---\n{PLAIN}\n{header}\n---\n");
        assert_eq!(read(path, text).unwrap().slug.as_str(), expected, "{path}");
    }
    let chinese = read("周刊.md", "---\ntitle: 周刊\ndate: 2020-03-12\n---\n").unwrap();
    assert_eq!(chinese.slug.as_str(), "issue-cd8a2c2b1f");
}

#[test]
fn a_document_that_is_held_says_where_why_and_what_to_do() {
    let with = |line: &str| format!("---\n{PLAIN}\n{line}\n---\n");
    let large = "x".repeat(1024 * 1024 + 1);
    for (text, expected) in [
        (
            "---\ndate: 2020-03-12\n---\n".into(),
            "a.md:1: the front matter has no title (no-title). \
             Add a line like this: title: \"This Month in Gardening: March\"",
        ),
        (
            "+++\ntitle = 'News'\n+++\n".into(),
            "a.md:1: the front matter has no date (no-date). Add a line like this: date = \"2020-03-12\"",
        ),
        (
            "---\n---\n".into(),
            "a.md:1: the front matter has no title (no-title). \
             Add a line like this: title: \"This Month in Gardening: March\"",
        ),
        (
            "---\nfoo: bar\ntitle:\ndate: 2020-03-12\n---\n".into(),
            "a.md:3: the title is empty (no-title). Write it like this: title: \"This Month in Gardening: March\"",
        ),
        (
            "---\ntitle: News\ndate: ' '\n---\n".into(),
            "a.md:3: the date is empty (no-date). Write it like this: date: 2020-03-12",
        ),
        (
            "---\ntitle: News\n\n# soon\ndate: 2024-04-17 14:4g5:00 -0000\n---\n".into(),
            "a.md:5: \"2024-04-17 14:4g5:00 -0000\" is not a date (no-date). \
             Write it as 2020-03-12, 2020-03-12 18:30 or 2020-03-12T18:30:00+01:00.",
        ),
        (
            "---\ntitle: [News]\ndate: 2020-03-12\n---\n".into(),
            "a.md:2: title is a list, not one text (bad-field). \
             Write it like this: title: \"This Month in Gardening: March\"",
        ),
        (
            with("author: {name: Ada}"),
            "a.md:4: author is a group of keys, not a text or a list of texts (bad-field). \
             Write it like this: author: Ada Lovelace",
        ),
        (
            with("authors:\n  - name: Ada"),
            "a.md:4: authors is a list of other things than texts, not a text or a list of texts (bad-field). \
             Write it like this: authors: Ada Lovelace",
        ),
        (
            with("draft: maybe"),
            "a.md:4: draft is \"maybe\", neither true nor false (bad-field). Write it like this: draft: false",
        ),
        (
            with("lang: Deutsch (AT)"),
            "a.md:4: \"Deutsch (AT)\" is not a language tag (bad-field). Write it like this: lang: pt-BR",
        ),
        (
            with("slug: 三月"),
            "a.md:4: no name for a URL can be made of the slug \"三月\" (bad-field). \
             Write it like this: slug: march-2020",
        ),
        (
            large,
            "a.md: the file has 1048577 bytes, more than the 1048576 that are read (too-large). \
             Move images and attachments into files beside it and link them.",
        ),
    ] {
        assert_eq!(read("a.md", text.clone()).unwrap_err().to_string(), expected, "{:.80}", text);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_named_by_their_line() {
    let found = read("a.md", b"---\ntitle: News\ndate: 2020-03-12\n---\nF\xe9vrier\n".to_vec()).unwrap_err();
    assert_eq!(
        found.to_string(),
        "a.md:5: the line has bytes that are not UTF-8 (not-utf8). Save the file in the encoding UTF-8."
    );
}

#[test]
fn no_bytes_make_it_panic() {
    let seed = b"---\ntitle: [a, {b: c}]\ndate: 2020-03-12T1:2:3\nid: &x *x\n---\n+++\n\xff\r\n".to_vec();
    for cut in 0..seed.len() {
        for replacement in [b"".as_slice(), b"\n", b"-", b"\"", b"\xe5", b": ", b"&a", b"{", b"|"] {
            let mut bytes = seed.get(..cut).unwrap().to_vec();
            bytes.extend(replacement);
            bytes.extend(seed.get(cut + 1..).unwrap());
            let _ = read("a.md", bytes);
        }
    }
}
