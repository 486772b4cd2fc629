//! Who may be asked: decided on the address as it is written, and again on every address its name resolves to.

use std::net::IpAddr;

use gateward_kernel::reach::{Reach, reach};
use url::{Host, Url};

use crate::config::OutboundTarget;

/// Below it only the port of https is asked: the others belong to services that are no web servers.
const FIRST_FREE_PORT: u16 = 1024;
const HTTPS: u16 = 443;

/// Why an address is not asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Forbidden {
    /// It is not https.
    #[error("only https is asked")]
    Scheme,
    /// There is a user or a password in it.
    #[error("there is a user name in the address")]
    User,
    /// It names this machine, is no full name, or ends with a dot.
    #[error("the host is no public name")]
    Host,
    /// The port is one of those that belong to other services.
    #[error("the port is neither {HTTPS} nor at least {FIRST_FREE_PORT}")]
    Port,
    /// It is, or resolves to, an address that is not of the public Internet.
    #[error("the host is at no public address")]
    Address,
}

/// Where one request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    is_exception: bool,
}

impl Target {
    /// Judges an address as it is written. The parser of URLs has already made one spelling of all (decimal, octal and
    /// hexadecimal numbers, capitals, full-width letters), and refused zones of IPv6.
    pub(super) fn of(url: &Url, exceptions: &[OutboundTarget]) -> Result<Self, Forbidden> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::User);
        }
        let is_exception = exceptions.iter().any(|exception| exception.covers(url));
        let is_tls = url.scheme() == "https";
        if !is_tls && !is_exception {
            return Err(Forbidden::Scheme);
        }
        let host = url.host().ok_or(Forbidden::Host)?.to_owned();
        let port = url.port_or_known_default().ok_or(Forbidden::Port)?;
        if !is_exception {
            may_be_public(&host)?;
            if port != HTTPS && port < FIRST_FREE_PORT {
                return Err(Forbidden::Port);
            }
        }
        Ok(Target { host, port, is_tls, is_exception })
    }

    /// Judges what the host resolves to: one bad address among good ones is an attempt, and none is asked.
    pub(super) fn judge(&self, addresses: &[IpAddr]) -> Result<(), Forbidden> {
        let may = |address: &IpAddr| match reach(*address) {
            Reach::Public => true,
            Reach::Local => self.is_exception,
            Reach::Never => false,
        };
        if addresses.iter().all(may) { Ok(()) } else { Err(Forbidden::Address) }
    }
}

