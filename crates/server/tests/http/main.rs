//! The running program, asked over HTTP the way browsers, apps, proxies and attackers ask: the server in this process
//! with a held clock and seeded randomness, or the real binary in a process of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod house;
mod machine;
mod site;
mod wire;

mod answers;
mod bad_input;
mod by_url;
mod canary;
mod cluster;
mod csrf;
mod data;
mod forward;
mod forward_token;
mod keys;
mod login;
mod matrix;
mod mutual_tls;
mod oauth;
mod profile;
mod program;
mod program_commands;
mod releases;
mod reset;
mod return_to;
mod session_end;
mod session_life;
mod session_secret;
mod setup;
mod status_events;
mod throttle;
mod tls;
mod token_account;
mod token_cli;
mod tokens;
mod tokens_crash;
mod tokens_end;
mod verifier;
