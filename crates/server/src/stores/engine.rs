//! The engines: the only place that knows them all.

use std::path::Path;
use std::sync::Arc;

use gateward_kernel::ports::{Directory, Kv};
use gateward_store::checkup::Finding;
use gateward_store::{Memory, OpenError, Sqlite, SqliteFigures, SqliteOptions};

use super::Place;
use crate::config::{EngineAddress, EngineKind};
use crate::start::Missing;

/// An open engine.
pub(super) enum Engine {
    Memory(Arc<Memory>),
    Sqlite(Sqlite),
}

/// Whether an address can be used at all; errors say what is wrong with it and hold no password.
pub fn check(address: &EngineAddress) -> Result<(), String> {
    match address.kind() {
        EngineKind::Postgres | EngineKind::Redis | EngineKind::Memcached | EngineKind::Nats => Ok(()),
    }
}

impl Engine {
    pub(super) async fn open(place: &Place, file: &Path, missing: Missing) -> anyhow::Result<Self> {
        match place {
            Place::Memory => Ok(Engine::Memory(Arc::new(Memory::new()))),
            Place::File => sqlite(file, missing).map(Engine::Sqlite),
            Place::At(address) => anyhow::bail!("{address} is not supported"),
        }
    }

    pub(super) fn kv(&self) -> Arc<dyn Kv> {
        match self {
            Engine::Memory(memory) => memory.clone(),
            Engine::Sqlite(sqlite) => sqlite.kv(),
        }
    }

    /// The directory, where the engine can hold one.
    pub(super) fn directory(&self) -> Option<Arc<dyn Directory>> {
        match self {
            Engine::Memory(_) => None,
            Engine::Sqlite(sqlite) => Some(sqlite.directory()),
        }
    }

    pub(super) async fn checkup(&self) -> Vec<Finding> {
        match self {
            Engine::Memory(_) => vec![Finding::warning(
                "sessions are kept in memory",
                "every restart signs everybody out: set sessions.store to another store",
            )],
            Engine::Sqlite(_) => {
                vec![Finding::good("kept in the data directory: it survives restarts and crashes")]
            }
        }
    }

    pub(super) fn sqlite_figures(&self) -> Option<SqliteFigures> {
        match self {
            Engine::Sqlite(sqlite) => Some(sqlite.figures()),
            Engine::Memory(_) => None,
        }
    }
}

fn sqlite(path: &Path, missing: Missing) -> anyhow::Result<Sqlite> {
    let options = SqliteOptions::default();
    let opened = match missing {
        Missing::Create => Sqlite::open(path, &options),
        Missing::Refuse => Sqlite::open_existing(path, &options),
    };
    let shown = path.display();
    opened.map_err(|error| match &error {
        OpenError::Newer { .. } => {
            anyhow::anyhow!("{shown}: {error}: start the newer gateward, or bring back a backup")
        }
        OpenError::NotADatabase | OpenError::Corrupt { .. } => {
            anyhow::anyhow!("{shown}: {error}: bring back a backup, or move the file away to begin anew")
        }
        _ => anyhow::anyhow!("{shown}: {error}"),
    })
}
