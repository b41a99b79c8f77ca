//! Mail that comes back, complaints, and requests to unsubscribe by mail: from the inbox to what follows.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tidings::subscription::{Listed, State};
use tidings::types::{EmailAddress, Verp};

use crate::delivery::add;
use crate::harness::{Backend, Process, TestApp, eventually, on_both, there, tidings};
use crate::postfix::Postfix;
use crate::smtp::{Action, Peer, Script};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a mail server writes when it cannot deliver the mail of a token to an address.
pub fn report(token: &str, address: &str, status: &str) -> String {
    format!(
        "Return-Path: <>\nDelivered-To: bounces+{token}@bounce.news.example\nFrom: MAILER-DAEMON@mx.example\n\
         Subject: Undelivered\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"a/b\"\n\n--a/b\nContent-Type: text/plain\n\n\
         It could not be delivered.\n\n--a/b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
         Final-Recipient: rfc822; {address}\nAction: failed\nStatus: {status}\n\
         Diagnostic-Code: smtp; 550 {status} <{address}>: unknown\n\n--a/b--\n"
    )
}

fn complaint(token: &str) -> String {
    format!(
        "From: feedback@provider.example\nSubject: FW\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\n\
         Feedback-Type: abuse\nVersion: 1\nUser-Agent: test/1\n\n--x\nContent-Type: message/rfc822\n\n\
         Return-Path: <bounces+{token}@bounce.news.example>\nSubject: News\n\nHello.\n--x--\n"
    )
}

/// An install with an inbox, and with other lines in its sections.
async fn with_inbox(app: &mut TestApp, mail: &str) {
    for folder in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(app.path("inbox").join(folder)).unwrap();
    }
    let path = |name: &str| app.path(name).display().to_string();
    let extra = format!(
        "{mail}\n[mail.outbox]\ndirectory = {:?}\n[mail.inbox]\nmaildir = {:?}\n[defaults]\nbounce_domain = \"bounce.news.example\"\n\
         unsubscribe_address = \"leave@news.example\"\n",
        path("outbox"),
        path("inbox")
    );
    app.configure(&extra).await;
    app.watch().await.unwrap();
    app.schedule().await;
}

fn arrive(app: &TestApp, name: &str, text: &str) {
    std::fs::write(app.path("inbox/tmp").join(name), text).unwrap();
    std::fs::rename(app.path("inbox/tmp").join(name), app.path("inbox/new").join(name)).unwrap();
}

