//! The whole site of 1,000 issues of 5 KB as files: `tidings render`, in turn with `hugo` on the same Markdown with templates that
//! make the same kinds of pages (issues, years' list, tags, RSS, Atom and JSON feeds, sitemap; code in colours by classes).
//!
//! `cargo bench --bench site -- [ISSUES [ROUNDS]]`. Each round starts from an empty output directory, as in a CI job.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints and takes the time

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SECTION: &str = "\n## Releases\n\nThis month our team made *two* releases, and fixed what people told us of:\n\n\
- [3.0.10](https://example.org/releases/3.0.10)\n  - bug fixes, and support for `Chunk` encoding\n  - `Encoder` is faster, see [#6341](https://example.org/pull/6341)\n\n\
| Writers | Entries/s |\n| ---: | ---: |\n| 1 | 6,200 |\n| 16 | 61,300 |\n\n\
```rust\nfn main() {\n    let name = \"world\"; // who\n    println!(\"hello {name}\");\n}\n```\n\n> A quote with a [link](https://example.org/).\n";

/// Hugo's templates, as short as ours allow: the same content, feeds and lists.
const HUGO: &[(&str, &str)] = &[
    (
        "config.toml",
        "baseURL = \"http://127.0.0.1:8080/\"\ntitle = \"The Weekly\"\npaginate = 20\n[taxonomies]\ntag = \"tags\"\nauthor = \"authors\"\n\
         [markup.highlight]\nnoClasses = false\n[outputs]\nhome = [\"HTML\", \"RSS\", \"JSON\"]\ntaxonomy = [\"HTML\"]\nterm = [\"HTML\", \"RSS\", \"JSON\"]\n[services.rss]\nlimit = 20\n",
    ),
    (
        "layouts/_default/baseof.html",
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{{ .Title }}</title><link rel=\"canonical\" href=\"{{ .Permalink }}\">\
         <meta property=\"og:title\" content=\"{{ .Title }}\"><meta name=\"description\" content=\"{{ .Summary | plainify }}\"></head><body><main>{{ block \"main\" . }}{{ end }}</main></body></html>",
    ),
    (
        "layouts/_default/single.html",
        "{{ define \"main\" }}<h1>{{ .Title }}</h1><time>{{ .Date.Format \"2006-01-02\" }}</time>{{ range .GetTerms \"tags\" }}<a href=\"{{ .Permalink }}\">{{ .Title }}</a>{{ end }}{{ .TableOfContents }}{{ .Content }}\
         {{ with .PrevInSection }}<a href=\"{{ .Permalink }}\">{{ .Title }}</a>{{ end }}{{ with .NextInSection }}<a href=\"{{ .Permalink }}\">{{ .Title }}</a>{{ end }}{{ end }}",
    ),
    (
        "layouts/_default/list.html",
        "{{ define \"main\" }}<h1>{{ .Title }}</h1>{{ range first 400 .Pages }}<li><a href=\"{{ .Permalink }}\">{{ .Title }}</a> {{ .Date.Format \"2006-01-02\" }}</li>{{ end }}{{ end }}",
    ),
    (
        "layouts/index.html",
        "{{ define \"main\" }}<h1>{{ .Title }}</h1>{{ range first 20 site.RegularPages }}<li><a href=\"{{ .Permalink }}\">{{ .Title }}</a><p>{{ .Summary | plainify }}</p></li>{{ end }}{{ end }}",
    ),
    (
        "layouts/_default/list.json",
        "{ \"items\": [{{ range $i, $p := first 20 .Pages }}{{ if $i }},{{ end }}{ \"title\": {{ $p.Title | jsonify }}, \"content_html\": {{ $p.Content | jsonify }} }{{ end }}] }",
    ),
];

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (issues, rounds) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(5));
    if Command::new("hugo").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("site: hugo is not installed; nothing was measured");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    write(root.path(), issues);
    println!(
        "{issues} issues of {} KB, {rounds} rounds",
        fs::metadata(root.path().join("content/issues/issue-1.md")).unwrap().len() / 1024
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        ours.push(timed(
            root.path(),
            "site-tidings",
            Command::new(env!("CARGO_BIN_EXE_tidings")).args(["--config", "tidings.toml", "render", "site-tidings"]),
        ));
        theirs.push(timed(
            root.path(),
            "site-hugo",
            Command::new("hugo").args(["--quiet", "--destination", "site-hugo"]),
        ));
        println!("round {round}: tidings {:?}, hugo {:?}", ours[round - 1], theirs[round - 1]);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "median: tidings {ours:?}, hugo {theirs:?}; hugo takes {:.2} of our time",
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

/// The same files for both: `content/issues` is the source of the one and the section of the other.
fn write(root: &Path, issues: usize) {
    let content = root.join("content/issues");
    fs::create_dir_all(&content).unwrap();
    for number in 1..=issues {
        let (year, month, day) = (2000 + number / 48, number % 12 + 1, number % 28 + 1);
        let head = format!(
            "---\ntitle: \"Issue {number}\"\ndate: {year}-{month:02}-{day:02}\nauthors: [\"Ada\"]\ntags: [\"Release\", \"Topic {}\"]\n---\n",
            number % 20
        );
        fs::write(content.join(format!("issue-{number}.md")), head + &SECTION.repeat(5 * 1024 / SECTION.len() + 1))
            .unwrap();
    }
    for (name, text) in HUGO {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let config = "[newsletters.weekly]\ntitle = \"The Weekly\"\nfrom = \"w@news.example\"\n[newsletters.weekly.source]\ndirectory = \"content/issues\"\n\
         [newsletters.weekly.cadences.each]\ntitle = \"Each\"\ncron = \"* * * * *\"\n";
    fs::write(root.join("tidings.toml"), config).unwrap();
}

fn timed(root: &Path, output: &str, command: &mut Command) -> Duration {
    let _ = fs::remove_dir_all(root.join(output));
    let start = Instant::now();
    let status = command.current_dir(root).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
    let wall = start.elapsed();
    assert!(root.join(output).is_dir(), "{command:?} wrote nothing");
    wall
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
