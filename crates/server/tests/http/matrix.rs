//! Everything is bound: each artefact Gateward hands out, presented at every door that it was not made for. A door opens to
//! its own artefact, which shows that the test knocks rightly, and to no other.

use gateward::admin::flow::issue_reset;
use serde_json::json;

use crate::house::{House, PASSWORD};

const SETTINGS: &str = "
trusted_proxies = [\"127.0.0.1/32\"]

[[resource]]
audience = \"https://api.example.com\"

[[resource]]
audience = \"https://opaque.example.com\"
format = \"opaque\"

[[app]]
host = \"api.example.com\"
audience = \"https://api.example.com\"
rules = [{ path = \"/*\", allow = \"signed-in\" }]
";

/// What is handed out.
const ARTEFACTS: [&str; 11] = [
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
];

/// Where artefacts are taken, and the one of them that opens.
const DOORS: [(&str, &str); 7] = [
    ("the session cookie", "a session secret of a browser"),
    ("Authorization, as a session", "a session secret of an app"),
    ("Authorization, as an access token", "an access token for our API"),
    ("forward-auth, as an access token", "an access token for another API"),
    ("the refresh call", "a refresh token"),
    ("the reset page", "a reset code"),
    ("the form's token", "a form token"),
];

async fn artefact(house: &House, which: &str) -> String {
    let login = async |more: serde_json::Value| {
        let mut body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json()
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    match which {
        "a session secret of a browser" => house.signed_in("ann").await.secret(),
        "a session secret of an app" => house.bearer("ann").await,
        "an access token for our API" => text(&login(json!({})).await["access_token"]),
        "an access token for another API" => {
            text(&login(json!({"audience": "https://api.example.com"})).await["access_token"])
        }
        "an opaque access token for another API" => {
            text(&login(json!({"audience": "https://opaque.example.com"})).await["access_token"])
        }
        "a refresh token" => text(&login(json!({})).await["refresh_token"]),
        "a one-time command" => {
            let body = json!({"audience": "https://api.example.com", "command": "open"});
            let mut ann = house.signed_in("ann").await;
            text(&ann.json("POST", "/api/v1/commands", &body).await.expect(200).json()["command"])
        }
        "a status list token" => {
            login(json!({})).await;
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
        other => panic!("{other}"),
    }
}

/// Whether the door opens.
async fn opens(house: &House, door: &str, artefact: &str) -> bool {
    let bearer = format!("Bearer {artefact}");
    let mut browser = house.browser();
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
        "the reset page" => browser.get(&format!("/reset?code={artefact}")).await.status == 200,
        "the form's token" => {
            // Bound to the browser: asked for and sent by the same one.
            let own = browser.get("/login").await.expect(200).token("/login");
            let sent = if artefact.is_empty() { own } else { artefact.to_owned() };
            let fields = [("csrf", sent.as_str()), ("username", "ann"), ("password", PASSWORD)];
            browser.form("/login", &fields).await.status == 303
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_artefact_opens_its_own_door_and_no_other() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    for (door, own) in DOORS {
        // A form token opens only for the browser it was given to, so the door hands out its own.
        let key = if own == "a form token" { String::new() } else { artefact(&house, own).await };
        assert!(opens(&house, door, &key).await, "{own} opens {door}");
        for which in ARTEFACTS {
            let key = artefact(&house, which).await;
            let opened = opens(&house, door, &key).await;
            let expected = which == own && own != "a form token";
            assert_eq!(opened, expected, "{which} at {door}");
        }
    }
}

/// The same artefacts with the prefix of another kind: the kind is in the keys, not only in the name.
#[tokio::test]
async fn renaming_an_artefact_makes_it_nothing() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let ours = [
        "a session secret of a browser",
        "an opaque access token for another API",
        "a refresh token",
        "a reset code",
    ];
    for which in ours {
        let key = artefact(&house, which).await;
        for prefix in ["gws1_", "gwa1_", "gwr1_", "gwp1_", "gwt1_", "gwi1_"] {
            if key.starts_with(prefix) {
                continue;
            }
            let renamed = format!("{prefix}{}", &key[5..]);
            for (door, _) in DOORS {
                assert!(!opens(&house, door, &renamed).await, "{which} as {prefix} at {door}");
            }
        }
    }
}
