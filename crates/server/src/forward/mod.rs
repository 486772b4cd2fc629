//! Forward-auth: a proxy asks for each request of a protected application whether it may pass.
//!
//! `dialect` is how each proxy asks, `question` and `target` are what it asks, `presented` is what it brings, `law`
//! decides, `reply` is what is answered, with a `challenge` for clients that come by tokens, `web` puts it together on the shortest way, `render` makes the response, and `snippet` prints a configuration for each proxy.

mod challenge;
pub mod cookies;
pub mod dialect;
mod gatehouse;
pub mod identity;
pub mod law;
mod presented;
pub mod question;
mod render;
pub mod reply;
pub mod snippet;
pub mod target;
mod web;

pub use gatehouse::Gatehouse;
pub use web::{Head, PREFIX, answer, answer_at_once};
