//! Tokens: what travels instead of a cookie.
//!
//! The [simple](SimpleToken) one says who, when and what for, and is used for links; the opaque
//! [access token](AccessToken) is looked up; the JWT access token ([`AccessClaims`]) is checked where it arrives; the
//! refresh token is in [`grant`](crate::grant).

mod access;
mod audience;
mod claims;
mod command;
mod scope;
mod simple;

pub use access::{AccessToken, OpaqueToken};
pub use audience::{Audience, MAX_AUDIENCES, NotAnAudience};
pub use claims::{AccessClaims, StatusClaim, StatusListClaim};
pub use command::CommandClaims;
pub use scope::{MAX_SCOPE_TEXT, MAX_SCOPES, NotAScope, Scope};
pub use simple::{SimpleKey, SimpleToken, SimpleTokenProblem};
