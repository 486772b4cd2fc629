//! Caddy asks with `forward_auth`: GET with all headers of the request, `X-Forwarded-Method` and `X-Forwarded-Uri`, and, as to
//! every upstream, `X-Forwarded-For`, `-Proto` and `-Host`, which it writes itself unless the client is a trusted proxy.
//!
//! On 2xx it copies the headers named in `copy_headers` to the request; every other answer goes to the client as it is.

use gateward_kernel::refusal::Refusal;

use super::{Asked, x_forwarded};
use crate::forward::identity::Identity;
use crate::forward::law::Verdict;
use crate::forward::question::Question;
use crate::forward::reply::{Reply, SignInPage};

pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    x_forwarded::read(asked)
}

/// The whole answer; see [`Reply::whole`]. Our cookie is taken out of the request by the printed configuration.
pub fn answer(question: &Question<'_>, verdict: &Verdict, page: &SignInPage, identity: &Identity) -> Reply {
    Reply::whole(question, verdict, page, identity)
}
