//! Forward-auth: a proxy asks for each request of a protected application whether it may pass.
//!
//! `dialect` is how each proxy asks, `question` and `target` are what it asks, `law` decides, `reply` is what is
//! answered, `web` renders it on the shortest way, and `snippet` prints a configuration for each proxy.

pub mod cookies;
pub mod dialect;
pub mod identity;
pub mod law;
pub mod question;
pub mod reply;
pub mod snippet;
pub mod target;
mod web;

pub use web::{Gatehouse, PREFIX, answer};
