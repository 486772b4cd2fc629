//! Signing in with a password, and the first administrator's set-up link.

pub mod flow;
pub mod setup;
pub mod throttle;
pub mod web;
