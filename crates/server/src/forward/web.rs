//! The shortest way: a session check for a proxy, answered from memory in the common case.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body as Bytes;
use gateward_guard::problem;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Handle, Transport};
use gateward_kernel::time::Moment;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use url::Url;

use super::dialect::{Asked, Dialect, nginx};
use super::identity::Identity;
use super::law::{Access, AppRules, Law, Missing, Rule};
use super::question::{Kind, Question};
use super::reply::{Body, Face, Reply, SignInPage};
use crate::app::App;
use crate::config::{self, Allow};
use crate::face::failure::Failure;
use crate::face::page::{ErrorPage, ErrorTitle, ForbiddenPage, Frame, Missing as Shown};
use crate::face::visit;
use crate::people::Known;
use crate::session::{present, url as url_session};

/// Where all questions begin.
pub const PREFIX: &str = "/forward-auth";

/// `Gateward-…` would be ours to name, but `Referrer-Policy` is what the browser must be told when its session is in
/// the URL.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// The protected applications.
#[derive(Debug)]
pub struct Gatehouse {
    law: Law,
    names: Vec<(String, String)>,
    sign_in: SignInPage,
    nobody: Identity,
}

impl Gatehouse {
    /// As the settings say.
    pub fn new(apps: &[config::App], base: &Url) -> Self {
        let names = apps.iter().filter_map(|app| Some((app.host.to_string(), app.name.clone()?))).collect();
        Gatehouse { law: Law::new(apps.iter().map(rules)), names, sign_in: SignInPage::of(base), nobody: Identity::nobody() }
    }

    /// Whether a host, given as `host` or `host:port`, is protected.
    pub fn protects(&self, authority: &str) -> bool {
        let Ok(url) = Url::parse(&format!("https://{authority}/")) else { return false };
        let port = url.port_or_known_default().unwrap_or(443);
        // Without a port the scheme decides, and either may be meant.
        url.host_str().is_some_and(|host| {
            self.law.protects(host, port) || (url.port().is_none() && self.law.protects(host, 80))
        })
    }

    /// What the application of this host is called.
    pub fn name(&self, host: &str) -> Option<&str> {
        self.names.iter().find(|(own, _)| own == host).map(|(_, name)| name.as_str())
    }
}

fn rules(app: &config::App) -> AppRules {
    let rule = |rule: &config::Rule| Rule {
        path: rule.path.to_string(),
        methods: rule.methods.iter().map(ToString::to_string).collect(),
        networks: rule.networks.iter().map(|cidr| cidr.network()).collect(),
        access: match rule.allow {
            Allow::Everyone => Access::Everyone,
            Allow::SignedIn => Access::SignedIn,
            Allow::Groups => Access::Groups(rule.groups.iter().map(ToString::to_string).collect()),
            Allow::Nobody => Access::Nobody,
        },
    };
    AppRules { host: app.host.to_string(), rules: app.rules.iter().map(rule).collect() }
}

/// Which dialect a path speaks, and whether it asks for the reason of a refusal.
fn dialect_of(path: &str) -> Option<(Dialect, bool)> {
    if path == nginx::REFUSED {
        return Some((Dialect::Nginx, true));
    }
    let exact = Dialect::ALL.into_iter().find(|dialect| dialect.path() == path);
    let envoy = || path.starts_with(Dialect::Envoy.path()).then_some(Dialect::Envoy);
    exact.or_else(envoy).map(|dialect| (dialect, false))
}

/// Who asks, as far as the session tells.
struct Subject {
    known: Option<Arc<Known>>,
    by_url: bool,
}

/// Answers a question. `None` when the path is none of ours.
pub async fn answer(app: &App, parts: &Parts, peer: IpAddr) -> Option<Response<Bytes>> {
    let (dialect, reason) = dialect_of(parts.uri.path())?;
    let asked = Asked {
        peer,
        method: parts.method.as_str(),
        uri: &parts.uri,
        headers: &parts.headers,
        trusted: &app.trusted,
    };
    let face = Face::of(Kind::read(parts.method.as_str(), &parts.headers));
    let now = app.clock.now();
    let question = match dialect.read(&asked) {
        Ok(question) => question,
        Err(refusal) => return Some(refused(app, parts, (dialect, reason), refusal, face)),
    };
    let subject = match subject(app, parts, &question, now).await {
        Ok(subject) => subject,
        Err(failure) => {
            failure.log("forward-auth", parts.uri.path());
            let refusal = failure.refusal().unwrap_or(Refusal::Unavailable);
            return Some(refused(app, parts, (dialect, reason), refusal, face));
        }
    };
    let person = subject.known.as_ref().map(|known| known.person());
    let verdict = app.gatehouse.law.decide(&question, person);
    let identity = subject.known.as_ref().map_or(&app.gatehouse.nobody, |known| &known.identity);
    app.metrics.forward_auth(&verdict);
    let page = &app.gatehouse.sign_in;
    let reply = match reason {
        true => nginx::refused(&question, &verdict, page, identity),
        false => dialect.answer(&asked, &question, &verdict, page, identity),
    };
    let mut response = render(app, parts, reply, Some(&question), subject.known.as_deref());
    if subject.by_url {
        response.headers_mut().insert(REFERRER_POLICY, NO_REFERRER);
    }
    Some(response)
}

