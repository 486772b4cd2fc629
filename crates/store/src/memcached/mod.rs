//! Records in Memcached: shared by all nodes, in memory only, gone with the server.
//!
//! For records whose loss means that somebody is signed out, and for no others: whatever is acknowledged is there until its
//! death **unless its server restarts or runs out of memory**. Then it is absent for ever; nothing old comes back:
//!
//! * A write is bound to the state it replaces by the server's own number of it (CAS), and so is a removal: of many at once one
//!   wins, and what was removed, thrown out or lost in a restart is [`Absent`](Replaced::Absent), never written again.
//! * The records are spread over the servers by rendezvous hashing of their keys. The records of a server that cannot be reached
//!   are [faults](Fault) until it can be. **They are never looked for, or written, elsewhere**: so when a server was cut off and
//!   is back, no newer state of what it holds can exist anywhere, and its states are the newest ones.
//! * A server that comes back empty has lost its records: their people sign in again. Nothing tells this from a record that
//!   never was, and it needs no telling: both are closed doors.
//! * A server without room throws out what was unused for longest (`evictions`), which signs somebody out; and one that may not
//!   (`-M`) refuses the write with a fault and drops the state that was to be replaced. [`Memcached::checkup`] says when either
//!   is near.
//! * Adding or taking away a server, or renaming one, moves part of the keys to another one, where their records are not: those
//!   people sign in again. While nodes disagree about the servers, they do not see each other's records: change all at once.
//! * A proxy between that answers for a dead server from another one (mcrouter's failover, for instance) breaks all of this.
//!
//! A version holds the second in which the server was started, so versions grow over its restarts too (save for two within one
//! second), and a version of before a restart fits no record after it.
//!
//! Nothing is pushed: what this process reads may be changed by others at any time, so nothing may be remembered near. Debian's
//! build of Memcached offers no TLS, and this client speaks none.

mod address;
mod checkup;
mod greeting;
mod line;
mod placing;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::{Clock, Moment};
use tokio::sync::oneshot;

pub use address::{MemcachedAddress, MemcachedAddressError};
use line::{Line, Listeners, Outcome, Request, Site, Wish};
use placing::Placing;

const ENGINE: &str = "memcached";
/// Before each value stands its death.
const HEAD: usize = 8;
/// A record stays for so long after its death: clocks of nodes differ.
const GRACE: Duration = Duration::from_secs(3600);
/// A removal gives up after so many others were faster.
const ATTEMPTS: usize = 100;

/// How to use Memcached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemcachedOptions {
    /// Before every key, unless the address has one; at most 64 bytes.
    pub prefix: String,
    /// How long a call may take.
    pub patience: Duration,
    /// How long connecting, signing in included, may take.
    pub connecting: Duration,
    /// How many connections there are to each server.
    pub connections: usize,
}

impl Default for MemcachedOptions {
    fn default() -> Self {
        MemcachedOptions {
            prefix: "gateward:".into(),
            patience: Duration::from_secs(5),
            connecting: Duration::from_secs(2),
            connections: 4,
        }
    }
}

/// Why Memcached cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MemcachedError {
    /// No server can be reached. Waiting may help.
    #[error("no Memcached server can be reached ({0}): start it, or correct its address")]
    Away(String),
    /// A server is there, and not as it must be. Waiting does not help.
    #[error("the Memcached server {server} cannot be used: {cause}")]
    Unfit {
        /// Which.
        server: String,
        /// Why.
        cause: String,
    },
}

/// A store in one or several Memcached servers. Cloning it yields another handle on the same connections.
#[derive(Clone)]
pub struct Memcached {
    inner: Arc<Inner>,
}

struct Inner {
    prefix: String,
    patience: Duration,
    largest: usize,
    placing: Placing,
    sites: Vec<(Arc<Site>, Vec<Line>)>,
    listeners: Arc<Listeners>,
    clock: Arc<dyn Clock>,
}

