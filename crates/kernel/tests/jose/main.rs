//! Signed tokens and their keys, from outside: the vectors of the RFCs, Wycheproof, attacks, and properties.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod attacks;
mod claims;
mod forge;
mod forms;
mod keys;
mod pem;
mod properties;
mod rfc;
mod vectors;
