//! A crowd of confirmed subscribers, written straight into the tables: a test of the sender does not test subscribing.
#![allow(clippy::unwrap_used)] // a test's helper may fail the test

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tidings::chance::Chance;
use tidings::types::{EmailAddress, SubscriberId};

/// Rows of one statement.
const ROWS: usize = 500;

/// People of one transaction: a million in a single one would be a script of hundreds of megabytes.
const TRANSACTION: usize = 40 * ROWS;

/// Adds `reader0@reader.example` and so on, confirmed for a cadence before any mailing was opened.
pub async fn crowd(database: &str, buckets: u16, newsletter: &str, cadence: &str, people: usize) {
    crowd_of(database, buckets, newsletter, cadence, 0..people).await;
}

/// The same with the readers of these numbers.
pub async fn crowd_of(
    database: &str,
    buckets: u16,
    newsletter: &str,
    cadence: &str,
    numbers: impl IntoIterator<Item = usize>,
) {
    let chance = Chance::system();
    let person = |number: usize| {
        let address = EmailAddress::parse(&format!("reader{number}@reader.example")).unwrap();
        let id = SubscriberId::from_bytes(chance.bytes().unwrap());
        (address.key().bucket(buckets).number(), id, address.expose().to_owned())
    };
    let numbers: Vec<usize> = numbers.into_iter().collect();
    for numbers in numbers.chunks(TRANSACTION) {
        let people: Vec<_> = numbers.iter().copied().map(person).collect();
        add(database, newsletter, cadence, &people).await;
    }
}

async fn add(database: &str, newsletter: &str, cadence: &str, people: &[(u16, SubscriberId, String)]) {
    let mut script = String::from("BEGIN;\n");
    for people in people.chunks(ROWS) {
        let rows =
            |row: &dyn Fn(&(u16, SubscriberId, String)) -> String| people.iter().map(row).collect::<Vec<_>>().join(",");
        let persons = rows(&|(bucket, id, address)| format!("({bucket},'{id}','{address}','{address}',0)"));
        let subscriptions =
            rows(&|(bucket, id, _)| format!("({bucket},'{id}','{newsletter}','{cadence}','confirmed',1,'{{}}',0,0)"));
        let memberships =
            rows(&|(bucket, id, _)| format!("({bucket},'{newsletter}','{cadence}','{id}',0,9223372036854775807)"));
        script += &format!(
            "INSERT INTO subscriber (bucket, subscriber_id, address, address_key, created_at) VALUES {persons};\n\
             INSERT INTO subscription (bucket, subscriber_id, newsletter, cadence, state, request, fields, requested_at, \
             confirmed_at) VALUES {subscriptions};\n\
             INSERT INTO membership (bucket, newsletter, cadence, subscriber_id, joined_after, left_after) \
             VALUES {memberships};\n"
        );
    }
    script.push_str("COMMIT;");
    run(database, script).await;
}

/// Runs a script behind the store's back.
pub async fn run(database: &str, script: String) {
    if database.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(database).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The one number that a query gives.
pub async fn count(database: &str, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    if database.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(database).await.unwrap();
        sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
    } else {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
    }
}
