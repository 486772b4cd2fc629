//! Several nodes, each the real program, over real engines.

mod any_node;
mod moving;
mod outage;
mod strategies;
mod upgrading;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use gateward_engines::free_port;
use tempfile::TempDir;

use crate::house::PASSWORD;
use crate::machine::{Machine, Running};
use crate::wire::Browser;

/// How long a change of one node may take to reach another.
pub(crate) const REACH: Duration = Duration::from_secs(1);

/// Nodes of one installation.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// Holds the root key that all share.
    _shared: TempDir,
}

/// A node: a machine of its own, and an address that it keeps.
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) address: SocketAddr,
    running: Option<Running>,
}

impl Cluster {
    /// So many running nodes with these settings.
    pub(crate) async fn start(count: usize, settings: &[(&'static str, &str)]) -> Cluster {
        let per_node: Vec<_> = (0..count).map(|_| settings.to_vec()).collect();
        Self::start_each(&per_node).await
    }

    /// Running nodes, each with settings of its own.
    pub(crate) async fn start_each(settings: &[Vec<(&'static str, &str)>]) -> Cluster {
        let shared = TempDir::new().unwrap();
        let key = shared.path().join("root.key");
        let mut nodes = Vec::new();
        for (own, letter) in settings.iter().zip('a'..) {
            let mut node = Node::new(&key, letter);
            for (name, value) in own {
                node.machine.set(name, value);
            }
            // The first makes what all need: the root key, and the tables.
            node.begin().await;
            nodes.push(node);
        }
        Cluster { nodes, _shared: shared }
    }

    /// Adds somebody, whom all nodes know.
    pub(crate) async fn add(&self, name: &str) {
        self.nodes[0].machine.add(&[name]).await;
    }

    /// A browser that has just signed in on this node.
    pub(crate) async fn signed_in(&self, node: usize, name: &str) -> Browser {
        let mut browser = Browser::new(self.nodes[node].address);
        browser.log_in(name, PASSWORD).await.expect(200);
        browser
    }

    /// The same browser at another node.
    pub(crate) fn at(&self, browser: &Browser, node: usize) -> Browser {
        Browser { to: self.nodes[node].address, ..browser.clone() }
    }

    /// Waits until this node answers the browser so, within the reach of changes.
    pub(crate) async fn soon(&self, browser: &Browser, node: usize, status: u16) {
        self.within(REACH, browser, node, status).await;
    }

    /// Waits so long at most until this node answers the browser so.
    pub(crate) async fn within(&self, patience: Duration, browser: &Browser, node: usize, status: u16) {
        let mut last = 0;
        let reached = async {
            while last != status {
                last = self.at(browser, node).get("/api/v1/session").await.status;
            }
        };
        let in_time = tokio::time::timeout(patience, reached).await.is_ok();
        assert!(
            in_time,
            "node {node} answers {last} instead of {status}\n{}",
            self.nodes[node].machine.log()
        );
    }
}

impl Node {
    fn new(root_key: &Path, letter: char) -> Node {
        let mut machine = Machine::new();
        machine.set("GATEWARD_SECRETS__ROOT_KEY_FILE", root_key.to_str().unwrap());
        machine.set("GATEWARD_PUBLIC_URL", "http://localhost");
        machine.set("GATEWARD_NODE", &letter.to_string());
        Node { machine, address: SocketAddr::from(([127, 0, 0, 1], free_port())), running: None }
    }

    /// Starts it, at the address it has.
    pub(crate) async fn begin(&mut self) {
        self.running = Some(self.machine.serve_on(&self.address.to_string()).await);
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.running.take().expect("it runs").kill().await;
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.running.take().expect("it runs").stop().await;
    }
}
