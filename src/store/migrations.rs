//! The migrations, compiled in, applied in order, each in one transaction.
//!
//! Nodes that start at once settle who applies one through the primary key of its version row, which is inserted first.

use super::sql::{Fault, Pool, StoreError, Tx, args, write};

/// Version and text, in order. A migration that was released never changes.
const MIGRATIONS: &[(i64, &str)] =
    &[(1, include_str!("../../migrations/0001_first.sql")), (2, include_str!("../../migrations/0002_returned.sql"))];

/// Brings the schema up to date.
///
/// # Errors
/// When the schema is newer than this program, or the database fails.
pub(super) async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    let newest = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    // Only a database without the table is asked to create it: that takes a right that a careful operator may have withdrawn.
    let applied = match version(pool).await {
        Ok(version) => version,
        Err(_) => {
            write!(pool, |tx| create(tx).await)?;
            version(pool).await?
        }
    };
    if applied > newest {
        return Err(StoreError::Open {
            what: "the database".into(),
            why: format!("its schema has version {applied}, and this program knows versions up to {newest}"),
            remedy: "Run the newer version of Tidings that wrote it, or restore the backup made before the update."
                .into(),
        });
    }
    for (version, script) in MIGRATIONS.iter().filter(|(version, _)| *version > applied) {
        write!(pool, |tx| {
            let sql = "INSERT INTO migration (version, applied_at) VALUES ($1, {clock}) ON CONFLICT DO NOTHING";
            if tx.execute(sql, args![*version]).await? == 1 {
                tx.script(script).await?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

async fn version(pool: &Pool) -> Result<i64, StoreError> {
    let row = pool.fetch_optional("SELECT MAX(version) AS version FROM migration", args![]).await?;
    Ok(row.map(|row| row.maybe_int("version")).transpose()?.flatten().unwrap_or(0))
}

/// `IF NOT EXISTS` does not help two PostgreSQL sessions that create a table at once: one of them fails on a key of the catalog,
/// with one of three codes (unique_violation, duplicate_object, duplicate_table), and has only to look again.
async fn create(tx: &mut Tx) -> Result<(), Fault> {
    let sql = "CREATE TABLE IF NOT EXISTS migration (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";
    match tx.execute(sql, args![]).await {
        Err(Fault::Database(error))
            if error
                .as_database_error()
                .and_then(|e| e.code())
                .is_some_and(|code| matches!(&*code, "23505" | "42710" | "42P07")) =>
        {
            Err(Fault::Again(error))
        }
        result => result.map(|_| ()),
    }
}
