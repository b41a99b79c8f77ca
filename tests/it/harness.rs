//! A whole Tidings in one test: real files, real git, a real database, real ports; only the clock is moved by hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tidings::app::App;
use tidings::chance::Chance;
use tidings::clock::Clock;
use tidings::config;
use tidings::http;
use tidings::sender::{Lane, SendError, Tick};
use tidings::store::MailingView;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::postgres;

/// The databases every story is told on.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Monday, 2 March 2026, 08:00 UTC: an hour before the weekly digest of [`TestApp`].
pub fn monday() -> DateTime<Utc> {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

/// Runs a story on both databases; PostgreSQL is left out only where it is not installed and `TIDINGS_TEST_ALL` is not set.
pub async fn on_both<F, Fut>(story: F)
where
    F: Fn(TestApp) -> Fut,
    Fut: Future<Output = ()>,
{
    story(TestApp::start(Backend::Sqlite).await.unwrap()).await;
    if let Some(app) = TestApp::start(Backend::Postgres).await {
        story(app).await;
    }
}

/// A running install with one newsletter, `weekly`, whose source is a directory or a git repository.
pub struct TestApp {
    pub directory: TempDir,
    pub clock: Clock,
    pub url: String,
    pub private: String,
    pub database: String,
    port: u16,
    extra: String,
    running: Option<Running>,
}

struct Running {
    app: App,
    watchers: Vec<tidings::watcher::Watcher>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

/// What a GET or POST brought.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A mail of the outbox, read by a stranger's parser.
#[derive(Debug)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub source: String,
}

impl Mail {
    pub fn read(bytes: &[u8]) -> Self {
        let mail = mail_parser::MessageParser::default().parse(bytes).unwrap();
        Self {
            to: mail.to().unwrap().first().unwrap().address().unwrap().to_owned(),
            subject: mail.subject().unwrap().to_owned(),
            text: mail.body_text(0).unwrap().into_owned(),
            html: mail.body_html(0).unwrap().into_owned(),
            source: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The first link in the text part that has `part` in it.
    pub fn link(&self, part: &str) -> String {
        self.text
            .split_whitespace()
            .map(|word| word.trim_matches(|c| "<>()".contains(c)))
            .find(|word| word.starts_with("http") && word.contains(part))
            .unwrap_or_else(|| panic!("no link with {part} in:\n{}", self.text))
            .to_owned()
    }
}

impl TestApp {
    /// A fresh install; `None` when PostgreSQL is not there.
    pub async fn start(backend: Backend) -> Option<Self> {
        Self::start_with(backend, "").await
    }

    /// A fresh install with more lines for its configuration file; `{issues}` in them is the path of the issues.
    pub async fn start_with(backend: Backend, extra: &str) -> Option<Self> {
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(postgres::fresh_database("").await?),
        };
        Some(Self::start_on(database, extra).await)
    }

    /// The same on a database of the test's choice; without one, on a file.
    pub async fn start_on(database: Option<String>, extra: &str) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("issues")).unwrap();
        let database = database.unwrap_or_else(|| format!("sqlite:{}", directory.path().join("tidings.db").display()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut app = Self {
            directory,
            clock: Clock::manual(monday()),
            url: format!("http://127.0.0.1:{port}"),
            private: String::new(),
            database,
            port,
            extra: extra.to_owned(),
            running: None,
        };
        app.write_config();
        app.run(listener).await;
        app
    }

    /// An install that nothing runs yet: for the real program, which will listen at `url`. Its source is looked at each second.
    pub async fn start_serving(backend: Backend, extra: &str) -> Option<Self> {
        let mut app = Self::start_with(backend, &format!("{extra}[defaults]\npoll = \"1s\"\n")).await?;
        app.end().await;
        Some(app)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn config_path(&self) -> PathBuf {
        self.path("tidings.toml")
    }

    fn write_config(&self) {
        let path = |name: &str| format!("{:?}", self.path(name).display().to_string());
        let mail = if self.extra.contains("[mail") {
            String::new()
        } else {
            format!("[mail.outbox]\ndirectory = {}\n", path("outbox"))
        };
        let newsletter = if self.extra.contains("[newsletters") {
            String::new()
        } else {
            format!(
                r#"
[newsletters.weekly]
title = "The Weekly"
description = "What happened."
from = "The Weekly <weekly@news.example>"
settle = "0s"
min_length = 1
max_age = "60d"
[newsletters.weekly.source]
directory = {}
[newsletters.weekly.cadences.mondays]
title = "Every Monday"
cron = "0 9 * * 1"
"#,
                path("issues")
            )
        };
        let text = format!(
            "[server]\npublic = \"127.0.0.1:{}\"\nprivate = \"127.0.0.1:0\"\nurl = \"{}/\"\n[database]\nurl = {:?}\n[data]\ndirectory = {}\n{mail}{}\n{newsletter}",
            self.port,
            self.url,
            self.database,
            path("data"),
            self.extra.replace("{issues}", &path("issues"))
        );
        std::fs::write(self.config_path(), text).unwrap();
    }

    pub fn config(&self) -> config::Config {
        config::load(Some(&self.config_path())).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    async fn run(&mut self, listener: TcpListener) {
        let app = App::open(self.config(), self.clock.clone(), Chance::system()).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let until = |mut stop: watch::Receiver<bool>| async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let private = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.private = format!("http://{}", private.local_addr().unwrap());
        let servers = vec![
            tokio::spawn(http::serve::run(listener, http::front(app.web()), until(stopped.clone()))),
            tokio::spawn(http::serve::run(private, http::private(app.web()), until(stopped))),
        ];
        self.running = Some(Running { watchers: app.watchers(), app, stop, servers });
    }

    /// Ends the service and starts it again on the same database, directory and port.
    pub async fn restart(&mut self) {
        self.end().await;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.run(listener).await;
    }

    async fn end(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.send(true).unwrap();
        for server in running.servers {
            server.await.unwrap();
        }
        drop(running.watchers);
        running.app.store.close().await;
    }

    /// As [`Self::restart`], with other lines in the configuration file.
    pub async fn restart_with(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.write_config();
        self.restart().await;
    }

    /// Starts again with other lines in the configuration file.
    pub async fn configure(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.write_config();
        self.restart().await;
    }

    /// Serves the public pages of this install once more, by another configuration: the URL, and what to abort at the end.
    pub async fn serve_as(&self, config: config::Config) -> (String, JoinHandle<()>) {
        let opened = self.app();
        let web = http::Web::new(
            opened.store.clone(),
            Arc::clone(&opened.templates),
            Arc::new(config),
            self.clock.clone(),
            opened.chance.clone(),
            opened.sources.clone(),
        );
        let listener = http::serve::bind("127.0.0.1:0".parse().unwrap(), "server.public").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (url, tokio::spawn(http::serve::run(listener, http::front(web), std::future::pending())))
    }

    pub fn app(&self) -> &App {
        &self.running.as_ref().unwrap().app
    }

    /// One look at the sources; an error is given back in words.
    pub async fn watch(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        for watcher in &mut self.running.as_mut().unwrap().watchers {
            watcher.tick(now).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// One look at the schedule.
    pub async fn schedule(&self) -> Vec<tidings::scheduler::Event> {
        self.app().scheduler().tick(self.clock.now()).await.unwrap()
    }

    /// Sends until there is nothing to send, then closes the books. A relay that breaks off is tried again, as the service does.
    pub async fn send(&self) {
        let (_keep, stop) = watch::channel(false);
        let sender = self.app().sender(stop).unwrap();
        let crews = 0..sender.crews();
        let lanes = [Lane::Confirmations, Lane::Digests];
        for (lane, crew) in lanes.into_iter().flat_map(|lane| crews.clone().map(move |crew| (lane, crew))) {
            for troubles in 0.. {
                assert!(troubles < 100, "the relay never works");
                match sender.tick(lane, crew).await {
                    Ok(Tick::Idle) => break,
                    Ok(Tick::Worked { .. }) | Err(SendError::Relay(_)) => {}
                    Ok(Tick::Waits) => self.advance(Duration::from_secs(31)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        sender.close().await;
        self.app().housekeeper().tick(self.clock.now()).await.unwrap();
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = client().get(self.absolute(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        answer(client().post(self.absolute(path)).form(form)).await
    }

    pub async fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = client().post(self.absolute(path)).form(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    /// A POST as a browser makes it for a page of another site.
    pub async fn post_from(&self, origin: &str, path: &str) -> Answer {
        answer(client().post(self.absolute(path)).header("Origin", origin)).await
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) }
    }

    /// The mails of the outbox directory, oldest first.
    pub fn outbox(&self) -> Vec<Mail> {
        let mut files: Vec<_> = match std::fs::read_dir(self.path("outbox")) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => return Vec::new(),
        };
        files.sort();
        files
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "eml"))
            .map(|path| Mail::read(&std::fs::read(path).unwrap()))
            .collect()
    }

    /// The mails that are digests.
    pub fn digests(&self) -> Vec<Mail> {
        self.outbox().into_iter().filter(|mail| mail.source.contains("List-Unsubscribe:")).collect()
    }

    pub fn write_issue(&self, name: &str, title: &str, date: &str, body: &str) {
        let path = self.path("issues").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, issue(title, date, body)).unwrap();
    }

    /// Subscribes by the form and confirms by the link of the mail.
    pub async fn subscribe(&self, address: &str) {
        let answer = self.post("/weekly/subscribe", &[("email", address), ("cadence", "mondays")]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.send().await;
        let mail = self.outbox().into_iter().rfind(|mail| mail.to == address).unwrap();
        let answer = self.post(&mail.link("/confirm/"), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Digest mailings, newest first.
    pub async fn mailings(&self) -> Vec<MailingView> {
        self.app().store.mailings(100, false).await.unwrap()
    }
}

/// The text of an issue.
pub fn issue(title: &str, date: &str, body: &str) -> String {
    format!("---\ntitle: {title}\ndate: {date}\nauthor: The Editors\n---\n\n{body}\n")
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

/// Runs git in a directory, with a fixed author and nothing of the machine's configuration.
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Editor", "-c", "user.email=editor@news.example", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The program under test.
pub fn tidings(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.current_dir(directory).env_remove("TIDINGS_CONFIG").env_remove("TIDINGS_LOG");
    command
}

/// A process that is killed when the test ends, however it ends.
pub struct Process(pub std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit status.
    pub fn wait(&mut self, patience: Duration) -> std::process::ExitStatus {
        let steps = patience.as_millis() / 20;
        for _ in 0..steps {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the process is still running after {patience:?}");
    }
}

/// Whether what a test needs is there, as `found` says. Where it is not, the test is left out, and says so; with
/// `TIDINGS_TEST_ALL=1`, as `tests/run` sets it, it fails instead.
#[allow(clippy::disallowed_methods)] // the tests' own switch
pub fn there(found: bool, what: &str) -> bool {
    let all = std::env::var_os("TIDINGS_TEST_ALL").is_some_and(|value| value == "1");
    assert!(found || !all, "{what} is not there; tests/run installs what the tests need");
    if !found {
        eprintln!("SKIPPED: {what} is not there; tests/run installs what the tests need");
    }
    found
}

/// Waits until `done` says so; panics with `what` when it takes longer than `patience`.
pub async fn eventually<F, Fut>(patience: Duration, what: &str, done: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let end = tokio::time::Instant::now() + patience;
    while !done().await {
        assert!(tokio::time::Instant::now() < end, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
