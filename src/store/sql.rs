//! The seam: one pool of either kind, one statement text for both.
//!
//! Statements are static, or assembled from static parts; every value is bound to a `$n` marker. With the opening of the database, these words
//! in a statement are all that differs between the two: `{clock}`, the database's clock in milliseconds; `{rows $n} AS v`, a table
//! with one row, `v.value`, for each in the JSON list that is bound to `$n` (`v.value ->> 0` is its first column, as text or number); and
//! `{clustered}` behind a table that is kept in the order of its primary key.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

pub(super) use super::fault::{Fault, StoreError, in_words};
use super::row::Row;
pub(super) use super::value::{Value, args, rows};

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    /// One write connection, since SQLite has one writer anyway and queueing here is fair; several readers beside it.
    Sqlite { read: SqlitePool, write: SqlitePool },
    /// A pool uses its connections in turns, and each has a server process of its own: few that write, so that the ledger's statements find
    /// them warm.
    Postgres { read: PgPool, write: PgPool },
}

/// A write transaction: `BEGIN IMMEDIATE` on SQLite, READ COMMITTED on PostgreSQL.
pub(super) struct Tx {
    kind: Kind,
    undo: bool,
}

enum Kind {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// How often a transaction that lost to another is tried. The waits add up to about two and a half seconds.
const TRIES: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(5);

macro_rules! query {
    ($database:ty, $sql:expr, $args:expr) => {{
        let mut query = sqlx::query::<$database>(AssertSqlSafe($sql));
        for value in $args {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
            };
        }
        query
    }};
}

/// Runs an expression in a write transaction and commits it; again from the start when another transaction was in the way. The
/// expression must therefore have no effect outside its transaction. A macro, because the future of an async closure that
/// borrows cannot be shown to be `Send` for every lifetime, which spawning needs.
macro_rules! write {
    ($pool:expr, |$tx:ident| $work:expr) => {{
        let mut tries = $crate::store::sql::Tries::default();
        loop {
            let result = match $pool.begin().await {
                Ok(mut own) => {
                    let $tx = &mut own;
                    let result = $crate::store::sql::work(async { $work }).await;
                    own.end(result).await
                }
                Err(fault) => Err(fault),
            };
            match result {
                Err(fault) if tries.again(&fault).await => {}
                result => break result.map_err($crate::store::StoreError::from),
            }
        }
    }};
}
pub(super) use write;

/// Fixes the types of a transaction's work.
pub(super) fn work<T, F: Future<Output = Result<T, Fault>>>(work: F) -> F {
    work
}

/// Counts the tries of one transaction.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Whether to try again, after a wait that doubles.
    pub(super) async fn again(&mut self, fault: &Fault) -> bool {
        self.0 += 1;
        let again = matches!(fault, Fault::Again(_)) && self.0 < TRIES;
        if again {
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(self.0)).await;
        }
        again
    }
}

impl Pool {
    /// Begins a write transaction; see [`write!`].
    pub(super) async fn begin(&self) -> Result<Tx, Fault> {
        let kind = match self {
            Self::Sqlite { write, .. } => Kind::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { write, .. } => Kind::Postgres(write.begin().await?),
        };
        Ok(Tx { kind, undo: false })
    }

    /// All rows of a read.
    pub(super) async fn fetch_all(
        &self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        match self {
            Self::Sqlite { read, .. } => {
                let sql = checked(sql.into(), &args, &SQLITE)?;
                let rows: Vec<SqliteRow> = query!(Sqlite, sql, args).fetch_all(read).await?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
            Self::Postgres { read, .. } => {
                let sql = checked(sql.into(), &args, &POSTGRES)?;
                let rows: Vec<PgRow> = query!(Postgres, sql, args).fetch_all(read).await?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
        }
    }

    /// All rows of a read that may have thousands, with these columns. SQLite puts them together as one JSON text: for each row by itself
    /// two threads wake each other, and each value is allocated twice.
    pub(super) async fn fetch_list(
        &self,
        columns: &'static [&'static str],
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        if let Self::Postgres { .. } = self {
            return self.fetch_all(sql.to_owned(), args).await;
        }
        // An aggregate whose result depends on the order gets the rows in the order of the subquery (`SF_OrderByReqd` in SQLite).
        let sql = format!("SELECT json_group_array(json_array({})) AS list FROM ({sql})", columns.join(", "));
        let Some(row) = self.fetch_optional(sql, args).await? else { return Ok(Vec::new()) };
        Ok(Row::listed(columns, &row.text("list")?)?)
    }

    /// The first row of a read.
    pub(super) async fn fetch_optional(
        &self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.fetch_all(sql, args).await?.into_iter().next())
    }

