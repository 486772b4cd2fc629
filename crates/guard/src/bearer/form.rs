//! Tokens in the body of a form (RFC 6750 §2.2): for clients that cannot set a header.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response};
use tower::{Layer, Service};

use super::layer::{BearerLayer, BearerService, TWO_WAYS, admit, forbid_storing, refusal};
use super::present::{in_header, in_parameters, without_token};
use super::rejection::BearerProblem;

/// The largest form that is looked through, unless said otherwise.
const LARGEST: usize = 64 * 1024;

/// Lets only requests with a good token pass, and looks for it in forms, too. The token is taken out of the form before the
/// request goes on, and the answer gets `Cache-Control: no-store`.
#[derive(Clone, Debug)]
pub struct FormBearerLayer {
    layer: BearerLayer,
    largest: usize,
}

impl FormBearerLayer {
    pub(super) fn new(layer: BearerLayer) -> Self {
        FormBearerLayer { layer, largest: LARGEST }
    }

    /// Takes forms of up to so many bytes; larger ones are answered with 413. Default: 64 KiB.
    #[must_use]
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }
}

impl<S: Clone> Layer<S> for FormBearerLayer {
    type Service = FormBearerService<S>;
    fn layer(&self, inner: S) -> FormBearerService<S> {
        FormBearerService { otherwise: self.layer.layer(inner.clone()), inner, form: self.clone() }
    }
}

/// A service that only requests with a good token reach.
#[derive(Clone, Debug)]
pub struct FormBearerService<S> {
    inner: S,
    /// For requests that have no token in a form.
    otherwise: BearerService<S>,
    form: FormBearerLayer,
}

impl<S, R> Service<Request<Body>> for FormBearerService<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Which of the two is called shows only with the request; it is waited for then.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let FormBearerService { mut inner, mut otherwise, form } = self.clone();
        Box::pin(async move {
            if !is_form(&request) {
                std::future::poll_fn(|context| otherwise.poll_ready(context)).await?;
                return otherwise.call(request).await;
            }
            let verifier = &form.layer.verifier;
            let (parts, body) = request.into_parts();
            let read = to_bytes(body, form.largest).await;
            let mut request = Request::from_parts(parts, Body::empty());
            let Ok(bytes) = read else {
                return Ok(refusal(verifier, BearerProblem::TooLarge(form.largest), &request));
            };
            let token = match token(&form.layer, &request, &bytes) {
                Ok(token) => token,
                Err(problem) => return Ok(refusal(verifier, problem, &request)),
            };
            let Some((token, rest)) = token else {
                *request.body_mut() = Body::from(bytes);
                std::future::poll_fn(|context| otherwise.poll_ready(context)).await?;
                return otherwise.call(request).await;
            };
            let claims = match verifier.verify(&token).await {
                Ok(claims) => claims,
                Err(denied) => return Ok(refusal(verifier, denied.into(), &request)),
            };
            request.headers_mut().remove(TRANSFER_ENCODING);
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(rest.len()));
            *request.body_mut() = Body::from(rest);
            admit(&mut request, claims, false);
            std::future::poll_fn(|context| inner.poll_ready(context)).await?;
            let mut response = inner.call(request).await?;
            forbid_storing(&mut response);
            Ok(response)
        })
    }
}

/// A method with a body of its own meaning, and the one media type (§2.2).
fn is_form(request: &Request<Body>) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let may_have_a_body = !matches!(*request.method(), Method::GET | Method::HEAD);
    may_have_a_body && kind.eq_ignore_ascii_case(FORM)
}

/// The token of a form, and the form without it.
fn token(
    layer: &BearerLayer,
    request: &Request<Body>,
    form: &Bytes,
) -> Result<Option<(String, String)>, BearerProblem> {
    // §2.2: the form consists of ASCII characters; one that does not holds no token.
    let Ok(form) = std::str::from_utf8(form) else { return Ok(None) };
    let Some(token) = in_parameters(form)? else { return Ok(None) };
    let by_query = request.uri().query().filter(|_| layer.query).map(in_parameters).transpose()?.flatten();
    if in_header(request.headers())?.is_some() || by_query.is_some() {
        return Err(TWO_WAYS);
    }
    Ok(Some((token.into_owned(), without_token(form))))
}
