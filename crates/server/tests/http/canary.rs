//! Every secret a unique canary: none of them in the log, the database, the audit events or any page that should not
//! hold it; and whatever anybody writes into a field stays one well-formed line.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use gateward::admin::flow::issue_reset;
use gateward::login::setup::{Invitation, invite};
use gateward_kernel::event::EventQuery;
use gateward_kernel::record::Book;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::house::{House, PASSWORD};
use crate::wire::Answer;

/// What all servers of this process log, as loudly as settings can make it.
static LOG: LazyLock<Buffer> = LazyLock::new(|| {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace,hyper=warn,rustls=warn"))
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .init();
    buffer
});

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("the log is UTF-8")
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Secrets in every form in which they could be written down.
#[derive(Default)]
struct Canaries(Vec<(&'static str, Vec<u8>)>);

impl Canaries {
    fn text(&mut self, what: &'static str, text: &str) {
        self.0.push((what, text.as_bytes().to_vec()));
        // Behind the prefix stands base64url: the bytes themselves, and these in hexadecimal, would open it as well.
        if let Some((_, body)) = text.split_once('_').filter(|(prefix, _)| prefix.starts_with("gw"))
            && let Ok(bytes) = data_encoding::BASE64URL_NOPAD.decode(body.as_bytes())
        {
            // Where the public name of the session or the person comes first, the secret comes after it.
            let secret = match text {
                _ if text.starts_with("gwi") => &bytes[..],
                // The generation of a refresh token is no secret.
                _ if text.starts_with("gwr") => &bytes[20..48],
                _ => &bytes[16..],
            };
            let secret = &secret[..secret.len().min(32)];
            self.0.push((what, body.as_bytes()[24..].to_vec()));
            self.0.push((what, secret.to_vec()));
            self.0.push((what, data_encoding::HEXLOWER.encode(secret).into_bytes()));
            let list: Vec<String> = secret.iter().map(ToString::to_string).collect();
            self.0.push((what, list.join(",").into_bytes()));
        }
    }

    /// A token: opaque, or a JWT, of which the signature is what nobody else can make.
    fn token(&mut self, what: &'static str, text: &str) {
        match text.rsplit_once('.') {
            None => self.text(what, text),
            Some((_, signature)) => self.bytes(what, signature),
        }
    }

    /// What is told as base64url, and the bytes themselves.
    fn bytes(&mut self, what: &'static str, text: &str) {
        self.0.push((what, text.as_bytes().to_vec()));
        self.0.push((what, data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()));
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for (what, canary) in &self.0 {
            let found = memchr(bytes, canary);
            assert!(!found, "{what} is in {place}: {}", String::from_utf8_lossy(canary));
        }
    }
}

fn memchr(bytes: &[u8], wanted: &[u8]) -> bool {
    assert!(wanted.len() >= 8, "too short to be told from chance");
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

const TYPED: [&str; 6] = [
    "canary-wrong-password-1b9e",
    "canary-new-password-77c1",
    "canary-reset-password-ab02",
    "canary-first-password-d511",
    "canary-in-a-wrong-place-90aa",
    "canary-name-that-is-a-password-44f0",
];

#[tokio::test]
async fn no_secret_is_written_down_anywhere() {
    LazyLock::force(&LOG);
    let house = House::with(
        "trusted_proxies = [\"127.0.0.1/32\"]\n[throttle]\naccount_burst = 3\n\
         [[resource]]\naudience = \"https://opaque.example.com\"\nformat = \"opaque\"",
    )
    .await;
    let [wrong, new, reset, first, misplaced, as_name] = TYPED;
    let mut canaries = Canaries::default();
    TYPED.into_iter().filter(|text| *text != as_name).for_each(|text| canaries.text("a password", text));
    canaries.text("the common password", PASSWORD);
    let mut answers: Vec<Answer> = Vec::new();

    // The first administrator.
    let links = Book::new(house.app.stores.records.clone());
    let app = &house.app;
    let invited = invite(app.directory(), &links, &app.base, &*app.entropy, house.now()).await.unwrap();
    let Invitation::Link(link) = invited else { panic!("no link") };
    let code = link.split_once("code=").unwrap().1.to_owned();
    canaries.text("the set-up code", &code);
    let mut admin = house.browser();
    let token = admin.get(&format!("/setup?code={code}")).await.expect(200).token("/setup");
    let fields = [
        ("csrf", token.as_str()),
        ("code", &code),
        ("username", "root"),
        ("password", first),
        ("password_again", first),
    ];
    answers.push(admin.form("/setup", &fields).await.expect(303));
    answers.push(admin.form("/setup", &fields).await);
    answers.push(admin.get(&format!("/setup?code={code}")).await.expect(403));
    canaries.text("a session secret", &admin.secret());

    // Sessions in all their ways.
    house.person("ann").await;
    let mut ann = house.browser();
    answers.push(ann.json("PATCH", "/api/v1/session/data", &json!({"a": 1})).await.expect(200));
    canaries.text("a guest's secret", &ann.secret());
    answers.push(ann.log_in("ann", PASSWORD).await.expect(200));
    let bearer = house.bearer("ann").await;
    canaries.text("a session secret", &ann.secret());
    canaries.text("a bearer secret", &bearer);
    let mut by_header = house.browser().with("Authorization", &format!("Bearer {bearer}"));
    answers.push(by_header.get("/api/v1/session").await.expect(200));
    answers.push(
        by_header.with("Authorization", &format!("Bearer {bearer}")).get("/api/v1/session").await.expect(400),
    );
    answers.push(ann.with("Authorization", &format!("Bearer {bearer}")).get("/account").await.expect(400));
    answers.push(ann.get(&format!("/nowhere?gateward_session={}", ann.secret())).await.expect(404));
    answers.push(ann.get(&format!("/forward-auth?gateward_session={}", ann.secret())).await);
    let asked = format!("http://x.localhost/?gateward_session={}", ann.secret());
    let proxied = [("X-Original-URL", asked.as_str()), ("X-Original-Method", "GET")];
    answers.push(ann.get_with("/forward-auth", &proxied).await);
    for name in ["gateward-form", "gateward-device"] {
        if let Some(value) = ann.cookie(name) {
            canaries.text("a browser's cookie", &value);
        }
    }

    // Tokens in all their ways; the signing keys besides.
    for format in [json!({}), json!({"audience": "https://opaque.example.com"})] {
        let mut body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        body.as_object_mut().unwrap().extend(format.as_object().unwrap().clone());
        let issued = house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
        let (access, token) =
            (issued["access_token"].as_str().unwrap(), issued["refresh_token"].as_str().unwrap());
        canaries.token("an access token", access);
        canaries.text("a refresh token", token);
        let refreshing = json!({ "refresh_token": token });
        let next =
            house.browser().json("POST", "/api/v1/token/refresh", &refreshing).await.expect(200).json();
        canaries.token("an access token", next["access_token"].as_str().unwrap());
        canaries.text("a refresh token", next["refresh_token"].as_str().unwrap());
        for wrong in [access, token, next["refresh_token"].as_str().unwrap()] {
            let bearer = format!("Bearer {wrong}");
            answers.push(house.browser().with("Authorization", &bearer).get("/api/v1/session").await);
            answers.push(ann.with("Authorization", &bearer).get("/account").await);
            answers.push(house.browser().get(&format!("/nowhere?access_token={wrong}")).await.expect(404));
            let odd = json!({ "refresh_token": format!("{wrong}x") });
            answers.push(house.browser().json("POST", "/api/v1/token/refresh", &odd).await.expect(401));
            let odd = json!({ wrong: wrong });
            answers.push(house.browser().json("POST", "/api/v1/token/refresh", &odd).await.expect(400));
        }
        house.advance(std::time::Duration::from_secs(31));
        answers.push(house.browser().json("POST", "/api/v1/token/refresh", &refreshing).await.expect(401));
    }
    let command = json!({"audience": "https://opaque.example.com", "command": "open"});
    let issued = ann.json("POST", "/api/v1/commands", &command).await.expect(200).json();
    canaries.token("a command", issued["command"].as_str().unwrap());
    for (key, _) in app.tokens.mint.ring().snapshot(house.now()).keys() {
        let private: serde_json::Value = serde_json::from_str(&key.jwk().to_private_json()).unwrap();
        canaries.bytes("a signing key", private["d"].as_str().unwrap());
    }

    // Passwords: wrong, changed, reset, and at the wrong place.
    for _ in 0..5 {
        answers.push(house.browser().log_in("root", wrong).await);
        answers.push(
            house.browser().fill("/login", "/login", &[("username", "root"), ("password", wrong)]).await,
        );
    }
    for fields in [
        [("current_password", wrong), ("password", new), ("password_again", new)],
        [("current_password", PASSWORD), ("password", new), ("password_again", wrong)],
        [("current_password", PASSWORD), ("password", new), ("password_again", new)],
    ] {
        answers.push(ann.fill("/account", "/account/password", &fields).await);
    }
    canaries.text("a session secret", &ann.secret());
    for body in [
        json!(misplaced),
        json!([misplaced]),
        json!({"username": "ann", "password": PASSWORD, "transport": misplaced}),
        json!({"username": "ann", "password": PASSWORD, "remember": misplaced}),
        json!({"username": "ann", "password": {misplaced: 1}}),
        json!({"username": "ann", misplaced: 1}),
    ] {
        answers.push(house.browser().json("POST", "/api/v1/login", &body).await.expect(400));
    }
    answers.push(
        house
            .browser()
            .json("POST", "/api/v1/password/strength", &json!({"password": misplaced}))
            .await
            .expect(200),
    );
    answers.push(house.browser().log_in(as_name, wrong).await.expect(401));
    let id = house.stored("ann").await.id;
    let code = issue_reset(app, id, house.now()).await.unwrap().text().to_string();
    canaries.text("a reset code", &code);
    let mut browser = house.browser();
    let token = browser.get(&format!("/reset?code={code}")).await.expect(200).token("/reset");
    let fields = [("csrf", token.as_str()), ("code", &code), ("password", reset), ("password_again", reset)];
    answers.push(browser.form("/reset", &fields).await.expect(200));
    answers.push(browser.form("/reset", &fields).await.expect(403));
    answers.push(browser.get(&format!("/reset?code={code}")).await.expect(403));
    answers.push(admin.get("/api/v1/admin/events").await.expect(200));
    answers.push(admin.get("/api/v1/sessions").await.expect(200));
    answers.push(admin.get("/account").await.expect(200));
    answers.push(house.browser().get("/metrics").await.expect(200));

    for (number, answer) in answers.iter().enumerate() {
        canaries.assert_absent(&format!("answer {number} ({})", answer.status), &answer.body);
        let headers = answer.headers.iter().filter(|(name, _)| name != "set-cookie");
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
        canaries.assert_absent(&format!("the headers of answer {number}"), headers.as_bytes());
    }
    let everything = EventQuery { limit: 1000, ..EventQuery::default() };
    let events = app.directory().events(&everything).await.unwrap();
    assert!(events.len() > 8, "{}", events.len());
    canaries.text("a name that may be a password", as_name);
    canaries.assert_absent("the audit events", serde_json::to_string(&events).unwrap().as_bytes());
    let log = LOG.text();
    assert!(log.contains("sign-in-refused") && log.contains("password-reset"), "the log is looked at");
    assert!(log.contains("refresh-token-reused"), "also of tokens");
    canaries.assert_absent("the log", log.as_bytes());
    canaries.0.iter().map(|(_, canary)| canary).for_each(|canary| assert!(!canary.is_empty()));
    for entry in std::fs::read_dir(house.data.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        canaries.assert_absent(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

#[tokio::test]
async fn whatever_is_written_into_a_field_stays_on_one_line() {
    LazyLock::force(&LOG);
    let house = House::with("trusted_proxies = [\"127.0.0.1/32\"]").await;
    house.person("ann").await;
    let odd = "odd\r\nlevel=ERROR forged\u{1b}[31mred\u{9b}31m\u{2028}\u{0}\u{85}";
    house.browser().log_in(odd, odd).await.expect(401);
    house
        .browser()
        .fill("/login", "/login", &[("username", odd), ("password", odd), ("return_to", odd)])
        .await
        .expect(401);
    house.browser().get("/odd%0d%0aforged%1b[31m?a=%0d%0aforged&a=%1b").await.expect(404);
    house.browser().get("/login?a=%0d%0aforged%1b&%61=%1b").await.expect(400);
    house.browser().get("/login?%0d%0aforged%1b[31m&%0d%0aforged%1b[31m").await.expect(400);
    // C1 controls and separators as UTF-8 are bytes that a header may hold.
    let mut browser = house.browser();
    browser.headers = vec![("User-Agent".into(), "odd\u{9b}31m\u{85}\u{2028}forged".into())];
    browser.log_in("ann", PASSWORD).await.expect(200);
    browser.get_with("/account", &[("X-Forwarded-For", "odd\u{9b}31m")]).await.expect(400);
    browser
        .get_with("/forward-auth", &[("X-Original-URL", "odd\u{9b}31m"), ("X-Original-Method", "G\u{9b}")])
        .await;
    let events = EventQuery { limit: 100, ..EventQuery::default() };
    assert!(!house.app.directory().events(&events).await.unwrap().is_empty());
    for line in LOG.text().lines() {
        let read: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(read["timestamp"].is_string() && read["level"].is_string(), "{line}");
        assert!(!line.bytes().any(|byte| byte < 0x20 || byte == 0x7f), "{line:?}");
    }
}
