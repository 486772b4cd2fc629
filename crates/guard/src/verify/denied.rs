//! Why a token is not accepted.

use gateward_kernel::jose::{BadClaims, Invalid, Malformed, Refused};

/// Why a token is not accepted. It holds nothing of the token, and is cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is malformed, not signed by the issuer, of another type, for another audience, expired and the like.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It was revoked, or everything that was issued to its subject until some moment was.
    #[error("the token has been revoked")]
    Revoked,
    /// The issuer was asked and does not vouch for it (RFC 7662 §2.2).
    #[error("the token is not active")]
    NotActive,
    /// It is bound to a key (`cnf`, RFC 7800), and whoever holds only the token is not meant.
    #[error("the token is bound to a key and does not count as a bearer token")]
    Bound,
    /// It is a one-time command and was carried out before.
    #[error("the command was used before")]
    Used,
    /// It is a one-time command, but for something else.
    #[error("the command is another one")]
    OtherCommand,
    /// Nobody can tell at the moment: it is our failure and not the caller's (503, never 401).
    #[error("the token cannot be checked now: {0}")]
    Unavailable(Outage),
}

/// What is missing for a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// The issuer's keys were never seen, or too long ago.
    #[error("the issuer's keys are not known")]
    Keys,
    /// What is known of revocations is older than the policy allows.
    #[error("revocations are not known")]
    Status,
    /// The introspection endpoint does not answer.
    #[error("the issuer does not answer")]
    Introspection,
    /// The store in which used commands are written down does not answer.
    #[error("the store does not answer")]
    Store,
    /// More checks wait than may.
    #[error("too many checks wait")]
    Busy,
}

impl Denied {
    /// Whether the same token may be accepted a moment later: our failure, not the caller's.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Denied::Unavailable(_))
    }
}

impl From<BadClaims> for Denied {
    fn from(reason: BadClaims) -> Self {
        Denied::Refused(Refused::Claims(reason))
    }
}

impl From<Malformed> for Denied {
    fn from(reason: Malformed) -> Self {
        Denied::Refused(Refused::Malformed(reason))
    }
}

impl From<Invalid> for Denied {
    fn from(reason: Invalid) -> Self {
        Denied::Refused(Refused::Invalid(reason))
    }
}
