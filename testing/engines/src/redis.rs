//! Redis: one server, a master with a replica and three Sentinels, and a cluster of three masters and three replicas.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, find, free_port};

/// How long servers may take to agree with each other.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(20);
/// The name of the master among the Sentinels.
const MASTER: &str = "gateward";

/// One `redis-server`. Every write is in its log before it is answered, so it has everything again after being killed.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    address: SocketAddr,
    dir: TempDir,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further settings, as in `["--requirepass", "secret"]`; `{dir}` in them stands for its directory.
    pub fn start_with(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, settings)
    }

    /// Starts one in this directory, where files for it may lie already.
    pub fn start_in(dir: TempDir, settings: &[&str]) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let place = dir.path().to_owned();
        let shown = place.display().to_string();
        let settings: Vec<String> = settings.iter().map(|setting| setting.replace("{dir}", &shown)).collect();
        let program = find("redis-server");
        // Where Sentinels write down whether it is a master, so that it is the same after it was killed.
        let file = place.join("redis.conf");
        File::options().create(true).append(true).open(&file).unwrap();
        let make = move || {
            let mut command = Command::new(&program);
            command.arg(&file).args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
            command.args(["--dir", &shown, "--save", "", "--appendonly", "yes"]).args(&settings);
            command
        };
        let log = place.join("redis.log");
        let process = Process::start("redis-server", log, make, move || answers(address));
        Redis { process, address, dir }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its address as the setting of a store has it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Its directory.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Sends a command and gives the answer as text: the parts of a list in lines, an error after a dash.
    pub fn ask(&self, command: &[&str]) -> String {
        ask(self.address, command).unwrap_or_else(|error| panic!("{command:?} has no answer: {error}"))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, with the same data and on the same port.
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

/// A master, a replica, and three Sentinels that make the replica the master a second after the master has gone.
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Redis>,
    sentinels: Vec<Process>,
    addresses: Vec<SocketAddr>,
    _dir: TempDir,
}

impl Sentinels {
    /// Starts all of them.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts all of them, the two servers with further settings.
    pub fn start_with(settings: &[&str]) -> Self {
        let first = Redis::start_with(settings);
        let port = first.addr().port().to_string();
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("redis.conf"), format!("replicaof 127.0.0.1 {port}\n")).unwrap();
        let replica = Redis::start_in(place, settings);
        until("the replica follows the master", || replica.ask(&["INFO"]).contains("master_link_status:up"));
        let dir = tempfile::tempdir().unwrap();
        let (mut sentinels, mut addresses) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let file = dir.path().join(format!("sentinel-{number}.conf"));
            let place = dir.path().display();
            let text = format!(
                "port {}\nbind 127.0.0.1\ndir {place}\nsentinel monitor {MASTER} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 6000\n",
                address.port()
            );
            std::fs::write(&file, text).unwrap();
            let program = find("redis-server");
            let make = move || {
                let mut command = Command::new(&program);
                command.arg(&file).arg("--sentinel");
                command
            };
            let log = dir.path().join(format!("sentinel-{number}.log"));
            sentinels.push(Process::start("redis-sentinel", log, make, move || answers(address)));
            addresses.push(address);
        }
        until("the Sentinels know each other and the replica", || {
            addresses.iter().all(|address| {
                let said = ask(*address, &["SENTINEL", "MASTER", MASTER]).unwrap_or_default();
                said.contains("num-other-sentinels\n2\n") && said.contains("num-slaves\n1\n")
            })
        });
        Sentinels { servers: vec![first, replica], sentinels, addresses, _dir: dir }
    }

    /// The address as the setting of a store has it.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// Where the Sentinels listen.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The number of the server that most Sentinels name as the master.
    pub fn master(&self) -> usize {
        let mut votes = vec![0; self.servers.len()];
        for address in &self.addresses {
            let said = ask(*address, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).unwrap_or_default();
            for (vote, server) in votes.iter_mut().zip(&self.servers) {
                *vote += usize::from(said.contains(&server.addr().port().to_string()));
            }
        }
        (0..votes.len()).max_by_key(|number| votes[*number]).unwrap()
    }

    /// One of the two servers.
    pub fn server(&self, number: usize) -> &Redis {
        &self.servers[number]
    }

    /// One of the two servers, to kill and restart it.
    pub fn server_mut(&mut self, number: usize) -> &mut Redis {
        &mut self.servers[number]
    }

    /// One of the three Sentinels, to kill and restart it.
    pub fn sentinel_mut(&mut self, number: usize) -> &mut Process {
        &mut self.sentinels[number]
    }

    /// Waits until another server than this one is the master for all Sentinels.
    pub fn wait_for_another_than(&self, number: usize) {
        let port = self.servers[1 - number].addr().port().to_string();
        until("the fail-over", || {
            self.addresses.iter().all(|address| {
                let said =
                    ask(*address, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).unwrap_or_default();
                said.contains(&port)
            }) && self.servers[1 - number].ask(&["ROLE"]).starts_with("master")
        });
    }
}

