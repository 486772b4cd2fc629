//! The libraries of other languages with which the tests exchange tokens, the applications that are written with such, engines that Debian
//! does not have, and the checker of histories.
//!
//! Each comes by its own world's package manager, in the version its lock file says, into the target directory; nothing is
//! installed for the whole system. What is there already is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{root, run, target_dir};

/// The programs of the libraries, below the root of the workspace.
const PEERS: &str = "crates/server/tests/foreign";
/// The applications that sign people in.
const APPLICATIONS: &str = "crates/server/tests/real/applications";

/// The oldest versions that the libraries work with: of which program, what it is asked, and the least it must say.
const OLDEST: [(&str, &str, (u32, u32)); 4] = [
    ("node", "--version", (20, 0)),
    ("go", "version", (1, 24)),
    ("java", "-version", (17, 0)),
    ("python3", "--version", (3, 9)),
];

/// Brings and builds what is missing.
pub(crate) fn ensure() -> Result<()> {
    for (program, question, oldest) in OLDEST {
        ensure_version(program, question, oldest)?;
    }
    ensure_engines()?;
    let (foreign, peers, applications) =
        (target_dir().join("foreign"), root().join(PEERS), root().join(APPLICATIONS));
    node(&foreign.join("node"), &root().join("examples/verify-node"))?;
    node(&foreign.join("applications/node"), &applications.join("node"))?;
    let shared = root().join("examples/verify-python/requirements.txt");
    python(&foreign.join("python"), &[peers.join("python/requirements.txt"), shared])?;
    python(&foreign.join("applications/python"), &[applications.join("python/requirements.txt")])?;
    go()?;
    java(&foreign.join("java"), &peers.join("java"), "Peer.java")?;
    java(&foreign.join("applications/java"), &applications.join("java"), "Application.java")
}

/// Brings and builds what is missing for `cargo xtask chaos`.
pub(crate) fn ensure_for_chaos() -> Result<()> {
    ensure_engines()?;
    create(&go_folder())?;
    build_go("testing/chaos/checker", &chaos_checker())
}

/// The checker of histories, built.
pub(crate) fn chaos_checker() -> PathBuf {
    go_folder().join("chaos-checker")
}

fn go_folder() -> PathBuf {
    target_dir().join("foreign/go")
}

/// Brings the engines that Debian does not have, or not new enough.
pub(crate) fn ensure_engines() -> Result<()> {
    engines(&target_dir().join("engines/nats"))
}

fn ensure_version(program: &str, question: &str, oldest: (u32, u32)) -> Result<()> {
    let output = Command::new(program).arg(question).output();
    let output = output.with_context(|| format!("{program} could not be started"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let found = version(&said).with_context(|| format!("{program} {question} names no version: {said}"))?;
    let (major, minor) = oldest;
    ensure!(
        found >= oldest,
        "{program} is version {}.{}, and the tests need {major}.{minor} or newer; Debian has that since version 13",
        found.0,
        found.1
    );
    Ok(())
}

/// The first `major.minor` in a text.
fn version(said: &str) -> Option<(u32, u32)> {
    let start = said.find(|character: char| character.is_ascii_digit())?;
    let mut numbers = said.get(start..)?.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

/// The packages of a lock file in that folder.
fn node(folder: &Path, source: &Path) -> Result<()> {
    let lock = [source.join("package.json"), source.join("package-lock.json")];
    once(folder, &lock, || {
        for file in &lock {
            fs::copy(file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder))
    })
}

/// The packages of the first of these files; the others are those it refers to.
fn python(folder: &Path, requirements: &[PathBuf]) -> Result<()> {
    once(folder, requirements, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .args(requirements.first()))
    })
}

/// Engines that Debian has in too old versions come from PyPI: there are wheels that hold nothing but the program.
fn engines(folder: &Path) -> Result<()> {
    python(folder, &[root().join("testing/engines/requirements.txt")])
}

fn go() -> Result<()> {
    let folder = go_folder();
    create(&folder)?;
    build_go(&format!("{PEERS}/go"), &folder.join("peer"))?;
    build_go("examples/verify-go", &folder.join("verify-go"))?;
    build_go(&format!("{APPLICATIONS}/go"), &folder.join("application"))?;
    let mut proxy = go_build("github.com/oauth2-proxy/oauth2-proxy/v7", &folder.join("oauth2-proxy"));
    // It wants a newer Go than Debian has: Go fetches that one by itself, as any module.
    run(proxy.current_dir(root().join(APPLICATIONS).join("go/oauth2-proxy")).env("GOTOOLCHAIN", "auto"))?;
    build_go("testing/chaos/checker", &chaos_checker())
}

/// What is installed builds it: no other toolchain is fetched.
fn build_go(source: &str, program: &Path) -> Result<()> {
    run(go_build(".", program).current_dir(root().join(source)).env("GOTOOLCHAIN", "local"))
}

/// Go itself knows what is built already. No lock file is changed.
fn go_build(package: &str, program: &Path) -> Command {
    let mut build = Command::new("go");
    build.args(["build", "-trimpath", "-o"]).arg(program).arg(package);
    build.env("GOFLAGS", "-mod=readonly -buildvcs=false");
    build
}

/// The libraries of `pom.xml` in that folder, and the program compiled with them.
fn java(folder: &Path, source: &Path, program: &str) -> Result<()> {
    let (manifest, program) = (source.join("pom.xml"), source.join(program));
    let (libraries, classes) = (folder.join("libraries"), folder.join("classes"));
    once(folder, &[manifest.clone(), program.clone()], || {
        run(Command::new("mvn")
            .args(["--batch-mode", "--no-transfer-progress", "--quiet", "--file"])
            .arg(manifest)
            .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", libraries.display())))?;
        run(Command::new("javac")
            .arg("-classpath")
            .arg(libraries.join("*"))
            .arg("-d")
            .args([&classes, &program]))
    })
}

/// Empties the folder and fills it anew, unless it was filled from these very files before.
fn once(folder: &Path, from: &[PathBuf], fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let mark = folder.join("made-from");
    let mut wanted = Vec::new();
    for file in from {
        wanted.extend(fs::read(file).with_context(|| file.display().to_string())?);
    }
    if fs::read(&mark).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    create(folder)?;
    fill()?;
    fs::write(&mark, wanted).with_context(|| mark.display().to_string())
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(version("v20.19.2\n"), Some((20, 19)));
        assert_eq!(version("go version go1.24.4 linux/amd64"), Some((1, 24)));
        assert_eq!(version("openjdk version \"21\" 2023-09-19"), Some((21, 0)));
        assert_eq!(version("Python 3.13.5"), Some((3, 13)));
        assert_eq!(version("none"), None);
    }
}
