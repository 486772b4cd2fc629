use http::HeaderValue;

use super::*;

/// A page, as any request without headers that say otherwise.
fn no_headers() -> &'static HeaderMap {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    &NONE
}

fn parts<'a>(authority: &'a str, target: &'a str) -> Parts<'a> {
    let client = None;
    Parts { method: "GET", scheme: Scheme::Https, authority, target, client, headers: no_headers() }
}

#[test]
fn the_address_is_given_back_exactly() {
    for (authority, target, url) in [
        ("wiki.example.com", "/", "https://wiki.example.com/"),
        ("Wiki.Example.COM:443", "/A%c3%a9?x=%2F&y", "https://wiki.example.com/A%c3%a9?x=%2F&y"),
        ("wiki.example.com:8443", "/?", "https://wiki.example.com:8443/?"),
        ("[::0001]:8443", "/", "https://[::1]:8443/"),
        ("127.0.0.1", "/", "https://127.0.0.1/"),
        ("xn--bcher-kva.example", "/", "https://xn--bcher-kva.example/"),
    ] {
        assert_eq!(Question::read(parts(authority, target)).unwrap().url(), url);
    }
    let question = Question::read(parts("wiki.example.com:443", "/")).unwrap();
    assert_eq!(
        (question.host(), question.port(), question.authority().as_str()),
        ("wiki.example.com", 443, "wiki.example.com")
    );
}

#[test]
fn hosts_have_one_spelling_or_none() {
    for (authority, problem) in [
        ("", "The host is empty."),
        ("bücher.example", "The host is not ASCII; international names travel in their xn-- form."),
        ("wiki.example.com.", "The host is not a host name."),
        ("wiki..example.com", "The host is not a host name."),
        ("-wiki.example.com", "The host is not a host name."),
        ("wi ki.example.com", "The host is not a host name."),
        ("wiki.example.com/x", "The host is not a host name."),
        ("ann@wiki.example.com", "The host is not a host name."),
        ("wiki.example.com,evil.example", "The host is not a host name."),
        ("wiki%2eexample.com", "The host is not a host name."),
        ("127.1", "The host is not a host name."),
        ("0x7f.0x1", "The host is not a host name."),
        ("2130706433", "The host is not a host name."),
        ("xn--a", "The host is not a host name."),
        ("[::1", "The host has a wrong port."),
        ("[::1%25eth0]", "The host is not an IPv6 address."),
        ("wiki.example.com:", "The host has a wrong port."),
        ("wiki.example.com:0", "The host has a wrong port."),
        ("wiki.example.com:080", "The host has a wrong port."),
        ("wiki.example.com:65536", "The host has a wrong port."),
        ("wiki.example.com:80:80", "The host has a wrong port."),
        ("wiki.example.com:+80", "The host has a wrong port."),
        ("::1", "The host has a wrong port."),
    ] {
        assert_eq!(Question::read(parts(authority, "/")).unwrap_err(), problem, "{authority}");
    }
}

#[test]
fn methods_are_capitals() {
    for (method, good) in
        [("GET", true), ("M-SEARCH", true), ("get", false), ("", false), ("G T", false), ("GET/", false)]
    {
        assert_eq!(Question::read(Parts { method, ..parts("a.example", "/") }).is_ok(), good, "{method}");
    }
    let long = "A".repeat(33);
    assert!(Question::read(Parts { method: &long, ..parts("a.example", "/") }).is_err());
}

#[test]
fn who_waits_is_told_by_the_headers() {
    use Kind::{Fetch, Page, Preflight, WebSocket};
    type Lines = &'static [(&'static str, &'static str)];
    let cases: &[(&str, Lines, Kind)] = &[
        ("GET", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], Page),
        ("GET", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], Page),
        ("POST", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], Page),
        ("GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "text/html")], Fetch),
        ("GET", &[("sec-fetch-mode", "same-origin"), ("accept", "text/html")], Fetch),
        ("GET", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], Fetch),
        ("GET", &[("sec-fetch-dest", "document")], Page),
        ("GET", &[("accept", "text/html,application/xhtml+xml;q=0.9")], Page),
        ("HEAD", &[("accept", "Text/HTML")], Page),
        ("GET", &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")], Fetch),
        ("POST", &[("accept", "text/html")], Fetch),
        ("GET", &[("accept", "application/json")], Fetch),
        ("GET", &[("accept", "*/*")], Fetch),
        ("GET", &[], Fetch),
        ("GET", &[("upgrade", "WebSocket"), ("accept", "text/html")], WebSocket),
        ("GET", &[("sec-websocket-key", "x"), ("sec-fetch-mode", "websocket")], WebSocket),
        ("GET", &[("upgrade", "h2c, websocket")], WebSocket),
        ("GET", &[("upgrade", "h2c"), ("accept", "text/html")], Page),
        ("OPTIONS", &[("access-control-request-method", "PUT"), ("sec-fetch-mode", "cors")], Preflight),
        ("OPTIONS", &[("sec-fetch-mode", "cors")], Fetch),
        ("GET", &[("access-control-request-method", "PUT")], Fetch),
    ];
    for (method, lines, kind) in cases {
        let pair = |(name, value): &(&str, &'static str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value))
        };
        assert_eq!(Kind::read(method, &lines.iter().map(pair).collect()), *kind, "{method} {lines:?}");
    }
}
