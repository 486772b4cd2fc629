//! Three nodes of the real program over the stores of a strategy.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gateward_engines::{Process, Proxy, free_port};
use tempfile::TempDir;

use crate::engines::{Engines, Strategy};
use crate::round::Programs;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;
/// How long a node without brokers answers from memory.
pub(crate) const STALE: Duration = Duration::from_secs(3);
/// Everybody's password.
pub(crate) const PASSWORD: &str = "violet kettle mountain";

const SETTINGS: [(&str, &str); 11] = [
    ("GATEWARD_PUBLIC_URL", "http://localhost"),
    ("GATEWARD_PASSWORDS__MEMORY", "8MiB"),
    ("GATEWARD_PASSWORDS__ITERATIONS", "1"),
    ("GATEWARD_THROTTLE__ACCOUNT_BURST", "1000000"),
    ("GATEWARD_THROTTLE__ACCOUNT_EVERY", "1ms"),
    ("GATEWARD_THROTTLE__NETWORK_BURST", "1000000"),
    ("GATEWARD_THROTTLE__NETWORK_EVERY", "1ms"),
    ("GATEWARD_SESSIONS__PER_PERSON", "1000"),
    ("GATEWARD_SESSIONS__STALE", "3s"),
    // A use is written down after six seconds.
    ("GATEWARD_SESSIONS__IDLE", "10m"),
    ("GATEWARD_SESSIONS__RENEW_PERCENT", "1"),
];

/// Everything that runs.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) engines: Engines,
    folder: TempDir,
}

/// A node, with its lines to the stores and a clock of its own.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) lines: Vec<Proxy>,
    clock: PathBuf,
}

impl Cluster {
    /// Starts everything, and adds people of these names.
    pub(crate) fn start(strategy: Strategy, programs: &Programs, people: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::start(strategy);
        let database = engines.database();
        let mut nodes = Vec::new();
        for (number, letter) in (0..NODES).zip('a'..) {
            let lines = engines.lines(database.as_deref());
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            // One file for all, or what little each keeps besides the stores.
            let data =
                if strategy == Strategy::File { "shared".to_owned() } else { format!("node-{number}") };
            let mut settings: Vec<(String, String)> =
                SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            settings.extend(lines.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            settings.push(("GATEWARD_DATA".into(), text(&folder.path().join(data))));
            settings.push(("GATEWARD_SECRETS__ROOT_KEY_FILE".into(), text(&folder.path().join("root.key"))));
            if strategy != Strategy::File {
                settings.push(("GATEWARD_NODE".into(), letter.to_string()));
            }
            let clock = folder.path().join(format!("clock-{number}"));
            set_clock(&clock, 0);
            let make = program(programs, settings, &clock, folder.path());
            if number == 0 {
                people.iter().for_each(|name| add(make(&[]), name));
            }
            let serve = move || make(&["--listen", &address.to_string()]);
            let log = folder.path().join(format!("log-{number}"));
            let process = Process::start("gateward", log, serve, move || TcpStream::connect(address).is_ok());
            nodes.push(Node { address, process, lines: lines.proxies, clock });
        }
        Cluster { nodes, engines, folder }
    }

    /// What the nodes wrote to their logs.
    pub(crate) fn keep_logs(&self, into: &Path) {
        for number in 0..NODES {
            let name = format!("log-{number}");
            std::fs::copy(self.folder.path().join(&name), into.join(&name)).unwrap();
        }
    }
}

impl Node {
    /// Shifts its clock against everybody else's, by milliseconds.
    pub(crate) fn shift(&self, milliseconds: i64) {
        set_clock(&self.clock, milliseconds);
    }
}

/// How the program is started, with arguments.
fn program(
    programs: &Programs,
    settings: Vec<(String, String)>,
    clock: &Path,
    folder: &Path,
) -> impl Fn(&[&str]) -> Command + Send + Sync + use<> {
    let (gateward, clock, folder) = (programs.gateward.clone(), clock.to_owned(), folder.to_owned());
    let faketime = programs.faketime.clone();
    move |arguments| {
        let mut command = Command::new(&gateward);
        command.env_clear().current_dir(&folder).args(arguments);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        // Only what time of day it is: spans are measured by another clock.
        command.env("LD_PRELOAD", &faketime).env("FAKETIME_TIMESTAMP_FILE", &clock);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        command.env("FAKETIME_CACHE_DURATION", "1");
        command
    }
}

fn add(mut command: Command, name: &str) {
    command.args(["user", "add", name, "--password-stdin"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{PASSWORD}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Another file in the place of the old: it is read at any moment.
fn set_clock(clock: &Path, milliseconds: i64) {
    let (sign, size) = (if milliseconds < 0 { '-' } else { '+' }, milliseconds.abs());
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("{sign}{}.{:03}\n", size / 1000, size % 1000)).unwrap();
    std::fs::rename(next, clock).unwrap();
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
