//! Rendering one issue of 40 KB: everything (three sanitised HTML forms, the text part, the summary), against what pulldown-cmark
//! alone takes to write the same Markdown as one unsanitised HTML.

#![allow(missing_docs, clippy::unwrap_used)] // a benchmark

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidings::issue::{DateSource, Document, Issue, Languages, Reading, parse};
use tidings::renderer::{Documents, Labels, Links, render};
use url::Url;

const SECTION: &str = "\n## Releases\n\nThis month our team made *two* releases:\n\n\
- [3.0.10](https://example.org/releases/3.0.10)\n  - bug fixes\n  - `Chunk Encoder` is faster, see [#6341][pr]\n\n\
| Writers | Entries/s |\n| ---: | ---: |\n| 1 | 6,200 |\n| 16 | 61,300 |\n\n\
```rust\nfn main() { println!(\"hello\"); }\n```\n\n![A chart](images/chart.png)\n\n> A quote with a [link](#releases).\n\n\
[pr]: https://example.org/pull/6341\n";

fn issue() -> Issue {
    let header = "---\ntitle: A long issue\ndate: 2020-03-12\n---\n";
    let document = Document {
        path: "2020/03.md".into(),
        bytes: format!("{header}{}", SECTION.repeat(40 * 1024 / SECTION.len())).into_bytes(),
        blob: "0".repeat(40),
        changed_at: chrono::DateTime::UNIX_EPOCH,
        added_at: None,
    };
    let reading = Reading {
        timezone: chrono_tz::UTC,
        date_keys: vec!["date".into()],
        date_sources: vec![DateSource::FrontMatter],
        only: BTreeMap::new(),
        languages: Languages::default(),
    };
    parse(&document, &reading).unwrap().unwrap()
}

fn bench(c: &mut Criterion) {
    let issue = issue();
    let base = Url::parse("https://news.example.org/weekly/").unwrap();
    let links = Links {
        path: "2020/03.md".into(),
        issue: base.join("issues/03").unwrap(),
        files: base.join("files/").ok(),
        documents: Arc::new(Documents::from(HashMap::new())),
        labels: Labels::default(),
    };
    let mut group = c.benchmark_group("render");
    group.throughput(Throughput::Bytes(issue.body.len() as u64));
    group.bench_function("one issue of 40 KB, all forms", |b| b.iter(|| render(black_box(&issue), &links)));
    group.bench_function("reference: pulldown-cmark alone", |b| {
        b.iter(|| {
            let mut html = String::new();
            let events = pulldown_cmark::Parser::new_ext(black_box(&issue.body), pulldown_cmark::Options::all());
            pulldown_cmark::html::push_html(&mut html, events);
            html
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
