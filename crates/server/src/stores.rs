//! Where everything is kept: the directory with all that must not be lost, the sessions, the access tokens; each in an engine
//! of the operator's choice, and two of them in the same one where the settings say the same.

pub mod copy;
mod engine;

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::{Directory, Fault, Kv};
use gateward_store::SqliteFigures;
use gateward_store::checkup::Finding;
use gateward_store::layers::{Deadline, Meter, Metered};

use engine::Engine;
pub use engine::check;

use crate::config::{DirectoryStore, EngineAddress, SessionStore, Settings, TokenStore};
use crate::start::Missing;

/// The database in the data directory.
pub const DATABASE: &str = "gateward.db";

/// How long any call to a store may take: a request should fail before its caller gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is kept apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// People, grants, keys, and every other record that must not be lost.
    Directory,
    /// Sessions.
    Sessions,
    /// Opaque access tokens.
    Tokens,
}

impl Role {
    /// Its name in probes and findings.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Directory => "directory",
            Role::Sessions => "sessions",
            Role::Tokens => "tokens",
        }
    }
}

/// All open stores.
pub struct Stores {
    opened: Vec<Opened>,
    directory: Arc<dyn Directory>,
    /// Every record that must not be lost, whatever the sessions' store is.
    pub records: Arc<dyn Kv>,
    /// Sessions.
    pub sessions: Arc<dyn Kv>,
    /// Opaque access tokens.
    pub tokens: Arc<dyn Kv>,
    /// The figures of all of them.
    pub meter: Arc<Meter>,
}

/// An engine, and all that is kept in it.
struct Opened {
    place: Place,
    engine: Engine,
    kv: Arc<dyn Kv>,
    roles: Vec<Role>,
}

/// Where an engine is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    /// In the data directory of this node.
    File,
    /// In this process.
    Memory,
    /// Apart.
    At(EngineAddress),
}

impl Stores {
    /// Opens what the settings name. Nothing is made or changed when something is refused.
    pub async fn open(settings: &Settings, missing: Missing) -> anyhow::Result<Self> {
        let directory = match &settings.directory.store {
            DirectoryStore::Sqlite => Place::File,
            DirectoryStore::Postgres(address) => Place::At(address.clone()),
        };
        let sessions = match &settings.sessions.store {
            SessionStore::Directory => directory.clone(),
            SessionStore::Sqlite => Place::File,
            SessionStore::Memory => Place::Memory,
            SessionStore::Engine(address) => Place::At(address.clone()),
        };
        let tokens = match &settings.tokens.store {
            TokenStore::Directory => directory.clone(),
            TokenStore::Engine(address) => Place::At(address.clone()),
        };
        let meter = Arc::new(Meter::default());
        let file = settings.data.join(DATABASE);
        let mut opened: Vec<Opened> = Vec::new();
        let roles = [(Role::Directory, directory), (Role::Sessions, sessions), (Role::Tokens, tokens)];
        for (role, place) in roles {
            if let Some(there) = opened.iter_mut().find(|opened| opened.place == place) {
                there.roles.push(role);
                continue;
            }
            let engine = Engine::open(&place, &file, missing).await?;
            let deadline = Arc::new(Deadline::new(engine.kv(), PATIENCE));
            let kv: Arc<dyn Kv> = Arc::new(Metered::new(deadline, meter.clone()));
            opened.push(Opened { place, engine, kv, roles: vec![role] });
        }
        let of = |role: Role| {
            let found = opened.iter().find(|opened| opened.roles.contains(&role));
            found.ok_or_else(|| anyhow::anyhow!("there is no store for {}", role.name()))
        };
        let home = of(Role::Directory)?;
        let directory = home.engine.directory();
        Ok(Stores {
            directory: directory.ok_or_else(|| anyhow::anyhow!("directory.store cannot hold people"))?,
            records: home.kv.clone(),
            sessions: of(Role::Sessions)?.kv.clone(),
            tokens: of(Role::Tokens)?.kv.clone(),
            opened,
            meter,
        })
    }

