//! The stores against the contract, and SQLite against what only a file can do wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod crash;
mod engine;
mod events;
mod feed;
mod keys;
mod layers;
mod opening;
mod people;
mod suite;

use std::path::PathBuf;
use std::sync::Arc;

use gateward_kernel::ports::{Created, Fault, Key, Kv, Version};
use gateward_kernel::time::Moment;
use gateward_store::{Sqlite, SqliteOptions};
use tempfile::TempDir;

/// Far enough in the future for every test.
const LATE: Moment = Moment::from_micros(4_000_000_000_000_000);

/// A directory of its own with a database path in it.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("gateward.db")
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(self.path(), &SqliteOptions::default()).unwrap()
    }

    /// The same file without the store around it, to play tricks on it.
    fn raw(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        conn
    }
}

async fn create(kv: &Arc<dyn Kv>, id: &str) -> Result<Version, Fault> {
    match kv.create(&Key::new("test", id), id.as_bytes().to_vec().into(), LATE).await? {
        Created::Done(version) => Ok(version),
        Created::Exists => panic!("{id} exists"),
    }
}
