//! Opening a database of either kind, and saying in words why it does not open.
//!
//! No message holds a password: the database is named by its file, or by user, host and name.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::sql::{Fault, Pool, StoreError, in_words};
use crate::types::Secret;

/// How long a writer of another process is waited for.
const BUSY: Duration = Duration::from_secs(10);
/// How long a server may take to answer before it counts as silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections to PostgreSQL that read: enough for the web face and the other roles of one process.
const PG_READERS: u32 = 8;
/// Connections to PostgreSQL that write.
const PG_WRITERS: u32 = 4;
/// Rows that SQLite's thread hands over before it waits. With the fifty that sqlx takes unless told, reading the ten thousand issues
/// of an archive was mostly two threads waking each other.
const ROWS: usize = 1_000;
/// What each SQLite connection keeps of the file in memory, in KiB. SQLite's own 2 MiB do not hold what a batch of five thousand people
/// needs: every page was read again for each commit.
const CACHE: &str = "-8000";
/// Readers beside SQLite's one writer.
const READERS: u32 = 4;
/// A connection that rested longer is asked whether it still lives before it is used, so that a restarted server costs one failure and
/// not one for each connection. Asking each time would cost every transaction of a busy sender a round trip.
const RESTED: Duration = Duration::from_millis(100);
/// How long PostgreSQL keeps a transaction whose client says nothing, and with it its locks: a node that hangs in the middle of one would
/// hold up its batch for everybody else until it wakes up. Shorter than a lease, so that a batch that can be taken over is not locked.
const SILENT: Duration = Duration::from_secs(15);

/// Opens `sqlite:PATH` or `postgres://...`. The schema is not looked at.
pub(super) async fn open(url: &Secret) -> Result<Pool, StoreError> {
    let text = url.expose();
    if let Some(path) = text.strip_prefix("sqlite:") {
        return sqlite(path.strip_prefix("//").unwrap_or(path)).await;
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return postgres(text).await;
    }
    Err(StoreError::Open {
        what: "the database".into(),
        why: "its URL starts with neither sqlite: nor postgres://".into(),
        remedy: "Write sqlite:PATH, or postgres://USER:PASSWORD@HOST/NAME.".into(),
    })
}

async fn sqlite(path: &str) -> Result<Pool, StoreError> {
    let refuse = |why: &str, remedy: &str| StoreError::Open {
        what: format!("the SQLite database {path}"),
        why: why.into(),
        remedy: remedy.into(),
    };
    if path.is_empty() || path.contains('?') || path.starts_with(':') {
        return Err(refuse("that is not the path of a file", "Write sqlite:PATH, without options."));
    }
    create(Path::new(path)).await.map_err(|error| {
        refuse(&error.to_string(), "Name a file in a directory that this user may write to, or change its owner.")
    })?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .row_buffer_size(ROWS)
        .pragma("cache_size", CACHE)
        .disable_statement_logging();
    let writer = options.clone().journal_mode(SqliteJournalMode::Wal);
    let reader = options.pragma("query_only", "1");
    let lasting = || SqlitePoolOptions::new().test_before_acquire(false).idle_timeout(None).max_lifetime(None);
    // The change to WAL does not wait for a lock however long the timeout is, so two processes that create the file at the
    // same time need a second try.
    let mut tries = 0;
    let write = loop {
        let one = lasting().max_connections(1).acquire_timeout(6 * BUSY).before_acquire(|connection, _| {
            // A full disk makes SQLite roll back by itself; sqlx then fails to, and counts the transaction as open for ever.
            let usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        });
        match one.connect_with(writer.clone()).await {
            Ok(pool) => break pool,
            Err(error) => match Fault::from(error) {
                Fault::Again(_) if tries < 20 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Fault::Again(error) | Fault::Database(error) => {
                    let (why, remedy) = sqlite_words(&error);
                    return Err(refuse(&why, remedy));
                }
                Fault::Store(error) => return Err(error),
            },
        }
    };
    Ok(Pool::Sqlite { read: lasting().max_connections(READERS).connect_lazy_with(reader), write })
}

