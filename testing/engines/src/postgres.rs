//! A PostgreSQL server.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, free_port, wait_until_stopped};

/// A PostgreSQL server on loopback, with a data directory of its own. Its superuser `postgres` needs no password; the role
/// `guarded` does: [`Postgres::PASSWORD`].
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    databases: AtomicUsize,
    home: TempDir,
}

impl Postgres {
    /// The password of the role `guarded` (SCRAM-SHA-256).
    pub const PASSWORD: &str = "p@ss/wörd %";

    /// Starts a server.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server that also speaks TLS, with this certificate and key (PEM).
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(tls: Option<(&str, &str)>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let owner = owner();
        own(home.path(), owner);
        let data = home.path().join("data");
        let initialised = as_owner(Command::new(program("initdb")), owner)
            .args(["--no-sync", "--no-instructions", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-D"])
            .arg(&data)
            .current_dir(home.path())
            .output()
            .unwrap();
        assert!(initialised.status.success(), "initdb: {}", String::from_utf8_lossy(&initialised.stderr));
        let rules = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("host all guarded 127.0.0.1/32 scram-sha-256\n{trusting}")).unwrap();
        if let Some((certificate, key)) = tls {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let file = data.join(name);
                std::fs::write(&file, text).unwrap();
                std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
                own(&file, owner);
            }
        }
        let server = Self::serve(home, tls.is_some());
        server.sql("postgres", &format!("CREATE ROLE guarded LOGIN PASSWORD '{}'", Self::PASSWORD));
        server
    }

