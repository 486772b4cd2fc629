//! The gate of a route: who may come, and how they must come. Checked before the handler runs.

use axum::extract::Request;
use gateward_guard::csrf::same_origin;
use gateward_kernel::ports::{Fault, FaultKind};
use gateward_kernel::refusal::Refusal;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};

use super::failure::Failure;
use super::form::{FORM, Form, is_of_type};
use super::visit::Visit;
use crate::app::App;

/// Who may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// Whoever has a session, also a guest's.
    WithSession,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever signed in a short while ago and administers Gateward.
    FreshAdmin,
    /// Whoever administers Gateward.
    Admin,
}

/// How they must come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// By looking: nothing changes.
    Read,
    /// By a form of ours with the token of that name, from our own pages.
    Form(&'static str),
    /// By a form from wherever: what it asks for is decided by what comes after, not by the form.
    Foreign,
    /// By JSON, which no foreign page can send unasked, and not from another site.
    Json,
}

/// Who and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gate {
    /// Who may come.
    pub who: Who,
    /// How they must come.
    pub how: How,
}

/// Reads the body within its limit.
pub async fn read_body(app: &App, headers: &HeaderMap, request: Request) -> Result<bytes::Bytes, Refusal> {
    let limit = app.settings.limits.body.as_usize();
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit));
    }
    axum::body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        let too_long = std::error::Error::source(&error)
            .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if too_long { Refusal::TooLarge(limit) } else { Refusal::Malformed("The body broke off.".into()) }
    })
}

/// Lets a request through, or says why not. For a form, reads it.
pub fn check(visit: &mut Visit, gate: Gate) -> Result<(), Failure> {
    match gate.how {
        How::Read => {}
        How::Json => {
            from_here(visit)?;
            let bodiless = visit.body.is_empty() && (visit.method == Method::DELETE || is_empty_post(visit));
            if !bodiless && !is_json(&visit.headers) {
                return Err(Refusal::UnsupportedMediaType.into());
            }
        }
        How::Foreign => {
            if !is_of_type(&visit.headers, FORM) {
                return Err(Refusal::UnsupportedMediaType.into());
            }
            visit.form = Form::read(&visit.body)?;
        }
        How::Form(name) => {
            from_here(visit)?;
            if !is_of_type(&visit.headers, FORM) {
                return Err(Refusal::UnsupportedMediaType.into());
            }
            visit.form = Form::read(&visit.body)?;
            let browser = visit.browser.as_ref().map_or(&[][..], |browser| browser);
            let token = visit.form.text("csrf");
            let genuine = visit.app.form_tokens.accepts(token, browser, &visit.form_name(name), visit.now);
            if !genuine && !crate::session::url::may_come_without_cookie(visit) {
                // With a session that has ended its form tokens have, too: signing in is what helps then.
                admit(visit, gate.who)?;
                return Err(Refusal::FormExpired.into());
            }
        }
    }
    admit(visit, gate.who).map_err(Failure::from)
}

fn admit(visit: &Visit, who: Who) -> Result<(), Refusal> {
    match who {
        Who::Anyone => Ok(()),
        Who::WithSession => visit.session().map(|_| ()),
        Who::SignedIn => visit.signed_in().map(|_| ()),
        Who::Admin | Who::FreshAdmin => {
            if !visit.signed_in()?.is_admin() {
                return Err(Refusal::Forbidden);
            }
            let window = visit.app.settings.sessions.fresh.duration();
            let fresh = visit.session()?.session.record.is_fresh(window, visit.now);
            if who == Who::FreshAdmin && !fresh { Err(Refusal::NotFresh) } else { Ok(()) }
        }
    }
}

fn from_here(visit: &Visit) -> Result<(), Refusal> {
    same_origin(&visit.headers, &visit.app.origin).map_err(|_| Refusal::CrossSite)
}

/// A POST without a body, from a program: `curl -X POST`.
fn is_empty_post(visit: &Visit) -> bool {
    visit.method == Method::POST && visit.headers.get(CONTENT_TYPE).is_none()
}

fn is_json(headers: &HeaderMap) -> bool {
    ["application/json", "application/merge-patch+json"].iter().any(|kind| is_of_type(headers, kind))
}

/// Something that cannot happen did: told as a fault.
pub fn mistake(error: impl std::fmt::Display) -> Fault {
    Fault::new("gateward", FaultKind::Unreadable, error)
}
