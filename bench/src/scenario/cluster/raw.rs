//! What an engine does by itself, without Gateward: by its own benchmark program where there is one, and else by a client that sends
//! its next question when the last was answered, on as many connections.

mod client;
mod tools;

use anyhow::{Context, Result};
use gateward_engines::{Memcached, Nats, Postgres, Redis};

use self::client::Speech;
use crate::load::{Sample, Window};
use crate::process::{self, Cores};
use crate::scenario::Run;

/// About as many bytes as a session has when it is stored.
pub(super) const VALUE: usize = 350;
/// So many records are read and written.
const RECORDS: usize = 100_000;

/// What an engine is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Read,
    Write,
}

/// Engines without Gateward. Each takes the server's core while it is asked.
pub(super) struct Bare<'a> {
    postgres: &'a Postgres,
    database: String,
    redis: Redis,
    memcached: Memcached,
    nats: Nats,
    records: usize,
}

/// One of them, asked one thing in one way.
#[derive(Clone, Copy)]
pub(super) enum Rate {
    Postgres(Asked),
    /// With so many questions sent at once on each connection.
    Redis(Asked, u32),
    Memcached(Asked),
    Nats(Asked),
}

impl Rate {
    pub(super) const ALL: [Rate; 10] = [
        Rate::Postgres(Asked::Write),
        Rate::Postgres(Asked::Read),
        Rate::Redis(Asked::Write, 1),
        Rate::Redis(Asked::Read, 1),
        Rate::Redis(Asked::Write, 16),
        Rate::Redis(Asked::Read, 16),
        Rate::Memcached(Asked::Write),
        Rate::Memcached(Asked::Read),
        Rate::Nats(Asked::Write),
        Rate::Nats(Asked::Read),
    ];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Rate::Postgres(Asked::Read) => "PostgreSQL, one row by its key (pgbench)",
            Rate::Postgres(Asked::Write) => "PostgreSQL, one row inserted (pgbench)",
            Rate::Redis(Asked::Read, 1) => "Redis, GET (redis-benchmark)",
            Rate::Redis(Asked::Write, 1) => "Redis, SET (redis-benchmark)",
            Rate::Redis(Asked::Read, _) => "Redis, GET, 16 at once (redis-benchmark)",
            Rate::Redis(Asked::Write, _) => "Redis, SET, 16 at once (redis-benchmark)",
            Rate::Memcached(Asked::Read) => "Memcached, mg (own client)",
            Rate::Memcached(Asked::Write) => "Memcached, ms (own client)",
            Rate::Nats(Asked::Read) => "NATS, last message of a subject (own client)",
            Rate::Nats(Asked::Write) => "NATS, message published and acknowledged (own client)",
        }
    }

    pub(super) const fn asked(self) -> Asked {
        match self {
            Rate::Postgres(asked) | Rate::Redis(asked, _) | Rate::Memcached(asked) | Rate::Nats(asked) => {
                asked
            }
        }
    }
}

impl<'a> Bare<'a> {
    /// Starts them, with records to read.
    pub(super) fn start(run: &Run, postgres: &'a Postgres) -> Result<Self> {
        let records = run.amount(RECORDS);
        let bare = Bare {
            database: tools::fill_postgres(postgres, records),
            postgres,
            redis: Redis::start(),
            memcached: Memcached::start_with(&["-m", "1024"]),
            nats: Nats::start(),
            records,
        };
        tools::fill_redis(bare.redis.addr(), records)?;
        let nats = Speech::Nats;
        nats.prepare(&bare.nats)?;
        client::run_through(Speech::Memcached, bare.memcached.addr(), records)?;
        client::run_through(nats, bare.nats.addr(), records)?;
        Ok(bare)
    }

    /// Measures one, on the server's core.
    pub(super) fn measure(&self, rate: Rate, run: &Run, window: Window) -> Result<Sample> {
        let process = match rate {
            Rate::Postgres(_) => self.postgres.id(),
            Rate::Redis(..) => self.redis.id(),
            Rate::Memcached(_) => self.memcached.id(),
            Rate::Nats(_) => self.nats.id(),
        };
        let process = process.context("the engine runs")?;
        let _place = Place::take(&run.cores, process)?;
        match rate {
            Rate::Postgres(asked) => {
                tools::postgres(self.postgres, &self.database, asked, self.records, window)
            }
            Rate::Redis(asked, at_once) => {
                tools::redis(&self.redis, process, asked, at_once, self.records, window)
            }
            Rate::Memcached(asked) => {
                client::run(Speech::Memcached, self.memcached.addr(), process, asked, self.records, window)
            }
            Rate::Nats(asked) => {
                client::run(Speech::Nats, self.nats.addr(), process, asked, self.records, window)
            }
        }
    }
}

/// The server's core, while an engine has it. Otherwise engines share the load's, so that the server's is the nodes' alone.
struct Place {
    back: Option<usize>,
    process: u32,
}

impl Place {
    fn take(cores: &Cores, process: u32) -> Result<Self> {
        if let Some(core) = cores.server() {
            process::move_to(core, process)?;
        }
        Ok(Self { back: cores.load(), process })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(core) = self.back
            && let Err(error) = process::move_to(core, self.process)
        {
            eprintln!("{error:#}");
        }
    }
}
