//! What happens to documents, and which issue each is afterwards.

use super::Standing::{Moved, New, Same};
use super::*;

fn id(text: &str) -> IssueId {
    IssueId::parse(text).unwrap()
}

/// Documents as `path blob` or `path blob id`; an id of `-` is none, one of `!` a document that is held.
type Now<'a> = &'a [(&'a str, &'a str, &'a str)];

struct Outcome {
    matches: Vec<(String, String, Standing)>,
    gone: Vec<String>,
    duplicates: Vec<String>,
}

/// Known issues as (issue, path, blob, published).
fn run(known: &[(&str, &str, &str, bool)], now: Now<'_>) -> Outcome {
    let known: Vec<_> = known
        .iter()
        .map(|(issue, path, blob, published)| Known {
            issue: id(issue),
            path: (*path).into(),
            blob: (*blob).into(),
            published: *published,
        })
        .collect();
    let documents: Vec<_> = now.iter().map(|(path, blob, _)| ((*path).into(), (*blob).into())).collect();
    let parsed: Vec<_> = changes(&known, &documents)
        .into_iter()
        .filter_map(|(path, _)| now.iter().find(|(p, ..)| *p == path))
        .filter(|(_, _, header)| *header != "!")
        .map(|(path, _, header)| Parsed { path: (*path).into(), id: (*header != "-").then(|| id(header)) })
        .collect();
    let found = match_up(&known, &documents, &parsed, &Texts::default());
    Outcome {
        matches: found.matches.into_iter().map(|m| (m.path, m.issue.to_string(), m.standing)).collect(),
        gone: found.gone.iter().map(ToString::to_string).collect(),
        duplicates: found.duplicates.iter().map(ToString::to_string).collect(),
    }
}

type Row<'a> =
    (&'a str, &'a [(&'a str, &'a str, &'a str, bool)], Now<'a>, &'a [(&'a str, &'a str, Standing)], &'a [&'a str]);

#[test]
fn an_issue_keeps_its_identity() {
    let rows: &[Row<'_>] = &[
        (
            "first seen",
            &[],
            &[("a.md", "1", "-"), ("b.md", "2", "x")],
            &[("a.md", "a.md", New), ("b.md", "x", New)],
            &[],
        ),
        ("unchanged", &[("x", "a.md", "1", true)], &[("a.md", "1", "x")], &[("a.md", "x", Same)], &[]),
        ("edited", &[("a.md", "a.md", "1", true)], &[("a.md", "2", "-")], &[("a.md", "a.md", Same)], &[]),
        ("moved", &[("a.md", "a.md", "1", true)], &[("b.md", "1", "-")], &[("b.md", "a.md", Moved)], &[]),
        (
            "moved and edited, with an id",
            &[("x", "a.md", "1", true)],
            &[("b.md", "2", "x")],
            &[("b.md", "x", Moved)],
            &[],
        ),
        (
            "moved back and edited",
            &[("a.md", "b.md", "1", true)],
            &[("a.md", "2", "-")],
            &[("a.md", "a.md", Moved)],
            &[],
        ),
        ("removed", &[("a.md", "a.md", "1", true)], &[], &[], &["a.md"]),
        ("still removed", &[("a.md", "a.md", "1", false)], &[], &[], &[]),
        ("back", &[("a.md", "a.md", "1", false)], &[("a.md", "1", "-")], &[("a.md", "a.md", Same)], &[]),
        ("back and edited", &[("a.md", "a.md", "1", false)], &[("a.md", "2", "-")], &[("a.md", "a.md", Same)], &[]),
        ("back elsewhere", &[("a.md", "a.md", "1", false)], &[("b.md", "1", "-")], &[("b.md", "a.md", Moved)], &[]),
        ("back with its id", &[("x", "a.md", "1", false)], &[("b.md", "2", "x")], &[("b.md", "x", Moved)], &[]),
        ("an id is added", &[("a.md", "a.md", "1", true)], &[("a.md", "2", "x")], &[("a.md", "a.md", Same)], &[]),
        ("its id is removed", &[("x", "a.md", "1", true)], &[("a.md", "2", "-")], &[("a.md", "x", Same)], &[]),
        ("its id is replaced", &[("x", "a.md", "1", true)], &[("a.md", "2", "y")], &[("a.md", "y", New)], &["x"]),
        (
            "two swap their files, with ids",
            &[("x", "a.md", "1", true), ("y", "b.md", "2", true)],
            &[("a.md", "2", "y"), ("b.md", "1", "x")],
            &[("a.md", "y", Moved), ("b.md", "x", Moved)],
            &[],
        ),
        (
            "two equal files move",
            &[("a.md", "a.md", "1", true), ("b.md", "b.md", "1", true)],
            &[("c.md", "1", "-"), ("d.md", "1", "-")],
            &[("c.md", "a.md", Moved), ("d.md", "b.md", Moved)],
            &[],
        ),
    ];
    check(rows);
}

#[test]
fn nobody_takes_the_identity_of_another() {
    let rows: &[Row<'_>] = &[
        (
            "a copy is a new issue",
            &[("a.md", "a.md", "1", true)],
            &[("a.md", "1", "-"), ("b.md", "1", "-")],
            &[("a.md", "a.md", Same), ("b.md", "b.md", New)],
            &[],
        ),
        (
            "a new document where one began that moved away",
            &[("a.md", "b.md", "1", true)],
            &[("a.md", "23456789abcdef", "-"), ("b.md", "1", "-")],
            &[("a.md", "a.md#23456789ab", New), ("b.md", "a.md", Same)],
            &[],
        ),
        (
            "it stays itself afterwards",
            &[("a.md", "b.md", "1", true), ("a.md#23456789ab", "a.md", "2", true)],
            &[("a.md", "3", "-"), ("b.md", "1", "-")],
            &[("a.md", "a.md#23456789ab", Same), ("b.md", "a.md", Same)],
            &[],
        ),
        (
            "a published issue at a path goes before a withdrawn one",
            &[("x", "a.md", "1", false), ("y", "a.md", "2", true)],
            &[("a.md", "3", "-")],
            &[("a.md", "y", Same)],
            &[],
        ),
        (
            "an id that looks like the path of another",
            &[],
            &[("b.md", "1", "-"), ("c.md", "2", "b.md")],
            &[("b.md", "b.md#1", New), ("c.md", "b.md", New)],
            &[],
        ),
        (
            "a held document keeps its issue",
            &[("a.md", "a.md", "1", true), ("b.md", "b.md", "1", true)],
            &[("a.md", "2", "!"), ("c.md", "3", "!")],
            &[],
            &["b.md"],
        ),
    ];
    check(rows);
}

fn check(rows: &[Row<'_>]) {
    for (name, known, now, matches, gone) in rows {
        let found = run(known, now);
        let expected: Vec<_> = matches.iter().map(|(p, i, s)| ((*p).to_owned(), (*i).to_owned(), *s)).collect();
        assert_eq!((found.matches, found.gone.as_slice()), (expected, &gone.map_to_strings()[..]), "{name}");
        assert_eq!(found.duplicates, Vec::<String>::new(), "{name}");
    }
}

trait Strings {
    fn map_to_strings(&self) -> Vec<String>;
}

impl Strings for &[&str] {
    fn map_to_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn the_second_document_with_an_id_is_held_and_its_own_issue_stays() {
    let text = |path: &str, keeper: &str| {
        format!("{path}: its id \"x\" is the id of {keeper} (duplicate). Give it an id of its own, or delete the line.")
    };
    let fresh = run(&[], &[("a.md", "1", "x"), ("b.md", "2", "x")]);
    assert_eq!(fresh.matches, [("a.md".into(), "x".into(), New)]);
    assert_eq!(fresh.duplicates, [text("b.md", "a.md")]);

    // A copy that sorts first does not take the id from where it was, edited or not.
    for blob in ["1", "2"] {
        let copied = run(&[("x", "z.md", "1", true)], &[("a.md", "3", "x"), ("z.md", blob, "x")]);
        assert_eq!(copied.matches, [("z.md".into(), "x".into(), Same)]);
        assert_eq!(copied.duplicates, [text("a.md", "z.md")]);
    }

    let known = [("x", "a.md", "1", true), ("b.md", "b.md", "2", true)];
    let claimed = run(&known, &[("a.md", "1", "x"), ("b.md", "3", "x")]);
    assert_eq!(claimed.duplicates, [text("b.md", "a.md")]);
    assert_eq!(claimed.gone, Vec::<String>::new());
}

#[test]
fn only_what_is_not_published_as_it_is_must_be_read() {
    let known = [
        Known { issue: id("a"), path: "a".into(), blob: "1".into(), published: true },
        Known { issue: id("b"), path: "b".into(), blob: "2".into(), published: false },
    ];
    let document = |path: &str, blob: &str| (path.to_owned(), blob.to_owned());
    let now = [document("a", "1"), document("b", "2"), document("c", "1")];
    assert_eq!(changes(&known, &now), [document("b", "2"), document("c", "1")]);
}

#[test]
fn an_issue_that_was_moved_and_edited_at_once_is_known_by_its_text() {
    let known = |issue: &str, path: &str, published| Known {
        issue: id(issue),
        path: path.into(),
        blob: path.into(),
        published,
    };
    let long = "A report on the harvest. The apples were small, the pears were not. The cider is in the barn, thirty barrels. Next year we plant more.";
    let edited = "A report on the harvest. The apples were small, the pears were not. The cider is in the barn, thirty barrels. Next year we plant fewer!";
    let half = "A report on the harvest. The apples were small, the pears were not. We sold the farm in spring, and with it the dog.";
    let other = "The orchestra plays on Sunday. Tickets are at the door, as always.";
    let run =
        |known: &[Known], earlier: &[(&str, &str)], now: &[(&str, Option<&str>, &str)]| -> Vec<(String, Standing)> {
            let documents: Vec<_> =
                now.iter().map(|(path, _, text)| ((*path).to_owned(), format!("blob of {text}"))).collect();
            let parsed: Vec<_> =
                now.iter().map(|(path, header, _)| Parsed { path: (*path).into(), id: header.map(id) }).collect();
            let earlier: Vec<_> = earlier.iter().map(|(issue, text)| (id(issue), text.as_bytes().to_vec())).collect();
            let now = now.iter().map(|(path, _, text)| (*path, text.as_bytes())).collect();
            let found = match_up(known, &documents, &parsed, &Texts { earlier: &earlier, now });
            found.matches.into_iter().map(|m| (m.issue.to_string(), m.standing)).collect()
        };
    let as_before = |issue: &str, standing| vec![(issue.to_owned(), standing)];
    let was = [known("a.md", "a.md", true)];
    let earlier = [("a.md", long)];
    assert_eq!(run(&was, &earlier, &[("b.md", None, edited)]), as_before("a.md", Moved));
    assert_eq!(run(&was, &earlier, &[("b.md", Some("new-id"), edited)]), as_before("a.md", Moved), "an id is added");
    assert_eq!(run(&was, &earlier, &[("b.md", None, other)]), as_before("b.md", New), "another text is another issue");
    assert_eq!(run(&was, &[], &[("b.md", None, edited)]), as_before("b.md", New), "its text is not to be had");
    let copied = run(&was, &earlier, &[("a.md", None, long), ("b.md", None, edited)]);
    assert_eq!(copied, [("a.md".to_owned(), Same), ("b.md".to_owned(), New)], "a copy is a new issue");

    assert_eq!(run(&was, &earlier, &[("b.md", None, half)]), as_before("a.md", Moved), "half of it is left");
    let withdrawn = [known("a.md", "a.md", false)];
    assert_eq!(
        run(&withdrawn, &earlier, &[("b.md", None, half)]),
        as_before("b.md", New),
        "and half is not enough to be back"
    );
    assert_eq!(
        run(&withdrawn, &earlier, &[("b.md", None, edited)]),
        as_before("a.md", Moved),
        "back elsewhere, edited"
    );

    let named = [known("x", "a.md", true)];
    assert_eq!(run(&named, &[("x", long)], &[("b.md", Some("y"), edited)]), as_before("y", New), "its id is replaced");
}
