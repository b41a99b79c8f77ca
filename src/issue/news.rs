//! Whether an issue may be mailed. Publishing and mailing are two decisions; this is the second one. Pure.
//!
//! What an accident in a repository can look like (a bulk edit, an old file moved in, a skeleton committed early) is held,
//! and an operator releases or dismisses it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Issue;
use crate::types::{Finding, Place, Rule};

/// Where an issue stands with mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    /// It was there at the first reading: never mailed by itself.
    Archive,
    /// It goes out with the next digest, once it has settled.
    News,
    /// It looks like an accident: kept back until the document is mended or an operator decides.
    Held(Finding),
    /// An operator let it go out.
    Released,
    /// An operator decided that it is never mailed.
    Dismissed,
}

impl Mail {
    /// The stored word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::News => "news",
            Self::Held(_) => "held",
            Self::Released => "released",
            Self::Dismissed => "dismissed",
        }
    }
}

/// What counts as an accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caution {
    /// A new issue dated longer ago than this is back-dated.
    pub max_age: Duration,
    /// More new issues than this in one reading are a bulk change.
    pub max_new: usize,
    /// A body of fewer characters than this is a stub.
    pub min_length: usize,
}

/// What is known of an issue that was published before.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// Where it stood.
    pub mail: &'a Mail,
    /// Some cadence has mailed it already.
    pub mailed: bool,
}

/// One document, as the decision needs it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The issue.
    pub issue: &'a Issue,
    /// Its path, for the finding.
    pub path: &'a str,
    /// Its content differs from what was known.
    pub changed: bool,
    /// Issues that this reading brings for the first time.
    pub fresh: usize,
    /// When it is read.
    pub now: DateTime<Utc>,
}

/// Where a document of the first reading, or of a later one, stands.
///
/// An issue held as back-dated or as a stub is looked at again when its content changes, so mending the document is enough. A bulk
/// change stays held: nothing in one document can mend it. What was mailed, released or dismissed stays as it is.
#[must_use]
pub fn decide(first_reading: bool, before: Option<Before<'_>>, candidate: &Candidate<'_>, caution: &Caution) -> Mail {
    let finding = match before {
        None if first_reading => return Mail::Archive,
        None if candidate.fresh > caution.max_new => Some(bulk(candidate, caution)),
        None => back_dated(candidate, caution).or_else(|| stub(candidate, caution)),
        Some(Before { mail: Mail::News, mailed: false }) if candidate.changed => stub(candidate, caution),
        Some(Before { mail: Mail::Held(finding), .. }) if candidate.changed && finding.rule != Rule::Bulk => {
            back_dated(candidate, caution).or_else(|| stub(candidate, caution))
        }
        Some(Before { mail, .. }) => return mail.clone(),
    };
    finding.map_or(Mail::News, Mail::Held)
}

fn bulk(candidate: &Candidate<'_>, caution: &Caution) -> Finding {
    finding(
        candidate,
        Rule::Bulk,
        format!(
            "it came with {} other new issues at once, and more than {} look like a bulk change",
            candidate.fresh - 1,
            caution.max_new
        ),
    )
}

fn back_dated(candidate: &Candidate<'_>, caution: &Caution) -> Option<Finding> {
    let age = candidate.now.signed_duration_since(candidate.issue.date).to_std().ok()?;
    let date = candidate.issue.date.format("%Y-%m-%d");
    let days = caution.max_age.as_secs() / 86_400;
    (age > caution.max_age)
        .then(|| finding(candidate, Rule::BackDated, format!("it is new, and dated {date}, more than {days} days ago")))
}

fn stub(candidate: &Candidate<'_>, caution: &Caution) -> Option<Finding> {
    if let Some(placeholder) = placeholder(&candidate.issue.title) {
        return Some(finding(candidate, Rule::Stub, format!("its title still has the placeholder {placeholder:?}")));
    }
    let length = candidate.issue.body.chars().filter(|c| !c.is_whitespace()).count();
    let least = caution.min_length;
    (length < least)
        .then(|| finding(candidate, Rule::Stub, format!("its body has {length} characters, fewer than {least}")))
}

fn finding(candidate: &Candidate<'_>, rule: Rule, message: String) -> Finding {
    let remedy = match rule {
        Rule::Bulk => "Run `tidings release` or `tidings dismiss` with it.",
        _ => "Mend the document, or run `tidings release` or `tidings dismiss` with it.",
    };
    Finding { rule, place: Place::file(candidate.path), message, remedy: remedy.to_owned() }
}

