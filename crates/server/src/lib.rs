//! Gateward: signs people in and proves it to everything else.
//!
//! The house: features, pages and wiring. `routes.rs` is the table of contents; [`app::App`] is where everything comes
//! together; a feature is a folder with its law (pure), its flow (load, decide, commit), its web (extract and answer)
//! and its pages.

pub mod account;
pub mod admin;
pub mod app;
pub mod certificate;
pub mod cli;
pub mod config;
pub mod face;
pub mod forward;
pub mod jobs;
pub mod keyfile;
pub mod login;
pub mod oauth;
pub mod outbound;
pub mod password;
pub mod people;
pub mod routes;
pub mod serve;
pub mod session;
pub mod start;
pub mod stores;
pub mod telemetry;
pub mod tokens;
