//! Sources, issues, revisions, holds and assets.

use chrono::{DateTime, Duration, Utc};
use tidings::issue::news::Mail;
use tidings::issue::{Content, Revision};
use tidings::store::{Publication, PublishedIssue};
use tidings::types::{Facet, FacetId, FacetKind, Finding, IssueId, Place, Rule, Slug};

use crate::store::world::{World, now};

on_both! {
    an_issue_reads_back_as_it_was_published
    the_first_reading_is_the_baseline_and_only_what_readers_see_moves_the_change
    a_withdrawn_issue_leaves_the_feeds_and_keeps_its_identity
    a_rewritten_revision_replaces_and_a_new_one_is_added
    feeds_and_archive_come_newest_date_first
    tags_and_authors_are_facets_of_published_issues
    a_feed_is_planned_from_its_lines_and_reads_the_issues_it_needs
    a_part_that_goes_ahead_is_seen_like_any_change_and_of_a_first_reading_not_before_its_end
    holds_are_replaced_by_each_reading
    news_stays_a_candidate_until_a_mailing_holds_it
    a_failed_look_is_noted_and_a_good_one_clears_it
}

fn revision(w: &World, issue: &str, day: u32) -> Revision {
    let date = DateTime::parse_from_rfc3339(&format!("2026-01-{day:02}T10:00:00+09:00")).unwrap();
    Revision {
        newsletter: w.newsletter.clone(),
        issue: IssueId::parse(issue).unwrap(),
        number: 1,
        path: format!("{issue}.md"),
        slug: Slug::parse(issue).unwrap(),
        commit: "c0ffee".into(),
        blob: "b10b".into(),
        title: format!("Issue {issue} — ünïcode, \"quotes\" and 'ticks'"),
        authors: vec!["Ada".into(), "Grace".into()],
        tags: vec!["release".into()],
        language: Some("en".into()),
        image: None,
        date,
        updated: date.to_utc(),
        url: format!("https://example.org/news/{issue}/"),
        content: Content {
            web: "<p>web</p>".into(),
            feed: "<p>feed</p>".into(),
            mail: "<p>mail</p>".into(),
            text: "text\n".into(),
            summary: "A summary.".into(),
            assets: vec![format!("img/{issue}.png")],
        },
    }
}

fn publication(w: &World, at: DateTime<Utc>, issues: Vec<PublishedIssue>) -> Publication {
    Publication {
        newsletter: w.newsletter.clone(),
        now: at,
        commit: "c0ffee".into(),
        fingerprint: "f".into(),
        issues,
        withdrawn: Vec::new(),
        holds: Vec::new(),
        next_at: None,
    }
}

fn published(revision: Revision, news: bool) -> PublishedIssue {
    let mail = if news { Mail::News } else { Mail::Archive };
    PublishedIssue { revision, content_hash: "hash".into(), aliases: vec![], mail, changed: true }
}

