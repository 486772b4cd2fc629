//! The layer that lets only requests with a good token pass. It knows nothing of the framework around it: any body will do,
//! so that axum, tonic and everything else on tower can use it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::form::FormBearerLayer;
use super::present::{in_header, in_parameters, strip};
use super::rejection::{BearerProblem, BearerRejection};
use crate::verify::{Claims, Verifier};

impl Verifier {
    /// The layer that lets only requests with a good token pass, and puts its [`Claims`] (as `Arc<Claims>`) into their extensions.
    pub fn layer(&self) -> BearerLayer {
        BearerLayer { verifier: self.clone(), query: false, optional: false }
    }
}

/// Lets only requests with a good token pass.
#[derive(Clone, Debug)]
pub struct BearerLayer {
    pub(super) verifier: Verifier,
    pub(super) query: bool,
    pub(super) optional: bool,
}

impl BearerLayer {
    /// Takes tokens from the query, too (RFC 6750 §2.3). The token is taken out of the address before the request goes on, and the
    /// answer gets `Cache-Control: no-store`. What stands outside this layer sees the token: no request log should.
    #[must_use]
    pub fn query(mut self) -> Self {
        self.query = true;
        self
    }

    /// Lets requests without any token pass, too, and without claims. One that is presented must be good all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Takes tokens from forms, too (RFC 6750 §2.2): for services with the bodies of axum.
    #[must_use]
    pub fn form(self) -> FormBearerLayer {
        FormBearerLayer::new(self)
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = BearerService<S>;
    fn layer(&self, inner: S) -> BearerService<S> {
        BearerService { inner, layer: self.clone() }
    }
}

/// A service that only requests with a good token reach.
#[derive(Clone, Debug)]
pub struct BearerService<S> {
    inner: S,
    layer: BearerLayer,
}

type Boxed<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for BearerService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: 'static,
    B: Send + 'static,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BearerFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let verifier = &self.layer.verifier;
        let presented = match presented(&self.layer, &request) {
            Ok(presented) => presented,
            Err(problem) => return BearerFuture::refused(refusal(verifier, problem, &request)),
        };
        let Some(Presented { token, in_query }) = presented else {
            if !self.layer.optional {
                return BearerFuture::refused(refusal(verifier, BearerProblem::NoToken, &request));
            }
            request.extensions_mut().insert(verifier.clone());
            return BearerFuture::passing(self.inner.call(request), false);
        };
        match verifier.verify_cached(&token) {
            Some(Ok(claims)) => {
                drop(token);
                admit(&mut request, claims, in_query);
                BearerFuture::passing(self.inner.call(request), in_query)
            }
            Some(Err(denied)) if !denied.is_outage() => {
                BearerFuture::refused(refusal(verifier, denied.into(), &request))
            }
            _ => {
                let (token, verifier) = (token.into_owned(), verifier.clone());
                // The service that was polled ready is the one to call; the clone waits for its own turn.
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                let future = Box::pin(async move {
                    let claims = match verifier.verify(&token).await {
                        Ok(claims) => claims,
                        Err(denied) => return Ok(refusal(&verifier, denied.into(), &request)),
                    };
                    admit(&mut request, claims, in_query);
                    let mut response = inner.call(request).await?;
                    if in_query {
                        forbid_storing(&mut response);
                    }
                    Ok(response)
                });
                BearerFuture::checking(future)
            }
        }
    }
}

struct Presented<'a> {
    token: std::borrow::Cow<'a, str>,
    in_query: bool,
}

/// The one token of a request, where it may stand.
fn presented<'a, B>(
    layer: &BearerLayer,
    request: &'a Request<B>,
) -> Result<Option<Presented<'a>>, BearerProblem> {
    let by_header = in_header(request.headers())?;
    let query = request.uri().query().filter(|_| layer.query);
    let by_query = query.map(in_parameters).transpose()?.flatten();
    match (by_header, by_query) {
        (Some(_), Some(_)) => Err(TWO_WAYS),
        (Some(token), None) => Ok(Some(Presented { token: token.into(), in_query: false })),
        (None, Some(token)) => Ok(Some(Presented { token, in_query: true })),
        (None, None) => Ok(None),
    }
}

pub(super) const TWO_WAYS: BearerProblem =
    BearerProblem::Malformed("an access token is presented in two ways at once");

pub(super) fn admit<B>(request: &mut Request<B>, claims: Arc<Claims>, in_query: bool) {
    if in_query {
        strip(request.uri_mut());
    }
    request.extensions_mut().insert(claims);
}

pub(super) fn forbid_storing<R>(response: &mut Response<R>) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

pub(super) fn refusal<B, R: Default>(
    verifier: &Verifier,
    problem: BearerProblem,
    request: &Request<B>,
) -> Response<R> {
    refuse(&BearerRejection::new(problem, verifier.resource()), request.headers())
}

/// The answer to a request that may not pass. To one of gRPC in the way gRPC wants it: 200, and the status in a header.
pub(super) fn refuse<R: Default>(rejection: &BearerRejection, headers: &HeaderMap) -> Response<R> {
    const GRPC: &[u8] = b"application/grpc";
    let mut response = Response::new(R::default());
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if kind.starts_with(GRPC) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from(u16::from(rejection.grpc_status())));
        if let Ok(message) = HeaderValue::from_str(&rejection.to_string().replace('%', "%25")) {
            headers.insert("grpc-message", message);
        }
    } else {
        *response.status_mut() = rejection.status();
    }
    rejection.write_headers(response.headers_mut());
    response
}

pin_project! {
    /// What becomes of a request.
    pub struct BearerFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, R, E> {
        // The token was seen before and is good: the service is at work.
        Passing { #[pin] future: F, no_store: bool },
        // The request does not pass.
        Refused { response: Option<Response<R>> },
        // The token is checked, and then the service works.
        Checking { future: Boxed<R, E> },
    }
}

impl<F, R, E> std::fmt::Debug for BearerFuture<F, R, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerFuture")
    }
}

impl<F, R, E> BearerFuture<F, R, E> {
    fn passing(future: F, no_store: bool) -> Self {
        BearerFuture { state: State::Passing { future, no_store } }
    }

    fn refused(response: Response<R>) -> Self {
        BearerFuture { state: State::Refused { response: Some(response) } }
    }

    fn checking(future: Boxed<R, E>) -> Self {
        BearerFuture { state: State::Checking { future } }
    }
}

impl<F, R, E> Future for BearerFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Passing { future, no_store } => {
                let mut response = ready!(future.poll(context))?;
                if *no_store {
                    forbid_storing(&mut response);
                }
                Poll::Ready(Ok(response))
            }
            Projected::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it was done, which no caller may do.
                None => Poll::Pending,
            },
            Projected::Checking { future } => future.as_mut().poll(context),
        }
    }
}
