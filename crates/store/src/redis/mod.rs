//! Records in Redis 7, Valkey and what speaks like them: one server, a master that Sentinels name, or Redis Cluster.
//!
//! **What it promises.** Conditional writes are exact: each is one small script in the server and touches one key. An answer
//! that did not come is a fault; no write is sent a second time unless the server has said that it did nothing.
//!
//! **What it does not.** Redis acknowledges a write before its replicas have it, and before it is on disk unless `appendfsync
//! always` is set: a fail-over or a crash may lose the last writes, and *bring back* what they removed. `replicas=N` in the
//! address lets every write wait until so many replicas have it; that closes the gap for all but a fail-over to a replica that
//! did not have it. Records whose loss must never happen belong in a durable store ([`Traits::durable`] is false here).
//!
//! **What the user must be allowed** (`ACL SETUSER`), with the prefix `gw:`:
//!
//! ```text
//! ~gw:* resetchannels -@all +hello +auth +ping +select +get +set +del +exists +getrange +time +eval +evalsha +scan +wait
//! +client|tracking +info +config|get +role +cluster|slots +cluster|info +asking
//! ```
//!
//! `+config|get` and `+info` serve only [`Redis::checkup`]; `+role` Sentinel; `+cluster|…` and `+asking` the cluster; `+wait` the
//! replicas' acknowledgement; `+select` a database other than 0; `+scan` lists.
//!
//! [`Traits::durable`]: gateward_kernel::ports::Traits::durable

mod address;
mod calls;
mod checkup;
mod cluster;
mod dial;
mod feed;
mod hub;
mod kv;
mod line;
mod net;
mod pages;
mod scripts;
mod sentinel;
mod trouble;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::{Fault, FaultKind, Kv};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use calls::Caller;
use dial::Dialer;
use hub::Hub;
use net::Net;
use pages::Ahead;
use scripts::Scripts;
use trouble::{Trouble, Why, late};

pub use address::{AddressError, RedisAddress};

/// The engine's name in messages and metrics.
const ENGINE: &str = "redis";
/// How often is looked whether the feed is up, while opening.
const GLANCE: Duration = Duration::from_millis(5);

/// How a Redis is used.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// What every key begins with, unless the address says otherwise: `gw:`. Letters, digits and `: _ . -` may be in it.
    pub prefix: String,
    /// How long a call may take; 5 seconds.
    pub patience: Duration,
    /// How long making a connection may take, signing in included; 2 seconds.
    pub connecting: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        RedisOptions {
            prefix: "gw:".into(),
            patience: Duration::from_secs(5),
            connecting: Duration::from_secs(2),
        }
    }
}

/// Why a Redis was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached now.
    #[error("Redis cannot be reached: {0}; start it, or check the address and the network")]
    Unreachable(String),
    /// It does not take the user or the password, or forbids what is needed.
    #[error("Redis refuses us: {0}; check user and password, and what the user may do (`ACL`)")]
    Refused(String),
    /// It is too old, or a file or the prefix is unfit.
    #[error("Redis cannot be used: {0}")]
    Unfit(String),
}

impl From<Trouble> for OpenError {
    fn from(trouble: Trouble) -> Self {
        match trouble.why {
            Why::Refused => OpenError::Refused(trouble.said),
            Why::Unfit | Why::SaidOther => OpenError::Unfit(trouble.said),
            _ => OpenError::Unreachable(trouble.said),
        }
    }
}

/// An open Redis. It is cheap to clone; connections end with the last clone and the last [`Kv`] made from it.
#[derive(Clone)]
pub struct Redis {
    core: Arc<Core>,
}

/// What all handles share.
struct Core {
    prefix: String,
    caller: Arc<Caller>,
    hub: Arc<Hub>,
    scripts: Scripts,
    ahead: Mutex<Option<Ahead>>,
    feed: AbortHandle,
    text: String,
}

impl Redis {
    /// Opens it: looks at who the masters are, signs in, and listens to their changes. Must be called within a tokio runtime. What
    /// breaks after that heals by itself.
    pub async fn connect(address: &RedisAddress, options: RedisOptions) -> Result<Redis, OpenError> {
        let prefix = address.prefix.clone().unwrap_or(options.prefix);
        if !address::is_prefix(&prefix) {
            return Err(OpenError::Unfit(
                "the prefix must be 1 to 64 letters, digits and : _ . - characters".into(),
            ));
        }
        if address.acknowledged.is_some_and(|wait| wait.within * 2 >= options.patience) {
            // A script that the server does not know is sent twice, and may be waited for twice.
            return Err(OpenError::Unfit(format!(
                "wait must be shorter than half of the {} ms that a call may take",
                options.patience.as_millis()
            )));
        }
        let net = Arc::new(Net::new(address, Dialer::to_servers(address, options.connecting)?));
        let hub = Arc::new(Hub::new(prefix.clone()));
        let opening = async {
            net.look(Instant::now()).await?;
            for master in &net.map().masters {
                master.line.ask(&redis::cmd("PING")).await?;
            }
            feed::try_out(&net, &prefix).await
        };
        let opened = tokio::time::timeout(options.patience, opening).await;
        opened.map_err(|_| OpenError::Unreachable(late(options.patience).cause))??;
        let feed = tokio::spawn(feed::keep(net.clone(), hub.clone(), prefix.clone())).abort_handle();
        let hosts: Vec<String> = address.hosts.iter().map(ToString::to_string).collect();
        let redis = Redis {
            core: Arc::new(Core {
                prefix,
                caller: Arc::new(Caller {
                    net,
                    patience: options.patience,
                    acknowledged: address.acknowledged,
                }),
                hub,
                scripts: Scripts::new(),
                ahead: Mutex::default(),
                feed,
                text: hosts.join(","),
            }),
        };
        let up = async {
            while !redis.core.hub.is_whole() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let within = tokio::time::timeout(options.patience, up).await;
        within.map_err(|_| OpenError::Unreachable("its changes cannot be listened to".into()))?;
        Ok(redis)
    }

    /// The records.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.core.clone()
    }
}

impl Core {
    /// Every master answers.
    async fn ping_all(&self) -> Result<(), Fault> {
        let patience = self.caller.patience;
        let asking = async {
            let masters = &self.caller.net.map().masters;
            if masters.is_empty() {
                return Err(Trouble::new(Why::Unreached, "no master is known"));
            }
            for master in masters {
                master.line.ask(&redis::cmd("PING")).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(patience, asking).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(trouble)) => {
                // Another server may have taken its place.
                drop(self.caller.net.look(Instant::now()).await);
                Err(trouble.fault())
            }
            Err(_) => Err(late(patience)),
        }
    }
}

/// A task of ours has ended without an answer.
fn ended(error: &tokio::task::JoinError) -> Fault {
    Fault::new(ENGINE, FaultKind::Unavailable, error)
}

impl Drop for Core {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.core.text)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.text)
    }
}
