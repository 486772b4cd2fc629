//! The balancers of the examples, each with its shipped file.

use std::net::SocketAddr;
use std::path::Path;

use super::{address, replaced, shipped};
use crate::machine::{Running, command, free_port, program};

/// A program that spreads requests over nodes, and the file that tells it how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balancer {
    Nginx,
    Haproxy,
    /// nginx by the addresses of people alone.
    NginxIpHash,
}

/// Where the nodes listen.
pub struct Ports {
    pub nodes: [SocketAddr; 3],
}

impl Ports {
    /// Ports that nobody has.
    pub fn free() -> Ports {
        Ports { nodes: [(); 3].map(|()| address(free_port())) }
    }
}

impl Balancer {
    fn file(self) -> &'static str {
        match self {
            Balancer::Nginx => "nginx.conf",
            Balancer::Haproxy => "haproxy.cfg",
            Balancer::NginxIpHash => "nginx-ip-hash.conf",
        }
    }

    /// Starts it on a port, with the file of an example.
    pub fn start(self, example: &str, directory: &Path, port: u16, ports: &Ports) -> Running {
        let mut text =
            replaced(&shipped(example, self.file()), "127.0.0.1:8100", &format!("127.0.0.1:{port}"));
        for (number, node) in ports.nodes.iter().enumerate() {
            text = replaced(&text, &format!("127.0.0.1:810{}", number + 1), &node.to_string());
        }
        let own = directory.join(format!("{self:?}"));
        std::fs::create_dir(&own).unwrap();
        let file = own.join(self.file());
        std::fs::write(&file, text).unwrap();
        let name = if self == Balancer::Haproxy { "haproxy" } else { "nginx" };
        let mut command = command(&program(name, name), &own);
        match self {
            Balancer::Haproxy => command.args(["-db", "-f"]).arg(&file),
            // As the examples' script starts it.
            _ => command.arg("-p").arg(&own).arg("-c").arg(&file).args(["-e", "stderr", "-g", "daemon off;"]),
        };
        Running::start(name, command, &own)
    }
}

/// What the guide shows of HAProxy's file is in it.
#[test]
fn the_guide_shows_what_is_shipped() {
    let guide = super::examples().join("../docs/cluster.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = guide.split_once("```\nbackend gateward\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let file = shipped("cluster-sticky", "haproxy.cfg");
    for line in shown.lines().filter(|line| !line.contains(" 10.0.0.")) {
        assert!(file.lines().any(|own| own == line), "{line:?} is not in the file");
    }
    let cookie = "req.cook(__Host-gateward),field(-1,.)";
    assert!(guide.contains(cookie) && file.contains(cookie));
}