    /// People, audit events and sealed keys.
    pub fn directory(&self) -> Arc<dyn Directory> {
        self.directory.clone()
    }

    /// The stores to sweep: those of this node alone, and where it `leads` also those that nodes share.
    pub fn to_sweep(&self, leads: bool) -> impl Iterator<Item = &Arc<dyn Kv>> {
        self.opened.iter().filter(move |one| leads || !one.place.is_shared()).map(|one| &one.kv)
    }

    /// Whether people, and so what nodes must agree on, are kept where several nodes find them.
    pub fn is_cluster(&self) -> bool {
        self.opened.iter().any(|one| one.place.is_shared())
    }

    /// Asks every engine whether it answers, and names those that do not with what is kept in them.
    pub async fn ping(&self) -> Vec<(Role, Fault)> {
        let mut faults = Vec::new();
        for one in &self.opened {
            // The directory has ways of its own into the same engine.
            let answered = match one.roles.contains(&Role::Directory) {
                true => match one.kv.ping().await {
                    Ok(()) => self.directory.ping().await,
                    fault => fault,
                },
                false => one.kv.ping().await,
            };
            if let Err(fault) = answered {
                faults.extend(one.roles.iter().map(|role| (*role, fault.clone())));
            }
        }
        faults
    }

    /// What every engine says of itself, with the names of what is kept in it.
    pub async fn checkup(&self) -> Vec<(String, Vec<Finding>)> {
        let mut found = Vec::new();
        for one in &self.opened {
            let names: Vec<_> = one.roles.iter().map(|role| role.name()).collect();
            found.push((names.join(", "), one.engine.checkup().await));
        }
        found
    }

    /// The figures of the database in the data directory, where it is used.
    pub fn sqlite(&self) -> Option<SqliteFigures> {
        self.opened.iter().find_map(|one| one.engine.sqlite_figures())
    }
}

/// What is lost with this node, where nodes share people and each keeps its own sessions (*sticky*).
pub fn what_this_node_alone_keeps(settings: &Settings) -> Option<String> {
    if settings.directory.store == DirectoryStore::Sqlite {
        return None;
    }
    let lost = match settings.sessions.store {
        SessionStore::Memory => "When this node ends, its people have to sign in again.",
        SessionStore::Sqlite => {
            "While this node is away, its people have to sign in again; who did not is signed in when it is back."
        }
        SessionStore::Directory | SessionStore::Engine(_) => return None,
    };
    let place = match settings.sessions.store {
        SessionStore::Memory => "in the memory of this node",
        _ => "in the data directory of this node",
    };
    let name = match &settings.node {
        Some(name) => format!(" (\"{name}\")"),
        None => ", and `node` is not set, so that no cookie tells which one it is".to_owned(),
    };
    Some(format!(
        "Sessions are kept {place} only{name}: the load balancer must send whoever has one back to it. {lost}"
    ))
}

/// One store by itself, to copy from or to.
pub struct Lone(Engine);

impl Lone {
    /// Opens it: the database in the data directory, or the engine at an address.
    pub async fn open(store: &SessionStore, settings: &Settings, missing: Missing) -> anyhow::Result<Self> {
        let place = match store {
            SessionStore::Engine(address) => Place::At(address.clone()),
            SessionStore::Directory | SessionStore::Sqlite => Place::File,
            SessionStore::Memory => Place::Memory,
        };
        Engine::open(&place, &settings.data.join(DATABASE), missing).await.map(Lone)
    }

    /// Its records.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.0.kv()
    }

    /// Its directory, if it can hold one.
    pub fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.0.directory()
    }
}

impl Place {
    const fn is_shared(&self) -> bool {
        matches!(self, Place::At(_))
    }
}

impl std::fmt::Debug for Lone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.kv().traits().engine)
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.opened.iter().map(|one| (&one.place, &one.roles))).finish()
    }
}
