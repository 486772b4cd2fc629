//! What a proxy is answered: status and headers, and which body to render. Made here for all proxies that pass an answer on to
//! the client as it is; the dialects change what their proxy needs otherwise.

use std::time::Duration;

use gateward_kernel::redirect::MAX_RETURN_TO;
use gateward_kernel::refusal::Refusal;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use url::Url;

use super::identity::Identity;
use super::law::{Missing, Verdict};
use super::question::{Kind, Question};

/// `X-Gateward-Location`: where to sign in. On every 401, for proxies whose configuration wants to redirect by itself.
pub const X_GATEWARD_LOCATION: HeaderName = HeaderName::from_static("x-gateward-location");

/// An answer, ready to be rendered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The identity headers, when the request may pass.
    pub identity: Option<Identity>,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body to render.
    pub body: Body,
}

/// Which body an answer has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// None at all: `Content-Length: 0`.
    None,
    /// The problem `not-signed-in` with the member `sign_in`: where to sign in.
    SignIn {
        /// The address of the sign-in page, absolute.
        sign_in: String,
    },
    /// The problem or the page `forbidden`: who you are, and what is missing. Without a person, the error page.
    Forbidden {
        /// What is missing.
        missing: Missing,
        /// Page or problem.
        face: Face,
    },
    /// Any other refusal: its problem or its error page.
    Refused {
        /// The refusal.
        refusal: Refusal,
        /// Page or problem.
        face: Face,
    },
}

/// In which form a refusal is of use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Face {
    /// HTML, for people.
    Page,
    /// `application/problem+json` (RFC 9457), for programs.
    Problem,
}

impl Face {
    /// The form for whoever waits.
    pub const fn of(kind: Kind) -> Face {
        match kind {
            Kind::Page => Face::Page,
            Kind::Fetch | Kind::WebSocket | Kind::Preflight => Face::Problem,
        }
    }
}

/// Where people sign in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignInPage(String);

impl SignInPage {
    /// The sign-in page of the site with this public address.
    pub fn of(public_url: &Url) -> SignInPage {
        SignInPage(format!("{}/login", public_url.as_str().trim_end_matches('/')))
    }

    /// The address to sign in for this question. It leads people back to the exact page they wanted; what a script wanted is
    /// no page, and what is too long to travel is not sent, so these lead to the front page of the application.
    pub fn address(&self, question: &Question<'_>) -> String {
        let front = || format!("{}://{}/", question.scheme().as_str(), question.authority());
        // Browsers read a backslash in a query as itself; servers differ.
        let exact = (question.kind() == Kind::Page).then(|| question.url().replace('\\', "%5C"));
        let back = exact.filter(|url| url.len() <= MAX_RETURN_TO).unwrap_or_else(front);
        let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        format!("{}?return_to={back}", self.0)
    }
}

impl Reply {
    /// The request may pass: 200, the identity headers, no body.
    pub fn allow(identity: Identity) -> Reply {
        Reply { status: StatusCode::OK, identity: Some(identity), headers: Vec::new(), body: Body::None }
    }

    /// The whole answer to a question, for proxies that pass everything but 2xx on to the client as it is.
    ///
    /// | verdict | page | everything else |
    /// |---|---|---|
    /// | allow | 200, identity headers, no body | the same |
    /// | sign in | 302 to the sign-in page (303 unless GET or HEAD), no body | 401 problem with `sign_in` |
    /// | denied | 403 page | 403 problem |
    /// | not listed | 403 error page | 403 problem |
    pub fn whole(
        question: &Question<'_>,
        verdict: &Verdict,
        page: &SignInPage,
        identity: &Identity,
    ) -> Reply {
        let face = Face::of(question.kind());
        match verdict {
            Verdict::Allow => Reply::allow(identity.clone()),
            Verdict::SignIn if face == Face::Page => {
                let reads = matches!(question.method(), "GET" | "HEAD");
                let status = if reads { StatusCode::FOUND } else { StatusCode::SEE_OTHER };
                let mut reply = Reply::plain(status, Body::None);
                reply.put(LOCATION, &page.address(question));
                reply
            }
            Verdict::SignIn => {
                let sign_in = page.address(question);
                let mut reply = Reply::plain(StatusCode::UNAUTHORIZED, Body::None);
                reply.put(X_GATEWARD_LOCATION, &sign_in);
                reply.body = Body::SignIn { sign_in };
                reply
            }
            Verdict::Denied { missing } => {
                let body = Body::Forbidden { missing: missing.clone(), face };
                Reply::plain(StatusCode::FORBIDDEN, body)
            }
            Verdict::NotListed => Reply::refuse(Refusal::HostNotListed, face),
        }
    }

    /// The answer to a question that could not be read, or that could not be decided.
    pub fn refuse(refusal: Refusal, face: Face) -> Reply {
        let status = StatusCode::from_u16(refusal.row().status).unwrap_or(StatusCode::FORBIDDEN);
        let seconds = refusal.retry_after_seconds();
        let mut reply = Reply::plain(status, Body::Refused { refusal, face });
        if let Some(seconds) = seconds {
            reply.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        reply
    }

    /// Asked for the reason of a refusal when there is none any more: try again.
    pub(super) fn again(face: Face) -> Reply {
        Reply::refuse(Refusal::Busy(Duration::from_secs(1)), face)
    }

    fn plain(status: StatusCode, body: Body) -> Reply {
        let headers = vec![(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        Reply { status, identity: None, headers, body }
    }

    pub(super) fn put(&mut self, name: HeaderName, value: &str) {
        // Addresses are visible ASCII by construction.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
    }
}
