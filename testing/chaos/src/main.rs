//! `gateward-chaos`: started by `cargo xtask chaos`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a tool")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Parser;
use gateward_chaos::{Programs, Strategy, insert, round, table};

#[derive(Parser)]
#[command(
    name = "cargo xtask chaos",
    about = "Nodes of the program under faults, and whether every promise is kept"
)]
struct Cli {
    /// How long each strategy is put to the test
    #[arg(long, default_value_t = 2)]
    minutes: u64,
    /// From what everything is drawn; each round after the first has the next number
    #[arg(long)]
    seed: Option<u64>,
    /// How many seconds a round takes, besides its beginning and its end. Longer ones take longer to explain, shorter ones see fewer faults
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    round: u64,
    /// Only this strategy: postgres, redis, sentinel, redis-cluster, memcached, nats, nats-cluster, file
    #[arg(long)]
    strategy: Vec<Strategy>,
    /// Writes the table into this page
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// The program
    #[arg(long, value_name = "FILE")]
    gateward: PathBuf,
    /// `testing/chaos/checker`, built
    #[arg(long, value_name = "FILE")]
    checker: PathBuf,
    /// Where histories are kept that break a promise
    #[arg(long, value_name = "FOLDER")]
    keep: PathBuf,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let programs = Programs::new(cli.gateward, cli.checker, cli.keep);
    let strategies = if cli.strategy.is_empty() { Strategy::ALL.to_vec() } else { cli.strategy };
    let seed = cli.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(1, |since| since.as_secs() % 1_000_000)
    });
    let span = Duration::from_secs(cli.round);
    let mut verdicts = Vec::new();
    let rounds = (60 * cli.minutes / cli.round.max(1)).max(1);
    for strategy in strategies {
        for seed in seed..seed + rounds {
            eprintln!("== {} --seed {seed}", strategy.name());
            let verdict = round(strategy, seed, span, &programs);
            if !verdict.is_good() {
                eprintln!("{}", verdict.report());
            }
            verdicts.push(verdict);
        }
    }
    let told = table(&verdicts);
    println!("{told}");
    if let Some(file) = cli.write {
        let page = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        std::fs::write(&file, insert(&page, &told)?)?;
    }
    let is_good = verdicts.iter().all(gateward_chaos::Verdict::is_good);
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
