//! What an operator does about messages in doubt.

use std::time::Duration;

use super::{Bench, Plan, run};
use crate::harness::{Backend, tidings};
use crate::smtp::{Action, Said, Script};

/// A finished mailing to three, with `reader0` and `reader1` held in doubt: the relay has the first and lost the second.
async fn two_held(backend: Backend) -> Option<Bench> {
    let script = Script::default().at(Said::Content, "reader0@reader.example", 1, Action::CommitAndDrop).at(
        Said::Content,
        "reader1@reader.example",
        1,
        Action::Drop,
    );
    let plan = Plan::new(3, 1).mail("in_doubt = \"hold\"");
    let bench = Bench::open(backend, plan, script).await?;
    {
        let _sender = bench.sender();
        bench.finishes(Duration::from_secs(60)).await;
    }
    assert_eq!((bench.view().await.books.held, bench.view().await.books.accepted), (2, 1));
    Some(bench)
}

/// The Message-ID that the list shows for an address.
fn message_id(list: &str, to: &str) -> String {
    let line = list.lines().find(|line| line.contains(to)).unwrap_or_else(|| panic!("{to} is not in:\n{list}"));
    line.rsplit('<').next().unwrap().trim_end_matches('>').to_owned()
}

async fn the_log_settles_one_and_the_operator_the_other(backend: Backend) {
    let Some(bench) = two_held(backend).await else { return };
    let list = run(&bench, &["doubt", "list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    let [taken, lost] = ["reader0@", "reader1@"].map(|to| message_id(&list, to));
    let wire = String::from_utf8(bench.peer.committed()[0].bytes.clone()).unwrap();
    let has = bench.peer.committed().iter().any(|mail| {
        mail.to.starts_with("reader0@") && String::from_utf8_lossy(&mail.bytes).contains(&format!("<{taken}>"))
    });
    assert!(has, "the list shows the Message-ID of the message: {wire}");

    // What Postfix writes of a message that it queued, and of one whose connection was lost.
    let log = format!(
        "Nov 27 20:46:52 mx postfix/cleanup[101]: 4B1A2C0F1E: message-id=<{taken}>\n\
         Nov 27 20:46:52 mx postfix/qmgr[102]: 4B1A2C0F1E: from=<x@y.example>, size=1204, nrcpt=1 (queue active)\n\
         Nov 27 20:46:54 mx postfix/cleanup[101]: 5C0FFEE123: message-id=<{lost}>\n"
    );
    std::fs::write(bench.app.path("mail.log"), log).unwrap();
    let said = run(&bench, &["doubt", "settle", "--maillog", "mail.log"]);
    assert!(said.contains("1 message settled as delivered\n1 message as before"), "{said}");
    let view = bench.view().await;
    assert!(view.books.balance() && (view.books.held, view.books.accepted) == (1, 2), "{:?}", view.books);
    assert_eq!(run(&bench, &["doubt", "list"]).lines().count(), 1);

    let mailing = bench.mailing.to_string();
    let said = run(&bench, &["doubt", "resend", &mailing, "reader1@reader.example"]);
    assert!(said.contains("1 message sent again"), "{said}");
    assert!(run(&bench, &["doubt", "list", &mailing]).contains("to be sent again"));
    let _sender = bench.sender();
    bench.finishes(Duration::from_secs(60)).await;
    assert!(bench.keeps_its_promise().await.is_empty(), "each has it once");
    assert_eq!(bench.view().await.books.accepted, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_log_settles_what_it_has_and_an_operator_sends_the_rest_again_on_sqlite() {
    the_log_settles_one_and_the_operator_the_other(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_log_settles_what_it_has_and_an_operator_sends_the_rest_again_on_postgresql() {
    the_log_settles_one_and_the_operator_the_other(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_by_hand_is_not_sent_again_and_a_wrong_log_says_so() {
    let bench = two_held(Backend::Sqlite).await.unwrap();
    std::fs::write(bench.app.path("other.log"), "nothing of Postfix\n").unwrap();
    let output = tidings(bench.app.directory.path())
        .args(["--config", "tidings.toml", "doubt", "settle", "--maillog", "other.log"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("other.log has no line of Postfix"), "{error}");
    run(&bench, &["doubt", "settle", &bench.mailing.to_string()]);
    assert_eq!(bench.view().await.books.accepted, 3);
    assert!(run(&bench, &["doubt", "list"]).contains("nothing is in doubt"));
    assert!(run(&bench, &["--json", "doubt", "list"]).trim() == "[]");
}
