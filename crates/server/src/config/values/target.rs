//! Servers that may be asked though they are no public ones: `localhost:8443`, `http://[::1]:8080`.

use std::fmt;
use std::net::IpAddr;

use gateward_kernel::reach::{Reach, reach};
use url::{Host, Origin, Url};

use super::host::{check_name, name_and_port};
use crate::config::definition::Scalar;

/// A host with its port, reached by https, or by plain http where that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutboundTarget {
    is_plain: bool,
    host: Host<String>,
    port: u16,
}

impl OutboundTarget {
    /// Whether this address is on exactly this host and port, by the scheme that is meant.
    pub fn covers(&self, url: &Url) -> bool {
        let scheme = if self.is_plain { "http" } else { "https" };
        url.scheme() == scheme
            && url.host().is_some_and(|host| host == self.host)
            && url.port_or_known_default() == Some(self.port)
    }

    /// What it is an exception for, where that is plain http.
    pub fn plain_origin(&self) -> Option<Origin> {
        self.is_plain.then(|| Origin::Tuple("http".to_owned(), self.host.clone(), self.port))
    }
}

impl Scalar for OutboundTarget {
    const KIND: &'static str = "a host with a port";

    fn allowed() -> String {
        "a host and a port such as \"app.test:8443\" or \"127.0.0.1:8443\", for plain http with http:// before it"
            .to_owned()
    }

    fn brief() -> String {
        "host:port, or http://host:port".to_owned()
    }

    fn parse(text: &str) -> Result<OutboundTarget, String> {
        let (is_plain, rest) = match text.strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, port) = name_and_port(rest)?;
        check_name(name)?;
        let port = port.ok_or("has no port")?;
        let host = Host::parse(name).map_err(|_| "is not a host name")?;
        let address = match &host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        };
        if address.is_some_and(|address| reach(address) == Reach::Never) {
            return Err("is an address that is never asked".to_owned());
        }
        Ok(OutboundTarget { is_plain, host, port })
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for OutboundTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}:{}", if self.is_plain { "http://" } else { "" }, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_one_host_one_port_and_one_scheme() {
        let cases = [
            ("localhost:8443", "https://localhost:8443/x", true),
            ("localhost:8443", "https://LOCALHOST:8443", true),
            ("localhost:8443", "http://localhost:8443/", false),
            ("localhost:8443", "https://localhost:8444/", false),
            ("localhost:8443", "https://localhost/", false),
            ("localhost:8443", "https://localhost.:8443/", false),
            ("localhost:8443", "https://a.localhost:8443/", false),
            ("localhost:8443", "https://127.0.0.1:8443/", false),
            ("localhost:443", "https://localhost/", true),
            ("http://localhost:80", "http://localhost/", true),
            ("http://localhost:80", "https://localhost:80/", false),
            ("127.0.0.1:8443", "https://0x7f.1:8443/", true),
            ("127.0.0.1:8443", "https://[::ffff:127.0.0.1]:8443/", false),
            ("[::1]:8443", "https://[0:0::1]:8443/", true),
        ];
        for (text, url, covered) in cases {
            let target = OutboundTarget::parse(text).unwrap();
            assert_eq!(target.covers(&Url::parse(url).unwrap()), covered, "{text} {url}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_told_why() {
        let cases = [
            ("", "is not a host name"),
            ("localhost", "has no port"),
            ("http://localhost", "has no port"),
            ("https://localhost:8443", "is an address with a scheme or a path, not a host"),
            ("localhost:0", "has a wrong port"),
            ("localhost:65536", "has a wrong port"),
            ("localhost:8443/", "has a wrong port"),
            ("localhost.:8443", "is not a host name"),
            ("Localhost:8443", "has capitals in it"),
            ("*.example.com:8443", "is not a host name"),
            ("me@localhost:8443", "is not a host name"),
            ("0x7f.1:8443", "is not a host name"),
            ("::1:8443", "has a wrong port"),
            ("[fe80::1%25eth0]:8443", "is not an IPv6 address in its shortest form"),
            ("169.254.169.254:80", "is an address that is never asked"),
            ("http://100.100.100.200:80", "is an address that is never asked"),
            ("[::ffff:127.0.0.1]:80", "is an address that is never asked"),
            ("0.0.0.0:8443", "is an address that is never asked"),
        ];
        for (text, reason) in cases {
            assert_eq!(OutboundTarget::parse(text).unwrap_err(), reason, "{text:?}");
        }
        assert!(
            OutboundTarget::parse("localhost:1").is_ok() && OutboundTarget::parse("localhost:65535").is_ok()
        );
    }
}
