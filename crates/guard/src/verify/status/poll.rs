//! Status lists that are fetched when a token names them, and again when their time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use gateward_kernel::jose::{Audience, Expectations, Limits, SignatureAlgorithm, jwt};
use gateward_kernel::status::{Bits, NotAList};
use gateward_kernel::time::{Clock, Moment};
use hashbrown::HashMap;
use http::{HeaderValue, StatusCode};
use parking_lot::{Mutex, RwLock};
use url::Url;

use super::{Place, Stale};
use crate::outward::age as age_of;
use crate::verify::client::{Client, FetchError, LARGEST};
use crate::verify::keys::Keys;
use crate::verify::{Denied, Outage, age};

/// How long a list counts that says nothing of it; and the bounds of what it may say.
const DEFAULT_TTL: Duration = Duration::from_secs(60);
const TTL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
/// After a failure a list is left in peace for this long: while there is none, and while there is one to go on with.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// What the map costs for a list, beside the list itself.
const OVERHEAD: usize = 256;

/// Why a list could not be had.
#[derive(Debug, thiserror::Error)]
enum NoList {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    NotAccepted(#[from] Denied),
    #[error(transparent)]
    NotAList(#[from] NotAList),
    #[error("it is another list, of another issuer, or lacks what a list must say")]
    NotThisList,
}

/// How lists are fetched and which are believed.
pub(crate) struct Terms {
    pub(crate) client: Arc<Client>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
    pub(crate) issuer: String,
    pub(crate) skew: Duration,
    pub(crate) stale: Stale,
    /// The most bytes all lists may take.
    pub(crate) budget: usize,
}

pub(crate) struct Poll {
    terms: Terms,
    held: RwLock<HashMap<Box<str>, Arc<Held>>>,
    flights: Mutex<HashMap<Box<str>, Arc<tokio::sync::Mutex<Flight>>>>,
}

/// A list as it was had last.
struct Held {
    bits: Bits,
    etag: Option<HeaderValue>,
    ttl: Duration,
    expires: Option<Moment>,
    /// When the issuer said this.
    had: AtomicI64,
    used: AtomicI64,
    /// Somebody is about to look for a newer one.
    looking: AtomicBool,
}

#[derive(Default)]
struct Flight {
    failed: Option<Moment>,
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Poll({} lists)", self.held.read().len())
    }
}

impl Poll {
    pub(crate) fn new(terms: Terms) -> Self {
        Poll { terms, held: RwLock::default(), flights: Mutex::default() }
    }

