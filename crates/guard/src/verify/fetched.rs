//! The issuer's key set (RFC 7517 §5): fetched by one at a time, refreshed before it is too old, and kept while the issuer
//! is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use gateward_kernel::jose::{JwkSet, KeySet, SignatureAlgorithm};
use gateward_kernel::secret::Digest;
use gateward_kernel::time::{Clock, Moment};
use http::StatusCode;
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::age;
use super::client::{Client, FetchError, lifetime};
use super::discovery::{Discovery, KEPT};

/// Keys nobody knows cause at most one fetch in this time, however many tokens name them.
const WINDOW: Duration = Duration::from_secs(60);
/// After a failure the issuer is left in peace for this long, while there are no keys at all.
const PAUSE: Duration = Duration::from_secs(1);
/// And for this long, while there are keys to go on with.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Why keys are fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// There are none, or they will soon be too old.
    Due,
    /// A token names one that is not among them.
    UnknownKey,
}

pub(crate) struct FetchedKeys {
    client: Arc<Client>,
    discovery: Arc<Discovery>,
    algorithms: Vec<SignatureAlgorithm>,
    clock: Arc<dyn Clock>,
    /// How long keys count while newer ones cannot be had.
    outlive: Duration,
    set: RwLock<Arc<KeySet>>,
    /// Counts the different sets there were; 0 is none.
    generation: AtomicU64,
    /// When the set was had.
    had: AtomicI64,
    /// Until when it counts without a look at the issuer's, and when that look is best taken.
    fresh_until: AtomicI64,
    refresh_at: AtomicI64,
    /// Somebody is about to look.
    looking: AtomicBool,
    flight: Mutex<Flight>,
}

/// What whoever fetches must know of the fetches before.
struct Flight {
    failed: Option<Moment>,
    unknown: Option<Moment>,
    digest: Option<Digest>,
}

impl std::fmt::Debug for FetchedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FetchedKeys({})", self.set.read().len())
    }
}

impl FetchedKeys {
    pub(crate) fn new(
        client: Arc<Client>,
        discovery: Arc<Discovery>,
        algorithms: Vec<SignatureAlgorithm>,
        clock: Arc<dyn Clock>,
        outlive: Duration,
    ) -> Self {
        let never = || AtomicI64::new(Moment::DAWN.micros());
        FetchedKeys {
            client,
            discovery,
            algorithms,
            clock,
            outlive,
            set: RwLock::default(),
            generation: AtomicU64::new(0),
            had: never(),
            fresh_until: never(),
            refresh_at: never(),
            looking: AtomicBool::new(false),
            flight: Mutex::new(Flight { failed: None, unknown: None, digest: None }),
        }
    }

    /// Whether the keys count without a look at the issuer's. Near the end of that time a look is begun in the background.
    pub(crate) fn is_fresh(self: &Arc<Self>, now: Moment) -> bool {
        let is_fresh = self.counts(now) && now < moment(&self.fresh_until);
        if is_fresh && now >= moment(&self.refresh_at) && !self.looking.swap(true, Ordering::AcqRel) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    let this = self.clone();
                    runtime.spawn(async move { this.fetch(Reason::Due).await });
                }
                // Not on a thread of the runtime: whoever comes when the time is up waits instead.
                Err(_) => self.looking.store(false, Ordering::Release),
            }
        }
        is_fresh
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The keys, fresh or not, unless they are too old to count at all.
    pub(crate) fn usable(&self, now: Moment) -> Option<(Arc<KeySet>, u64)> {
        let set = self.set.read();
        self.counts(now).then(|| (set.clone(), self.generation()))
    }

    /// Looks at the issuer's keys unless that was just done. `false` when the issuer was asked and did not answer. The work goes on
    /// when the caller is gone: others wait for it, too.
    pub(crate) async fn fetch(self: &Arc<Self>, reason: Reason) -> bool {
        let this = self.clone();
        let work = tokio::spawn(async move {
            let done = this.fetch_alone(reason).await;
            this.looking.store(false, Ordering::Release);
            done
        });
        work.await.unwrap_or(false)
    }

    async fn fetch_alone(&self, reason: Reason) -> bool {
        let mut flight = self.flight.lock().await;
        let now = self.clock.now();
        let within = |last: Option<Moment>, span: Duration| last.is_some_and(|last| age(now, last) < span);
        let is_fresh = self.counts(now) && now < moment(&self.fresh_until);
        match reason {
            Reason::Due if is_fresh && now < moment(&self.refresh_at) => return true,
            Reason::Due if within(flight.failed, PAUSE) => return false,
            Reason::UnknownKey if within(flight.unknown, WINDOW) => return true,
            Reason::UnknownKey => flight.unknown = Some(now),
            Reason::Due => {}
        }
        match self.load().await {
            Ok((set, digest, kept)) => {
                let mut held = self.set.write();
                if flight.digest != Some(digest) {
                    *held = Arc::new(set);
                    self.generation.fetch_add(1, Ordering::AcqRel);
                }
                (flight.digest, flight.failed) = (Some(digest), None);
                set_moment(&self.had, now);
                set_moment(&self.refresh_at, now + kept * 4 / 5);
                set_moment(&self.fresh_until, now + kept);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the issuer's keys could not be fetched");
                flight.failed = Some(now);
                if self.counts(now) {
                    set_moment(&self.refresh_at, now + LONG_PAUSE);
                    // Until the next look has failed, too: nobody waits for an issuer that is away.
                    let until = moment(&self.fresh_until).max(now + LONG_PAUSE * 2);
                    set_moment(&self.fresh_until, until);
                }
                false
            }
        }
    }

    async fn load(&self) -> Result<(KeySet, Digest, Duration), FetchError> {
        let metadata = self.discovery.metadata().await;
        let metadata = metadata.ok_or(FetchError::Malformed("the issuer's metadata are not known"))?;
        let accept = "application/jwk-set+json, application/json";
        let answer = self.client.get(&metadata.keys, accept, None).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status));
        }
        let set = JwkSet::from_json(&answer.body).map_err(|_| FetchError::Malformed("no key set"))?;
        let keys = KeySet::from_jwks(&set, &self.algorithms);
        if keys.is_empty() {
            // Rather an accident than a message: the set before it goes on.
            return Err(FetchError::Malformed("the key set has no key of an allowed algorithm"));
        }
        Ok((keys, Digest::of(&answer.body), lifetime(&answer.headers, KEPT.0, KEPT.1)))
    }

    fn counts(&self, now: Moment) -> bool {
        self.generation() > 0 && age(now, moment(&self.had)) <= self.outlive
    }
}

fn moment(at: &AtomicI64) -> Moment {
    Moment::from_micros(at.load(Ordering::Acquire))
}

fn set_moment(at: &AtomicI64, moment: Moment) {
    at.store(moment.micros(), Ordering::Release);
}