/// Redis Cluster: three masters, each with a replica.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts six nodes and waits until they agree.
    pub fn start() -> Self {
        let start = |_| {
            let bus = free_port().to_string();
            let settings =
                ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1500"];
            (Redis::start_with(&[&settings[..], &["--cluster-replica-validity-factor", "0"]].concat()), bus)
        };
        let (nodes, buses): (Vec<Redis>, Vec<String>) = (0..6).map(start).unzip();
        let ids: Vec<String> = nodes.iter().map(|node| node.ask(&["CLUSTER", "MYID"])).collect();
        for (number, node) in nodes.iter().enumerate() {
            ok(&node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]));
            let port = node.addr().port().to_string();
            ok(&nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &buses[number]]));
        }
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (node, (first, last)) in nodes.iter().zip(slots) {
            ok(&node.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]));
        }
        for (number, replica) in nodes.iter().enumerate().skip(3) {
            until("a replica is taken", || replica.ask(&["CLUSTER", "REPLICATE", &ids[number - 3]]) == "OK");
        }
        let cluster = RedisCluster { nodes };
        cluster.wait();
        cluster
    }

    /// Waits until every node that answers finds the cluster sound and three masters have a replica that follows.
    pub fn wait(&self) {
        until("the cluster is sound", || {
            self.nodes.iter().all(|node| {
                let info = ask(node.addr(), &["CLUSTER", "INFO"]).unwrap_or_default();
                let role = ask(node.addr(), &["ROLE"]).unwrap_or_default();
                let is_whole = role.starts_with("master") || role.contains("connected");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6") && is_whole
            })
        });
    }

    /// The address as the setting of a store has it.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.addr().to_string()).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// One of the six nodes; the first three begin as masters, node `n + 3` as the replica of node `n`.
    pub fn node(&self, number: usize) -> &Redis {
        &self.nodes[number]
    }

    /// One of the six nodes, to kill and restart it.
    pub fn node_mut(&mut self, number: usize) -> &mut Redis {
        &mut self.nodes[number]
    }

    /// Waits until this node is a master and calls the cluster sound.
    pub fn wait_for_master(&self, number: usize) {
        let node = &self.nodes[number];
        until("the replica takes over", || {
            node.ask(&["ROLE"]).starts_with("master")
                && node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        });
    }
}

fn ok(said: &str) {
    assert_eq!(said, "OK");
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Whether it answers, be it that it wants a password, and has read its data.
fn answers(address: SocketAddr) -> bool {
    ask(address, &["PING"]).is_ok_and(|said| said == "PONG" || said.starts_with("-NOAUTH"))
}

fn ask(address: SocketAddr, command: &[&str]) -> std::io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut text = format!("*{}\r\n", command.len());
    for part in command {
        write!(text, "${}\r\n{part}\r\n", part.len()).unwrap();
    }
    (&stream).write_all(text.as_bytes())?;
    read(&mut BufReader::new(stream))
}

/// Reads one answer of the second protocol.
fn read(from: &mut impl BufRead) -> std::io::Result<String> {
    let odd = || std::io::Error::other("an odd answer");
    let mut line = String::new();
    from.read_line(&mut line)?;
    let rest = line.trim_end().get(1..).ok_or_else(odd)?.to_owned();
    let count = || rest.parse::<i64>().map_err(|_| odd());
    match line.as_bytes()[0] {
        b'+' | b':' => Ok(rest),
        b'-' => Ok(format!("-{rest}")),
        b'$' => {
            let Ok(length) = usize::try_from(count()?) else { return Ok(String::new()) };
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        b'*' => {
            let mut parts = String::new();
            for _ in 0..count()? {
                parts += &read(from)?;
                parts.push('\n');
            }
            Ok(parts)
        }
        _ => Err(odd()),
    }
}
