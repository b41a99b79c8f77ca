//! A real browser: headless Chromium, driven by the WebDriver protocol (W3C) through chromedriver, with axe-core for accessibility.

#![allow(clippy::disallowed_methods)] // a test finds out what is installed

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Process, eventually, there};

/// What an element reference is called on the wire.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox", // Chromium refuses to run as root with one, and a test sees only pages of ours.
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
];

/// One window.
pub struct Browser {
    client: reqwest::Client,
    port: u16,
    session: String,
    axe: String,
    _profile: tempfile::TempDir,
    _driver: Process,
}

impl Browser {
    /// Starts one; `None` when something is not installed, and no test is asked for that must not be skipped.
    pub async fn start() -> Option<Self> {
        let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js");
        let (driver, axe) = (program("chromedriver"), std::fs::read_to_string(axe).ok());
        there(driver.is_some() && axe.is_some(), "chromedriver, or axe-core in target/npm,");
        let (driver, axe) = (driver?, axe?);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut driver = Command::new(driver);
        driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = Process(driver.spawn().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        eventually(Duration::from_secs(60), "chromedriver answers", || async {
            client.get(format!("{url}/status")).send().await.is_ok()
        })
        .await;
        let profile = tempfile::TempDir::new().unwrap();
        let mut arguments: Vec<_> = ARGUMENTS.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let mut options = json!({ "args": arguments });
        if let Some(chromium) = program("chromium") {
            options["binary"] = json!(chromium);
        }
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let answer = post(&client, &format!("{url}/session"), &body).await;
        let session = answer["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}")).to_owned();
        Some(Self { client, port, session, axe, _profile: profile, _driver: driver })
    }

    /// What the driver answers to a command, which must not be an error.
    async fn command(&self, path: &str, body: Value) -> Value {
        let value = self.ask(path, &body).await;
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    /// What the driver answers to a command; `error` in it names what went wrong.
    async fn ask(&self, path: &str, body: &Value) -> Value {
        post(&self.client, &format!("http://127.0.0.1:{}/session/{}/{path}", self.port, self.session), body).await
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// Runs a script in the page, as its debugger would, which no policy of the page forbids.
    pub async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.command("element", json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {selector}: {found}")).to_owned()
    }

    /// Presses a link or a button, and waits for the page behind it.
    pub async fn follow(&self, selector: &str) {
        let page = self.element("html").await;
        self.click(selector).await;
        self.left(&page).await;
    }

    /// Types into a field, presses Enter, and waits for the page that answers.
    pub async fn submit(&self, selector: &str, text: &str) {
        let page = self.element("html").await;
        self.keys(selector, &format!("{text}\n")).await;
        self.left(&page).await;
    }

    /// Waits until the page with this root is left and the next one is loaded. The driver does so itself only when the
    /// browser has begun to leave before the driver looks.
    async fn left(&self, page: &str) {
        let of_old = json!({ "script": "return 0", "args": [{ (ELEMENT): page }] });
        let of_new = json!({ "script": "return document.readyState", "args": [] });
        eventually(Duration::from_secs(30), "the next page is there", || async {
            self.ask("execute/sync", &of_old).await["error"] == "stale element reference"
                && self.ask("execute/sync", &of_new).await == "complete"
        })
        .await;
    }

    /// Presses an element as a mouse does.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.command(&format!("element/{element}/click"), json!({})).await;
    }

    /// Types into an element as a keyboard does.
    pub async fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// The text of an element as it is seen.
    pub async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
    }

    /// A screen of this width, bright or dark.
    pub async fn screen(&self, width: u32, dark: bool) {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [scheme] })).await;
    }

    /// Everything that axe-core says against the page, as `rule: element`.
    pub async fn axe(&self) -> Vec<String> {
        let script = format!(
            "{}; const done = arguments[arguments.length - 1]; \
             axe.run(document, {{ iframes: false, resultTypes: ['violations'] }}).then(found => done(found.violations.flatMap( \
             rule => rule.nodes.map(node => rule.id + ': ' + node.html + ' ' + node.failureSummary))), error => done([String(error)]))",
            self.axe
        );
        let found = self.command("execute/async", json!({ "script": script, "args": [] })).await;
        let list = found.as_array().unwrap_or_else(|| panic!("axe did not run: {found}"));
        list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the browser complained of since the last call: scripts, styles and images that the policy of a page forbids, above all.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" })).await;
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Ends the session by hand: a driver that is killed leaves its browser behind.
impl Drop for Browser {
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let _ =
            write!(stream, "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", self.session);
        let _ = stream.read(&mut [0; 512]);
    }
}

async fn post(client: &reqwest::Client, url: &str, body: &Value) -> Value {
    let answer = client.post(url).body(body.to_string()).send().await.unwrap().text().await.unwrap();
    let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{url}: {answer}"));
    answer["value"].take()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
