//! Forward-auth by access tokens: what opens a host that takes them, what does not, and how a refusal is told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, PASSWORD};
use crate::wire::{Answer, Browser};

const SETTINGS: &str = r#"
trusted_proxies = ["127.0.0.1/32"]
[[resource]]
audience = "https://api.example.com"
scopes = ["read", "write"]
[[resource]]
audience = "https://other.example.com"
[[resource]]
audience = "https://opaque.example.com"
scopes = ["read"]
format = "opaque"
[[app]]
host = "api.localhost"
audience = "https://api.example.com"
rules = [
  { path = "/public/*", allow = "everyone" },
  { path = "/closed/*", allow = "nobody" },
  { path = "/write/*", allow = "signed-in", scopes = ["read", "write"] },
  { path = "/admin/*", allow = "groups", groups = ["editors"] },
  { path = "/*", allow = "signed-in", scopes = ["read"] },
]
[[app]]
host = "query.localhost"
audience = "https://api.example.com"
token_in_query = true
rules = [{ path = "/*", allow = "signed-in" }]
[[app]]
host = "opaque.localhost"
audience = "https://opaque.example.com"
rules = [{ path = "/*", allow = "signed-in", scopes = ["read"] }]
[[app]]
host = "wiki.localhost"
rules = [{ path = "/*", allow = "signed-in" }]
"#;

const API: &str = "https://api.example.com";
const PAGE: (&str, &str) = ("Accept", "text/html");
const FETCH: (&str, &str) = ("Sec-Fetch-Mode", "cors");

const COME: &str = "Bearer realm=\"gateward\"";
const INVALID: &str = "Bearer realm=\"gateward\", error=\"invalid_token\"";
const MALFORMED: &str = "Bearer realm=\"gateward\", error=\"invalid_request\"";

async fn tokens(house: &House, audience: &str, scope: Option<&str>) -> Value {
    let mut body =
        json!({"username": "ann", "password": PASSWORD, "transport": "token", "audience": audience});
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json()
}

async fn token(house: &House, audience: &str, scope: Option<&str>) -> String {
    tokens(house, audience, scope).await["access_token"].as_str().unwrap().to_owned()
}

/// Asks as a proxy does that passes the whole answer on.
async fn ask(browser: &Browser, url: &str, more: &[(&str, &str)]) -> Answer {
    ask_at("/forward-auth", browser, url, more).await
}

async fn ask_at(path: &str, browser: &Browser, url: &str, more: &[(&str, &str)]) -> Answer {
    let own = [("X-Original-URL", url), ("X-Original-Method", "GET"), ("X-Forwarded-For", "198.51.100.7")];
    let headers: Vec<_> = own.into_iter().chain(more.iter().copied()).collect();
    browser.clone().get_with(path, &headers).await
}

async fn by(house: &House, token: &str, url: &str) -> Answer {
    let value = format!("Bearer {token}");
    ask(&house.browser(), url, &[("Authorization", &value)]).await
}

#[tokio::test]
async fn a_token_for_this_host_opens_it_like_a_session() {
    let house = House::with(SETTINGS).await;
    house
        .person_like("ann", |person| {
            person.display_name = Some("Änn Example".into());
            person.groups = vec!["editors".into(), "staff".into()];
        })
        .await;
    for (audience, host) in [(API, "api.localhost"), ("https://opaque.example.com", "opaque.localhost")] {
        let token = token(&house, audience, None).await;
        // Twice: checked, and remembered.
        for _ in 0..2 {
            let answer = by(&house, &token, &format!("http://{host}/x")).await.expect(200);
            assert_eq!(answer.header("remote-user"), Some("ann"));
            assert_eq!(answer.header("remote-name"), Some("Änn Example"));
            assert_eq!(answer.header("remote-groups"), Some("editors,staff"));
            assert_eq!((answer.header("content-length"), answer.body.len()), (Some("0"), 0));
            assert_eq!(answer.header("cache-control"), None);
        }
        for (name, value) in
            [("authorization", format!("bEaReR  {token}")), ("Authorization", format!("Bearer {token} "))]
        {
            ask(&house.browser(), &format!("http://{host}/x"), &[(name, &value)]).await.expect(200);
        }
    }
    let token = token(&house, API, None).await;
    by(&house, &token, "http://api.localhost/admin/x").await.expect(200);
    house.change("ann", |person| person.groups.clear()).await;
    let answer = by(&house, &token, "http://api.localhost/admin/x").await.expect(403);
    assert_eq!((answer.problem().as_str(), answer.header("www-authenticate")), ("forbidden", None));
    by(&house, &token, "http://api.localhost/closed/x").await.expect(403);
}

