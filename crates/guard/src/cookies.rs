//! Cookies: which one carries the session, what its attributes are, and how cookies are read (RFC 6265bis).

use std::fmt;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// What browsers keep at most of one cookie: name, value and attributes (RFC 6265bis §5.6, §6.1).
pub const MAX_COOKIE: usize = 4096;
/// So many cookies of one site are near what some browsers keep.
pub const MANY_COOKIES: usize = 20;
/// Room kept for the value when a specification is checked.
const VALUE_ROOM: usize = gateward_kernel::handle::TEXT_LENGTH;

/// The `SameSite` attribute (RFC 6265bis §4.1.2.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SameSite {
    /// Not sent with any request from another site.
    Strict,
    /// Sent when somebody follows a link from another site.
    Lax,
    /// Always sent.
    None,
}

/// The name and the attributes of a cookie, checked to be possible together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieSpec {
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    route: Option<String>,
}

/// Why a cookie cannot be as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CookieProblem {
    /// RFC 6265bis §5.7 step 18: browsers drop it.
    #[error("SameSite=None needs https: browsers drop such a cookie without Secure")]
    NoneWithoutSecure,
    /// Browsers drop it.
    #[error("a partitioned cookie needs https: browsers drop such a cookie without Secure")]
    PartitionedWithoutSecure,
    /// RFC 6265bis §4.1.3.2.
    #[error(
        "a cookie named __Host-… cannot have a domain: take a name with __Secure- for sharing with sub-domains"
    )]
    HostWithDomain,
    /// RFC 6265bis §4.1.3.2.
    #[error("a cookie named __Host-… has the path /")]
    HostWithPath,
    /// RFC 6265bis §4.1.3.
    #[error("a cookie named __Host-… or __Secure-… needs https")]
    PrefixWithoutSecure,
    /// RFC 6265bis §4.1.1: the name is a token.
    #[error("a cookie name has 1 to 256 letters, digits and - _ . only: {0:?}")]
    Name(String),
    /// The path goes into the header as it is.
    #[error("a cookie path begins with / and has no control characters, spaces or semicolons: {0:?}")]
    Path(String),
    /// The domain goes into the header as it is.
    #[error("a cookie domain is a host name such as example.com: {0:?}")]
    Domain(String),
    /// The route goes into the value as it is, behind a dot.
    #[error("a route has letters, digits and hyphens only: {0:?}")]
    Route(String),
    /// RFC 6265bis §5.6.
    #[error(
        "the cookie would have {0} bytes, browsers keep at most {MAX_COOKIE}: take a shorter name, path or domain"
    )]
    TooLarge(usize),
}

impl CookieSpec {
    /// A cookie for https that no sub-domain can read or write: `__Host-NAME` (RFC 6265bis §4.1.3.2).
    pub fn for_https(name: &str) -> Result<Self, CookieProblem> {
        Self::plain(format!("__Host-{name}"), true).checked()
    }

    /// A cookie for https that is shared with the sub-domains of `domain`: `__Secure-NAME`.
    pub fn for_sub_domains(name: &str, domain: &str) -> Result<Self, CookieProblem> {
        let mut spec = Self::plain(format!("__Secure-{name}"), true);
        spec.domain = Some(domain.trim_start_matches('.').to_ascii_lowercase());
        spec.checked()
    }

    /// A cookie for plain http: for loopback addresses while developing.
    pub fn for_plain_http(name: &str) -> Result<Self, CookieProblem> {
        Self::plain(name.to_owned(), false).checked()
    }

    /// A cookie with exactly this name, domain and path.
    pub fn exactly(
        name: &str,
        domain: Option<&str>,
        path: &str,
        secure: bool,
    ) -> Result<Self, CookieProblem> {
        let mut spec = Self::plain(name.to_owned(), secure);
        spec.domain = domain.map(|domain| domain.trim_start_matches('.').to_ascii_lowercase());
        path.clone_into(&mut spec.path);
        spec.checked()
    }

    /// The same with this `SameSite`; `Lax` unless said.
    pub fn same_site(mut self, same_site: SameSite) -> Result<Self, CookieProblem> {
        self.same_site = same_site;
        self.checked()
    }

    /// The same for scripts to read: for what is no secret.
    #[must_use]
    pub const fn readable(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// The same, kept apart by top-level site (CHIPS).
    pub fn partitioned(mut self, partitioned: bool) -> Result<Self, CookieProblem> {
        self.partitioned = partitioned;
        self.checked()
    }

    /// The same with the name of this node behind every value, `VALUE.ROUTE`: a proxy can send a browser to the node that has its
    /// session. [`find_routed`] reads it.
    pub fn with_route(mut self, route: &str) -> Result<Self, CookieProblem> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if route.is_empty() || !route.chars().all(is_plain) {
            return Err(CookieProblem::Route(route.to_owned()));
        }
        self.route = Some(route.to_owned());
        self.checked()
    }

    fn plain(name: String, secure: bool) -> Self {
        CookieSpec {
            name,
            domain: None,
            path: "/".into(),
            secure,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            route: None,
        }
    }

