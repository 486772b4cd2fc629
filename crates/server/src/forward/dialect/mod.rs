//! How each proxy asks, and what it understands of an answer: one small file per proxy.

pub mod caddy;
pub mod envoy;
pub mod generic;
pub mod haproxy;
pub mod nginx;
mod original;
pub mod traefik;
mod x_forwarded;

use std::net::IpAddr;

use gateward_guard::forwarded::{ClientAddress, is_hop_by_hop, is_trusted};
use gateward_kernel::refusal::Refusal;
use http::header::HeaderName;
use http::{HeaderMap, Uri};
use ipnet::IpNet;

use super::identity::Identity;
use super::law::Verdict;
use super::question::{Parts, Question};
use super::reply::{Face, Reply, SignInPage};
use super::target::MAX_TARGET;

/// The longest address with scheme and host, in bytes: nothing longer than a path can be is refused for its host.
const MAX_URL: usize = MAX_TARGET + 512;

/// A proxy's way of asking.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dialect {
    /// `/forward-auth`: any proxy that can send two headers.
    Generic,
    /// `/forward-auth/nginx`: `auth_request`.
    Nginx,
    /// `/forward-auth/traefik`: `ForwardAuth`.
    Traefik,
    /// `/forward-auth/caddy`: `forward_auth`.
    Caddy,
    /// `/forward-auth/envoy/…`: `ext_authz` over HTTP.
    Envoy,
    /// `/forward-auth/haproxy`: our Lua action.
    Haproxy,
}

/// A request of a proxy to us.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asks: the peer of the connection.
    pub peer: IpAddr,
    /// The method of this request.
    pub method: &'a str,
    /// The address of this request.
    pub uri: &'a Uri,
    /// The headers of this request.
    pub headers: &'a HeaderMap,
    /// The proxies that are believed.
    pub trusted: &'a [IpNet],
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 6] = [
        Dialect::Generic,
        Dialect::Nginx,
        Dialect::Traefik,
        Dialect::Caddy,
        Dialect::Envoy,
        Dialect::Haproxy,
    ];

    /// Where a proxy of this dialect asks.
    pub const fn path(self) -> &'static str {
        match self {
            Dialect::Generic => "/forward-auth",
            Dialect::Nginx => nginx::PATH,
            Dialect::Traefik => "/forward-auth/traefik",
            Dialect::Caddy => "/forward-auth/caddy",
            Dialect::Envoy => envoy::PREFIX,
            Dialect::Haproxy => "/forward-auth/haproxy",
        }
    }

    /// Reads the question. Only a configured proxy is listened to at all.
    pub fn read<'a>(self, asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
        if !is_trusted(asked.peer, asked.trusted) {
            return Err(Refusal::UntrustedProxy);
        }
        match self {
            Dialect::Generic => generic::read(asked),
            Dialect::Nginx => nginx::read(asked),
            Dialect::Traefik => traefik::read(asked),
            Dialect::Caddy => caddy::read(asked),
            Dialect::Envoy => envoy::read(asked),
            Dialect::Haproxy => haproxy::read(asked),
        }
    }

    /// The answer to a question. `identity` is the person's, or [`Identity::nobody`].
    pub fn answer(
        self,
        asked: &Asked<'_>,
        question: &Question<'_>,
        verdict: &Verdict,
        page: &SignInPage,
        identity: &Identity,
    ) -> Reply {
        match self {
            Dialect::Generic => generic::answer(question, verdict, page, identity),
            Dialect::Nginx => nginx::answer(question, verdict, page, identity),
            Dialect::Traefik => traefik::answer(asked, question, verdict, page, identity),
            Dialect::Caddy => caddy::answer(question, verdict, page, identity),
            Dialect::Envoy => envoy::answer(asked, question, verdict, page, identity),
            Dialect::Haproxy => haproxy::answer(question, verdict, page, identity),
        }
    }

    /// The answer when the question could not be read or decided: a refusal, or 503 for a failure of ours.
    pub fn refuse(self, refusal: Refusal, face: Face) -> Reply {
        match self {
            Dialect::Nginx => nginx::refuse(refusal, face),
            _ => Reply::refuse(refusal, face),
        }
    }
}

/// A header that may be there once at most, with visible ASCII in it.
fn one<'a>(asked: &Asked<'a>, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = asked.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed(name, "is there more than once"));
    }
    if is_hop_by_hop(asked.headers, name) {
        return Err(malformed(name, "is listed in Connection"));
    }
    if value.len() > MAX_URL {
        return Err(malformed(name, "is longer than any address may be"));
    }
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(text)),
        _ => Err(malformed(name, "has a blank, a control character, or one that is not ASCII in it")),
    }
}

/// A header that must be there exactly once.
fn needed<'a>(asked: &Asked<'a>, name: &HeaderName) -> Result<&'a str, Refusal> {
    match one(asked, name)? {
        Some("") => Err(malformed(name, "is empty")),
        Some(text) => Ok(text),
        None => Err(malformed(name, "is missing")),
    }
}

/// The client by `X-Forwarded-For`; `None` when the proxy does not tell.
fn client(asked: &Asked<'_>) -> Result<Option<IpAddr>, Refusal> {
    match ClientAddress::read_list(asked.peer, asked.headers, asked.trusted) {
        Ok(client) => Ok(client.map(|client| client.ip())),
        Err(problem) => Err(Refusal::Malformed(format!("{problem}."))),
    }
}

fn question(parts: Parts<'_>) -> Result<Question<'_>, Refusal> {
    Question::read(parts).map_err(Refusal::Malformed)
}

fn malformed(name: &HeaderName, problem: &str) -> Refusal {
    Refusal::Malformed(format!("{name} {problem}."))
}

#[cfg(test)]
mod tests;
