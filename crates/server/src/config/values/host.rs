//! Names of hosts: of protected apps, of cookies, and with a path behind.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::normalised;
use crate::config::definition::Scalar;

/// The host of a protected app: `wiki.example.com`, `wiki.example.com:8443`, or every name one label below
/// another: `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    wildcard: bool,
    /// Without the `*.`; an IPv6 address in brackets.
    name: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether a request to this host (lower case, an IPv6 address in brackets) and port is meant. A pattern
    /// without a port stands for every port.
    pub fn matches(&self, host: &str, port: Option<u16>) -> bool {
        let name_matches = if self.wildcard {
            let label = host.strip_suffix(&self.name).and_then(|rest| rest.strip_suffix('.'));
            label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
        } else {
            host == self.name
        };
        name_matches && (self.port.is_none() || self.port == port)
    }

    /// Whether this stands for every name below another.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The name, without `*.` and port; an IPv6 address in brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, if only one is meant.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl Scalar for HostPattern {
    const KIND: &'static str = "a host";

    fn allowed() -> String {
        let examples = "\"wiki.example.com\", \"wiki.example.com:8443\" or \"*.example.com\"";
        format!("a host name in lower case such as {examples}")
    }

    fn brief() -> String {
        "host".to_owned()
    }

    fn parse(text: &str) -> Result<HostPattern, String> {
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, port) = name_and_port(rest)?;
        check_name(name)?;
        if wildcard && (is_address(name) || (!name.contains('.') && name != "localhost")) {
            return Err(
                "stands for too much: a wildcard needs a name of at least two labels behind it".to_owned()
            );
        }
        Ok(HostPattern { wildcard, name: name.to_owned(), port })
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", if self.wildcard { "*." } else { "" }, self.name)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// A host and what lies below a path of it: `legacy.example.com/app`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPath {
    host: HostPattern,
    path: String,
}

impl HostPath {
    /// The host.
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// Whether a request is meant: to this host, for this path or one below it. `/app` does not stand for
    /// `/apple`.
    pub fn covers(&self, host: &str, port: Option<u16>, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.trim_end_matches('/'));
        self.host.matches(host, port) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Scalar for HostPath {
    const KIND: &'static str = "a host with a path";

    fn allowed() -> String {
        "a host name in lower case, with or without a path, such as \"legacy.example.com/app\"".to_owned()
    }

    fn brief() -> String {
        "host, or host with path".to_owned()
    }

    fn parse(text: &str) -> Result<HostPath, String> {
        let (host, path) = match text.find('/').and_then(|slash| text.split_at_checked(slash)) {
            Some((host, path)) => (host, path),
            None => (text, "/"),
        };
        let host = HostPattern::parse(host)?;
        if host.wildcard {
            return Err("has a wildcard; name each host".to_owned());
        }
        normalised(path)?;
        if path.contains('*') {
            return Err("has a star in it".to_owned());
        }
        Ok(HostPath { host, path: path.to_owned() })
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.host, if self.path == "/" { "" } else { &self.path })
    }
}

/// The `Domain` of a cookie: `example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CookieDomain(String);

impl CookieDomain {
    /// The name, in lower case, without a leading dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers accept a cookie of this domain from `host`, and send it there.
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(&self.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl Scalar for CookieDomain {
    const KIND: &'static str = "a cookie domain";

    fn allowed() -> String {
        "the domain that the sites have in common such as \"example.com\"".to_owned()
    }

    fn brief() -> String {
        "domain".to_owned()
    }

    fn parse(text: &str) -> Result<CookieDomain, String> {
        if text.starts_with('.') {
            return Err("begins with a dot".to_owned());
        }
        check_name(text)?;
        if is_address(text) {
            return Err("is an IP address, which has no sub-domains".to_owned());
        }
        if !text.contains('.') {
            return Err("is a single label, which browsers refuse".to_owned());
        }
        Ok(CookieDomain(text.to_owned()))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.0.clone())
    }
}

pub(super) fn name_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    // The colons inside the brackets of an IPv6 address are not before a port.
    let behind_bracket = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = text.get(behind_bracket..).and_then(|rest| rest.find(':')).map(|at| at + behind_bracket);
    let Some((name, port)) = colon.and_then(|colon| text.split_at_checked(colon)) else {
        return Ok((text, None));
    };
    if port.starts_with("://") {
        return Err("is an address with a scheme or a path, not a host".to_owned());
    }
    let digits = port.trim_start_matches(':');
    match digits.parse::<u16>() {
        Ok(number) if number != 0 && !digits.starts_with(['0', '+']) => Ok((name, Some(number))),
        _ => Err("has a wrong port".to_owned()),
    }
}

