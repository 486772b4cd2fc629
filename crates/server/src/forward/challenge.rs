//! What a client that comes by access tokens is told when it may not pass (RFC 6750 §3): `WWW-Authenticate`, and a problem
//! that says the same.

use gateward_kernel::refusal::Refusal;
use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};

use super::law::{Missing, Verdict};
use super::reply::{Body, Face, Reply};

/// What was wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Challenge {
    /// Nothing was presented: how to come.
    Come,
    /// It cannot be read, or two ways were used at once.
    InvalidRequest,
    /// The token is not good here, or not any more.
    InvalidToken,
    /// The token is good and does not allow this; these scopes would.
    InsufficientScope(String),
}

impl Challenge {
    /// To this verdict on a question that came with a token, or to a host that takes them and without a session.
    pub(super) fn to(verdict: &Verdict, came_with_a_token: bool) -> Option<Challenge> {
        match verdict {
            Verdict::SignIn if came_with_a_token => Some(Challenge::InvalidToken),
            Verdict::SignIn => Some(Challenge::Come),
            Verdict::Denied { missing: Missing::Scope(scope) } => {
                Some(Challenge::InsufficientScope(scope.clone()))
            }
            Verdict::Allow | Verdict::Denied { .. } | Verdict::NotListed => None,
        }
    }

    /// Tells it in a refusal. A redirect is for people who look at pages and stays what it is.
    pub(super) fn tell(self, reply: &mut Reply) {
        if !matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        {
            return;
        }
        if let Ok(value) = HeaderValue::from_str(&self.text()) {
            reply.headers.push((WWW_AUTHENTICATE, value));
        }
        if reply.body != Body::None
            && let Some(refusal) = self.refusal()
        {
            reply.body = Body::Refused { refusal, face: Face::Problem };
        }
    }

    fn text(&self) -> String {
        const REALM: &str = "Bearer realm=\"gateward\"";
        match self {
            Challenge::Come => REALM.to_owned(),
            Challenge::InvalidRequest => format!("{REALM}, error=\"invalid_request\""),
            Challenge::InvalidToken => format!("{REALM}, error=\"invalid_token\""),
            // Scopes have no quotes and no backslashes (RFC 6749 §3.3).
            Challenge::InsufficientScope(scope) => {
                format!("{REALM}, error=\"insufficient_scope\", scope=\"{scope}\"")
            }
        }
    }

    /// What the problem says instead of what it would say to somebody without a token.
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Challenge::Come | Challenge::InvalidRequest => None,
            Challenge::InvalidToken => Some(Refusal::TokenInvalid),
            Challenge::InsufficientScope(scope) => Some(Refusal::InsufficientScope(scope.clone())),
        }
    }
}
