//! A relay that refuses everything, and one that is not there.

use std::time::Duration;

use tidings::store::MailingState;

use super::{Bench, Plan};
use crate::harness::{Backend, eventually};
use crate::smtp::{Action, Said, Script};

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_all_with_a_policy_reply_pauses_the_mailing_and_marks_nobody() {
    for said in [Said::Recipient, Said::Content] {
        let refusing = Script::default().on(said, Action::reply("550 5.7.1 blocked by policy"));
        let bench = Bench::open(Backend::Sqlite, Plan::new(2_000, 16), refusing).await.unwrap();
        let _sender = bench.sender();
        eventually(Duration::from_secs(60), "the mailing pauses", async || {
            bench.view().await.state == MailingState::Paused
        })
        .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let tried = bench.peer.lines().iter().filter(|line| line.starts_with("RCPT")).count();
        assert!(tried <= 200, "{tried} messages were tried");
        let view = bench.view().await;
        assert!(view.reason.unwrap().contains("blocked by policy"));
        assert_eq!(view.books.refused, 0, "nobody is marked");
        let suppressed = super::count(&bench.app.database, "SELECT COUNT(*) FROM suppression").await;
        assert_eq!(suppressed, 0, "nobody is marked");
    }
}
