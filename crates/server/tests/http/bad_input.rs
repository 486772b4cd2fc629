//! Requests as no honest client sends them: each a precise 4xx or an end of the connection, and the server serves on.

use std::time::Instant;

use serde_json::json;

use crate::house::{House, PASSWORD};
use crate::wire::{Answer, Wire};

const LIMIT: usize = 128 * 1024;

async fn raw(house: &House, bytes: &[u8]) -> Option<Answer> {
    let mut wire = Wire::connect(house.address).await;
    wire.send(bytes).await;
    let answer = wire.answer(false).await;
    house.browser().get("/healthz").await.expect(200);
    answer
}

async fn status(house: &House, bytes: &[u8]) -> Option<u16> {
    raw(house, bytes).await.map(|answer| answer.status)
}

#[tokio::test]
async fn bodies_have_an_exact_limit_however_they_come() {
    let house = House::new().await;
    house.person("ann").await;
    let padded = |size: usize| {
        let begin = format!("{{\"username\":\"ann\",\"password\":\"{PASSWORD}\"");
        format!("{begin}{}}}", " ".repeat(size - begin.len() - 1))
    };
    let head = "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for (size, expected) in [(LIMIT, 200), (LIMIT + 1, 413), (10 * LIMIT, 413)] {
        let body = padded(size);
        let plain = format!("{head}Content-Length: {size}\r\n\r\n{body}");
        assert_eq!(status(&house, plain.as_bytes()).await, Some(expected), "{size} announced");
        let (one, two) = body.split_at(size / 3);
        let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(status(&house, chunked.as_bytes()).await, Some(expected), "{size} in chunks");
    }
    let answer =
        raw(&house, format!("{head}Content-Length: {}\r\n\r\n", LIMIT + 1).as_bytes()).await.unwrap();
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (413, "too-large"),
        "without waiting for the body"
    );
    let form = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let answer =
        raw(&house, format!("{form}Content-Length: {}\r\n\r\n", LIMIT + 1).as_bytes()).await.unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
}

