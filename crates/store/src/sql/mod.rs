//! The stores that speak SQL: one schema and one set of statements, and an engine for each database.
//!
//! * `text`, `migrations` and `people`: what both engines say to their databases.
//! * `sqlite`: one file, one thread that writes.
//! * `postgres`: a server for many nodes, one task that writes in each.

mod migrations;
mod people;
#[cfg(feature = "postgres")]
pub mod postgres;
mod sqlite;
mod text;

pub use sqlite::{OpenError, Sqlite, SqliteFigures, SqliteOptions};

use gateward_kernel::ports::{Fault, FaultKind};

/// The kind under which changed people are told.
const PERSON: &str = "person";
/// The kind under which changed keys of the installation are told.
const KEY: &str = "key";

/// What a listener wants to hear of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything.
    All,
    /// What the directory holds: people and keys.
    Directory,
}

impl Scope {
    fn includes(self, kind: &str) -> bool {
        self == Scope::All || kind == PERSON || kind == KEY
    }
}

/// A count as a database has it.
fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A row whose JSON cannot be read. The position is said, the content is not.
fn unreadable(engine: &'static str, what: &str, error: &serde_json::Error) -> Fault {
    let cause = format!("{what}: {:?} at column {}", error.classify(), error.column());
    Fault::new(engine, FaultKind::Unreadable, cause)
}
