//! `cargo xtask`: the project's own commands. `cargo xtask test` is all that is needed before a change is handed in.

mod bench;
mod chaos;
mod foreign;
mod fuzz;
mod programs;
mod run;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Tests, fuzzes, harms and measures Gateward"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what the tests need, then runs every test and a short fuzz run of each target
    Test {
        /// How long each fuzz target runs
        #[arg(long, value_name = "SECONDS", default_value_t = 8)]
        fuzz_seconds: u32,
    },
    /// Installs what the tests need, and nothing else
    Install,
    /// Runs one fuzz target, or all of them one after the other
    Fuzz {
        /// Which one: a file name of fuzz/fuzz_targets without .rs
        target: Option<String>,
        /// How long each runs
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u32,
    },
    /// Harms three nodes of the program and their stores while clients use them, and checks what the clients saw
    Chaos(chaos::Chaos),
    /// Measures: session-check, sign-in, sweep, tokens, oauth, revocation, cluster, generator; with --url another server. Further arguments are passed on
    Bench {
        /// The scenario
        name: String,
        /// Passed on to the load generator; see `cargo xtask bench NAME --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    if let Some(status) = fuzz::as_compiler() {
        return status;
    }
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Test { fuzz_seconds } => test::run_all(fuzz_seconds),
        Command::Install => test::install(),
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds).map(|_| ()),
        Command::Chaos(chaos) => chaos::run(&chaos),
        Command::Bench { name, arguments } => bench::run_scenario(&name, &arguments),
    }
}
