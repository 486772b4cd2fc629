//! Forwarding headers: an untrusted peer is believed nothing, and nobody can put an address in front of their own.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use gateward_guard::forwarded::{ClientAddress, Network, Scheme, X_FORWARDED_FOR, is_trusted, scheme};
use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let headers = gateward_fuzz::headers(data);
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    assert_eq!(ClientAddress::read(stranger, &headers, &trusted), Ok(ClientAddress::of_peer(stranger)));

    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    if let Ok(client) = ClientAddress::read(proxy, &headers, &trusted) {
        let written: Network = client.network();
        assert_eq!(written, Network::of(client.ip()));
        if !is_trusted(client.ip(), &trusted) {
            stays_when_prefixed(&headers, &trusted, client, &X_FORWARDED_FOR, "198.51.100.66, ");
            stays_when_prefixed(&headers, &trusted, client, &FORWARDED, "for=198.51.100.66, ");
        }
    }
    if let Ok(Some(read)) = scheme(&headers) {
        assert!(matches!(read, Scheme::Http | Scheme::Https));
        assert_eq!(headers.get_all("x-forwarded-proto").iter().count(), 1);
    }
});

/// What a client sends is at the left of what the proxies append.
fn stays_when_prefixed(
    headers: &HeaderMap,
    trusted: &[IpNet],
    client: ClientAddress,
    name: &HeaderName,
    prefix: &str,
) {
    let Some(first) = headers.get(name) else { return };
    let longer = [prefix.as_bytes(), first.as_bytes()].concat();
    let mut spoofed = headers.clone();
    spoofed.remove(name);
    spoofed.append(name, HeaderValue::from_bytes(&longer).unwrap());
    for line in headers.get_all(name).iter().skip(1) {
        spoofed.append(name, line.clone());
    }
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    if let Ok(read) = ClientAddress::read(proxy, &spoofed, trusted) {
        assert_eq!(read, client, "a client chose its own address");
    }
}
