use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const PROXY: &str = "127.0.0.1";

fn trusted() -> Vec<IpNet> {
    ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap()).to_vec()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn client(lines: &[(&str, &str)]) -> Result<String, String> {
    ClientAddress::read(PROXY.parse().unwrap(), &headers(lines), &trusted())
        .map(|client| client.ip().to_string())
        .map_err(|problem| problem.to_string())
}

#[test]
fn the_right_most_address_that_is_not_ours_is_the_client() {
    for (list, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.0.0.1", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.0.0.1,10.0.0.2", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.9, 10.0.0.1", "10.0.0.9"),
        ("203.0.113.7:51000", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:db8::7, 2001:db8:ffff::1", "2001:db8::7"),
        ("::ffff:203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7"),
        ("unknown, 10.0.0.1", "10.0.0.1"),
        ("203.0.113.7, unknown, 10.0.0.1", "10.0.0.1"),
        ("203.0.113.7, unknown", PROXY),
        ("unknown, 203.0.113.7", "203.0.113.7"),
    ] {
        assert_eq!(client(&[("x-forwarded-for", list)]).as_deref(), Ok(expected), "{list}");
    }
    let lines = [("x-forwarded-for", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.7, 10.0.0.1")];
    assert_eq!(client(&lines).as_deref(), Ok("203.0.113.7"), "several lines are one list");
    assert_eq!(client(&[]).as_deref(), Ok(PROXY));
}

#[test]
fn the_standard_header_says_the_same_in_other_words() {
    for (value, expected) in [
        ("for=203.0.113.7", "203.0.113.7"),
        ("For=\"203.0.113.7:51000\";proto=https;by=10.0.0.1", "203.0.113.7"),
        ("for=203.0.113.7;host=\"a,b;c\", for=10.0.0.1", "203.0.113.7"),
        ("for=\"[2001:db8::7]\"", "2001:db8::7"),
        ("for=\"[2001:db8::7]:443\"; proto=https , for=10.0.0.1", "2001:db8::7"),
        ("for=\"[::ffff:203.0.113.7]\"", "203.0.113.7"),
        ("for=_hidden, for=10.0.0.1", "10.0.0.1"),
        ("for=\"_hidden:_port\", for=10.0.0.1", "10.0.0.1"),
        ("for=203.0.113.7, for=unknown", PROXY),
        ("proto=https", PROXY),
    ] {
        assert_eq!(client(&[("forwarded", value)]).as_deref(), Ok(expected), "{value}");
    }
    let both = [("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "203.0.113.7, 10.0.0.1")];
    assert_eq!(client(&both).as_deref(), Ok("203.0.113.7"), "agreeing");
    let both = [("forwarded", "for=203.0.113.8"), ("x-forwarded-for", "203.0.113.7")];
    assert_eq!(client(&both).unwrap_err(), "X-Forwarded-For and Forwarded name different clients");
    let both = [("forwarded", "for=unknown"), ("x-forwarded-for", "203.0.113.7")];
    assert_eq!(client(&both).unwrap_err(), "X-Forwarded-For and Forwarded name different clients");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for list in [
        "",
        "203.0.113.7,",
        ",203.0.113.7",
        "203.0.113.7,,10.0.0.1",
        "203.0.113",
        "203.0.113.07",
        "localhost",
        "203.0.113.7 10.0.0.1",
        "203.0.113.7:",
        "203.0.113.7:port",
        "203.0.113.7:123456",
        "[203.0.113.7]",
        "[2001:db8::7",
        "2001:db8::7]",
        "fe80::1%eth0",
        "\"203.0.113.7\"",
        "0x7f.1",
        "203.0.113.7;x",
        "é",
        "for=203.0.113.7",
        "_",
        "[::1]443",
    ] {
        let problem = client(&[("x-forwarded-for", list)]).unwrap_err();
        assert!(problem.starts_with("entry "), "{list}: {problem}");
    }
    for value in [
        "",
        "203.0.113.7",
        "for",
        "for=",
        "=203.0.113.7",
        "for=203.0.113.7:80",
        "for=2001:db8::7",
        "for=[2001:db8::7]",
        "for=\"2001:db8::7\"",
        "for=\"203.0.113.7",
        "for=\"203.0.113.7\\\"\"",
        "for=203.0.113.7;for=10.0.0.1",
        "for=203.0.113.7;",
        "for=203.0.113.7,",
        "for = 203.0.113.7",
        "for=203.0.113.7 for=10.0.0.1",
        "for=\"\"",
        "for=203.0.113.7;;proto=https",
        "for=_",
        "for=\"unknown:\"",
    ] {
        let problem = client(&[("forwarded", value)]).unwrap_err();
        assert!(problem.starts_with("entry "), "{value}: {problem}");
    }
    let both = [("x-forwarded-for", "203.0.113.7"), ("connection", "keep-alive, X-Forwarded-For")];
    assert_eq!(client(&both).unwrap_err(), "x-forwarded-for is listed in Connection");
}

#[test]
fn lists_have_a_length() {
    let hops = |count: usize| vec!["203.0.113.7"; count].join(",");
    assert!(client(&[("x-forwarded-for", &hops(MAX_HOPS))]).is_ok());
    let problem = client(&[("x-forwarded-for", &hops(MAX_HOPS + 1))]).unwrap_err();
    assert_eq!(problem, "x-forwarded-for has more than 32 entries");
    let padded = |bytes: usize| format!("203.0.113.7{}", " ".repeat(bytes - 11));
    assert!(client(&[("x-forwarded-for", &padded(MAX_FORWARDED))]).is_ok());
    let problem = client(&[("x-forwarded-for", &padded(MAX_FORWARDED + 1))]).unwrap_err();
    assert_eq!(problem, "x-forwarded-for has more than 4096 bytes");
    let half = padded(MAX_FORWARDED / 2 + 1);
    assert!(
        client(&[("x-forwarded-for", &half), ("x-forwarded-for", &half)]).is_err(),
        "lines count together"
    );
}

#[test]
fn a_list_alone_is_read_without_the_standard_header() {
    let read = |lines: &[(&str, &str)]| {
        let client = ClientAddress::read_list(PROXY.parse().unwrap(), &headers(lines), &trusted());
        client.map(|client| client.map(|client| client.ip().to_string()))
    };
    let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=10.0.0.1;nonsense")];
    assert_eq!(read(&both), Ok(Some("203.0.113.7".to_owned())));
    assert_eq!(
        read(&[("forwarded", "for=203.0.113.7")]),
        Ok(None),
        "a proxy that does not say is not the client"
    );
}

#[test]
fn a_scheme_is_told_once() {
    let read = |lines: &[(&str, &str)]| scheme(&headers(lines)).map_err(|problem| problem.to_string());
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("x-forwarded-proto", "https")]), Ok(Some(Scheme::Https)));
    assert_eq!(read(&[("x-forwarded-proto", "ws")]), Ok(Some(Scheme::Http)));
    for odd in ["", "HTTPS", "https, http", "ftp", "https ,"] {
        assert!(read(&[("x-forwarded-proto", odd)]).is_err(), "{odd:?}");
    }
    assert!(read(&[("x-forwarded-proto", "https"), ("x-forwarded-proto", "https")]).is_err());
}

#[test]
fn attempts_are_counted_by_customer() {
    let network = |text: &str| Network::of(text.parse().unwrap());
    assert_eq!(network("203.0.113.7").to_string(), "203.0.113.7/32");
    assert_eq!(network("2001:db8:1:2:3:4:5:6").to_string(), "2001:db8:1:2::/64");
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_eq!(network("::ffff:203.0.113.7"), network("203.0.113.7"));
    assert_ne!(network("203.0.113.7"), network("203.0.113.8"));
}

proptest! {
    /// Whatever is in the headers, reading ends with an answer.
    #[test]
    fn nothing_panics(list in "\\PC{0,80}|([0-9a-f.:,\\[\\]\" ;=_]|for=|unknown){0,60}") {
        let Ok(value) = HeaderValue::from_bytes(list.as_bytes()) else { return Ok(()) };
        for name in [X_FORWARDED_FOR, FORWARDED, X_FORWARDED_PROTO] {
            let headers = HeaderMap::from_iter([(name, value.clone())]);
            let _ = ClientAddress::read(PROXY.parse().unwrap(), &headers, &trusted());
            let _ = scheme(&headers);
        }
    }

    /// The headers of a stranger never matter, not even malformed ones.
    #[test]
    fn a_stranger_speaks_for_itself_only(peer: [u8; 4], list in "[0-9., a-z=\"]{0,60}") {
        let peer = IpAddr::from(peer);
        prop_assume!(!is_trusted(peer, &trusted()));
        let headers = headers(&[("x-forwarded-for", &list), ("forwarded", &list)]);
        prop_assert_eq!(ClientAddress::read(peer, &headers, &trusted()), Ok(ClientAddress::of_peer(peer)));
    }

    /// What a client writes to the left of what our proxy appends never becomes the client.
    #[test]
    fn what_stands_left_never_wins(left in proptest::collection::vec(any::<[u8; 4]>(), 0..20)) {
        let mut list: Vec<String> = left.iter().map(|ip| IpAddr::from(*ip).to_string()).collect();
        list.push("203.0.113.7".to_owned());
        list.push("10.0.0.1".to_owned());
        let found = client(&[("x-forwarded-for", &list.join(", "))]);
        prop_assert_eq!(found.as_deref(), Ok("203.0.113.7"));
    }
}
