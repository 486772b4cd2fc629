//! What every proxy must do, whichever it is.

use std::time::{Duration, Instant};

use url::Url;

use crate::client::{Ask, Reply};
use crate::machine::until;
use crate::site::{PASSWORD, Proxy, Site};

/// The tests that every proxy passes.
macro_rules! for_every_proxy {
    ($proxy:expr) => {
        for_every_proxy!($proxy;
            strangers_are_asked_to_sign_in,
            the_application_sees_who_it_is_and_nobody_can_pretend,
            rules_are_kept_whatever_the_path_looks_like,
            bodies_and_web_sockets_reach_the_application,
            tokens_open_what_takes_them_and_refusals_are_told_once,
            endings_and_failures_close_the_gate,
        );
    };
    ($proxy:expr; $($check:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                checks::$check($proxy).await;
            }
        )+
    };
}
pub(crate) use for_every_proxy;

/// Pages lead to the sign-in page and back to the exact address; scripts are told in JSON.
pub async fn strangers_are_asked_to_sign_in(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let wiki = site.wiki();
    for target in
        ["/page?q=a%20b&x=%26%2B+c&empty=", "/", "/%C3%BC/page.html?", "/a?u=https://example.com/?x=1#"]
    {
        let target = target.trim_end_matches('#');
        let reply = site.send(&Ask::page(&wiki, target)).await;
        assert!(matches!(reply.status, 302 | 303 | 307), "{target}: {reply:?}");
        let to = Url::parse(reply.header("location").unwrap()).unwrap();
        assert_eq!(to.origin().ascii_serialization(), format!("https://{}", site.host("login")));
        assert_eq!(to.path(), "/login");
        let (name, back) = to.query_pairs().next().unwrap();
        assert_eq!((name.as_ref(), back.as_ref()), ("return_to", format!("https://{wiki}{target}").as_str()));
        assert!(reply.header("cache-control").is_some_and(|value| value.contains("no-store")), "{reply:?}");
    }
    let mut asks = vec![Ask::fetch(&wiki, "/data"), Ask::web_socket(&wiki, "/ws")];
    asks.push(Ask::new("POST", &wiki, "/form").line("Accept: application/json").body("text/plain", "x"));
    asks.push(
        Ask::new("GET", &wiki, "/data").line("X-Requested-With: XMLHttpRequest").line("Accept: text/html"),
    );
    asks.push(Ask::fetch(&wiki, "/data").cookie("__Secure-gateward=gw1_nonsense; wiki_theme=dark"));
    asks.push(Ask::fetch(&wiki, "/data").line("Remote-User: ann").line("Remote-Groups: keepers"));
    for ask in asks {
        let reply = site.send(&ask).await;
        assert_eq!(reply.status, 401, "{ask:?}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{ask:?}");
        let sign_in = reply.json()["sign_in"].as_str().unwrap().to_owned();
        assert!(
            sign_in.starts_with(&format!("https://{}/login?return_to=", site.host("login"))),
            "{sign_in}"
        );
        assert_eq!(reply.header("location"), None);
    }
    assert!(site.app.take().is_empty(), "nobody is signed in");
    let head = site.send(&Ask::new("HEAD", &wiki, "/page").line("Accept: text/html")).await;
    assert!(matches!(head.status, 302 | 303 | 307) && head.body.is_empty(), "{head:?}");
}