/// Makes the directory and, readable by its owner only, the file: it holds addresses and the install's key.
async fn create(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    let mut file = tokio::fs::OpenOptions::new();
    #[cfg(unix)]
    file.mode(0o600);
    file.create(true).append(true).open(path).await.map(|_| ())
}

fn sqlite_words(error: &sqlx::Error) -> (String, &'static str) {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i64>().ok()).unwrap_or(0);
    match code & 0xff {
        26 => (
            "the file is not a SQLite database".into(),
            "Name another file, or move this one away to start with an empty database.",
        ),
        5 | 6 => ("another program keeps it locked".into(), "Stop the other program, or wait for it."),
        8 | 14 => (in_words(error), "See that this user may read and write the file and its directory."),
        11 => (in_words(error), "The file is damaged: restore it from a backup."),
        _ => (in_words(error), "See that the file can be read and written, and that the disk is not full."),
    }
}

async fn postgres(url: &str) -> Result<Pool, StoreError> {
    // The parser's error is not repeated: it may quote the URL.
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Open {
        what: "the PostgreSQL database".into(),
        why: "its URL cannot be read".into(),
        remedy: "Write postgres://USER:PASSWORD@HOST/NAME; percent-encode special characters of the password.".into(),
    })?;
    let options = options.application_name("tidings").disable_statement_logging();
    let what = format!(
        "the PostgreSQL database {} of {} at {}:{}",
        options.get_database().unwrap_or("(default)"),
        options.get_username(),
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string()),
        options.get_port()
    );
    // One connection by hand first: a pool hides why it gets none behind its own timeout.
    let first = tokio::time::timeout(PATIENCE, options.connect()).await;
    let trouble = match first {
        Ok(Ok(connection)) => connection.close().await.err(),
        Ok(Err(error)) => Some(error),
        Err(_) => Some(sqlx::Error::PoolTimedOut),
    };
    if let Some(error) = trouble {
        let (why, remedy) = postgres_words(&error);
        return Err(StoreError::Open { what, why, remedy: remedy.into() });
    }
    let lasting = |connections| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            // A statement, since PgBouncer refuses such settings in the first packet.
            .after_connect(|connection, _| {
                let sql = format!("SET idle_in_transaction_session_timeout = {}", SILENT.as_millis());
                Box::pin(async move { connection.execute(AssertSqlSafe(sql)).await.map(|_| ()) })
            })
            .before_acquire(|connection, resting| {
                Box::pin(async move {
                    if resting.idle_for > RESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    };
    let read = lasting(PG_READERS).connect_lazy_with(options.clone());
    Ok(Pool::Postgres { read, write: lasting(PG_WRITERS).connect_lazy_with(options) })
}

fn postgres_words(error: &sqlx::Error) -> (String, &'static str) {
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default();
    match (&*code, error) {
        ("28P01" | "28000", _) => {
            ("the server refuses this user or password".into(), "See the user and password in database.url.")
        }
        ("3D000", _) => ("there is no such database on the server".into(), "Create it with: createdb NAME."),
        ("53300", _) => ("the server has no connection left".into(), "Raise its max_connections, or stop other users."),
        ("57P03", _) => ("the server is starting or stopping".into(), "Try again in a moment."),
        (_, sqlx::Error::PoolTimedOut) => (
            format!("the server does not answer within {} s", PATIENCE.as_secs()),
            "See that host and port are right and that no firewall is in between.",
        ),
        (_, sqlx::Error::Io(error)) => {
            (format!("the server does not answer: {error}"), "Start it, or correct host and port in database.url.")
        }
        (_, sqlx::Error::Tls(error)) => {
            (format!("TLS failed: {error}"), "Correct the server's certificate, or sslmode in database.url.")
        }
        _ => (in_words(error), "See the server's log for more."),
    }
}
