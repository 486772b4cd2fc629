//! From a reply to an HTTP response: the problem or the page that goes with it.

use axum::body::Body as Bytes;
use gateward_guard::problem;
use gateward_kernel::refusal::Refusal;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};

use super::PREFIX;
use super::identity::Identity;
use super::law::Missing;
use super::question::Question;
use super::reply::{Body, Face, Reply};
use crate::app::App;
use crate::face::failure::Failure;
use crate::face::page::{ErrorPage, ErrorTitle, ForbiddenPage, Frame, Missing as Shown};
use crate::face::payload::Payload;
use crate::face::visit;
use crate::people::Known;

/// Renders a reply. `told` are the headers of the question: they tell the language.
pub(super) fn render(
    app: &App,
    told: &HeaderMap,
    reply: Reply,
    question: Option<&Question<'_>>,
    known: Option<&Known>,
) -> Response<Payload> {
    let response = match (&reply.body, question) {
        (Body::None, _) => Response::new(Payload::Nothing),
        _ => with_body(app, told, &reply, question, known).map(Payload::from),
    };
    let (mut parts, payload) = response.into_parts();
    parts.status = reply.status;
    for (name, value) in reply.identity.into_iter().flat_map(Identity::into_headers).chain(reply.headers) {
        parts.headers.insert(name, value);
    }
    Response::from_parts(parts, payload)
}

fn with_body(
    app: &App,
    told: &HeaderMap,
    reply: &Reply,
    question: Option<&Question<'_>>,
    known: Option<&Known>,
) -> Response<Bytes> {
    match (&reply.body, question) {
        (Body::None, _) => Response::new(Bytes::empty()),
        (Body::SignIn { sign_in }, _) => sign_in_problem(sign_in),
        (Body::Forbidden { missing, face: Face::Page }, Some(question)) => {
            forbidden(app, told, question, known, missing)
        }
        (Body::Forbidden { .. }, _) => problem(&Refusal::Forbidden),
        (Body::Refused { refusal, face: Face::Problem }, _) => problem(refusal),
        (Body::Refused { refusal, face: Face::Page }, _) => error_page(app, told, refusal),
    }
}

fn sign_in_problem(sign_in: &str) -> Response<Bytes> {
    let row = Refusal::NotSignedIn.row();
    let body = serde_json::json!({
        "type": gateward_guard::problem_type(&row),
        "title": row.title,
        "status": row.status,
        "sign_in": sign_in,
    });
    let mut response = Response::new(Bytes::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn forbidden(
    app: &App,
    told: &HeaderMap,
    question: &Question<'_>,
    known: Option<&Known>,
    missing: &Missing,
) -> Response<Bytes> {
    let Some(known) = known else { return error_page(app, told, &Refusal::Forbidden) };
    let base = app.origin.clone();
    let back: String = url::form_urlencoded::byte_serialize(question.url().as_bytes()).collect();
    let page = ForbiddenPage {
        display_name: known.person().display_name.clone().unwrap_or_default(),
        username: known.person().name.to_string(),
        host: question.authority(),
        path: question.target().raw().to_owned(),
        missing: match missing {
            Missing::Groups(groups) => Shown::Groups { groups: groups.clone() },
            Missing::Network => Shown::Network,
            // Tokens get no pages.
            Missing::Scope(_) | Missing::Rule => Shown::NotListed,
        },
        switch_url: format!("{base}/login?again=1&return_to={back}"),
        account_url: format!("{base}/account"),
        base_url: base,
    };
    let frame = Frame { signed_in: Some(known.person().shown_name()), ..Frame::default() };
    foreign(app, app.pages.render(visit::language(app, told), &frame, &page))
}

fn error_page(app: &App, told: &HeaderMap, refusal: &Refusal) -> Response<Bytes> {
    let row = refusal.row();
    let page = ErrorPage {
        status: row.status,
        title: match refusal {
            Refusal::HostNotListed => ErrorTitle::UnknownHost,
            _ => ErrorTitle::of_status(row.status),
        },
        detail: refusal.detail(),
        code: row.code.to_owned(),
        // Questions of proxies have no names in the log.
        request_id: String::new(),
        base_url: Some(app.origin.clone()),
    };
    foreign(app, app.pages.render(visit::language(app, told), &Frame::default(), &page))
}

/// A page that is shown on an application's host: its stylesheet comes from our own.
fn foreign(app: &App, html: Result<String, crate::face::page::PageError>) -> Response<Bytes> {
    let html = match html {
        Ok(html) => html,
        Err(error) => {
            Failure::Page(error).log("forward-auth", PREFIX);
            return problem(&Refusal::Unavailable);
        }
    };
    let own = &app.origin;
    let policy = format!(
        "default-src 'none'; style-src {own}; img-src {own}; form-action {own}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = Response::new(Bytes::from(html));
    let put = |response: &mut Response<Bytes>, name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    put(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    put(&mut response, CONTENT_SECURITY_POLICY, &policy);
    put(&mut response, CACHE_CONTROL, "no-store");
    put(&mut response, REFERRER_POLICY, "no-referrer");
    put(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}
