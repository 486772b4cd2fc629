//! A machine for the real binary: an empty working directory, and nothing in the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::house::PASSWORD;
use crate::wire::Browser;

/// A machine: an empty working directory, and nothing in the environment.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
    /// Settings that every command gets.
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        let cheap = [("GATEWARD_PASSWORDS__MEMORY", "8MiB"), ("GATEWARD_PASSWORDS__ITERATIONS", "1")];
        let variables = cheap.map(|(name, value)| (name, value.to_owned())).into();
        Machine { folder: TempDir::new().unwrap(), variables }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(own, _)| *own != name);
        self.variables.push((name, value.to_owned()));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("gateward-data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateward"));
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// Runs a command that must succeed with JSON on its output.
    pub(crate) async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command with a line on its standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], line: &str) -> Output {
        let file = self.folder.path().join("input");
        std::fs::write(&file, format!("{line}\n")).unwrap();
        let output =
            self.command(arguments).stdin(std::fs::File::open(&file).unwrap()).output().await.unwrap();
        std::fs::remove_file(&file).unwrap();
        output
    }

    pub(crate) async fn add(&self, arguments: &[&str]) {
        let output =
            self.run_with(&[&["user", "add"], arguments, &["--password-stdin"]].concat(), PASSWORD).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts serving on a port of the system's choice.
    pub(crate) async fn serve(&self) -> Running {
        self.serve_on("127.0.0.1:0").await
    }

    /// Starts serving there.
    pub(crate) async fn serve_on(&self, listen: &str) -> Running {
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut child =
            self.command(&["--listen", listen]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("{}", self.log()));
        let rest = first.strip_prefix("gateward listens on ").unwrap_or_else(|| panic!("{first}"));
        let address = rest.split(';').next().unwrap().parse().unwrap();
        Running { child, lines, address }
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What servers have written to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

/// A server process.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Running {
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// The next line that it prints and that holds this.
    pub(crate) async fn prints(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap().unwrap_or_else(|| panic!("no {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Tells it to end, as service managers do.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let kill = format!("kill -{name} \"$0\"");
        let told = std::process::Command::new("sh").args(["-c", &kill, &pid]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for its end, and yields what it printed since it listens.
    pub(crate) async fn ended(mut self) -> (std::process::ExitStatus, String) {
        let mut text = String::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            text.push_str(&line);
            text.push('\n');
        }
        (self.child.wait().await.unwrap(), text)
    }

    pub(crate) async fn stop(self) -> String {
        self.terminate();
        let (status, text) = self.ended().await;
        assert!(status.success(), "{status}: {text}");
        text
    }
}

/// Everything below a folder: names, permissions and contents.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            let content = if metadata.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
            found.insert(path.clone(), (metadata.permissions().mode(), content));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}
