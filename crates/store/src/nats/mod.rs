//! Records in NATS JetStream: a key-value bucket, kept by one server or by three.
//!
//! **What it promises.** Conditional writes are exact: the server compares the number of the last message of the record's subject.
//! A read after an acknowledged write sees it: reads are answered by the stream's leader and never by another replica, and not
//! believed when most servers of the stream have not been heard of for three seconds. An answer that did not come is a fault; no
//! write is sent a second time unless the server has said that it did nothing. The feed carries the values, so that a
//! [`Book::replicated`](gateward_kernel::record::Book::replicated) holds every record in memory.
//!
//! **What it does not.** The server acknowledges a write before it is on disk, unless `sync_interval: always` is set: when all
//! servers of the stream (with one replica: its server) lose their power at once, the writes of the last two minutes may be gone,
//! and what they removed *back*. The end of a process loses nothing. Records whose loss must never happen belong in a durable
//! store ([`Traits::durable`] is false here). For as long as it takes a server that was cut off to notice (three seconds),
//! a read through it may still see what was so before.
//!
//! **What the user must be allowed**, with the bucket `gateward`:
//!
//! ```text
//! publish:   $KV.gateward.>, $JS.API.STREAM.INFO.KV_gateward, $JS.API.STREAM.CREATE.KV_gateward,
//!            $JS.API.STREAM.MSG.GET.KV_gateward, $JS.API.CONSUMER.CREATE.KV_gateward.>,
//!            $JS.API.CONSUMER.DELETE.KV_gateward.>, $JS.API.INFO, $JS.FC.KV_gateward.>
//! subscribe: _INBOX.>
//! ```
//!
//! `STREAM.CREATE` is needed once, `INFO` serves only [`Nats::checkup`].
//!
//! [`Traits::durable`]: gateward_kernel::ports::Traits::durable

mod address;
mod api;
mod bucket;
mod checkup;
mod dial;
mod feed;
mod hub;
mod kv;
mod link;
mod names;
mod pages;
mod tls;
mod trouble;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::Kv;
use gateward_kernel::time::Clock;
use tokio::task::AbortHandle;

use address::Host;
use dial::{Dialer, Live};
use feed::{Ended, Feed};
use hub::Hub;
use link::Link;
use names::Names;
use trouble::{Trouble, Why};

pub use address::{AddressError, NatsAddress};

/// The engine's name in messages and metrics.
const ENGINE: &str = "nats";
/// How often is looked whether the feed is up, while opening.
const GLANCE: Duration = Duration::from_millis(5);
/// The shortest and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How a NATS is used.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// How long a call may take; 5 seconds.
    pub patience: Duration,
    /// How long making a connection may take, signing in included; 2 seconds.
    pub connecting: Duration,
}

impl Default for NatsOptions {
    fn default() -> Self {
        NatsOptions { patience: Duration::from_secs(5), connecting: Duration::from_secs(2) }
    }
}

/// Why a NATS was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached now, or has no leader.
    #[error("NATS cannot be reached: {0}; start it, or check the address and the network")]
    Unreachable(String),
    /// It does not take the user, the password, the token or the credentials, or forbids what is needed.
    #[error("NATS refuses us: {0}; check how we sign in, and what the user may do")]
    Refused(String),
    /// It is too old, has no JetStream, or a file or the bucket is unfit.
    #[error("NATS cannot be used: {0}")]
    Unfit(String),
}

impl From<Trouble> for OpenError {
    fn from(trouble: Trouble) -> Self {
        match trouble.why {
            Why::Refused => OpenError::Refused(trouble.said),
            Why::Late if trouble.said.to_ascii_lowercase().contains("permission") => {
                OpenError::Refused(trouble.said)
            }
            Why::Unfit | Why::Odd => OpenError::Unfit(trouble.said),
            // A leader or enough servers may be there in a moment.
            Why::Said(code) if !bucket::NOT_YET.contains(&code) => OpenError::Unfit(trouble.said),
            _ => OpenError::Unreachable(trouble.said),
        }
    }
}

/// An open NATS. It is cheap to clone; its connection ends with the last clone and the last [`Kv`] made from it.
#[derive(Clone)]
pub struct Nats {
    core: Arc<Core>,
}

/// What all handles share.
struct Core {
    names: Names,
    link: Arc<Link>,
    hub: Arc<Hub>,
    clock: Arc<dyn Clock>,
    patience: Duration,
    largest: usize,
    /// The stream is on so many servers.
    replicas: u64,
    keeper: AbortHandle,
    text: String,
}

