//! `gateward-bench`: load scenarios against a server, beside the limits of the same machine.
//!
//! A result is a ratio measured side by side in one run; absolute numbers belong to one machine and one minute.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]

mod chain;
mod chart;
mod expected;
mod histogram;
mod house;
mod keys;
mod limits;
mod load;
mod pace;
mod place;
mod process;
mod report;
mod scenario;
mod series;
mod signing;
mod solo;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::process::Cores;
use crate::scenario::{
    Run, cluster, foreign, generator, oauth, revocation, session_check, sign_in, sweep, tokens,
};

// The limits are served with the allocator the product uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "gateward-bench", about = "Measures a server beside the limits of the same machine")]
struct Cli {
    #[command(subcommand)]
    name: Name,
}

#[derive(Subcommand)]
enum Name {
    /// Session checks per second by cookie, beside bare hyper and bare axum; with --url, against any other server
    SessionCheck {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        foreign: foreign::Options,
    },
    /// Sign-ins per second, beside raw Argon2id on the same cores
    SignIn {
        #[command(flatten)]
        common: Common,
    },
    /// A million stored sessions, half of them expired: memory, time, and sign-ins while they are swept
    Sweep {
        #[command(flatten)]
        common: Common,
    },
    /// Minting and verifying beside the bare cryptographic library; refreshing and bearer checks over HTTP beside bare axum
    Tokens {
        #[command(flatten)]
        common: Common,
    },
    /// What clients of OAuth ask, beside bare axum and bare signing: client credentials, codes, refreshing, introspection, UserInfo, the
    /// key set, discovery, pushed requests; with --url, against any other provider
    Oauth {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        foreign: oauth::foreign::Options,
    },
    /// How soon a revocation reaches every verifier, and what a million revocable tokens cost
    Revocation {
        #[command(flatten)]
        common: Common,
    },
    /// Several nodes: what a check, a sign-in and a session cost over each engine, beside the engine's own rates, and how soon an end
    /// is heard by another node
    Cluster {
        #[command(flatten)]
        common: Common,
    },
    /// This load generator beside wrk, against bare hyper: shows that the generator is not what is measured
    Generator {
        #[command(flatten)]
        common: Common,
    },
    #[command(hide = true)]
    LimitHyper,
    #[command(hide = true)]
    LimitAxum,
    #[command(hide = true)]
    LimitSigning {
        #[command(flatten)]
        options: signing::Options,
    },
    #[command(hide = true)]
    RevocationVerifier {
        #[command(flatten)]
        options: revocation::verifier::Options,
    },
}

#[derive(Args)]
struct Common {
    /// The gateward program to measure, built in release mode
    #[arg(long, value_name = "FILE")]
    gateward: Option<PathBuf>,
    /// Interleaved rounds; a written result needs five
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Length of each measured window
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Two short rounds with little data, to see that the scenario works; nothing is written
    #[arg(long)]
    quick: bool,
    /// Where the result files go
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"), hide_default_value = true)]
    results: PathBuf,
}

impl Common {
    fn run(self, cores: Cores) -> Run {
        let (rounds, seconds) = if self.quick { (2, 1) } else { (self.rounds, self.seconds) };
        Run { gateward: self.gateward, rounds, seconds, quick: self.quick, results: self.results, cores }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateward-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: Name) -> Result<()> {
    match name {
        Name::SessionCheck { common, foreign } => {
            let run = common.run(Cores::pin_load()?);
            if foreign.url.is_some() { foreign::run(&run, &foreign) } else { session_check::run(&run) }
        }
        // Hashing is what is measured, and both sides may use every core for it.
        Name::SignIn { common } => sign_in::run(&common.run(Cores::all()?)),
        Name::Sweep { common } => sweep::run(&common.run(Cores::pin_load()?)),
        Name::Tokens { common } => tokens::run(&common.run(Cores::pin_load()?)),
        Name::Oauth { common, foreign } => {
            let run = common.run(Cores::pin_load()?);
            if foreign.url.is_some() { oauth::foreign::run(&run, &foreign) } else { oauth::run(&run) }
        }
        Name::Revocation { common } => revocation::run(&common.run(Cores::pin_load()?)),
        Name::Cluster { common } => cluster::run(&common.run(Cores::pin_load()?)),
        Name::Generator { common } => generator::run(&common.run(Cores::pin_load()?)),
        Name::LimitHyper => limits::serve_hyper(),
        Name::LimitAxum => limits::serve_axum(),
        Name::LimitSigning { options } => signing::serve(&options),
        Name::RevocationVerifier { options } => revocation::verifier::run(&options),
    }
}
