//! The histories of real repositories, commit by commit with virtual time: every issue is mailed at most once, nothing is mailed
//! for a bulk change, and feed ids never change.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Backend, TestApp, git, issue};

const HOUR: Duration = Duration::from_secs(3600);
const BODY: &str = "A body that is long enough to be an issue and no stub: it has releases, reading material, notable \
pull requests, new contributors, and a word of thanks.";

/// A repository, the install that reads it, and what its feed said so far.
struct Replay {
    source: TempDir,
    app: TestApp,
    /// Title of an entry, and its id, of everything that was ever in the feed.
    ids: BTreeMap<String, String>,
}

impl Replay {
    /// An install that has read a repository of `archive` old issues, with one subscriber, and mails every hour.
    async fn start(backend: Backend, archive: usize) -> Option<Self> {
        let source = TempDir::new().unwrap();
        git(source.path(), &["init", "--quiet"]);
        std::fs::create_dir(source.path().join("posts")).unwrap();
        for number in 0..archive {
            write(source.path(), &format!("posts/old-{number}.md"), &format!("Old {number}"), "2020-01-01");
        }
        commit(source.path(), "the archive");
        let extra = format!(
            "[newsletters.weekly]\ntitle = \"W\"\nfrom = \"w@news.example\"\nfeed_entries = 1000\nfeed_kilobytes = 65536\n\
             [newsletters.weekly.source]\ngit = {:?}\nfolder = \"posts\"\n\
             [newsletters.weekly.cadences.mondays]\ntitle = \"M\"\ncron = \"0 * * * *\"\n",
            source.path().display().to_string()
        );
        let mut app = TestApp::start_with(backend, &extra).await?;
        app.watch().await.unwrap();
        app.schedule().await;
        app.subscribe("ada@reader.example").await;
        let mut replay = Self { source, app, ids: BTreeMap::new() };
        replay.note_ids().await;
        assert_eq!(replay.ids.len(), archive);
        Some(replay)
    }

    fn root(&self) -> &Path {
        self.source.path()
    }

    fn write(&self, path: &str, title: &str, date: &str) {
        write(self.root(), path, title, date);
    }

    /// Commits everything, looks at it, and notes the ids in the feed.
    async fn push(&mut self, message: &str) {
        commit(self.root(), message);
        self.look().await;
    }

    async fn look(&mut self) {
        self.app.watch().await.unwrap();
        self.note_ids().await;
    }

    /// Whatever happens to an issue, its entry keeps its id.
    async fn note_ids(&mut self) {
        let feed = self.app.get("/weekly/atom.xml").await.body;
        for entry in feed_rs::parser::parse(feed.as_bytes()).unwrap().entries {
            let title = entry.title.unwrap().content;
            let id = self.ids.entry(title.clone()).or_insert_with(|| entry.id.clone());
            assert_eq!(*id, entry.id, "the id of {title:?} changed");
        }
    }

    async fn hours(&mut self, hours: u32) {
        for _ in 0..hours {
            self.app.advance(HOUR);
            self.app.watch().await.unwrap();
            self.app.schedule().await;
            self.app.send().await;
        }
    }

    /// Subjects of all digests so far.
    fn mailed(&self) -> Vec<String> {
        self.app.digests().into_iter().map(|mail| mail.subject).collect()
    }
}

fn write(root: &Path, path: &str, title: &str, date: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Titles differ, and bodies with them: equal bytes would make one file a copy of another.
    std::fs::write(path, issue(title, date, &format!("{BODY} This one is {title}."))).unwrap();
}

fn commit(root: &Path, message: &str) {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--allow-empty", "-m", message]);
}

async fn on_both(archive: usize, story: impl AsyncFn(Replay)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(replay) = Replay::start(backend, archive).await {
            story(replay).await;
        }
    }
}

