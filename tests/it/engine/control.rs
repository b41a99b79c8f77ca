//! Pause, resume, cancel and rate, by command and by HTTP, while nodes are at work.

use std::time::Duration;

use tidings::store::MailingState;

use super::{Bench, Plan, run};
use crate::harness::{Backend, eventually};
use crate::smtp::{Action, Said, Script};

fn script() -> Script {
    Script::default().on(Said::Content, Action::CommitAndWait(Duration::from_millis(5)))
}

async fn messages_in(bench: &Bench, seconds: u64) -> usize {
    let before = bench.peer.count();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    bench.peer.count() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_for_two_nodes_together_and_a_new_one_within_a_second() {
    let Some(bench) = Bench::open(Backend::Postgres, Plan::new(20_000, 8), script()).await else { return };
    let _nodes = [bench.sender(), bench.sender()];
    bench.reaches(200, Duration::from_secs(60)).await;
    let mailing = bench.mailing.to_string();
    assert_eq!(run(&bench, &["rate", &mailing, "20/s"]).trim(), "the mailing goes at most at 20/s");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let slow = messages_in(&bench, 10).await;
    assert!((150..=215).contains(&slow), "{slow} in ten seconds at 20 a second");
    run(&bench, &["rate", &mailing, "60/s"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let faster = messages_in(&bench, 5).await;
    assert!((200..=330).contains(&faster), "{faster} in five seconds at 60 a second");
    let status = run(&bench, &["status"]);
    assert!(status.contains("a second (at most 60/s)"), "{status}");
    run(&bench, &["rate", &mailing, "none"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let free = messages_in(&bench, 3).await;
    assert!(free > 300, "{free} in three seconds without a limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_controls_a_mailing_by_http_and_sees_how_far_it_is() {
    let bench = Bench::open(Backend::Sqlite, Plan::new(20_000, 8), script()).await.unwrap();
    let _sender = bench.sender();
    bench.reaches(200, Duration::from_secs(60)).await;
    let at = |order: &str| format!("{}/mailings/{}/{order}", bench.app.private, bench.mailing);
    let answer = bench.app.post(&at("pause"), &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"changed":true,"state":"paused"}"#));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(messages_in(&bench, 2).await, 0, "within a second");
    assert_eq!(bench.app.post(&at("pause"), &[]).await.status, 409);
    assert_eq!(bench.app.post(&at("resume"), &[]).await.status, 200);
    eventually(Duration::from_secs(5), "mail flows again", async || bench.peer.count() > 400).await;
    assert_eq!(bench.app.post(&at("rate"), &[("rate", "10/s")]).await.status, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(messages_in(&bench, 3).await <= 36);

    let list = bench.app.get(&format!("{}/mailings", bench.app.private)).await;
    let list: serde_json::Value = serde_json::from_str(&list.body).unwrap();
    assert_eq!((&list[0]["people"], &list[0]["state"]), (&20_000.into(), &"open".into()), "{list}");
    assert!(list[0]["done"].as_i64().unwrap() > 300 && list[0]["limit"] == "10/s", "{list}");
    let metrics = bench.app.get(&format!("{}/metrics", bench.app.private)).await.body;
    assert!(
        metrics.contains(&format!(
            "tidings_mailing_audience{{newsletter=\"weekly\",mailing=\"{}\"}} 20000",
            bench.mailing
        ))
    );

    for (order, form, status) in [("rate", "fast", 400), ("explode", "", 404)] {
        assert_eq!(bench.app.post(&at(order), &[("rate", form)]).await.status, status, "{order}");
    }
    let nobody = format!("{}/mailings/0000000000000000/pause", bench.app.private);
    assert_eq!(bench.app.post(&nobody, &[]).await.status, 404);
    assert_eq!(bench.app.get(&at("pause")).await.status, 405, "GET changes nothing");
    assert_eq!(bench.app.post_from("https://elsewhere.example", &at("cancel")).await.status, 403);

    assert_eq!(bench.app.post(&at("cancel"), &[]).await.status, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(messages_in(&bench, 1).await, 0);
    assert_eq!(bench.view().await.state, MailingState::Cancelled);
    assert_eq!(bench.app.post(&at("resume"), &[]).await.status, 409, "for good");
    assert!(bench.doubts().await.is_empty(), "what was on the wire was finished");
}
