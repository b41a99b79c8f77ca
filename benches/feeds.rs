//! Building each feed of 20 entries of 40 KB, against copying the same bytes and against escaping the same text as one JSON string.
//!
//! The references run in the same process, so their ratio to ours holds on any machine. `memcpy` is the floor: no writer can be
//! faster. The JSON string is what escaping alone costs.

#![allow(clippy::expect_used)] // what cannot be prepared cannot be measured

use std::hint::black_box;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidings::feed::{About, Chain, Entry, Feed, Format};
use tidings::issue::{Content, Revision};
use tidings::types::{IssueId, NewsletterId, Slug};

const ENTRIES: usize = 20;
const ENTRY_BYTES: usize = 40 * 1024;

/// A line of an issue: tags, an entity, a link and a word outside ASCII, as issues have them.
const LINE: &str = "<li><a href=\"https://example.org/pull/1234?a=1&amp;b=2\">#1234</a> Fix a \"race\" in the scheduler &lt;core&gt; (Zoë)</li>\n";

fn revisions() -> Vec<Revision> {
    let html = LINE.repeat(ENTRY_BYTES / LINE.len());
    let start: DateTime<Utc> = DateTime::from_timestamp(1_580_000_000, 0).unwrap_or_default();
    (0..ENTRIES)
        .map(|number| {
            let date = start + chrono::Duration::days(number as i64);
            let path = format!("2020/{number}.md");
            Revision {
                newsletter: newsletter(),
                issue: IssueId::parse(&path).expect("a path is an id"),
                number: 1,
                slug: Slug::parse(&format!("issue-{number}")).expect("a slug"),
                path,
                commit: String::new(),
                blob: String::new(),
                title: format!("Issue {number} & what is <new>"),
                authors: vec!["Ada".into(), "Grace".into()],
                tags: vec!["release".into()],
                language: None,
                image: None,
                date: date.fixed_offset(),
                updated: date,
                url: format!("https://example.org/tidings/issues/issue-{number}"),
                content: Content { feed: html.clone(), summary: "What is new".into(), ..Content::default() },
            }
        })
        .collect()
}

fn newsletter() -> NewsletterId {
    NewsletterId::parse("tidings").expect("a name")
}

fn feeds(c: &mut Criterion) {
    let about = About {
        newsletter: newsletter(),
        facet: None,
        title: "Tidings".into(),
        description: "News".into(),
        language: "en".into(),
        home: "https://example.org/tidings/".into(),
        icon: "https://example.org/icon.png".into(),
        logo: None,
        hubs: vec![],
        stylesheet: "/feed.css".into(),
        since: DateTime::default(),
    };
    let revisions = revisions();
    let assemble = || {
        let entries = black_box(&revisions).iter().map(|revision| Arc::new(Entry::of(revision, &about))).collect();
        Feed::assemble(black_box(&about), &about.home, Chain::default(), entries)
    };
    let feed = assemble();
    let html: String = revisions.iter().map(|revision| revision.content.feed.as_str()).collect();
    let mut group = c.benchmark_group("feed");

    group.throughput(Throughput::Bytes(html.len() as u64));
    group.bench_function("reference/json string", |b| b.iter(|| serde_json::to_vec(black_box(&html))));
    group.bench_function("assemble", |b| b.iter(assemble));
    for format in Format::ALL {
        let name = format.title();
        group.bench_function(BenchmarkId::new("write", name), |b| b.iter(|| black_box(&feed).write(format)));
        let written = feed.write(format);
        group.bench_function(BenchmarkId::new("reference/memcpy", name), |b| b.iter(|| black_box(&written).clone()));
    }
    group.finish();
}

criterion_group!(benches, feeds);
criterion_main!(benches);
