//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::definition::Scalar;

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether the address lies in this network. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`, as
    /// sockets open to both kinds report it) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The network.
    pub fn network(&self) -> IpNet {
        self.0
    }
}

impl Scalar for Cidr {
    const KIND: &'static str = "a network";

    fn allowed() -> String {
        "an IP address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"".to_owned()
    }

    fn brief() -> String {
        "network".to_owned()
    }

    fn parse(text: &str) -> Result<Cidr, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Cidr(IpNet::from(address.to_canonical())));
        }
        let network: IpNet = text.parse().map_err(|_| "is not a network".to_owned())?;
        if network.trunc() != network {
            return Err(format!("has address bits behind its prefix (the network is {})", network.trunc()));
        }
        Ok(Cidr(network))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_in_both_spellings() {
        let private = Cidr::parse("10.0.0.0/8").unwrap();
        for (address, inside) in [("10.0.0.0", true), ("10.255.255.255", true), ("11.0.0.0", false)] {
            assert_eq!(private.contains(address.parse().unwrap()), inside, "{address}");
            assert_eq!(private.contains(format!("::ffff:{address}").parse().unwrap()), inside, "{address}");
        }
        assert_eq!(Cidr::parse("::1").unwrap().to_string(), "::1/128");
        assert_eq!(Cidr::parse("::ffff:10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.1:80", "[::1]"] {
            assert_eq!(Cidr::parse(text).unwrap_err(), "is not a network", "{text:?}");
        }
        let reason = Cidr::parse("10.0.0.5/8").unwrap_err();
        assert_eq!(reason, "has address bits behind its prefix (the network is 10.0.0.0/8)");
    }
}
