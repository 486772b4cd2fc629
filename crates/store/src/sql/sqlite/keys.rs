//! Sealed keys: the installation's own, encrypted before they come here.

use gateward_kernel::ports::SealedKey;
use gateward_kernel::time::Moment;
use rusqlite::{Connection, params};

use super::trouble::Outcome;
use super::writer::Tx;
use crate::sql::{KEY, text};

pub(super) fn list(conn: &Connection, purpose: &str) -> Outcome<Vec<SealedKey>> {
    let mut statement = conn.prepare_cached(text::KEYS)?;
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
    let written =
        tx.execute(text::add_key!(), params![key.purpose, key.id, key.created.micros(), key.sealed])?;
    told(tx, &key.purpose, written)
}

pub(super) fn replace(tx: &mut Tx<'_>, key: &SealedKey) -> Outcome<bool> {
    let written =
        tx.execute(text::replace_key!(), params![key.sealed, key.purpose, key.id, key.created.micros()])?;
    told(tx, &key.purpose, written)
}

pub(super) fn remove(tx: &mut Tx<'_>, purpose: &str, id: &str) -> Outcome<bool> {
    let removed = tx.execute(text::remove_key!(), params![purpose, id])?;
    told(tx, purpose, removed)
}

/// Logs the change if there was one. Who hears of it reads all keys of the purpose again.
fn told(tx: &mut Tx<'_>, purpose: &str, rows: usize) -> Outcome<bool> {
    if rows != 0 {
        tx.log(KEY, purpose.as_bytes())?;
    }
    Ok(rows != 0)
}