fn files(app: &TestApp, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(app.path("inbox").join(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn receive(app: &TestApp) {
    while app.app().receiver().unwrap().tick(app.clock.now()).await.unwrap() {}
}

/// Mails a new issue to everybody, at the next Monday's occurrence.
async fn mail(app: &mut TestApp, title: &str) {
    let date = app.clock.now().format("%Y-%m-%d").to_string();
    app.write_issue(&format!("{title}.md"), title, &date, "Hello.");
    app.watch().await.unwrap();
    app.advance(if title == "one" { HOUR } else { WEEK });
    app.schedule().await;
    app.send().await;
}

async fn listed(app: &TestApp, address: &str) -> Listed {
    let all = app.app().store.list(None, None, 1_000).await.unwrap();
    let is_it = |listed: &Listed| listed.subscription.address.as_ref().is_some_and(|known| known.expose() == address);
    all.into_iter().find(is_it).unwrap()
}

/// The token of the newest mailing to an address.
async fn token(app: &TestApp, address: &str) -> String {
    let person = listed(app, address).await.subscription;
    let mailing = app.mailings().await[0].mailing;
    Verp::mint(app.app().store.key(), mailing, person.bucket, person.subscriber).to_string()
}

fn status(app: &TestApp) -> Value {
    let output = tidings(app.directory.path()).args(["--config", "tidings.toml", "--json", "status"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_acted_on_once_and_the_rest_is_left_to_a_person() {
    on_both(async |mut app| {
        with_inbox(&mut app, "").await;
        let names = ["ada", "bob", "cy", "dot", "eve"];
        for name in names {
            add(&app, &format!("{name}@reader.example")).await;
        }
        mail(&mut app, "one").await;
        let [ada, bob, dot, eve] = [
            token(&app, "ada@reader.example").await,
            token(&app, "bob@reader.example").await,
            token(&app, "dot@reader.example").await,
            token(&app, "eve@reader.example").await,
        ];
        let to_cy = app.digests().into_iter().find(|mail| mail.to == "cy@reader.example").unwrap().source;
        let leave = to_cy.split("subject=unsubscribe%20").nth(1).unwrap().split('>').next().unwrap();
        arrive(&app, "1.ada", &report(&ada, "ada@reader.example", "5.1.1"));
        arrive(&app, "2.bob", &complaint(&bob));
        arrive(
            &app,
            "3.cy",
            &format!("From: cy@reader.example\nTo: leave@news.example\nSubject: unsubscribe {leave}\n\n"),
        );
        arrive(&app, "4.dot", &report(&dot, "dot@reader.example", "5.7.1"));
        arrive(&app, "5.ada-again", &report(&ada, "ada@reader.example", "5.1.1"));
        arrive(&app, "6.forged", &report(&"0".repeat(52), "eve@reader.example", "5.1.1"));
        arrive(&app, "7.person", "From: eve@reader.example\nSubject: Please\n\nTake me off your list.\n");
        arrive(
            &app,
            "8.holiday",
            &format!("To: bounces+{eve}@bounce.news.example\nAuto-Submitted: auto-replied\n\nAway.\n"),
        );
        arrive(&app, ".9.hidden", "not a mail");
        receive(&app).await;
        assert_eq!(files(&app, "new"), [".9.hidden"]);
        assert_eq!(files(&app, "cur"), ["6.forged:2,", "7.person:2,"]);
        let why = async |name: &str| listed(&app, &format!("{name}@reader.example")).await.suppressed;
        assert_eq!(why("ada").await.as_deref(), Some("bounce"));
        assert_eq!(why("bob").await.as_deref(), Some("complaint"));
        assert_eq!((why("dot").await, why("eve").await), (None, None));
        assert_eq!(listed(&app, "cy@reader.example").await.subscription.state, State::Unsubscribed);

        let shown = &status(&app)["mailings"][0]["returns"];
        let times = |kind: bool, status: &str| {
            let entry = shown.as_array().unwrap().iter().find(|e| e["complaint"] == kind && e["status"] == status);
            entry.map(|entry| entry["times"].as_i64().unwrap())
        };
        assert_eq!(
            (times(false, "5.1.1"), times(false, "5.7.1"), times(true, "")),
            (Some(1), Some(1), Some(1)),
            "{shown}"
        );
        assert!(!shown.to_string().contains('@'), "{shown}");
        let metrics = app.get(&format!("{}/metrics", app.private)).await.body;
        assert!(metrics.contains("kind=\"bounce\"} 2\n") && metrics.contains("kind=\"complaint\"} 1\n"), "{metrics}");

        app.restart().await;
        arrive(&app, "10.ada-once-more", &report(&ada, "ada@reader.example", "5.1.1"));
        receive(&app).await;
        assert_eq!(status(&app)["mailings"][0]["returns"], *shown);
        mail(&mut app, "two").await;
        let books = app.mailings().await[0].books;
        assert!(books.balance() && (books.audience, books.accepted, books.skipped) == (4, 2, 2), "{books:?}");

        // An operator knows better.
        let run = |verb: &str, address: &str| {
            let output = tidings(app.directory.path())
                .args(["--config", "tidings.toml", "subscribers", verb, address])
                .output()
                .unwrap();
            (
                output.status.success(),
                String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
            )
        };
        let (ok, said) = run("unsuppress", "ada@reader.example");
        assert!(ok && said.contains("it was suppressed: bounce"), "{said}");
        let (ok, said) = run("unsuppress", "ada@reader.example");
        assert!(!ok && said.contains("is not suppressed"), "{said}");
        assert!(run("suppress", "eve@reader.example").0);
        mail(&mut app, "three").await;
        let newest = app.digests().into_iter().filter(|mail| mail.subject.contains("three"));
        let mut to: Vec<_> = newest.map(|mail| mail.to).collect();
        to.sort();
        assert_eq!(to, ["ada@reader.example", "dot@reader.example"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_receivers_share_an_inbox() {
    on_both(async |mut app| {
        with_inbox(&mut app, "").await;
        for number in 0..300 {
            add(&app, &format!("reader{number}@reader.example")).await;
        }
        mail(&mut app, "one").await;
        let mailing = app.mailings().await[0].mailing;
        let key = app.app().store.key();
        for listed in app.app().store.list(None, None, 1_000).await.unwrap() {
            let person = listed.subscription;
            let token = Verp::mint(key, mailing, person.bucket, person.subscriber).to_string();
            let address = person.address.unwrap().expose().to_owned();
            arrive(&app, &format!("1.{address}"), &report(&token, &address, "5.1.1"));
        }
        let now = app.clock.now();
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let receiver = app.app().receiver().unwrap();
                tokio::spawn(async move { while receiver.tick(now).await.unwrap() {} })
            })
            .collect();
        for receiver in receivers {
            receiver.await.unwrap();
        }
        assert_eq!((files(&app, "new").len(), files(&app, "cur").len()), (0, 0));
        let all = app.app().store.list(None, None, 1_000).await.unwrap();
        assert!(all.iter().all(|listed| listed.suppressed.as_deref() == Some("bounce")));
        assert_eq!(app.app().store.returns(&[mailing]).await.unwrap()[&mailing][0].times, 300);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_or_a_database_that_is_away_loses_no_report() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    with_inbox(&mut app, "").await;
    add(&app, "ada@reader.example").await;
    mail(&mut app, "one").await;
    let receiver = app.app().receiver().unwrap();
    arrive(&app, "1.ada", &report(&token(&app, "ada@reader.example").await, "ada@reader.example", "5.1.1"));

    std::fs::rename(app.path("inbox"), app.path("elsewhere")).unwrap();
    let error = receiver.tick(app.clock.now()).await.unwrap_err().to_string();
    assert!(error.contains("inbox is no Maildir") && error.contains("mkdir -p"), "{error}");
    std::fs::rename(app.path("elsewhere"), app.path("inbox")).unwrap();

    app.restart().await;
    assert!(receiver.tick(app.clock.now()).await.is_err(), "its database was closed");
    assert_eq!(files(&app, "new"), ["1.ada"], "the mail stays where it is");
    receive(&app).await;
    assert_eq!(files(&app, "new").len(), 0);
    assert_eq!(listed(&app, "ada@reader.example").await.suppressed.as_deref(), Some("bounce"));
}

/// A relay that takes everything, and a server behind it that refuses: the report is written by a real Postfix, and put into the inbox by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_returns_mail_and_the_program_acts_on_it() {
    let refusing = Script::default()
        .recipient("ada@far.example", Action::reply("550 5.1.1 <ada@far.example>: no such user here"))
        .recipient("bob@far.example", Action::reply("554 5.7.1 <bob@far.example>: we do not like you"));
    let far = Peer::start(refusing).await;
    let postfix = Postfix::start_with(&format!(
        "virtual_mailbox_domains = bounce.news.example, news.example\nvirtual_mailbox_maps = static:inbox/\n\
         transport_maps = inline:{{ far.example=smtp:[127.0.0.1]:{} }}\n",
        far.port()
    ));
    if !there(postfix.is_some(), "Postfix, or the right to start it,") {
        return;
    }
    let postfix = postfix.unwrap();
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    let relay = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"",
        postfix.port
    );
    with_inbox(&mut app, &relay).await;
    std::fs::remove_dir_all(app.path("inbox")).unwrap();
    for name in ["ada", "bob", "cy"] {
        add(&app, &format!("{name}@far.example")).await;
    }
    mail(&mut app, "one").await;
    let books = app.mailings().await[0].books;
    assert!(books.balance() && books.accepted == 3, "the relay took everything: {books:?}");
    eventually(Duration::from_secs(30), "one of three is delivered", async || far.count() == 1).await;

    // The program is started before the first bounce made the Maildir, and goes on when it is there.
    std::os::unix::fs::symlink(postfix.path("mail/inbox"), app.path("inbox")).unwrap();
    let log = std::fs::File::create(app.path("log")).unwrap();
    let child = tidings(app.directory.path())
        .args(["--config", "tidings.toml", "serve", "--roles", "receiver"])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut server = Process(child);
    let said = || std::fs::read_to_string(app.path("log")).unwrap();
    eventually(Duration::from_secs(60), "both reports are read", async || {
        said().matches("a mail came back").count() == 2
    })
    .await;
    assert_eq!(listed(&app, "ada@far.example").await.suppressed.as_deref(), Some("bounce"));
    for name in ["bob", "cy"] {
        assert_eq!(listed(&app, &format!("{name}@far.example")).await.suppressed, None, "{name}");
    }
    let shown = status(&app);
    let returns = &shown["mailings"][0]["returns"];
    assert_eq!((&returns[0]["status"], &returns[1]["status"]), (&"5.1.1".into(), &"5.7.1".into()), "{returns}");
    assert_eq!(returns[0]["example"], "5.1.1 (address) no such user here", "{returns}");
    let words = tidings(app.directory.path()).args(["--config", "tidings.toml", "status"]).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("  came back 1 x 5.1.1 (address) no such user here"), "{words}");

    // A reader's mail program unsubscribes through the same Postfix.
    let to_cy = String::from_utf8(far.committed().remove(0).bytes).unwrap();
    let leave = to_cy.split("subject=unsubscribe%20").nth(1).unwrap().split('>').next().unwrap();
    let request = format!("From: cy@far.example\r\nTo: leave@news.example\r\nSubject: unsubscribe {leave}\r\n\r\n\r\n");
    hand_over(&app, postfix.port, "leave@news.example", request).await;
    eventually(Duration::from_secs(60), "cy is unsubscribed", async || {
        listed(&app, "cy@far.example").await.subscription.state == State::Unsubscribed
    })
    .await;
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(30)).success());
    let left: Vec<PathBuf> =
        std::fs::read_dir(app.path("inbox/new")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?} {}", said());
}

/// Sends a mail as somebody's mail program does.
async fn hand_over(app: &TestApp, port: u16, to: &str, text: String) {
    use tidings::transport::{Content, Envelope, Transport};
    let mut mail = app.config().mail;
    mail.transport = tidings::config::Transport::Smtp(vec![crate::transport::relay(port)]);
    let mut connection = Transport::all(&mail)[0].connect().await.unwrap();
    let address = |text: &str| EmailAddress::parse(text).unwrap();
    let envelope = Envelope { from: address("cy@far.example"), to: address(to) };
    connection.round(None, Some(&envelope)).await;
    let content = Content::new(vec![tidings::message::fit::Piece::new(text)]).unwrap();
    let round = connection.round(Some(&content), None).await;
    assert_eq!(round.content.as_ref().map(|reply| reply.code), Some(250), "{round:?}");
    connection.quit().await;
}
