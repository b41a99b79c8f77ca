//! LMTP, XOAUTH2, BDAT, and a relay that does not read.

use std::path::PathBuf;
use std::time::Duration;

use tidings::config::{Login, Protocol, Smtp};
use tidings::delivery::Phase;
use tidings::transport::TransportError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;

use super::{announced, answered, code, connect, content, envelope, message, relay, to};
use crate::smtp::{Action, Peer, Said, Script};

#[tokio::test]
async fn a_token_is_read_from_its_file_at_each_login() {
    let peer = Peer::start(Script {
        login: Some(("PLAIN XOAUTH2".into(), "ada".into(), "fresh".into())),
        ..Script::default()
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let with = |path: PathBuf| Smtp { login: Some(Login::Token { user: "ada".into(), path }), ..relay(peer.port()) };
    let error = connect(with(path.clone())).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    std::fs::write(&path, "\n").unwrap();
    let error = connect(with(path.clone())).await.unwrap_err();
    assert!(error.to_string().contains("the file is empty"), "{error}");
    // The relay says 334 with its reason, and refuses after our empty line.
    std::fs::write(&path, "stale\n").unwrap();
    let error = connect(with(path.clone())).await.unwrap_err();
    assert!(matches!(&error, TransportError::Refused { reply, .. } if reply.code == 535), "{error}");
    assert!(!format!("{error} {error:?}").contains("stale"));
    std::fs::write(&path, "fresh\n").unwrap();
    let mut connection = connect(with(path.clone())).await.unwrap();
    announced(&mut connection, 0).await;
    assert_eq!(code(&connection.round(Some(&message(0)), None).await), Some(250));
    let plain =
        Peer::start(Script { login: Some(("PLAIN".into(), "ada".into(), "fresh".into())), ..Script::default() });
    let error = connect(Smtp { port: plain.await.port(), ..with(path) }).await.unwrap_err();
    assert!(error.to_string().contains("no AUTH XOAUTH2"), "{error}");
}

#[tokio::test]
async fn lmtp_greets_in_its_own_way_and_answers_for_the_mailbox() {
    let full = Script { lmtp: true, ..Script::default() }
        .at(Said::Content, "r1@example.com", 1, Action::reply("552 5.2.2 mailbox full"))
        .recipient("r2@example.com", Action::reply("550 5.1.1 no such user"));
    let peer = Peer::start(full).await;
    let mut connection = connect(Smtp { protocol: Protocol::Lmtp, ..relay(peer.port()) }).await.unwrap();
    assert_eq!(connection.answers_for(), Phase::Mailbox);
    announced(&mut connection, 0).await;
    let round = connection.round(Some(&message(0)), Some(&to(1))).await;
    assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"));
    // A line of a content that begins like a greeting is a line of a content.
    let round = connection.round(Some(&content("Subject: 1\r\n\r\nEHLO there\r\n")), Some(&to(2))).await;
    assert_eq!((code(&round), answered(&round).as_str()), (Some(552), "Recipient 550"));
    announced(&mut connection, 3).await;
    assert_eq!(code(&connection.round(Some(&content("EHLO: 3\r\n\r\nx\r\n")), None).await), Some(250));
    connection.quit().await;
    assert_eq!(peer.committed()[1].bytes, b"EHLO: 3\r\n\r\nx\r\n");
    assert!(peer.lines().iter().all(|line| !line.starts_with("EHLO")), "{:?}", peer.lines());
    // A relay that speaks SMTP is no server of ours.
    let smtp = Peer::start(Script::default()).await;
    let error = connect(Smtp { protocol: Protocol::Lmtp, ..relay(smtp.port()) }).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn bdat_carries_a_content_as_it_is_where_it_is_offered_and_wanted() {
    let dots = b"Subject: dots\r\n\r\n.\r\n..\r\n.\r\nQUIT\r\n".as_slice();
    for (offered, wanted, pipelining) in
        [(true, true, true), (true, true, false), (true, false, true), (false, true, true)]
    {
        let script = Script { chunking: offered, pipelining, ..Script::default() }
            .at(Said::Content, "r2@example.com", 1, Action::reply("554 5.6.0 no"))
            .recipient("r3@example.com", Action::reply("550 5.1.1 no such user"));
        let peer = Peer::start(script).await;
        let mut connection = connect(Smtp { chunking: wanted, ..relay(peer.port()) }).await.unwrap();
        announced(&mut connection, 0).await;
        let mut seen = Vec::new();
        for n in 1..=3 {
            let round = connection.round(Some(&content(dots)), Some(&to(n))).await;
            assert!(round.broken.is_none(), "{round:?}");
            seen.push((code(&round), answered(&round)));
        }
        let all = [(250, "ready"), (250, "ready"), (554, "Recipient 550")];
        assert_eq!(seen, all.map(|(code, envelope)| (Some(code), envelope.to_owned())), "{offered} {wanted}");
        announced(&mut connection, 4).await;
        assert_eq!(code(&connection.round(Some(&content(dots)), None).await), Some(250));
        connection.quit().await;
        let committed = peer.committed();
        assert!(committed.len() == 3 && committed.iter().all(|one| one.bytes == dots), "{committed:?}");
        let used = peer.lines().iter().filter(|line| **line == format!("BDAT {} LAST", dots.len())).count();
        assert_eq!(used, if offered && wanted { 4 } else { 0 });
    }
}

#[tokio::test]
async fn a_relay_that_does_not_read_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let deaf = tokio::spawn(async move {
        let mut stream = BufStream::new(listener.accept().await.unwrap().0);
        stream.write_all(b"220 deaf\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut line = String::new();
        while line != "DATA\r\n" {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            stream.write_all(if line == "DATA\r\n" { b"354 go\r\n" } else { b"250 ok\r\n" }).await.unwrap();
            stream.flush().await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    });
    let mut connection = connect(relay(port)).await.unwrap();
    let round = connection.round(None, Some(&envelope("r@example.com"))).await;
    assert_eq!(answered(&round), "ready", "{round:?}");
    // More than the system's buffers hold.
    let large = content("a line that nobody reads\r\n".repeat(1_000_000));
    let round = tokio::time::timeout(Duration::from_secs(90), connection.round(Some(&large), None)).await;
    let round = round.expect("a mailing must not wait ten minutes for it");
    assert!(matches!(&round.broken, Some(TransportError::Lost(why)) if why.contains("bytes a second")), "{round:?}");
    assert!(round.content.is_none());
    deaf.abort();
}
