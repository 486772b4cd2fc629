//! Memcached.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, accepts, find, free_port};

/// A running Memcached.
#[derive(Debug)]
pub struct Memcached {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Memcached {
    /// Starts one.
    pub fn start() -> Self {
        Memcached::start_with(&[])
    }

    /// Starts one with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let program = find("memcached");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let make = move || command(&program, address, &arguments);
        let process = Process::start("memcached", folder.path().join("log"), make, move || accepts(address));
        Memcached { process, address, _folder: folder }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a setting.
    pub fn url(&self) -> String {
        format!("memcached://{}", self.address)
    }

    /// What it says of itself: lines of `STAT name value`.
    pub fn stats(&self) -> String {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (&stream).write_all(b"stats\r\n").unwrap();
        let mut said = String::new();
        let mut reader = BufReader::new(stream);
        while !said.ends_with("END\r\n") {
            assert!(reader.read_line(&mut said).unwrap() > 0, "it ended its statistics early: {said}");
        }
        said
    }

    /// Ends it as `kill -9` does. All that it held is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.process.restart();
    }

    /// Stops it in the middle of whatever it does: its connections stay open and silent.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }
}

fn command(program: &PathBuf, address: SocketAddr, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(["-l", &address.ip().to_string(), "-p", &address.port().to_string(), "-U", "0"]);
    // It refuses to run as the superuser.
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.args(["-u", "nobody"]);
    }
    command.args(arguments);
    command
}
