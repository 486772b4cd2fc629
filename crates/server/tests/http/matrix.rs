//! Everything is bound: each artefact Gateward hands out, presented at every door that it was not made for. A door opens to
//! its own artefact, which shows that the test knocks rightly, and to no other; and no wrong door takes anything from it.

use std::time::Duration;

use gateward::admin::flow::issue_reset;
use gateward::oauth::registration::invitation;
use gateward_kernel::jose::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD};
use crate::oauth::{self, BACK, Known};
use crate::wire::{Browser, encode};

const SETTINGS: &str = "
trusted_proxies = [\"127.0.0.1/32\"]

[oauth]
algorithms = [\"ES256\"]
registration = \"token\"

[[resource]]
audience = \"https://api.example.com\"
scopes = [\"read\"]

[[resource]]
audience = \"https://opaque.example.com\"
scopes = [\"dig\"]
format = \"opaque\"

[[app]]
host = \"api.example.com\"
audience = \"https://api.example.com\"
rules = [{ path = \"/*\", allow = \"signed-in\" }]
";
const API: &str = "https://api.example.com";
const OPAQUE: &str = "https://opaque.example.com";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const URI: &str = "urn:ietf:params:oauth:request_uri:";
const OUT: &str = "https://app.example/out";

/// What is handed out.
const ARTEFACTS: [&str; 27] = [
    "a session secret of a browser",
    "a session secret of an app",
    "an access token for our API",
    "an access token for another API",
    "an opaque access token for another API",
    "a refresh token",
    "a one-time command",
    "a status list token",
    "a reset code",
    "a form token",
    "a device cookie",
    "a client secret",
    "a code",
    "a client's token for UserInfo",
    "a client's token for another API",
    "a client's opaque token",
    "a client's own token",
    "a client's refresh token",
    "an ID token",
    "a logout token",
    "a request URI",
    "a flow",
    "a device code",
    "a user code",
    "a ticket of the page for devices",
    "a registration access token",
    "an invitation of clients",
];

/// Where artefacts are taken, and those that open.
const DOORS: [(&str, &[&str]); 23] = [
    ("the session cookie", &["a session secret of a browser"]),
    ("Authorization, as a session", &["a session secret of an app"]),
    ("Authorization, as an access token", &["an access token for our API"]),
    (
        "forward-auth, as an access token",
        &["an access token for another API", "a client's token for another API"],
    ),
    ("the refresh call", &["a refresh token"]),
    ("the reset page", &["a reset code"]),
    ("the form's token", &["a form token"]),
    ("the client's secret", &["a client secret"]),
    ("UserInfo", &["a client's token for UserInfo"]),
    (
        "introspection",
        &[
            "a client's token for UserInfo",
            "a client's token for another API",
            "a client's opaque token",
            "a client's own token",
            "a client's refresh token",
        ],
    ),
    (
        "exchange, as an access token",
        &["a client's token for UserInfo", "a client's token for another API", "a client's opaque token"],
    ),
    ("exchange, as an ID token", &["an ID token"]),
    ("the hint of a request", &["an ID token"]),
    ("the hint of a sign-out", &["an ID token"]),
    ("the request's URI", &["a request URI"]),
    ("the request on its way", &["a flow"]),
    ("the registration of a client", &["a registration access token"]),
    ("registration", &["an invitation of clients"]),
    ("the page for devices", &["a user code"]),
    ("the decision on a device", &["a ticket of the page for devices"]),
    ("the token endpoint, as a device code", &["a device code"]),
    ("the token endpoint, as a refresh token", &["a client's refresh token"]),
    ("the token endpoint, as a code", &["a code"]),
];

/// A house, somebody signed in in a browser, a client, and one that has registered itself.
struct Scene {
    house: House,
    ann: Browser,
    app: Known,
    registered: Value,
}

async fn scene() -> Scene {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let metadata = json!({
        "grant_types": ["authorization_code", "refresh_token", "client_credentials", DEVICE, EXCHANGE],
        "post_logout_redirect_uris": [OUT],
    });
    let app = oauth::client(&house, "app", metadata).await;
    let invitation = invitation::issue(&house.app, Duration::from_secs(3600), house.now());
    let mut inviting = house.browser().with("Authorization", &format!("Bearer {invitation}"));
    let registered = inviting.json("POST", "/oauth/register", &registration()).await.expect(201).json();
    let ann = house.signed_in("ann").await;
    Scene { house, ann, app, registered }
}

fn registration() -> Value {
    json!({ "redirect_uris": [BACK], "id_token_signed_response_alg": "ES256" })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Scene {
    async fn login(&self, more: Value) -> Value {
        let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        let body = oauth::merged(body, &more);
        self.house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json()
    }

    async fn tokens(&self, scope: &str, resource: &str) -> Value {
        oauth::tokens(&self.house, &self.app, &[("scope", scope), ("resource", resource)]).await
    }

    async fn device(&self) -> Value {
        oauth::post(&self.house, &self.app, "/oauth/device", &[("scope", "openid")]).await.expect(200).json()
    }

    async fn artefact(&self, which: &str) -> String {
        let house = &self.house;
        match which {
            "a session secret of a browser" => house.signed_in("ann").await.secret(),
            "a session secret of an app" => house.bearer("ann").await,
            "an access token for our API" => text(&self.login(json!({})).await["access_token"]),
            "an access token for another API" => {
                text(&self.login(json!({ "audience": API })).await["access_token"])
            }
            "an opaque access token for another API" => {
                text(&self.login(json!({ "audience": OPAQUE })).await["access_token"])
            }
            "a refresh token" => text(&self.login(json!({})).await["refresh_token"]),
            "a one-time command" => {
                let body = json!({ "audience": API, "command": "open" });
                let mut ann = house.signed_in("ann").await;
                text(&ann.json("POST", "/api/v1/commands", &body).await.expect(200).json()["command"])
            }
            "a status list token" => {
                self.login(json!({})).await;
                let lists = house.browser().get("/oauth/status").await.expect(200).json();
                let uri = text(&lists["status_lists"][0]);
                house.browser().get(uri.strip_prefix(&house.app.origin).unwrap()).await.expect(200).text()
            }
            "a reset code" => {
                let id = house.stored("ann").await.id;
                issue_reset(&house.app, id, house.now()).await.unwrap().text().to_string()
            }
            "a form token" => house.browser().get("/login").await.expect(200).token("/login"),
            "a device cookie" => house.signed_in("ann").await.cookie("gateward-device").unwrap(),
            "a client secret" => self.app.secret.clone(),
            "a code" => oauth::code(house, &self.app, &[]).await,
            "a client's token for UserInfo" => text(&self.tokens("openid", "").await["access_token"]),
            "a client's token for another API" => {
                text(&self.tokens("openid read", API).await["access_token"])
            }
            "a client's opaque token" => text(&self.tokens("openid dig", OPAQUE).await["access_token"]),
            "a client's own token" => {
                let fields = [("grant_type", "client_credentials"), ("scope", "read")];
                let answer = oauth::post(house, &self.app, "/oauth/token", &fields).await;
                text(&answer.expect(200).json()["access_token"])
            }
            "a client's refresh token" => text(&self.tokens("openid", "").await["refresh_token"]),
            "an ID token" => text(&self.tokens("openid read", "").await["id_token"]),
            "a logout token" => {
                // As it is sent to clients, about the same person, client and session as an ID token.
                let id_token = text(&self.tokens("openid", "").await["id_token"]);
                let said = oauth::verified(house, &id_token).await.1;
                let event = "http://schemas.openid.net/event/backchannel-logout";
                let claims = json!({
                    "iss": said["iss"], "sub": said["sub"], "aud": said["aud"], "sid": said["sid"],
                    "iat": said["iat"], "exp": said["exp"], "jti": "x", "events": { event: {} },
                });
                let mint = &house.app.tokens.mint;
                mint.sign("logout+jwt", SignatureAlgorithm::Es256, &claims, house.now()).unwrap()
            }
            "a request URI" => {
                let all = oauth::parameters(&self.app, &[]);
                let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
                let answer = oauth::post(house, &self.app, "/oauth/par", &all).await.expect(201);
                text(&answer.json()["request_uri"])
            }
            "a flow" => {
                let asked = oauth::request(&self.app, &[("prompt", "consent")]);
                oauth::hidden(&self.ann.clone().get(&asked).await.expect(200), "flow")
            }
            "a device code" => text(&self.device().await["device_code"]),
            "a user code" => text(&self.device().await["user_code"]),
            "a ticket of the page for devices" => {
                let typed = text(&self.device().await["user_code"]);
                let page = self.ann.clone().fill("/device", "/device", &[("user_code", &typed)]).await;
                oauth::hidden(&page.expect(200), "ticket")
            }
            "a registration access token" => text(&self.registered["registration_access_token"]),
            "an invitation of clients" => {
                invitation::issue(&house.app, Duration::from_secs(3600), house.now())
            }
            other => panic!("{other}"),
        }
    }

    /// Whether the door opens.
    async fn opens(&self, door: &str, artefact: &str) -> bool {
        let (house, app) = (&self.house, &self.app);
        let bearer = format!("Bearer {artefact}");
        let mut browser = house.browser();
        let mut ann = self.ann.clone();
        match door {
            "the session cookie" => {
                browser.set("gateward", artefact);
                browser.get("/api/v1/session").await.status == 200
            }
            "Authorization, as a session" | "Authorization, as an access token" => {
                let answer = browser.with("Authorization", &bearer).get("/api/v1/session").await;
                let wanted = if door.ends_with("session") { "header" } else { "token" };
                answer.status == 200 && answer.json()["session"]["transport"] == wanted
            }
            "forward-auth, as an access token" => {
                let headers = [
                    ("X-Original-URL", "http://api.example.com/x"),
                    ("X-Original-Method", "GET"),
                    ("X-Forwarded-For", "192.0.2.1"),
                    ("Authorization", bearer.as_str()),
                ];
                let answer = browser.get_with("/forward-auth", &headers).await;
                // A session passes there, too: it is not what this door is about.
                answer.status == 200 && !artefact.starts_with("gws1_")
            }
            "the refresh call" => {
                let body = json!({ "refresh_token": artefact });
                browser.json("POST", "/api/v1/token/refresh", &body).await.status == 200
            }
            "the reset page" => {
                browser.get(&format!("/reset?{}", encode(&[("code", artefact)]))).await.status == 200
            }
            "the form's token" => {
                // Bound to the browser: asked for and sent by the same one.
                let own = browser.get("/login").await.expect(200).token("/login");
                let sent = if artefact.is_empty() { own } else { artefact.to_owned() };
                let fields = [("csrf", sent.as_str()), ("username", "ann"), ("password", PASSWORD)];
                browser.form("/login", &fields).await.status == 303
            }
            "the client's secret" => {
                let known = Known { secret: artefact.to_owned(), ..app.clone() };
                oauth::post(house, &known, "/oauth/introspect", &[("token", "x")]).await.status == 200
            }
            "UserInfo" => oauth::userinfo(house, artefact).await.status == 200,
            "introspection" => {
                let answer = oauth::post(house, app, "/oauth/introspect", &[("token", artefact)]).await;
                answer.status == 200 && answer.json()["active"] == true
            }
            "exchange, as an access token" | "exchange, as an ID token" => {
                let kind = if door.ends_with("ID token") { "id_token" } else { "access_token" };
                let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
                let fields =
                    [("grant_type", EXCHANGE), ("subject_token", artefact), ("subject_token_type", &kind)];
                oauth::post(house, app, "/oauth/token", &fields).await.status == 200
            }
            "the hint of a request" => {
                let asked = oauth::request(app, &[("id_token_hint", artefact), ("prompt", "none")]);
                // Who it is about has agreed already, or not: either way the hint was read.
                let answer = ann.get(&asked).await.expect(303);
                !matches!(oauth::told(&answer).get("error").map(String::as_str), Some("invalid_request"))
            }
            "the hint of a sign-out" => {
                let mut own =
                    if artefact.matches('.').count() == 2 { house.signed_in("ann").await } else { ann };
                let fields = [("id_token_hint", artefact), ("post_logout_redirect_uri", OUT)];
                let answer = own.get(&format!("/oauth/logout?{}", encode(&fields))).await;
                answer.header("location") == Some(OUT)
            }
            "the request's URI" => {
                let fields = [("client_id", app.id.as_str()), ("request_uri", artefact)];
                matches!(ann.get(&format!("/oauth/authorize?{}", encode(&fields))).await.status, 200 | 303)
            }
            "the request on its way" => {
                ann.get(&format!("/oauth/authorize?{}", encode(&[("flow", artefact)]))).await.status == 200
            }
            "the registration of a client" => {
                let uri = text(&self.registered["registration_client_uri"]);
                let path = uri.strip_prefix(&house.app.origin).unwrap();
                browser.with("Authorization", &bearer).get(path).await.status == 200
            }
            "registration" => {
                let mut browser = browser.with("Authorization", &bearer);
                browser.json("POST", "/oauth/register", &registration()).await.status == 201
            }
            "the page for devices" => {
                ann.fill("/device", "/device", &[("user_code", artefact)]).await.status == 200
            }
            "the decision on a device" => {
                // The page of another code has the form; its ticket is replaced.
                let typed = text(&self.device().await["user_code"]);
                let page = ann.fill("/device", "/device", &[("user_code", &typed)]).await.expect(200);
                let csrf = page.token("/device/decide");
                let fields = [("csrf", csrf.as_str()), ("ticket", artefact), ("decision", "allow")];
                ann.form("/device/decide", &fields).await.status == 200
            }
            "the token endpoint, as a device code" => {
                let fields = [("grant_type", DEVICE), ("device_code", artefact)];
                let answer = oauth::post(house, app, "/oauth/token", &fields).await.expect(400);
                oauth::refused(&answer) == "authorization_pending"
            }
            "the token endpoint, as a refresh token" => {
                oauth::refresh(house, app, artefact).await.status == 200
            }
            "the token endpoint, as a code" => oauth::redeem(house, app, artefact).await.status == 200,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn each_artefact_opens_its_own_door_and_no_other() {
    let scene = scene().await;
    for which in ARTEFACTS {
        // A form token opens only for the browser it was given to, so the door hands out its own.
        let is_own = |door: &[&str]| which != "a form token" && door.contains(&which);
        let key = scene.artefact(which).await;
        for (door, own) in DOORS {
            if !is_own(own) {
                assert!(!scene.opens(door, &key).await, "{which} at {door}");
            }
        }
        // All the wrong doors have spent nothing.
        for (door, own) in DOORS {
            if is_own(own) {
                assert!(scene.opens(door, &key).await, "{which} opens {door}");
            }
        }
    }
    assert!(scene.opens("the form's token", "").await, "its own");
}

/// The same artefacts with the prefix of another kind: the kind is in the keys, not only in the name.
#[tokio::test]
async fn renaming_an_artefact_makes_it_nothing() {
    let scene = scene().await;
    let ours = [
        "a session secret of a browser",
        "an opaque access token for another API",
        "a refresh token",
        "a reset code",
        "a client secret",
        "a code",
        "a client's opaque token",
        "a client's refresh token",
        "a request URI",
        "a device code",
    ];
    for which in ours {
        let key = scene.artefact(which).await;
        let key = key.strip_prefix(URI).unwrap_or(&key);
        for kind in ["s", "a", "r", "p", "t", "i", "z", "u", "d", "y", "c"] {
            let prefix = format!("gw{kind}1_");
            if key.starts_with(&prefix) {
                continue;
            }
            let begin = if kind == "u" { URI } else { "" };
            let renamed = format!("{begin}{prefix}{}", &key[5..]);
            for (door, _) in DOORS {
                assert!(!scene.opens(door, &renamed).await, "{which} as {renamed} at {door}");
            }
        }
    }
}
