//! Which servers there are, and which of them has a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use redis::Cmd;
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::{Host, Layout, RedisAddress};
use super::cluster::{self, Slots};
use super::dial::Dialer;
use super::line::Line;
use super::sentinel;
use super::trouble::{Trouble, Why};

/// How often is looked whether the servers of a cluster are still the same.
const LOOK: Duration = Duration::from_secs(1);
/// How often the Sentinels are asked. Until it is told, the old master may take writes that are lost in a fail-over.
const LOOK_AT_SENTINELS: Duration = Duration::from_millis(200);
/// How long one server or Sentinel may take to say what it knows.
const GLANCE: Duration = Duration::from_secs(1);
/// So many connections to each master carry writes that wait for replicas: each is blocked while it waits.
const WRITERS: usize = 8;

/// The servers of one address.
pub(super) struct Net {
    pub(super) dialer: Arc<Dialer>,
    layout: Layout,
    seeds: Vec<Arc<Line>>,
    writers: usize,
    map: RwLock<Arc<Map>>,
    /// When the last look began, and what came of it.
    looking: tokio::sync::Mutex<Option<(Instant, Result<(), Trouble>)>>,
    /// Told when the masters are others than before.
    pub(super) changed: watch::Sender<u64>,
    /// Whether enough witnesses agree on who the master is.
    sure: AtomicBool,
    turn: AtomicU64,
}

/// The servers as they were last seen.
pub(super) struct Map {
    pub(super) masters: Vec<Arc<Master>>,
    slots: Option<Slots>,
}

/// A server that takes writes.
#[derive(Debug)]
pub(super) struct Master {
    pub(super) line: Line,
    writers: Vec<Line>,
}

impl Master {
    /// The line for this write: always the same one for the same key.
    pub(super) fn writer(&self, key: &[u8]) -> &Line {
        let at = usize::from(cluster::crc16(key)).checked_rem(self.writers.len());
        at.and_then(|at| self.writers.get(at)).unwrap_or(&self.line)
    }

    /// Whoever asks it from now on gets a new connection: the present ones may be silent without anybody's having noticed.
    pub(super) fn renew(&self) {
        self.line.forget();
        self.writers.iter().for_each(Line::forget);
    }
}

impl Net {
    pub(super) fn new(address: &RedisAddress, dialer: Dialer) -> Self {
        let sentinels = Arc::new(dialer.to_sentinels(address));
        let dialer = Arc::new(dialer);
        let witness = if matches!(address.layout, Layout::Sentinel { .. }) { &sentinels } else { &dialer };
        let seeds =
            address.hosts.iter().map(|host| Arc::new(Line::new(host.clone(), witness.clone(), false)));
        let net = Net {
            seeds: seeds.collect(),
            layout: address.layout.clone(),
            writers: if address.acknowledged.is_some() { WRITERS } else { 0 },
            map: RwLock::new(Arc::new(Map { masters: Vec::new(), slots: None })),
            looking: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
            sure: AtomicBool::new(true),
            turn: AtomicU64::new(0),
            dialer,
        };
        if net.layout == Layout::Single {
            let masters = address.hosts.iter().map(|host| net.master(host)).collect();
            *net.map.write() = Arc::new(Map { masters, slots: None });
        }
        net
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.layout == Layout::Cluster
    }

    /// Whether other servers may come to take the place of these.
    pub(super) fn moves(&self) -> bool {
        self.layout != Layout::Single
    }

    /// Whether enough Sentinels agreed on the master when they were last asked.
    pub(super) fn is_sure(&self) -> bool {
        self.sure.load(Ordering::Acquire)
    }

    pub(super) fn map(&self) -> Arc<Map> {
        self.map.read().clone()
    }

    /// The master that has this key, as far as is known.
    pub(super) async fn master_of(&self, key: &[u8]) -> Result<Arc<Master>, Trouble> {
        if let Some(master) = self.map().find(key) {
            return Ok(master);
        }
        self.look(Instant::now()).await?;
        let nobody = || Trouble::new(Why::Unreached, "no server of the cluster has this key's slot");
        self.map().find(key).ok_or_else(nobody)
    }

    /// The master at that address, which the map may not know yet.
    pub(super) fn at(&self, host: &Host) -> Arc<Master> {
        let known = self.map().masters.iter().find(|master| master.line.host == *host).cloned();
        known.unwrap_or_else(|| self.master(host))
    }