impl Nats {
    /// Opens it: signs in, makes the bucket when it is not there, and listens to its changes. Must be called within a tokio runtime.
    /// What breaks after that heals by itself. The clock says how long a record still lives, for the server's own expiry.
    pub async fn connect(
        address: &NatsAddress,
        options: NatsOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Nats, OpenError> {
        let names = Names::new(&address.bucket);
        let dialer = Dialer::new(address, options.connecting)?;
        let (live, at) = first(&dialer, &address.hosts).await?;
        let opening = bucket::open(&live, &names, address);
        let opened = tokio::time::timeout(options.patience, opening).await;
        let found = opened.map_err(|_| Trouble::late(options.patience, &live.complaint()))??;
        let (link, hub) = (Arc::new(Link::new()), Arc::new(Hub::new()));
        let handle = format!("{:016x}", RandomState::new().hash_one(0_u8));
        let feed = Feed::new(hub.clone(), link.clone(), names.clone(), handle);
        let keeper = Keeper { dialer, hosts: address.hosts.clone(), at, link: link.clone(), feed };
        let keeper = tokio::spawn(keeper.keep(live)).abort_handle();
        let hosts: Vec<String> = address.hosts.iter().map(ToString::to_string).collect();
        let core = Core {
            names,
            link,
            hub,
            clock,
            patience: options.patience,
            largest: found.largest,
            replicas: found.replicas,
            keeper,
            text: hosts.join(","),
        };
        let nats = Nats { core: Arc::new(core) };
        let up = async {
            while !nats.core.hub.is_whole() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let within = tokio::time::timeout(options.patience, up).await;
        within.map_err(|_| OpenError::Unreachable("its changes cannot be listened to".into()))?;
        Ok(nats)
    }

    /// The records.
    pub fn kv(&self) -> Arc<dyn Kv> {
        self.core.clone()
    }
}

/// The first server that lets us in, beginning anywhere; otherwise what most needs to be known of why none does.
async fn first(dialer: &Dialer, hosts: &[Host]) -> Result<(Arc<Live>, usize), Trouble> {
    let start = usize::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    let mut worst = Trouble::new(Why::Unreached, "no server is named");
    for at in (0..hosts.len()).map(|number| start.wrapping_add(number)) {
        let Some(host) = hosts.get(at % hosts.len()) else { continue };
        match dialer.dial(host).await {
            Ok(live) => return Ok((Arc::new(live), at)),
            Err(trouble) if worst.why == Why::Unreached => worst = trouble,
            Err(_) => {}
        }
    }
    Err(worst)
}

/// Keeps a connection and the feed up for as long as it is polled.
struct Keeper {
    dialer: Dialer,
    hosts: Vec<Host>,
    /// Which of the hosts is in use.
    at: usize,
    link: Arc<Link>,
    feed: Feed,
}

impl Keeper {
    async fn keep(mut self, live: Arc<Live>) {
        let (mut next, mut pause) = (Some(live), PAUSES.0);
        loop {
            let connected = match next.take() {
                Some(live) => Ok(live),
                None => self.dial().await,
            };
            let said = match connected {
                Ok(live) => {
                    self.link.set(live.clone());
                    self.serve(&live, &mut pause).await
                }
                Err(trouble) => trouble.said,
            };
            self.link.failed(&said);
            self.at = self.at.wrapping_add(1);
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn dial(&self) -> Result<Arc<Live>, Trouble> {
        let host = self.hosts.get(self.at % self.hosts.len().max(1));
        let host = host.ok_or_else(|| Trouble::new(Why::Unreached, "no server is named"))?;
        self.dialer.dial(host).await.map(Arc::new)
    }

    /// Follows over one connection until that is not to be used any more, and says why.
    async fn serve(&mut self, live: &Arc<Live>, pause: &mut Duration) -> String {
        let mut rest = PAUSES.0;
        loop {
            let mut is_up = false;
            let ended = self.feed.follow(live, || is_up = true).await;
            if is_up {
                (*pause, rest) = (PAUSES.0, PAUSES.0);
            }
            match ended {
                Ended::Wanted => continue,
                Ended::Line(trouble) => {
                    tracing::warn!(
                        host = %live.host,
                        error = trouble.said,
                        "the feed of changes from NATS is cut; another connection is made"
                    );
                    return trouble.said;
                }
                Ended::Feed(trouble) => {
                    tracing::warn!(host = %live.host, error = trouble.said, "the feed of changes from NATS is cut");
                }
            }
            tokio::select! {
                () = live.ended() => return format!("the connection to {} has ended", live.host),
                () = tokio::time::sleep(jittered(rest)) => rest = (rest * 2).min(PAUSES.1),
            }
        }
    }
}

/// Between half of it and all of it: not every node of ours comes back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Not for secrets: the standard library's hasher is seeded anew each time.
    let random = RandomState::new().hash_one(0_u8) % 1024;
    pause / 2 + pause.mul_f64(random as f64 / 2048.0)
}

impl Drop for Core {
    fn drop(&mut self) {
        self.keeper.abort();
        self.link.failed("it is closed");
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nats({})", self.core.text)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nats({})", self.text)
    }
}
