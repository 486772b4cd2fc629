//! Redirect URIs: odd ones are refused at registration, and then they are compared as exact strings (RFC 9700 §2.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

/// The longest one, in bytes.
const LONGEST: usize = 2048;

/// Why a text cannot be registered as a redirect URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotARedirectUri {
    /// It is longer than 2048 bytes, or empty.
    #[error("a redirect URI has 1 to {LONGEST} bytes")]
    Length,
    /// It holds a space, a control character, a backslash, a wildcard, or something else than ASCII.
    #[error(
        "a redirect URI has no spaces, control characters, backslashes, wildcards or letters beyond ASCII"
    )]
    Character,
    /// It is no absolute URI.
    #[error("a redirect URI is absolute, with a scheme")]
    Relative,
    /// It has a fragment (RFC 6749 §3.1.2).
    #[error("a redirect URI has no fragment (RFC 6749, section 3.1.2)")]
    Fragment,
    /// It holds a name or password.
    #[error("a redirect URI names no user")]
    UserInfo,
    /// Its path holds `.` or `..`, plain or encoded.
    #[error("a redirect URI has no dot segments")]
    DotSegment,
    /// Its scheme is one that a browser executes or that names no place.
    #[error(
        "a redirect URI leads to https, to http on this machine, or to an app's own scheme such as com.example.app:/back"
    )]
    Scheme,
    /// Plain http to another machine.
    #[error("plain http is for loopback addresses only: 127.0.0.1, [::1]; or localhost for development")]
    PlainHttp,
}

/// A redirect URI that may be registered. Kept exactly as it was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RedirectUri(Box<str>);

impl RedirectUri {
    /// Reads one for registration.
    pub fn read(text: &str) -> Result<Self, NotARedirectUri> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(NotARedirectUri::Length);
        }
        let odd = |c: char| {
            !c.is_ascii_graphic() || matches!(c, '\\' | '*' | '<' | '>' | '"' | '`' | '{' | '}' | '|' | '^')
        };
        if text.chars().any(odd) {
            return Err(NotARedirectUri::Character);
        }
        if text.contains('#') {
            return Err(NotARedirectUri::Fragment);
        }
        let url = Url::parse(text).map_err(|_| NotARedirectUri::Relative)?;
        if !url.username().is_empty() || url.password().is_some() || authority_of(text).contains('@') {
            return Err(NotARedirectUri::UserInfo);
        }
        if has_dot_segment(text) {
            return Err(NotARedirectUri::DotSegment);
        }
        match url.scheme() {
            "https" if url.host().is_some() => {}
            "http" if is_this_machine(&url) => {}
            "http" => return Err(NotARedirectUri::PlainHttp),
            // An app's own scheme is a reversed domain name (RFC 8252 §7.1), which leaves no room for what a browser knows.
            own if own.contains('.') => {}
            _ => return Err(NotARedirectUri::Scheme),
        }
        Ok(RedirectUri(text.into()))
    }

    /// Whether a request may name this one: the exact string, but for the port of a loopback address, which native apps
    /// choose anew each time (RFC 8252 §7.3).
    pub fn admits(&self, asked: &str) -> bool {
        if *self.0 == *asked {
            return true;
        }
        let (Some(own), Some(other)) = (Loopback::read(&self.0), Loopback::read(asked)) else { return false };
        own == other
    }

    /// Whether it leads to an app's own scheme or to this machine: nothing proves that what answers there is the client, so
    /// it is never agreed to silently (RFC 8252 §8.6).
    pub fn is_native(&self) -> bool {
        !self.0.starts_with("https:")
    }

    /// Whether its scheme is an app's own, which may begin like one of the web's: `http.example.app:/back`.
    pub fn has_own_scheme(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| !matches!(url.scheme(), "https" | "http"))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A loopback address without its port.
#[derive(PartialEq, Eq)]
struct Loopback<'a> {
    host: &'a str,
    rest: &'a str,
}