    fn checked(self) -> Result<Self, CookieProblem> {
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let is_host = self.name.to_ascii_lowercase().starts_with("__host-");
        let is_secure = self.name.to_ascii_lowercase().starts_with("__secure-");
        if self.name.is_empty() || self.name.len() > 256 || !self.name.chars().all(token) {
            return Err(CookieProblem::Name(self.name));
        }
        if !self.path.starts_with('/') || !self.path.chars().all(|c| c.is_ascii_graphic() && c != ';') {
            return Err(CookieProblem::Path(self.path));
        }
        if let Some(domain) = &self.domain
            && (domain.is_empty()
                || !domain.chars().all(host)
                || domain.starts_with('.')
                || domain.ends_with('.'))
        {
            return Err(CookieProblem::Domain(domain.clone()));
        }
        match () {
            () if is_host && self.domain.is_some() => Err(CookieProblem::HostWithDomain),
            () if is_host && self.path != "/" => Err(CookieProblem::HostWithPath),
            () if (is_host || is_secure) && !self.secure => Err(CookieProblem::PrefixWithoutSecure),
            () if self.same_site == SameSite::None && !self.secure => Err(CookieProblem::NoneWithoutSecure),
            () if self.partitioned && !self.secure => Err(CookieProblem::PartitionedWithoutSecure),
            () => {
                match self.text(&"v".repeat(VALUE_ROOM), Some(Duration::from_secs(u64::from(u32::MAX)))).len()
                {
                    size if size > MAX_COOKIE => Err(CookieProblem::TooLarge(size)),
                    _ => Ok(self),
                }
            }
        }
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The domain it is shared with, if it is.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Whether it travels over https only.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// A `Set-Cookie` that gives the cookie this value, until the browser is closed or for `max_age`.
    pub fn set(&self, value: &str, max_age: Option<Duration>) -> Result<HeaderValue, CookieProblem> {
        let text = self.text(value, max_age);
        if text.len() > MAX_COOKIE {
            return Err(CookieProblem::TooLarge(text.len()));
        }
        let mut header = HeaderValue::from_str(&text).map_err(|_| CookieProblem::Name(self.name.clone()))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// A `Set-Cookie` that takes the cookie away.
    pub fn clear(&self) -> Result<HeaderValue, CookieProblem> {
        self.set("", Some(Duration::ZERO))
    }

    fn text(&self, value: &str, max_age: Option<Duration>) -> String {
        let value = match &self.route {
            // A cookie that is taken away leads nowhere.
            Some(route) if !value.is_empty() => format!("{value}.{route}"),
            _ => value.to_owned(),
        };
        let mut cookie = cookie::Cookie::build((self.name.as_str(), value.as_str()))
            .path(self.path.as_str())
            .secure(self.secure)
            .http_only(self.http_only)
            .partitioned(self.partitioned)
            .same_site(match self.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
                SameSite::None => cookie::SameSite::None,
            });
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain.as_str());
        }
        if let Some(age) = max_age {
            let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            cookie = cookie.max_age(cookie::time::Duration::seconds(seconds));
        }
        cookie.build().to_string()
    }
}

impl fmt::Display for CookieSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("…", None))
    }
}

/// What a request holds of one cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// Nothing of that name.
    Nothing,
    /// One value, or several times the same.
    One(&'a [u8]),
    /// Several different values: which one is meant cannot be known.
    Ambiguous,
}

/// Finds the cookie of that exact name in all `Cookie` headers (RFC 6265bis §5.8.3, HTTP/2 may split them).
/// Names are compared byte for byte, so no look-alike counts.
pub fn find<'a>(headers: &'a HeaderMap, name: &str) -> Found<'a> {
    let mut found = Found::Nothing;
    for (own, value) in pairs(headers) {
        if own == name.as_bytes() {
            found = match found {
                Found::Nothing => Found::One(value),
                Found::One(other) if other == value => Found::One(value),
                _ => Found::Ambiguous,
            };
        }
    }
    found
}

/// The same for a cookie that may have a route behind its value, of whichever node: the value without it.
pub fn find_routed<'a>(headers: &'a HeaderMap, name: &str) -> Found<'a> {
    match find(headers, name) {
        Found::One(value) => Found::One(value.split(|byte| *byte == b'.').next().unwrap_or(value)),
        other => other,
    }
}

/// All cookies of a request as name and value, without white space around them and without quotation marks.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = pair.split_at_checked(at)?;
            let value = value.get(1..)?.trim_ascii();
            let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
            Some((name.trim_ascii(), bare))
        })
}

