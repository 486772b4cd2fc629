//! Gateward as people run it: the real program behind real proxies, in front of an application, with real browsers.
//!
//! Everything is a child process on the loopback interface with a directory of its own, and ends with its test. nginx, Caddy,
//! HAProxy, Chromium and its driver must be installed: a test without its program fails and says how to install it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub
)]

mod app;
mod applications;
mod browser;

mod caddy;
mod checks;
mod chromium;

mod client;
mod cluster;
mod gateward;
mod haproxy;
mod machine;
mod nginx;
#[path = "../foreign/packages.rs"]
mod packages;
mod site;
mod tls;
