//! Forward-auth over HTTP, as proxies ask it.

use gateward::admin::flow::set_disabled;

use crate::house::{House, within_a_second};
use crate::wire::{Answer, Browser};

const SETTINGS: &str = r#"
trusted_proxies = ["127.0.0.1/32"]
[[app]]
host = "wiki.localhost"
name = "The wiki"
rules = [
  { path = "/closed/*", allow = "nobody" },
  { path = "/public/*", allow = "everyone" },
  { path = "/office/*", networks = ["192.0.2.0/24"], allow = "signed-in" },
  { path = "/read/*", methods = ["GET"], allow = "everyone" },
  { path = "/admin/*", allow = "groups", groups = ["editors", "owners"] },
  { path = "/*", allow = "signed-in" },
]
[[app]]
host = "empty.localhost"
"#;

const PAGE: (&str, &str) = ("Accept", "text/html");
const FETCH: (&str, &str) = ("Sec-Fetch-Mode", "cors");

/// Asks like the printed nginx configuration.
async fn ask_at(path: &str, browser: &Browser, url: &str, more: &[(&str, &str)]) -> Answer {
    let rest = url.split_once("://").unwrap().1;
    let host = rest.split(['/', '?']).next().unwrap();
    let own = [
        ("X-Original-URL", url),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Host", host),
    ];
    let told = |name: &str| more.iter().any(|(own, _)| *own == name);
    let headers: Vec<_> =
        own.into_iter().filter(|(name, _)| !told(name)).chain(more.iter().copied()).collect();
    browser.clone().get_with(path, &headers).await
}

async fn nginx(browser: &Browser, url: &str, more: &[(&str, &str)]) -> Answer {
    ask_at("/forward-auth/nginx", browser, url, more).await
}

#[tokio::test]
async fn who_may_pass_is_told_in_four_headers_and_no_body() {
    let house = House::with(SETTINGS).await;
    house
        .person_like("ann", |person| {
            person.display_name = Some("Änn Example".into());
            person.email = Some(gateward_kernel::person::Email::parse("ann@example.org").unwrap());
            person.groups = vec!["editors".into(), "staff".into()];
        })
        .await;
    let ann = house.signed_in("ann").await;
    let spoofed = [
        ("Remote-User", "root"),
        ("Remote-Groups", "admins"),
        ("Remote_User", "root"),
        ("X-Remote-User", "root"),
    ];
    for path in ["/forward-auth/nginx", "/forward-auth"] {
        for url in
            ["http://wiki.localhost/page?a=b", "https://wiki.localhost/admin/x", "http://WIKI.localhost:80/"]
        {
            let answer = ask_at(path, &ann, url, &spoofed).await.expect(200);
            assert_eq!(answer.header("remote-user"), Some("ann"), "{url}");
            assert_eq!(answer.header("remote-name"), Some("Änn Example"));
            assert_eq!(answer.header("remote-email"), Some("ann@example.org"));
            assert_eq!(answer.header("remote-groups"), Some("editors,staff"));
            assert_eq!((answer.header("content-length"), answer.body.len()), (Some("0"), 0));
            assert_eq!(answer.set_cookie("gateward"), None);
        }
        // Everyone may pass: the headers are there all the same, empty, and overwrite what a client put there.
        let answer =
            ask_at(path, &house.browser(), "http://wiki.localhost/public/x", &spoofed).await.expect(200);
        for name in ["remote-user", "remote-name", "remote-email", "remote-groups"] {
            assert_eq!(answer.header(name), Some(""), "{name}");
        }
    }
}

