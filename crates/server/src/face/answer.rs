//! Answers: pages, redirects, JSON and problems, each with the headers that browsers need to be told.

/// The body of an answer, for whoever makes one without a page.
pub use axum::body::Body;
/// An answer.
pub use axum::response::Response;
use gateward_guard::problem;
use gateward_kernel::oauth::OAuthCode;
use gateward_kernel::refusal::Refusal;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::failure::Failure;
use super::page::{ErrorPage, ErrorTitle, Frame, Page};
use super::visit::{Presented, Visit};
use crate::app::App;

/// How a route's answers look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Face {
    /// HTML for people.
    Page,
    /// JSON for programs; refusals as `application/problem+json` (RFC 9457).
    Problem,
    /// Plain text for operators.
    Plain,
}

/// What a handler answers.
pub type Answer = Result<Response, Failure>;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A page with status 200.
pub fn page<P: Page>(visit: &Visit, page: &P) -> Answer {
    page_with(visit, StatusCode::OK, page)
}

/// A page with any status.
pub fn page_with<P: Page>(visit: &Visit, status: StatusCode, page: &P) -> Answer {
    let person = visit.person();
    let token = visit.token("logout");
    let frame = Frame {
        signed_in: person.map(|person| person.shown_name()),
        admin: person.is_some_and(|person| person.is_admin()),
        csrf: person.is_some().then_some(token.as_str()),
    };
    let html = visit.app.pages.render(visit.language, &frame, page)?;
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, visit.app.content_security_policy.clone())
        .header(X_FRAME_OPTIONS, "DENY")
        .header("cross-origin-opener-policy", "same-origin")
        .body(Body::from(html))?;
    personal(&mut response);
    Ok(response)
}

/// A page on the way to this address: its forms may lead there, at once or by a redirect after them (CSP 3 §6.4.1), and a window that was
/// opened for it finds its opener again there (HTML §7.1.3: another policy than that of the pages around it would part them).
pub fn page_leading_to<P: Page>(visit: &Visit, status: StatusCode, page: &P, target: &str) -> Answer {
    let mut response = page_with(visit, status, page)?;
    let source = url::Url::parse(target).ok().map(|url| match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        own => format!("{own}:"),
    });
    let own = visit.app.content_security_policy.to_str().unwrap_or_default();
    let source = source.filter(|source| is_source(source));
    let wider = source.map(|source| own.replacen("form-action ", &format!("form-action {source} "), 1));
    response.headers_mut().remove("cross-origin-opener-policy");
    if let Some(policy) = wider.and_then(|policy| HeaderValue::from_str(&policy).ok()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// Whether a text is one source in a policy, and neither more of them nor another directive (CSP 3 §2.3.1).
fn is_source(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+:/[]".contains(&byte))
}

/// A page that frames pages of these origins (CSP 3 §6.1.7).
pub fn page_framing<P: Page>(visit: &Visit, status: StatusCode, page: &P, origins: &[String]) -> Answer {
    let mut response = page_with(visit, status, page)?;
    let origins: Vec<&str> = origins.iter().map(String::as_str).filter(|own| is_source(own)).collect();
    if !origins.is_empty() {
        let own = visit.app.content_security_policy.to_str().unwrap_or_default();
        if let Ok(policy) = HeaderValue::from_str(&format!("{own}; frame-src {}", origins.join(" "))) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
    }
    Ok(response)
}

/// A redirect after a form, or to another page: 303 (RFC 9110 §15.4.4), so that no form is sent twice.
pub fn see_other(target: &str) -> Answer {
    let mut response =
        Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, target).body(Body::empty())?;
    personal(&mut response);
    Ok(response)
}

/// JSON with status 200.
pub fn json(value: &impl Serialize) -> Answer {
    json_with(StatusCode::OK, value)
}

