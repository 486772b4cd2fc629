//! The words of Traefik and Caddy: one `X-Forwarded-` header for each part of the request.

use gateward_guard::forwarded::{X_FORWARDED_PROTO, scheme};
use gateward_kernel::refusal::Refusal;
use http::header::HeaderName;

use super::{Asked, client, malformed, needed, question};
use crate::forward::question::{Parts, Question};

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// Reads `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`, and `-For`.
pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    let method = needed(asked, &X_FORWARDED_METHOD)?;
    let scheme = scheme(asked.headers)
        .map_err(|problem| Refusal::Malformed(format!("{problem}.")))?
        .ok_or_else(|| malformed(&X_FORWARDED_PROTO, "is missing"))?;
    let authority = needed(asked, &X_FORWARDED_HOST)?;
    let target = needed(asked, &X_FORWARDED_URI)?;
    question(Parts { method, scheme, authority, target, client: client(asked)?, headers: asked.headers })
}
