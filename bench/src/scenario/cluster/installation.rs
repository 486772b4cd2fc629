//! One installation for each strategy: an engine, three nodes' houses, and the sessions that lie in it.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gateward_engines::{Memcached, Nats, Postgres, Redis};
use tempfile::TempDir;

use crate::chain::Requests;
use crate::house::{House, Served, USER};
use crate::load::{Expected, Work};
use crate::scenario::{Run, header};
use crate::wire;

/// How long a node may take to read a million sessions at its start.
const LOADING: Duration = Duration::from_secs(120);
/// The most nodes of one installation.
pub(super) const NODES: usize = 3;

/// Sessions stay as they are for the whole run: no check is worth a write, unless a measurement wants it.
const SETTINGS: &str = r#"
public_url = "http://localhost"
trusted_proxies = ["127.0.0.1/32"]

[[app]]
host = "app.localhost"
rules = [{ path = "/*", allow = "signed-in" }]
"#;
const LIFETIMES: &str = "idle = \"24h\"\nabsolute = \"48h\"\n";

/// Where the sessions of an installation lie.
pub(super) enum Engine {
    /// In SQLite, of one node alone.
    File,
    Postgres {
        server: Rc<Postgres>,
        database: String,
    },
    Redis(Redis),
    Memcached(Memcached),
    Nats(Nats),
}

pub(super) struct Installation {
    pub(super) engine: Engine,
    houses: Vec<House>,
    /// Of all its sessions.
    pub(super) cookies: Vec<String>,
    /// Holds the root key that all nodes share.
    _shared: TempDir,
}

impl Engine {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Engine::File => "SQLite",
            Engine::Postgres { .. } => "PostgreSQL",
            Engine::Redis(_) => "Redis",
            Engine::Memcached(_) => "Memcached",
            Engine::Nats(_) => "NATS",
        }
    }

    fn store(&self) -> String {
        match self {
            Engine::File => "sqlite".to_owned(),
            Engine::Postgres { .. } => "directory".to_owned(),
            Engine::Redis(redis) => redis.url(),
            Engine::Memcached(memcached) => memcached.url(),
            Engine::Nats(nats) => nats.url(),
        }
    }

    /// Its process, the father of the others.
    pub(super) fn process(&self) -> Option<u32> {
        match self {
            Engine::File => None,
            Engine::Postgres { server, .. } => server.id(),
            Engine::Redis(redis) => redis.id(),
            Engine::Memcached(memcached) => memcached.id(),
            Engine::Nats(nats) => nats.id(),
        }
    }

    /// Whether nodes are told of changes, so that they may answer from memory.
    pub(super) const fn pushes(&self) -> bool {
        !matches!(self, Engine::Memcached(_))
    }

    /// What the bytes of [`Installation::held`] are.
    pub(super) const fn counted(&self) -> &'static str {
        match self {
            Engine::File => "the files of the data directory",
            Engine::Postgres { .. } => "the table with its indexes, on disk",
            Engine::Redis(_) => "used_memory",
            Engine::Memcached(_) => "bytes of its statistics",
            Engine::Nats(_) => "bytes of the stream, on disk",
        }
    }
}

impl Installation {
    /// With one person, and people and keys in a database of this server, unless one node has everything in its own file.
    pub(super) fn new(gateward: &Path, engine: Engine, postgres: &Postgres) -> Result<Self> {
        let shared = tempfile::tempdir()?;
        let key = shared.path().join("root.key");
        let directory = match &engine {
            Engine::File => "sqlite".to_owned(),
            Engine::Postgres { database, .. } => postgres.url(database),
            _ => postgres.url(&postgres.fresh_database()),
        };
        let count = if matches!(engine, Engine::File) { 1 } else { NODES };
        let houses = ["a", "b", "c"].into_iter().take(count).map(|node| {
            let settings = format!(
                "node = \"{node}\"\n{SETTINGS}\n[secrets]\nroot_key_file = \"{}\"\n[directory]\nstore = \"{directory}\"\n\
                 [sessions]\nstore = \"{}\"\n{LIFETIMES}",
                key.display(),
                engine.store(),
            );
            House::new(gateward, &settings)
        });
        let houses = houses.collect::<Result<Vec<_>>>()?;
        let installation = Self { engine, houses, cookies: Vec::new(), _shared: shared };
        installation.house()?.add_user(USER)?;
        Ok(installation)
    }

    pub(super) fn house(&self) -> Result<&House> {
        self.houses.first().context("an installation has a node")
    }

    /// Whether several nodes share it.
    pub(super) fn is_shared(&self) -> bool {
        self.houses.len() > 1
    }

