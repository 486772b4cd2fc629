//! The shortest way: a check for a proxy, answered from memory in the common case.

use std::net::IpAddr;

use gateward_guard::Living;
use gateward_kernel::ports::Fault;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Transport;
use gateward_kernel::time::Moment;
use http::header::{CACHE_CONTROL, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, Method, Response, Uri};

use super::challenge::Challenge;
use super::dialect::{Asked, Dialect, nginx};
use super::presented::{self, Presented};
use super::question::{Kind, Question};
use super::render::render;
use super::reply::{Face, Reply};
use crate::app::App;
use crate::face::failure::Failure;
use crate::face::payload::Payload;
use crate::people::Known;
use crate::session::url as url_session;
use crate::tokens::bearer::{self, Bearer};

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
/// ours, or the store may have to be asked.
pub fn answer_at_once(app: &App, head: Head<'_>) -> Option<Response<Payload>> {
    let asking = match Asking::hear(app, head)? {
        Ok(asking) => asking,
        Err(refused) => return Some(refused),
    };
    match &asking.presented {
        Presented::Nothing => Some(asking.answer(Caller::Nobody)),
        Presented::Session(handle, _) => {
            let living = app.sessions.check_in_memory(handle, asking.now)?;
            Some(asking.answer(Caller::Session(living)))
        }
        Presented::Token(token) => {
            let bearer = bearer::check_in_memory(app, &token.text, token.audience, asking.now)?;
            Some(asking.answer(bearer.map_or(Caller::Nobody, Caller::Token)))
        }
    }
}

/// Answers a question. `None` when the path is none of ours.
pub async fn answer(app: &App, head: Head<'_>) -> Option<Response<Payload>> {
    let asking = match Asking::hear(app, head)? {
        Ok(asking) => asking,
        Err(refused) => return Some(refused),
    };
    match asking.find().await {
        Ok(caller) => Some(asking.answer(caller)),
        Err(fault) => Some(asking.way.refuse(app, head, &fault.into(), None)),
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

    /// Puts a challenge into a refusal that reaches the client. nginx asks a second time for what it tells the client; it
    /// copies the challenge of its first question, too, and the client would get two.
    fn challenge(self, reply: &mut Reply, challenge: Option<Challenge>) {
        if let Some(challenge) = challenge.filter(|_| self.reason || self.dialect != Dialect::Nginx) {
            challenge.tell(reply);
        }
    }

    /// What could not be read or decided.
    fn refuse(
        self,
        app: &App,
        head: Head<'_>,
        failure: &Failure,
        challenge: Option<Challenge>,
    ) -> Response<Payload> {
        failure.log("forward-auth", head.uri.path());
        let refusal = failure.refusal().unwrap_or(Refusal::Unavailable);
        let face = Face::of(Kind::read(head.method.as_str(), head.headers));
        let mut reply =
            if self.reason { Reply::refuse(refusal, face) } else { self.dialect.refuse(refusal, face) };
        self.challenge(&mut reply, challenge);
        render(app, head.headers, reply, None, None)
    }
}

/// Who asks, as far as what they presented is good.
enum Caller {
    Nobody,
    Session(Living<Known>),
    Token(Bearer),
}

/// A question that was understood, and what was presented with it.
struct Asking<'a> {
    app: &'a App,
    way: Way,
    asked: Asked<'a>,
    question: Question<'a>,
    presented: Presented<'a>,
    now: Moment,
}

impl<'a> Asking<'a> {
    fn hear(app: &'a App, head: Head<'a>) -> Option<Result<Self, Response<Payload>>> {
        let way = Way::of(head.uri.path())?;
        let Head { peer, method, uri, headers } = head;
        let asked = Asked { peer, method: method.as_str(), uri, headers, trusted: &app.trusted };
        let question = match way.dialect.read(&asked) {
            Ok(question) => question,
            Err(refusal) => return Some(Err(way.refuse(app, head, &refusal.into(), None))),
        };
        Some(match presented::read(app, headers, &question) {
            Ok(presented) => {
                let is_program = matches!(presented, Presented::Token(_));
                let question = if is_program { question.of_a_program() } else { question };
                Ok(Asking { app, way, asked, question, presented, now: app.clock.now() })
            }
            Err(refusal) => {
                let takes = app.gatehouse.law.takes(&question);
                Err(way.refuse(app, head, &refusal.into(), takes.map(|_| Challenge::InvalidRequest)))
            }
        })
    }

    /// Asks the stores who it is.
    async fn find(&self) -> Result<Caller, Fault> {
        match &self.presented {
            Presented::Nothing => Ok(Caller::Nobody),
            Presented::Session(handle, _) => {
                let living = self.app.sessions.check(handle, self.now).await?;
                Ok(living.map_or(Caller::Nobody, Caller::Session))
            }
            Presented::Token(token) => {
                let bearer = bearer::check(self.app, &token.text, token.audience, self.now).await?;
                Ok(bearer.map_or(Caller::Nobody, Caller::Token))
            }
        }
    }

    fn answer(&self, caller: Caller) -> Response<Payload> {
        let gatehouse = &self.app.gatehouse;
        let (law, question) = (&gatehouse.law, &self.question);
        let decide = |known: Option<&Known>| law.decide(question, known.map(Known::person));
        let (known, verdict) = match caller {
            Caller::Session(living) if self.fits(&living) => {
                let verdict = decide(living.person.as_deref());
                (living.person, verdict)
            }
            Caller::Token(bearer) => {
                let verdict = law.decide_by_token(question, bearer.person.person(), &bearer.scope);
                (Some(bearer.person), verdict)
            }
            Caller::Session(_) | Caller::Nobody => (None, decide(None)),
        };
        let identity = known.as_ref().map_or(&gatehouse.nobody, |known| &known.identity);
        self.app.metrics.forward_auth(&verdict);
        let mut reply = match self.way.reason {
            true => nginx::refused(question, &verdict, &gatehouse.sign_in, identity),
            false => self.way.dialect.answer(&self.asked, question, &verdict, &gatehouse.sign_in, identity),
        };
        let came_with_a_token = matches!(self.presented, Presented::Token(_));
        if let Some(challenge) = Challenge::to(&verdict, came_with_a_token)
            && law.takes(question).is_some()
        {
            self.way.challenge(&mut reply, Some(challenge));
        }
        let mut response = render(self.app, self.asked.headers, reply, Some(question), known.as_deref());
        self.guard_the_address(&mut response);
        response
    }

    /// Where a secret stands in the address, the browser tells it to nobody and nobody on the way keeps the answer
    /// (RFC 6750 §2.3).
    fn guard_the_address(&self, response: &mut Response<Payload>) {
        let (by_url, in_query) = match &self.presented {
            Presented::Nothing => (false, false),
            Presented::Session(_, transport) => (*transport == Transport::Url, false),
            Presented::Token(token) => (false, token.in_query),
        };
        if by_url || in_query {
            response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        }
        if in_query {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    /// Whether the session travels the way it was made for, and in a URL from the browser it was made for.
    fn fits(&self, living: &Living<Known>) -> bool {
        let session = &living.session.record;
        let Presented::Session(_, transport) = &self.presented else { return false };
        session.transport == *transport
            && (session.transport != Transport::Url
                || url_session::is_from_same_browser(&session.origin, self.asked.headers))
    }
}
