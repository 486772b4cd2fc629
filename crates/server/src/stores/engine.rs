//! The engines: the only place that knows them all.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gateward_guard::SystemClock;
use gateward_kernel::ports::{Directory, Kv};
use gateward_kernel::time::Clock;
use gateward_store::checkup::Finding;
use gateward_store::memcached::{Memcached, MemcachedAddress, MemcachedOptions};
use gateward_store::nats::{Nats, NatsAddress, NatsOptions};
use gateward_store::postgres::{Postgres, PostgresAddress, PostgresOptions};
use gateward_store::redis::{Redis, RedisAddress, RedisOptions};
use gateward_store::{Memory, OpenError, Sqlite, SqliteFigures, SqliteOptions};

use super::Place;
use crate::config::{EngineAddress, EngineKind};
use crate::start::Missing;

/// An open engine.
pub(super) enum Engine {
    Memory(Arc<Memory>),
    Sqlite(Sqlite),
    Postgres(Postgres),
    Redis(Redis),
    Memcached(Memcached),
    Nats(Nats),
}

/// Whether an address can be used at all; errors say what is wrong with it and hold no password.
pub fn check(address: &EngineAddress) -> Result<(), String> {
    let text = address.expose();
    let wrong = |error: &dyn std::fmt::Display| format!("is not an address that can be used: {error}");
    match address.kind() {
        EngineKind::Postgres => PostgresAddress::parse(text).map(drop).map_err(|error| wrong(&error)),
        EngineKind::Nats => NatsAddress::parse(text).map(drop).map_err(|error| wrong(&error)),
        EngineKind::Redis => RedisAddress::parse(text).map(drop).map_err(|error| wrong(&error)),
        EngineKind::Memcached => MemcachedAddress::parse(text).map(drop).map_err(|error| wrong(&error)),
    }
}

impl Engine {
    pub(super) async fn open(place: &Place, file: &Path, missing: Missing) -> anyhow::Result<Self> {
        match place {
            Place::Memory => Ok(Engine::Memory(Arc::new(Memory::new()))),
            Place::File => sqlite(file, missing).map(Engine::Sqlite),
            Place::At(address) => Self::reach(address).await.with_context(|| address.to_string()),
        }
    }

    async fn reach(address: &EngineAddress) -> anyhow::Result<Self> {
        let text = address.expose();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(match address.kind() {
            EngineKind::Postgres => {
                let address = PostgresAddress::parse(text)?;
                Engine::Postgres(Postgres::connect(&address, &PostgresOptions::default()).await?)
            }
            EngineKind::Redis => {
                Engine::Redis(Redis::connect(&RedisAddress::parse(text)?, RedisOptions::default()).await?)
            }
            EngineKind::Memcached => {
                let address = MemcachedAddress::parse(text)?;
                Engine::Memcached(Memcached::connect(&address, MemcachedOptions::default(), clock).await?)
            }
            EngineKind::Nats => {
                let address = NatsAddress::parse(text)?;
                Engine::Nats(Nats::connect(&address, NatsOptions::default(), clock).await?)
            }
        })
    }

    pub(super) fn kv(&self) -> Arc<dyn Kv> {
        match self {
            Engine::Memory(memory) => memory.clone(),
            Engine::Sqlite(sqlite) => sqlite.kv(),
            Engine::Postgres(postgres) => postgres.kv(),
            Engine::Redis(redis) => redis.kv(),
            Engine::Memcached(memcached) => memcached.kv(),
            Engine::Nats(nats) => nats.kv(),
        }
    }

    /// The directory, where the engine can hold one.
    pub(super) fn directory(&self) -> Option<Arc<dyn Directory>> {
        match self {
            Engine::Sqlite(sqlite) => Some(sqlite.directory()),
            Engine::Postgres(postgres) => Some(postgres.directory()),
            Engine::Memory(_) | Engine::Redis(_) | Engine::Memcached(_) | Engine::Nats(_) => None,
        }
    }

    pub(super) async fn checkup(&self) -> Vec<Finding> {
        let found = match self {
            Engine::Memory(_) => Ok(vec![Finding::warning(
                "sessions are kept in memory",
                "every restart signs everybody out: set sessions.store to another store",
            )]),
            Engine::Sqlite(_) => {
                Ok(vec![Finding::good("kept in the data directory: it survives restarts and crashes")])
            }
            Engine::Postgres(postgres) => postgres.checkup().await,
            Engine::Redis(redis) => redis.checkup(&SystemClock).await,
            Engine::Memcached(memcached) => memcached.checkup().await,
            Engine::Nats(nats) => nats.checkup().await,
        };
        found.unwrap_or_else(|fault| {
            vec![Finding::bad(fault.to_string(), "until it answers, nobody is let in and nobody signed out")]
        })
    }

    pub(super) fn sqlite_figures(&self) -> Option<SqliteFigures> {
        match self {
            Engine::Sqlite(sqlite) => Some(sqlite.figures()),
            _ => None,
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