#[tokio::test]
async fn heads_have_limits() {
    let house = House::new().await;
    let many = |count: usize| {
        let lines: String = (0..count - 1).map(|n| format!("X-{n}: 1\r\n")).collect();
        format!("GET /login HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
    };
    assert_eq!(status(&house, many(100).as_bytes()).await, Some(200));
    assert_eq!(status(&house, many(101).as_bytes()).await, Some(431));
    // What comes after a refused head is not read: the connection ends, maybe before the answer could be read.
    let refused = |status: Option<u16>| matches!(status, Some(400 | 431) | None);
    assert!(refused(status(&house, many(10_000).as_bytes()).await));
    let long =
        |bytes: usize| format!("GET /login HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(bytes));
    assert_eq!(status(&house, long(30 * 1024).as_bytes()).await, Some(200));
    assert!(refused(status(&house, long(33 * 1024).as_bytes()).await));
    assert!(refused(status(&house, long(1024 * 1024).as_bytes()).await));
    let target = |bytes: usize| format!("GET /login?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(bytes));
    assert_eq!(status(&house, target(20 * 1024).as_bytes()).await, Some(200));
    assert!(matches!(status(&house, target(100 * 1024).as_bytes()).await, Some(414 | 431) | None));
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_connection_ends() {
    let house = House::new().await;
    for bytes in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"\xff\xfe\xfd\xfc\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaa\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /login HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /login HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET /login HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET /login HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /login HTTP/1.1\r\nX: a\x1b[31m\r\n\r\n",
        b"GET /login HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /login HTTP/1.1\r\n: no name\r\n\r\n",
        b"G\xc3\x84T /login HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /login HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabcd",
        b"POST /api/v1/logout HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense nonsense",
    ] {
        let mut wire = Wire::connect(house.address).await;
        wire.send(bytes).await;
        let shown = String::from_utf8_lossy(bytes).into_owned();
        // HTTP/2 has frames instead of lines; its end is all that is looked at.
        if !bytes.starts_with(b"PRI")
            && let Some(answer) = wire.answer(false).await
        {
            assert!((400..500).contains(&answer.status), "{shown:?}: {}", answer.status);
        }
        wire.closed().await;
        house.browser().get("/healthz").await.expect(200);
    }
}

#[tokio::test]
async fn a_message_has_one_length() {
    let house = House::new().await;
    // Two readings of where this request ends would smuggle the second one past a proxy.
    let smuggled = b"POST /api/v1/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut wire = Wire::connect(house.address).await;
    wire.send(smuggled).await;
    if let Some(answer) = wire.answer(false).await {
        assert!(answer.status == 400 || answer.status == 204, "{}", answer.status);
        // RFC 9112 §6.3: refused, or the connection ends after this answer.
        assert!(wire.answer(false).await.is_none(), "what follows is not read as a request");
    }
}

#[tokio::test]
async fn parameters_and_cookies_have_one_reading() {
    let house = House::new().await;
    house.person("ann").await;
    let mut nobody = house.browser();
    for path in [
        "/login?return_to=/a&return_to=/b",
        "/login?return_to=/a&return%5fto=/b",
        "/login?a=%",
        "/login?a=%4",
        "/login?a=%zz",
        "/login?a=%ff",
        "/login?a=%c3%28",
        "/login?%ff=a",
        "/reset?code=a&code=a",
    ] {
        nobody.get(path).await.expect(400);
    }
    let many: String = (0..65).map(|n| format!("p{n}=1&")).collect();
    nobody.get(&format!("/login?{many}")).await.expect(400);
    let mut browser = house.browser();
    let token = browser.get("/login").await.token("/login");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let good = crate::wire::encode(&[("csrf", &token), ("username", "ann"), ("password", PASSWORD)]);
    for body in [
        format!("{good}&username=bob"),
        format!("{good}&csrf={token}"),
        format!("{good}&x=%"),
        format!("{good}&x=%fe"),
        good.replace('=', "%3d"),
    ] {
        let answer = browser.clone().send("POST", "/login", &form, body.as_bytes()).await;
        assert!(matches!(answer.status, 400 | 403), "{body}: {}", answer.status);
    }
    let raw_utf8 = [good.as_bytes(), b"&x=\xff"].concat();
    browser.clone().send("POST", "/login", &form, &raw_utf8).await.expect(400);
    browser.clone().send("POST", "/login", &form, good.as_bytes()).await.expect(303);

    let (ann, other) = (house.signed_in("ann").await, house.signed_in("ann").await);
    let cookie = |value: String| [("Cookie", value)];
    let (one, two) = (ann.secret(), other.secret());
    for (lines, expected) in [
        (cookie(format!("gateward={one}")).to_vec(), 200),
        (cookie(format!("gateward={one}; gateward={one}")).to_vec(), 200),
        (cookie(format!("gateward=\"{one}\"")).to_vec(), 200),
        (cookie(format!("gateward={one}; gateward={two}")).to_vec(), 400),
        (cookie(format!("gateward={one}; gateward=")).to_vec(), 400),
        (vec![("Cookie", format!("gateward={one}")), ("Cookie", format!("gateward={two}"))], 400),
        (cookie(format!("Gateward={one}")).to_vec(), 401),
        (cookie(format!("gateward ={one}")).to_vec(), 200),
        (cookie(format!("__Host-gateward={one}")).to_vec(), 401),
        (cookie(format!("xgateward={one}")).to_vec(), 401),
        (cookie(format!("x=gateward={one}")).to_vec(), 401),
        (cookie(";;;=;gateward".into()).to_vec(), 401),
        (cookie(format!("gateward={}", "A".repeat(8000))).to_vec(), 401),
    ] {
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = house.browser().get_with("/api/v1/session", &lines).await;
        assert_eq!(answer.status, expected, "{lines:?}");
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods() {
    let house = House::new().await;
    let mut nobody = house.browser();
    for path in [
        "/nowhere",
        "/Login",
        "/login/",
        "//login",
        "/login/..",
        "/login%00",
        "/%6cogin/x",
        "/login;x=1",
        "/api/v1/login/",
        "/admin/people",
        "/forward-authx",
        "/forward-auth/",
        "/forward-auth/nonsense",
        "/.git/config",
    ] {
        let answer = nobody.get(path).await.expect(404);
        match path.starts_with("/api/") {
            true => assert_eq!(answer.problem(), "not-found", "{path}"),
            false => assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}"),
        }
    }
    for (method, path, allow) in [
        ("DELETE", "/login", &["GET", "HEAD", "POST"][..]),
        ("PUT", "/api/v1/session/data", &["GET", "HEAD", "PATCH"]),
        ("GET", "/api/v1/login", &["POST"]),
        ("POST", "/account", &["GET", "HEAD"]),
        ("TRACE", "/login", &["GET", "HEAD", "POST"]),
        ("OPTIONS", "/api/v1/sessions", &["DELETE", "GET", "HEAD"]),
        ("FROBNICATE", "/login", &["GET", "HEAD", "POST"]),
    ] {
        let answer = nobody.send(method, path, &[], b"").await.expect(405);
        let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, allow, "{method} {path}");
    }
    for method in ["POST", "DELETE", "PUT"] {
        for path in ["/healthz", "/metrics"] {
            let answer = nobody.send(method, path, &[], b"").await;
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let house = House::new().await;
    house.person("ann").await;
    let browser = house.signed_in("ann").await;
    for path in
        ["/login?again=1", "/account", "/nowhere", "/api/v1/session", "/api/nowhere", "/logout", "/healthz"]
    {
        // The same connection is read on, so a body that should not be there would be taken for the next answer.
        let mut wire = Wire::connect(house.address).await;
        let cookie = browser.secret();
        let head = |method: &str| {
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nCookie: gateward={cookie}\r\n\r\n")
        };
        wire.send(head("HEAD").as_bytes()).await;
        let without = wire.answer(true).await.unwrap();
        wire.send(head("GET").as_bytes()).await;
        let with = wire.answer(false).await.unwrap();
        assert_eq!(without.status, with.status, "{path}");
        assert_eq!(without.header("content-type"), with.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn odd_but_right_requests_are_answered() {
    let house = House::new().await;
    let absolute =
        b"GET http://evil.example/login HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = raw(&house, absolute).await.unwrap().expect(200);
    assert!(!answer.text().contains("evil.example"), "no link follows from what a client says of our name");
    let old = b"GET /healthz HTTP/1.0\r\n\r\n";
    let mut wire = Wire::connect(house.address).await;
    wire.send(old).await;
    assert_eq!(wire.answer(false).await.unwrap().expect(200).text(), "alive\n");
    wire.closed().await;
    assert_eq!(status(&house, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").await, Some(404));
    assert!(matches!(
        status(&house, b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n").await,
        Some(400..=405)
    ));
    assert_eq!(
        status(&house, b"GET /healthz?x#y HTTP/1.1\r\nHost: x\r\n\r\n").await.map(|s| s / 100),
        Some(2)
    );

    let mut wire = Wire::connect(house.address).await;
    let one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let two = "GET /api/nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    wire.send([one, two, one, two].concat().as_bytes()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(wire.answer(false).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 404, 200, 404], "pipelined requests are answered in their order");
}

#[tokio::test]
async fn who_is_slow_or_idle_is_not_waited_for() {
    let house =
        House::with("[limits]\nheader_time = \"1s\"\nidle_time = \"1s\"\nrequest_time = \"1s\"").await;
    let begin = Instant::now();
    let mut silent = Wire::connect(house.address).await;
    let mut slow = Wire::connect(house.address).await;
    slow.send(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    let mut idle = Wire::connect(house.address).await;
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.answer(false).await.unwrap().expect(200);
    let mut trickle = Wire::connect(house.address).await;
    trickle.send(b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{").await;
    let late = trickle.answer(false).await.expect("an answer");
    assert!(matches!(late.status, 408 | 503), "{}", late.status);
    silent.closed().await;
    slow.closed().await;
    idle.closed().await;
    trickle.closed().await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{:?}", begin.elapsed());
    house.browser().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let house = House::with("[limits]\nconnections = 5\n[passwords]\nthreads = 1").await;
    house.person("ann").await;
    let body = json!({"username": "ann", "password": PASSWORD}).to_string();
    let head = "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for _ in 0..50 {
        let mut wire = Wire::connect(house.address).await;
        wire.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
        drop(wire);
        let mut half = Wire::connect(house.address).await;
        half.send(format!("{head}Content-Length: {}\r\n\r\n{{", body.len()).as_bytes()).await;
    }
    house.browser().get("/healthz").await.expect(200);
    let mut browser = house.signed_in("ann").await;
    assert!(browser.is_signed_in().await);
}