#[tokio::test]
async fn whatever_is_no_token_for_this_host_is_told_so() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let good = tokens(&house, API, None).await;
    let (access, refresh) = (good["access_token"].as_str().unwrap(), good["refresh_token"].as_str().unwrap());
    let none = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"none\",\"typ\":\"at+jwt\"}");
    let payload = access.split('.').nth(1).unwrap();
    for odd in [
        token(&house, "https://other.example.com", None).await,
        token(&house, "https://opaque.example.com", None).await,
        // One that opens Gateward's own interface opens no application.
        house
            .browser()
            .json(
                "POST",
                "/api/v1/login",
                &json!({"username": "ann", "password": PASSWORD, "transport": "token"}),
            )
            .await
            .json()["access_token"]
            .as_str()
            .unwrap()
            .to_owned(),
        refresh.to_owned(),
        refresh.replace("gwr1_", "gwa1_"),
        format!("{none}.{payload}."),
        access[..access.len() - 1].to_owned(),
        format!("{access}, Bearer {access}"),
        "gws1_garbage".to_owned(),
        "x".to_owned(),
    ] {
        for kind in [PAGE, FETCH] {
            let value = format!("Bearer {odd}");
            let headers = [("Authorization", value.as_str()), kind];
            let answer = ask(&house.browser(), "http://api.localhost/x?a=b", &headers).await.expect(401);
            assert_eq!(answer.problem(), "token-invalid", "{odd}");
            assert_eq!(answer.header("www-authenticate"), Some(INVALID), "{odd}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.header("remote-user").is_none() && answer.header("location").is_none());
            // Where everyone may come, who is nobody is nobody.
            let answer = ask(&house.browser(), "http://api.localhost/public/x", &headers).await.expect(200);
            assert_eq!(answer.header("remote-user"), Some(""));
        }
    }
    // Tokens of hosts that take none are the application's own.
    let answer = by(&house, access, "http://wiki.localhost/x").await.expect(401);
    assert_eq!((answer.problem().as_str(), answer.header("www-authenticate")), ("not-signed-in", None));
    let ann = house.signed_in("ann").await;
    let value = format!("Bearer {access}");
    ask(&ann, "http://wiki.localhost/x", &[("Authorization", &value), ("Authorization", "Bearer x")])
        .await
        .expect(200);
    // A session secret is one everywhere.
    let secret = house.bearer("ann").await;
    by(&house, &secret, "http://api.localhost/x").await.expect(200);
    by(&house, &secret, "http://wiki.localhost/x").await.expect(200);
}

#[tokio::test]
async fn scopes_are_needed_by_tokens_and_not_by_sessions() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let read = token(&house, API, Some("read")).await;
    let both = token(&house, API, Some("read write")).await;
    by(&house, &read, "http://api.localhost/x").await.expect(200);
    by(&house, &both, "http://api.localhost/write/x").await.expect(200);
    for kind in [PAGE, FETCH] {
        let value = format!("Bearer {read}");
        let headers = [("Authorization", value.as_str()), kind];
        let answer = ask(&house.browser(), "http://api.localhost/write/x", &headers).await.expect(403);
        assert_eq!(answer.problem(), "insufficient-scope");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"gateward\", error=\"insufficient_scope\", scope=\"read write\"")
        );
    }
    let write = token(&house, API, Some("write")).await;
    by(&house, &write, "http://api.localhost/x").await.expect(403);
    let ann = house.signed_in("ann").await;
    ask(&ann, "http://api.localhost/write/x", &[PAGE]).await.expect(200);
}

