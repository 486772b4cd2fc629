//! Demands on whoever comes with a token: scopes, and proofs that are strong and recent enough.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Request, Response};
use tower::{Layer, Service};

use super::layer::refuse;
use super::{Bearer, BearerRejection};
use crate::verify::Claims;

/// What a route demands, as a type.
pub trait Demand: Send + Sync + 'static {
    /// The scopes, separated by blanks; none when empty.
    const SCOPE: &'static str = "";
    /// The person proved who they are in one of these ways (`acr`, RFC 9470); in any when empty.
    const ACR: &'static [&'static str] = &[];
    /// And at most so long ago (`auth_time`).
    const MAX_AGE: Option<Duration> = None;
}

/// Whoever comes with a token that meets the demand. Others get the answer from which their client learns what to ask for.
pub struct Scoped<D> {
    claims: Arc<Claims>,
    demand: PhantomData<fn() -> D>,
}

impl<D> Scoped<D> {
    /// The claims.
    pub fn into_claims(self) -> Arc<Claims> {
        self.claims
    }
}

impl<D> Deref for Scoped<D> {
    type Target = Claims;
    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl<D> std::fmt::Debug for Scoped<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Scoped").field(&self.claims).finish()
    }
}

impl<D: Demand, S: Send + Sync> FromRequestParts<S> for Scoped<D> {
    type Rejection = BearerRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, BearerRejection> {
        let Bearer(claims) = <Bearer as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        if !D::SCOPE.is_empty() {
            claims.require_scope(D::SCOPE)?;
        }
        if !D::ACR.is_empty() || D::MAX_AGE.is_some() {
            claims.require_sign_in(D::ACR, D::MAX_AGE)?;
        }
        Ok(Scoped { claims, demand: PhantomData })
    }
}

/// Demands a scope of every request that passes: to be put inside a [`BearerLayer`](super::BearerLayer).
#[derive(Clone, Debug)]
pub struct RequireScope {
    scope: Arc<str>,
}

impl RequireScope {
    /// Demands these scopes, separated by blanks.
    pub fn new(scope: &str) -> Self {
        RequireScope { scope: scope.into() }
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = RequireScopeService<S>;
    fn layer(&self, inner: S) -> RequireScopeService<S> {
        RequireScopeService { inner, scope: self.scope.clone() }
    }
}

/// A service that demands a scope.
#[derive(Clone, Debug)]
pub struct RequireScopeService<S> {
    inner: S,
    scope: Arc<str>,
}

impl<S, B, R> Service<Request<B>> for RequireScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let met = match request.extensions().get::<Arc<Claims>>() {
            Some(claims) => claims.require_scope(&self.scope),
            None => Err(BearerRejection::no_layer()),
        };
        match met {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(rejection) => {
                let response = refuse(&rejection, request.headers());
                Box::pin(std::future::ready(Ok(response)))
            }
        }
    }
}
