//! `cargo xtask bench`: builds the program and the load generator as they are released, and lets them run.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::foreign;
use crate::run::{cargo, root, run, target_dir};

/// Builds both, then becomes the load generator. Another server (`--url`) needs no Gateward.
pub(crate) fn run_scenario(name: &str, arguments: &[String]) -> Result<()> {
    let foreign = arguments.iter().any(|argument| argument == "--url" || argument.starts_with("--url="));
    let chosen = arguments.iter().any(|argument| argument.starts_with("--gateward"));
    let ours = !foreign && !chosen;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "gateward-bench"]);
    if ours {
        build.args(["--package", "gateward"]);
    }
    run(&mut build)?;
    if name == "cluster" {
        foreign::ensure_engines()?;
    }
    let release = target_dir().join("release");
    let mut bench = Command::new(release.join("gateward-bench"));
    bench.current_dir(root()).arg(name);
    if ours {
        bench.arg("--gateward").arg(release.join("gateward"));
    }
    let error = bench.args(arguments).exec();
    Err(error).context("the load generator could not be started")
}