#[tokio::test]
async fn who_brings_nothing_is_told_how_to_come_and_people_are_sent_to_sign_in() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let nobody = house.browser();
    let answer = ask(&nobody, "http://api.localhost/x", &[PAGE]).await.expect(302);
    assert_eq!(answer.header("www-authenticate"), None);
    let mut gone = house.signed_in("ann").await;
    let dead = gone.clone();
    gone.delete("/api/v1/sessions").await.expect(204);
    for browser in [&nobody, &dead] {
        let answer = ask(browser, "http://api.localhost/x", &[FETCH]).await.expect(401);
        assert_eq!(
            (answer.problem().as_str(), answer.header("www-authenticate")),
            ("not-signed-in", Some(COME))
        );
        assert!(answer.json()["sign_in"].is_string());
        let answer = ask(browser, "http://wiki.localhost/x", &[FETCH]).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), None, "that host takes no tokens");
    }
    let answer =
        ask(&nobody, "http://api.localhost/x", &[FETCH, ("Authorization", "Basic YTpi")]).await.expect(401);
    assert_eq!(answer.header("www-authenticate"), Some(COME));
}

#[tokio::test]
async fn two_ways_at_once_are_refused() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let mut ending = house.signed_in("ann").await;
    let ended = ending.clone();
    ending.delete("/api/v1/sessions").await.expect(204);
    house.tick();
    let ann = house.signed_in("ann").await;
    let mut garbage = house.browser();
    garbage.set("gateward", "gws1_garbage");
    let access = token(&house, API, None).await;
    let value = format!("Bearer {access}");
    let header = ("Authorization", value.as_str());
    let in_query = format!("http://query.localhost/x?access_token={access}");
    let twice = format!("{in_query}&%61ccess_token={access}");
    for (what, browser, url, headers) in [
        ("a session and a token", &ann, "http://api.localhost/x", vec![header]),
        ("a dead session and a token", &ended, "http://api.localhost/x", vec![header]),
        ("a session and garbage", &ann, "http://api.localhost/x", vec![("Authorization", "Bearer x")]),
        ("two headers", &house.browser(), "http://api.localhost/x", vec![header, header]),
        (
            "another scheme beside",
            &house.browser(),
            "http://api.localhost/x",
            vec![("Authorization", "Basic YTpi"), header],
        ),
        (
            "no token behind the scheme",
            &house.browser(),
            "http://api.localhost/x",
            vec![("Authorization", "Bearer")],
        ),
        ("header and query", &house.browser(), in_query.as_str(), vec![header]),
        ("a session and the query", &ann, in_query.as_str(), vec![]),
        ("the query twice", &house.browser(), twice.as_str(), vec![]),
        ("even where everyone may come", &ann, "http://api.localhost/public/x", vec![header]),
    ] {
        let headers: Vec<_> = headers.into_iter().chain([FETCH]).collect();
        for path in ["/forward-auth", "/forward-auth/nginx/refused"] {
            let answer = ask_at(path, browser, url, &headers).await;
            assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{what}");
            assert_eq!(answer.header("www-authenticate"), Some(MALFORMED), "{what}");
            assert!(!answer.text().contains(&access), "{what}");
        }
    }
    // Garbage in the cookie is as good as none.
    ask(&garbage, "http://api.localhost/x", &[header]).await.expect(200);
}

