//! HAProxy has no way to ask by itself; the printed Lua action asks with its built-in HTTP client (HAProxy 2.5 and later) and
//! sends `X-Original-URL`, `X-Original-Method`, `X-Forwarded-For`, and the headers of the request that matter here.
//!
//! On 200 the action sets the identity headers and takes our cookie out; every other answer it gives to the client as it is.

use gateward_kernel::refusal::Refusal;

use super::{Asked, original};
use crate::forward::identity::Identity;
use crate::forward::law::Verdict;
use crate::forward::question::Question;
use crate::forward::reply::{Reply, SignInPage};

pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    original::read(asked)
}

/// The whole answer; see [`Reply::whole`].
pub fn answer(question: &Question<'_>, verdict: &Verdict, page: &SignInPage, identity: &Identity) -> Reply {
    Reply::whole(question, verdict, page, identity)
}
