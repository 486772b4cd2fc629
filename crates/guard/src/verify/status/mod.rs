//! Whether a token was revoked since it was issued: by status lists that are fetched, or by listening to the issuer.

use std::time::Duration;

use gateward_kernel::jose::BadClaims;
use serde_json::Value;

#[cfg(feature = "remote")]
mod knowledge;
#[cfg(feature = "remote")]
mod listening;
#[cfg(feature = "remote")]
mod poll;
#[cfg(feature = "remote")]
mod sse;

#[cfg(feature = "remote")]
pub(crate) use {
    knowledge::Knowledge,
    listening::{Line, Listening},
    poll::{Poll, Terms},
};

/// How a verifier learns of revocations before a token expires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StatusPolicy {
    /// Not at all: a token counts until it expires.
    #[default]
    Ignore,
    /// By fetching the status list a token names (Token Status List, draft-ietf-oauth-status-list-21), again whenever its
    /// `ttl` has passed. Works with every issuer that has such lists.
    #[cfg(feature = "remote")]
    Poll(Stale),
    /// By listening to Gateward's channel: a revocation arrives within milliseconds.
    #[cfg(feature = "remote")]
    Push(Stale),
}

/// What holds when newer knowledge of revocations cannot be had. Refusing means 503, and never 401: the token may be good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stale {
    /// Refuse as soon as a list's `ttl` has passed, or three beats of the channel (six seconds) were missed.
    #[default]
    Deny,
    /// Go on with what is known until it is this old, then refuse.
    AllowUntil {
        /// How old it may be.
        age: Duration,
    },
}

/// Where the revocation of a token is published: its `status.status_list` claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) uri: Box<str>,
    pub(crate) index: u32,
}

impl Place {
    /// Reads the claim `status`.
    pub(crate) fn read(status: &Value) -> Result<Place, BadClaims> {
        let Some(list) = status.get("status_list") else { return Err(BadClaims::Type("status")) };
        let index = list.get("idx").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
        let uri = list.get("uri").and_then(Value::as_str);
        match (index, uri) {
            (Some(index), Some(uri)) => Ok(Place { uri: uri.into(), index }),
            _ => Err(BadClaims::Type("status")),
        }
    }
}

/// What is asked of every token that is presented.
#[derive(Debug)]
pub(crate) enum Status {
    Ignored,
    #[cfg(feature = "remote")]
    Poll(std::sync::Arc<Poll>),
    #[cfg(feature = "remote")]
    Push(Listening),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_claim_is_read_strictly() {
        let place = Place { uri: "https://a.example/1".into(), index: 7 };
        let right = json!({"status_list": {"idx": 7, "uri": "https://a.example/1"}});
        assert_eq!(Place::read(&right), Ok(place));
        for odd in [
            json!(null),
            json!({}),
            json!({"status_list": null}),
            json!({"status_list": {"idx": 7}}),
            json!({"status_list": {"uri": "https://a.example/1"}}),
            json!({"status_list": {"idx": -1, "uri": "https://a.example/1"}}),
            json!({"status_list": {"idx": 1.5, "uri": "https://a.example/1"}}),
            json!({"status_list": {"idx": "7", "uri": "https://a.example/1"}}),
            json!({"status_list": {"idx": 4_294_967_296_u64, "uri": "https://a.example/1"}}),
            json!({"status_list": {"idx": 7, "uri": 1}}),
        ] {
            assert_eq!(Place::read(&odd), Err(BadClaims::Type("status")), "{odd}");
        }
    }
}