    /// Closes all connections; the last SQLite connection to go folds the write-ahead log into the file.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

impl Tx {
    /// Commits what worked and rolls back what did not.
    pub(super) async fn end<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        let keep = result.is_ok() && !self.undo;
        // A rollback that fails has lost its connection, and with it the transaction: what went wrong first is what to report.
        match (self.kind, keep) {
            (Kind::Sqlite(tx), true) => tx.commit().await?,
            (Kind::Sqlite(tx), false) => tx.rollback().await.unwrap_or_default(),
            (Kind::Postgres(tx), true) => tx.commit().await?,
            (Kind::Postgres(tx), false) => tx.rollback().await.unwrap_or_default(),
        }
        result
    }

    /// Marks the transaction to be rolled back although its work returns a value.
    pub(super) fn undo(&mut self) {
        self.undo = true;
    }

    /// Runs a statement; the number of rows it changed.
    pub(super) async fn execute(&mut self, sql: impl Into<Cow<'static, str>>, args: Vec<Value>) -> Result<u64, Fault> {
        match &mut self.kind {
            Kind::Sqlite(tx) => {
                let sql = checked(sql.into(), &args, &SQLITE)?;
                Ok(query!(Sqlite, sql, args).execute(&mut **tx).await?.rows_affected())
            }
            Kind::Postgres(tx) => {
                let sql = checked(sql.into(), &args, &POSTGRES)?;
                Ok(query!(Postgres, sql, args).execute(&mut **tx).await?.rows_affected())
            }
        }
    }

