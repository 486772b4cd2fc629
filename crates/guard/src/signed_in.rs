//! The extractors: who is signed in, how recently, and the door through which they come and go.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use gateward_kernel::ports::Fault;
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::{Refusal, Row};
use gateward_kernel::session::{Data, Handle, Life, Method, Origin, Proof, Session, SignIn, Transport};
use gateward_kernel::time::Moment;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::layer::Inner;
use crate::people::Account;
use crate::sessions::{Living, Opened};

/// Why an extractor or the door says no.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// There is no living session with a person in it: 401.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The sign-in is too long ago: 403.
    #[error("this needs a recent sign-in")]
    NotFresh,
    /// The request holds the session cookie twice with different values: 400.
    #[error("the session cookie is there twice with different values")]
    AmbiguousCookie,
    /// The data were not changed: 412 or 413.
    #[error(transparent)]
    Data(#[from] gateward_kernel::session::DataRefusal),
    /// The store does not answer: 503. The cookie is kept.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The application forgot the layer: 500.
    #[error("the routes have no session layer around them")]
    NoLayer,
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        use gateward_kernel::session::DataRefusal;
        let refusal = match &self {
            Rejection::NotSignedIn => Refusal::NotSignedIn,
            Rejection::NotFresh => Refusal::NotFresh,
            Rejection::AmbiguousCookie => Refusal::Malformed(self.to_string()),
            Rejection::Data(DataRefusal::Stale { current }) => Refusal::Stale(*current),
            Rejection::Data(DataRefusal::TooLarge { limit }) => Refusal::TooLarge(*limit),
            Rejection::Data(DataRefusal::TooDeep) => Refusal::Malformed(self.to_string()),
            Rejection::Fault(fault) => {
                tracing::error!(%fault, "the session store failed");
                Refusal::Unavailable
            }
            Rejection::NoLayer => {
                tracing::error!("{self}");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        problem(&refusal)
    }
}

/// A refusal as `application/problem+json` (RFC 9457).
pub fn problem(refusal: &Refusal) -> Response {
    let row = refusal.row();
    let mut body = json!({
        "type": problem_type(&row),
        "title": row.title,
        "status": row.status,
    });
    if let (Some(detail), Some(members)) = (refusal.detail(), body.as_object_mut()) {
        members.insert("detail".into(), detail.into());
    }
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = refusal.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The stable `type` of a problem: a name, not an address (RFC 9457 §3.1.1; a tag URI, RFC 4151).
pub fn problem_type(row: &Row) -> String {
    format!("tag:gateward,2026:problem/{}", row.code)
}

/// What a request brought along.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) handle: Option<Handle>,
    pub(crate) origin: Origin,
    pub(crate) now: Moment,
}

/// The door of the application: through it people are signed in and out, and the session keeps data.
///
/// It works for one request. What it changes is in the answer's cookie.
#[derive(Clone, Debug)]
pub struct Door(Arc<State>);

#[derive(Debug)]
struct State {
    inner: Arc<Inner>,
    presented: Presented,
    living: Mutex<Option<Living<Loaded<Account>>>>,
    pending: Mutex<Option<HeaderValue>>,
}

impl Door {
    pub(crate) fn new(
        inner: Arc<Inner>,
        presented: Presented,
        living: Option<Living<Loaded<Account>>>,
    ) -> Self {
        Door(Arc::new(State { inner, presented, living: Mutex::new(living), pending: Mutex::new(None) }))
    }

    pub(crate) fn pending(&self) -> Option<HeaderValue> {
        self.0.pending.lock().take()
    }

    /// Signs somebody in whom the application has just recognised, under a new session secret. A guest's data stay.
    pub async fn sign_in(&self, name: &str) -> Result<(), Rejection> {
        self.sign_in_for(name, false).await
    }

    /// The same; `remember` keeps them signed in over the end of the browser.
    pub async fn sign_in_for(&self, name: &str, remember: bool) -> Result<(), Rejection> {
        let State { inner, presented, .. } = &*self.0;
        let person = inner.sessions.people().know(name, presented.now).await?;
        let sign_in =
            SignIn { person, proof: Proof { method: Method::Password, at: presented.now }, remember };
        let handle = presented.handle.as_ref();
        let origin = presented.origin.clone();
        let opened =
            inner.sessions.sign_in(handle, sign_in, Transport::Cookie, origin, presented.now).await?;
        self.keep(opened).await
    }

    /// Ends the session.
    pub async fn sign_out(&self) -> Result<(), Rejection> {
        if let Some(living) = self.living() {
            self.0.inner.sessions.end(living.session.record.id, self.0.presented.now).await?;
        }
        *self.0.living.lock() = None;
        *self.0.pending.lock() = self.0.inner.cookie.clear().ok();
        Ok(())
    }

    /// Ends every other session of the person who is signed in; this one goes on under a new secret. Says how many.
    pub async fn end_others(&self) -> Result<usize, Rejection> {
        let living = self.living().ok_or(Rejection::NotSignedIn)?;
        let ended = self.0.inner.sessions.end_others(&living.session.record, self.0.presented.now).await?;
        let (opened, count) = ended.ok_or(Rejection::NotSignedIn)?;
        self.keep(opened).await?;
        Ok(count)
    }

    /// The session's data; empty when there is no session.
    pub fn data(&self) -> Data {
        self.living().map(|living| living.session.record.data.clone()).unwrap_or_default()
    }

    /// Changes the session's data by a merge patch (RFC 7396). A guest without a session gets one.
    pub async fn patch_data(&self, patch: &Value, expected: Option<u64>) -> Result<Data, Rejection> {
        let State { inner, presented, .. } = &*self.0;
        if self.living().is_none() {
            self.keep(inner.sessions.begin_guest(presented.origin.clone(), presented.now).await?).await?;
        }
        let living = self.living().ok_or(Rejection::NotSignedIn)?;
        let answer =
            inner.sessions.patch_data(living.session.record.id, patch, expected, presented.now).await?;
        Ok(answer.ok_or(Rejection::NotSignedIn)??)
    }

    /// The name of the person who is signed in.
    fn who(&self) -> Option<SignedIn> {
        let living = self.living()?;
        let person = living.person?;
        Some(SignedIn { session: living.session, person })
    }

    fn living(&self) -> Option<Living<Loaded<Account>>> {
        self.0.living.lock().clone()
    }

    async fn keep(&self, opened: Opened) -> Result<(), Rejection> {
        let State { inner, presented, .. } = &*self.0;
        let session = &opened.session.record;
        let max_age = (session.life == Life::Remembered).then(|| session.ends.since(presented.now));
        let text = opened.handle.print();
        *self.0.pending.lock() = inner.cookie.set(&text, max_age).ok();
        let living = inner.sessions.check(&opened.handle, presented.now).await?;
        *self.0.living.lock() = living;
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Door {
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        parts.extensions.get::<Door>().cloned().ok_or(Rejection::NoLayer)
    }
}

/// Somebody who is signed in. A route that takes this answers 401 to everybody else.
#[derive(Clone, Debug)]
pub struct SignedIn {
    session: Arc<Loaded<Session>>,
    person: Arc<Loaded<Account>>,
}

impl SignedIn {
    /// The application's own name for the person.
    pub fn name(&self) -> &str {
        &self.person.record.name
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session.record
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        Door::from_request_parts(parts, state).await?.who().ok_or(Rejection::NotSignedIn)
    }
}

/// Whoever is there: somebody who is signed in, or nobody.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeSignedIn {
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        Ok(MaybeSignedIn(Door::from_request_parts(parts, state).await?.who()))
    }
}

/// Somebody who signed in a short while ago: for what needs more than an open browser. 403 to others.
#[derive(Clone, Debug)]
pub struct Fresh(pub SignedIn);

impl<S: Send + Sync> FromRequestParts<S> for Fresh {
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let door = Door::from_request_parts(parts, state).await?;
        let who = door.who().ok_or(Rejection::NotSignedIn)?;
        let fresh = who.session().is_fresh(door.0.inner.fresh, door.0.presented.now);
        fresh.then_some(Fresh(who)).ok_or(Rejection::NotFresh)
    }
}
