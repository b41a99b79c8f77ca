//! LMTP as Dovecot speaks it, over its Unix socket and over TCP.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tidings::config::{Protocol, Smtp};
use tidings::transport::Announced;

use super::{answered, code, connect, content, envelope, message, relay};
use crate::harness::{Process, eventually, there};

/// A Dovecot that takes mail for everyone except those whose mailbox is full.
struct Dovecot {
    directory: tempfile::TempDir,
    port: u16,
    _process: Process,
}

/// `None` where Dovecot is not installed, or cannot be started because this is not root.
async fn dovecot() -> Option<Dovecot> {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !there(root && Path::new("/usr/lib/dovecot/lmtp").exists(), "Dovecot's LMTP server, or root to start it,") {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "protocols = lmtp\nbase_dir = {at}/run\nstate_dir = {at}/state\nlog_path = {at}/log\nssl = no\n\
         hostname = mail.example\nmail_location = maildir:{at}/mail/%u\nfirst_valid_uid = 1\n\
         mail_plugins = quota\nplugin {{\n quota = maildir:User quota\n quota_rule = *:storage=100K\n}}\n\
         passdb {{\n driver = static\n args = nopassword=y\n}}\n\
         userdb {{\n driver = static\n args = uid=65534 gid=65534 home={at}/mail/%u allow_all_users=yes\n}}\n\
         service lmtp {{\n unix_listener {at}/lmtp {{\n  mode = 0666\n }}\n\
         inet_listener lmtp {{\n  address = 127.0.0.1\n  port = {port}\n }}\n}}\n\
         protocol lmtp {{\n mail_plugins = $mail_plugins quota\n}}\n"
    );
    std::fs::write(directory.path().join("dovecot.conf"), config).unwrap();
    std::fs::create_dir(directory.path().join("mail")).unwrap();
    // Dovecot delivers as nobody.
    let open = Command::new("chmod").args(["0777"]).arg(directory.path().join("mail")).arg(directory.path()).status();
    assert!(open.unwrap().success());
    let process = Command::new("dovecot")
        .args(["-F", "-c"])
        .arg(directory.path().join("dovecot.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Dovecot { directory, port, _process: Process(process) };
    let socket = started.socket();
    eventually(Duration::from_secs(20), "Dovecot listens", async || {
        tokio::net::UnixStream::connect(&socket).await.is_ok()
    })
    .await;
    Some(started)
}

impl Dovecot {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("lmtp")
    }

    fn delivered(&self, user: &str) -> usize {
        let inbox = self.directory.path().join("mail").join(user).join("new");
        std::fs::read_dir(inbox).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn dovecot_takes_mail_by_lmtp_and_says_whose_mailbox_is_full() {
    let Some(server) = dovecot().await else { return };
    let by_socket = Smtp { protocol: Protocol::Lmtp, socket: Some(server.socket()), port: 1, ..relay(1) };
    let by_port = Smtp { protocol: Protocol::Lmtp, ..relay(server.port) };
    let large = format!("Subject: large\r\n\r\n{}", "a line of text\r\n".repeat(10_000));
    let large = content(large);
    for (way, config) in [("socket", by_socket), ("port", by_port)] {
        let mut connection = connect(config).await.unwrap();
        let [ada, bob] = ["ada", "bob"].map(|name| envelope(&format!("{name}-{way}@example.com")));
        let round = connection.round(None, Some(&ada)).await;
        assert_eq!(round.envelope, Some(Announced::Ready), "{way}: {round:?}");
        let round = connection.round(Some(&message(1)), Some(&bob)).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"), "{way}: {round:?}");
        // Over the quota: the reply after the dot is about the mailbox.
        let round = connection.round(Some(&large), Some(&ada)).await;
        let full = round.content.clone().unwrap();
        assert!((full.code, full.enhanced) == (552, Some((5, 2, 2))), "{way}: {round:?}");
        let round = connection.round(Some(&message(2)), None).await;
        assert_eq!(code(&round), Some(250), "{way}: {round:?}");
        connection.quit().await;
        assert_eq!(server.delivered(&format!("ada-{way}@example.com")), 2);
        assert_eq!(server.delivered(&format!("bob-{way}@example.com")), 0);
    }
}