fn may_be_public(host: &Host<String>) -> Result<(), Forbidden> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(name) => {
            let is_full = name.contains('.') && !name.ends_with('.') && !name.starts_with('.');
            let is_here = name.ends_with(".localhost");
            return if is_full && !is_here { Ok(()) } else { Err(Forbidden::Host) };
        }
    };
    if reach(address) == Reach::Public { Ok(()) } else { Err(Forbidden::Address) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileText, Sources, load};

    fn exceptions(list: &str) -> Vec<OutboundTarget> {
        let text = format!("[outbound]\nallow = {list}");
        let file = Some(FileText { name: "test.toml".into(), text });
        load(&Sources { file, ..Sources::default() }).unwrap().settings.outbound.allow
    }

    fn judged(address: &str, exceptions: &[OutboundTarget]) -> Result<Target, Forbidden> {
        Target::of(&Url::parse(address).unwrap_or_else(|_| panic!("{address}")), exceptions)
    }

    #[test]
    fn what_is_public_by_https_is_asked() {
        for address in [
            "https://app.example.com/jwks?x=1",
            "https://app.example.com:443/",
            "https://app.example.com:1024/",
            "https://app.example.com:65535/",
            "https://localhost.example.com/",
            "https://xn--bcher-kva.example/",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]:8443/",
        ] {
            assert!(judged(address, &[]).is_ok(), "{address}");
        }
    }

    #[test]
    fn no_spelling_of_this_machine_and_its_neighbours_is_asked() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7F.0.0.1",
            "017700000001",
            "0177.0.0.01",
            "127.0.0.1.",
            "1%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "012.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "2852039166",
            "0xA9FEA9FE",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:8.8.8.8]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::10.0.0.1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[ff02::1]",
        ] {
            let found = judged(&format!("https://{host}/"), &[]);
            assert_eq!(found, Err(Forbidden::Address), "{host}");
        }
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "loc%61lhost",
            "a.localhost",
            "a.localhost.",
            "\u{24db}ocalhost",
            "router",
            "metadata",
            "app.example.com.",
            "com.",
            ".com",
        ] {
            let found = judged(&format!("https://{host}/"), &[]);
            assert_eq!(found, Err(Forbidden::Host), "{host}");
        }
    }

    #[test]
    fn zones_and_broken_hosts_are_no_addresses_at_all() {
        for host in
            ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "::1", "256.0.0.1", "1.2.3.4.5", "0x1ffffffff"]
        {
            assert!(Url::parse(&format!("https://{host}/")).is_err(), "{host}");
        }
    }

    #[test]
    fn schemes_users_and_ports_of_others_are_refused() {
        for (address, reason) in [
            ("http://app.example.com/", Forbidden::Scheme),
            ("http://app.example.com:443/", Forbidden::Scheme),
            ("ftp://app.example.com/", Forbidden::Scheme),
            ("file:///etc/passwd", Forbidden::Scheme),
            ("data:text/plain,x", Forbidden::Scheme),
            ("gopher://app.example.com:443/", Forbidden::Scheme),
            ("https://me@app.example.com/", Forbidden::User),
            ("https://me:word@app.example.com/", Forbidden::User),
            ("https://:word@app.example.com/", Forbidden::User),
            ("https://app.example.com:0/", Forbidden::Port),
            ("https://app.example.com:22/", Forbidden::Port),
            ("https://app.example.com:25/", Forbidden::Port),
            ("https://app.example.com:80/", Forbidden::Port),
            ("https://app.example.com:442/", Forbidden::Port),
            ("https://app.example.com:444/", Forbidden::Port),
            ("https://app.example.com:1023/", Forbidden::Port),
        ] {
            assert_eq!(judged(address, &[]), Err(reason), "{address}");
        }
    }

    #[test]
    fn an_exception_is_one_host_and_one_port_and_reaches_neighbours_only() {
        let exceptions = exceptions("['localhost:8443', 'http://127.0.0.1:81', 'intra:22']");
        for (address, may) in [
            ("https://localhost:8443/x", true),
            ("https://localhost:8444/x", false),
            ("http://localhost:8443/x", false),
            ("https://localhost.:8443/x", false),
            ("https://127.0.0.1:8443/x", false),
            ("https://me@localhost:8443/x", false),
            ("http://127.0.0.1:81/x", true),
            ("http://2130706433:81/x", true),
            ("http://127.0.0.1:82/x", false),
            ("http://127.0.0.2:81/x", false),
            ("http://[::ffff:127.0.0.1]:81/x", false),
            ("https://intra:22/", true),
            ("https://intra/", false),
        ] {
            assert_eq!(judged(address, &exceptions).is_ok(), may, "{address}");
        }
        let target = judged("https://localhost:8443/", &exceptions).unwrap();
        let judge = |texts: &[&str]| {
            let addresses: Vec<IpAddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
            target.judge(&addresses)
        };
        assert_eq!(judge(&["127.0.0.1", "::1", "10.0.0.1", "1.1.1.1"]), Ok(()));
        for never in
            ["169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1", "fd00:ec2::254", "224.0.0.1"]
        {
            assert_eq!(judge(&["127.0.0.1", never]), Err(Forbidden::Address), "{never}");
        }
    }

    #[test]
    fn one_bad_address_among_good_ones_spoils_them_all() {
        let target = judged("https://app.example.com/", &[]).unwrap();
        let [good, bad]: [IpAddr; 2] = ["1.1.1.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(target.judge(&[good]), Ok(()));
        for addresses in [vec![bad], vec![good, bad], vec![bad, good]] {
            assert_eq!(target.judge(&addresses), Err(Forbidden::Address), "{addresses:?}");
        }
    }
}
