//! Random replies at every phase, with cancels and lost connections: the ledger must equal the relay's verdict in every
//! transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings::sender::{Lane, SendError, Tick};
use tidings::store::MailingState;
use tokio::sync::watch;

use super::{Dice, Line, ledger, mail_a_crowd, mark, scale};
use crate::crowd;
use crate::harness::TestApp;
use crate::smtp::{Action, Event, Peer, Said, Script, Verdict};

/// What a moody relay does: mostly what it should.
fn mood(event: &Event, salt: u64) -> Option<Action> {
    let roll = mark(&format!("{:?} {} {}", event.said, event.to, event.time), salt) % 1_000;
    let reply = |text: &str| Some(Action::reply(text));
    match (event.said, roll) {
        (Said::Connect, 0..10) => reply("421 4.3.2 not now"),
        (Said::Connect, 10..20) => Some(Action::Drop),
        (Said::Mail, 0..5) => reply("421 4.3.2 closing"),
        (Said::Mail, 5..10) => Some(Action::Drop),
        (Said::Recipient, 0..30) => reply("550 5.1.1 no such user"),
        (Said::Recipient, 30..60) => reply("552-5.2.2 the mailbox\r\n552 5.2.2 is full"),
        (Said::Recipient, 60..120) => reply("450 4.2.0 greylisted"),
        (Said::Recipient, 120..130) => reply("421 4.7.0 too many"),
        (Said::Recipient, 130..140) => Some(Action::Drop),
        (Said::Recipient, 145..147) => Some(Action::Hang),
        (Said::Recipient, 140..145) => reply("250-fine\r\n250 really"),
        (Said::Data, 0..20) => reply("451 4.2.0 try again"),
        (Said::Data, 20..30) => Some(Action::Drop),
        (Said::Content, 0..40) => reply("451 4.2.0 try again"),
        (Said::Content, 40..50) => reply("421 4.3.2 closing"),
        (Said::Content, 50..60) => Some(Action::CommitAndDrop),
        (Said::Content, 60..70) => Some(Action::Drop),
        (Said::Content, 70..80) => Some(Action::CommitAndReset),
        (Said::Content, 80..90) => Some(Action::Trickle(Duration::from_millis(1))),
        (Said::Content, 90..95) => Some(Action::After(Duration::from_millis(50), Box::new(Action::Willing))),
        _ => None,
    }
}

/// The codes of a recipient's transactions in the order they were given, as the ledger must have them; `None` is a content without an answer. An answer
/// that closes the channel before the content leaves no trace: it says nothing about anyone.
fn expected(verdicts: &[Verdict]) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut expected: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for Verdict { said, to, code, .. } in verdicts.iter().filter(|verdict| !verdict.to.is_empty()) {
        let traceless = *said != Said::Content && matches!(code, None | Some(421));
        // DATA after a refused RCPT is refused as well.
        let follows = *said == Said::Data && *code == Some(554);
        if !traceless && !follows {
            expected.entry(to.clone()).or_default().push(code.map(i64::from));
        }
    }
    expected
}

/// The same from the ledger: one code for each attempt; `None` for one that was handed and never answered.
fn recorded(lines: &[Line]) -> Vec<Option<i64>> {
    let mut attempts: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    for line in lines.iter().filter(|line| !matches!(line.event.as_str(), "held" | "skipped")) {
        let code = attempts.entry(line.attempt).or_default();
        *code = line.code.or(*code);
    }
    attempts.into_values().collect()
}

/// Whether the ledger can be what a sender wrote that was cancelled now and then: the replies that it has, the relay gave, in that
/// order. How many replies it neither has nor has an attempt without a reply for.
fn lacks(recorded: &[Option<i64>], said: &[Option<i64>]) -> Option<usize> {
    let mut heard = recorded.iter().flatten().peekable();
    for code in said.iter().flatten() {
        heard.next_if(|have| *have == code);
    }
    let all = heard.peek().is_none();
    all.then(|| said.len().saturating_sub(recorded.len()))
}

const CONNECTIONS: usize = 16;

async fn run(people: usize, cancel: bool) {
    let mut dice = Dice::new("random replies");
    let salt = dice.roll(u64::MAX);
    let peer = Peer::start(Script::default().rule(move |event| mood(event, salt))).await;
    let relay = format!(
        "[mail]\ntransport = \"smtp\"\nretry_period = \"90d\"\nretry_most = \"1h\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\n\
         tls = \"none\"\ntimeout = \"1s\"\nconnections = {CONNECTIONS}\n",
        peer.port()
    );
    let mut app = TestApp::start_on(None, &relay).await;
    let mailing = mail_a_crowd(&mut app, people).await;
    let mut cancels = 0;
    for round in 0.. {
        assert!(round < 5_000, "it never comes to an end");
        let (_keep, stop) = watch::channel(false);
        let sender = app.app().sender(stop).unwrap();
        let long = Duration::from_secs(60);
        let patience = if cancel && dice.roll(2) == 0 { dice.millis(200) } else { long };
        match tokio::time::timeout(patience, sender.tick(Lane::Digests, 0)).await {
            // A cancelled sender is a dead node; its leases expire.
            Err(_) if patience < long => {
                cancels += 1;
                drop(sender);
                tokio::time::sleep(Duration::from_millis(50)).await;
                crowd::run(&app.database, "UPDATE batch SET lease_until = 0 WHERE state = 'leased'".into()).await;
            }
            Err(_) => panic!("a tick takes longer than any deadline"),
            Ok(Ok(Tick::Worked { .. }) | Err(SendError::Relay(_))) => {}
            Ok(Ok(Tick::Waits)) => app.advance(Duration::from_secs(31)),
            Ok(Ok(Tick::Idle)) => app.advance(Duration::from_secs(3_600)),
            Ok(Err(error)) => panic!("{error}"),
        }
        app.app().housekeeper().tick(app.clock.now()).await.unwrap();
        let view = app.app().store.mailing(mailing).await.unwrap().unwrap();
        assert_ne!(view.state, MailingState::Paused, "{:?}", view.reason);
        if view.state == MailingState::Finished {
            assert!(view.books.balance(), "{:?}", view.books);
            break;
        }
    }
    assert_eq!(cancels > 0, cancel, "{cancels} cancels");
    compare(&peer, &ledger(&app.database, mailing).await, people, cancels);
}

fn compare(peer: &Peer, ledger: &BTreeMap<String, Vec<Line>>, people: usize, cancels: usize) {
    let expected = expected(&peer.verdicts());
    let mut missing = 0;
    for (to, codes) in &expected {
        let recorded = recorded(&ledger[to]);
        if cancels == 0 {
            assert_eq!(recorded, *codes, "{to}: {:?}", ledger[to]);
        }
        let lacks = lacks(&recorded, codes);
        missing += lacks.unwrap_or_else(|| panic!("{to}: the relay said {codes:?}, and the ledger has {recorded:?}"));
    }
    assert_eq!(ledger.len(), people);
    let transactions: usize = expected.values().map(Vec::len).sum();
    eprintln!("{transactions} transactions, {cancels} cancels, {missing} replies that nobody heard");
    assert!(missing <= cancels * CONNECTIONS, "{missing} replies are missing after {cancels} cancels");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_equals_the_relays_verdict_in_every_transaction() {
    run(scale(4_000, 90_000), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_sender_never_gives_a_message_the_reply_to_another() {
    run(scale(2_000, 30_000), true).await;
}
