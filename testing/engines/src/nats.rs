//! NATS with JetStream: one server, and a cluster of three.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, free_port};

/// The oldest version that takes single messages away after their time.
const OLDEST: (u32, u32) = (2, 11);

/// One `nats-server` with JetStream. It has everything again after being killed.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    address: SocketAddr,
    monitor: SocketAddr,
    dir: TempDir,
}

impl Nats {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with further text in its configuration; `{dir}` in it stands for its directory.
    pub fn start_with(settings: &str) -> Self {
        let mut server = Self::launch("alone", settings);
        server.process.wait();
        server
    }

    fn launch(name: &str, settings: &str) -> Self {
        Self::launch_at(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())), name, settings)
    }

    fn launch_at(address: SocketAddr, name: &str, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let monitor = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let place = dir.path().display().to_string();
        let text = format!(
            "server_name: {name}\nlisten: \"{address}\"\nhttp: \"{monitor}\"\njetstream {{ store_dir: \"{place}/data\" }}\n{}\n",
            settings.replace("{dir}", &place)
        );
        let file = dir.path().join("nats.conf");
        std::fs::write(&file, text).unwrap();
        let program = program();
        let make = move || {
            let mut command = Command::new(&program);
            command.arg("--config").arg(&file);
            command
        };
        let ready = move || is_healthy(monitor);
        let process = Process::begin("nats-server", dir.path().join("log"), make, ready);
        Nats { process, address, monitor, dir }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a setting.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What its monitoring says at this path, as JSON text.
    pub fn monitor(&self, path: &str) -> String {
        get(self.monitor, path).unwrap_or_else(|error| panic!("{path} has no answer: {error}"))
    }

    /// Sends a message and gives the answer as text; none when nobody answers within two seconds.
    pub fn ask(&self, subject: &str, payload: &str) -> Option<String> {
        ask(self.address, subject, "", payload).ok()
    }

    /// Writes a message that the server takes away after a second.
    pub fn write_for_a_second(&self, subject: &str, payload: &str) {
        let said = ask(self.address, subject, "NATS/1.0\r\nNats-TTL: 1\r\n\r\n", payload).unwrap();
        assert!(said.contains("\"seq\""), "{said}");
    }

    /// Puts other text in the place of this one in its configuration, which it reads when it is started again.
    pub fn configure(&self, old: &str, new: &str) {
        let file = self.dir.path().join("nats.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(old), "{old} is not in {text}");
        std::fs::write(&file, text.replace(old, new)).unwrap();
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, with the same data and on the same port.
    pub fn restart(&mut self) {
        self.process.restart();
    }

    /// Starts it again without waiting until it is ready: a member of a cluster needs others for that.
    pub fn relaunch(&mut self) {
        self.process.launch();
    }

    /// Waits until it is ready.
    pub fn wait(&mut self) {
        self.process.wait();
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

/// A cluster of three servers.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<Nats>,
}

impl NatsCluster {
    /// Starts them and waits until they agree.
    pub fn start() -> Self {
        let routes: Vec<String> = (0..3).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let urls: Vec<String> = routes.iter().map(|route| format!("\"nats-route://{route}\"")).collect();
        let begin = |(number, route): (usize, &String)| {
            let settings = format!(
                "cluster {{ name: test, listen: \"{route}\", routes: [{}], no_advertise: true }}",
                urls.join(", ")
            );
            Nats::launch(&format!("node-{number}"), &settings)
        };
        let mut nodes: Vec<Nats> = routes.iter().enumerate().map(begin).collect();
        nodes.iter_mut().for_each(Nats::wait);
        NatsCluster { nodes }
    }

    /// The addresses of all as one setting.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.addr().to_string()).collect();
        format!("nats://{}", hosts.join(","))
    }

    /// One of the three.
    pub fn node(&self, number: usize) -> &Nats {
        &self.nodes[number]
    }

    /// One of the three, to kill and restart it.
    pub fn node_mut(&mut self, number: usize) -> &mut Nats {
        &mut self.nodes[number]
    }

    /// Starts those that were killed, and waits until all agree.
    pub fn heal(&mut self) {
        self.nodes.iter_mut().filter(|node| node.id().is_none()).for_each(Nats::relaunch);
        self.nodes.iter_mut().for_each(Nats::wait);
    }

    /// The number of the node that leads this stream, when one that lives knows it.
    pub fn leader_of(&self, stream: &str) -> Option<usize> {
        let living = self.nodes.iter().find(|node| node.id().is_some()).expect("one lives");
        let said = living.ask(&format!("$JS.API.STREAM.INFO.{stream}"), "")?;
        let (_, rest) = said.split_once("\"leader\":\"node-")?;
        rest.get(..1)?.parse().ok()
    }
}

/// Whether it has JetStream ready, with whoever it needs for that.
fn is_healthy(monitor: SocketAddr) -> bool {
    get(monitor, "/healthz").is_ok_and(|said| said.contains("\"ok\""))
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(&stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut body = String::new();
    reader.read_to_string(&mut body)?;
    Ok(body)
}

/// A request in NATS' own protocol: line by line.
fn ask(address: SocketAddr, subject: &str, headers: &str, payload: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let connect = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}";
    let (own, all) = (headers.len(), headers.len() + payload.len());
    let sizes = if own == 0 {
        format!("PUB {subject} answer {all}")
    } else {
        format!("HPUB {subject} answer {own} {all}")
    };
    write!(&stream, "{connect}\r\nSUB answer 1\r\n{sizes}\r\n{headers}{payload}\r\n")?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["MSG", .., length] => {
                let mut body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut body)?;
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
            // Only what answers nothing has headers: nobody is there.
            ["HMSG", ..] | ["-ERR", ..] => return Err(std::io::ErrorKind::NotConnected.into()),
            ["PING"] => write!(&stream, "PONG\r\n")?,
            _ => {}
        }
    }
}

/// A `nats-server` that is new enough: from the `PATH`, or the one that `cargo xtask test` puts into the target directory. Debian's is
/// too old.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin".into(), "/usr/local/sbin".into(), target().join("engines/nats/bin")]);
    let found = places.into_iter().map(|place| place.join("nats-server")).find(|file| is_new(file));
    found.unwrap_or_else(|| {
        let (major, minor) = OLDEST;
        panic!("nats-server {major}.{minor} or newer is not installed: `cargo xtask test` installs it")
    })
}

/// The directory that everything is built in: the one that this program lies in.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().find(|place| place.join("CACHEDIR.TAG").is_file());
    built.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Path::to_owned)
}

fn is_new(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some((_, version)) = said.split_once(": v") else { return false };
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}
