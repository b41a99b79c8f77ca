//! What is fixed when a database is created: the install's key and its bucket count. And a check that it sorts ids as we do.

use super::sql::{Fault, Pool, StoreError, args, rows, write};
use crate::chance::Chance;
use crate::types::{InstallKey, hex};

/// Buckets of a new SQLite database: one file, a few senders' connections.
const SQLITE_BUCKETS: u16 = 16;
/// Buckets of a new PostgreSQL database: several nodes, and room to spread over several servers.
const POSTGRES_BUCKETS: u16 = 64;

/// Reads key and bucket count; makes them when nobody has. Whoever commits first decides, and everyone reads that.
pub(super) async fn install(pool: &Pool, chance: &Chance) -> Result<(InstallKey, u16), StoreError> {
    let fresh = hex(&chance.bytes::<32>()?);
    let count = match pool {
        Pool::Sqlite { .. } => SQLITE_BUCKETS,
        Pool::Postgres { .. } => POSTGRES_BUCKETS,
    };
    if let Some(known) = read(pool).await? {
        return Ok(known);
    }
    write!(pool, |tx| {
        let sql = "INSERT INTO install (name, value) VALUES ('key', $1), ('buckets', $2) ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![&fresh, count.to_string()]).await? == 0 {
            return Ok(());
        }
        let buckets: Vec<_> = (0..i64::from(count)).map(|bucket| args![bucket]).collect();
        let sql = "INSERT INTO bucket (bucket, cut) SELECT CAST(v.value ->> 0 AS BIGINT), 0 FROM {rows $1} AS v WHERE 1 = 1 \
             ON CONFLICT DO NOTHING";
        tx.execute(sql, args![rows(&buckets)?]).await.map(|_| ())
    })?;
    read(pool).await?.ok_or_else(|| StoreError::Value("table install: key and buckets are missing".into()))
}

async fn read(pool: &Pool) -> Result<Option<(InstallKey, u16)>, StoreError> {
    let rows = pool.fetch_all("SELECT name, value FROM install WHERE name IN ('key', 'buckets')", args![]).await?;
    let (mut key, mut buckets) = (None, None);
    for row in rows {
        match row.text("name")?.as_str() {
            "key" => key = Some(row.parsed("value", |text| unhex(text).ok_or("the install key is damaged"))?),
            _ => buckets = Some(row.parsed("value", str::parse::<u16>)?),
        }
    }
    Ok(key.zip(buckets).map(|(key, buckets)| (InstallKey::new(&key), buckets)))
}

/// Refuses a database that sorts by the rules of a language in which two of our letters are one, as `ch` in Czech: key
/// ranges are split by arithmetic, and someone would fall between two.
pub(super) async fn check_order(pool: &Pool) -> Result<(), StoreError> {
    let sql = format!(
        "WITH a (c) AS (VALUES {letters}), b (c) AS (VALUES {letters}) SELECT a.c || b.c AS pair FROM a, b ORDER BY 1",
        letters = ALPHABET.map(|c| format!("('{c}')")).join(",")
    );
    let rows = pool.fetch_all(sql, args![]).await?;
    let pairs = rows.iter().map(|row| row.text("pair")).collect::<Result<Vec<_>, _>>()?;
    if pairs.is_sorted() {
        return Ok(());
    }
    Err(StoreError::Open {
        what: "the database".into(),
        why: "it sorts text by the rules of a language, which are not the order of the letters".into(),
        remedy: "Create it with: CREATE DATABASE NAME TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'.".into(),
    })
}

/// The characters of ids.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
];

/// Whether the database answers.
pub(super) async fn ping(pool: &Pool) -> Result<(), Fault> {
    pool.fetch_optional("SELECT {clock} AS clock", args![]).await.map(|_| ())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_a_damaged_one_does_not() {
        let bytes: [u8; 32] = std::array::from_fn(|i| i as u8 * 8);
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for damaged in ["", "00", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(unhex(damaged), None, "{damaged}");
        }
    }
}