    /// Starts a server that follows this one (streaming replication) and takes no writes until it is [promoted](Self::promote).
    pub fn standby(&self) -> Self {
        let home = tempfile::tempdir().unwrap();
        let owner = owner();
        own(home.path(), owner);
        let copied = as_owner(Command::new(program("pg_basebackup")), owner)
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()])
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D"])
            .arg(home.path().join("data"))
            .current_dir(home.path())
            .output()
            .unwrap();
        assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
        let standby = Self::serve(home, false);
        self.wait_until("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1");
        standby
    }

    /// Whether a commit is answered only when the server that follows has it too.
    pub fn wait_for_standby(&self, waits: bool) {
        let names = if waits { "*" } else { "" };
        self.set("synchronous_standby_names", names);
        if waits {
            self.wait_until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1");
        }
    }

    /// Waits until this standby shows everything that has been written to the one it follows.
    pub fn catch_up(&self, primary: &Self) {
        let written = primary.sql("postgres", "SELECT pg_current_wal_lsn()");
        self.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'"), "t");
    }

    /// Changes a setting for all sessions, also those that are open.
    pub fn set(&self, setting: &str, value: &str) {
        self.sql("postgres", &format!("ALTER SYSTEM SET {setting} = '{value}'"));
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.wait_until(&format!("SHOW {setting}"), value);
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        assert_eq!(self.sql("postgres", "SELECT pg_promote()"), "t");
    }

    fn wait_until(&self, question: &str, answer: &str) {
        let begun = Instant::now();
        while self.sql("postgres", question) != answer {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{question} is not {answer}: {}",
                self.process.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs on what is in the folder `data` of this one.
    fn serve(home: TempDir, encrypted: bool) -> Self {
        let owner = owner();
        let port = free_port();
        let (socket, data) = (home.path().to_owned(), home.path().join("data"));
        let make = move || {
            let mut command = as_owner(Command::new(program("postgres")), owner);
            command.current_dir(&socket).arg("-D").arg(&data).args(["-p", &port.to_string()]);
            command.arg("-c").arg(format!("unix_socket_directories={}", socket.display()));
            for setting in [
                "listen_addresses=127.0.0.1",
                "max_connections=200",
                "shared_buffers=64MB",
                "password_encryption=scram-sha-256",
                if encrypted { "ssl=on" } else { "ssl=off" },
            ] {
                command.args(["-c", setting]);
            }
            command
        };
        let process = Process::start("postgres", home.path().join("log"), make, move || {
            query(port, "postgres", "SELECT 1").is_ok()
        });
        Postgres { process, port, databases: AtomicUsize::new(0), home }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.home.path()
    }

    /// The address of a database, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A new empty database; its name.
    pub fn fresh_database(&self) -> String {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER guarded"));
        name
    }

    /// Runs a statement as the superuser, and gives what it prints.
    pub fn sql(&self, database: &str, text: &str) -> String {
        query(self.port, database, text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// A database as the statements that make it, or its tables without their rows.
    pub fn dump(&self, database: &str, with_rows: bool) -> String {
        let output = Command::new(program("pg_dump"))
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()])
            .args(["--inserts", "--no-owner", "--no-privileges", "--no-comments"])
            .args((!with_rows).then_some("--schema-only"))
            .arg(database)
            .output()
            .unwrap();
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        // Commands to psql itself, which newer ones write, and what only says which version it was.
        let is_sql = |line: &&str| !line.starts_with(['\\', '-']);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(is_sql).map(|line| format!("{line}\n")).collect()
    }

    /// Ends the server and all its processes as `kill -9` does.
    pub fn kill(&mut self) {
        // Without their father the others would end too, but not at once, and not those that are stopped.
        let processes = self.processes();
        self.signal("KILL");
        self.process.kill();
        let runs = |id: &u32| status(*id).is_some_and(|(state, _)| state != "Z");
        while processes.iter().any(runs) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it again, with the same data and on the same port.
    pub fn restart(&mut self) {
        self.kill();
        self.process.restart();
    }

    /// Ends it in order (SIGINT: a fast shutdown).
    pub fn shut_down(&mut self) {
        if let Some(id) = self.process.id() {
            signal("INT", [id]);
        }
        self.process.stop();
    }

    /// Stops the server and all its processes in the middle of whatever they do (SIGSTOP).
    pub fn pause(&self) {
        self.signal("STOP");
        self.processes().into_iter().for_each(wait_until_stopped);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Its process id, while it runs; the processes that do its work are its children.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    fn signal(&self, name: &str) {
        let processes = self.processes();
        if !processes.is_empty() {
            signal(name, processes);
        }
    }

    /// The server and its children.
    fn processes(&self) -> BTreeSet<u32> {
        let Some(server) = self.process.id() else { return BTreeSet::new() };
        let mut found = BTreeSet::from([server]);
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if status(id).is_some_and(|(_, parent)| parent == server) {
                found.insert(id);
            }
        }
        found
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The state and the parent of a process.
fn status(id: u32) -> Option<(String, u32)> {
    // "id (name) state parent …"; the name may hold anything.
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// A process that has just ended by itself is no failure.
fn signal(name: &str, processes: impl IntoIterator<Item = u32>) {
    let ids = processes.into_iter().map(|id| id.to_string());
    let _some_ended = Command::new("kill").arg(format!("-{name}")).args(ids).output().unwrap();
}

/// Where a program of PostgreSQL is: Debian keeps them out of the `PATH`.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places = versions.map(|version| version.path().join("bin").join(name));
    places.filter(|file| file.is_file()).max().unwrap_or_else(|| crate::find(name))
}

fn query(port: u16, database: &str, text: &str) -> Result<String, String> {
    let output = Command::new(program("psql"))
        .args([
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &port.to_string(),
        ])
        .args(["-d", database, "-c", text])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// PostgreSQL does not run as root: as root, it is the user `postgres`, whom its package has made.
fn owner() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").map(|process| std::os::unix::fs::MetadataExt::uid(&process));
    if own.unwrap() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find_map(|line| line.strip_prefix("postgres:"));
    let line = line.expect("there is no user postgres: install the package postgresql");
    let mut fields = line.split(':').skip(1).map(|number| number.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

fn own(path: &Path, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>) -> Command {
    if let Some((user, group)) = owner {
        command.gid(group).uid(user);
    }
    command
}
