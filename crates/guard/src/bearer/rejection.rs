//! How a request is refused that came with no token, a bad one, or one that allows too little: RFC 6750 §3, RFC 9470 §3,
//! RFC 9728 §5.1.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use gateward_kernel::refusal::{Loudness, Row};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::layer::ClockBox;
use crate::signed_in::problem_type;
use crate::verify::{Denied, Outage};

/// How a resource speaks of itself in refusals.
#[derive(Debug)]
pub(crate) struct Resource {
    /// The beginning of every challenge.
    challenge: String,
    /// The end of every challenge.
    metadata: String,
    pub(crate) clock: ClockBox,
}

impl Resource {
    pub(crate) fn new(realm: &str, metadata: Option<&str>, clock: ClockBox) -> Self {
        let challenge = format!("Bearer realm=\"{}\"", quoted(realm));
        let metadata = metadata.map(|address| format!(", resource_metadata=\"{}\"", quoted(address)));
        Resource { challenge, metadata: metadata.unwrap_or_default(), clock }
    }
}

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BearerProblem {
    /// There is no access token: 401 with a challenge and without an error code.
    #[error("an access token is needed")]
    NoToken,
    /// The request cannot be read, or presents a token in two ways at once: 400 `invalid_request`.
    #[error("{0}")]
    Malformed(&'static str),
    /// The body is larger than what is looked through for a token, in bytes: 413.
    #[error("the form is larger than {0} bytes")]
    TooLarge(usize),
    /// The token is not accepted: 401 `invalid_token`, or 503 when that cannot be told now.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The token does not allow this, and a token with this scope would: 403 `insufficient_scope`.
    #[error("the token lacks the scope `{0}`")]
    InsufficientScope(Box<str>),
    /// The person must prove who they are more strongly or more recently: 401 `insufficient_user_authentication` (RFC 9470).
    #[error("the person must prove who they are again")]
    StepUp {
        /// In one of these ways, in the order of preference; any way where there is none.
        acr: Vec<String>,
        /// At most so long ago.
        max_age: Option<Duration>,
    },
    /// A claim that the application reads has another form than it expects: 403.
    #[error("the token's claims are not those this application reads")]
    Claims,
    /// The application put neither a layer nor a verifier around the route: 500.
    #[error("the route has neither a bearer layer nor a verifier around it")]
    NoLayer,
}

/// A refusal, ready to be answered with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct BearerRejection {
    problem: BearerProblem,
    resource: Option<Arc<Resource>>,
}

impl BearerRejection {
    pub(crate) fn new(problem: impl Into<BearerProblem>, resource: &Arc<Resource>) -> Self {
        BearerRejection { problem: problem.into(), resource: Some(resource.clone()) }
    }

    pub(crate) const fn no_layer() -> Self {
        BearerRejection { problem: BearerProblem::NoLayer, resource: None }
    }

    pub(crate) fn insufficient_scope(scope: &str, resource: &Arc<Resource>) -> Self {
        Self::new(BearerProblem::InsufficientScope(scope.into()), resource)
    }

    pub(crate) fn step_up(acr: &[&str], max_age: Option<Duration>, resource: &Arc<Resource>) -> Self {
        let acr = acr.iter().map(|&acr| acr.to_owned()).collect();
        Self::new(BearerProblem::StepUp { acr, max_age }, resource)
    }

    /// Why.
    pub const fn problem(&self) -> &BearerProblem {
        &self.problem
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `WWW-Authenticate` of the answer, where it has one.
    pub fn challenge(&self) -> Option<HeaderValue> {
        let resource = self.resource.as_ref()?;
        let mut text = resource.challenge.clone();
        let code = match &self.problem {
            BearerProblem::NoToken => None,
            BearerProblem::Malformed(_) => Some("invalid_request"),
            BearerProblem::Denied(denied) if !denied.is_outage() => Some("invalid_token"),
            BearerProblem::InsufficientScope(_) => Some("insufficient_scope"),
            BearerProblem::StepUp { .. } => Some("insufficient_user_authentication"),
            _ => return None,
        };
        if let Some(code) = code {
            let _infallible =
                write!(text, ", error=\"{code}\", error_description=\"{}\"", quoted(&self.to_string()));
        }
        match &self.problem {
            BearerProblem::InsufficientScope(scope) => {
                let _infallible = write!(text, ", scope=\"{}\"", quoted(scope));
            }
            BearerProblem::StepUp { acr, max_age } => {
                if !acr.is_empty() {
                    let _infallible = write!(text, ", acr_values=\"{}\"", quoted(&acr.join(" ")));
                }
                if let Some(max_age) = max_age {
                    let _infallible = write!(text, ", max_age=\"{}\"", max_age.as_secs());
                }
            }
            _ => {}
        }
        text.push_str(&resource.metadata);
        HeaderValue::from_str(&text).ok()
    }

    /// Writes what the answer's head says beside its status.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
    }

    /// What the answer's head says beside its status.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.write_headers(&mut headers);
        headers
    }

    /// The status of the same refusal in gRPC (`grpc-status`).
    pub fn grpc_status(&self) -> u8 {
        match self.status().as_u16() {
            400 | 413 => 3,
            401 => 16,
            403 => 7,
            503 => 14,
            _ => 13,
        }
    }

    fn row(&self) -> Row {
        let (code, status, title) = match &self.problem {
            BearerProblem::NoToken => ("not-signed-in", 401, "An access token is needed."),
            BearerProblem::Malformed(_) => ("malformed", 400, "The request cannot be read."),
            BearerProblem::TooLarge(_) => ("too-large", 413, "The body is too large."),
            BearerProblem::Denied(Denied::Unavailable(Outage::Busy)) => {
                ("busy", 503, "The server has too much to do. Try again in a moment.")
            }
            BearerProblem::Denied(denied) if denied.is_outage() => {
                ("unavailable", 503, "Something that is needed does not answer. Try again.")
            }
            BearerProblem::Denied(_) => {
                ("token-invalid", 401, "The token is not valid, or not valid any more.")
            }
            BearerProblem::InsufficientScope(_) => {
                ("insufficient-scope", 403, "The token does not allow this.")
            }
            BearerProblem::StepUp { .. } => ("step-up", 401, "Sign in again, as this demands."),
            BearerProblem::Claims => ("forbidden", 403, "You may not do this."),
            BearerProblem::NoLayer => ("internal", 500, "Something went wrong here."),
        };
        Row { code, status, title, loudness: Loudness::Info }
    }
}

impl IntoResponse for BearerRejection {
    fn into_response(self) -> Response {
        if self.problem == BearerProblem::NoLayer {
            tracing::error!("{self}");
        }
        let row = self.row();
        let mut body = json!({ "type": problem_type(&row), "title": row.title, "status": row.status });
        let is_ours = self.status().is_server_error();
        if let (false, Some(members)) = (is_ours, body.as_object_mut()) {
            members.insert("detail".into(), self.to_string().into());
        }
        let mut response = (self.status(), body.to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.write_headers(response.headers_mut());
        response
    }
}

/// What may stand between the quotes of a parameter (RFC 6750 §3): printable ASCII without quotes and backslashes.
fn quoted(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~')).collect()
}
