//! `cargo xtask chaos`: builds the program, the clients with their nemesis, and the checker, and lets them run.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::run::{cargo, root, target_dir};
use crate::{foreign, programs};

/// What it needs of the programs of others.
const NEEDED: [&str; 6] =
    ["pg_lsclusters", "redis-server", "memcached", "python3 -m ensurepip --version", "faketime", "go"];

/// What can be chosen.
#[derive(Args)]
pub(crate) struct Chaos {
    /// How long each strategy is put to the test
    #[arg(long, value_name = "N", default_value_t = 2)]
    minutes: u64,
    /// From what everything is drawn; each round after the first has the next number. Without it another one each time, which is printed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many seconds a round takes: longer ones take longer to explain, shorter ones see fewer faults
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    round: u64,
    /// Only this one, also several times: postgres, redis, sentinel, redis-cluster, memcached, nats, nats-cluster, file
    #[arg(long, value_name = "X")]
    strategy: Vec<String>,
    /// Writes the table of results into this page, as in docs/cluster.md
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Builds everything, then becomes the one that does the harm. The program is built as the tests are: wrong answers are looked for,
/// not slow ones.
pub(crate) fn run(chosen: &Chaos) -> Result<()> {
    programs::ensure_of(|name| NEEDED.contains(&name))?;
    foreign::ensure_for_chaos()?;
    crate::run::run(cargo().args([
        "build",
        "--locked",
        "--package",
        "gateward",
        "--package",
        "gateward-chaos",
    ]))?;
    let debug = target_dir().join("debug");
    let mut chaos = Command::new(debug.join("gateward-chaos"));
    chaos.current_dir(root()).arg("--gateward").arg(debug.join("gateward"));
    chaos.arg("--checker").arg(foreign::chaos_checker()).arg("--keep").arg(target_dir().join("chaos"));
    chaos.arg("--minutes").arg(chosen.minutes.to_string()).arg("--round").arg(chosen.round.to_string());
    if let Some(seed) = chosen.seed {
        chaos.arg("--seed").arg(seed.to_string());
    }
    for strategy in &chosen.strategy {
        chaos.arg("--strategy").arg(strategy);
    }
    if let Some(page) = &chosen.write {
        chaos.arg("--write").arg(page);
    }
    Err(chaos.exec()).context("gateward-chaos could not be started")
}
