//! From a request to its handler: the visit is put together, the gate is checked, the answer is finished.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use gateward_guard::cookies::warn_near_limits;
use gateward_guard::forwarded::ClientAddress;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Transport;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method};

use super::answer::{self, Answer, Face};
use super::failure::Failure;
use super::form::Form;
use super::gate::{self, Gate};
use super::visit::{self, Presented, Visit};
use crate::app::App;
use crate::certificate::{self, ClientCertificate};
use crate::session::present;
use crate::tokens::bearer;

/// What a route does.
pub type Handler = fn(Visit) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One row of the route table. A row without gate and face does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: Verb,
    /// The path, with variable parts in braces.
    pub path: &'static str,
    /// Who may come, and how.
    pub gate: Gate,
    /// How answers look.
    pub face: Face,
    /// What it is for, in a line.
    pub about: &'static str,
    /// What it does.
    pub handler: Handler,
}

/// The methods that routes take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Also answers `HEAD`.
    Get,
    /// Changes something.
    Post,
    /// Changes a part.
    Patch,
    /// Takes something away.
    Delete,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
        }
    }

    /// As it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// The router over all rows.
pub fn router(app: &Arc<App>, routes: impl Iterator<Item = Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let app = app.clone();
        let serve = move |request: Request| serve(app.clone(), route, request);
        router = router.route(route.path, on(route.method.filter(), serve));
    }
    let (missing, wrong) = (app.clone(), app.clone());
    router
        .fallback(move |request: Request| refuse(missing.clone(), request, Refusal::NotFound))
        .method_not_allowed_fallback(move |request: Request| {
            refuse(wrong.clone(), request, Refusal::MethodNotAllowed)
        })
}

async fn serve(app: Arc<App>, route: Route, request: Request) -> Response {
    let (mut visit, found) = visit_of(&app, request).await;
    let face = route.face;
    // What must stand in the answer is kept aside, since the handler takes the visit.
    let cookie = form_cookie(&mut visit, face);
    let told = Teller { app: app.clone(), request: visit.request.clone(), face };
    let answered = match found.and_then(|()| gate::check(&mut visit, route.gate)) {
        Err(failure) => answer::failed(&visit, face, &failure),
        Ok(()) => told.tell(route, visit).await,
    };
    let mut response = answered;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    answer::finish(&app, &told.request, &mut response);
    response
}

/// Runs a handler and tells its failure.
struct Teller {
    app: Arc<App>,
    request: String,
    face: Face,
}

impl Teller {
    async fn tell(&self, route: Route, visit: Visit) -> Response {
        // A failure is told in the language and with the frame of the visit that failed.
        let shell = Visit {
            app: self.app.clone(),
            now: visit.now,
            request: visit.request.clone(),
            client: visit.client,
            certificate: visit.certificate.clone(),
            method: visit.method.clone(),
            path: visit.path.clone(),
            target: visit.target.clone(),
            query: Form::default(),
            headers: HeaderMap::new(),
            params: Vec::new(),
            body: bytes::Bytes::new(),
            form: Form::default(),
            presented: None,
            living: visit.living.clone(),
            bearer: visit.bearer.clone(),
            language: visit.language,
            browser: visit.browser,
        };
        match (route.handler)(visit).await {
            Ok(response) => response,
            Err(failure) => answer::failed(&shell, self.face, &failure),
        }
    }
}

/// Puts a visit together. What was wrong with the request comes beside it, so that it can be told properly.
async fn visit_of(app: &Arc<App>, request: Request) -> (Visit, Result<(), Failure>) {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut visit = Visit {
        app: app.clone(),
        now: app.clock.now(),
        request: app.next_request_id(),
        client: peer,
        certificate: parts.extensions.remove::<Arc<ClientCertificate>>(),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        query: Form::default(),
        params,
        body: bytes::Bytes::new(),
        form: Form::default(),
        presented: None,
        living: None,
        bearer: Presented::Nothing,
        language: visit::language(app, &parts.headers),
        browser: visit::browser_cookie(app, &parts.headers),
        headers: parts.headers,
    };
    warn_near_limits(&visit.headers);
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let found = fill(&mut visit, peer, &query, Request::new(body)).await;
    (visit, found)
}

async fn fill(visit: &mut Visit, peer: IpAddr, query: &str, body: Request) -> Result<(), Failure> {
    let app = visit.app.clone();
    visit.client = ClientAddress::read(peer, &visit.headers, &app.trusted)
        .map_err(|problem| Refusal::Malformed(format!("{problem}.")))?
        .ip();
    visit.certificate = certificate::of_request(&app, peer, &visit.headers, visit.certificate.take())?;
    visit.query = Form::read(query.as_bytes())?;
    visit.body = gate::read_body(&app, &visit.headers, body).await?;
    visit.presented = present::secret(&app, &visit.headers)?;
    if let Some((handle, transport)) = &visit.presented {
        if *transport == Transport::Cookie && present::access_token(&visit.headers)?.is_some() {
            let twice = "A session cookie and an access token are presented: send one of them.";
            return Err(Refusal::Malformed(twice.into()).into());
        }
        let living = app.sessions.check(handle, visit.now).await?;
        visit.living = living.filter(|living| living.session.record.transport == *transport);
    } else if let Some(token) = present::access_token(&visit.headers)? {
        let own = app.tokens.mint.issuer();
        let bearer = bearer::check(&app, token, own, visit.now).await?;
        // Whoever comes with a token acts in the session it hangs on.
        if let Some(id) = bearer.as_ref().and_then(|bearer| bearer.session) {
            visit.living = app.sessions.touch(id, visit.now).await?;
        }
        visit.bearer = match bearer {
            Some(bearer) if visit.living.is_some() => Presented::Good(bearer),
            _ => Presented::Bad,
        };
    }
    Ok(())
}

/// Pages carry forms, and forms are bound to a cookie: a browser without one gets one.
fn form_cookie(visit: &mut Visit, face: Face) -> Option<http::HeaderValue> {
    if face != Face::Page || visit.browser.is_some() || visit.method != Method::GET {
        return None;
    }
    let mut value = [0; 16];
    visit.app.entropy.fill(&mut value);
    visit.browser = Some(value);
    visit.app.cookies.form.set(&data_encoding::BASE64URL_NOPAD.encode(&value), None).ok()
}

async fn refuse(app: Arc<App>, request: Request, refusal: Refusal) -> Response {
    let (visit, _) = visit_of(&app, request).await;
    let face = if visit.path.starts_with("/api/") { Face::Problem } else { Face::Page };
    let mut response = answer::failed(&visit, face, &refusal.into());
    answer::finish(&app, &visit.request, &mut response);
    response
}
