//! The schema's number and the program's mark in the file's header, and bringing the schema up to date.

use rusqlite::Connection;

use super::open::OpenError;
use crate::sql::migrations::{KNOWN, STEPS};

/// Written into the file's header, so that no other program's database is mistaken for ours: "Gate".
pub(super) const APPLICATION_ID: i32 = 0x4761_7465;

/// What a database says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marks {
    pub(super) application: i32,
    pub(super) schema: i32,
    pub(super) tables: i64,
}

impl Marks {
    /// Reads them in one view, also while another process is creating the database.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Marks> {
        let view = conn.unchecked_transaction()?;
        let marks = Marks::read_within(conn)?;
        view.finish()?;
        Ok(marks)
    }

    fn read_within(conn: &Connection) -> rusqlite::Result<Marks> {
        Ok(Marks {
            application: conn.pragma_query_value(None, "application_id", |row| row.get(0))?,
            schema: conn.pragma_query_value(None, "user_version", |row| row.get(0))?,
            tables: conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        })
    }

    /// Refuses what is not ours or is from a newer version of the program.
    pub(super) fn check(self) -> Result<(), OpenError> {
        let empty = self == Marks { application: 0, schema: 0, tables: 0 };
        if !empty && self.application != APPLICATION_ID {
            return Err(OpenError::NotADatabase);
        }
        if self.schema > KNOWN {
            return Err(OpenError::Newer { found: self.schema, known: KNOWN });
        }
        Ok(())
    }
}

/// Brings the schema up to date, in one transaction: all of it or nothing.
pub(super) fn migrate(conn: &Connection) -> Result<(), OpenError> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = migrate_within(conn);
    // Also ends the transaction when there was nothing to do: taking the lock has shown that we can write.
    let ended = conn.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
    done?;
    Ok(ended?)
}

fn migrate_within(conn: &Connection) -> Result<(), OpenError> {
    // Read again under the lock: another process may have just done it.
    let marks = Marks::read_within(conn)?;
    marks.check()?;
    for (step, text) in (1..).zip(STEPS).skip(usize::try_from(marks.schema).unwrap_or(0)) {
        conn.execute_batch(&text.for_sqlite())?;
        conn.pragma_update(None, "user_version", step)?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(())
}
