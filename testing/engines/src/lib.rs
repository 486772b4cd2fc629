//! Real stores for tests and benchmarks, each a process of its own on loopback with its own directory, and a line to it that can
//! be cut.
//!
//! A program that is missing fails whoever needs it: `cargo xtask test` installs them all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "for tests only: what goes wrong here ends them"
)]

mod memcached;
mod nats;
mod postgres;
mod process;
mod proxy;
mod redis;

pub use memcached::Memcached;
pub use nats::{Nats, NatsCluster};
pub use postgres::Postgres;
pub use process::{Process, accepts, find, free_port};
pub use proxy::Proxy;
pub use redis::{Redis, RedisCluster, Sentinels};
