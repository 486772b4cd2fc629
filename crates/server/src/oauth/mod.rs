//! What Gateward publishes for others: its metadata, its keys, its status lists and the channel of revocations. Asked
//! often, by machines, without a session: answered on the shortest way.

mod events;
mod web;

pub use web::{Published, STATUS_LISTS_COUNT, answer};
