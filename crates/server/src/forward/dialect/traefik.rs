//! Traefik asks with the middleware `ForwardAuth`: GET with all headers of the request and `X-Forwarded-Method`, `-Proto`,
//! `-Host`, `-Uri` and `-For`, which it writes itself unless `trustForwardHeader` is set. For WebSockets the scheme may be
//! `ws` or `wss`.
//!
//! On 2xx it copies the headers named in `authResponseHeaders` to the request and removes those that are not in the answer;
//! every other answer goes to the client as it is.

use gateward_kernel::refusal::Refusal;
use http::header::COOKIE;

use super::{Asked, x_forwarded};
use crate::forward::cookies::without_session;
use crate::forward::identity::Identity;
use crate::forward::law::Verdict;
use crate::forward::question::Question;
use crate::forward::reply::{Reply, SignInPage};

pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    x_forwarded::read(asked)
}

/// The whole answer (see [`Reply::whole`]); on 200 also a `Cookie` header with the application's own cookies, unless it has
/// none. Named in `authResponseHeaders`, it takes our cookie out of the request, which Traefik cannot do otherwise.
pub fn answer(
    asked: &Asked<'_>,
    question: &Question<'_>,
    verdict: &Verdict,
    page: &SignInPage,
    identity: &Identity,
) -> Reply {
    let mut reply = Reply::whole(question, verdict, page, identity);
    if *verdict == Verdict::Allow
        && let Some(rest) = without_session(asked.headers).rest
    {
        reply.headers.push((COOKIE, rest));
    }
    reply
}
