//! Addresses: sockets to listen on, and the origin that browsers see.

use std::fmt;
use std::net::SocketAddr;

use url::{Host, Url};

use crate::config::definition::Scalar;

impl Scalar for SocketAddr {
    const KIND: &'static str = "an address to listen on";

    fn allowed() -> String {
        "an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\"".to_owned()
    }

    fn brief() -> String {
        "IP address and port".to_owned()
    }

    fn parse(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| "is not an address to listen on".to_owned())
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

/// The origin of a site: `https://login.example.com`, without path, query, fragment and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl(Url);

impl SiteUrl {
    /// The address, with `/` as its path.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl Scalar for SiteUrl {
    const KIND: &'static str = "an address of a site";

    fn allowed() -> String {
        "scheme, host and port of a site such as \"https://login.example.com\"".to_owned()
    }

    fn brief() -> String {
        "scheme, host and port".to_owned()
    }

    fn parse(text: &str) -> Result<SiteUrl, String> {
        // The parser of browsers repairs a lot; an address that needs repair is no address here.
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("https://") && !lower.starts_with("http://") {
            return Err("does not begin with https:// or http://".to_owned());
        }
        if text.contains(|one: char| one.is_whitespace() || one.is_control() || one == '\\') {
            return Err("has a blank or a backslash in it".to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("is not an address of a site ({error})"))?;
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || host.ends_with('.') || lower.contains(":///") {
            return Err("has no host, or one that ends with a dot".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err("has a user in it".to_owned());
        }
        if text.contains('?') || text.contains('#') {
            return Err("has a query or a fragment".to_owned());
        }
        if url.path() != "/" {
            return Err("has a path".to_owned());
        }
        Ok(SiteUrl(url))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The origin of a server that listens on this address and has no other name.
pub(in crate::config) fn site_of(bound: SocketAddr, tls: bool) -> Url {
    let scheme = if tls { "https" } else { "http" };
    // Without the scope of a link-local address, which has no place in a URL.
    let address = SocketAddr::new(bound.ip(), bound.port());
    match Url::parse(&format!("{scheme}://{address}/")) {
        Ok(url) => url,
        Err(error) => unreachable!("an IP address and a port are the host of a URL: {error}"),
    }
}

/// Whether only this machine can be meant: `localhost`, a name below it, `127.0.0.0/8` or `[::1]`. Browsers
/// treat such an origin as secure without https.
pub(in crate::config) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_and_written_in_its_canonical_form() {
        let pairs = [
            ("https://login.example.com", "https://login.example.com"),
            ("https://login.example.com/", "https://login.example.com"),
            ("HTTPS://Login.Example.com:443", "https://login.example.com"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ];
        for (text, shown) in pairs {
            assert_eq!(SiteUrl::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn more_than_an_origin_is_refused() {
        let pairs = [
            ("login.example.com", "does not begin"),
            ("ftp://login.example.com", "does not begin"),
            ("https:login.example.com", "does not begin"),
            ("https:///login.example.com", "has no host"),
            ("https://login.example.com.", "has no host, or one that ends with a dot"),
            ("https://", "is not an address"),
            ("https://login example.com", "has a blank"),
            ("https://login.example.com\\x", "has a blank or a backslash"),
            ("https://login.example.com:99999", "is not an address"),
            ("https://me@login.example.com", "has a user"),
            ("https://@login.example.com", "has a user"),
            ("https://login.example.com/sso", "has a path"),
            ("https://login.example.com/?a", "has a query"),
            ("https://login.example.com?", "has a query"),
            ("https://login.example.com/#", "has a query or a fragment"),
        ];
        for (text, reason) in pairs {
            let error = SiteUrl::parse(text).unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn every_socket_address_has_an_origin() {
        let cases = [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080/"),
            ("0.0.0.0:80", false, "http://0.0.0.0/"),
            ("[::1]:443", true, "https://[::1]/"),
            ("[fe80::1%3]:0", false, "http://[fe80::1]:0/"),
            ("[::ffff:1.2.3.4]:65535", false, "http://[::ffff:102:304]:65535/"),
        ];
        for (address, tls, url) in cases {
            assert_eq!(site_of(address.parse().unwrap(), tls).as_str(), url, "{address}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        let local = ["localhost", "a.localhost", "127.0.0.1", "127.255.0.1", "[::1]", "localhost:8080"];
        let other =
            ["localhost.example.com", "mylocalhost", "128.0.0.1", "0.0.0.0", "[::]", "[::2]", "10.0.0.1"];
        for (hosts, expected) in [(local.as_slice(), true), (other.as_slice(), false)] {
            for host in hosts {
                let url = Url::parse(&format!("http://{host}")).unwrap();
                assert_eq!(is_loopback(&url), expected, "{host}");
            }
        }
    }
}