#[tokio::test]
async fn rules_are_tried_in_their_order_and_what_none_matches_is_denied() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    house.person_like("eve", |person| person.groups = vec!["editors".into()]).await;
    let (nobody, ann, eve) = (house.browser(), house.signed_in("ann").await, house.signed_in("eve").await);
    for (path, more, statuses) in [
        ("/", vec![], [401, 200, 200]),
        ("/public", vec![], [200, 200, 200]),
        ("/public/a/b", vec![], [200, 200, 200]),
        ("/publicity", vec![], [401, 200, 200]),
        ("/closed/x", vec![], [403, 403, 403]),
        ("/admin/x", vec![], [401, 403, 200]),
        ("/office/x", vec![("X-Forwarded-For", "192.0.2.9")], [401, 200, 200]),
        ("/office/x", vec![("X-Forwarded-For", "192.0.2.9, 198.51.100.7")], [401, 200, 200]),
        ("/read/x", vec![], [200, 200, 200]),
        ("/read/x", vec![("X-Original-Method", "POST")], [401, 200, 200]),
    ] {
        for (browser, status) in [&nobody, &ann, &eve].into_iter().zip(statuses) {
            let answer = nginx(browser, &format!("http://wiki.localhost{path}"), &more).await;
            assert_eq!(answer.status, status, "{path} {more:?}");
            assert!(answer.body.is_empty(), "nginx drops its connection when there is a body");
        }
    }
    for host in
        ["empty.localhost", "other.localhost", "wiki.localhost.evil.example", "xwiki.localhost", "localhost"]
    {
        assert_eq!(nginx(&ann, &format!("http://{host}/"), &[]).await.status, 403, "{host}");
    }
}

#[tokio::test]
async fn odd_questions_are_refused_never_guessed() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let ann = house.signed_in("ann").await;
    let wiki = "http://wiki.localhost/";
    for (url, more) in [
        ("http://wiki.localhost/public/../admin/x", vec![]),
        ("http://wiki.localhost/public/%2e%2e/admin/x", vec![]),
        ("http://wiki.localhost/public%2f..%2fadmin/x", vec![]),
        ("http://wiki.localhost/public\\..\\admin", vec![]),
        ("ftp://wiki.localhost/", vec![]),
        (wiki, vec![("X-Original-URL", wiki), ("X-Original-URL", "http://other.localhost/")]),
        (wiki, vec![("X-Original-URL", "")]),
        (wiki, vec![("X-Original-Method", "get")]),
        (wiki, vec![("X-Original-Method", "GET"), ("X-Original-Method", "POST")]),
        (wiki, vec![("X-Forwarded-Host", "other.localhost")]),
        (wiki, vec![("X-Forwarded-Proto", "https")]),
        (wiki, vec![("X-Forwarded-For", "nonsense")]),
        (wiki, vec![("Connection", "close, X-Original-URL")]),
        ("http://user@wiki.localhost/", vec![]),
        ("http://wiki.localhost:x/", vec![]),
        ("http://wiki.localhost/%00", vec![]),
    ] {
        let answer = nginx(&ann, url, &more).await;
        assert!((400..500).contains(&answer.status), "{url} {more:?}: {}", answer.status);
        assert!(answer.header("remote-user").is_none(), "{url}");
    }
    house.browser().get("/forward-auth/nginx").await.expect(400);
}

#[tokio::test]
async fn only_configured_proxies_are_answered() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let mut ann = house.signed_in("ann").await;
    ann.from = Some("127.0.0.2".parse().unwrap());
    for path in [
        "/forward-auth",
        "/forward-auth/nginx",
        "/forward-auth/traefik",
        "/forward-auth/caddy",
        "/forward-auth/envoy/",
        "/forward-auth/haproxy",
    ] {
        let answer = ask_at(path, &ann, "http://wiki.localhost/public/x", &[FETCH]).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.header("remote-user").is_none());
    }
    let answer = ask_at("/forward-auth", &ann, "http://wiki.localhost/public/x", &[FETCH]).await;
    assert_eq!(answer.problem(), "untrusted-proxy");
    let nobody_trusted = House::with("[[app]]\nhost = \"wiki.localhost\"").await;
    nginx(&nobody_trusted.browser(), "http://wiki.localhost/", &[]).await.expect(403);
}

