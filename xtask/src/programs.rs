//! The programs of others that the tests run against: real proxies, a real browser, and the languages of other libraries.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::run;

/// A program, or a command that must succeed, and the Debian packages it comes in.
const PROGRAMS: [(&str, &[&str]); 19] = [
    ("cc", &["gcc", "libc6-dev"]),
    ("c++", &["g++"]),
    ("nginx", &["nginx"]),
    ("caddy", &["caddy"]),
    ("haproxy", &["haproxy"]),
    // With the module that makes it a client; its service is in another package.
    ("test -e /usr/lib/apache2/modules/mod_auth_openidc.so", &["apache2-bin", "libapache2-mod-auth-openidc"]),
    ("chromium", &["chromium"]),
    ("chromedriver", &["chromium-driver"]),
    // What every version of PostgreSQL in Debian comes with; its own programs are not in the PATH.
    ("pg_lsclusters", &["postgresql"]),
    ("redis-server", &["redis-server"]),
    ("memcached", &["memcached"]),
    // With the library that shifts the clock of one process.
    ("faketime", &["faketime"]),
    ("node", &["nodejs"]),
    ("npm", &["npm"]),
    ("python3 -m ensurepip --version", &["python3", "python3-venv"]),
    ("go", &["golang-go"]),
    ("java", &["default-jdk-headless"]),
    ("javac", &["default-jdk-headless"]),
    ("mvn", &["maven"]),
];

/// Says to Debian's packages whether they may start their services upon installation.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that every program is there: installs what is missing when this is root on a Debian system, otherwise says what to run.
pub(crate) fn ensure() -> Result<()> {
    ensure_of(|_| true)
}

/// The same for some of them.
pub(crate) fn ensure_of(needs: impl Fn(&str) -> bool) -> Result<()> {
    let missing = missing(&needs);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let mut packages: Vec<_> = missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
    packages.push("ca-certificates");
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !is_root() || find("apt-get").is_none() {
        bail!(
            "the tests need {}, which are not installed. On Debian this installs them:\n\n    \
             sudo sh -c 'apt-get update && {install}'\n",
            names.join(", ")
        );
    }
    eprintln!("The tests need {}: installing.", names.join(", "));
    let _quiet = QuietInstall::begin()?;
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends"])
        .args(&packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    match self::missing(needs).first() {
        Some((name, _)) => bail!("{name} is still not there after installing {}", packages.join(", ")),
        None => Ok(()),
    }
}

fn missing(needs: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static [&'static str])> {
    PROGRAMS.into_iter().filter(|(name, _)| needs(name) && !is_there(name)).collect()
}

fn is_there(command: &str) -> bool {
    let mut words = command.split(' ');
    let Some(program) = words.next().and_then(find) else { return false };
    let arguments: Vec<_> = words.collect();
    arguments.is_empty()
        || Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are in the directories that the PATH of an ordinary user may leave out.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn is_root() -> bool {
    // The owner of /proc/self is the user whom this process acts for.
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// While it lives, installed packages do not start their services. A policy that is there is left alone.
struct QuietInstall {
    ours: bool,
}

impl QuietInstall {
    fn begin() -> Result<Self> {
        match fs::OpenOptions::new().write(true).create_new(true).open(POLICY) {
            Ok(mut file) => {
                let quiet = QuietInstall { ours: true };
                std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n")
                    .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o755)))
                    .with_context(|| format!("{POLICY} cannot be written"))?;
                Ok(quiet)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(QuietInstall { ours: false }),
            Err(error) => Err(error).with_context(|| format!("{POLICY} cannot be written")),
        }
    }
}

impl Drop for QuietInstall {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("{POLICY} could not be removed: {error}");
        }
    }
}