    /// Looks again at who the masters are, unless somebody did so after `since`.
    pub(super) async fn look(&self, since: Instant) -> Result<(), Trouble> {
        if !self.moves() {
            return Ok(());
        }
        let mut last = self.looking.lock().await;
        if let Some((at, outcome)) = &*last
            && *at >= since
        {
            return outcome.clone();
        }
        let begun = Instant::now();
        let outcome = self.look_now().await;
        *last = Some((begun, outcome.clone()));
        outcome
    }

    async fn look_now(&self) -> Result<(), Trouble> {
        let (hosts, slots) = match &self.layout {
            Layout::Single => return Ok(()),
            Layout::Sentinel { master } => {
                let found = sentinel::master(&self.seeds, master, GLANCE).await;
                let sure = found.as_ref().is_ok_and(|found| found.agreed);
                self.sure.store(sure, Ordering::Release);
                (vec![found?.host], None)
            }
            Layout::Cluster => {
                let (hosts, slots) = self.ask_cluster().await?;
                (hosts, Some(slots))
            }
        };
        self.adopt(hosts, slots);
        Ok(())
    }

    /// Looks every now and then, for as long as it is polled.
    pub(super) async fn watch(&self) {
        if !self.moves() {
            return std::future::pending().await;
        }
        let every = if self.is_cluster() { LOOK } else { LOOK_AT_SENTINELS };
        let mut is_seen = true;
        loop {
            tokio::time::sleep(every).await;
            let looked = self.look(Instant::now()).await;
            if let Err(trouble) = &looked
                && is_seen
            {
                tracing::warn!(error = trouble.said, "it cannot be seen which Redis servers are masters");
            }
            is_seen = looked.is_ok();
        }
    }

    /// Asks the nodes of the cluster one after another, another one first each time: none is always believed.
    async fn ask_cluster(&self) -> Result<(Vec<Host>, Slots), Trouble> {
        let map = self.map();
        let known = map.masters.iter().map(|master| &master.line);
        let lines: Vec<&Line> = known.chain(self.seeds.iter().map(|seed| &**seed)).collect();
        let mut first = None;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let start = usize::try_from(turn).unwrap_or(0) % lines.len().max(1);
        for line in lines.iter().cycle().skip(start).take(lines.len()) {
            let silent = || Trouble::new(Why::Unreached, format!("{} does not answer", line.host));
            let asked = tokio::time::timeout(GLANCE, line.ask(&slots_command())).await;
            let answer = asked.unwrap_or_else(|_| {
                line.forget();
                Err(silent())
            });
            match answer.and_then(|answer| cluster::read_slots(&answer, &line.host)) {
                Ok(found) => return Ok(found),
                Err(trouble) => first.get_or_insert(trouble),
            };
        }
        Err(first.unwrap_or_else(|| Trouble::new(Why::Unreached, "there is no node to ask")))
    }

    fn adopt(&self, hosts: Vec<Host>, slots: Option<Slots>) {
        let mut map = self.map.write();
        let is_same = hosts.len() == map.masters.len()
            && hosts.iter().all(|host| map.masters.iter().any(|master| master.line.host == *host));
        let masters = hosts.into_iter().map(|host| {
            let known = map.masters.iter().find(|master| master.line.host == host);
            known.cloned().unwrap_or_else(|| self.master(&host))
        });
        let masters: Vec<_> = masters.collect();
        *map = Arc::new(Map { masters, slots });
        drop(map);
        if !is_same {
            self.changed.send_modify(|number| *number += 1);
        }
    }

    fn master(&self, host: &Host) -> Arc<Master> {
        let is_sentinel = matches!(self.layout, Layout::Sentinel { .. });
        let line = || Line::new(host.clone(), self.dialer.clone(), is_sentinel);
        Arc::new(Master { line: line(), writers: (0..self.writers).map(|_| line()).collect() })
    }
}

impl Map {
    /// The master of this key, if it is known.
    pub(super) fn find(&self, key: &[u8]) -> Option<Arc<Master>> {
        let at = match &self.slots {
            None => 0,
            Some(slots) => slots.owner(cluster::slot(key))?,
        };
        self.masters.get(at).cloned()
    }
}

fn slots_command() -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    command
}