    pub(super) fn engines(&self) -> Vec<u32> {
        self.engine.process().into_iter().collect()
    }

    /// Fills it with so many sessions.
    pub(super) fn fill(&mut self, sessions: usize) -> Result<()> {
        self.cookies = self.house()?.fill_all(sessions)?;
        if self.cookies.len() == sessions {
            Ok(())
        } else {
            bail!("bench-fill told {} cookies", self.cookies.len())
        }
    }

    /// Starts so many nodes with these further settings, and waits until each may answer from memory.
    pub(super) fn serve(&self, run: &Run, count: usize, settings: &[(&str, &str)]) -> Result<Vec<Served>> {
        let nodes = self.houses.iter().take(count).map(|house| {
            let served = house.serve_with(run.cores.server(), settings)?;
            let begun = Instant::now();
            while self.engine.pushes() && figure(&served, "gateward_cache_whole", "sessions")? < 1.0 {
                if begun.elapsed() > LOADING {
                    bail!("a node over {} hears nothing of changes", self.engine.name());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(served)
        });
        nodes.collect()
    }

    /// Session checks through forward-auth at these nodes, with these cookies in turn.
    pub(super) fn checks(&self, nodes: &[Served], cookies: &[String]) -> Work {
        let expected = Expected {
            status: 200,
            empty_body: true,
            headers: vec![header("Remote-User", USER)],
            ..Expected::default()
        };
        Work {
            addresses: nodes.iter().map(|node| node.address).collect(),
            requests: Requests::in_turn(cookies.iter().map(|cookie| check(cookie)).collect()),
            expected: Rc::new(expected),
            servers: nodes.iter().map(|node| node.running.id()).collect(),
            engines: self.engines(),
            awake: false,
        }
    }

    /// What the engine needs for all it holds, as it counts it itself, in bytes.
    pub(super) fn held(&self) -> Result<u64> {
        match &self.engine {
            Engine::File => self.house()?.stored_bytes(),
            Engine::Postgres { server, database } => {
                Ok(server.sql(database, "SELECT pg_total_relation_size('kv')").parse()?)
            }
            Engine::Redis(redis) => number_behind(&redis.ask(&["INFO", "memory"]), "used_memory:"),
            Engine::Memcached(memcached) => number_behind(&memcached.stats(), "STAT bytes "),
            Engine::Nats(nats) => {
                let said = nats.ask("$JS.API.STREAM.INFO.KV_gateward", "").context("NATS says nothing")?;
                number_behind(&said, "\"bytes\":")
            }
        }
    }
}

/// One session check as nginx asks for it.
pub(super) fn check(cookie: &str) -> Vec<u8> {
    let headers = [
        header("Cookie", format!("gateward={cookie}")),
        header("X-Original-URL", "http://app.localhost/page"),
        header("X-Original-Method", "GET"),
    ];
    wire::request("GET", "/forward-auth/nginx", "localhost", &headers, "")
}

/// The sum of a metric's values whose labels hold this word; 0 when there is none.
pub(super) fn figure(node: &Served, name: &str, label: &str) -> Result<f64> {
    Ok(sum_of(&node.get("/metrics", &[])?.body, name, label))
}

fn sum_of(metrics: &str, name: &str, label: &str) -> f64 {
    let value = |line: &str| {
        let labels = line.strip_prefix(name)?.strip_prefix('{')?;
        let (labels, value) = labels.rsplit_once("} ")?;
        labels.contains(&format!("\"{label}\"")).then(|| value.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(value).sum()
}

/// The number that stands behind a word for the first time.
fn number_behind(text: &str, word: &str) -> Result<u64> {
    let (_, rest) = text.split_once(word).with_context(|| format!("no {word:?} in {text:?}"))?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("no number behind {word:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_label() {
        let text = "x_total{operation=\"replace\",outcome=\"done\"} 3\nx_total{operation=\"replace\",outcome=\"stale\"} 1\n\
                    x_total{operation=\"get\",outcome=\"done\"} 7\nx_total_more{operation=\"replace\"} 9\n";
        assert_eq!(sum_of(text, "x_total", "replace"), 4.0);
        assert_eq!(sum_of(text, "x_total", "sweep"), 0.0);
    }

    #[test]
    fn numbers_are_found_behind_their_word() {
        assert_eq!(
            number_behind("# Memory\r\nused_memory:12345\r\nused_memory_human:12K", "used_memory:").unwrap(),
            12345
        );
        assert!(number_behind("nothing", "used_memory:").is_err());
        assert!(number_behind("used_memory:x", "used_memory:").is_err());
    }
}
