//! The program under test: started, asked on the command line, stopped and started again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::client::{Ask, Client};
use crate::machine::{Running, command, free_port, until};

/// A Gateward with its own data directory and settings.
pub struct Gateward {
    pub listen: SocketAddr,
    directory: PathBuf,
    running: Option<Running>,
}

impl Gateward {
    /// Writes settings for a free port into the directory; nothing is started yet.
    pub fn new(directory: &Path, settings: &str) -> Gateward {
        Gateward::new_with(directory, |_| settings.to_owned())
    }

    /// The same, where the settings depend on the address.
    pub fn new_with(directory: &Path, settings: impl FnOnce(SocketAddr) -> String) -> Gateward {
        Gateward::new_at(SocketAddr::from(([127, 0, 0, 1], free_port())), directory, settings)
    }

    /// The same, where the address is chosen already.
    pub fn new_at(
        listen: SocketAddr,
        directory: &Path,
        settings: impl FnOnce(SocketAddr) -> String,
    ) -> Gateward {
        let text = format!(
            "listen = \"{listen}\"\ndata = \"{}\"\n{}",
            directory.join("data").display(),
            settings(listen)
        );
        std::fs::write(directory.join("gateward.toml"), text).unwrap();
        Gateward { listen, directory: directory.to_owned(), running: None }
    }

    fn command(&self) -> Command {
        command(Path::new(env!("CARGO_BIN_EXE_gateward")), &self.directory)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) {
        self.start_for(&Client::plain(self.listen)).await;
    }

    /// The same, where this client is needed to ask it.
    pub async fn start_for(&mut self, client: &Client) {
        let running = self.running.insert(Running::start(
            "gateward",
            command(Path::new(env!("CARGO_BIN_EXE_gateward")), &self.directory),
            &self.directory,
        ));
        until("gateward is ready", async || {
            running.must_live();
            let reply = client.try_send(&Ask::new("GET", "localhost", "/readyz")).await;
            reply.ok().filter(|reply| reply.status == 200)
        })
        .await;
    }

    /// Asks it to end; it must do so by itself.
    pub fn stop(&mut self) {
        let mut running = self.running.take().expect("it runs");
        assert!(running.stop(), "gateward does not end when asked to:\n{}", running.said());
    }

    /// Ends it without a warning (SIGKILL).
    pub fn kill(&mut self) {
        self.running.take().expect("it runs").kill();
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }

    /// Runs a command to its end, with words for its standard input. What it prints.
    pub fn ask(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gateward {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, read.
    pub fn ask_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ask(&[arguments, &["--json"]].concat(), "")).unwrap()
    }

    /// Adds a person with a password and more facts.
    pub fn add(&self, name: &str, password: &str, facts: &[&str]) {
        self.ask(&[&["user", "add", name, "--password-stdin"], facts].concat(), password);
    }
}
