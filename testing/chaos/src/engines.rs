//! The stores of a strategy, as what can be killed, stopped and cut off.

use std::net::SocketAddr;

use gateward_engines::{Memcached, Nats, NatsCluster, Postgres, Proxy, Redis, RedisCluster, Sentinels};

/// Where sessions live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// In the PostgreSQL that people live in.
    Postgres,
    /// In one Redis.
    Redis,
    /// In a Redis with a replica, and Sentinels that change their roles.
    Sentinel,
    /// In a Redis Cluster.
    RedisCluster,
    /// In Memcached.
    Memcached,
    /// In one NATS server.
    Nats,
    /// In three NATS servers.
    NatsCluster,
    /// In one file that all nodes have open.
    File,
}

impl Strategy {
    /// Every one.
    pub const ALL: [Strategy; 8] = [
        Strategy::Postgres,
        Strategy::Redis,
        Strategy::Sentinel,
        Strategy::RedisCluster,
        Strategy::Memcached,
        Strategy::Nats,
        Strategy::NatsCluster,
        Strategy::File,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Postgres => "postgres",
            Strategy::Redis => "redis",
            Strategy::Sentinel => "sentinel",
            Strategy::RedisCluster => "redis-cluster",
            Strategy::Memcached => "memcached",
            Strategy::Nats => "nats",
            Strategy::NatsCluster => "nats-cluster",
            Strategy::File => "file",
        }
    }
}

impl std::str::FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<_> = Strategy::ALL.iter().map(|one| one.name()).collect();
        let found = Strategy::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| format!("it is one of {}", names.join(", ")))
    }
}

/// Every server that a strategy needs.
pub(crate) struct Engines {
    directory: Option<Postgres>,
    sessions: Sessions,
}

enum Sessions {
    /// With the people.
    Directory,
    Redis(Redis),
    Sentinel(Sentinels),
    RedisCluster(RedisCluster),
    Memcached(Memcached),
    Nats(Nats),
    NatsCluster(NatsCluster),
}

/// One server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Member {
    Directory,
    Sessions(usize),
}

/// Where a node finds a server: through a line of its own.
pub(crate) struct Lines {
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) proxies: Vec<Proxy>,
}

/// A write counts when it is on disk, and when a replica has it where there is one: what then is acknowledged is not lost.
const DURABLE: [&str; 2] = ["--appendfsync", "always"];
const REPLICATED: &str = "?replicas=1";

impl Engines {
    pub(crate) fn start(strategy: Strategy) -> Self {
        let directory = (strategy != Strategy::File).then(Postgres::start);
        let sessions = match strategy {
            Strategy::Postgres | Strategy::File => Sessions::Directory,
            Strategy::Redis => Sessions::Redis(Redis::start_with(&DURABLE)),
            Strategy::Sentinel => Sessions::Sentinel(Sentinels::start_with(&DURABLE)),
            Strategy::RedisCluster => Sessions::RedisCluster(RedisCluster::start()),
            Strategy::Memcached => Sessions::Memcached(Memcached::start()),
            Strategy::Nats => Sessions::Nats(Nats::start()),
            Strategy::NatsCluster => Sessions::NatsCluster(NatsCluster::start()),
        };
        Engines { directory, sessions }
    }

    /// A database for the people, where there is a PostgreSQL.
    pub(crate) fn database(&self) -> Option<String> {
        self.directory.as_ref().map(|postgres| postgres.url(&postgres.fresh_database()))
    }

    /// What a node needs to find everything, each server that has one address through a line of the node's own.
    pub(crate) fn lines(&self, database: Option<&str>) -> Lines {
        let mut lines = Lines { settings: Vec::new(), proxies: Vec::new() };
        if let (Some(postgres), Some(url)) = (&self.directory, database) {
            let url = lines.through(url, postgres.addr());
            lines.settings.push(("GATEWARD_DIRECTORY__STORE", url));
        }
        let url = match &self.sessions {
            Sessions::Directory => return lines,
            Sessions::Redis(redis) => lines.through(&redis.url(), redis.addr()),
            // They tell the addresses of the servers themselves.
            Sessions::Sentinel(sentinels) => sentinels.url() + REPLICATED,
            Sessions::RedisCluster(cluster) => cluster.url() + REPLICATED,
            Sessions::Memcached(memcached) => lines.through(&memcached.url(), memcached.addr()),
            Sessions::Nats(nats) => lines.through(&nats.url(), nats.addr()),
            Sessions::NatsCluster(cluster) => {
                let servers = (0..3).map(|number| cluster.node(number).addr());
                servers.fold(cluster.url(), |url, server| lines.through(&url, server)) + "?replicas=3"
            }
        };
        lines.settings.push(("GATEWARD_SESSIONS__STORE", url));
        lines
    }

