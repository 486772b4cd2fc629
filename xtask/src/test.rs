//! `cargo xtask test`: everything that shows that the program does what it promises.

use anyhow::Result;

use crate::run::{cargo, run};
use crate::{foreign, fuzz, programs};

/// Installs what the tests need and is missing.
pub(crate) fn install() -> Result<()> {
    programs::ensure()?;
    foreign::ensure()
}

/// Installs what is missing, runs every test, then every fuzz target for so many seconds.
pub(crate) fn run_all(fuzz_seconds: u32) -> Result<()> {
    install()?;
    run(cargo().args(["test", "--workspace", "--locked"]))?;
    let ran = fuzz::run(None, fuzz_seconds)?;
    let inputs: u64 = ran.iter().map(|ran| ran.inputs).sum();
    println!("\nAll good:");
    println!("  the tests of every crate, with their documentation's examples;");
    println!("  the program behind real nginx, caddy and haproxy, and in front of a real browser;");
    println!("  applications with nine libraries of others, which sign people in here;");
    println!(
        "  three nodes over each store under faults, a short round each (cargo xtask chaos makes long ones);"
    );
    println!(
        "  tokens and keys exchanged with five libraries in Node, Python, Go and Java, and the examples in three of these;"
    );
    println!("  {} fuzz targets, {fuzz_seconds} seconds each, {inputs} inputs.", ran.len());
    Ok(())
}
