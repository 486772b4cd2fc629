//! The stores against the contract, and SQLite against what only a file can do wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

/// Each of these, which is given an empty [`Home`], as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Home::File(crate::Place::new())).await;
                }
            )+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Home::Server(crate::postgres::Database::fresh())).await;
                }
            )+
        }
    };
}

mod crash;
mod engine;
mod events;
mod feed;
mod keys;
mod layers;
mod listening;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "nats")]
mod nats;
mod opening;
mod people;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod suite;
mod upgrading;

use std::path::PathBuf;
use std::sync::Arc;

use gateward_kernel::ports::{Created, Directory, Fault, Key, Kv, Version};
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

/// Where a store with both ports is, of whichever engine.
enum Home {
    File(Place),
    #[cfg(feature = "postgres")]
    Server(postgres::Database),
}

/// Both ports of an open store.
struct Ports {
    kv: Arc<dyn Kv>,
    directory: Arc<dyn Directory>,
}

impl Home {
    /// Another handle, as another process would have it.
    async fn open(&self) -> Ports {
        match self {
            Home::File(place) => {
                let sqlite = place.open();
                Ports { kv: sqlite.kv(), directory: sqlite.directory() }
            }
            #[cfg(feature = "postgres")]
            Home::Server(database) => {
                let postgres = database.open().await;
                Ports { kv: postgres.kv(), directory: postgres.directory() }
            }
        }
    }
}

async fn create(kv: &Arc<dyn Kv>, id: &str) -> Result<Version, Fault> {
    match kv.create(&Key::new("test", id), id.as_bytes().to_vec().into(), LATE).await? {
        Created::Done(version) => Ok(version),
        Created::Exists => panic!("{id} exists"),
    }
}
