//! The engines: the only place that knows them all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gateward_guard::SystemClock;
use gateward_kernel::node::SKEW;
use gateward_kernel::ports::{Directory, Kv};
use gateward_kernel::time::{Clock, Moment};
use gateward_store::checkup::Finding;
use gateward_store::memcached::{
    Memcached, MemcachedAddress, MemcachedAddressError, MemcachedError, MemcachedOptions,
};
use gateward_store::nats::{self, Nats, NatsAddress, NatsOptions};
use gateward_store::postgres::{
    Postgres, PostgresAddress, PostgresAddressError, PostgresOpenError, PostgresOptions,
};
use gateward_store::redis::{self, Redis, RedisAddress, RedisOptions};
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

/// How often an engine that is not there is tried again at a start.
const AT_START: u32 = 10;
/// The pause before each.
const PAUSE: Duration = Duration::from_secs(1);

/// Why an engine was not opened.
struct NotReached {
    /// It may be there in a moment.
    may_pass: bool,
    cause: anyhow::Error,
}

impl<E: MayPass> From<E> for NotReached {
    fn from(error: E) -> Self {
        NotReached { may_pass: error.may_pass(), cause: error.into() }
    }
}

/// Errors of opening that tell whether waiting may help.
trait MayPass: Into<anyhow::Error> {
    fn may_pass(&self) -> bool {
        false
    }
}

impl MayPass for PostgresAddressError {}
impl MayPass for redis::AddressError {}
impl MayPass for MemcachedAddressError {}
impl MayPass for nats::AddressError {}

impl MayPass for PostgresOpenError {
    fn may_pass(&self) -> bool {
        matches!(self, PostgresOpenError::Unreached(_))
    }
}

impl MayPass for redis::OpenError {
    fn may_pass(&self) -> bool {
        matches!(self, redis::OpenError::Unreachable(_))
    }
}

impl MayPass for MemcachedError {
    fn may_pass(&self) -> bool {
        matches!(self, MemcachedError::Away(_))
    }
}

impl MayPass for nats::OpenError {
    fn may_pass(&self) -> bool {
        matches!(self, nats::OpenError::Unreachable(_))
    }
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
            Place::At(address) => Self::wait_for(address, missing).await.with_context(|| address.to_string()),
        }
    }

    /// Opens an engine; whoever serves waits for one that may be about to start, as all do after a power cut.
    async fn wait_for(address: &EngineAddress, missing: Missing) -> anyhow::Result<Self> {
        let mut left = if missing == Missing::Create { AT_START } else { 0 };
        loop {
            let not_reached = match Self::reach(address).await {
                Ok(engine) => return Ok(engine),
                Err(not_reached) => not_reached,
            };
            if !not_reached.may_pass || left == 0 {
                return Err(not_reached.cause);
            }
            if left == AT_START {
                eprintln!("gateward: waiting for {address}: {:#}", not_reached.cause);
            }
            left -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn reach(address: &EngineAddress) -> Result<Self, NotReached> {
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
            Engine::Postgres(postgres) => match postgres.checkup().await {
                Ok(mut found) => postgres.clock().await.map(|clock| {
                    found.push(about_clock(clock));
                    found
                }),
                fault => fault,
            },
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

/// How a store's clock compares to this one's.
fn about_clock(there: Moment) -> Finding {
    let here = SystemClock.now();
    let apart = here.since(there).max(there.since(here));
    match apart <= SKEW {
        true => Finding::good("its clock agrees with ours"),
        false => Finding::warning(
            format!("its clock and ours are {} s apart", apart.as_secs()),
            "set the clocks: the sessions of nodes whose clocks differ end at different times",
        ),
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