/// By an access token the application sees the same person; without a good one its client sees exactly one challenge.
pub async fn tokens_open_what_takes_them_and_refusals_are_told_once(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let api = site.host("api");
    let token = site.token("ann").await;
    let bearer = format!("Authorization: Bearer {token}");
    let reply = site.send(&pretend(Ask::fetch(&api, "/x")).line(&bearer)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = site.app.only();
    assert_eq!((seen.one("remote-user"), seen.one("remote-groups")), (Some("ann"), Some("küche,staff")));
    for (ask, status, code, challenge) in [
        (Ask::fetch(&api, "/x"), 401, "not-signed-in", "Bearer realm=\"gateward\""),
        (
            Ask::fetch(&api, "/x").line("Authorization: Bearer nonsense"),
            401,
            "token-invalid",
            "Bearer realm=\"gateward\", error=\"invalid_token\"",
        ),
        (
            Ask::page(&api, "/x").line(&format!("{bearer}x")),
            401,
            "token-invalid",
            "Bearer realm=\"gateward\", error=\"invalid_token\"",
        ),
        (
            Ask::fetch(&api, "/write/x").line(&bearer),
            403,
            "insufficient-scope",
            "Bearer realm=\"gateward\", error=\"insufficient_scope\", scope=\"write\"",
        ),
        (
            Ask::fetch(&api, "/x").line(&bearer).cookie(&site.sign_in("ann").await),
            400,
            "malformed",
            "Bearer realm=\"gateward\", error=\"invalid_request\"",
        ),
    ] {
        let reply = site.send(&ask).await;
        assert_eq!(reply.status, status, "{ask:?}: {reply:?}");
        assert_eq!(reply.headers("www-authenticate").collect::<Vec<_>>(), [challenge], "{ask:?}");
        let kind = reply.json()["type"].as_str().unwrap().to_owned();
        assert!(kind.ends_with(&format!("/{code}")), "{kind}");
    }
    assert!(site.app.take().is_empty());
    // People are still sent to sign in.
    let reply = site.send(&Ask::page(&api, "/x")).await;
    assert!(
        matches!(reply.status, 302 | 303 | 307) && reply.header("www-authenticate").is_none(),
        "{reply:?}"
    );
}

/// The four headers, once each, whatever a client sends; the cookies without Gateward's.
pub async fn the_application_sees_who_it_is_and_nobody_can_pretend(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let wiki = site.wiki();
    let ann = site.sign_in("ann").await;
    let cookies = [
        format!("wiki_theme=dark; {ann}; other=1=2; __Host-gateward=x; gateward=y; mygateward=stays"),
        format!("{ann}; wiki_theme=dark; other=1=2; mygateward=stays"),
        format!("wiki_theme=dark; other=1=2; mygateward=stays; {ann}"),
    ];
    for cookie in &cookies {
        let reply = site.send(&pretend(Ask::page(&wiki, "/page?a=1")).cookie(cookie)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = site.app.only();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/page?a=1"));
        assert_eq!(seen.one("remote-user"), Some("ann"), "{seen:?}");
        assert_eq!(seen.one("remote-name"), Some("Änn Weber"));
        assert_eq!(seen.one("remote-email"), Some("ann@example.test"));
        assert_eq!(seen.one("remote-groups"), Some("küche,staff"));
        assert_eq!(seen.one("gateward-identity"), None, "{seen:?}");
        assert_eq!(seen.one("cookie"), Some("wiki_theme=dark; other=1=2; mygateward=stays"));
        assert_eq!(seen.one("host"), Some(wiki.as_str()));
        assert_eq!(seen.one("x-forwarded-for"), Some("127.0.0.1"), "a client's own is not believed");
        assert_eq!(seen.one("x-forwarded-proto"), Some("https"));
    }
    // Who has no e-mail address and no display name gets none from the client either.
    let kim = site.sign_in("kim").await;
    site.send(&pretend(Ask::page(&wiki, "/page")).cookie(&kim)).await;
    let seen = site.app.only();
    assert_eq!(seen.one("remote-user"), Some("kim"));
    assert_eq!(seen.one("remote-email"), None, "{seen:?}");
    assert_eq!(seen.one("remote-groups"), Some("keepers"));
    assert_eq!(seen.one("cookie"), None);
    // Where everyone may look, nobody is somebody.
    let reply = site.send(&pretend(Ask::page(&wiki, "/public/page")).cookie("wiki_theme=dark")).await;
    assert_eq!(reply.status, 200);
    let seen = site.app.only();
    for name in ["remote-user", "remote-name", "remote-email", "remote-groups", "gateward-identity"] {
        assert_eq!(seen.one(name), None, "{seen:?}");
    }
    assert_eq!(seen.one("cookie"), Some("wiki_theme=dark"));
    // Naming a header in Connection must not take it away behind the check.
    for lines in [
        ["Connection: close, Remote-User, Remote-Groups", "A: 1"],
        ["Connection: upgrade", "Connection: Remote-User"],
    ] {
        let ask = lines.into_iter().fold(Ask::page(&wiki, "/page").cookie(&ann), Ask::line);
        let reply = site.send(&ask).await;
        for seen in site.app.take() {
            assert_eq!(seen.one("remote-user"), Some("ann"), "{} {seen:?}", reply.status);
        }
    }
}

fn pretend(ask: Ask) -> Ask {
    [
        "Remote-User: root",
        "remote-user: root",
        "REMOTE-USER: root",
        "Remote_User: root",
        "remote_user: root",
        "Remote-Name: Root",
        "Remote-Email: root@example.test",
        "REMOTE_EMAIL: root@example.test",
        "Remote-Groups: keepers,owners",
        "remote_groups: keepers",
        "Gateward-Identity: eyJhbGciOiJub25lIn0.e30.",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Original-URL: https://wiki.example.test/public/",
        "X-Original-Method: POST",
        "X-Forwarded-Uri: /public/",
        "X-Forwarded-Method: POST",
        "Forwarded: for=203.0.113.9;host=evil.example.test",
    ]
    .into_iter()
    .fold(ask, Ask::line)
}

/// Group rules, hosts that are not listed, and every trick with paths.
pub async fn rules_are_kept_whatever_the_path_looks_like(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let wiki = site.wiki();
    let (ann, kim) = (site.sign_in("ann").await, site.sign_in("kim").await);
    let reply = site.send(&Ask::page(&wiki, "/admin/users?x=1").cookie(&ann)).await;
    assert_eq!(reply.status, 403);
    let html = reply.text();
    for words in ["Änn Weber", "ann", "keepers", "owners", &wiki, "/admin/users"] {
        assert!(html.contains(words), "{words} is missing: {html}");
    }
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let reply = site.send(&Ask::fetch(&wiki, "/admin").cookie(&ann)).await;
    assert_eq!((reply.status, reply.json()["status"].as_u64()), (403, Some(403)));
    assert!(site.app.take().is_empty());
    assert_eq!(site.send(&Ask::page(&wiki, "/admin/users").cookie(&kim)).await.status, 200);
    assert_eq!(site.app.only().one("remote-groups"), Some("keepers"));
    assert_eq!(site.send(&Ask::page(&wiki, "/never/x").cookie(&kim)).await.status, 403);
    assert_eq!(site.send(&Ask::new("POST", &wiki, "/hook").body("text/plain", "x")).await.status, 200);
    assert_eq!(site.send(&Ask::new("GET", &wiki, "/hook")).await.status, 401);
    assert_eq!(site.app.only().method, "POST");
    assert_eq!(site.send(&Ask::page(&site.host("one.apps"), "/x").cookie(&ann)).await.status, 200);
    assert_eq!(site.app.only().one("remote-user"), Some("ann"));
    tricks(&site, &ann).await;
    hosts(&site, &kim).await;
}

/// Somebody without the right never reaches what another reading of the path would be.
async fn tricks(site: &Site, ann: &str) {
    let wiki = site.wiki();
    for target in [
        "/public/../admin/users",
        "/public/%2e%2e/admin/users",
        "/public/.%2E/admin/users",
        "/public/..;/admin/users",
        "/public/..%2fadmin/users",
        "/public/..%5cadmin/users",
        "/public/..\\admin/users",
        "/public/%252e%252e/admin/users",
        "//admin/users",
        "/public//../admin/users",
        "/./admin/users",
        "/admin;x=1/users",
        "/;/admin/users",
        "/%61dmin/users",
        "/ADMIN/users",
        "/admin%00/users",
        "/admin%20/users",
        "/admin./users",
        "/admin%3f/users",
        "/admin%23",
        "/%c0%ae%c0%ae/admin/users",
        "/public/\u{ff0e}\u{ff0e}/admin/users",
        "https://wiki.example.test/admin/users",
        "http://other.example.test/public/../admin/users",
        "/public/x?/../../admin/users",
        "*",
        "admin/users",
    ] {
        for cookie in ["", ann] {
            let ask = Ask::page(&wiki, target).cookie(cookie);
            let answer = site.client.try_send(&ask).await;
            for seen in site.app.take() {
                let path = seen.target.split('?').next().unwrap_or_default().to_ascii_lowercase();
                assert!(!path.contains("admin"), "{target} reached the application as {}", seen.target);
                assert!(!path.contains(".."), "{target} reached the application as {}", seen.target);
            }
            let status = answer.map_or(0, |reply: Reply| reply.status);
            assert!(status < 500, "{target} is refused for what it is, not as a failure: {status}");
        }
    }
}

/// Hosts that are not listed reach neither the application nor the sign-in page's cookies.
async fn hosts(site: &Site, kim: &str) {
    let wiki = site.wiki();
    for host in [
        "other.example.test",
        "wiki.example.test.evil.test",
        "a.b.apps.example.test",
        "wiki.example.test:1",
        "",
    ] {
        for target in ["/admin/users", "/public/x", "/"] {
            let ask = Ask::page(host, target).cookie(kim);
            // TLS is asked for the listed name, so that the proxy gets to see the other one.
            let answer = site.client.send_to(&wiki, &ask).await;
            let seen = site.app.take();
            // A proxy that looks at names alone may take another port for its own; then the rules were asked for that name.
            assert!(seen.is_empty() || host == "wiki.example.test:1", "{host}{target}: {seen:?}");
            let status = answer.map_or(0, |reply| reply.status);
            assert!(status < 500, "{host}{target}: {status}");
        }
    }
    let twice = Ask::page(&wiki, "/page").line("Host: other.example.test").cookie(kim);
    let _ = site.client.try_send(&twice).await;
    assert!(site.app.take().is_empty(), "a request with two hosts");
}

/// Bodies pass whole, and WebSockets open for whoever is signed in.
pub async fn bodies_and_web_sockets_reach_the_application(proxy: Proxy) {
    let site = Site::start(proxy).await;
    let wiki = site.wiki();
    let ann = site.sign_in("ann").await;
    for size in [1, 100, 300 * 1024, 4 * 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|at: u32| u8::try_from(at % 251).unwrap()).collect();
        let ask = Ask::new("POST", &wiki, "/upload?to=a")
            .cookie(&ann)
            .body("application/octet-stream", body.clone());
        let reply = site.send(&ask).await;
        assert_eq!(reply.status, 200, "{size} bytes");
        let seen = site.app.only();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/upload?to=a"));
        assert!(seen.body == body, "{size} bytes sent, {} came", seen.body.len());
        assert_eq!(seen.one("remote-user"), Some("ann"));
    }
    let body = vec![b'x'; 300 * 1024];
    let reply = site.client.try_send(&Ask::new("POST", &wiki, "/upload").body("text/plain", body)).await;
    // The proxy may close while the body is still coming.
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status == 401));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(site.send(&Ask::new(method, &wiki, "/thing").cookie(&ann)).await.status, 200, "{method}");
        assert_eq!(site.app.only().method, method);
    }
    let reply = site.send(&Ask::web_socket(&wiki, "/ws").cookie(&ann)).await;
    assert_eq!(reply.status, 101, "{reply:?}");
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(site.app.only().one("remote-user"), Some("ann"));
    assert_eq!(site.send(&Ask::web_socket(&wiki, "/ws")).await.status, 401);
    assert!(site.app.take().is_empty());
}