/// JSON with any status.
pub fn json_with(status: StatusCode, value: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(value).map_err(|error| Failure::Fault(super::gate::mistake(error)))?;
    let mut response =
        Response::builder().status(status).header(CONTENT_TYPE, "application/json").body(Body::from(text))?;
    personal(&mut response);
    Ok(response)
}

/// Nothing but a status: 204.
pub fn no_content() -> Answer {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).body(Body::empty())?;
    personal(&mut response);
    Ok(response)
}

/// Plain text with any status.
pub fn text(status: StatusCode, text: impl Into<Body>) -> Answer {
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CACHE_CONTROL, "no-store")
        .body(text.into())?)
}

/// Marks an answer as meant for one person: kept by nobody on the way.
fn personal(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// What every answer carries, whatever it is.
pub fn finish(app: &App, request: &str, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request) {
        headers.insert(X_REQUEST_ID, id);
    }
    if app.is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// Tells a failure on the route's face.
pub fn failed(visit: &Visit, face: Face, failure: &Failure) -> Response {
    failure.log(&visit.request, &visit.path);
    let refusal = failure.refusal();
    let told = match (face, &refusal) {
        (Face::Page, Some(Refusal::NotSignedIn)) => see_other(&sign_in_path(visit, false)),
        (Face::Page, Some(Refusal::NotFresh)) => see_other(&sign_in_path(visit, true)),
        (Face::Page, _) => error_page(visit, refusal.as_ref()),
        (Face::Problem, Some(refusal)) => Ok(challenged(visit, refusal, problem(refusal))),
        (Face::Plain, Some(refusal)) => {
            let row = refusal.row();
            text(status(row.status), format!("{}\n", row.title))
        }
        (_, None) => text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
    };
    told.unwrap_or_else(|_| {
        let mut bare = Response::new(Body::from("internal error\n"));
        *bare.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        bare
    })
}

/// Tells a program by what it could have come, and what was wrong with the token it came with (RFC 6750 §3).
fn challenged(visit: &Visit, refusal: &Refusal, mut response: Response) -> Response {
    let value = match (refusal, &visit.bearer) {
        (Refusal::NotSignedIn, Presented::Bad) => {
            "Bearer realm=\"gateward\", error=\"invalid_token\"".to_owned()
        }
        (Refusal::NotSignedIn, _) => "Bearer realm=\"gateward\"".to_owned(),
        (Refusal::InsufficientScope(scope), _) => {
            format!("Bearer realm=\"gateward\", error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        _ => return response,
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// Where to sign in, and come back to this page afterwards; from a form, to the page that shows it.
fn sign_in_path(visit: &Visit, again: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if again {
        query.append_pair("again", "1");
    }
    let back = match visit.path.strip_prefix("/admin/people/").and_then(|rest| rest.split('/').next()) {
        _ if visit.method == http::Method::GET => visit.target.clone(),
        Some(person) => format!("/admin/people/{person}"),
        None => "/account".to_owned(),
    };
    query.append_pair("return_to", &back);
    format!("/login?{}", query.finish())
}

fn error_page(visit: &Visit, refusal: Option<&Refusal>) -> Answer {
    let row = refusal.map(Refusal::row);
    let code = row.map_or(500, |row| row.status);
    let title = match refusal {
        Some(Refusal::CrossSite | Refusal::FormExpired) => ErrorTitle::FormRefused,
        _ => ErrorTitle::of_status(code),
    };
    let word = match row {
        // Pages of the protocol speak its words (RFC 6749 §4.1.2.1).
        Some(row) if row.status == 400 && visit.path.starts_with("/oauth/") => {
            OAuthCode::InvalidRequest.name()
        }
        Some(row) => row.code,
        None => "internal",
    };
    let shown = ErrorPage {
        status: code,
        title,
        detail: refusal.and_then(Refusal::detail),
        code: word.to_owned(),
        request_id: visit.request.clone(),
        base_url: None,
    };
    let mut response = page_with(visit, status(code), &shown)?;
    if let Some(seconds) = refusal.and_then(Refusal::retry_after_seconds) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// A status from the table.
pub fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
