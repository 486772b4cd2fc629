//! History checking under faults.
//!
//! Three nodes of the real program share a real store. Clients sign in, check, write, end and refresh on whichever node, while a
//! nemesis kills, stops and cuts off what it can. Every operation is written down with the moments of its call and its return; what
//! the answers say is then held against the promises: by porcupine (Go, `checker/`) whether the operations of each session
//! have an order that explains them, and in [`promises`] the four promises by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "for tests only: what goes wrong here ends them"
)]

mod chance;
mod client;
mod cluster;
mod engines;
pub mod history;
mod judge;
mod nemesis;
mod people;
pub mod promises;
mod round;
mod table;
mod wire;

pub use engines::Strategy;
pub use judge::{Linearizability, linearizability};
pub use nemesis::{Fault, Harm};
pub use round::{Programs, Verdict, round};
pub use table::{insert, table};
