//! Mail as files.

use tidings::config;
use tidings::transport::{Outbox, Transport, TransportError};

use super::{announced, answered, code, content, mail, to};

fn eml(id: &str, text: &str) -> Vec<u8> {
    format!("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <{id}@example.org>\r\n\r\n{text}\r\n").into_bytes()
}

#[tokio::test]
async fn the_outbox_holds_each_message_once_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(directory.path().join("out/box"));
    assert!(outbox.list().await.unwrap().is_empty());
    let transport = Transport::all(&mail(config::Transport::Outbox(outbox.directory.clone()))).remove(0);
    let mut connection = transport.connect().await.unwrap();
    announced(&mut connection, 0).await;
    for (id, text) in
        [("0000000000000000aaaa", "one"), ("0000000000000001aaaa", "two"), ("0000000000000000aaaa", "again")]
    {
        let round = connection.round(Some(&content(eml(id, text))), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"), "{round:?}");
    }
    let names = outbox.list().await.unwrap();
    assert_eq!(names, ["20270115T080000Z-0000000000000001.eml", "20270115T080000Z-0000000000000000.eml"]);
    let read = outbox.read(&names[1]).await.unwrap().unwrap();
    assert_eq!(read.bytes, eml("0000000000000000aaaa", "again"));
    assert_eq!(std::fs::read_dir(&outbox.directory).unwrap().count(), 2, "no drafts are left");
    std::fs::write(directory.path().join("out/secret.eml"), "x").unwrap();
    for name in ["../secret.eml", "", ".", "20270115T080000Z-0000000000000009.eml"] {
        assert!(outbox.read(name).await.unwrap().is_none(), "{name}");
    }
    connection.quit().await;
}

#[tokio::test]
async fn an_outbox_that_cannot_be_written_says_so_and_leaves_nothing_in_doubt() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "x").unwrap();
    let transport = Transport::all(&mail(config::Transport::Outbox(directory.path().join("file")))).remove(0);
    let mut connection = transport.connect().await.unwrap();
    announced(&mut connection, 0).await;
    let round = connection.round(Some(&content(eml("0000000000000000aaaa", "one"))), None).await;
    assert_eq!(code(&round), Some(451));
    assert!(matches!(round.broken, Some(TransportError::Write { .. })), "{round:?}");
}