/// Says when an application comes near what browsers keep: they drop cookies silently.
pub fn warn_near_limits(headers: &HeaderMap) {
    let count = pairs(headers).count();
    if count >= MANY_COOKIES * 3 / 4 {
        tracing::warn!(
            count,
            limit = MANY_COOKIES,
            "the browser sends many cookies: some browsers drop the oldest ones"
        );
    }
    if let Some((name, value)) =
        pairs(headers).find(|(name, value)| name.len() + value.len() > MAX_COOKIE * 3 / 4)
    {
        let bytes = name.len() + value.len();
        let name = String::from_utf8_lossy(name);
        tracing::warn!(
            ?name,
            bytes,
            limit = MAX_COOKIE,
            "a cookie is near the size above which browsers drop it"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn impossible_cookies_are_refused() {
        let exactly = CookieSpec::exactly;
        assert_eq!(exactly("__Host-a", Some("example.com"), "/", true), Err(CookieProblem::HostWithDomain));
        assert_eq!(exactly("__host-a", Some("example.com"), "/", true), Err(CookieProblem::HostWithDomain));
        assert_eq!(exactly("__Host-a", None, "/x", true), Err(CookieProblem::HostWithPath));
        assert_eq!(exactly("__Host-a", None, "/", false), Err(CookieProblem::PrefixWithoutSecure));
        assert_eq!(exactly("__Secure-a", None, "/", false), Err(CookieProblem::PrefixWithoutSecure));
        let plain = CookieSpec::for_plain_http("a").unwrap();
        assert_eq!(plain.clone().same_site(SameSite::None), Err(CookieProblem::NoneWithoutSecure));
        assert_eq!(plain.partitioned(true), Err(CookieProblem::PartitionedWithoutSecure));
        for odd in ["", "a b", "a=b", "a;b", "a\nb", "é"] {
            assert!(matches!(CookieSpec::for_plain_http(odd), Err(CookieProblem::Name(_))), "{odd:?}");
        }
        assert!(matches!(exactly("a", None, "/a;b", true), Err(CookieProblem::Path(_))));
        assert!(matches!(exactly("a", Some("a;b"), "/", true), Err(CookieProblem::Domain(_))));
    }

    #[test]
    fn the_size_limit_is_exact() {
        let spec = CookieSpec::for_https("session").unwrap();
        let room = MAX_COOKIE - spec.set("", None).unwrap().len();
        assert_eq!(spec.set(&"v".repeat(room), None).unwrap().len(), MAX_COOKIE);
        assert_eq!(spec.set(&"v".repeat(room + 1), None), Err(CookieProblem::TooLarge(MAX_COOKIE + 1)));
        let long = format!("/{}", "p".repeat(MAX_COOKIE));
        assert!(matches!(CookieSpec::exactly("a", None, &long, true), Err(CookieProblem::TooLarge(_))));
    }

    #[test]
    fn attributes_are_written_as_browsers_want_them() {
        let https = CookieSpec::for_https("session").unwrap();
        let set = https.set("v", Some(Duration::from_secs(60))).unwrap();
        assert_eq!(set, "__Host-session=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        let shared = CookieSpec::for_sub_domains("session", ".Example.com").unwrap();
        let shared = shared.same_site(SameSite::None).unwrap().partitioned(true).unwrap();
        let set = shared.clear().unwrap();
        assert_eq!(
            set,
            "__Secure-session=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Domain=example.com; Max-Age=0"
        );
    }

    #[test]
    fn cookies_are_found_by_exact_name_and_never_guessed() {
        let found = headers(&["a=1; b=2", "c=\"3\"; a=1;  Session=x; session =y; d"]);
        assert_eq!(find(&found, "a"), Found::One(b"1"));
        assert_eq!(find(&found, "c"), Found::One(b"3"));
        assert_eq!(find(&found, "session"), Found::One(b"y"));
        assert_eq!(find(&found, "d"), Found::Nothing);
        assert_eq!(find(&headers(&["a=1; a=2"]), "a"), Found::Ambiguous);
        assert_eq!(find(&headers(&["a=1", "a=2"]), "a"), Found::Ambiguous);
    }

    #[test]
    fn a_route_stands_behind_the_value_and_is_not_part_of_it() {
        let routed = CookieSpec::for_https("session").unwrap().with_route("node-A1").unwrap();
        assert!(routed.set("v", None).unwrap().to_str().unwrap().starts_with("__Host-session=v.node-A1; "));
        assert!(routed.clear().unwrap().to_str().unwrap().starts_with("__Host-session=; "));
        for (line, value) in
            [("a=v.node-A1", &b"v"[..]), ("a=v", b"v"), ("a=v.", b"v"), ("a=.x", b""), ("a=v.b.c", b"v")]
        {
            assert_eq!(find_routed(&headers(&[line]), "a"), Found::One(value), "{line}");
        }
        assert_eq!(find_routed(&headers(&["a=v.b", "a=v.c"]), "a"), Found::Ambiguous);
        for odd in ["", "a.b", "a;b", "ä"] {
            let spec = CookieSpec::for_https("session").unwrap();
            assert_eq!(spec.with_route(odd), Err(CookieProblem::Route(odd.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(line: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let map: HeaderMap = std::iter::once((COOKIE, value)).collect();
                for (name, value) in pairs(&map) {
                    prop_assert!(!name.contains(&b';') && !value.contains(&b';'));
                }
                find(&map, "a");
            }
        }
    }
}