const NOTHING: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_edit_of_250_files_mails_nothing() {
    on_both(250, async |mut replay| {
        for number in 0..250 {
            replay.write(&format!("posts/old-{number}.md"), &format!("Old {number}"), "2020-01-02");
        }
        replay.push("new dates everywhere").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), NOTHING);
        assert_eq!(replay.ids.len(), 250);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_add_its_revert_and_its_return_mail_nothing() {
    on_both(3, async |mut replay| {
        for number in 0..281 {
            replay.write(&format!("posts/import-{number}.md"), &format!("Import {number}"), "2026-03-01");
        }
        replay.push("import the old blog").await;
        replay.hours(2).await;
        assert_eq!(replay.ids.len(), 284);
        git(replay.root(), &["revert", "--no-edit", "HEAD"]);
        replay.look().await;
        replay.hours(2).await;
        git(replay.root(), &["revert", "--no-edit", "HEAD"]);
        replay.look().await;
        replay.hours(2).await;
        assert_eq!(replay.mailed(), NOTHING);
        assert_eq!(replay.ids.len(), 284, "back again, they are the same issues");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_65_files_to_a_subfolder_changes_nothing_for_readers() {
    on_both(65, async |mut replay| {
        std::fs::create_dir(replay.root().join("posts/2020")).unwrap();
        for number in 0..65 {
            git(replay.root(), &["mv", &format!("posts/old-{number}.md"), &format!("posts/2020/old-{number}.md")]);
        }
        replay.push("sort by year").await;
        replay.hours(3).await;
        assert_eq!((replay.mailed(), replay.ids.len()), (vec![], 65));
        assert_eq!(replay.app.get("/weekly/issues/old-7").await.status, 200, "its page is where it was");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_on_the_day_of_publication_mails_once() {
    on_both(3, async |mut replay| {
        replay.write("posts/2026-03-01-news.md", "News", "2026-03-02");
        replay.push("news").await;
        git(replay.root(), &["mv", "posts/2026-03-01-news.md", "posts/2026-03-02-news.md"]);
        replay.push("the right date in the name").await;
        replay.hours(3).await;
        git(replay.root(), &["mv", "posts/2026-03-02-news.md", "posts/news.md"]);
        replay.push("no date in the name after all").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_with_an_edit_in_the_same_commit_mails_once() {
    on_both(3, async |mut replay| {
        replay.write("posts/news.md", "News", "2026-03-02");
        replay.push("news").await;
        replay.hours(2).await;
        assert_eq!(replay.mailed(), ["News"]);
        git(replay.root(), &["mv", "posts/news.md", "posts/2026-03-02-news.md"]);
        let path = replay.root().join("posts/2026-03-02-news.md");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("a word of thanks", "two words of thanks")).unwrap();
        replay.push("a better name, and a typo").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
        assert_eq!(replay.ids.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_year_that_is_mended_nine_hours_later_mails_once_after_that() {
    on_both(3, async |mut replay| {
        replay.write("posts/2025-03-02-news.md", "News", "2025-03-02");
        replay.push("news, but of which year?").await;
        replay.hours(9).await;
        assert_eq!(replay.mailed(), NOTHING);
        replay.write("posts/2025-03-02-news.md", "News", "2026-03-02");
        git(replay.root(), &["mv", "posts/2025-03-02-news.md", "posts/2026-03-02-news.md"]);
        replay.push("the right year").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_to_the_drafts_is_withdrawn_and_mailed_once_when_it_is_out() {
    on_both(3, async |mut replay| {
        replay.write("posts/news.md", "News", "2026-03-02");
        replay.push("news").await;
        let path = replay.root().join("posts/news.md");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("---\n", "---\ndraft: true\n", 1)).unwrap();
        replay.push("not yet").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), NOTHING);
        assert_eq!(replay.app.get("/weekly/issues/news").await.status, 410);
        std::fs::write(&path, &text).unwrap();
        replay.push("now").await;
        replay.hours(3).await;
        std::fs::remove_file(&path).unwrap();
        replay.push("away").await;
        std::fs::write(&path, &text).unwrap();
        replay.push("and back").await;
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_header_that_is_mended_an_hour_later_mails_once() {
    on_both(3, async |mut replay| {
        let path = replay.root().join("posts/news.md");
        let good = issue("News", "2026-03-02", BODY);
        std::fs::write(&path, good.replace("title: News", "title: [News")).unwrap();
        replay.push("oops").await;
        replay.hours(1).await;
        assert_eq!((replay.mailed(), replay.ids.len()), (vec![], 3));
        std::fs::write(&path, &good).unwrap();
        replay.push("mended").await;
        replay.hours(3).await;
        std::fs::write(&path, good.replace("title: News", "title: [News")).unwrap();
        replay.push("oops again").await;
        assert_eq!(replay.app.get("/weekly/issues/news").await.status, 200, "the last good state stays");
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_in_two_steps_mails_once_and_then_has_its_image() {
    on_both(3, async |mut replay| {
        let text = issue("News", "2026-03-02", &format!("{BODY}\n\n![chart](chart.png)"));
        std::fs::write(replay.root().join("posts/news.md"), text).unwrap();
        replay.push("the text").await;
        assert_eq!(replay.app.get("/weekly/files/chart.png").await.status, 404);
        std::fs::write(replay.root().join("posts/chart.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        replay.push("the image").await;
        assert_eq!(replay.app.get("/weekly/files/chart.png").await.status, 200);
        replay.hours(3).await;
        assert_eq!(replay.mailed(), ["News"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_history_mails_nothing_again() {
    on_both(3, async |mut replay| {
        replay.write("posts/news.md", "News", "2026-03-02");
        replay.push("news").await;
        replay.hours(3).await;
        git(replay.root(), &["commit", "--quiet", "--amend", "-m", "news, in other words"]);
        replay.look().await;
        git(replay.root(), &["checkout", "--quiet", "--orphan", "fresh"]);
        commit(replay.root(), "one commit for everything");
        git(replay.root(), &["branch", "-M", "main"]);
        replay.look().await;
        replay.hours(3).await;
        assert_eq!((replay.mailed(), replay.ids.len()), (vec!["News".to_owned()], 4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_translation_goes_to_its_own_audience_only() {
    let source = TempDir::new().unwrap();
    git(source.path(), &["init", "--quiet"]);
    write(source.path(), "old.md", "Old", "2020-01-01");
    commit(source.path(), "the archive");
    let newsletter = |name: &str, language: &str| {
        format!(
            "[newsletters.{name}]\ntitle = {name:?}\nfrom = \"w@news.example\"\nlanguage = {language:?}\n\
             languages = [\"en\", \"it\"]\nsettle = \"0s\"\n[newsletters.{name}.source]\ngit = {:?}\n\
             [newsletters.{name}.cadences.each]\ntitle = \"E\"\ncron = \"0 * * * *\"\n",
            source.path().display().to_string()
        )
    };
    let extra = format!("{}{}", newsletter("weekly", "en"), newsletter("settimanale", "it"));
    let mut app = TestApp::start_with(Backend::Sqlite, &extra).await.unwrap();
    app.watch().await.unwrap();
    app.schedule().await;
    for (newsletter, address) in [("weekly", "ada@reader.example"), ("settimanale", "dante@reader.example")] {
        app.post(&format!("/{newsletter}/subscribe"), &[("email", address), ("cadence", "each")]).await;
        app.send().await;
        let mail = app.outbox().into_iter().rfind(|mail| mail.to == address).unwrap();
        assert_eq!(app.post(&mail.link("/confirm/"), &[]).await.status, 200);
    }
    let pass = async |app: &mut TestApp, message: &str| {
        commit(source.path(), message);
        app.watch().await.unwrap();
        app.advance(HOUR);
        app.schedule().await;
        app.send().await;
        app.digests().into_iter().map(|mail| (mail.to, mail.subject)).collect::<Vec<_>>()
    };
    write(source.path(), "news.md", "News", "2026-03-02");
    let first = [("ada@reader.example".to_owned(), "News".to_owned())];
    assert_eq!(pass(&mut app, "english").await, first);
    write(source.path(), "news.it.md", "Notizie", "2026-03-02");
    let both = [first[0].clone(), ("dante@reader.example".to_owned(), "Notizie".to_owned())];
    assert_eq!(pass(&mut app, "italian").await, both);
    assert!(!app.get("/weekly/atom.xml").await.body.contains("Notizie"));
    assert!(app.get("/settimanale/issues/news").await.body.contains("Notizie"));
    assert!(app.get("/settimanale/atom.xml").await.body.contains("Notizie"));
}