    /// Whether the token still counts, as far as memory knows; `None` when the list must be fetched first. Near the end of a list's
    /// time the next one is fetched in the background.
    pub(crate) fn known(self: &Arc<Self>, place: &Place, now: Moment) -> Option<Result<(), Denied>> {
        let held = self.held.read();
        let list = held.get(&place.uri)?;
        let age = list.age(now);
        if age > list.ttl {
            return None;
        }
        if age > list.ttl * 3 / 4 && !list.looking.swap(true, Ordering::AcqRel) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => {
                    let (this, uri, list) = (self.clone(), place.uri.clone(), list.clone());
                    runtime.spawn(async move {
                        this.fetch_alone(&uri).await;
                        list.looking.store(false, Ordering::Release);
                    });
                }
                Err(_) => list.looking.store(false, Ordering::Release),
            }
        }
        Some(list.check(place, now))
    }

    /// Whether the token still counts, with a list as new as the policy wants it.
    pub(crate) async fn check(self: &Arc<Self>, place: &Place, now: Moment) -> Result<(), Denied> {
        if let Some(answer) = self.known(place, now) {
            return answer;
        }
        let (this, uri) = (self.clone(), place.uri.clone());
        // The work goes on when the caller is gone: others wait for it, too.
        let fetched = tokio::spawn(async move { this.fetch_alone(&uri).await }).await;
        let now = self.terms.clock.now();
        let list = fetched.ok().flatten().filter(|list| list.age(now) <= self.limit(list));
        list.map_or(Err(Denied::Unavailable(Outage::Status)), |list| list.check(place, now))
    }

    fn limit(&self, list: &Held) -> Duration {
        match self.terms.stale {
            Stale::Deny => list.ttl,
            Stale::AllowUntil { age } => age.max(list.ttl),
        }
    }

    /// Fetches a list unless that was just done. Yields the newest there is.
    async fn fetch_alone(&self, uri: &str) -> Option<Arc<Held>> {
        let flight = self.flights.lock().entry(uri.into()).or_default().clone();
        let fetched = self.fetch_in(&flight, uri).await;
        let mut flights = self.flights.lock();
        // Two: the one in the map and the one here. Nobody else waits, and no failure needs to be remembered.
        let is_free =
            Arc::strong_count(&flight) == 2 && flight.try_lock().is_ok_and(|flight| flight.failed.is_none());
        if is_free || flights.len() > 4096 {
            flights.remove(uri);
        }
        fetched
    }

    async fn fetch_in(&self, flight: &tokio::sync::Mutex<Flight>, uri: &str) -> Option<Arc<Held>> {
        let mut flight = flight.lock().await;
        let now = self.terms.clock.now();
        let held = self.held.read().get(uri).cloned();
        if held.as_ref().is_some_and(|held| held.age(now) <= held.ttl / 2) {
            return held;
        }
        let pause = if held.as_ref().is_some_and(|held| held.age(now) <= self.limit(held)) {
            PAUSES.1
        } else {
            PAUSES.0
        };
        if flight.failed.is_some_and(|failed| age(now, failed) < pause) {
            return held;
        }
        match self.fetch(uri, held.as_ref(), now).await {
            Ok(Some(list)) => {
                flight.failed = None;
                Some(self.keep(uri, list))
            }
            Ok(None) => {
                flight.failed = None;
                held
            }
            Err(error) => {
                tracing::warn!(list = uri, %error, "a status list could not be fetched");
                flight.failed = Some(now);
                held
            }
        }
    }

    /// The list, or `None` when the held one is still the newest.
    async fn fetch(&self, uri: &str, held: Option<&Arc<Held>>, now: Moment) -> Result<Option<Held>, NoList> {
        let Terms { client, keys, algorithms, issuer, skew, .. } = &self.terms;
        let address = Url::parse(uri).map_err(|_| NoList::NotThisList)?;
        let current = held.filter(|held| held.expires.is_none_or(|expires| now < expires));
        let etag = current.and_then(|held| held.etag.as_ref());
        let answer = client.get(&address, "application/statuslist+jwt", etag).await?;
        let had = now - age_of(&answer.headers);
        match (answer.status, current) {
            (StatusCode::OK, _) => {}
            (StatusCode::NOT_MODIFIED, Some(held)) => {
                held.had.store(had.micros(), Ordering::Release);
                return Ok(None);
            }
            (status, _) => return Err(FetchError::Status(status).into()),
        }
        let mut expected = Expectations::new(&["statuslist+jwt"], &[], now);
        (expected.audience, expected.expires, expected.skew) = (Audience::Anybody, false, *skew);
        let limits = Limits { token: LARGEST, ..Limits::default() };
        let check = |set: &_| jwt::verify(&answer.body, limits, set, algorithms, &expected);
        let (claims, _) = keys.with(now, check).await?;
        let is_foreign = claims.issuer.as_ref().is_some_and(|named| named != issuer);
        if claims.subject.as_deref() != Some(uri) || is_foreign {
            return Err(NoList::NotThisList);
        }
        let list = claims.others.get("status_list").ok_or(NoList::NotThisList)?;
        let size = list.get("bits").and_then(serde_json::Value::as_u64);
        let size = size.and_then(|size| u8::try_from(size).ok()).ok_or(NoList::NotThisList)?;
        let lst = list.get("lst").and_then(serde_json::Value::as_str).ok_or(NoList::NotThisList)?;
        let ttl = claims.others.get("ttl").and_then(serde_json::Value::as_u64);
        let ttl = ttl.map_or(DEFAULT_TTL, Duration::from_secs).clamp(TTL.0, TTL.1);
        Ok(Some(Held {
            bits: Bits::inflate(size, lst)?,
            etag: answer.etag(),
            ttl,
            expires: claims.expires,
            had: AtomicI64::new(had.micros()),
            used: AtomicI64::new(now.micros()),
            looking: AtomicBool::new(false),
        }))
    }

    /// Keeps the list; those that were not used for the longest time make room.
    fn keep(&self, uri: &str, list: Held) -> Arc<Held> {
        let list = Arc::new(list);
        let mut held = self.held.write();
        held.insert(uri.into(), list.clone());
        let mut bytes: usize = held.iter().map(|(uri, list)| list.weight(uri)).sum();
        while bytes > self.terms.budget {
            let oldest = held.iter().min_by_key(|(_, list)| list.used.load(Ordering::Relaxed));
            let Some(uri) = oldest.map(|(uri, _)| uri.clone()) else { break };
            bytes -= held.remove(&uri).map_or(0, |list| list.weight(&uri));
        }
        list
    }
}

impl Held {
    fn age(&self, now: Moment) -> Duration {
        age(now, Moment::from_micros(self.had.load(Ordering::Acquire)))
    }

    fn check(&self, place: &Place, now: Moment) -> Result<(), Denied> {
        self.used.store(now.micros(), Ordering::Relaxed);
        // A place beyond the end of its list is no token's (Token Status List §8.3).
        if self.bits.status(place.index) == Some(0) { Ok(()) } else { Err(Denied::Revoked) }
    }

    fn weight(&self, uri: &str) -> usize {
        uri.len() + self.bits.bytes().len() + OVERHEAD
    }
}
