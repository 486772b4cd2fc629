//! Records: the [`Kv`] port.

use std::sync::Arc;

use bytes::Bytes;
use gateward_kernel::ports::{Answer, Created, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version};
use gateward_kernel::time::Moment;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::trouble::Outcome;
use super::writer::Tx;
use super::{ENGINE, Engine};
use crate::sql::{Scope, count, text};

/// The change log keeps this many microseconds: longer than any process that shares the file is likely to be stopped.
const LOG_SPAN: i64 = 600_000_000;
/// The most rows of the change log that stay.
const LOG_ROWS: i64 = 200_000;

impl Kv for Engine {
    fn traits(&self) -> Traits {
        Traits {
            engine: ENGINE,
            durable: true,
            shared: true,
            pages: true,
            pushes: true,
            expires: false,
            largest: crate::LARGEST_VALUE,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        let key = key.clone();
        Box::pin(self.read(move |conn| get(conn, &key)))
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move {
            crate::fits(ENGINE, key, &value)?;
            let key = key.clone();
            self.write(move |tx| create(tx, &key, &value, death)).await
        })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move {
            crate::fits(ENGINE, key, &value)?;
            let key = key.clone();
            self.write(move |tx| replace(tx, &key, expected, &value, death)).await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        let key = key.clone();
        Box::pin(self.write(move |tx| remove(tx, &key)))
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        let after: Option<Box<[u8]>> = after.map(Into::into);
        Box::pin(self.read(move |conn| page(conn, kind, after.as_deref(), limit)))
    }

    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        Box::pin(self.write(move |tx| sweep(tx, before, limit)))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.shared.feed.join(Scope::All, listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.answers())
    }
}

fn get(conn: &Connection, key: &Key) -> Outcome<Option<Stored>> {
    let mut statement = conn.prepare_cached(text::GET)?;
    Ok(statement.query_row(params![key.kind, key.id], |row| stored(row, 0)).optional()?)
}

fn create(tx: &mut Tx<'_>, key: &Key, value: &Bytes, death: Moment) -> Outcome<Created> {
    let written = tx.execute(
        text::create!("$5"),
        params![key.kind, key.id, death.micros(), &value[..], tx.upcoming().0.cast_signed()],
    )?;
    if written == 0 {
        return Ok(Created::Exists);
    }
    tx.log(key.kind, &key.id).map(Created::Done)
}

fn replace(tx: &mut Tx<'_>, key: &Key, expected: Version, value: &Bytes, death: Moment) -> Outcome<Replaced> {
    let (version, expected) = (tx.upcoming().0.cast_signed(), expected.0.cast_signed());
    let written = tx.execute(
        text::replace!("$6"),
        named_params! {
            "$1": death.micros(),
            "$2": &value[..],
            "$3": key.kind,
            "$4": key.id,
            "$5": expected,
            "$6": version,
        },
    )?;
    if written != 0 {
        return tx.log(key.kind, &key.id).map(Replaced::Done);
    }
    let mut there = tx.conn.prepare_cached("SELECT 1 FROM kv WHERE kind = $1 AND id = $2")?;
    Ok(if there.exists(params![key.kind, key.id])? { Replaced::Stale } else { Replaced::Absent })
}

fn remove(tx: &mut Tx<'_>, key: &Key) -> Outcome<Option<Stored>> {
    let mut statement = tx.conn.prepare_cached(text::remove!())?;
    let taken = statement.query_row(params![key.kind, key.id], |row| stored(row, 0)).optional()?;
    if taken.is_some() {
        tx.log(key.kind, &key.id)?;
    }
    Ok(taken)
}

fn page(conn: &Connection, kind: &str, after: Option<&[u8]>, limit: usize) -> Outcome<Page> {
    // One more than wanted shows whether there is a next page.
    let most = count(limit).saturating_add(1);
    let item = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?.into_boxed_slice(), stored(row, 1)?));
    let mut items: Vec<(Box<[u8]>, Stored)> = match after {
        None => conn
            .prepare_cached(text::FIRST_PAGE)?
            .query_map(params![kind, most], item)?
            .collect::<Result<_, _>>()?,
        Some(after) => conn
            .prepare_cached(text::NEXT_PAGE)?
            .query_map(params![kind, after, most], item)?
            .collect::<Result<_, _>>()?,
    };
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(id, _)| id.clone());
    Ok(Page { items, next })
}

/// The swept are not logged: they were dead to every reader before, and memory judges death by its own clock.
fn sweep(tx: &Tx<'_>, before: Moment, limit: usize) -> Outcome<usize> {
    let limit = count(limit);
    let swept = tx.execute(text::sweep!(), params![before.micros(), limit])?;
    prune_log(tx, limit)?;
    Ok(swept)
}

/// Takes away up to `limit` of the oldest rows of the change log that are too old or too many, by the database's own
/// clock; never the newest. The bound is one number, so that the index leads to it: beside a second one the library
/// would walk through the whole log.
const PRUNE_LOG: &str = "DELETE FROM change_log WHERE version <= (
         SELECT max(version)
         FROM (SELECT version, at FROM change_log ORDER BY version LIMIT $1) AS oldest
         WHERE version < $2
           AND (version <= $3 OR at < CAST(unixepoch('subsec') * 1000000 AS BIGINT) - $4))";

fn prune_log(tx: &Tx<'_>, limit: i64) -> Outcome<usize> {
    let newest = tx.upcoming().0.cast_signed() - 1;
    tx.execute(PRUNE_LOG, params![limit, newest, newest - LOG_ROWS, LOG_SPAN])
}

fn stored(row: &Row<'_>, from: usize) -> rusqlite::Result<Stored> {
    Ok(Stored {
        version: Version(row.get::<_, i64>(from)?.cast_unsigned()),
        death: Moment::from_micros(row.get(from + 1)?),
        value: Bytes::from(row.get::<_, Vec<u8>>(from + 2)?),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::StatementStatus;

    use super::*;
    use crate::sql::sqlite::feed::newest;
    use crate::sql::sqlite::open::open;

    /// What a sweep costs must not grow with the log: counted in steps of SQLite's machine, not in time.
    #[test]
    fn pruning_a_long_log_costs_what_it_takes_away() {
        let directory = tempfile::tempdir().unwrap();
        let conn = open(&directory.path().join("test.db"), true, Duration::from_secs(1)).unwrap();
        let rows = LOG_ROWS + 50_000;
        conn.execute(
            "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < $1)
             INSERT INTO change_log SELECT v, 'session', x'00', CAST(unixepoch('subsec') * 1000000 AS BIGINT)
             FROM n",
            [rows],
        )
        .unwrap();
        let tx = Tx { conn: &conn, newest: newest(&conn).unwrap(), changes: Vec::new() };
        for _ in 0..3 {
            assert_eq!(prune_log(&tx, 100).unwrap(), 100);
            let statement = conn.prepare_cached(PRUNE_LOG).unwrap();
            let steps = statement.reset_status(StatementStatus::VmStep);
            assert!(steps < 10_000, "{steps} steps for 100 rows");
        }
    }
}