impl Memcached {
    /// Connects. An error when a server is not fit for use, or when none can be reached; one of several that is away is used as
    /// soon as it is there. Must be called within a tokio runtime that has its network and timer, and that outlives the store.
    /// By the clock it is computed how long records live.
    pub async fn connect(
        address: &MemcachedAddress,
        options: MemcachedOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MemcachedError> {
        let listeners = Arc::new(Listeners::default());
        let (mut sites, mut away, mut largest) = (Vec::new(), Vec::new(), crate::LARGEST_VALUE);
        for (mark, server) in address.servers.iter().enumerate() {
            let site = Arc::new(Site {
                server: server.clone(),
                mark,
                login: address.login.clone(),
                patience: options.patience,
                connecting: options.connecting,
                listeners: listeners.clone(),
            });
            match site.greet().await {
                Ok(conversation) => largest = largest.min(conversation.said.largest().saturating_sub(HEAD)),
                Err(unusable) if unusable.is_lasting() => {
                    return Err(MemcachedError::Unfit {
                        server: server.to_string(),
                        cause: unusable.to_string(),
                    });
                }
                Err(unusable) => away.push(format!("{server}: {unusable}")),
            }
            let lines = (0..options.connections.max(1)).map(|_| Line::new(site.clone())).collect();
            sites.push((site, lines));
        }
        if away.len() == sites.len() {
            return Err(MemcachedError::Away(away.join("; ")));
        }
        for cause in away {
            tracing::warn!(%cause, "memcached is away: what is on this server is refused");
        }
        let inner = Inner {
            prefix: address.prefix.clone().unwrap_or(options.prefix),
            patience: options.patience,
            largest,
            placing: Placing::new(&address.servers),
            sites,
            listeners,
            clock,
        };
        Ok(Memcached { inner: Arc::new(inner) })
    }

    /// The records.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.inner.clone()
    }
}

impl std::fmt::Debug for Memcached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers: Vec<String> = self.inner.sites.iter().map(|(site, _)| site.server.to_string()).collect();
        write!(f, "Memcached({})", servers.join(","))
    }
}

impl Inner {
    /// As the servers have it: binary, at most 250 bytes when it is encoded.
    fn wire_key(&self, key: &Key) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.prefix.len() + key.kind.len() + 1 + key.id.len());
        bytes.put_slice(self.prefix.as_bytes());
        bytes.put_slice(key.kind.as_bytes());
        bytes.put_u8(b':');
        bytes.put_slice(&key.id);
        bytes.freeze()
    }

    /// Asks the server of this key.
    async fn ask(&self, key: &Key, wish: Wish) -> Result<Outcome, Fault> {
        let wire_key = self.wire_key(key);
        let site = self.sites.get(self.placing.server(&wire_key));
        let line = site.and_then(|(_, lines)| lines.get(Placing::line(&wire_key, lines.len())));
        let Some(line) = line else { return Err(fault(FaultKind::Unavailable, "there is no server")) };
        let (answer, answered) = oneshot::channel();
        line.send(Request { key: key.clone(), wire_key, wish, answer }).await?;
        let ended = |_| fault(FaultKind::Unavailable, "the runtime of this store has ended");
        answered.await.map_err(ended)?
    }

    /// Ends a call in time, as a fault if need be.
    async fn within<T>(&self, call: impl Future<Output = Result<T, Fault>> + Send) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience, call).await {
            Ok(answer) => answer,
            Err(_) => {
                let waited = self.patience.as_millis();
                Err(fault(
                    FaultKind::TimedOut,
                    format_args!("waited {waited} ms; whether it was done is not known"),
                ))
            }
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        // A connection may have ended a moment ago without anybody's fault.
        let outcome = match self.ask(key, Wish::Get).await {
            Err(fault) if fault.kind == FaultKind::Unavailable => self.ask(key, Wish::Get).await?,
            outcome => outcome?,
        };
        match outcome {
            Outcome::Found(version, value) => stored(key, version, value).map(Some),
            _ => Ok(None),
        }
    }

    async fn take(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.read(key).await? else { return Ok(None) };
            match self.ask(key, Wish::Delete { expected: found.version }).await? {
                Outcome::Done(_) => return Ok(Some(found)),
                Outcome::Otherwise => {}
                _ => return Ok(None),
            }
        }
        Err(fault(FaultKind::Contended, format_args!("removing a {}", key.kind)))
    }

    fn fits(&self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        crate::fits(ENGINE, key, value)?;
        if value.len() > self.largest {
            let cause = format_args!("{} value of {} bytes, limit {}", key.kind, value.len(), self.largest);
            return Err(fault(FaultKind::TooLarge, cause));
        }
        Ok(())
    }

    /// For so many seconds the server keeps a record: until some time after its death, or after now when it is dead already.
    fn live(&self, death: Moment) -> u64 {
        (death.since(self.clock.now()) + GRACE).as_secs()
    }
}

