//! `cargo xtask fuzz`: libFuzzer on the stable toolchain.
//!
//! libFuzzer needs coverage counters in the code that it explores. The compiler can put them in on the stable toolchain,
//! and cargo can put a program in front of the compiler for the workspace's own crates alone: this one. So our code has
//! counters, and what it depends on is the same as in the tests and is not built twice.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, root, run as run_program, target_dir};

/// Set when this program is called in place of the compiler.
const AS_COMPILER: &str = "GATEWARD_FUZZ_COMPILER";

/// What libFuzzer asks of the compiler: counters for each branch, and the values that are compared.
const COVERAGE: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The largest input in bytes.
const LARGEST: usize = 4096;

/// How a target ran.
pub(crate) struct Ran {
    /// How many inputs it was given.
    pub(crate) inputs: u64,
}

/// Builds the targets and runs one of them, or all, for so many seconds each. The first finding is an error.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<Vec<Ran>> {
    let targets = match target {
        None => targets()?,
        Some(target) if targets()?.iter().any(|known| known == target) => vec![target.to_owned()],
        Some(target) => bail!("there is no fuzz target {target}; there are {}", targets()?.join(", ")),
    };
    build()?;
    targets.iter().map(|target| run_one(target, seconds)).collect()
}

/// When cargo calls this program in place of the compiler: becomes the compiler, with coverage counters asked for.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(AS_COMPILER)?;
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next()?;
    let error = Command::new(&compiler).args(arguments).args(COVERAGE).exec();
    eprintln!("cargo xtask: {} could not be started: {error}", compiler.display());
    Some(ExitCode::FAILURE)
}

/// The targets by name: one file each.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "rs")) {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

fn build() -> Result<()> {
    let ourselves = compiler()?;
    let mut build = cargo();
    build.args(["build", "--locked", "--package", "gateward-fuzz", "--bins"]);
    // The server is large, and the little of it that is fuzzed is quick enough without.
    for name in ["gateward-kernel", "gateward-guard"] {
        build.arg("--config").arg(format!("profile.dev.package.{name}.opt-level=1"));
    }
    run_program(build.env("RUSTC_WORKSPACE_WRAPPER", ourselves).env(AS_COMPILER, "1"))
}

/// A copy of this program to stand before rustc: the tests that ran before may have built this program anew and taken
/// its file away.
fn compiler() -> Result<PathBuf> {
    let path =
        std::env::current_exe().context("this program has no path")?.with_file_name("xtask-as-compiler");
    let running = fs::read("/proc/self/exe").context("this program cannot be read")?;
    if fs::read(&path).ok().as_deref() != Some(running.as_slice()) {
        fs::copy("/proc/self/exe", &path).with_context(|| path.display().to_string())?;
    }
    Ok(path)
}

fn run_one(target: &str, seconds: u32) -> Result<Ran> {
    let fuzz = root().join("fuzz");
    let (corpus, findings) = (fuzz.join("corpus").join(target), fuzz.join("artifacts").join(target));
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let output = Command::new(program(target))
        .args([format!("-max_total_time={seconds}"), format!("-max_len={LARGEST}")])
        .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .args([corpus, fuzz.join("seeds").join(target)])
        .env("RUST_BACKTRACE", "0")
        .output()
        .with_context(|| format!("the fuzz target {target} could not be started"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let told = ["panicked at", "ERROR", "SUMMARY", "Test unit written"];
        let mut lines = report.lines();
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            if told.iter().any(|words| line.contains(words)) {
                found.push(line);
            }
            if line.contains("panicked at") {
                found.extend(lines.by_ref().take(3).filter(|line| !line.contains("RUST_BACKTRACE")));
            }
        }
        let program = program(target);
        bail!(
            "the fuzz target {target} found something:\n\n{}\n\nAgain: {} FILE",
            found.join("\n"),
            program.display()
        );
    }
    let inputs = number(&report, "stat::number_of_executed_units:").unwrap_or_default();
    ensure!(inputs > 0, "the fuzz target {target} ran no input");
    println!("fuzz {target}: {inputs} inputs in {seconds} s, nothing found");
    Ok(Ran { inputs })
}

fn program(target: &str) -> PathBuf {
    target_dir().join("debug").join(target)
}

/// The number behind these words.
fn number(report: &str, words: &str) -> Option<u64> {
    report.lines().find_map(|line| line.strip_prefix(words)).and_then(|rest| rest.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(targets.len() >= 8, "{targets:?}");
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not in the manifest");
            let seeds = fs::read_dir(root().join("fuzz/seeds").join(&target)).unwrap();
            assert!(seeds.count() > 0, "{target} has no seeds");
        }
    }

    #[test]
    fn the_count_of_inputs_is_found() {
        let report = "DONE\nstat::number_of_executed_units: 524288\nstat::peak_rss_mb: 40\n";
        assert_eq!(number(report, "stat::number_of_executed_units:"), Some(524_288));
        assert_eq!(number("nothing", "stat::number_of_executed_units:"), None);
    }
}
