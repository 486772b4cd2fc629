//! The memory of Gateward: stores for sessions and people behind the kernel's ports.
//!
//! * [`Memory`] is the reference: everything a [`Kv`](gateward_kernel::ports::Kv) promises, readable in one sitting.
//! * [`Sqlite`] keeps records, people and audit events in one database file.
//! * [`postgres`] keeps the same in a PostgreSQL that many nodes share.
//! * [`redis`] keeps records in Redis 7, Valkey and what speaks like them: single, with Sentinel, or as a cluster.
//! * [`memcached`] keeps records in one or several Memcached servers, in their memory only.
//! * [`nats`] keeps records in NATS JetStream, whose feed lets every node hold all of them.
//! * [`layers`] are small stores around a store: deadlines and figures.
//! * [`checkup`] is what an engine says of itself, for an operator.
//! * [`contract`] is the list of cases that every store must pass, also one that somebody else writes.

pub mod checkup;
pub mod contract;
pub mod layers;
#[cfg(feature = "memcached")]
pub mod memcached;
mod memory;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "redis")]
pub mod redis;
mod sql;

pub use memory::Memory;
#[cfg(feature = "postgres")]
pub use sql::postgres;
pub use sql::{OpenError, Sqlite, SqliteFigures, SqliteOptions};

use gateward_kernel::ports::{Fault, FaultKind, Key};

/// The longest id, in bytes, as [`Key`] has it.
const LONGEST_ID: usize = 64;

/// The largest value that the stores of this crate take, in bytes: far above what a session may hold.
const LARGEST_VALUE: usize = 1 << 20;

/// Refuses what is larger than a store takes. Only writing needs to ask: what was never written is never found.
fn fits(engine: &'static str, key: &Key, value: &[u8]) -> Result<(), Fault> {
    let too_large = |what: &str, length: usize, limit: usize| {
        Fault::new(
            engine,
            FaultKind::TooLarge,
            format!("{} {what} of {length} bytes, limit {limit}", key.kind),
        )
    };
    if key.id.len() > LONGEST_ID {
        return Err(too_large("id", key.id.len(), LONGEST_ID));
    }
    if value.len() > LARGEST_VALUE {
        return Err(too_large("value", value.len(), LARGEST_VALUE));
    }
    Ok(())
}
