//! Three nodes behind a real nginx and a real HAProxy, with the files of `examples/cluster-*` but for their ports: what an operator
//! copies is what is tested.

mod examples;
mod proxies;
mod repeating;
mod restarting;
mod sticky;
mod unnoticed;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use gateward_engines::{NatsCluster, Postgres, Redis};
use serde_json::json;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::client::{Ask, Client, Reply};
use crate::gateward::Gateward;
use crate::machine::{Running, until};
use crate::site::PASSWORD;

use proxies::{Balancer, Ports};

/// The names of the nodes.
const NODES: [&str; 3] = ["a", "b", "c"];

/// The session cookie, where people come by http.
const COOKIE: &str = "gateward";

/// What the nodes of an example have in common.
struct Engines {
    postgres: Postgres,
    redis: Option<Redis>,
    nats: Option<NatsCluster>,
}

/// A running cluster. What is dropped first ends first.
struct Cluster {
    balancers: Vec<(Balancer, u16, Running)>,
    nodes: Vec<Gateward>,
    _engines: Engines,
    _directory: TempDir,
}

/// Somebody who is signed in.
struct Person {
    client: Client,
    cookie: String,
}

impl Cluster {
    /// The nodes, engines and settings of an example, behind these; people come through the first of them. Each of `changes` is put
    /// in the place of what stands in the settings.
    async fn start(example: &str, balancers: &[Balancer], changes: &[(&str, &str)]) -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        // nginx works as another user when root starts it.
        open(directory.path());
        let engines = Engines::start(example);
        let ports = Ports::free();
        let first = crate::machine::free_port();
        let mut settings = engines.place(&shipped(example, "gateward.toml"));
        for (from, to) in
            [&[("http://localhost:8100", &*format!("http://localhost:{first}"))], changes].concat()
        {
            settings = replaced(&settings, from, to);
        }
        let mut nodes = Vec::new();
        for (number, name) in NODES.into_iter().enumerate() {
            let own = directory.path().join(name);
            std::fs::create_dir(&own).unwrap();
            let key = directory.path().join("root.key");
            let settings = format!(
                "node = \"{name}\"\n{settings}\n[secrets]\nroot_key_file = \"{}\"\n\
                 [passwords]\nmemory = \"8MiB\"\niterations = 1\n",
                key.display()
            );
            let mut node = Gateward::new_at(ports.nodes[number], &own, |_| settings);
            // The first makes what all need: the root key, and the tables.
            node.start().await;
            nodes.push(node);
        }
        let mut running = Vec::new();
        for (number, balancer) in balancers.iter().enumerate() {
            let port = if number == 0 { first } else { crate::machine::free_port() };
            running.push((*balancer, port, balancer.start(example, directory.path(), port, &ports)));
        }
        let mut cluster = Cluster { balancers: running, nodes, _engines: engines, _directory: directory };
        for through in 0..balancers.len() {
            let health = Ask::new("GET", &cluster.host(through), "/healthz");
            let client = cluster.client(through);
            until("the proxy answers", async || {
                cluster.balancers[through].2.must_live();
                client.try_send(&health).await.ok().filter(|reply| reply.status == 200)
            })
            .await;
        }
        cluster
    }

    /// How people call one of the proxies.
    fn host(&self, through: usize) -> String {
        format!("localhost:{}", self.balancers[through].1)
    }

    /// An address on one of the proxies.
    fn at(&self, through: usize, path: &str) -> String {
        format!("http://{}{path}", self.host(through))
    }

    /// A client of one of the proxies.
    fn client(&self, through: usize) -> Client {
        Client::plain((Ipv4Addr::LOCALHOST, self.balancers[through].1).into())
    }

    /// Signs somebody in through one of the proxies, coming from this address.
    async fn sign_in_from(&self, from: Ipv4Addr, through: usize, name: &str) -> Person {
        let client = self.client(through).from(from);
        let body = json!({ "username": name, "password": PASSWORD }).to_string();
        let ask = Ask::new("POST", &self.host(through), "/api/v1/login").body("application/json", body);
        let reply = client.send(&ask).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Person { client, cookie: reply.cookie(COOKIE).unwrap() }
    }

    /// What one of the proxies answers this person, as a script asks.
    async fn ask(&self, person: &Person, through: usize, method: &str, path: &str) -> Reply {
        let client = person.client.clone().to((Ipv4Addr::LOCALHOST, self.balancers[through].1).into());
        client.send(&Ask::new(method, &self.host(through), path).cookie(&person.cookie)).await
    }

    /// Fills in the sign-in form that a browser finds through the first proxy.
    async fn sign_in(&self, browser: &Browser, name: &str) {
        browser.goto(&self.at(0, "/account")).await;
        crate::chromium::sign_in(browser, name, PASSWORD).await;
        browser.arrives_at(&self.at(0, "/account")).await;
    }

    /// What everything said that runs, for a test that fails.
    fn said(&self) -> String {
        let nodes = self.nodes.iter().map(Gateward::said);
        nodes
            .chain(self.balancers.iter().map(|(_, _, running)| running.said()))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Person {
    /// The number of the node that their session is on.
    fn node(&self) -> usize {
        node_in(&self.cookie)
    }
}

/// The number of the node whose name stands behind the last dot of a session cookie.
fn node_in(cookie: &str) -> usize {
    let name = cookie.rsplit('.').next().unwrap_or_default();
    NODES.iter().position(|node| *node == name).unwrap_or_else(|| panic!("no node in the cookie: {name}"))
}

/// The number of the node that a browser's session is on.
async fn node_of(browser: &Browser) -> usize {
    let cookies = browser.cookies().await;
    let session = cookies.iter().find(|cookie| cookie.name() == COOKIE).expect("a session cookie");
    node_in(session.value())
}

impl Engines {
    fn start(example: &str) -> Engines {
        Engines {
            postgres: Postgres::start(),
            redis: (example == "cluster-shared").then(Redis::start),
            nats: (example == "cluster-replicated").then(NatsCluster::start),
        }
    }

    /// The settings, with the addresses of these engines.
    fn place(&self, settings: &str) -> String {
        let database = self.postgres.url(&self.postgres.fresh_database());
        let mut settings = replaced(settings, "postgres://gateward@127.0.0.1:8110/postgres", &database);
        if let Some(redis) = &self.redis {
            settings = replaced(&settings, "redis://127.0.0.1:8111", &redis.url());
        }
        if let Some(nats) = &self.nats {
            let brokers = "nats://127.0.0.1:8111,127.0.0.1:8112,127.0.0.1:8113";
            settings = replaced(&settings, brokers, &nats.url());
        }
        settings
    }
}

/// A file of an example, or of those that examples have in common.
fn shipped(example: &str, name: &str) -> String {
    let examples = examples();
    let own = examples.join(example).join(name);
    let file = if own.is_file() { own } else { examples.join("cluster").join(name) };
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The text with something else in the place of what must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in:\n{text}");
    text.replace(from, to)
}

/// Lets others pass through a directory.
fn open(directory: &Path) {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory, open).unwrap();
}

/// Where a node listens, or would.
fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
