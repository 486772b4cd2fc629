//! Where an address of the network leads: to the public Internet, to this machine and its neighbours, or to nothing that
//! a program should ever be sent to by what somebody else wrote down.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To the public Internet.
    Public,
    /// To this machine or into a private network: loopback, RFC 1918, shared address space (RFC 6598) and unique local
    /// addresses (RFC 4193).
    Local,
    /// Nowhere anybody means: link-local, metadata of clouds, multicast, unspecified, reserved, documentation, and IPv6
    /// addresses that stand for IPv4 ones (mapped, compatible, NAT64, 6to4, Teredo, ISATAP), behind which any of these can
    /// hide.
    Never,
}

/// Where this address leads, by the registries of special addresses (RFC 6890 and its successors at IANA).
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let within = |networks: &[V4]| networks.iter().any(|network| network.contains(address));
    match () {
        () if within(&NEVER_V4) => Reach::Never,
        () if within(&LOCAL_V4) => Reach::Local,
        () => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let within = |networks: &[V6]| networks.iter().any(|network| network.contains(address));
    match () {
        () if within(&NEVER_V6) || is_isatap(address) => Reach::Never,
        () if within(&LOCAL_V6) => Reach::Local,
        () if GLOBAL_V6.contains(address) => Reach::Public,
        // All the rest is of no use, or stands for an IPv4 address: ::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48.
        () => Reach::Never,
    }
}

const NEVER_V4: [V4; 12] = [
    V4(Ipv4Addr::new(0, 0, 0, 0), 8),
    // The metadata of Alibaba's cloud, in the middle of what is shared.
    V4(Ipv4Addr::new(100, 100, 100, 200), 32),
    // The wire server of Azure, in the middle of what is public.
    V4(Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local, and the metadata of most clouds.
    V4(Ipv4Addr::new(169, 254, 0, 0), 16),
    // Protocol assignments, and the metadata of Oracle's cloud.
    V4(Ipv4Addr::new(192, 0, 0, 0), 24),
    V4(Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4 (RFC 7526).
    V4(Ipv4Addr::new(192, 88, 99, 0), 24),
    V4(Ipv4Addr::new(198, 18, 0, 0), 15),
    V4(Ipv4Addr::new(198, 51, 100, 0), 24),
    V4(Ipv4Addr::new(203, 0, 113, 0), 24),
    V4(Ipv4Addr::new(224, 0, 0, 0), 4),
    V4(Ipv4Addr::new(240, 0, 0, 0), 4),
];

const LOCAL_V4: [V4; 5] = [
    V4(Ipv4Addr::new(10, 0, 0, 0), 8),
    V4(Ipv4Addr::new(100, 64, 0, 0), 10),
    V4(Ipv4Addr::new(127, 0, 0, 0), 8),
    V4(Ipv4Addr::new(172, 16, 0, 0), 12),
    V4(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// What is handed out as global unicast at all (RFC 4291 §2.4).
const GLOBAL_V6: V6 = V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

const NEVER_V6: [V6; 7] = [
    // Protocol assignments: Teredo, benchmarking, ORCHID.
    V6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    V6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Documentation (RFC 9637).
    V6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // Among the unique local ones, what the clouds of Amazon, Oracle and Google tell their machines.
    V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0, 0), 32),
    V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32),
];

const LOCAL_V6: [V6; 2] = [V6(Ipv6Addr::LOCALHOST, 128), V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)];

/// Whether the lower half names an IPv4 address to be tunnelled to (RFC 5214 §6.1).
fn is_isatap(address: Ipv6Addr) -> bool {
    let middle = (address.to_bits() >> 32) & 0xffff_ffff;
    middle == 0x5efe || middle == 0x0200_5efe
}

/// A network by its first address and the length of its prefix.
struct V4(Ipv4Addr, u32);

impl V4 {
    fn contains(&self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.0.to_bits()).leading_zeros() >= self.1
    }
}

struct V6(Ipv6Addr, u32);