#[tokio::test]
async fn a_token_in_the_query_counts_where_it_is_switched_on() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let access = token(&house, API, None).await;
    for kind in [PAGE, FETCH] {
        let url = format!("http://query.localhost/x?a=b&access_token={access}");
        let answer = ask(&house.browser(), &url, &[kind]).await.expect(200);
        assert_eq!(answer.header("remote-user"), Some("ann"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        // A bad one is told so, and the way to sign in does not carry it any further.
        let answer = ask(&house.browser(), &format!("{url}x"), &[kind]).await.expect(401);
        assert_eq!(answer.header("www-authenticate"), Some(INVALID));
        let told: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        assert!(!told.contains(&access) && !answer.text().contains(&access), "{told}{}", answer.text());
        for at in ["/forward-auth/nginx", "/forward-auth/nginx/refused"] {
            let answer = ask_at(at, &house.browser(), &format!("{url}x"), &[kind]).await.expect(401);
            let told: String =
                answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            assert!(!told.contains(&access) && !answer.text().contains(&access), "{told}{}", answer.text());
        }
    }
    // Where it is not switched on, the parameter is the application's own.
    let elsewhere = format!("http://api.localhost/x?access_token={access}");
    let answer = ask(&house.browser(), &elsewhere, &[FETCH]).await.expect(401);
    assert_eq!(answer.header("www-authenticate"), Some(COME));
    let ann = house.signed_in("ann").await;
    ask(&ann, &elsewhere, &[FETCH]).await.expect(200);
}

#[tokio::test]
async fn every_proxy_gets_the_challenge_to_the_client() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let read = format!("Bearer {}", token(&house, API, Some("read")).await);
    for (path, target, value, status) in
        [("/x", "/x", "Bearer x", 401), ("/write/x", "/write/x", read.as_str(), 403)]
    {
        let forwarded = [
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "api.localhost"),
            ("X-Forwarded-Uri", target),
            ("X-Forwarded-For", "198.51.100.7"),
            ("Authorization", value),
        ];
        for dialect in ["/forward-auth/caddy", "/forward-auth/traefik"] {
            let answer = house.browser().get_with(dialect, &forwarded).await.expect(status);
            assert!(answer.header("www-authenticate").unwrap().contains("error="), "{dialect}");
        }
        let url = format!("http://api.localhost{path}");
        for dialect in ["/forward-auth/haproxy", "/forward-auth/nginx/refused"] {
            let answer =
                ask_at(dialect, &house.browser(), &url, &[("Authorization", value)]).await.expect(status);
            assert!(answer.header("www-authenticate").unwrap().contains("error="), "{dialect}");
        }
        // nginx would put its copy of this one beside the other.
        let answer = ask_at("/forward-auth/nginx", &house.browser(), &url, &[("Authorization", value)])
            .await
            .expect(status);
        assert!(answer.header("www-authenticate").is_none() && answer.body.is_empty());
        let head = format!(
            "GET /forward-auth/envoy{path} HTTP/1.1\r\nHost: api.localhost\r\nX-Forwarded-Proto: http\r\nX-Gateward-Client: 198.51.100.7\r\nAuthorization: {value}\r\n\r\n"
        );
        let mut wire = crate::wire::Wire::connect(house.address).await;
        wire.send(head.as_bytes()).await;
        let answer = wire.answer(false).await.unwrap().expect(status);
        assert!(answer.header("www-authenticate").unwrap().contains("error="));
    }
}

#[tokio::test]
async fn cut_means_cut() {
    for (audience, host) in [(API, "api.localhost"), ("https://opaque.example.com", "opaque.localhost")] {
        let house = House::with(SETTINGS).await;
        let id = house.person("ann").await;
        let url = format!("http://{host}/x");
        let first = tokens(&house, audience, None).await;
        let access = first["access_token"].as_str().unwrap();
        by(&house, access, &url).await.expect(200);
        house.tick();
        let mut ann = house.signed_in("ann").await;
        ann.delete(&format!("/api/v1/sessions/{}", first["session"]["id"].as_str().unwrap()))
            .await
            .expect(204);
        by(&house, access, &url).await.expect(401);
        let second = token(&house, audience, None).await;
        by(&house, &second, &url).await.expect(200);
        gateward::admin::flow::set_disabled(&house.app, id, true, house.now()).await.unwrap();
        by(&house, &second, &url).await.expect(401);
        gateward::admin::flow::set_disabled(&house.app, id, false, house.now()).await.unwrap();
        by(&house, &second, &url).await.expect(401);
        house.tick();
        let third = token(&house, audience, None).await;
        house.advance(Duration::from_secs(299));
        by(&house, &third, &url).await.expect(200);
        house.advance(Duration::from_secs(1));
        by(&house, &third, &url).await.expect(401);
    }
}