    /// Every server.
    pub(crate) fn members(&self) -> Vec<Member> {
        let count = match &self.sessions {
            Sessions::Directory => 0,
            Sessions::Redis(_) | Sessions::Memcached(_) | Sessions::Nats(_) => 1,
            Sessions::Sentinel(_) => 2,
            Sessions::NatsCluster(_) => 3,
            Sessions::RedisCluster(_) => 6,
        };
        let directory = self.directory.iter().map(|_| Member::Directory);
        directory.chain((0..count).map(Member::Sessions)).collect()
    }

    /// Whether it has everything again after it was killed.
    pub(crate) fn is_durable(&self, member: Member) -> bool {
        member == Member::Directory || !matches!(self.sessions, Sessions::Memcached(_))
    }

    pub(crate) fn kill(&mut self, member: Member) {
        match (member, &mut self.sessions) {
            (Member::Sessions(_), Sessions::Redis(redis)) => redis.kill(),
            (Member::Sessions(number), Sessions::Sentinel(sentinels)) => sentinels.server_mut(number).kill(),
            (Member::Sessions(number), Sessions::RedisCluster(cluster)) => cluster.node_mut(number).kill(),
            (Member::Sessions(_), Sessions::Memcached(memcached)) => memcached.kill(),
            (Member::Sessions(_), Sessions::Nats(nats)) => nats.kill(),
            (Member::Sessions(number), Sessions::NatsCluster(cluster)) => cluster.node_mut(number).kill(),
            (Member::Directory, _) | (_, Sessions::Directory) => self.directory.as_mut().unwrap().kill(),
        }
    }

    /// Starts it again, on what it kept.
    pub(crate) fn restart(&mut self, member: Member) {
        match (member, &mut self.sessions) {
            (Member::Sessions(_), Sessions::Redis(redis)) => redis.restart(),
            (Member::Sessions(number), Sessions::Sentinel(sentinels)) => {
                sentinels.server_mut(number).restart();
            }
            (Member::Sessions(number), Sessions::RedisCluster(cluster)) => {
                cluster.node_mut(number).restart();
            }
            (Member::Sessions(_), Sessions::Memcached(memcached)) => memcached.restart(),
            (Member::Sessions(_), Sessions::Nats(nats)) => nats.restart(),
            // It is ready when the others are.
            (Member::Sessions(number), Sessions::NatsCluster(cluster)) => {
                cluster.node_mut(number).relaunch();
            }
            (Member::Directory, _) | (_, Sessions::Directory) => self.directory.as_mut().unwrap().restart(),
        }
    }

    pub(crate) fn pause(&self, member: Member) {
        match (member, &self.sessions) {
            (Member::Sessions(_), Sessions::Redis(redis)) => redis.pause(),
            (Member::Sessions(number), Sessions::Sentinel(sentinels)) => sentinels.server(number).pause(),
            (Member::Sessions(number), Sessions::RedisCluster(cluster)) => cluster.node(number).pause(),
            (Member::Sessions(_), Sessions::Memcached(memcached)) => memcached.pause(),
            (Member::Sessions(_), Sessions::Nats(nats)) => nats.pause(),
            (Member::Sessions(number), Sessions::NatsCluster(cluster)) => cluster.node(number).pause(),
            (Member::Directory, _) | (_, Sessions::Directory) => self.directory.as_ref().unwrap().pause(),
        }
    }

    pub(crate) fn resume(&self, member: Member) {
        match (member, &self.sessions) {
            (Member::Sessions(_), Sessions::Redis(redis)) => redis.resume(),
            (Member::Sessions(number), Sessions::Sentinel(sentinels)) => sentinels.server(number).resume(),
            (Member::Sessions(number), Sessions::RedisCluster(cluster)) => cluster.node(number).resume(),
            (Member::Sessions(_), Sessions::Memcached(memcached)) => memcached.resume(),
            (Member::Sessions(_), Sessions::Nats(nats)) => nats.resume(),
            (Member::Sessions(number), Sessions::NatsCluster(cluster)) => cluster.node(number).resume(),
            (Member::Directory, _) | (_, Sessions::Directory) => self.directory.as_ref().unwrap().resume(),
        }
    }

    /// The server that leads, where one of several does.
    pub(crate) fn leader(&self) -> Option<Member> {
        let number = match &self.sessions {
            Sessions::Sentinel(sentinels) => Some(sentinels.master()),
            Sessions::NatsCluster(cluster) => cluster.leader_of("KV_gateward"),
            _ => None,
        };
        number.map(Member::Sessions)
    }

    /// Waits until those that need each other agree.
    pub(crate) fn settle(&mut self) {
        match &mut self.sessions {
            Sessions::RedisCluster(cluster) => cluster.wait(),
            Sessions::NatsCluster(cluster) => cluster.heal(),
            _ => {}
        }
    }
}

impl Lines {
    /// The same address, through a new line.
    fn through(&mut self, url: &str, server: SocketAddr) -> String {
        let proxy = Proxy::to(server);
        let url = url.replace(&format!(":{}", server.port()), &format!(":{}", proxy.addr().port()));
        self.proxies.push(proxy);
        url
    }
}
