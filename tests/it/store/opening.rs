//! Opening a database: what is made once, what two nodes agree on, and what is said when it does not open.

use tidings::chance::Chance;
use tidings::store::{Store, StoreError};
use tidings::types::{Confirm, Scope, Secret, Token};

use crate::store::world::World;

on_both! {
    what_the_first_open_fixed_stays
    nodes_that_start_at_once_agree
    a_database_of_the_version_before_is_brought_up_to_date
    a_schema_from_the_future_is_refused
    a_store_that_is_open_answers
}

async fn what_the_first_open_fixed_stays(w: World) {
    let person = w.add("ada@example.org").await;
    let scope = Scope { newsletter: &w.newsletter, bucket: person.bucket, subscriber: person.id, request: 1 };
    let token = Token::<Confirm>::mint(w.store.key(), &scope);
    w.store.close().await;
    let again = w.another().await;
    assert!(token.answers(again.key(), &scope), "the key changed");
    assert_eq!(again.buckets(), w.store.buckets());
    assert_eq!(i64::from(again.buckets()), w.count("SELECT COUNT(*) FROM bucket").await);
    assert_eq!(again.subscriptions(&w.newsletter, person.bucket, person.id).await.unwrap().len(), 1);
}

async fn nodes_that_start_at_once_agree(w: World) {
    let schema = concat!(
        include_str!("../../../migrations/0001_first.sql"),
        include_str!("../../../migrations/0002_returned.sql")
    );
    let tables = schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
    for table in tables.chain(["migration"]) {
        w.sql(&format!("DROP TABLE {table}")).await;
    }
    w.store.close().await;
    let nodes: Vec<_> = (0..5)
        .map(|_| {
            let url = w.url.clone();
            tokio::spawn(async move { Store::open(&url, &Chance::system()).await.unwrap() })
        })
        .collect();
    let mut keys = Vec::new();
    for node in nodes {
        keys.push(node.await.unwrap().key().mac(&[b"the same"]));
    }
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "nodes made different keys");
    assert_eq!(w.count("SELECT COUNT(*) FROM migration").await, 2);
}

async fn a_database_of_the_version_before_is_brought_up_to_date(w: World) {
    let person = w.add("ada@example.org").await;
    w.sql("DROP TABLE returned").await;
    w.sql("DELETE FROM migration WHERE version = 2").await;
    w.store.close().await;
    let upgraded = w.another().await;
    assert_eq!(upgraded.subscriptions(&w.newsletter, person.bucket, person.id).await.unwrap().len(), 1);
    assert_eq!(w.count("SELECT COUNT(*) FROM returned").await, 0);
    assert_eq!(w.count("SELECT MAX(version) FROM migration").await, 2);
}

async fn a_schema_from_the_future_is_refused(w: World) {
    w.sql("INSERT INTO migration (version, applied_at) VALUES (999, 0)").await;
    let error = Store::open(&w.url, &w.chance).await.unwrap_err().to_string();
    assert!(error.contains("its schema has version 999") && error.contains("Run the newer version"), "{error}");
}

async fn a_store_that_is_open_answers(w: World) {
    w.store.ping().await.unwrap();
    w.store.close().await;
    assert!(w.store.ping().await.is_err());
}

async fn refusal(url: &str) -> String {
    match Store::open(&Secret::new(url), &Chance::system()).await {
        Err(error @ StoreError::Open { .. }) => error.to_string(),
        other => panic!("{url} gave {other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_says_so_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("letter.txt");
    let text = "Dear reader, ".repeat(1_000);
    std::fs::write(&file, &text).unwrap();
    let error = refusal(&format!("sqlite:{}", file.display())).await;
    assert!(error.contains("the file is not a SQLite database") && error.contains("letter.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_missing_directory_is_made_and_the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a/b/tidings.db");
    for url in [format!("sqlite:{}", file.display()), format!("sqlite://{}", file.display())] {
        Store::open(&Secret::new(url), &Chance::system()).await.unwrap().close().await;
    }
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!directory.path().join("a/b/tidings.db-wal").exists(), "closing folds the log into the file");
}

#[tokio::test]
async fn a_path_that_cannot_be_says_why() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let error = refusal(&format!("sqlite:{}/file/tidings.db", directory.path().display())).await;
    assert!(error.contains("cannot be opened") && error.contains("Name a file in a directory"), "{error}");
    for url in ["sqlite:", "sqlite::memory:", "sqlite:x.db?mode=rwc", "mysql://root@localhost/x", "x.db"] {
        let error = refusal(url).await;
        assert!(error.contains("sqlite:PATH"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_says_so_without_the_password() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&format!("postgres://tidings:hunter2@127.0.0.1:{port}/news")).await;
    assert!(error.contains("the server does not answer") && error.contains(&port.to_string()), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = refusal("postgres://tidings:hunter2@[").await;
    assert!(error.contains("its URL cannot be read") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_says_what_is_wrong() {
    let Some(url) = crate::postgres::fresh_database("").await else { return };
    let stranger = url.replace("tidings@", "stranger:hunter2@");
    let error = refusal(&stranger).await;
    assert!(error.contains("refuses this user or password") && !error.contains("hunter2"), "{error}");
    let nowhere = url.replace("/test_", "/nowhere_");
    let error = refusal(&nowhere).await;
    assert!(error.contains("no such database") && error.contains("createdb"), "{error}");
}

#[tokio::test]
async fn a_database_that_sorts_by_a_language_is_refused() {
    let options = "TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'cs'";
    let Some(url) = crate::postgres::fresh_database(options).await else { return };
    let error = refusal(&url).await;
    assert!(error.contains("sorts text by the rules of a language") && error.contains("LOCALE 'C'"), "{error}");
}
