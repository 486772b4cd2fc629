//! The tower layer: finds the session of a request, and hands its cookie back when it changed.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use gateward_kernel::ports::Kv;
use gateward_kernel::secret::{Digest, Entropy, RootKey};
use gateward_kernel::session::{Handle, Lifetimes, MAX_DATA, Origin, Policy};
use gateward_kernel::time::Clock;
use http::header::{SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Request};
use tower::{Layer, Service};

use crate::ambient::{SystemClock, SystemEntropy};
use crate::cookies::{CookieSpec, Found, find_routed, warn_near_limits};
use crate::people::KvPeople;
use crate::sessions::Sessions;
use crate::signed_in::{Door, Presented, Rejection};

const HOUR: Duration = Duration::from_secs(3600);
/// The memory that sessions and accounts may take, unless said otherwise.
const CACHE: usize = 32 << 20;

/// Cookie sessions for one application: what [`Doorway::layer`] puts around its routes.
#[derive(Clone, Debug)]
pub struct Doorway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) sessions: Sessions<KvPeople>,
    pub(crate) cookie: CookieSpec,
    pub(crate) clock: ClockBox,
    pub(crate) fresh: Duration,
}

pub(crate) struct ClockBox(pub(crate) Arc<dyn Clock>);

impl std::fmt::Debug for ClockBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// How long sessions live unless said otherwise: 30 minutes unused, one day at most; 14 and 30 days when remembered.
pub fn default_policy() -> Policy {
    Policy {
        guest: Lifetimes { idle: 2 * HOUR, absolute: 7 * 24 * HOUR },
        plain: Lifetimes { idle: HOUR / 2, absolute: 24 * HOUR },
        remembered: Lifetimes { idle: 14 * 24 * HOUR, absolute: 30 * 24 * HOUR },
        app: Lifetimes { idle: 30 * 24 * HOUR, absolute: 180 * 24 * HOUR },
        renew_percent: 5,
        data_limit: MAX_DATA,
        per_person: 100,
    }
}

impl Doorway {
    /// Sessions in `kv` with the default lifetimes, the system's clock and the system's randomness.
    pub fn new(kv: Arc<dyn Kv>, root: &RootKey, cookie: CookieSpec) -> Self {
        Self::with(
            kv,
            root,
            cookie,
            default_policy(),
            10 * HOUR / 60,
            Arc::new(SystemClock),
            Arc::new(SystemEntropy),
        )
    }

    /// The same with everything said: lifetimes, how recent a sign-in [`Fresh`](crate::Fresh) demands, clock and
    /// randomness.
    pub fn with(
        kv: Arc<dyn Kv>,
        root: &RootKey,
        cookie: CookieSpec,
        policy: Policy,
        fresh: Duration,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let people = KvPeople::new(kv.clone(), CACHE / 4);
        let sessions = Sessions::new(kv, CACHE, people, policy, root, entropy);
        Doorway { inner: Arc::new(Inner { sessions, cookie, clock: ClockBox(clock), fresh }) }
    }

    /// The layer to put around the application's routes.
    pub fn layer(&self) -> SessionLayer {
        SessionLayer(self.clone())
    }

    /// The sessions, for lists and for ending them from elsewhere.
    pub fn sessions(&self) -> &Sessions<KvPeople> {
        &self.inner.sessions
    }
}

/// Puts sessions around a service.
#[derive(Clone, Debug)]
pub struct SessionLayer(Doorway);

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;
    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService { inner, doorway: self.0.clone() }
    }
}

/// A service with sessions around it.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    doorway: Doorway,
}

impl<S, B> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled ready is the one to call; the clone waits for its own turn.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let doorway = self.doorway.inner.clone();
        Box::pin(async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
            let headers = request.headers().clone();
            let door = match open(&doorway, &headers, peer).await {
                Ok(door) => door,
                Err(rejection) => return Ok(rejection.into_response()),
            };
            request.extensions_mut().insert(door.clone());
            let mut response = inner.call(request).await?;
            if let Some(header) = door.pending() {
                response.headers_mut().append(SET_COOKIE, header);
            }
            Ok(response)
        })
    }
}

async fn open(doorway: &Arc<Inner>, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Door, Rejection> {
    let now = doorway.clock.0.now();
    warn_near_limits(headers);
    let handle = match find_routed(headers, doorway.cookie.name()) {
        Found::Ambiguous => return Err(Rejection::AmbiguousCookie),
        Found::Nothing => None,
        // A foreign or damaged value is as good as none.
        Found::One(value) => Handle::read(value).ok(),
    };
    let living = match &handle {
        Some(handle) => doorway.sessions.check(handle, now).await.map_err(Rejection::Fault)?,
        None => None,
    };
    let address = peer.unwrap_or_else(|| Ipv4Addr::UNSPECIFIED.into());
    let presented = Presented { handle, origin: origin(headers, address), now };
    Ok(Door::new(doorway.clone(), presented, living))
}

fn origin(headers: &HeaderMap, address: IpAddr) -> Origin {
    let agent =
        headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    let device: String = agent.chars().filter(|c| !c.is_control()).take(80).collect();
    let mut digest = [0; 8];
    for (to, from) in digest.iter_mut().zip(Digest::of(agent.as_bytes()).as_bytes()) {
        *to = *from;
    }
    Origin { device: device.into(), agent: u64::from_be_bytes(digest), address }
}
