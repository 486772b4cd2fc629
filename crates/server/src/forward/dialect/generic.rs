//! `/forward-auth`: for proxies without a dialect of their own. They send `X-Original-URL` and `X-Original-Method`, and
//! `X-Forwarded-For` where rules name networks.

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
