use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use super::*;
use crate::forward::law::Missing;
use crate::forward::question::Kind;
use crate::forward::reply::Body;

const PAGE: (&str, &str) = ("accept", "text/html");

struct Request {
    peer: &'static str,
    uri: Uri,
    headers: HeaderMap,
}

impl Request {
    fn new(uri: &str, lines: &[(&str, &str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        Request { peer: "127.0.0.1", uri: uri.parse().unwrap(), headers }
    }

    fn asked<'a>(&'a self, trusted: &'a [IpNet]) -> Asked<'a> {
        let method = if self.uri.path().starts_with(envoy::PREFIX) { "POST" } else { "GET" };
        Asked { peer: self.peer.parse().unwrap(), method, uri: &self.uri, headers: &self.headers, trusted }
    }
}

fn trusted() -> Vec<IpNet> {
    vec!["127.0.0.1/32".parse().unwrap()]
}

/// A question in the words of each proxy, all meaning the same.
fn wording(dialect: Dialect) -> (&'static str, Vec<(&'static str, &'static str)>) {
    let original = vec![
        ("x-original-url", "https://wiki.example.com:8443/a%20b?c=d"),
        ("x-original-method", "POST"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    let forwarded = vec![
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "wiki.example.com:8443"),
        ("x-forwarded-uri", "/a%20b?c=d"),
        ("x-forwarded-for", "203.0.113.7"),
        ("host", "127.0.0.1:8080"),
    ];
    match dialect {
        Dialect::Generic | Dialect::Nginx | Dialect::Haproxy => (dialect.path(), original),
        Dialect::Traefik | Dialect::Caddy => (dialect.path(), forwarded),
        Dialect::Envoy => (
            "/forward-auth/envoy/a%20b?c=d",
            vec![
                ("host", "wiki.example.com:8443"),
                ("x-forwarded-proto", "https"),
                ("x-gateward-client", "203.0.113.7"),
                ("x-forwarded-for", "203.0.113.7,192.0.2.1"),
            ],
        ),
    }
}

#[test]
fn every_proxy_asks_the_same_question() {
    for dialect in Dialect::ALL {
        let (uri, lines) = wording(dialect);
        let request = Request::new(uri, &lines);
        let trusted = trusted();
        let question = dialect.read(&request.asked(&trusted)).unwrap();
        assert_eq!(question.url(), "https://wiki.example.com:8443/a%20b?c=d", "{dialect:?}");
        assert_eq!(question.method(), "POST", "{dialect:?}");
        assert_eq!(question.client(), Some(IpAddr::from([203, 0, 113, 7])), "{dialect:?}");
        assert_eq!(question.kind(), Kind::Fetch, "{dialect:?}");
    }
}

#[test]
fn only_a_configured_proxy_is_listened_to() {
    for dialect in Dialect::ALL {
        let (uri, lines) = wording(dialect);
        for peer in ["192.0.2.1", "127.0.0.2", "::1"] {
            let request = Request { peer, ..Request::new(uri, &lines) };
            assert_eq!(
                dialect.read(&request.asked(&trusted())),
                Err(Refusal::UntrustedProxy),
                "{dialect:?} {peer}"
            );
        }
        let request = Request { peer: "::ffff:127.0.0.1", ..Request::new(uri, &lines) };
        assert!(dialect.read(&request.asked(&trusted())).is_ok(), "{dialect:?}: IPv4 in other words");
        let request = Request::new(uri, &lines);
        assert_eq!(
            dialect.read(&request.asked(&[])),
            Err(Refusal::UntrustedProxy),
            "{dialect:?}: nobody is trusted"
        );
    }
}

#[test]
fn what_is_missing_double_or_unreadable_is_refused() {
    let refused = |dialect: Dialect, uri: &str, lines: &[(&str, &str)]| {
        let request = Request::new(uri, lines);
        match dialect.read(&request.asked(&trusted())) {
            Err(Refusal::Malformed(problem)) => problem,
            other => panic!("{dialect:?} {lines:?}: {other:?}"),
        }
    };
    for dialect in Dialect::ALL {
        let (uri, lines) = wording(dialect);
        for (index, (name, _)) in lines.iter().enumerate() {
            let told_otherwise = matches!(*name, "x-forwarded-for" | "x-gateward-client");
            if told_otherwise || (dialect != Dialect::Envoy && *name == "host") {
                continue;
            }
            let mut without = lines.clone();
            without.remove(index);
            assert_eq!(refused(dialect, uri, &without), format!("{name} is missing."), "{dialect:?}");
            let mut twice = lines.clone();
            twice.push(lines[index]);
            let problem = refused(dialect, uri, &twice);
            assert!(
                problem.starts_with(name) && problem.contains("more than once"),
                "{dialect:?}: {problem}"
            );
            let mut listed = lines.clone();
            listed.push(("connection", name));
            assert_eq!(
                refused(dialect, uri, &listed),
                format!("{name} is listed in Connection."),
                "{dialect:?}"
            );
            for odd in ["", "a b", "é", "a\tb"] {
                let mut odd_lines = lines.clone();
                odd_lines[index].1 = odd;
                refused(dialect, uri, &odd_lines);
            }
        }
    }
}

#[test]
fn words_of_ours_are_read_strictly() {
    let refused = |changes: &[(&str, &str)]| {
        let mut request = Request::new("/forward-auth/nginx", &wording(Dialect::Nginx).1);
        for (name, value) in changes {
            request.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        match Dialect::Nginx.read(&request.asked(&trusted())) {
            Err(Refusal::Malformed(problem)) => problem,
            other => panic!("{changes:?}: {other:?}"),
        }
    };
    for (name, value, problem) in [
        ("x-original-url", "/a", "x-original-url does not begin with http:// or https://."),
        (
            "x-original-url",
            "HTTPS://wiki.example.com/",
            "x-original-url does not begin with http:// or https://.",
        ),
        (
            "x-original-url",
            "ftp://wiki.example.com/",
            "x-original-url does not begin with http:// or https://.",
        ),
        ("x-original-url", "https:///a", "The host is empty."),
        ("x-original-url", "https://ann@wiki.example.com/", "The host is not a host name."),
        (
            "x-original-url",
            "https://wiki.example.com",
            "The address has a path that does not begin with a slash.",
        ),
        (
            "x-original-url",
            "https://wiki.example.com?/a",
            "The address has a path that does not begin with a slash.",
        ),
        ("x-original-url", "https://wiki.example.com\\.evil.example/", "The host is not a host name."),
        ("x-original-url", "https://wiki.example.com/a/../b", "The address has a dot segment."),
        ("x-original-method", "get", "The method is not written in capitals and hyphens."),
        ("x-original-method", "GET,POST", "The method is not written in capitals and hyphens."),
        ("x-forwarded-proto", "http", "x-forwarded-proto contradicts x-original-url."),
        ("x-forwarded-host", "evil.example", "x-forwarded-host contradicts x-original-url."),
        ("x-forwarded-for", "nonsense", "entry 1 of x-forwarded-for is not an address."),
    ] {
        assert_eq!(refused(&[(name, value)]), problem, "{name}: {value}");
    }
    let long = format!("https://wiki.example.com/{}", "a".repeat(MAX_URL));
    assert_eq!(refused(&[("x-original-url", &long)]), "x-original-url is longer than any address may be.");
    let long = format!("https://wiki.example.com/{}", "a".repeat(MAX_TARGET));
    assert_eq!(refused(&[("x-original-url", &long)]), "The address has more than 8192 bytes.");
}

#[test]
fn a_host_has_one_name() {
    let read = |uri: &str, lines: &[(&str, &str)]| {
        let request = Request::new(uri, lines);
        Dialect::Envoy.read(&request.asked(&trusted())).map(|question| question.url())
    };
    let told = [("host", "Wiki.example.com"), ("x-forwarded-proto", "https")];
    assert_eq!(read("/forward-auth/envoy/", &told).as_deref(), Ok("https://wiki.example.com/"));
    assert_eq!(
        read("http://wiki.example.com/forward-auth/envoy/", &told[1..]).as_deref(),
        Ok("https://wiki.example.com/")
    );
    assert!(read("http://evil.example/forward-auth/envoy/", &told).is_err(), "two names");
    assert!(read("/forward-auth/envoy", &told).is_err(), "no path");
    assert!(read("/forward-auth/envoyx", &told).is_err(), "another path");
}

fn reply(dialect: Dialect, verdict: &Verdict, more: &[(&str, &str)]) -> Reply {
    let (uri, mut lines) = wording(dialect);
    lines.retain(|(name, _)| *name != "x-original-method" && *name != "x-forwarded-method");
    lines.extend([("x-original-method", "GET"), ("x-forwarded-method", "GET")]);
    let more: Vec<(&str, &str)> = lines.into_iter().chain(more.iter().copied()).collect();
    let request = Request::new(uri, &more);
    let trusted = trusted();
    let asked = Asked { method: "GET", ..request.asked(&trusted) };
    let question = dialect.read(&asked).unwrap();
    let page = SignInPage::of(&Url::parse("https://login.example.com").unwrap());
    dialect.answer(&asked, &question, verdict, &page, &Identity::nobody())
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_str().unwrap())
}

#[test]
fn every_proxy_is_answered_in_words_it_understands() {
    let back =
        "https://login.example.com/login?return_to=https%3A%2F%2Fwiki.example.com%3A8443%2Fa%2520b%3Fc%3Dd";
    let front = "https://login.example.com/login?return_to=https%3A%2F%2Fwiki.example.com%3A8443%2F";
    let denied = Verdict::Denied { missing: Missing::Network };
    for dialect in Dialect::ALL {
        let allowed = reply(dialect, &Verdict::Allow, &[PAGE]);
        assert_eq!((allowed.status, &allowed.body), (StatusCode::OK, &Body::None), "{dialect:?}");
        assert_eq!(allowed.identity, Some(Identity::nobody()), "{dialect:?}: always all four headers");
        let page = reply(dialect, &Verdict::SignIn, &[PAGE]);
        let script = reply(dialect, &Verdict::SignIn, &[]);
        let (forbidden, unlisted) =
            (reply(dialect, &denied, &[PAGE]), reply(dialect, &Verdict::NotListed, &[]));
        assert_eq!(
            (forbidden.status, unlisted.status),
            (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
            "{dialect:?}"
        );
        assert_eq!(script.status, StatusCode::UNAUTHORIZED, "{dialect:?}");
        assert_eq!(header(&script, "x-gateward-location"), Some(front), "{dialect:?}");
        for refused in [&page, &script, &forbidden, &unlisted] {
            assert_eq!(header(refused, "cache-control"), Some("no-store"), "{dialect:?}");
            assert_eq!(refused.identity, None, "{dialect:?}");
        }
        if dialect == Dialect::Nginx {
            assert_eq!((page.status, header(&page, "location")), (StatusCode::UNAUTHORIZED, None));
            assert_eq!(header(&page, "x-gateward-location"), Some(back));
            assert!(
                [&page, &script, &forbidden, &unlisted].iter().all(|reply| reply.body == Body::None),
                "no bodies"
            );
            continue;
        }
        assert_eq!((page.status, header(&page, "location")), (StatusCode::FOUND, Some(back)), "{dialect:?}");
        assert_eq!(script.body, Body::SignIn { sign_in: front.to_owned() }, "{dialect:?}");
        assert_eq!(
            forbidden.body,
            Body::Forbidden { missing: Missing::Network, face: Face::Page },
            "{dialect:?}"
        );
        assert_eq!(
            unlisted.body,
            Body::Refused { refusal: Refusal::HostNotListed, face: Face::Problem },
            "{dialect:?}"
        );
    }
}

#[test]
fn our_cookie_is_taken_out_where_the_proxy_cannot() {
    let with = |dialect, cookie: &str| {
        let reply = reply(dialect, &Verdict::Allow, &[("cookie", cookie)]);
        (
            header(&reply, "cookie").map(str::to_owned),
            header(&reply, "x-envoy-auth-headers-to-remove").map(str::to_owned),
        )
    };
    let rest = Some("a=1; b=2".to_owned());
    assert_eq!(with(Dialect::Traefik, "a=1; __Secure-gateward=x; b=2"), (rest.clone(), None));
    assert_eq!(with(Dialect::Traefik, "a=1; b=2"), (rest.clone(), None), "what it does not get it removes");
    assert_eq!(with(Dialect::Traefik, "gateward=x"), (None, None));
    assert_eq!(with(Dialect::Envoy, "a=1; __Secure-gateward=x; b=2"), (rest, None));
    assert_eq!(with(Dialect::Envoy, "a=1; b=2"), (None, None), "what it does not get it keeps");
    assert_eq!(with(Dialect::Envoy, "gateward=x"), (None, Some("cookie".to_owned())));
    assert_eq!(with(Dialect::Nginx, "gateward=x; a=1"), (None, None), "nginx does it by itself");
}

#[test]
fn nginx_gets_the_clients_answer_with_a_second_request() {
    let request = Request::new(
        nginx::REFUSED,
        &[
            ("x-original-url", "https://wiki.example.com/"),
            ("x-original-method", "POST"),
            ("sec-fetch-mode", "navigate"),
        ],
    );
    let trusted = trusted();
    let question = Dialect::Nginx.read(&request.asked(&trusted)).unwrap();
    let page = SignInPage::of(&Url::parse("http://127.0.0.1:8080").unwrap());
    let refused = |verdict: &Verdict| nginx::refused(&question, verdict, &page, &Identity::nobody());
    let redirect = refused(&Verdict::SignIn);
    assert_eq!(redirect.status, StatusCode::SEE_OTHER, "a form that was sent is not sent on");
    assert_eq!(
        header(&redirect, "location"),
        Some("http://127.0.0.1:8080/login?return_to=https%3A%2F%2Fwiki.example.com%2F")
    );
    assert_eq!(
        refused(&Verdict::NotListed).body,
        Body::Refused { refusal: Refusal::HostNotListed, face: Face::Page }
    );
    let again = refused(&Verdict::Allow);
    assert_eq!((again.status, header(&again, "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("1")));
    let malformed = Dialect::Nginx.refuse(Refusal::Malformed("x".to_owned()), Face::Page);
    assert_eq!((malformed.status, malformed.body), (StatusCode::BAD_REQUEST, Body::None));
    let malformed = Dialect::Caddy.refuse(Refusal::Malformed("x".to_owned()), Face::Page);
    assert!(matches!(malformed.body, Body::Refused { refusal: Refusal::Malformed(_), face: Face::Page }));
}

#[test]
fn what_is_too_long_to_travel_leads_to_the_front_page() {
    let url = |length: usize| format!("https://wiki.example.com/{}", "a".repeat(length - 25));
    for (length, exact) in [(2048, true), (2049, false)] {
        let url = url(length);
        let request =
            Request::new("/forward-auth", &[("x-original-url", &url), ("x-original-method", "GET"), PAGE]);
        let trusted = trusted();
        let question = Dialect::Generic.read(&request.asked(&trusted)).unwrap();
        let address = SignInPage::of(&Url::parse("https://login.example.com").unwrap()).address(&question);
        assert_eq!(address.ends_with("aaa"), exact, "{length}");
    }
}