#[tokio::test]
async fn pages_are_sent_to_sign_in_and_scripts_are_told() {
    let house = House::with(SETTINGS).await;
    let nobody = house.browser();
    let url = "http://wiki.localhost/page?q=1&r=a%20b";
    let back = url::form_urlencoded::byte_serialize(url.as_bytes()).collect::<String>();
    let sign_in = format!("{}/login?return_to={back}", house.app.origin);
    let answer = ask_at("/forward-auth", &nobody, url, &[PAGE]).await.expect(302);
    assert_eq!(answer.header("location"), Some(sign_in.as_str()));
    let answer = ask_at("/forward-auth/nginx/refused", &nobody, url, &[PAGE]).await.expect(302);
    assert_eq!(answer.header("location"), Some(sign_in.as_str()));
    let answer = nginx(&nobody, url, &[PAGE]).await.expect(401);
    assert_eq!(
        (answer.header("x-gateward-location"), answer.header("location")),
        (Some(sign_in.as_str()), None)
    );

    let front = url::form_urlencoded::byte_serialize(b"http://wiki.localhost/").collect::<String>();
    let sign_in = format!("{}/login?return_to={front}", house.app.origin);
    for script in [
        vec![FETCH],
        vec![("X-Requested-With", "XMLHttpRequest"), PAGE],
        vec![("Accept", "application/json")],
        vec![("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x"), PAGE],
        vec![("X-Original-Method", "OPTIONS"), ("Access-Control-Request-Method", "PUT")],
    ] {
        for path in ["/forward-auth", "/forward-auth/nginx/refused"] {
            let answer = ask_at(path, &nobody, url, &script).await.expect(401);
            assert_eq!(answer.problem(), "not-signed-in", "{script:?}");
            assert_eq!(answer.json()["sign_in"], sign_in, "{script:?}");
            assert_eq!(answer.header("location"), None);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn a_refused_person_is_told_who_they_are_and_what_is_missing() {
    let house = House::with(SETTINGS).await;
    house.person_like("ann", |person| person.display_name = Some("Ann <b>Example</b>".into())).await;
    let ann = house.signed_in("ann").await;
    let url = "http://wiki.localhost/admin/x";
    for path in ["/forward-auth", "/forward-auth/nginx/refused"] {
        let answer = ask_at(path, &ann, url, &[PAGE]).await.expect(403);
        let html = answer.text();
        for wanted in [
            "Ann &lt;b&gt;Example",
            "ann",
            "wiki.localhost",
            "editors",
            "owners",
            "/login?again=1&amp;return_to=",
        ] {
            assert!(html.contains(wanted), "{wanted} in {html}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("remote-user").is_none());
        let answer = ask_at(path, &ann, url, &[FETCH]).await.expect(403);
        assert_eq!(answer.problem(), "forbidden");
        let answer = ask_at(path, &ann, "http://other.localhost/", &[FETCH]).await.expect(403);
        assert_eq!(answer.problem(), "host-not-listed");
        ask_at(path, &ann, "http://other.localhost/", &[PAGE]).await.expect(403);
    }
    // Somebody was let in meanwhile: come again.
    let answer =
        ask_at("/forward-auth/nginx/refused", &ann, "http://wiki.localhost/", &[FETCH]).await.expect(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn envoy_asks_behind_a_prefix_and_is_told_to_take_our_cookie_out() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let mut ann = house.signed_in("ann").await;
    ann.jar.retain(|(name, _)| name == "gateward");
    let envoy = async |browser: &mut Browser, path: &str, host: &str| {
        // Our own client sends a Host already, which Envoy replaces by that of the request.
        let head = format!(
            "GET /forward-auth/envoy{path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: http\r\nX-Gateward-Client: 198.51.100.7\r\nAccept: text/html\r\nCookie: {}\r\n\r\n",
            browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
        );
        let mut wire = crate::wire::Wire::connect(browser.to).await;
        wire.send(head.as_bytes()).await;
        wire.answer(false).await.unwrap()
    };
    let answer = envoy(&mut ann, "/page?a=b", "wiki.localhost").await.expect(200);
    assert_eq!(answer.header("remote-user"), Some("ann"));
    assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), Some("cookie"));
    ann.set("theme", "dark");
    let answer = envoy(&mut ann, "/page", "wiki.localhost").await.expect(200);
    assert_eq!(answer.header("cookie"), Some("theme=dark"));
    envoy(&mut ann, "/page", "other.localhost").await.expect(403);
    let answer = envoy(&mut house.browser(), "/page?a=b", "wiki.localhost").await.expect(302);
    assert!(answer.header("location").unwrap().ends_with("wiki.localhost%2Fpage%3Fa%3Db"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_means_cut() {
    let house = House::with(SETTINGS).await;
    let ann = house.person_like("ann", |person| person.groups = vec!["owners".into()]).await;
    let other = house.second().await;
    let (page, admin) = ("http://wiki.localhost/", "http://wiki.localhost/admin/");
    let mut browser = house.signed_in("ann").await;
    nginx(&browser, admin, &[]).await.expect(200);
    house.change("ann", |person| person.groups.clear()).await;
    nginx(&browser, admin, &[]).await.expect(403);
    nginx(&browser, page, &[]).await.expect(200);
    house.change("ann", |person| person.groups = vec!["owners".into()]).await;
    nginx(&browser, admin, &[]).await.expect(200);
    other.change("ann", |person| person.groups.clear()).await;
    within_a_second("a group", async || nginx(&browser, admin, &[]).await.status == 403).await;

    let before = browser.clone();
    browser.delete("/api/v1/sessions").await.expect(204);
    nginx(&before, page, &[]).await.expect(401);
    house.tick();
    let browser = house.signed_in("ann").await;
    nginx(&browser, page, &[]).await.expect(200);
    set_disabled(&house.app, ann, true, house.now()).await.unwrap();
    nginx(&browser, page, &[]).await.expect(401);
    set_disabled(&house.app, ann, false, house.now()).await.unwrap();
    nginx(&browser, page, &[]).await.expect(401);

    house.tick();
    let browser = house.signed_in("ann").await;
    nginx(&browser, page, &[]).await.expect(200);
    house.advance(std::time::Duration::from_secs(30 * 60));
    nginx(&browser, page, &[]).await.expect(401);

    let browser = house.signed_in("ann").await;
    nginx(&browser, page, &[]).await.expect(200);
    other.app.sessions.end_all(ann, other.now()).await.unwrap();
    within_a_second("sessions", async || nginx(&browser, page, &[]).await.status == 401).await;
}

#[tokio::test]
async fn secrets_count_as_everywhere_else() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let page = "http://wiki.localhost/";
    let (ann, other) = (house.signed_in("ann").await, house.signed_in("ann").await);
    let bearer = format!("Bearer {}", house.bearer("ann").await);
    nginx(&house.browser(), page, &[("Authorization", &bearer)]).await.expect(200);
    nginx(&ann, page, &[("Authorization", "Basic YTpi")]).await.expect(200);
    let mut guest = house.browser();
    guest.json("PATCH", "/api/v1/session/data", &serde_json::json!({})).await.expect(200);
    nginx(&guest, page, &[]).await.expect(401);
    for refused in [
        nginx(&ann, page, &[("Authorization", &bearer)]).await,
        nginx(&ann, page, &[("Cookie", &format!("gateward={}", other.secret()))]).await,
    ] {
        assert!((400..500).contains(&refused.status) && refused.header("remote-user").is_none());
    }
    let mut swapped = house.browser();
    swapped.set("gateward", &bearer[7..]);
    nginx(&swapped, page, &[]).await.expect(401);
}
