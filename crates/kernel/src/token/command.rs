//! One-time commands: short-lived JWTs that say what is to be done, and that are consumed exactly once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The claims of a one-time command (`typ: command+jwt`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CommandClaims {
    /// Who issued it.
    pub iss: String,
    /// On whose behalf.
    pub sub: String,
    /// Who is to carry it out.
    pub aud: String,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own name, by which it is consumed.
    pub jti: String,
    /// What is to be done.
    pub command: String,
    /// With which particulars.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
}