impl<'a> Loopback<'a> {
    /// Only addresses; `localhost` is a name, which may lead elsewhere (RFC 8252 §8.3).
    fn read(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
        let rest = rest.get(host.len()..)?;
        let rest = match rest.strip_prefix(':') {
            Some(port) => {
                let end = port.find(['/', '?']).unwrap_or(port.len());
                let (port, rest) = port.split_at(end);
                port.parse::<u16>().ok().filter(|_| !port.starts_with('+'))?;
                rest
            }
            None => rest,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(Loopback { host, rest })
    }
}

fn authority_of(text: &str) -> &str {
    let after = text.split_once("//").map_or("", |(_, rest)| rest);
    after.split(['/', '?']).next().unwrap_or_default()
}

fn has_dot_segment(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| segment == "." || segment == "..")
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RedirectUri::read(&std::borrow::Cow::<str>::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example/cb?x=1&y=%20",
            "https://app.example:8443",
            "http://127.0.0.1/cb",
            "http://[::1]:4711/cb",
            "http://localhost:3000/cb",
            "com.example.app:/oauth2redirect",
            "com.example.app://back/here",
        ] {
            assert_eq!(RedirectUri::read(good).map(|uri| uri.to_string()), Ok(good.to_owned()));
        }
        for (odd, why) in [
            ("", NotARedirectUri::Length),
            ("https://app.example/cb#part", NotARedirectUri::Fragment),
            ("https://app.example/#", NotARedirectUri::Fragment),
            ("https://*.example/cb", NotARedirectUri::Character),
            ("https://app.example/\\evil", NotARedirectUri::Character),
            ("https://app.example/a b", NotARedirectUri::Character),
            ("https://app.example/\r\nx", NotARedirectUri::Character),
            ("https://app.exämple/cb", NotARedirectUri::Character),
            ("/cb", NotARedirectUri::Relative),
            ("//app.example/cb", NotARedirectUri::Relative),
            ("https://user@app.example/", NotARedirectUri::UserInfo),
            ("https://user:pw@app.example/", NotARedirectUri::UserInfo),
            ("https://@app.example/", NotARedirectUri::UserInfo),
            ("https://app.example/a/../b", NotARedirectUri::DotSegment),
            ("https://app.example/a/%2e%2E/b", NotARedirectUri::DotSegment),
            ("https://app.example/./b", NotARedirectUri::DotSegment),
            ("javascript:alert(1)", NotARedirectUri::Scheme),
            ("data:text/html,x", NotARedirectUri::Scheme),
            ("vbscript:x", NotARedirectUri::Scheme),
            ("file:///etc/passwd", NotARedirectUri::Scheme),
            ("myapp:/cb", NotARedirectUri::Scheme),
            ("ftp://app.example/", NotARedirectUri::Scheme),
            ("http://app.example/cb", NotARedirectUri::PlainHttp),
            ("http://127.0.0.1.example/cb", NotARedirectUri::PlainHttp),
            ("http://10.0.0.1/cb", NotARedirectUri::PlainHttp),
        ] {
            assert_eq!(RedirectUri::read(odd), Err(why), "{odd}");
        }
        let long = |length: usize| format!("https://a.example/{}", "x".repeat(length - 18));
        assert!(RedirectUri::read(&long(LONGEST)).is_ok());
        assert_eq!(RedirectUri::read(&long(LONGEST + 1)), Err(NotARedirectUri::Length));
    }

    #[test]
    fn compared_as_exact_strings() {
        let one = RedirectUri::read("https://app.example/cb?x=1").unwrap();
        assert!(one.admits("https://app.example/cb?x=1"));
        for other in [
            "https://app.example/cb",
            "https://app.example/cb?x=1&y=2",
            "https://app.example/cb?x=2",
            "https://app.example/CB?x=1",
            "https://APP.example/cb?x=1",
            "https://app.example:443/cb?x=1",
            "https://app.example/cb/?x=1",
            "http://app.example/cb?x=1",
            "https://app.example/cb?x=1#",
            "",
        ] {
            assert!(!one.admits(other), "{other}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let one = RedirectUri::read("http://127.0.0.1/cb").unwrap();
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb"] {
            assert!(one.admits(same), "{same}");
        }
        for other in [
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:80",
            "http://127.0.0.1:80/cb/",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.2/cb",
            "http://localhost/cb",
            "http://[::1]/cb",
            "https://127.0.0.1/cb",
        ] {
            assert!(!one.admits(other), "{other}");
        }
        let named = RedirectUri::read("http://localhost:3000/cb").unwrap();
        assert!(!named.admits("http://localhost:3001/cb"));
    }
}
