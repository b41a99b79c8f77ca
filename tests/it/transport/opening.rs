//! Opening a session: who refuses whom, TLS, logging in.

use std::time::Duration;

use tidings::config::{Login, Smtp, Tls};
use tidings::delivery::Phase;
use tidings::transport::TransportError;
use tidings::types::Secret;

use super::{announced, answered, code, connect, message, relay, to};
use crate::smtp::{Action, Peer, Said, Script};
use crate::tls::self_signed;

#[tokio::test]
async fn a_relay_that_refuses_us_is_told_from_one_that_is_not_there() {
    for (script, expected) in [
        (Script::default().on(Said::Connect, Action::reply("554 5.7.1 not you")), Some(554)),
        (Script::default().on(Said::Connect, Action::reply("421 4.3.2 busy")), Some(421)),
        (Script::default().on(Said::Hello, Action::reply("550 5.7.1 what a name")), Some(550)),
        (Script::default().on(Said::Connect, Action::Drop), None),
        (Script::default().on(Said::Hello, Action::Drop), None),
    ] {
        let peer = Peer::start(script).await;
        let error = connect(relay(peer.port())).await.unwrap_err();
        match expected {
            Some(code) => {
                assert!(matches!(&error, TransportError::Refused { reply, .. } if reply.code == code), "{error}")
            }
            None => assert!(matches!(error, TransportError::Connect { .. }), "{error}"),
        }
    }
    let closed = Peer::start(Script::default()).await.port();
    let error = connect(relay(closed)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Connect { .. }) && error.to_string().contains(&closed.to_string()),
        "{error}"
    );
    let silent = Peer::start(Script::default().on(Said::Connect, Action::Hang)).await;
    let error = connect(Smtp { timeout: Duration::from_millis(100), ..relay(silent.port()) }).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { phase: Phase::Connect, .. }), "{error}");
}

fn ada(password: &str) -> Login {
    Login::Password { user: "ada".to_owned(), password: Secret::new(password) }
}

fn login(mechanisms: &str) -> Script {
    Script { login: Some((mechanisms.into(), "ada".into(), "secret".into())), ..Script::default() }
}

#[tokio::test]
async fn a_login_is_plain_or_login_and_a_wrong_one_is_a_refusal() {
    let user = |password: &str| Some(ada(password));
    for mechanisms in ["PLAIN LOGIN", "LOGIN", "PLAIN", "XOAUTH2 LOGIN"] {
        let peer = Peer::start(login(mechanisms)).await;
        let mut connection = connect(Smtp { login: user("secret"), ..relay(peer.port()) }).await.unwrap();
        announced(&mut connection, 0).await;
        let error = connect(Smtp { login: user("guess"), ..relay(peer.port()) }).await.unwrap_err();
        assert!(matches!(&error, TransportError::Refused { reply, .. } if reply.code == 535), "{error}");
        assert!(!format!("{error} {error:?}").contains("guess"));
    }
    let peer = Peer::start(login("CRAM-MD5")).await;
    let error = connect(Smtp { login: user("secret"), ..relay(peer.port()) }).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect { .. }), "{error}");
    assert!(!peer.lines().iter().any(|line| line.starts_with("AUTH")));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_said() {
    let (acceptor, _) = self_signed();
    let localhost = |port, tls| Smtp { host: "localhost".into(), tls, login: Some(ada("s")), ..relay(port) };
    let peer = Peer::start(Script { starttls: Some(acceptor.clone()), ..login("PLAIN") }).await;
    let error = connect(localhost(peer.port(), Tls::Starttls)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Connect { why, .. } if why.contains("TLS")), "{error}");
    assert_eq!(peer.clear(), ["EHLO sender.example", "STARTTLS"]);
    let peer = Peer::start(Script { implicit: Some(acceptor), ..login("PLAIN") }).await;
    let error = connect(localhost(peer.port(), Tls::Implicit)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Connect { why, .. } if why.contains("TLS")), "{error}");
    assert!(peer.lines().is_empty());
}

#[tokio::test]
async fn no_starttls_means_no_mail() {
    let offered = Script { starttls: Some(self_signed().0), ..login("PLAIN") };
    for script in [login("PLAIN"), offered.on(Said::Starttls, Action::reply("454 4.7.0 not now"))] {
        let peer = Peer::start(script).await;
        let config = Smtp { tls: Tls::Starttls, login: Some(ada("s")), ..relay(peer.port()) };
        assert!(connect(config).await.is_err());
        assert!(!peer.lines().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn plain_text_does_not_leave_the_machine() {
    // TEST-NET-1 (RFC 5737): if this tried to connect, it would hang until the deadline.
    let error = connect(Smtp { host: "192.0.2.1".into(), ..relay(25) }).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}

/// Runs the ignored test `name` of this program in a process that trusts `pem`.
fn trusting(pem: &str, name: &str, port: u16) -> std::process::Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("roots.pem");
    std::fs::write(&file, pem).unwrap();
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name])
        .env("SSL_CERT_FILE", &file)
        .env("TIDINGS_TEST_PORT", port.to_string())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_through_tls_when_the_certificate_is_trusted() {
    let (acceptor, pem) = self_signed();
    for (script, name) in [
        (
            Script { implicit: Some(acceptor.clone()), ..login("PLAIN") },
            "transport::opening::child_sends_over_implicit_tls",
        ),
        // Someone in the middle answers the EHLO inside TLS before it starts, and offers nothing (CVE-2011-0411).
        (
            Script { starttls: Some(acceptor.clone()), ..login("PLAIN") }
                .on(Said::Starttls, Action::reply("220 go\r\n250 forged.example\r\n250 forged.example")),
            "transport::opening::child_sends_over_starttls",
        ),
    ] {
        let peer = Peer::start(script).await;
        let (pem, port) = (pem.clone(), peer.port());
        let child = tokio::task::spawn_blocking(move || trusting(&pem, name, port)).await.unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert_eq!(peer.committed().len(), 2, "{:?}", peer.lines());
        assert!(!peer.clear().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
    }
}

#[allow(clippy::disallowed_methods)] // the port comes from the parent test
async fn child(tls: Tls) {
    let port = std::env::var("TIDINGS_TEST_PORT").unwrap().parse().unwrap();
    let login = Some(ada("secret"));
    let mut connection = connect(Smtp { host: "localhost".into(), tls, login, ..relay(port) }).await.unwrap();
    announced(&mut connection, 0).await;
    let round = connection.round(Some(&message(0)), Some(&to(1))).await;
    assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"));
    assert_eq!(code(&connection.round(Some(&message(1)), None).await), Some(250));
    connection.quit().await;
}

#[tokio::test]
#[ignore = "run by mail_goes_through_tls_when_the_certificate_is_trusted"]
async fn child_sends_over_implicit_tls() {
    child(Tls::Implicit).await;
}

#[tokio::test]
#[ignore = "run by mail_goes_through_tls_when_the_certificate_is_trusted"]
async fn child_sends_over_starttls() {
    child(Tls::Starttls).await;
}
