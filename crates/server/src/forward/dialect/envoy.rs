//! Envoy asks with the filter `ext_authz` over HTTP: the method of the request, its path and query behind our prefix, its host,
//! and of its headers those listed in the filter's `allowed_headers`; our printed configuration lists the ones that matter
//! here, and adds `X-Gateward-Client` with the client's address. (`X-Forwarded-For` gets the address of Envoy itself appended
//! on the way; without `X-Gateward-Client` it is read all the same, and Envoy's address must then be among
//! `trusted_proxies`.)
//!
//! On 200 it copies the headers listed in `allowed_upstream_headers` and removes those named by
//! `X-Envoy-Auth-Headers-To-Remove`; every other answer below 500 goes to the client as it is.

use std::net::IpAddr;

use gateward_guard::forwarded::{X_FORWARDED_PROTO, scheme};
use gateward_kernel::refusal::Refusal;
use http::header::{COOKIE, HOST, HeaderName, HeaderValue};

use super::{Asked, client, malformed, one, question};
use crate::forward::cookies::without_session;
use crate::forward::identity::Identity;
use crate::forward::law::Verdict;
use crate::forward::question::{Parts, Question};
use crate::forward::reply::{Reply, SignInPage};

/// What stands before the path of the request: `path_prefix` of the filter.
pub const PREFIX: &str = "/forward-auth/envoy";

/// `X-Gateward-Client`: the client's address, alone.
pub const X_GATEWARD_CLIENT: HeaderName = HeaderName::from_static("x-gateward-client");
const HEADERS_TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    let target = asked.uri.path_and_query().map_or("", |target| target.as_str()).strip_prefix(PREFIX);
    let target = target.ok_or_else(|| Refusal::Malformed("The path is not behind the prefix.".to_owned()))?;
    let scheme = scheme(asked.headers)
        .map_err(|problem| Refusal::Malformed(format!("{problem}.")))?
        .ok_or_else(|| malformed(&X_FORWARDED_PROTO, "is missing"))?;
    // Over HTTP/2 the host is a part of the address (RFC 9113 §8.3.1), over HTTP/1.1 a header.
    let authority = match (asked.uri.authority(), one(asked, &HOST)?) {
        (Some(one), Some(other)) if !one.as_str().eq_ignore_ascii_case(other) => {
            return Err(malformed(&HOST, "contradicts the address"));
        }
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host,
        (None, None) => return Err(malformed(&HOST, "is missing")),
    };
    let client = match one(asked, &X_GATEWARD_CLIENT)? {
        Some(text) => {
            let address: IpAddr =
                text.parse().map_err(|_| malformed(&X_GATEWARD_CLIENT, "is not an address"))?;
            Some(address.to_canonical())
        }
        None => client(asked)?,
    };
    question(Parts { method: asked.method, scheme, authority, target, client, headers: asked.headers })
}

/// The whole answer (see [`Reply::whole`]); on 200 also what takes our cookie out of the request, if it was there: a `Cookie`
/// header with the others, or, without others, `X-Envoy-Auth-Headers-To-Remove: cookie`.
pub fn answer(
    asked: &Asked<'_>,
    question: &Question<'_>,
    verdict: &Verdict,
    page: &SignInPage,
    identity: &Identity,
) -> Reply {
    let mut reply = Reply::whole(question, verdict, page, identity);
    if *verdict == Verdict::Allow {
        let cookies = without_session(asked.headers);
        match cookies.rest {
            Some(rest) if cookies.changed => reply.headers.push((COOKIE, rest)),
            None if cookies.changed => {
                reply.headers.push((HEADERS_TO_REMOVE, HeaderValue::from_static("cookie")))
            }
            _ => (),
        }
    }
    reply
}
