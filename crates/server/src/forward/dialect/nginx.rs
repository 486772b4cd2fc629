//! nginx asks with `auth_request`: a subrequest to a location of its own, whose headers our printed configuration sets:
//! `X-Original-URL` (`$scheme://$http_host$request_uri`), `X-Original-Method`, `X-Forwarded-For`, and `X-Forwarded-Host`
//! (`$host`: the host nginx chose the server by, which must be the same).
//!
//! nginx knows three answers: 2xx, 401 and 403; everything else is 500 to it. It throws the body away, and with it the
//! connection, so no answer has one. The client's answer comes from a second request, [`REFUSED`], to which nginx passes the
//! client after any refusal and whose answer it passes on as it is.

use gateward_kernel::refusal::Refusal;
use http::StatusCode;

use super::{Asked, original};
use crate::forward::identity::Identity;
use crate::forward::law::Verdict;
use crate::forward::question::Question;
use crate::forward::reply::{Body, Face, Reply, SignInPage, X_GATEWARD_LOCATION};

/// Where nginx asks.
pub const PATH: &str = "/forward-auth/nginx";
/// Where nginx gets what the client is told after a refusal. Asked with the same headers.
pub const REFUSED: &str = "/forward-auth/nginx/refused";

pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    original::read(asked)
}

/// The answer at [`PATH`], never with a body:
///
/// * allowed: 200 with the identity headers;
/// * to sign in: 401 with `X-Gateward-Location`, pages and scripts alike;
/// * denied, not listed: 403.
pub fn answer(question: &Question<'_>, verdict: &Verdict, page: &SignInPage, identity: &Identity) -> Reply {
    let mut reply = Reply::whole(question, verdict, page, identity);
    if *verdict == Verdict::SignIn {
        reply.status = StatusCode::UNAUTHORIZED;
        reply.headers.retain(|(name, _)| *name != http::header::LOCATION && *name != X_GATEWARD_LOCATION);
        reply.put(X_GATEWARD_LOCATION, &page.address(question));
    }
    reply.body = Body::None;
    reply
}

/// The answer at [`PATH`] when the question could not be read or decided: the refusal's status without a body. nginx makes
/// 500 of what is neither 401 nor 403, which the printed configuration sends to [`REFUSED`], too.
pub fn refuse(refusal: Refusal, face: Face) -> Reply {
    let mut reply = Reply::refuse(refusal, face);
    reply.body = Body::None;
    reply
}

/// The answer at [`REFUSED`]: the whole one (see [`Reply::whole`]). When the request may pass by now, since somebody signed in
/// meanwhile, 503 with `Retry-After: 1`: this location can tell a client to come again, but not let it pass.
pub fn refused(question: &Question<'_>, verdict: &Verdict, page: &SignInPage, identity: &Identity) -> Reply {
    match verdict {
        Verdict::Allow => Reply::again(Face::of(question.kind())),
        _ => Reply::whole(question, verdict, page, identity),
    }
}
