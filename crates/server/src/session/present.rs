//! How a session secret is presented: in the cookie, or in `Authorization: Bearer` by apps. Never in both.

use gateward_guard::cookies::{Found, find_routed};
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Handle, Transport};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::app::App;

/// How session secrets begin: what else stands in `Authorization` is somebody else's.
const OURS: &[u8] = b"gws";

/// The session secret of a request, as far as its form tells. Garbage is as good as none; what is ambiguous is refused.
pub fn secret(app: &App, headers: &HeaderMap) -> Result<Option<(Handle, Transport)>, Refusal> {
    let presented = presented(headers, app.cookies.session.name())?;
    Ok(presented.and_then(|(text, transport)| Some((Handle::read(text).ok()?, transport))))
}

/// What a request presents as a session secret, genuine or not, and how it travelled.
pub fn presented<'a>(headers: &'a HeaderMap, cookie: &str) -> Result<Option<(&'a [u8], Transport)>, Refusal> {
    let cookie = match find_routed(headers, cookie) {
        Found::Nothing => None,
        Found::One(value) => Some(value),
        Found::Ambiguous => {
            return Err(Refusal::Malformed(
                "The session cookie is there twice with different values.".into(),
            ));
        }
    };
    match (bearer(headers)?, cookie) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Refusal::Malformed(
            "A session is presented in the cookie and in the Authorization header: send one of them.".into(),
        )),
        (Some(value), None) => Ok(Some((value, Transport::Header))),
        (None, Some(value)) => Ok(Some((value, Transport::Cookie))),
    }
}

/// What a request presents as an access token (RFC 6750 §2.1), genuine or not: any bearer credential that is no session
/// secret. It is looked at only where no session is presented; beside one it is refused.
pub fn access_token(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let several = || Refusal::Malformed("There are several Authorization headers.".into());
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), more) = (all.next(), all.next()) else { return Ok(None) };
    let credential = match value.as_bytes().split_at_checked(7) {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case(b"bearer ") => credential.trim_ascii(),
        // Another scheme is somebody else's business.
        _ => return Ok(None),
    };
    if more.is_some() {
        return Err(several());
    }
    Ok(Some(credential))
}

/// A bearer credential that looks like ours (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        let Some((scheme, credential)) = value.as_bytes().split_at_checked(7) else { continue };
        let credential = credential.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer ")
            && credential.starts_with(OURS)
            && found.replace(credential).is_some()
        {
            return Err(Refusal::Malformed("There are several Authorization headers.".into()));
        }
    }
    Ok(found)
}
