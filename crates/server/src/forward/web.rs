//! The shortest way: a session check for a proxy, answered from memory in the common case.

use std::net::IpAddr;

use gateward_guard::Living;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Handle, Transport};
use gateward_kernel::time::Moment;
use http::header::REFERRER_POLICY;
use http::{HeaderMap, HeaderValue, Method, Response, Uri};
use url::Url;

use super::dialect::{Asked, Dialect, nginx};
use super::question::{Kind, Question};
use super::render::render;
use super::reply::{Face, Reply};
use crate::app::App;
use crate::face::failure::Failure;
use crate::face::payload::Payload;
use crate::people::Known;
use crate::session::{present, url as url_session};

/// Where all questions begin.
pub const PREFIX: &str = "/forward-auth";

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Who asks: the peer of the connection.
    pub peer: IpAddr,
    /// Its method.
    pub method: &'a Method,
    /// Its address.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// Answers a question when memory alone can: without waiting, and without a write. `None` when the path is none of
/// ours, or the store has to be asked.
pub fn answer_at_once(app: &App, head: Head<'_>) -> Option<Response<Payload>> {
    let asking = match Asking::hear(app, head)? {
        Ok(asking) => asking,
        Err(refused) => return Some(refused),
    };
    match &asking.presented {
        None => Some(asking.answer(None)),
        Some((handle, _)) => {
            app.sessions.check_in_memory(handle, asking.now).map(|living| asking.answer(Some(living)))
        }
    }
}

/// Answers a question. `None` when the path is none of ours.
pub async fn answer(app: &App, head: Head<'_>) -> Option<Response<Payload>> {
    let asking = match Asking::hear(app, head)? {
        Ok(asking) => asking,
        Err(refused) => return Some(refused),
    };
    let Some((handle, _)) = &asking.presented else { return Some(asking.answer(None)) };
    match app.sessions.check(handle, asking.now).await {
        Ok(living) => Some(asking.answer(living)),
        Err(fault) => Some(asking.way.refuse(app, head, &fault.into())),
    }
}

/// In which words was asked.
#[derive(Clone, Copy)]
struct Way {
    dialect: Dialect,
    /// Whether the reason of a refusal is asked for, which goes on to the client as it is.
    reason: bool,
}

impl Way {
    fn of(path: &str) -> Option<Self> {
        if path == nginx::REFUSED {
            return Some(Way { dialect: Dialect::Nginx, reason: true });
        }
        let exact = Dialect::ALL.into_iter().find(|dialect| dialect.path() == path);
        let envoy = || path.starts_with(Dialect::Envoy.path()).then_some(Dialect::Envoy);
        exact.or_else(envoy).map(|dialect| Way { dialect, reason: false })
    }

    /// What could not be read or decided.
    fn refuse(self, app: &App, head: Head<'_>, failure: &Failure) -> Response<Payload> {
        failure.log("forward-auth", head.uri.path());
        let refusal = failure.refusal().unwrap_or(Refusal::Unavailable);
        let face = Face::of(Kind::read(head.method.as_str(), head.headers));
        let reply =
            if self.reason { Reply::refuse(refusal, face) } else { self.dialect.refuse(refusal, face) };
        render(app, head.headers, reply, None, None)
    }
}

/// A question that was understood, and the session that was presented with it.
struct Asking<'a> {
    app: &'a App,
    way: Way,
    asked: Asked<'a>,
    question: Question<'a>,
    presented: Option<(Handle, Transport)>,
    now: Moment,
}

impl<'a> Asking<'a> {
    fn hear(app: &'a App, head: Head<'a>) -> Option<Result<Self, Response<Payload>>> {
        let way = Way::of(head.uri.path())?;
        let Head { peer, method, uri, headers } = head;
        let asked = Asked { peer, method: method.as_str(), uri, headers, trusted: &app.trusted };
        let heard = way.dialect.read(&asked).and_then(|question| {
            let presented = match present::secret(app, headers)? {
                None => by_url(app, headers, &question)?.map(|handle| (handle, Transport::Url)),
                presented => presented,
            };
            Ok(Asking { app, way, asked, question, presented, now: app.clock.now() })
        });
        Some(heard.map_err(|refusal| way.refuse(app, head, &refusal.into())))
    }

    fn answer(&self, living: Option<Living<Known>>) -> Response<Payload> {
        let gatehouse = &self.app.gatehouse;
        let transport = self.presented.as_ref().map(|(_, transport)| *transport);
        let known = living.filter(|living| self.fits(living, transport)).and_then(|living| living.person);
        let person = known.as_ref().map(|known| known.person());
        let identity = known.as_ref().map_or(&gatehouse.nobody, |known| &known.identity);
        let verdict = gatehouse.law.decide(&self.question, person);
        self.app.metrics.forward_auth(&verdict);
        let reply = match self.way.reason {
            true => nginx::refused(&self.question, &verdict, &gatehouse.sign_in, identity),
            false => {
                self.way.dialect.answer(&self.asked, &self.question, &verdict, &gatehouse.sign_in, identity)
            }
        };
        let mut response =
            render(self.app, self.asked.headers, reply, Some(&self.question), known.as_deref());
        if transport == Some(Transport::Url) {
            // Or the browser tells the secret to whatever the page links to.
            response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        response
    }

    /// Whether the session travels the way it was made for, and in a URL from the browser it was made for.
    fn fits(&self, living: &Living<Known>, transport: Option<Transport>) -> bool {
        let session = &living.session.record;
        Some(session.transport) == transport
            && (session.transport != Transport::Url
                || url_session::is_from_same_browser(&session.origin, self.asked.headers))
    }
}

fn by_url(app: &App, headers: &HeaderMap, question: &Question<'_>) -> Result<Option<Handle>, Refusal> {
    if app.settings.sessions.url_transport.is_empty() {
        return Ok(None);
    }
    match Url::parse(&question.url()) {
        Ok(address) => url_session::secret(app, &address, headers),
        Err(_) => Ok(None),
    }
}