async fn subject(app: &App, parts: &Parts, question: &Question<'_>, now: Moment) -> Result<Subject, Failure> {
    let presented = present::secret(app, &parts.headers)?;
    let (handle, transport) = match presented {
        Some(presented) => presented,
        None => match by_url(app, parts, question)? {
            Some(handle) => (handle, Transport::Url),
            None => return Ok(Subject { known: None, by_url: false }),
        },
    };
    let living = match app.sessions.check_in_memory(&handle, now) {
        Some(living) => Some(living),
        None => app.sessions.check(&handle, now).await?,
    };
    let living = living.filter(|living| {
        let session = &living.session.record;
        session.transport == transport
            && (transport != Transport::Url
                || url_session::is_from_same_browser(&session.origin, &parts.headers))
    });
    let known = living.and_then(|living| living.person);
    Ok(Subject { known, by_url: transport == Transport::Url })
}

fn by_url(app: &App, parts: &Parts, question: &Question<'_>) -> Result<Option<Handle>, Refusal> {
    if app.settings.sessions.url_transport.is_empty() {
        return Ok(None);
    }
    match Url::parse(&question.url()) {
        Ok(address) => url_session::secret(app, &address, &parts.headers),
        Err(_) => Ok(None),
    }
}

fn refused(
    app: &App,
    parts: &Parts,
    (dialect, reason): (Dialect, bool),
    refusal: Refusal,
    face: Face,
) -> Response<Bytes> {
    Failure::from(refusal.clone()).log("forward-auth", parts.uri.path());
    // The reason goes on to the client as it is; the question itself gets what its proxy understands.
    let reply = if reason { Reply::refuse(refusal, face) } else { dialect.refuse(refusal, face) };
    render(app, parts, reply, None, None)
}

fn render(
    app: &App,
    parts: &Parts,
    reply: Reply,
    question: Option<&Question<'_>>,
    known: Option<&Known>,
) -> Response<Bytes> {
    let mut response = match (&reply.body, question) {
        (Body::None, _) => Response::new(Bytes::empty()),
        (Body::SignIn { sign_in }, _) => sign_in_problem(sign_in),
        (Body::Forbidden { missing, face: Face::Page }, Some(question)) => {
            forbidden(app, parts, question, known, missing)
        }
        (Body::Forbidden { .. }, _) => problem(&Refusal::Forbidden),
        (Body::Refused { refusal, face: Face::Problem }, _) => problem(refusal),
        (Body::Refused { refusal, face: Face::Page }, _) => error_page(app, parts, refusal),
    };
    *response.status_mut() = reply.status;
    if parts.method == Method::HEAD {
        *response.body_mut() = Bytes::empty();
    }
    let headers = response.headers_mut();
    for (name, value) in reply.identity.iter().flat_map(Identity::headers).chain(&reply.headers) {
        headers.insert(name.clone(), value.clone());
    }
    response
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
    parts: &Parts,
    question: &Question<'_>,
    known: Option<&Known>,
    missing: &Missing,
) -> Response<Bytes> {
    let Some(known) = known else { return error_page(app, parts, &Refusal::Forbidden) };
    let base = app.origin.clone();
    let back: String = url::form_urlencoded::byte_serialize(question.url().as_bytes()).collect();
    let page = ForbiddenPage {
        display_name: known.person().shown_name().to_owned(),
        username: known.person().name.to_string(),
        host: question.authority(),
        path: question.target().raw().to_owned(),
        missing: match missing {
            Missing::Groups(groups) => Shown::Groups { groups: groups.clone() },
            Missing::Network => Shown::Network,
            Missing::Rule => Shown::NotListed,
        },
        switch_url: format!("{base}/login?again=1&return_to={back}"),
        account_url: format!("{base}/account"),
        base_url: base,
    };
    let frame = Frame { signed_in: Some(known.person().shown_name()), ..Frame::default() };
    foreign(app, app.pages.render(visit::language(app, &parts.headers), &frame, &page))
}

fn error_page(app: &App, parts: &Parts, refusal: &Refusal) -> Response<Bytes> {
    let row = refusal.row();
    let page = ErrorPage {
        status: row.status,
        title: match refusal {
            Refusal::HostNotListed => ErrorTitle::UnknownHost,
            _ => ErrorTitle::of_status(row.status),
        },
        detail: refusal.detail(),
        code: row.code.to_owned(),
        request_id: app.next_request_id(),
        base_url: Some(app.origin.clone()),
    };
    foreign(app, app.pages.render(visit::language(app, &parts.headers), &Frame::default(), &page))
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
    response
}