    /// Runs statements one after the other; the number of rows they changed. SQLite's thread gets them as one: each change of threads waits
    /// for a processor that others use.
    pub(super) async fn execute_all(&mut self, statements: Vec<(&'static str, Vec<Value>)>) -> Result<u64, Fault> {
        let Kind::Sqlite(tx) = &mut self.kind else {
            let mut changed = 0;
            for (sql, args) in statements {
                changed += self.execute(sql, args).await?;
            }
            return Ok(changed);
        };
        let (mut script, mut values) = (String::new(), Vec::new());
        for (sql, args) in statements {
            script.push_str(&renumbered(&checked(sql.into(), &args, &SQLITE)?, values.len()));
            script.push(';');
            values.extend(args);
        }
        Ok(query!(Sqlite, script, values).execute(&mut **tx).await?.rows_affected())
    }

    /// Runs statements that change rows, and says whether each changed as many as it can. When not, the transaction must be undone: the
    /// rest may have run or not.
    pub(super) async fn change(&mut self, changes: Vec<Change>) -> Result<bool, Fault> {
        // Where each statement is a question of its own anyway, the first that falls short is the last.
        if let Kind::Postgres(_) = &self.kind {
            for Change { sql, args, rows } in changes {
                if self.execute(sql, args).await? != rows {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let most = changes.iter().map(|change| change.rows).sum::<u64>();
        let statements = changes.into_iter().map(|Change { sql, args, .. }| (sql, args)).collect();
        Ok(self.execute_all(statements).await? == most)
    }

    /// All rows of a statement, also of one that writes and returns.
    pub(super) async fn fetch_all(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        match &mut self.kind {
            Kind::Sqlite(tx) => {
                let sql = checked(sql.into(), &args, &SQLITE)?;
                let rows: Vec<SqliteRow> = query!(Sqlite, sql, args).fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
            Kind::Postgres(tx) => {
                let sql = checked(sql.into(), &args, &POSTGRES)?;
                let rows: Vec<PgRow> = query!(Postgres, sql, args).fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
        }
    }

    /// The first row of a statement. All rows are read, so that a statement that writes runs to its end.
    pub(super) async fn fetch_optional(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.fetch_all(sql, args).await?.into_iter().next())
    }

    /// Runs a script of several statements without values: a migration.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), Fault> {
        match &mut self.kind {
            Kind::Sqlite(tx) => {
                let sql = AssertSqlSafe(sql.replace("{clustered}", SQLITE.clustered));
                sqlx::raw_sql(sql).execute(&mut **tx).await?;
            }
            Kind::Postgres(tx) => {
                let sql = AssertSqlSafe(sql.replace("{clustered}", POSTGRES.clustered));
                sqlx::raw_sql(sql).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

/// A statement and how many rows it changes at most.
pub(super) struct Change {
    pub sql: &'static str,
    pub args: Vec<Value>,
    pub rows: u64,
}

/// The expressions that have two spellings.
struct Dialect {
    /// The database's clock in whole milliseconds, moving within a transaction.
    clock: &'static str,
    /// What stands around the marker of a list of rows.
    rows: (&'static str, &'static str),
    /// A table without a second tree for its key.
    clustered: &'static str,
}

const SQLITE: Dialect = Dialect {
    clock: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    rows: ("json_each(", ")"),
    clustered: " WITHOUT ROWID",
};
const POSTGRES: Dialect = Dialect {
    clock: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    rows: ("json_array_elements(CAST(", " AS json))"),
    clustered: "",
};

/// Spells a statement for a database and compares markers with values: SQLite would bind NULL for a missing one without a word.
fn checked(sql: Cow<'static, str>, args: &[Value], dialect: &Dialect) -> Result<Cow<'static, str>, StoreError> {
    let highest = highest_marker(&sql);
    if highest != args.len() {
        return Err(StoreError::Sql(format!("{} values were given for {highest} markers in: {sql}", args.len())));
    }
    let sql = if sql.contains("{clock}") { sql.replace("{clock}", dialect.clock).into() } else { sql };
    let Some((before, after)) = sql.split_once("{rows ") else { return Ok(sql) };
    let Some((marker, after)) = after.split_once('}') else {
        return Err(StoreError::Sql(format!("a list of rows has no end in: {sql}")));
    };
    let (open, close) = dialect.rows;
    Ok(format!("{before}{open}{marker}{close}{after}").into())
}

fn highest_marker(sql: &str) -> usize {
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    sql.split('$').skip(1).map(number).max().unwrap_or(0)
}

/// The same statement for values that stand behind `before` others.
fn renumbered(sql: &str, before: usize) -> String {
    let mut parts = sql.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let number = number.parse::<usize>().map_or_else(|_| number.to_owned(), |number| (number + before).to_string());
        out.push('$');
        out.push_str(&number);
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_move_behind_other_values() {
        assert_eq!(
            renumbered("UPDATE t SET a = $2 WHERE b = $1 AND c = $10", 5),
            "UPDATE t SET a = $7 WHERE b = $6 AND c = $15"
        );
        assert_eq!(renumbered("SELECT 1", 5), "SELECT 1");
    }

    #[test]
    fn markers_are_counted_against_values() {
        for (sql, values, fits) in [
            ("SELECT 1", 0, true),
            ("SELECT $1, $2, $1", 2, true),
            ("SELECT $1, $12", 12, true),
            ("SELECT $1", 0, false),
            ("SELECT $1", 2, false),
        ] {
            let args = vec![Value::Int(None); values];
            assert_eq!(checked(sql.into(), &args, &SQLITE).is_ok(), fits, "{sql} with {values}");
        }
    }

    #[test]
    fn what_differs_is_put_in() {
        let dialect = Dialect { clock: "9", rows: ("each(", " AS list)"), clustered: "" };
        let spelled = |sql: &'static str| checked(sql.into(), &[Value::Int(None)], &dialect).unwrap();
        assert_eq!(spelled("SELECT {clock} + $1, {clock}"), "SELECT 9 + $1, 9");
        assert_eq!(spelled("SELECT v FROM {rows $1} AS v"), "SELECT v FROM each($1 AS list) AS v");
    }
}