/// A DNS name in lower case, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("has capitals in it".to_owned());
    }
    if name.starts_with('[') {
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
        let canonical = address.is_some_and(|address| format!("[{address}]") == name);
        return if canonical {
            Ok(())
        } else {
            Err("is not an IPv6 address in its shortest form".to_owned())
        };
    }
    if !name.is_ascii() {
        return Err("is not ASCII; write international names in their xn-- form".to_owned());
    }
    let label = |label: &str| {
        let letters =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    let numeric_end =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    // A name that ends with a number is read as an IPv4 address by browsers, and as a name by others.
    if name.len() > 253 || !name.split('.').all(label) || (numeric_end && !is_address(name)) {
        return Err("is not a host name".to_owned());
    }
    Ok(())
}

fn is_address(name: &str) -> bool {
    name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_host_and_nothing_like_it() {
        let pattern = |text: &str| HostPattern::parse(text).unwrap();
        let cases = [
            ("wiki.example.com", "wiki.example.com", None, true),
            ("wiki.example.com", "wiki.example.com", Some(8443), true),
            ("wiki.example.com", "xwiki.example.com", None, false),
            ("wiki.example.com:8443", "wiki.example.com", Some(8443), true),
            ("wiki.example.com:8443", "wiki.example.com", Some(443), false),
            ("wiki.example.com:8443", "wiki.example.com", None, false),
            ("*.example.com", "wiki.example.com", None, true),
            ("*.example.com", "example.com", None, false),
            ("*.example.com", ".example.com", None, false),
            ("*.example.com", "a.b.example.com", None, false),
            ("*.example.com", "wikiexample.com", None, false),
            ("*.example.com:8443", "wiki.example.com", Some(8443), true),
            ("[::1]:8080", "[::1]", Some(8080), true),
        ];
        for (text, host, port, expected) in cases {
            assert_eq!(pattern(text).matches(host, port), expected, "{text} {host} {port:?}");
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn hosts_are_written_in_one_way() {
        let cases = [
            ("", "is not a host name"),
            ("Wiki.example.com", "has capitals in it"),
            ("wiki..example.com", "is not a host name"),
            ("wiki.example.com.", "is not a host name"),
            ("-wiki.example.com", "is not a host name"),
            ("wi_ki.example.com", "is not a host name"),
            ("https://wiki.example.com", "is an address with a scheme or a path, not a host"),
            ("wiki.example.com/x", "is not a host name"),
            ("wiki.example.com:0", "has a wrong port"),
            ("wiki.example.com:080", "has a wrong port"),
            ("wiki.example.com:", "has a wrong port"),
            ("wiki.example.com:65536", "has a wrong port"),
            ("bücher.example", "is not ASCII; write international names in their xn-- form"),
            ("1.2.3", "is not a host name"),
            ("[::0]", "is not an IPv6 address in its shortest form"),
            ("[::1", "is not an IPv6 address in its shortest form"),
            ("*.com", "stands for too much: a wildcard needs a name of at least two labels behind it"),
            ("*.10.0.0.1", "stands for too much: a wildcard needs a name of at least two labels behind it"),
            ("*", "is not a host name"),
            ("a.*.example.com", "is not a host name"),
        ];
        for (text, reason) in cases {
            assert_eq!(HostPattern::parse(text).unwrap_err(), reason, "{text:?}");
        }
        let label = "a".repeat(63);
        assert!(HostPattern::parse(&format!("{label}.example")).is_ok());
        assert!(HostPattern::parse(&format!("{label}a.example")).is_err());
    }

    #[test]
    fn a_host_with_a_path_covers_what_is_below_it() {
        let app = HostPath::parse("legacy.example.com/app").unwrap();
        for (path, expected) in
            [("/app", true), ("/app/", true), ("/app/x", true), ("/apple", false), ("/", false)]
        {
            assert_eq!(app.covers("legacy.example.com", None, path), expected, "{path}");
        }
        assert!(!app.covers("other.example.com", None, "/app"));
        let whole = HostPath::parse("legacy.example.com").unwrap();
        assert!(
            whole.covers("legacy.example.com", Some(8443), "/x") && whole.to_string() == "legacy.example.com"
        );
        for text in ["*.example.com/app", "legacy.example.com/a/../b", "legacy.example.com/*", "/app", ""] {
            assert!(HostPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_cookie_domain_is_a_parent_with_two_labels() {
        let domain = CookieDomain::parse("example.com").unwrap();
        for (host, expected) in [("example.com", true), ("a.b.example.com", true), ("badexample.com", false)]
        {
            assert_eq!(domain.covers(host), expected, "{host}");
        }
        let cases = [
            (".example.com", "begins with a dot"),
            ("com", "is a single label, which browsers refuse"),
            ("localhost", "is a single label, which browsers refuse"),
            ("10.0.0.1", "is an IP address, which has no sub-domains"),
            ("[::1]", "is an IP address, which has no sub-domains"),
            ("Example.com", "has capitals in it"),
            ("example.com:80", "is not a host name"),
        ];
        for (text, reason) in cases {
            assert_eq!(CookieDomain::parse(text).unwrap_err(), reason, "{text:?}");
        }
    }
}
