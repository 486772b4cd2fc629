//! The session in the URL, for browsers without cookies: off unless a path is opted in.
//!
//! A URL leaks easily: through `Referer`, histories, logs and copied links. So it is accepted only for the paths that
//! the settings name, only from the browser it was made for (by its user agent), and never on a navigation that another
//! site began; and answers to such requests carry `Referrer-Policy: no-referrer`.

use std::borrow::Cow;

use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::{Handle, Origin};
use http::HeaderMap;
use http::header::ORIGIN;
use url::Url;

use crate::app::App;
use crate::face::visit::{Visit, agent_digest};

/// The query parameter that carries the secret.
pub const PARAMETER: &str = "gateward_session";

/// Whether this address is opted in.
pub fn is_opted_in(app: &App, address: &Url) -> bool {
    let Some(host) = address.host_str() else { return false };
    let covers = |entry: &crate::config::HostPath| entry.covers(host, address.port(), address.path());
    app.settings.sessions.url_transport.iter().any(covers)
}

/// The genuine session secret in the query of an opted-in address, presented by a browser.
pub fn secret(app: &App, address: &Url, headers: &HeaderMap) -> Result<Option<Handle>, Refusal> {
    if !is_opted_in(app, address) {
        return Ok(None);
    }
    let Some(value) = presented(address)? else { return Ok(None) };
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::CrossSite);
    }
    Ok(Handle::read(value.as_bytes()).ok())
}

/// What the query of an address presents as a session secret, genuine or not.
pub fn presented(address: &Url) -> Result<Option<Cow<'_, str>>, Refusal> {
    let mut values = address.query_pairs().filter(|(name, _)| name == PARAMETER).map(|(_, value)| value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Malformed(format!("The parameter {PARAMETER} is there twice.")));
    }
    Ok(value)
}

/// Whether a session in a URL is presented by the browser it was made for.
pub fn is_from_same_browser(origin: &Origin, headers: &HeaderMap) -> bool {
    let agent =
        headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    origin.agent == agent_digest(agent)
}

/// Whether a sign-in form may come without the cookie that its token is bound to: only towards an opted-in address,
/// and only when the browser itself says that the form is ours.
pub fn may_come_without_cookie(visit: &Visit) -> bool {
    let is = |name: &str, value: &str| {
        visit.headers.get(name).is_some_and(|own| own.as_bytes() == value.as_bytes())
    };
    let says_so = is("sec-fetch-site", "same-origin") || is(ORIGIN.as_str(), &visit.app.origin);
    let towards = Url::parse(visit.form.text("return_to"));
    visit.path == "/login"
        && visit.browser.is_none()
        && says_so
        && towards.is_ok_and(|address| is_opted_in(&visit.app, &address))
}

/// The address with the secret in its query, and nothing else changed.
pub fn with_secret(address: &str, secret: &str) -> Option<String> {
    let mut address = Url::parse(address).ok()?;
    let kept: Vec<(String, String)> = address
        .query_pairs()
        .filter(|(name, _)| name != PARAMETER)
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    address.query_pairs_mut().clear().extend_pairs(kept).append_pair(PARAMETER, secret);
    Some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_replaces_an_older_one_and_leaves_the_rest() {
        let address = "https://a.example.com/x?q=1&gateward_session=old#part";
        assert_eq!(
            with_secret(address, "new").unwrap(),
            "https://a.example.com/x?q=1&gateward_session=new#part"
        );
        assert_eq!(with_secret("/relative", "new"), None);
    }
}
