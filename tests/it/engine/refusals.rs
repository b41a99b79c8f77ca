//! A relay that refuses everything, and one that is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings::store::MailingState;

use super::{Bench, Plan};
use crate::harness::{Backend, eventually};
use crate::smtp::{Action, Peer, Said, Script};

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

/// A password that the relay does not take any more: nobody is marked, an operator sees it, and it goes on when it is mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_take_our_password_pauses_the_mailing_and_not_a_confirmation() {
    let changed = Arc::new(AtomicBool::new(true));
    let strict = {
        let changed = Arc::clone(&changed);
        let login = Some(("PLAIN".to_owned(), "news".to_owned(), "right".to_owned()));
        let script = Script { login, ..Script::default() }.rule(move |event| {
            let refuses = event.said == Said::Auth && changed.load(Ordering::SeqCst);
            refuses.then(|| Action::reply("535 5.7.8 wrong user or password"))
        });
        Peer::start(script).await
    };
    // The relay of the bench is not used: the only one that is named wants a password.
    let lines = format!(
        "relays.strict = {{ host = \"127.0.0.1\", port = {}, tls = \"none\", username = \"news\", password = \"right\" }}\n\
         [defaults]\nrelays = [\"strict\"]\n",
        strict.port()
    );
    let bench = Bench::open(Backend::Sqlite, Plan::new(50, 4).mail(&lines), Script::default()).await.unwrap();
    let form = [("email", "new@elsewhere.example"), ("cadence", "mondays")];
    assert_eq!(bench.app.post("/weekly/subscribe", &form).await.status, 200);
    let _sender = bench.sender();
    eventually(Duration::from_secs(60), "the mailing pauses", async || {
        bench.view().await.state == MailingState::Paused
    })
    .await;
    assert!(bench.view().await.reason.unwrap().contains("535"), "the operator sees why");
    assert_eq!(super::count(&bench.app.database, "SELECT COUNT(*) FROM delivery").await, 0, "no attempt was used up");
    let confirmations = "SELECT COUNT(*) FROM mailing WHERE kind = 'confirmation' AND state = 'open'";
    assert_eq!(super::count(&bench.app.database, confirmations).await, 1, "somebody waits for it");

    // The relay takes the password again: the confirmation goes by itself, the mailing when it is told to.
    changed.store(false, Ordering::SeqCst);
    eventually(Duration::from_secs(40), "the confirmation arrives", async || strict.count() == 1).await;
    assert!(bench.store.resume(bench.mailing).await.unwrap());
    bench.finishes(Duration::from_secs(60)).await;
    assert_eq!((strict.count(), bench.view().await.books.accepted), (51, 50));
}

/// One relay does not want us, the other one does: the mailing goes on over that.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_us_beside_one_that_does_not_pauses_nothing() {
    let rude = Script::default().on(Said::Connect, Action::reply("554 5.7.1 go away"));
    let rude = Peer::start(rude).await;
    let lines = format!("relays.rude = {{ host = \"127.0.0.1\", port = {}, tls = \"none\" }}\n", rude.port());
    let bench = Bench::open(Backend::Sqlite, Plan::new(300, 4).mail(&lines), Script::default()).await.unwrap();
    let _sender = bench.sender();
    bench.finishes(Duration::from_secs(60)).await;
    assert_eq!((rude.count(), bench.peer.count()), (0, 300));
    assert!(rude.connections() > 0, "it was asked");
}

/// A relay closes a connection after so many messages (Postfix counts so); ours has no more than we say.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_carries_more_messages_than_it_may() {
    for messages in [1, 7] {
        let second = Peer::start(Script::default()).await;
        let lines = format!(
            "relays.counted = {{ host = \"127.0.0.1\", port = {}, tls = \"none\", connections = 4, messages = {messages} }}\n\
             [defaults]\nrelays = [\"counted\"]\n",
            second.port()
        );
        let bench = Bench::open(Backend::Sqlite, Plan::new(100, 4).mail(&lines), Script::default()).await.unwrap();
        bench.app.send().await;
        assert!(bench.is_finished().await);
        let mut carried = std::collections::BTreeMap::new();
        for mail in second.committed() {
            *carried.entry(mail.connection).or_insert(0) += 1;
        }
        assert_eq!((second.count(), carried.values().max()), (100, Some(&messages)), "{carried:?}");
    }
}
