//! Verifiers against an issuer on this machine that can go away, rotate keys, revoke and fall silent.

#![cfg(feature = "remote")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod blocking;
mod commands;
mod extractors;
mod forms;
mod introspection;
mod issuer;
mod keys;
mod layers;
mod listening;
mod polling;
mod rotation;
mod tls;
mod tokens;