async fn an_issue_reads_back_as_it_was_published(w: World) {
    assert_eq!(w.store.source_state(&w.newsletter).await.unwrap(), None);
    let one = revision(&w, "one", 1);
    w.store.publish(&publication(&w, now(), vec![published(one.clone(), false)])).await.unwrap();

    assert_eq!(w.store.newest_revisions(&w.newsletter, 10).await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(w.store.issue_by_slug(&w.newsletter, "one").await.unwrap(), Some((one.clone(), true)));
    assert_eq!(w.store.issue_by_slug(&w.newsletter, "two").await.unwrap(), None);
    let known = &w.store.known_issues(&w.newsletter).await.unwrap()[0];
    assert_eq!((known.path.as_str(), known.blob.as_str(), known.number), ("one.md", "b10b", 1));
    assert_eq!((known.content_hash.as_str(), known.published), ("hash", true));
    let head = &w.store.archive(&w.newsletter).await.unwrap()[0];
    assert_eq!((&head.title, head.date, head.news_at), (&one.title, one.date, None));
    assert!(w.store.shows_asset(&w.newsletter, "img/one.png").await.unwrap());
    assert!(!w.store.shows_asset(&w.newsletter, "one.md").await.unwrap());
}

async fn the_first_reading_is_the_baseline_and_only_what_readers_see_moves_the_change(w: World) {
    let start = now();
    let at = |hours| start + Duration::hours(hours);
    let one = revision(&w, "one", 1);
    w.store.publish(&publication(&w, at(0), vec![published(one.clone(), false)])).await.unwrap();
    let times = async || {
        let state = w.store.source_state(&w.newsletter).await.unwrap().unwrap();
        [state.baseline_at, state.read_at, state.changed_at].map(|time| (time - start).num_hours())
    };
    assert_eq!(times().await, [0, 0, 0]);
    w.store.publish(&publication(&w, at(1), vec![published(one.clone(), false)])).await.unwrap();
    assert_eq!(times().await, [0, 1, 0], "the same again");
    let moved = Revision { path: "moved.md".into(), commit: "d".into(), blob: "d".into(), ..one.clone() };
    w.store.publish(&publication(&w, at(2), vec![published(moved, false)])).await.unwrap();
    assert_eq!(times().await, [0, 2, 0], "a file that moved");
    let retitled = Revision { title: "Another".into(), number: 2, ..one.clone() };
    w.store.publish(&publication(&w, at(3), vec![published(retitled, false)])).await.unwrap();
    assert_eq!(times().await, [0, 3, 3], "a new title");
    let gone = Publication { withdrawn: vec![one.issue.clone()], ..publication(&w, at(4), vec![]) };
    w.store.publish(&gone).await.unwrap();
    assert_eq!(times().await, [0, 4, 4], "an issue that went");
    w.store.publish(&Publication { now: at(5), ..gone }).await.unwrap();
    assert_eq!(times().await, [0, 5, 4], "an issue that was gone already");
}

async fn a_withdrawn_issue_leaves_the_feeds_and_keeps_its_identity(w: World) {
    let (start, one) = (now(), revision(&w, "one", 1));
    w.store.publish(&publication(&w, start, vec![published(one.clone(), true)])).await.unwrap();
    let gone = Publication { withdrawn: vec![one.issue.clone()], ..publication(&w, start, vec![]) };
    w.store.publish(&gone).await.unwrap();
    assert!(w.store.newest_revisions(&w.newsletter, 10).await.unwrap().is_empty());
    assert!(w.store.archive(&w.newsletter).await.unwrap().is_empty());
    assert!(!w.store.shows_asset(&w.newsletter, "img/one.png").await.unwrap());
    assert!(!w.store.known_issues(&w.newsletter).await.unwrap()[0].published);
    assert!(!w.store.issue_by_slug(&w.newsletter, "one").await.unwrap().unwrap().1);
    // Another issue may have taken the slug meanwhile: the published one answers.
    let heir = Revision { issue: IssueId::parse("heir").unwrap(), ..one.clone() };
    w.store.publish(&publication(&w, start - Duration::days(1), vec![published(heir, true)])).await.unwrap();
    assert_eq!(w.store.issue_by_slug(&w.newsletter, "one").await.unwrap().unwrap().0.issue.as_str(), "heir");
    // It comes back as archive of the first reading would; its news time stays.
    w.store.publish(&publication(&w, start + Duration::days(1), vec![published(one.clone(), false)])).await.unwrap();
    let archive = w.store.archive(&w.newsletter).await.unwrap();
    let back = archive.iter().find(|head| head.issue == one.issue).unwrap();
    assert_eq!(back.news_at, Some(start));
}

async fn a_rewritten_revision_replaces_and_a_new_one_is_added(w: World) {
    let one = revision(&w, "one", 1);
    let again = Revision {
        content: Content { web: "<p>better</p>".into(), assets: vec![], ..one.content.clone() },
        ..one.clone()
    };
    let second = Revision { number: 2, title: "Second".into(), ..one.clone() };
    w.store.publish(&publication(&w, now(), vec![published(one, true)])).await.unwrap();
    w.store.publish(&publication(&w, now(), vec![published(again.clone(), true)])).await.unwrap();
    assert_eq!(w.store.newest_revisions(&w.newsletter, 10).await.unwrap(), [again]);
    assert!(!w.store.shows_asset(&w.newsletter, "img/one.png").await.unwrap(), "no longer shown");
    w.store.publish(&publication(&w, now(), vec![published(second.clone(), true)])).await.unwrap();
    assert_eq!(w.store.newest_revisions(&w.newsletter, 10).await.unwrap(), [second]);
    assert_eq!(w.count("SELECT COUNT(*) FROM revision").await, 2, "the first one stays");
}

async fn feeds_and_archive_come_newest_date_first(w: World) {
    let issues = [("b", 2), ("c", 3), ("a", 1)].map(|(name, day)| published(revision(&w, name, day), false));
    w.store.publish(&publication(&w, now(), issues.into())).await.unwrap();
    let feed: Vec<_> = w.store.newest_revisions(&w.newsletter, 2).await.unwrap();
    assert_eq!(feed.iter().map(|r| r.issue.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    let archive: Vec<_> = w.store.archive(&w.newsletter).await.unwrap();
    assert_eq!(archive.iter().map(|r| r.issue.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
}

async fn tags_and_authors_are_facets_of_published_issues(w: World) {
    let tagged = |issue: &str, day, tags: &[&str], authors: &[&str]| {
        let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        published(Revision { tags: words(tags), authors: words(authors), ..revision(&w, issue, day) }, false)
    };
    let (one, two) = (tagged("one", 1, &["rust", "周刊"], &["Ada"]), tagged("two", 2, &["Rust", "RUST "], &["Zoë"]));
    w.store.publish(&publication(&w, now(), vec![one.clone(), two])).await.unwrap();
    let facets = async || {
        let facets = w.store.facets(&w.newsletter).await.unwrap();
        facets.into_iter().map(|f| (f.facet.id.to_string(), f.facet.name, f.issues)).collect::<Vec<_>>()
    };
    let facet = |path: &str, name: &str, issues| (path.to_owned(), name.to_owned(), issues);
    let chinese = Facet::new(FacetKind::Tag, "周刊").unwrap().id;
    let expected = [
        facet(&chinese.to_string(), "周刊", 1),
        facet("tags/rust", "Rust", 2),
        facet("authors/ada", "Ada", 1),
        facet("authors/zoe", "Zoë", 1),
    ];
    let mut found = facets().await;
    found[..2].sort_by_key(|(path, ..)| path != &chinese.to_string()); // where a hash sorts is no matter
    assert_eq!(found, expected);

    let rust = FacetId::parse(FacetKind::Tag, "rust").unwrap();
    let heads = async |facet: &FacetId| {
        let heads = w.store.facet_archive(&w.newsletter, facet).await.unwrap();
        let lines = w.store.feed_lines(&w.newsletter, Some(facet)).await.unwrap();
        let heads: Vec<_> = heads.into_iter().map(|head| head.issue.to_string()).collect();
        assert_eq!(lines.iter().rev().map(|line| line.issue.to_string()).collect::<Vec<_>>(), heads);
        heads
    };
    assert_eq!(heads(&rust).await, ["two", "one"]);
    let author = FacetId { kind: FacetKind::Author, ..rust.clone() };
    assert_eq!(heads(&author).await, [""; 0]);

    // An edit moves an issue from one tag to another, and who withdraws it takes it out of all.
    let edited = tagged("one", 3, &["go"], &["Ada"]);
    w.store.publish(&publication(&w, now(), vec![edited.clone()])).await.unwrap();
    assert_eq!(heads(&rust).await, ["two"]);
    assert_eq!(w.store.facet(&w.newsletter, &chinese).await.unwrap(), None);
    let gone = Publication { withdrawn: vec![one.revision.issue], ..publication(&w, now(), vec![]) };
    w.store.publish(&gone).await.unwrap();
    assert_eq!(facets().await, [facet("tags/rust", "Rust", 1), facet("authors/zoe", "Zoë", 1)]);
}

async fn a_feed_is_planned_from_its_lines_and_reads_the_issues_it_needs(w: World) {
    let issues = ["b", "c", "a"].map(|name| revision(&w, name, 1)); // one instant: ids decide
    let all: Vec<_> = issues.iter().map(|revision| published(revision.clone(), false)).collect();
    w.store.publish(&publication(&w, now(), all)).await.unwrap();
    let lines = w.store.feed_lines(&w.newsletter, None).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.issue.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((&lines[1].hash, lines[1].size), (&issues[0].feed_hash(), issues[0].feed_size()));
    let ids = |names: &[&str]| names.iter().map(|name| IssueId::parse(name).unwrap()).collect::<Vec<_>>();
    let read = async |names: &[&str]| {
        let read = w.store.revisions(&w.newsletter, &ids(names)).await.unwrap();
        read.into_iter().map(|revision| revision.issue.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(read(&["a", "c", "b"]).await, ["c", "b", "a"]);
    assert_eq!(read(&["a", "nobody"]).await, ["a"]);
    assert_eq!(read(&[]).await, [""; 0]);
}

async fn a_part_that_goes_ahead_is_seen_like_any_change_and_of_a_first_reading_not_before_its_end(w: World) {
    let one = revision(&w, "one", 1);
    w.store.publish_part(&w.newsletter, &[published(one.clone(), false)], now()).await.unwrap();
    assert_eq!(w.store.source_state(&w.newsletter).await.unwrap(), None, "nobody has read a baseline yet");
    w.store.publish(&publication(&w, now(), vec![published(revision(&w, "two", 2), false)])).await.unwrap();
    assert_eq!(w.store.newest_revisions(&w.newsletter, 10).await.unwrap().len(), 2);
    let changed = async || w.store.source_state(&w.newsletter).await.unwrap().unwrap().changed_at;
    let before = changed().await;
    let later = now() + Duration::hours(1);
    w.store.publish_part(&w.newsletter, &[published(one.clone(), false)], later).await.unwrap();
    assert_eq!(changed().await, before, "it is what it was");
    let edited = Revision { title: "Edited".into(), number: 2, ..one };
    w.store.publish_part(&w.newsletter, &[published(edited, false)], later).await.unwrap();
    assert_eq!(changed().await, later, "feeds follow, also when nothing else comes of the reading");
}

async fn holds_are_replaced_by_each_reading(w: World) {
    let finding = |path: &str, rule| Finding {
        rule,
        place: Place { path: path.into(), line: Some(3), column: None },
        message: "there is no date".into(),
        remedy: "Write one.".into(),
    };
    let (one, two) = (finding("z.md", Rule::NoDate), finding("a.md", Rule::Duplicate));
    let first = Publication { holds: vec![one.clone(), two.clone()], ..publication(&w, now(), vec![]) };
    w.store.publish(&first).await.unwrap();
    assert_eq!(w.store.holds(&w.newsletter).await.unwrap(), [two, one.clone()]);
    w.store.publish(&Publication { holds: vec![one.clone()], ..first }).await.unwrap();
    assert_eq!(w.store.holds(&w.newsletter).await.unwrap(), [one]);
}

async fn news_stays_a_candidate_until_a_mailing_holds_it(w: World) {
    let (start, later) = (now(), now() + Duration::hours(1));
    let (old, new) = (revision(&w, "old", 1), revision(&w, "new", 2));
    let both = vec![published(old, false), published(new.clone(), true)];
    w.store.publish(&publication(&w, start, both)).await.unwrap();
    let names = async |cadence| {
        let candidates = w.store.candidates(&w.newsletter, cadence).await.unwrap();
        candidates.into_iter().map(|c| (c.revision.issue.to_string(), c.news_at, c.seen_at)).collect::<Vec<_>>()
    };
    assert_eq!(names(&w.weekly).await, [("new".to_owned(), Some(start), start)], "the archive is no news");

    let settled = PublishedIssue { changed: false, ..published(Revision { path: "x".into(), ..new.clone() }, true) };
    w.store.publish(&publication(&w, later, vec![settled])).await.unwrap();
    assert_eq!(names(&w.weekly).await[0].2, start, "a file that moved does not start the settle time again");
    let edited = published(Revision { number: 2, ..new.clone() }, true);
    w.store.publish(&publication(&w, later, vec![edited])).await.unwrap();
    assert_eq!(names(&w.weekly).await, [("new".to_owned(), Some(start), later)], "an edit does");

    let mut draft = w.draft(&w.weekly).await;
    draft.issues = vec![(new.issue.clone(), 2)];
    assert!(w.store.open_mailing(&draft).await.unwrap());
    assert!(names(&w.weekly).await.is_empty());
    assert_eq!(names(&w.monthly).await.len(), 1, "another cadence has not had it");
}

async fn a_failed_look_is_noted_and_a_good_one_clears_it(w: World) {
    let start = now();
    w.store.note_look(&w.newsletter, start, Err("no such directory")).await.unwrap();
    assert_eq!(w.store.source_state(&w.newsletter).await.unwrap(), None, "nothing was read yet");
    w.store.publish(&publication(&w, start, vec![])).await.unwrap();
    w.store.note_look(&w.newsletter, start + Duration::hours(1), Err("no such directory")).await.unwrap();
    let state = w.store.source_state(&w.newsletter).await.unwrap().unwrap();
    assert_eq!((state.error.as_deref(), state.read_at), (Some("no such directory"), start));
    w.store.note_look(&w.newsletter, start + Duration::hours(2), Ok(None)).await.unwrap();
    let state = w.store.source_state(&w.newsletter).await.unwrap().unwrap();
    assert_eq!((state.error, state.read_at), (None, start + Duration::hours(2)));
    let next_at = Some(start + Duration::days(1));
    w.store.note_look(&w.newsletter, start, Err("no such directory")).await.unwrap();
    let looked = Publication { next_at, ..publication(&w, start + Duration::hours(3), vec![]) };
    w.store.publish(&looked).await.unwrap();
    let state = w.store.source_state(&w.newsletter).await.unwrap().unwrap();
    assert_eq!((state.error, state.read_at, state.next_at), (None, start + Duration::hours(3), next_at));
}
