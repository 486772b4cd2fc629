//! The accept loop: connections within limits, the shortest way for the hottest questions, and an end that finishes
//! what was begun.

mod connection;
mod listen;
pub mod tls;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use gateward_kernel::refusal::Refusal;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower::ServiceExt;

pub use listen::{Listening, listen};

use crate::app::App;
use crate::face::dispatch::Route;
use crate::face::payload::Payload;
use crate::face::{answer, assets, dispatch};
use crate::forward;
use crate::oauth;
use crate::routes::ROUTES;

/// Everything that answers requests.
#[derive(Clone)]
pub struct Front {
    app: Arc<App>,
    router: Router,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Front")
    }
}

impl Front {
    /// The routes of this program.
    pub fn new(app: &Arc<App>) -> Self {
        Front::with_routes(app, ROUTES.iter().copied())
    }

    /// These routes instead: for tests of what reaches a handler.
    pub fn with_routes(app: &Arc<App>, routes: impl Iterator<Item = Route>) -> Self {
        Front { app: app.clone(), router: dispatch::router(app, routes) }
    }

    /// Answers a request at once when nothing has to be waited for: the common case of a proxy's question.
    pub fn answer_at_once<B>(&self, request: &Request<B>, peer: SocketAddr) -> Option<Response<Payload>> {
        let asks = request.uri().path().starts_with(forward::PREFIX);
        asks.then(|| forward::answer_at_once(&self.app, head(request, peer)))?
    }

    /// Answers one request of `peer`.
    pub async fn answer<B>(&self, request: Request<B>, peer: SocketAddr) -> Response<Payload>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        if request.uri().path().starts_with(forward::PREFIX)
            && let Some(response) = forward::answer(&self.app, head(&request, peer)).await
        {
            return response;
        }
        let answered = match self.probe(&request).await {
            Some(response) => response,
            None => match oauth::serve(&self.app, request.map(|()| body), peer).await {
                Ok(response) => {
                    self.app.metrics.answered(response.status());
                    response
                }
                Err(request) => self.routed(request.map(Body::new), peer).await,
            },
        };
        answered.map(Payload::from)
    }

    async fn routed(&self, mut request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        self.app.metrics.answered(answered.status());
        answered
    }

    /// The probes, the assets and what is published: asked often, by machines, without a session.
    async fn probe(&self, request: &Request<()>) -> Option<Response<Body>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        match request.uri().path() {
            "/healthz" => Some(plain(StatusCode::OK, "alive\n")),
            "/readyz" => Some(self.ready().await),
            "/metrics" => {
                let mut response = plain(StatusCode::OK, crate::telemetry::exposition(&self.app));
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                Some(response)
            }
            path if path.starts_with("/oauth/") || path.starts_with("/.well-known/") => {
                oauth::answer(&self.app, path, request.headers()).await
            }
            path => asset(path, request.headers().get(IF_NONE_MATCH)),
        }
    }

    async fn ready(&self) -> Response<Body> {
        let faults = self.app.stores.ping().await;
        let faults: Vec<String> =
            faults.into_iter().map(|(role, fault)| format!("{}: {}\n", role.name(), fault.kind)).collect();
        match faults.is_empty() {
            true => plain(StatusCode::OK, "ready\n"),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, faults.concat()),
        }
    }

    /// Told when a request took too long.
    fn too_slow(&self) -> Response<Payload> {
        let mut response = gateward_guard::problem(&Refusal::Unavailable);
        answer::finish(&self.app, &self.app.next_request_id(), &mut response);
        response.map(Payload::from)
    }
}

fn head<B>(request: &Request<B>, peer: SocketAddr) -> forward::Head<'_> {
    forward::Head {
        peer: peer.ip(),
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
    }
}

fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn asset(path: &str, known: Option<&HeaderValue>) -> Option<Response<Body>> {
    let asset = assets::find(path)?;
    let mut response = Response::new(Body::from(asset.bytes));
    if known.is_some_and(|known| known.as_bytes() == asset.etag.as_bytes()) {
        response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // Error pages on the hosts of applications use them too.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    if let Ok(etag) = HeaderValue::from_str(&asset.etag) {
        headers.insert(ETAG, etag);
    }
    Some(response)
}

/// Counts a connection while it lives.
struct Counted(Arc<App>);

impl Counted {
    fn new(app: &Arc<App>) -> Self {
        app.metrics.connections.fetch_add(1, Ordering::Relaxed);
        Counted(app.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
