//! The words of proxies that we configure ourselves: the whole address in one header, the method in another.

use gateward_guard::forwarded::{Scheme, X_FORWARDED_PROTO};
use gateward_kernel::refusal::Refusal;
use http::header::HeaderName;

use super::{Asked, client, malformed, needed, one, question};
use crate::forward::question::{Parts, Question};

/// `X-Original-URL`: scheme, host, path and query, as the client asked for them.
pub(super) const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
/// `X-Original-Method`: the method.
pub(super) const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Reads `X-Original-URL`, `X-Original-Method` and `X-Forwarded-For`. `X-Forwarded-Host` and `X-Forwarded-Proto` need not be
/// there, but must not say otherwise.
pub(super) fn read<'a>(asked: &Asked<'a>) -> Result<Question<'a>, Refusal> {
    let method = needed(asked, &X_ORIGINAL_METHOD)?;
    let url = needed(asked, &X_ORIGINAL_URL)?;
    let (scheme, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (Scheme::Https, rest),
        (_, Some(rest)) => (Scheme::Http, rest),
        _ => return Err(malformed(&X_ORIGINAL_URL, "does not begin with http:// or https://")),
    };
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let read = question(Parts {
        method,
        scheme,
        authority,
        target,
        client: client(asked)?,
        headers: asked.headers,
    })?;
    if let Some(told) = one(asked, &X_FORWARDED_PROTO)?
        && Scheme::read(told) != Some(scheme)
    {
        return Err(malformed(&X_FORWARDED_PROTO, "contradicts x-original-url"));
    }
    // A request line can name another host than the header Host: the proxy chooses by one, the application by the other.
    if let Some(told) = one(asked, &X_FORWARDED_HOST)?
        && !names(told, read.host())
    {
        return Err(malformed(&X_FORWARDED_HOST, "contradicts x-original-url"));
    }
    Ok(read)
}

/// Whether this is the host, with any port or none.
fn names(told: &str, host: &str) -> bool {
    let behind_bracket = told.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = told.get(behind_bracket..).and_then(|rest| rest.find(':')).map(|at| at + behind_bracket);
    told.get(..colon.unwrap_or(told.len())).is_some_and(|name| name.eq_ignore_ascii_case(host))
}