/// Words that templates of issues have where a number, a date or a word belongs: `XX`, `Month DD`, `$MONTH`, `TODO`.
fn placeholder(title: &str) -> Option<&str> {
    let words = title.split(|c: char| c.is_whitespace() || "-–—:,.()[]/#".contains(c)).filter(|word| !word.is_empty());
    words.into_iter().find(|word| {
        let upper = |set: &str| word.len() >= 2 && word.chars().all(|c| set.contains(c));
        let variable = word.strip_prefix('$').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
        let mustache = word.contains("{{") || word.contains("<%");
        // `XX` is held even where it is a Roman numeral: releasing one issue in twenty costs little.
        matches!(*word, "TODO" | "TBD" | "FIXME" | "YYYY" | "MM" | "DD" | "NN" | "NNN")
            || upper("X")
            || variable
            || mustache
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::Markup;
    use crate::types::Slug;

    const CAUTION: Caution = Caution { max_age: Duration::from_secs(14 * 86_400), max_new: 3, min_length: 20 };

    fn issue(title: &str, date: &str, body: &str) -> Issue {
        Issue {
            id: None,
            title: title.into(),
            date: DateTime::parse_from_rfc3339(&format!("{date}T00:00:00Z")).unwrap(),
            authors: vec![],
            tags: vec![],
            language: None,
            summary: None,
            slug: Slug::parse("a").unwrap(),
            image: None,
            draft: false,
            permalink: None,
            aliases: vec![],
            markup: Markup::Markdown,
            body: body.into(),
            body_line: 1,
        }
    }

    const BODY: &str = "A body that is long enough to be one.";

    fn run(first: bool, before: Option<Before<'_>>, issue: &Issue, changed: bool, fresh: usize) -> Mail {
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        decide(first, before, &Candidate { issue, path: "a.md", changed, fresh, now }, &CAUTION)
    }

    fn word(mail: &Mail) -> &'static str {
        match mail {
            Mail::Held(finding) => finding.rule.as_str(),
            other => other.as_str(),
        }
    }

    #[test]
    fn a_new_issue_is_news_unless_it_looks_like_an_accident() {
        let good = issue("March", "2026-03-01", BODY);
        for (what, issue, first, fresh, expected) in [
            ("the first reading", &good, true, 500, "archive"),
            ("news", &good, false, 1, "news"),
            ("three at once", &good, false, 3, "news"),
            ("four at once", &good, false, 4, "bulk"),
            ("old", &issue("March", "2026-02-15", BODY), false, 1, "back-dated"),
            ("two weeks old", &issue("March", "2026-02-17", BODY), false, 1, "news"),
            ("wrong year", &issue("March", "2025-03-01", BODY), false, 1, "back-dated"),
            ("short", &issue("March", "2026-03-01", "Soon.\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"), false, 1, "stub"),
            ("skeleton", &issue("Month DD", "2026-03-01", BODY), false, 1, "stub"),
        ] {
            assert_eq!(word(&run(first, None, issue, true, fresh)), expected, "{what}");
        }
    }

    #[test]
    fn mending_the_document_lifts_a_hold_and_breaking_it_holds_what_was_not_mailed() {
        let (good, stub) = (issue("March", "2026-03-01", BODY), issue("TODO", "2026-03-01", BODY));
        let held = |rule| {
            Mail::Held(Finding { rule, place: Place::file("a.md"), message: String::new(), remedy: String::new() })
        };
        for (before, mailed, issue, changed, expected) in [
            (held(Rule::Stub), false, &good, true, "news"),
            (held(Rule::BackDated), false, &good, true, "news"),
            (held(Rule::BackDated), false, &stub, true, "stub"),
            (held(Rule::Stub), false, &good, false, "stub"),
            (held(Rule::Bulk), false, &good, true, "bulk"),
            (Mail::News, false, &stub, true, "stub"),
            (Mail::News, true, &stub, true, "news"),
            (Mail::News, false, &issue("March", "2025-03-01", BODY), true, "news"),
            (Mail::Archive, false, &good, true, "archive"),
            (Mail::Released, false, &stub, true, "released"),
            (Mail::Dismissed, false, &good, true, "dismissed"),
        ] {
            let known = Before { mail: &before, mailed };
            assert_eq!(word(&run(false, Some(known), issue, changed, 9)), expected, "{before:?} {mailed} {changed}");
        }
    }

    #[test]
    fn placeholders_are_found_and_titles_left_alone() {
        for (title, found) in [
            ("This Week in X XXX", Some("XXX")),
            ("Newsletter XX", Some("XX")),
            ("Week of Month DD", Some("DD")),
            ("News of $MONTH 2026", Some("$MONTH")),
            ("TODO: title", Some("TODO")),
            ("News {{ month }}", Some("{{")),
            ("YYYY-MM-DD", Some("YYYY")),
            ("This Month in TiKV - February 2020", None),
            ("Mac OS X and the X server", None),
            ("It costs $5, or $US 7", Some("$US")),
            ("A todo list in Rust", None),
            ("第 90 期", None),
        ] {
            assert_eq!(placeholder(title), found, "{title}");
        }
    }
}
