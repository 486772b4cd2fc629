//! Audit events and sealed keys: what is only added, listed, and at last swept.

use gateward_kernel::event::{Event, EventQuery};
use gateward_kernel::ports::SealedKey;
use gateward_kernel::time::Moment;
use rusqlite::{Connection, params};

use super::trouble::{Outcome, Trouble};
use super::writer::Tx;

pub(super) fn record(tx: &Tx<'_>, event: &Event) -> Outcome<()> {
    let body = serde_json::to_string(event).map_err(|error| Trouble::unreadable("an event", &error))?;
    tx.execute(
        "INSERT INTO event (at, person, fact, body) VALUES ($1, $2, $3, $4)",
        params![
            event.at.micros(),
            event.person.as_ref().map(|id| &id.as_bytes()[..]),
            event.fact.name(),
            body
        ],
    )?;
    Ok(())
}

pub(super) fn list(conn: &Connection, query: &EventQuery) -> Outcome<Vec<Event>> {
    let before = query.before.unwrap_or(Moment::NEVER).micros();
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let mut read = |mut rows: rusqlite::Rows<'_>| -> Outcome<()> {
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            found.push(serde_json::from_str(body).map_err(|error| Trouble::unreadable("event", &error))?);
        }
        Ok(())
    };
    match &query.person {
        None => read(
            conn.prepare_cached("SELECT body FROM event WHERE at < $1 ORDER BY at DESC, row DESC LIMIT $2")?
                .query(params![before, limit])?,
        )?,
        Some(person) => read(
            conn.prepare_cached(
                "SELECT body FROM event WHERE person = $1 AND at < $2 ORDER BY at DESC, row DESC LIMIT $3",
            )?
            .query(params![person.as_bytes(), before, limit])?,
        )?,
    }
    Ok(found)
}

pub(super) fn sweep(tx: &Tx<'_>, before: Moment, limit: usize) -> Outcome<usize> {
    tx.execute(
        "DELETE FROM event WHERE row IN (SELECT row FROM event WHERE at < $1 ORDER BY at LIMIT $2)",
        params![before.micros(), i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

pub(super) fn sealed_keys(conn: &Connection, purpose: &str) -> Outcome<Vec<SealedKey>> {
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

pub(super) fn add_sealed_key(tx: &Tx<'_>, key: &SealedKey) -> Outcome<bool> {
    let written = tx.execute(
        "INSERT INTO sealed_key (purpose, id, created, sealed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (purpose, id) DO NOTHING",
        params![key.purpose, key.id, key.created.micros(), key.sealed],
    )?;
    Ok(written != 0)
}