fn fault(kind: FaultKind, cause: impl std::fmt::Display) -> Fault {
    Fault::new(ENGINE, kind, cause)
}

fn packed(value: &[u8], death: Moment) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD + value.len());
    bytes.put_i64(death.micros());
    bytes.put_slice(value);
    bytes.freeze()
}

fn stored(key: &Key, version: Version, mut packed: Bytes) -> Result<Stored, Fault> {
    let Some(head) = packed.first_chunk::<HEAD>() else {
        return Err(fault(FaultKind::Unreadable, format_args!("{} of {} bytes", key.kind, packed.len())));
    };
    let death = Moment::from_micros(i64::from_be_bytes(*head));
    let value = packed.split_off(HEAD);
    Ok(Stored { value, version, death })
}

impl Kv for Inner {
    fn traits(&self) -> Traits {
        Traits {
            engine: ENGINE,
            durable: false,
            shared: true,
            pages: false,
            pushes: false,
            expires: true,
            largest: self.largest,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if key.id.len() > crate::LONGEST_ID {
                return Ok(None);
            }
            self.within(self.read(key)).await
        })
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move {
            self.fits(key, &value)?;
            let wish = Wish::Add { value: packed(&value, death), live: self.live(death) };
            match self.within(self.ask(key, wish)).await? {
                Outcome::Done(version) => Ok(Created::Done(version)),
                _ => Ok(Created::Exists),
            }
        })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move {
            self.fits(key, &value)?;
            let wish = Wish::Replace { expected, value: packed(&value, death), live: self.live(death) };
            match self.within(self.ask(key, wish)).await? {
                Outcome::Done(version) => Ok(Replaced::Done(version)),
                Outcome::Missing => Ok(Replaced::Absent),
                _ => Ok(Replaced::Stale),
            }
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if key.id.len() > crate::LONGEST_ID {
                return Ok(None);
            }
            self.within(self.take(key)).await
        })
    }

    fn page<'a>(&'a self, _: &'static str, _: Option<&'a [u8]>, _: usize) -> Answer<'a, Page> {
        Box::pin(async { Err(fault(FaultKind::Unavailable, "memcached cannot list what it holds")) })
    }

    fn sweep(&self, _: Moment, _: usize) -> Answer<'_, usize> {
        Box::pin(async { Ok(0) })
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.listeners.0.write().push(listener);
    }

    /// Whether any of the servers answers: those whose records are on it can be served.
    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.within(async {
            let mut last = fault(FaultKind::Unavailable, "there is no server");
            for (_, lines) in &self.sites {
                let Some(line) = lines.first() else { continue };
                let (answer, answered) = oneshot::channel();
                let key = Key::new("ping", []);
                line.send(Request { key, wire_key: Bytes::new(), wish: Wish::Ping, answer }).await?;
                match answered.await {
                    Ok(Ok(_)) => return Ok(()),
                    Ok(Err(fault)) => last = fault,
                    Err(_) => {}
                }
            }
            Err(last)
        }))
    }
}