impl V6 {
    fn contains(&self, address: Ipv6Addr) -> bool {
        (address.to_bits() ^ self.0.to_bits()).leading_zeros() >= self.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Reach {
        reach(text.parse().unwrap_or_else(|_| panic!("{text} is an address")))
    }

    /// First and last address of a network, where it leads, and where its neighbours before and behind lead.
    type Edges = (&'static str, &'static str, Reach, Option<Reach>, Option<Reach>);

    fn neighbour(text: &str, ahead: bool) -> IpAddr {
        match text.parse().unwrap() {
            IpAddr::V4(address) => {
                let bits = address.to_bits();
                Ipv4Addr::from_bits(if ahead { bits.wrapping_add(1) } else { bits.wrapping_sub(1) }).into()
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                Ipv6Addr::from_bits(if ahead { bits.wrapping_add(1) } else { bits.wrapping_sub(1) }).into()
            }
        }
    }

    #[test]
    fn every_network_ends_where_it_ends() {
        use Reach::{Local, Never, Public};
        let edges: [Edges; 31] = [
            ("0.0.0.0", "0.255.255.255", Never, None, Some(Public)),
            ("10.0.0.0", "10.255.255.255", Local, Some(Public), Some(Public)),
            ("100.64.0.0", "100.100.100.199", Local, Some(Public), Some(Never)),
            ("100.100.100.200", "100.100.100.200", Never, Some(Local), Some(Local)),
            ("100.100.100.201", "100.127.255.255", Local, Some(Never), Some(Public)),
            ("127.0.0.0", "127.255.255.255", Local, Some(Public), Some(Public)),
            ("168.63.129.16", "168.63.129.16", Never, Some(Public), Some(Public)),
            ("169.254.0.0", "169.254.255.255", Never, Some(Public), Some(Public)),
            ("172.16.0.0", "172.31.255.255", Local, Some(Public), Some(Public)),
            ("192.0.0.0", "192.0.0.255", Never, Some(Public), Some(Public)),
            ("192.0.2.0", "192.0.2.255", Never, Some(Public), Some(Public)),
            ("192.88.99.0", "192.88.99.255", Never, Some(Public), Some(Public)),
            ("192.168.0.0", "192.168.255.255", Local, Some(Public), Some(Public)),
            ("198.18.0.0", "198.19.255.255", Never, Some(Public), Some(Public)),
            ("198.51.100.0", "198.51.100.255", Never, Some(Public), Some(Public)),
            ("203.0.113.0", "203.0.113.255", Never, Some(Public), Some(Public)),
            ("224.0.0.0", "239.255.255.255", Never, Some(Public), Some(Never)),
            ("240.0.0.0", "255.255.255.255", Never, Some(Never), None),
            ("::", "::", Never, None, Some(Local)),
            ("::1", "::1", Local, Some(Never), Some(Never)),
            ("::2", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Local), Some(Public)),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Public), Some(Public)),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Public), Some(Public)),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Public), Some(Public)),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Public), Some(Public)),
            ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Public), Some(Local)),
            ("fc00::", "fd00:c0:ffff:ffff:ffff:ffff:ffff:ffff", Local, Some(Never), Some(Never)),
            ("fd00:c1::", "fd00:c1:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Local), Some(Local)),
            ("fd00:ec2::", "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Local), Some(Local)),
            ("fd20:ce::", "fd20:ce:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Local), Some(Local)),
            ("fe00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never, Some(Local), None),
        ];
        for (first, last, inside, before, behind) in edges {
            assert_eq!((at(first), at(last)), (inside, inside), "{first} to {last}");
            if let Some(before) = before {
                assert_eq!(reach(neighbour(first, false)), before, "before {first}");
            }
            if let Some(behind) = behind {
                assert_eq!(reach(neighbour(last, true)), behind, "behind {last}");
            }
        }
    }

    #[test]
    fn ipv6_that_stands_for_ipv4_leads_nowhere_whatever_it_stands_for() {
        for v4 in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"] {
            let bits = v4.parse::<Ipv4Addr>().unwrap().to_bits();
            let (high, low) = (bits >> 16, bits & 0xffff);
            for spelling in [
                format!("::ffff:{v4}"),
                format!("::{v4}"),
                format!("::ffff:0:{v4}"),
                format!("64:ff9b::{v4}"),
                format!("64:ff9b:1::{v4}"),
                format!("2002:{high:x}:{low:x}::1"),
                format!("2001:0:{high:x}:{low:x}::"),
                format!("2a00:1450:4001:80b:0:5efe:{high:x}:{low:x}"),
                format!("2a00:1450:4001:80b:200:5efe:{high:x}:{low:x}"),
            ] {
                assert_eq!(at(&spelling), Reach::Never, "{spelling}");
            }
        }
    }

    #[test]
    fn clouds_tell_their_secrets_to_nobody() {
        for metadata in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd00:c1::a9fe:a9fe",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
        ] {
            assert_eq!(at(metadata), Reach::Never, "{metadata}");
        }
    }

    #[test]
    fn the_public_internet_is_reached() {
        for public in
            ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::1"]
        {
            assert_eq!(at(public), Reach::Public, "{public}");
        }
    }
}
