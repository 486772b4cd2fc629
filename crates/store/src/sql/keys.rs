//! Sealed keys: the installation's own, encrypted before they come here.

use gateward_kernel::ports::SealedKey;
use gateward_kernel::time::Moment;
use rusqlite::{Connection, params};

use super::feed::KEY;
use super::trouble::Outcome;
use super::writer::Tx;

pub(super) fn list(conn: &Connection, purpose: &str) -> Outcome<Vec<SealedKey>> {
    let mut statement = conn.prepare_cached(
        "SELECT purpose, id, created, sealed FROM sealed_key WHERE purpose = $1 ORDER BY created, id",
    )?;
    let keys = statement.query_map(params![purpose], |row| {
        Ok(SealedKey {
            purpose: row.get(0)?,
            id: row.get(1)?,
            created: Moment::from_micros(row.get(2)?),
            sealed: row.get(3)?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(super) fn add(tx: &mut Tx<'_>, key: &SealedKey) -> Outcome<bool> {
    let written = tx.execute(
        "INSERT INTO sealed_key (purpose, id, created, sealed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (purpose, id) DO NOTHING",
        params![key.purpose, key.id, key.created.micros(), key.sealed],
    )?;
    told(tx, &key.purpose, written)
}

pub(super) fn replace(tx: &mut Tx<'_>, key: &SealedKey) -> Outcome<bool> {
    let written = tx.execute(
        "UPDATE sealed_key SET sealed = $1 WHERE purpose = $2 AND id = $3 AND created = $4",
        params![key.sealed, key.purpose, key.id, key.created.micros()],
    )?;
    told(tx, &key.purpose, written)
}

pub(super) fn remove(tx: &mut Tx<'_>, purpose: &str, id: &str) -> Outcome<bool> {
    let removed =
        tx.execute("DELETE FROM sealed_key WHERE purpose = $1 AND id = $2", params![purpose, id])?;
    told(tx, purpose, removed)
}

/// Logs the change if there was one. Who hears of it reads all keys of the purpose again.
fn told(tx: &mut Tx<'_>, purpose: &str, rows: usize) -> Outcome<bool> {
    if rows != 0 {
        tx.log(KEY, purpose.as_bytes())?;
    }
    Ok(rows != 0)
}
