//! The mails as other people's programs find them: what mail programs lack, what a filter dislikes, what strict parsers say, and two
//! of our own examples byte for byte.
#![allow(clippy::disallowed_methods)] // asks the environment how strict to be

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{Backend, TestApp, there, tidings};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A mail as it left, with a name for messages.
struct Sent {
    kind: &'static str,
    bytes: Vec<u8>,
    html: String,
}

const RICH: &str = r#"Spring is here[^1], and with it **3.0** of the engine. `code`, <kbd>Ctrl</kbd>+<kbd>C</kbd>, ~~gone~~, H<sub>2</sub>O, and a [link](https://example.org/a?b=c&d=e) that says where it goes.

# Releases

- [3.0.0](https://example.org/3.0.0)
  - bug fixes
  - a very long word: https://example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

1. first
2. second

### Numbers

| Query | Before | After | A column that makes it wide | And another one | a_very_long_name_without_a_space |
| :---- | -----: | ----: | --------------------------- | :-------------: | --- |
| point |  12 ms |  9 ms | with words in it            | 数据库引擎       | another_very_long_name_without_a_space |

> A quote.
>
> > And one in it.

```rust
fn main() { println!("a line of code that is longer than a phone is wide, and longer than the column of a mail as well"); }
```

![A chart](chart.png) ![A drawing](drawing.svg) <img src="photo.webp" width="1200" height="600">

---

مرحبا بالعالم 🎉 שלום

[^1]: And see [the releases](#releases).
"#;

fn long() -> String {
    let section = |number: usize| {
        format!(
            "## Section {number}\n\nSome words about number {number}, with [a link](https://example.org/{number}).\n\n- one\n- two\n\n"
        )
    };
    (1..=200).map(section).collect()
}

/// One mail of every kind, through the public doors.
async fn every_kind() -> Vec<Sent> {
    let extra = "[defaults]\npostal_address = \"The Editors, 1 Shore Road, Whimbrel\"\nhtml_limit = 30000\n";
    let mut app = TestApp::start_with(Backend::Sqlite, extra).await.unwrap();
    app.watch().await.unwrap();
    app.schedule().await;
    app.subscribe("ada@reader.example").await;
    let mut kinds = vec!["confirmation"];
    app.advance(Duration::from_secs(3600));
    for (kind, issues) in [
        ("digest of one", vec![("a.md", "Whimbrel in March: 发布 & <more>", RICH.to_owned())]),
        (
            "digest of several",
            vec![
                ("b.md", "February", RICH.to_owned()),
                ("c.md", "March", RICH.to_owned()),
                ("d.md", "April", "Short, and to the point.".to_owned()),
            ],
        ),
        ("cut digest", vec![("e.md", "Everything", long())]),
    ] {
        for (name, title, body) in issues {
            app.write_issue(name, &format!("{title:?}"), "2026-03-02", &body);
        }
        app.watch().await.unwrap();
        app.schedule().await;
        app.send().await;
        app.advance(WEEK);
        kinds.push(kind);
    }
    app.write_issue("d.md", "April", "2026-03-02", "Short, and to the right point.");
    app.watch().await.unwrap();
    let done =
        tidings(app.directory.path()).args(["--config", "tidings.toml", "mail", "d", "--correction"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    app.send().await;
    kinds.push("correction");
    let mails = app.outbox();
    assert_eq!(mails.len(), kinds.len());
    let sent = kinds.into_iter().zip(mails);
    sent.map(|(kind, mail)| Sent { kind, bytes: mail.source.clone().into_bytes(), html: mail.html }).collect()
}

/// Whether a program is there; where every test is asked for, it must be.
fn installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    there(found, program)
}

/// Features that some program lacks, each with what its readers get instead. Whatever is not here must work everywhere.
const FALLBACKS: &[(&str, &str)] = &[
    ("@media", "the letter as it is on a wide screen, whose column is never wider than the window"),
    ("color-scheme CSS property", "the light letter, or the program's own inversion, which its colours survive"),
    ("color-scheme meta tag", "the same"),
    ("<style> element", "nothing that matters is in it: styles are in the elements"),
    ("display:none", "the line for the list of mails shows above the letter"),
    ("max-height property", "display:none hides that line already"),
    ("overflow", "a wide table is as wide as it must be, or its cells wrap"),
    ("border-radius", "square corners"),
    ("system-ui, ui-serif, ui-sans-serif, ui-rounded, ui-monospace", "the next font of the list"),
    ("role attribute", "a screen reader announces the tables"),
    ("word-break", "a long word is broken where the program breaks it"),
    ("<body> element", "the background is that of the table in it as well"),
    ("height property", "the height of the image itself"),
    ("white-space", "code keeps its lines in pre, and Word wraps them"),
    ("table-layout", "the column is 600 px wide by its ghost table, and a wide table may widen it"),
    ("Local anchors", "read on the web, beside each title; a note stands at the end of its issue"),
    ("Class selector", "where no style sheet is read, styles are in the elements"),
    ("Type selector", "the same; a mail that is too long for that is plain and readable"),
    ("Descendant combinator", "the same"),
    ("webP image format", "its text, as a link to the picture"),
];

#[tokio::test(flavor = "multi_thread")]
async fn mail_programs_lack_nothing_without_a_fallback() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node_modules");
    if !installed("node") || !there(modules.join("caniemail").exists(), "caniemail in target/node_modules") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = every_kind()
        .await
        .iter()
        .map(|mail| {
            let file = scratch.path().join(format!("{}.html", mail.kind));
            std::fs::write(&file, &mail.html).unwrap();
            file
        })
        .collect();
    let output = Command::new("node").arg("tests/support/caniemail.mjs").arg(&modules).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lacking = BTreeMap::new();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), files.len());
    for line in lines.lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        for (feature, clients) in report["missing"].as_object().unwrap() {
            lacking.insert(feature.clone(), format!("{clients} in {}", report["file"]));
        }
    }
    assert!(lacking.contains_key("border-radius"), "the data is not what it was: {lacking:#?}");
    lacking.retain(|feature, _| !FALLBACKS.iter().any(|(known, _)| known == feature));
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// Rules that speak of where a mail comes from, of our test addresses, or of a network that the test has not.
const NOT_ABOUT_THE_MAIL: &[&str] = &[
    "NO_RELAYS",
    "NO_RECEIVED",
    "ALL_TRUSTED",
    "UNPARSEABLE_RELAY",
    "URIBL_BLOCKED",
    "NUMERIC_HTTP_ADDR",
    "NORMAL_HTTP_TO_IP",
    "WEIRD_PORT",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_finds_nothing_wrong_with_any_mail() {
    if !installed("spamassassin") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for mail in every_kind().await {
        let file = scratch.path().join("mail.eml");
        std::fs::write(&file, &mail.bytes).unwrap();
        let output = Command::new("spamassassin")
            .args([
                "-L",
                "-t",
                "--prefspath=/dev/null",
                "--cf=use_bayes 0",
                "--cf=add_header all Tests _TESTSSCORES(,)_",
            ])
            .env("HOME", scratch.path())
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        // The header may be folded.
        let tests = report.split("X-Spam-Tests:").nth(1).unwrap_or_else(|| panic!("{report}"));
        let end = tests.match_indices('\n').find(|(at, _)| !tests[at + 1..].starts_with(['\t', ' '])).unwrap().0;
        let hits: Vec<&str> = tests[..end].split(',').map(str::trim).filter(|hit| !hit.is_empty()).collect();
        // A thousandth is how the filter marks rules that count for nothing.
        let bad: Vec<_> = hits
            .iter()
            .filter(|hit| {
                let (name, score) = hit.split_once('=').unwrap_or((hit, "0"));
                score.parse::<f32>().unwrap_or_default() > 0.001 && !NOT_ABOUT_THE_MAIL.contains(&name)
            })
            .collect();
        assert!(bad.is_empty(), "{}: {bad:?} of {hits:?}", mail.kind);
    }
}

const STRICT: &str = r#"
import sys
from email import policy
from email.parser import BytesParser
data = open(sys.argv[1], "rb").read()
assert b"\0" not in data and data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"), "bare CR, LF or NUL"
assert max(map(len, data.split(b"\r\n"))) <= 998, "a line is too long"
mail = BytesParser(policy=policy.default.clone(raise_on_defect=True)).parsebytes(data)
def walk(part):
    assert not part.defects, part.defects
    for name, value in part.items():
        assert not getattr(value, "defects", ()), (name, value.defects)
    for sub in part.iter_parts() if part.is_multipart() else ():
        walk(sub)
walk(mail)
text, html = mail.get_body(("plain",)), mail.get_body(("html",))
assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
assert text["content-type"].params["format"] == "flowed" and text["content-type"].params["delsp"] == "yes"
assert text.get_content().strip() and html.get_content().rstrip().endswith("</html>")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_parser_reads_every_mail() {
    if !installed("python3") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for mail in every_kind().await {
        let file = scratch.path().join("mail.eml");
        std::fs::write(&file, &mail.bytes).unwrap();
        let output = Command::new("python3").args(["-c", STRICT]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}: {}", mail.kind, String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_every_mail_within_its_window() {
    if !installed("chromium") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    // Four windows in one page, which says how wide what is in each of them came out.
    let measure = "<script>addEventListener('load',()=>{document.title=[...document.querySelectorAll('iframe')].map(f=>{const e=f.contentDocument.documentElement;return f.width+':'+e.scrollWidth+':'+e.scrollHeight}).join(' ')})</script>";
    for mail in every_kind().await {
        let source = mail.html.replace('&', "&amp;").replace('"', "&quot;");
        let frames: String = [360, 600, 1200]
            .iter()
            .map(|width| format!("<iframe width={width} height=400 srcdoc=\"{source}\"></iframe>"))
            .collect();
        let page = scratch.path().join("page.html");
        std::fs::write(&page, format!("<!doctype html><title></title>{frames}{measure}")).unwrap();
        let output = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--dump-dom",
                "--virtual-time-budget=5000",
            ])
            .arg(format!("--user-data-dir={}", scratch.path().join("profile").display()))
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
        let sizes: Vec<Vec<u32>> =
            title.split(' ').map(|frame| frame.split(':').filter_map(|n| n.parse().ok()).collect()).collect();
        assert_eq!(sizes.len(), 3, "{}: {title:?} {}", mail.kind, String::from_utf8_lossy(&output.stderr));
        for size in sizes {
            let [window, width, height] = size[..] else { panic!("{}: {title}", mail.kind) };
            assert!(width <= window && height > 200, "{}: {width} x {height} in a window of {window}", mail.kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_examples_look_as_they_always_did() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (golden, include) in [("first-flight", "*-first-flight.md"), ("migration", "*-migration.md")] {
        let out = scratch.path().join(golden);
        let output = tidings(root)
            .env("TIDINGS_DEFAULTS__INCLUDE", include)
            .env("TIDINGS_DATA__DIRECTORY", scratch.path())
            .env("TIDINGS_SERVER__URL", "https://news.example.org/")
            .args(["--config", "config/tidings.toml", "render"])
            .arg(&out)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for extension in ["html", "txt"] {
            let now = std::fs::read_to_string(out.join(format!("example/mail.{extension}"))).unwrap();
            let file = root.join(format!("tests/fixtures/mail/{golden}.{extension}"));
            // After a change that is meant: WRITE_GOLDEN=1, and look at what became of them.
            if std::env::var_os("WRITE_GOLDEN").is_some() {
                std::fs::write(&file, &now).unwrap();
            }
            assert_eq!(now, std::fs::read_to_string(&file).unwrap(), "{}", file.display());
        }
    }
}
