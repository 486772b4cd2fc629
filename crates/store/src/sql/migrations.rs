//! The schema: one ordered list of forward steps. A step that was released is never edited; a change is a new step.
//!
//! The texts keep to what SQLite and PostgreSQL share, so that both can have them: moments are microseconds in
//! `BIGINT`, flags are 0 or 1, documents are JSON as text. Two words differ and are replaced where another engine
//! needs it: `BLOB`, and `INTEGER PRIMARY KEY` for a row number that the engine gives.

use rusqlite::Connection;

use super::open::OpenError;

/// Written into the file's header, so that no other program's database is mistaken for ours: "Gate".
pub(super) const APPLICATION_ID: i32 = 0x4761_7465;

/// The steps. The schema's number is how many of them were done.
const STEPS: &[&str] = &[FOUNDATION];

/// The number of the schema that this version of the program knows.
pub(super) const KNOWN: i32 = STEPS.len() as i32;

/// Records are in a table with row numbers and a slim index, not in one sorted by key: a record of some hundred bytes
/// in the inner pages of a tree makes the tree deep, and every look-up reads more pages.
const FOUNDATION: &str = "
CREATE TABLE kv (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    version BIGINT NOT NULL,
    death BIGINT NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX kv_death ON kv (death);

-- Every change of a record or a person, in order. The number of the change is the version it made, and there is no
-- gap between the numbers: a reader who finds one knows that something was pruned before it was read. The newest row
-- is never pruned, because the next number follows from it.
CREATE TABLE change_log (
    version BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE person (
    id BLOB NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    skeleton TEXT NOT NULL,
    plain BIGINT NOT NULL,
    email TEXT UNIQUE,
    disabled BIGINT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX person_skeleton ON person (skeleton);

CREATE TABLE person_group (
    name TEXT NOT NULL,
    person BLOB NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    PRIMARY KEY (name, person)
);
CREATE INDEX person_group_person ON person_group (person);

CREATE TABLE event (
    row INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    person BLOB,
    fact TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX event_at ON event (at);
CREATE INDEX event_person ON event (person, at);

CREATE TABLE sealed_key (
    purpose TEXT NOT NULL,
    id TEXT NOT NULL,
    created BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (purpose, id)
);
";

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
        conn.execute_batch(text)?;
        conn.pragma_update(None, "user_version", step)?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(())
}
