//! One-time commands: short-lived JWTs that say what is to be done, and that are consumed exactly once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::Record;
use crate::secret::Digest;
use crate::time::Moment;

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

/// That a command was consumed. Creating this record is the one act that only one of many can do; it dies when the
/// command would no longer be accepted anyway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsedCommand {
    /// A digest over issuer and `jti`, so that the names of two issuers never meet.
    id: [u8; 32],
    /// Until when it must be remembered.
    until: Moment,
}

impl UsedCommand {
    /// The mark for this command, to be kept until `until`.
    pub fn new(issuer: &str, jti: &str, until: Moment) -> Self {
        let named = [issuer.len().to_be_bytes().as_slice(), issuer.as_bytes(), jti.as_bytes()].concat();
        UsedCommand { id: *Digest::of(&named).as_bytes(), until }
    }
}

impl Record for UsedCommand {
    const KIND: &'static str = "used-command";
    const SCHEMA: u8 = 1;
    type Id = [u8; 32];

    fn id(&self) -> [u8; 32] {
        self.id
    }

    fn death(&self) -> Moment {
        self.until
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}
