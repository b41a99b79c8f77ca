//! WebSub: readers subscribe at our hub and are told of each new issue; hubs elsewhere are pinged.

mod addresses;
mod delivering;
mod flask;
mod others;
mod reader;
mod subscribing;
mod tls;

use std::time::Duration;

use tidings::distributor::{DistributeError, Distributor};

use crate::harness::{Answer, Backend, TestApp};

/// Readers of the tests live on this machine.
const ALLOW: &str = "[websub]\nallow_networks = [\"127.0.0.1/32\"]\n";

/// Runs a story on both databases, with more lines for the configuration.
async fn on_both(extra: &str, story: impl AsyncFn(TestApp)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(mut app) = TestApp::start_with(backend, extra).await {
            app.write_issue("first.md", "First", "2026-02-23", "Hello.");
            app.watch().await.unwrap();
            story(app).await;
        }
    }
}

/// One node's distributor.
fn node(app: &TestApp) -> Distributor {
    app.app().distributor(&app.app().web()).unwrap()
}

/// Looks, and works off what is due.
async fn work(app: &TestApp, node: &mut Distributor) {
    while try_work(app, node).await.unwrap() > 0 {}
}

async fn try_work(app: &TestApp, node: &mut Distributor) -> Result<usize, DistributeError> {
    let tick = node.tick(app.clock.now()).await?;
    node.settled().await;
    Ok(tick.begun)
}

/// Publishes an issue.
async fn publish(app: &mut TestApp, title: &str) {
    let name = format!("{}.md", title.to_lowercase().replace(' ', "-"));
    app.write_issue(&name, title, "2026-03-02", "News.");
    app.watch().await.unwrap();
}

fn topic(app: &TestApp) -> String {
    format!("{}/weekly/atom.xml", app.url)
}

async fn ask(app: &TestApp, mode: &str, callback: &str, more: &[(&str, &str)]) -> Answer {
    let topic = topic(app);
    let mut form = vec![("hub.mode", mode), ("hub.topic", topic.as_str()), ("hub.callback", callback)];
    form.extend(more);
    app.post("/hub", &form).await
}

/// Asks, and lets the hub verify.
async fn subscribe(app: &TestApp, node: &mut Distributor, callback: &str, more: &[(&str, &str)]) {
    let answer = ask(app, "subscribe", callback, more).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    work(app, node).await;
}

/// The number of subscriptions that are not over.
async fn subscriptions(app: &TestApp) -> i64 {
    app.app().store.hub_topics(app.clock.now()).await.unwrap().iter().map(|topic| topic.subscriptions).sum()
}

const HOUR: Duration = Duration::from_secs(3600);
