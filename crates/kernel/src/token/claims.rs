//! The claims of JWT access tokens (RFC 9068 §2.2), in the order and form in which they are written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Audience, Scope};
use crate::confirmation::Confirmation;

/// What a JWT access token says. Serialised straight into the token; nothing is copied.
#[derive(Clone, Debug, Serialize)]
pub struct AccessClaims<'a> {
    /// Who issued it.
    pub iss: &'a str,
    /// Whom it is about: the person, or the client itself where no person is involved (RFC 9068 §2.2).
    pub sub: &'a str,
    /// For which resources.
    pub aud: &'a Audience,
    /// When it ends, in seconds since 1970 (RFC 7519 §2 NumericDate).
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own name.
    pub jti: &'a str,
    /// To which client it was issued.
    pub client_id: &'a str,
    /// What it allows.
    #[serde(skip_serializing_if = "Scope::is_empty")]
    pub scope: &'a Scope,
    /// When the person proved who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strong the proof was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    /// By which methods (RFC 8176).
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub amr: &'a [&'a str],
    /// The session it hangs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<&'a str>,
    /// The grant behind it, by its public name; for clients of others.
    #[serde(rename = "gateward_grant", skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'a str>,
    /// What the person belongs to (RFC 9068 §2.2.3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<&'a [String]>,
    /// The key that its bearer has to prove (RFC 7800 §3.1).
    #[serde(skip_serializing_if = "Confirmation::is_none")]
    pub cnf: Confirmation,
    /// The rich authorization details (RFC 9396 §9.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<&'a Value>,
    /// Who acts for the subject (RFC 8693 §4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<&'a Value>,
    /// Where its revocation is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim<'a>>,
    /// The moment of issue in microseconds since 1970: a person's tokens can be cut off more finely than whole seconds.
    #[serde(rename = "gateward_iat")]
    pub issued: i64,
    /// The configured claims of the person.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub custom: Option<&'a Map<String, Value>>,
}

/// The `status` claim of the Token Status List specification.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StatusClaim<'a> {
    /// The reference.
    #[serde(borrow)]
    pub status_list: StatusListClaim<'a>,
}

/// Which bit of which list.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StatusListClaim<'a> {
    /// The index in the list.
    pub idx: u32,
    /// The address of the list.
    pub uri: &'a str,
}