/// An ended session is refused within a second; without Gateward nothing passes; a restart signs nobody out.
pub async fn endings_and_failures_close_the_gate(proxy: Proxy) {
    let mut site = Site::start(proxy).await;
    let wiki = site.wiki();
    let (ann, kim) = (site.sign_in("ann").await, site.sign_in("kim").await);
    let page = |cookie: &str| Ask::fetch(&wiki, "/page").cookie(cookie);
    assert_eq!(site.send(&page(&ann)).await.status, 200);
    site.gateward.ask(&["session", "end", "--user", "ann"], "");
    let ended = Instant::now();
    until("the session is refused", async || (site.send(&page(&ann)).await.status == 401).then_some(()))
        .await;
    // One second is promised; the rest is for a machine that is busy with other tests.
    assert!(ended.elapsed() < Duration::from_secs(3), "{:?}", ended.elapsed());
    let ann = site.sign_in("ann").await;
    site.gateward.ask(&["user", "change", "ann", "--group", "keepers"], "");
    let admin = Ask::fetch(&wiki, "/admin/x").cookie(&ann);
    until("the new group counts", async || (site.send(&admin).await.status == 200).then_some(())).await;
    site.gateward.ask(&["user", "disable", "ann"], "");
    until("a disabled person is out", async || (site.send(&page(&ann)).await.status == 401).then_some(()))
        .await;
    site.app.take();

    // An answered sign-in is never lost, even when the power is.
    let newest = site.sign_in("kim").await;
    site.gateward.kill();
    for cookie in ["", kim.as_str()] {
        let public = Ask::page(&wiki, "/public/page").cookie(cookie);
        for ask in [page(cookie), public, Ask::web_socket(&wiki, "/ws").cookie(cookie)] {
            let reply = site.send(&ask).await;
            assert!((500..600).contains(&reply.status), "{ask:?} passes without Gateward: {reply:?}");
        }
    }
    assert!(site.app.take().is_empty(), "nothing passes without Gateward");
    for cookie in [kim, newest] {
        site.gateward.start().await;
        until("signed in as before", async || (site.send(&page(&cookie)).await.status == 200).then_some(()))
            .await;
        let seen = site.app.take();
        assert_eq!(seen.last().and_then(|seen| seen.one("remote-user")), Some("kim"));
        assert!(!site.gateward.said().contains(PASSWORD), "{}", site.gateward.said());
        site.gateward.stop();
    }
}
