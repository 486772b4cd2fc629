//! Requests that come with an access token: extractors for axum, layers for every tower framework, and the answers of
//! RFC 6750 to those that may not pass.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::{get, post}};
//! use gateward_guard::bearer::{Bearer, Demand, Scoped};
//! use gateward_guard::verify::Verifier;
//!
//! struct Publish;
//! impl Demand for Publish {
//!     const SCOPE: &'static str = "articles:publish";
//! }
//!
//! let verifier = Verifier::for_issuer("https://login.example.com").audience("https://api.example.com").build()?;
//! let app: Router = Router::new()
//!     .route("/me", get(|Bearer(who): Bearer| async move { who.subject().to_owned() }))
//!     .route("/articles", post(|_: Scoped<Publish>| async { "published" }))
//!     .layer(verifier.layer());
//! # Ok(()) }
//! ```
//!
//! Tokens come in the header `Authorization`. Forms ([`BearerLayer::form`]) and queries ([`BearerLayer::query`]) count only where they
//! are switched on: addresses end up in logs and histories.

mod demand;
mod form;
mod layer;
mod present;
mod rejection;

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
pub use demand::{Demand, RequireScope, RequireScopeService, Scoped};
pub use form::{FormBearerLayer, FormBearerService};
use gateward_kernel::jose::BadClaims;
use http::HeaderMap;
use http::request::Parts;
pub use layer::{BearerFuture, BearerLayer, BearerService};
pub(crate) use rejection::Resource;
pub use rejection::{BearerProblem, BearerRejection};

use crate::verify::{Claims, Verifier};

/// Something that is made of the claims of an accepted token: the claims themselves, or a type of the application.
///
/// ```
/// use std::sync::Arc;
/// use gateward_guard::bearer::FromClaims;
/// use gateward_guard::verify::{BadClaims, Claims};
///
/// struct Tenant(String);
///
/// impl FromClaims for Tenant {
///     fn from_claims(claims: &Arc<Claims>) -> Result<Self, BadClaims> {
///         let tenant = claims.other("tenant").ok_or(BadClaims::Missing("tenant"))?;
///         tenant.as_str().map(|name| Tenant(name.to_owned())).ok_or(BadClaims::Type("tenant"))
///     }
/// }
/// ```
pub trait FromClaims: Sized {
    /// Reads it. An error is answered with 403: the token is genuine, and this application cannot take it.
    fn from_claims(claims: &Arc<Claims>) -> Result<Self, BadClaims>;
}

impl FromClaims for Arc<Claims> {
    fn from_claims(claims: &Arc<Claims>) -> Result<Self, BadClaims> {
        Ok(claims.clone())
    }
}

/// Whoever comes with an access token. A route that takes this refuses everybody else as RFC 6750 wants; one that takes
/// `Option<Bearer>` lets those in who come without any token.
///
/// Needs a [`BearerLayer`] around the route, or the [`Verifier`] as an `axum::Extension`.
#[derive(Clone, Debug)]
pub struct Bearer<C = Arc<Claims>>(pub C);

impl<C: FromClaims, S: Send + Sync> FromRequestParts<S> for Bearer<C> {
    type Rejection = BearerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, BearerRejection> {
        match claims(parts).await? {
            (Some(claims), resource) => {
                let refused = |_| BearerRejection::new(BearerProblem::Claims, &resource);
                C::from_claims(&claims).map(Bearer).map_err(refused)
            }
            (None, resource) => Err(BearerRejection::new(BearerProblem::NoToken, &resource)),
        }
    }
}

impl<C: FromClaims, S: Send + Sync> OptionalFromRequestParts<S> for Bearer<C> {
    type Rejection = BearerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, BearerRejection> {
        let (claims, resource) = claims(parts).await?;
        let refused = |_| BearerRejection::new(BearerProblem::Claims, &resource);
        claims.map(|claims| C::from_claims(&claims).map(Bearer).map_err(refused)).transpose()
    }
}

impl Verifier {
    /// Who comes with these values of the header `Authorization`: for frameworks that know neither tower nor the types of the
    /// crate `http`. An error says with which status and headers to answer.
    pub async fn authorize<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Arc<Claims>, BearerRejection> {
        let refused = |problem| BearerRejection::new(problem, self.resource());
        let token = present::in_values(authorization).map_err(refused)?;
        let token = token.ok_or(BearerProblem::NoToken).map_err(refused)?;
        self.verify(token).await.map_err(|denied| refused(denied.into()))
    }
}

/// The token in the header, which must be there.
pub(crate) fn token_in_header<'a>(
    headers: &'a HeaderMap,
    resource: &Arc<Resource>,
) -> Result<&'a str, BearerRejection> {
    let token = present::in_header(headers).and_then(|token| token.ok_or(BearerProblem::NoToken));
    token.map_err(|problem| BearerRejection::new(problem, resource))
}

/// The claims of the request's token: those a layer found, or those the verifier finds now.
async fn claims(parts: &mut Parts) -> Result<(Option<Arc<Claims>>, Arc<Resource>), BearerRejection> {
    if let Some(claims) = parts.extensions.get::<Arc<Claims>>() {
        return Ok((Some(claims.clone()), claims.resource().clone()));
    }
    let verifier = parts.extensions.get::<Verifier>().cloned().ok_or(BearerRejection::no_layer())?;
    let resource = verifier.resource().clone();
    let refused = |problem: BearerProblem| BearerRejection::new(problem, &resource);
    let Some(token) = present::in_header(&parts.headers).map_err(refused)? else {
        return Ok((None, resource));
    };
    let claims = verifier.verify(token).await.map_err(|denied| refused(denied.into()))?;
    parts.extensions.insert(claims.clone());
    Ok((Some(claims), resource))
}
