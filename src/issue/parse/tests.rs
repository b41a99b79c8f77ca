//! What editors write, and what they are told.

use super::*;

fn document(path: &str, bytes: impl Into<Vec<u8>>) -> Document {
    let blob = "cd8a2c2b1f0e6a7d9c3b4a5f60718293a4b5c6d7".into();
    Document { path: path.into(), bytes: bytes.into(), blob, changed_at: DateTime::UNIX_EPOCH, added_at: None }
}

/// What holds unless a newsletter says otherwise, in the zone of Berlin.
fn usual() -> Reading {
    Reading {
        timezone: chrono_tz::Europe::Berlin,
        date_keys: vec!["date".into()],
        date_sources: vec![DateSource::FrontMatter, DateSource::FileName, DateSource::Path, DateSource::Git],
        only: BTreeMap::new(),
        languages: Languages::default(),
    }
}

fn read(path: &str, bytes: impl Into<Vec<u8>>) -> Result<Issue, Finding> {
    parse(&document(path, bytes), &usual()).map(|issue| issue.expect("nothing is asked of an issue"))
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
        permalink: None,
        aliases: vec![],
        markup: Markup::Markdown,
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
            "a.md:1: the front matter has no title, and the text does not start with a heading (no-title). \
             Add a line like this: title: \"This Month in Gardening: March\"",
        ),
        (
            "+++\ntitle = 'News'\n+++\n".into(),
            "a.md:1: it has no date in its front matter, its file name, its folders or a git history (no-date). \
             Add a line like this: date = \"2020-03-12\"",
        ),
        (
            "{\n  \"title\": \"News\"\n}\n".into(),
            "a.md:1: it has no date in its front matter, its file name, its folders or a git history (no-date). \
             Add a line like this: \"date\": \"2020-03-12\",",
        ),
        (
            "Title: News\n\nText\n".into(),
            "a.md:1: it has no date in its front matter, its file name, its folders or a git history (no-date). \
             Add a line like this: Date: 2020-03-12",
        ),
        (
            "# News\n\nText\n".into(),
            "a.md:1: it has no date in its front matter, its file name, its folders or a git history (no-date). \
             Start the name of the file with its date, 2020-03-12-NAME.md.",
        ),
        (
            "Text\n\n# News\n".into(),
            "a.md:1: the file has no front matter and does not start with a heading, so it has no title (no-title). \
             Write the title above the text: # This Month in Gardening: March; or, if it is not an issue, add it to \
             `exclude` of the source.",
        ),
        (
            "Title: #06 - News\nDate: 2021-(TODO: MM-DD)\n\nText\n".into(),
            "a.md:2: \"2021-(TODO: MM-DD)\" is not a date (no-date). \
             Write it as 2020-03-12, 2020-03-12 18:30 or 2020-03-12T18:30:00+01:00.",
        ),
        (
            "---\n---\n".into(),
            "a.md:1: the front matter has no title, and the text does not start with a heading (no-title). \
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
fn every_kind_of_header_gives_the_same_issue() {
    for header in [
        "---\ntitle: News\ndate: 2020-03-12\nauthors: [A, B]\ntags: x, y\nstatus: draft\n---\n",
        "\u{feff} ---\r\nTitle: News\r\nDATE: 2020-03-12\r\nAuthors: A, B\r\nTags: [x]\r\ncategory: y\r\npublished: false\r\n---\r\n",
        "+++\ntitle = 'News'\ndate = 2020-03-12\nauthors = ['A', 'B']\ntags = ['x', 'y']\ndraft = true\n+++\n",
        "{\n\"title\": \"News\", \"date\": \"2020-03-12\",\n\"authors\": \"A; B\", \"tags\": [\"x\", \"y\"], \"draft\": true\n}\n",
        "Title: News\nDate: 2020-03-12\nAuthors: A,\n    B\nTags: x\nCategory: y\nStatus: draft\n\n",
    ] {
        let issue = read("a.md", format!("{header}Body")).unwrap();
        let found = (issue.title.as_str(), issue.authors, issue.tags, issue.draft, issue.body.trim());
        assert_eq!(
            found,
            ("News", vec!["A".into(), "B".into()], vec!["x".into(), "y".into()], true, "Body"),
            "{header}"
        );
        assert_eq!(issue.date.to_rfc3339(), "2020-03-12T00:00:00+01:00", "{header}");
    }
    assert!(!issue(&format!("{PLAIN}\nstatus: published\npublished: 2020-03-12")).draft);
}

#[test]
fn without_a_title_in_the_header_the_leading_heading_is_the_title_and_leaves_the_text() {
    for (text, title, body) in [
        ("# News of *March*\n\nText", "News of March", "\n\nText"),
        ("<!-- TODO -->\n\nNews\n====\nText", "News", "<!-- TODO -->\n\n\n\nText"),
        ("---\nid: x\n---\n\n## News\nText\n\n# More", "News", "\n\nText\n\n# More"),
        ("---\ntitle: News\n---\nText\n\n# news #\n\nMore", "News", "Text\n\n\n\nMore"),
        ("---\ntitle: News\n---\n# Highlights\n\n# News", "News", "# Highlights\n\n# News"),
        ("Title: News\n\n# News\n", "News", "\n\n"),
    ] {
        let issue = read("2020-03-12-a.md", text).unwrap();
        assert_eq!((issue.title.as_str(), issue.body.as_str()), (title, body), "{text:?}");
    }
}

#[test]
fn the_date_comes_from_the_first_place_that_has_one() {
    use DateSource::{FileName, FrontMatter, Git, Path};
    let added = DateTime::parse_from_rfc3339("2020-05-05T22:30:00Z").unwrap().to_utc();
    for (path, header, keys, sources, expected) in [
        (
            "2020/01/2020-02-02-a.md",
            "date: 2020-03-03",
            vec!["date"],
            vec![FrontMatter, FileName, Path, Git],
            "2020-03-03",
        ),
        (
            "2020/01/2020-02-02-a.md",
            "date: 2020-03-03",
            vec!["date"],
            vec![FileName, FrontMatter, Path, Git],
            "2020-02-02",
        ),
        ("2020/01/2020-02-02-a.md", "date: 2020-03-03", vec!["date"], vec![Path, FileName], "2020-01-01"),
        ("2020/01/09/a.md", "date:", vec!["date"], vec![FrontMatter, FileName, Path, Git], "2020-01-09"),
        ("news/2020-02-02-a/index.md", "x: y", vec!["date"], vec![FrontMatter, FileName], "2020-02-02"),
        ("a.md", "Publish_Date: 2020-03-03", vec!["date", "publish_date"], vec![FrontMatter, Git], "2020-03-03"),
        (
            "a.md",
            "publish_date: 2020-03-03\ndate: 2020-04-04",
            vec!["date", "publish_date"],
            vec![FrontMatter],
            "2020-04-04",
        ),
        ("a.md", "x: y", vec!["date"], vec![FrontMatter, FileName, Path, Git], "2020-05-06"),
    ] {
        let date_keys = keys.into_iter().map(str::to_owned).collect();
        let reading = Reading { date_keys, date_sources: sources, ..usual() };
        let document =
            Document { added_at: Some(added), ..document(path, format!("---\ntitle: News\n{header}\n---\n")) };
        let date = parse(&document, &reading).unwrap().unwrap().date;
        assert_eq!(date.format("%Y-%m-%d").to_string(), expected, "{path} {header}");
    }
}

#[test]
fn a_date_written_wrongly_holds_the_document_whatever_its_name_says() {
    let held = read("2024-04-14-update.md", "---\ntitle: a\ndate: 2024-04-17 14:4g5:00 -0000\n---\n").unwrap_err();
    assert_eq!((held.rule, held.place.line), (Rule::NoDate, Some(3)));
}

#[test]
fn the_history_is_asked_for_only_where_no_place_before_it_has_a_date() {
    use DateSource::{FileName, FrontMatter, Git};
    let (dated, broken, bare) = ("Date: 2020-03-12\n\n# a", "Date: soon\n\n# a", "# a");
    for (path, text, sources, needed) in [
        ("a.md", bare, vec![FrontMatter, FileName, Git], true),
        ("a.md", dated, vec![FrontMatter, FileName, Git], false),
        ("a.md", dated, vec![Git, FrontMatter], true),
        ("a.md", broken, vec![FrontMatter, Git], false),
        ("2020-03-12.md", bare, vec![FrontMatter, FileName, Git], false),
        ("a.md", bare, vec![FrontMatter, FileName], false),
        ("a.md", "---\nunclosed", vec![Git], false),
    ] {
        let reading = Reading { date_sources: sources, ..usual() };
        assert_eq!(needs_history(&document(path, text), &reading), needed, "{path} {text}");
    }
    let reading = Reading { only: BTreeMap::from([("type".into(), "x".into())]), ..usual() };
    assert!(!needs_history(&document("a.md", bare), &reading));
}

#[test]
fn a_missing_date_is_asked_for_where_it_is_looked_for() {
    use DateSource::{FileName, FrontMatter, Git, Path};
    let (yaml, bare) = ("---\ntitle: a\n---\n", "# a\n");
    for (text, sources, expected) in [
        (
            yaml,
            vec![FrontMatter],
            "it has no date in its front matter (no-date). Add a line like this: publish_date: 2020-03-12",
        ),
        (
            bare,
            vec![FrontMatter],
            "it has no date in its front matter (no-date). Start the file with front matter: the lines \
          \"---\", \"publish_date: 2020-03-12\" and \"---\".",
        ),
        (
            yaml,
            vec![FileName],
            "it has no date in its file name (no-date). Start the name of the file with its date, \
          2020-03-12-NAME.md.",
        ),
        (
            yaml,
            vec![Path, Git],
            "it has no date in its folders or a git history (no-date). Put the file into folders of its \
          date, 2020/03/12/.",
        ),
        (
            yaml,
            vec![Git],
            "it has no date in a git history (no-date). Commit the file, or set `date_sources` so that its date \
          is looked for elsewhere.",
        ),
    ] {
        let reading = Reading { date_keys: vec!["publish_date".into()], date_sources: sources, ..usual() };
        let held = parse(&document("a.md", text), &reading).unwrap_err();
        assert_eq!(held.to_string(), format!("a.md:1: {expected}"));
    }
}

#[test]
fn the_last_change_is_never_the_date() {
    let changed =
        Document { changed_at: DateTime::from_timestamp(1_600_000_000, 0).unwrap(), ..document("a.md", "# News") };
    assert_eq!(parse(&changed, &usual()).unwrap_err().rule, Rule::NoDate);
}

#[test]
fn a_document_that_does_not_meet_the_conditions_is_no_issue_even_when_it_could_not_be_one() {
    let only = BTreeMap::from([("category".into(), "This Week in Birds".into())]);
    let reading = Reading { only, ..usual() };
    let parsed = |text: &str| parse(&document("2020-03-12-a.md", text), &reading);
    assert!(parsed("Title: a\nCategory: This Week in Birds\n\nText").unwrap().is_some());
    assert!(parsed("---\ntitle: a\nCategory: [x, This Week in Birds]\n---\n").unwrap().is_some());
    assert!(parsed("Title: a\nCategory: Other\n\nText").unwrap().is_none());
    assert!(parsed("---\ndate: nonsense\ndraft: maybe\n---\n").unwrap().is_none());
    assert!(parsed("# a\n").unwrap().is_none());
    // Nobody can say what its category would be.
    assert_eq!(parsed("---\ntitle: [a\n---\n").unwrap_err().rule, Rule::BrokenFrontMatter);
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
    for seed in ["{\"title\": \"a\\u0041\", \"x\": [1, {}]}\n# a", "Title: a\n    b\nDate: é\n\n# *a* {#b}\n===\n"] {
        for cut in 0..seed.len() {
            let mut bytes = seed.as_bytes().to_vec();
            bytes.remove(cut);
            let _ = read("a.md", bytes.clone());
            bytes.truncate(cut);
            let _ = read("2020-03-é.md", bytes);
        }
    }
}
