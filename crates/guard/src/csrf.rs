//! Requests from other sites: told by what browsers say (`Origin`, `Sec-Fetch-Site`) and by form tokens.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::secret::{MacKey, RootKey};
use gateward_kernel::time::Moment;
use http::HeaderMap;
use http::header::ORIGIN;

/// How long a form may stay open before it is sent.
pub const FORM_LIFETIME: Duration = Duration::from_secs(24 * 3600);

const TAG: usize = 16;

/// The request came from another site, or its origin is given twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the request came from another site")]
pub struct FromAnotherSite;

/// Refuses what a browser says comes from another site: `Sec-Fetch-Site` other than `same-origin` or `none`, or an
/// `Origin` that is not `own` (scheme, host and port as in RFC 6454 §6.2). `null` is nobody's, unless the browser says
/// `Sec-Fetch-Site: same-origin` beside it: so it does for forms of pages with `Referrer-Policy: no-referrer` (Fetch
/// §3.1). A request without both comes from no browser of today; then the form token, or the refusal of form content
/// types, decides alone.
pub fn same_origin(headers: &HeaderMap, own: &str) -> Result<(), FromAnotherSite> {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(FromAnotherSite),
        }
    };
    let site = only("sec-fetch-site")?;
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(FromAnotherSite);
    }
    match only(ORIGIN.as_str())? {
        Some(origin) if origin == "null" && site.is_some_and(|site| site == "same-origin") => Ok(()),
        Some(origin) if origin.as_bytes() != own.as_bytes() => Err(FromAnotherSite),
        _ => Ok(()),
    }
}

/// Makes and checks form tokens. A token is bound to a browser (by a random value in a cookie of its own), to what the
/// form is for, and to a time.
#[derive(Clone, Debug)]
pub struct FormTokens(MacKey);

impl FormTokens {
    /// With a key that belongs to this root key.
    pub fn new(root: &RootKey) -> Self {
        FormTokens(root.mac("form token"))
    }

    /// A token for one form in one browser.
    pub fn issue(&self, browser: &[u8], form: &str, now: Moment) -> String {
        let time = now.micros().to_be_bytes();
        let tag: [u8; TAG] = self.0.short_tag(&[browser, form.as_bytes(), &time]);
        BASE64URL_NOPAD.encode(&[time.as_slice(), &tag].concat())
    }

    /// Whether the token was made for this form in this browser, within the last [`FORM_LIFETIME`].
    pub fn accepts(&self, token: &str, browser: &[u8], form: &str, now: Moment) -> bool {
        let Ok(body) = BASE64URL_NOPAD.decode(token.as_bytes()) else { return false };
        let Some((time, tag)) = body.split_first_chunk::<8>() else { return false };
        let issued = Moment::from_micros(i64::from_be_bytes(*time));
        tag.len() == TAG
            && !browser.is_empty()
            && self.0.verify(&[browser, form.as_bytes(), time], tag)
            && now.since(issued) < FORM_LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_the_own_origin_passes() {
        let own = "https://login.example.com";
        for fine in [
            &[][..],
            &[("origin", "https://login.example.com")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://login.example.com")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        ] {
            assert_eq!(same_origin(&headers(fine), own), Ok(()), "{fine:?}");
        }
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "none")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "")],
            &[("origin", "http://login.example.com")],
            &[("origin", "https://login.example.com:444")],
            &[("origin", "https://login.example.com.evil.example")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://login.example.com")],
            &[("origin", "https://login.example.com"), ("origin", "https://evil.example")],
        ] {
            assert_eq!(same_origin(&headers(foreign), own), Err(FromAnotherSite), "{foreign:?}");
        }
    }

    #[test]
    fn a_token_counts_for_one_browser_one_form_and_one_day() {
        let tokens = FormTokens::new(&RootKey::from_bytes([1; 32]));
        let now = Moment::from_micros(1_000_000);
        let token = tokens.issue(b"browser", "login", now);
        let end = now + FORM_LIFETIME;
        assert!(tokens.accepts(&token, b"browser", "login", now));
        assert!(tokens.accepts(&token, b"browser", "login", Moment::from_micros(end.micros() - 1)));
        assert!(!tokens.accepts(&token, b"browser", "login", end));
        assert!(!tokens.accepts(&token, b"another", "login", now));
        assert!(!tokens.accepts(&token, b"browser", "logout", now));
        assert!(!tokens.accepts("", b"browser", "login", now));
        assert!(!tokens.accepts(&tokens.issue(b"", "login", now), b"", "login", now), "no browser, no token");
        assert!(!FormTokens::new(&RootKey::from_bytes([2; 32])).accepts(&token, b"browser", "login", now));
    }
}
