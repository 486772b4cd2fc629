//! `gateward token …`: any token is looked into, and one that an administrator signs is a token like any other.

use serde_json::{Value, json};

use crate::house::{PASSWORD, within_a_second};
use crate::machine::{Machine, Running};
use crate::wire::Answer;

const SETTINGS: &str = r#"
public_url = "http://localhost:8080"
trusted_proxies = ["127.0.0.1/32"]
[[resource]]
audience = "https://api.example.com"
scopes = ["read", "write"]
access_lifetime = "10m"
[[resource]]
audience = "https://opaque.example.com"
format = "opaque"
[[app]]
host = "api.localhost"
audience = "https://api.example.com"
rules = [{ path = "/write", allow = "signed-in", scopes = ["write"] }, { path = "/*", allow = "signed-in" }]
[[app]]
host = "query.localhost"
audience = "https://api.example.com"
token_in_query = true
rules = [{ path = "/*", allow = "signed-in" }]
[[app]]
host = "opaque.localhost"
audience = "https://opaque.example.com"
rules = [{ path = "/*", allow = "signed-in" }]
"#;

async fn machine() -> Machine {
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("gateward.toml"), SETTINGS).unwrap();
    machine.add(&["ann", "--group", "staff"]).await;
    machine
}

async fn refused(machine: &Machine, arguments: &[&str]) -> String {
    let output = machine.run(arguments).await;
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    told
}

async fn inspected(machine: &Machine, token: &str) -> Value {
    let output = machine.run_with(&["token", "inspect", "-", "--json"], token).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn by(server: &Running, token: &str, host: &str, path: &str) -> Answer {
    let (url, value) = (format!("http://{host}{path}"), format!("Bearer {token}"));
    let headers =
        [("X-Original-URL", url.as_str()), ("X-Original-Method", "GET"), ("Authorization", value.as_str())];
    server.browser().get_with("/forward-auth", &headers).await
}

#[tokio::test]
async fn whatever_an_app_has_can_be_looked_into() {
    let machine = machine().await;
    let server = machine.serve().await;
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token", "audience": "https://api.example.com"});
    let answer = server.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
    let access = answer["access_token"].as_str().unwrap();
    let seen = inspected(&machine, access).await;
    assert_eq!((&seen["kind"], &seen["problems"]), (&json!("jwt"), &json!([])));
    assert_eq!(seen["what"], "an access token (RFC 9068), signed with ES256");
    assert_eq!((&seen["header"]["typ"], &seen["claims"]["aud"]), (&json!("at+jwt"), &body["audience"]));
    assert_eq!(seen["claims"]["sid"], answer["session"]["id"]);
    assert!(seen["times"]["exp"]["words"].as_str().unwrap().starts_with("in "), "{seen}");
    assert!(seen["times"]["iat"]["at"].as_str().unwrap().ends_with('Z'), "{seen}");
    let refresh = answer["refresh_token"].as_str().unwrap();
    let seen = inspected(&machine, &format!("Bearer {refresh}")).await;
    assert_eq!(
        (&seen["kind"], &seen["id_of"], &seen["problems"]),
        (&json!("refresh-token"), &json!("grant"), &json!([]))
    );
    let mut browser = server.browser();
    browser.log_in("ann", PASSWORD).await.expect(200);
    let seen = inspected(&machine, &browser.secret()).await;
    let sessions = browser.get("/api/v1/sessions").await.json();
    let current =
        sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    assert_eq!((&seen["kind"], &seen["id"]), (&json!("session"), &current["id"]));
    // Words for people; the secret is not among them.
    for (token, part) in [(access, "wrong with it"), (refresh, "damaged")] {
        let output = machine.run(&["token", "inspect", token]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !text.contains(part), "{text}");
        assert!(!text.contains(&token[token.len() - 20..]) && text.contains("to know"), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn looking_needs_no_installation_and_touches_none() {
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("gateward.toml"), "this is no setting").unwrap();
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let token = format!("{}.{}.", encode("{\"alg\":\"none\"}"), encode("{\"exp\":1}"));
    let output = machine.run(&["token", "inspect", &token]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in ["alg is none", "it expired", "aud is missing", "1970-01-01T00:00:01Z"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for odd in ["", "nonsense", "a b", "Bearer", "a.b.c"] {
        refused(&machine, &["token", "inspect", odd]).await;
    }
    let output = machine.run_with(&["token", "inspect", "-"], &"x".repeat(300_000)).await;
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("longer than any token"));
    assert!(!machine.data().exists());
}

#[tokio::test]
async fn a_signed_token_works_is_listed_and_can_be_ended() {
    let machine = machine().await;
    let server = machine.serve().await;
    for (audience, host) in
        [("https://api.example.com", "api.localhost"), ("https://opaque.example.com", "opaque.localhost")]
    {
        let signed = machine.json(&["token", "sign", "--user", "ANN", "--audience", audience]).await;
        let (token, id) = (signed["access_token"].as_str().unwrap(), signed["session"].as_str().unwrap());
        let answer = by(&server, token, host, "/x").await.expect(200);
        assert_eq!(
            (answer.header("remote-user"), answer.header("remote-groups")),
            (Some("ann"), Some("staff"))
        );
        let sessions = machine.json(&["session", "list", "--user", "ann"]).await;
        let session =
            sessions.as_array().unwrap().iter().find(|session| session["id"] == id).unwrap().clone();
        assert_eq!(
            (&session["transport"], &session["device"]),
            (&json!("token"), &json!("gateward token sign"))
        );
        assert_eq!(session.get("authenticated_at"), None, "nobody proved anything");
        machine.json(&["session", "end", id]).await;
        within_a_second("the token is ended", async || by(&server, token, host, "/x").await.status == 401)
            .await;
    }
    let arguments = [
        "token",
        "sign",
        "--user",
        "ann",
        "--audience",
        "https://api.example.com",
        "--lifetime",
        "90s",
        "--scope",
        "read",
    ];
    let output = machine.run(&arguments).await;
    assert!(output.status.success());
    let token = String::from_utf8(output.stdout).unwrap();
    let token = token.trim_end();
    let claims = inspected(&machine, token).await["claims"].clone();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 90);
    assert_eq!((&claims["scope"], &claims["client_id"]), (&json!("read"), &json!("command-line")));
    assert_eq!((claims.get("amr"), claims.get("auth_time")), (None, None), "nobody proved anything");
    by(&server, token, "api.localhost", "/x").await.expect(200);
    by(&server, token, "api.localhost", "/write").await.expect(403);
    by(&server, token, "opaque.localhost", "/x").await.expect(401);
    machine.json(&["user", "disable", "ann"]).await;
    within_a_second("the person is disabled", async || {
        by(&server, token, "api.localhost", "/x").await.status == 401
    })
    .await;
    assert!(!machine.log().contains(token));
    server.stop().await;
}

#[tokio::test]
async fn one_for_gatewards_own_api_proves_nothing_about_its_person() {
    let machine = machine().await;
    let server = machine.serve().await;
    let signed =
        machine.json(&["token", "sign", "--user", "ann", "--audience", "http://localhost:8080"]).await;
    let value = format!("Bearer {}", signed["access_token"].as_str().unwrap());
    let mut app = server.browser().with("Authorization", &value);
    let shown = app.get("/api/v1/session").await.expect(200).json();
    assert_eq!((&shown["user"]["username"], &shown["session"]["id"]), (&json!("ann"), &signed["session"]));
    assert_eq!(shown["session"].get("authenticated_at"), None, "so that it is not fresh");
    // The session ends with the token.
    assert_eq!(shown["session"]["expires_at"], shown["session"]["ends_at"]);
    app.json("POST", "/api/v1/logout", &json!({})).await.expect(204);
    app.get("/api/v1/session").await.expect(401);
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_in_no_log_whatever_way_it_travels() {
    let mut machine = machine().await;
    machine.set("GATEWARD_LOG__LEVEL", "trace");
    let server = machine.serve().await;
    let signed =
        machine.json(&["token", "sign", "--user", "ann", "--audience", "https://api.example.com"]).await;
    let token = signed["access_token"].as_str().unwrap();
    for (at, status) in [("x?access_token=", 200), ("x?a=b&access_token=x", 401), ("../x?access_token=", 400)]
    {
        let url = format!("http://query.localhost/{at}{token}");
        let headers = [("X-Original-URL", url.as_str()), ("X-Original-Method", "GET")];
        server.browser().get_with("/forward-auth", &headers).await.expect(status);
        let target = format!("/{at}{token}");
        let headers = [
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "query.localhost"),
            ("X-Forwarded-Uri", target.as_str()),
        ];
        server.browser().get_with("/forward-auth/caddy", &headers).await.expect(status);
    }
    by(&server, token, "api.localhost", "/x").await.expect(200);
    by(&server, &format!("{token}x"), "api.localhost", "/x").await.expect(401);
    server.stop().await;
    let log = machine.log();
    assert!(log.contains("refused"), "the log is looked at: {log}");
    for part in token.split('.') {
        assert!(!log.contains(&part[part.len() / 2..]), "{part} in {log}");
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_said() {
    let mut machine = machine().await;
    let sign = |more: &'static [&'static str]| [&["token", "sign"], more].concat();
    for (more, part) in [
        (&["--user", "bob", "--audience", "https://api.example.com"][..], "nobody called"),
        (&["--user", "ann", "--audience", "https://other.example.com"], "[[resource]]"),
        (&["--user", "ann", "--audience", "https://api.example.com", "--scope", "admin"], "scope"),
        (&["--user", "ann", "--audience", "https://api.example.com", "--scope", "read  write"], "scope"),
        (&["--user", "ann", "--audience", "https://api.example.com", "--lifetime", "601s"], "1s to 600s"),
        (&["--user", "ann", "--audience", "https://api.example.com", "--lifetime", "0s"], "1s to 600s"),
    ] {
        let told = refused(&machine, &sign(more)).await;
        assert!(told.contains(part), "{more:?}: {told}");
    }
    let output = machine
        .run(&sign(&["--user", "ann", "--audience", "https://api.example.com", "--lifetime", "soon"]))
        .await;
    assert!(!output.status.success() && output.stdout.is_empty());
    machine
        .json(&sign(&["--user", "ann", "--audience", "https://api.example.com", "--lifetime", "600s"]))
        .await;
    machine.json(&["user", "disable", "ann"]).await;
    let ann = &["--user", "ann", "--audience", "https://api.example.com"];
    assert!(refused(&machine, &sign(ann)).await.contains("disabled"));
    machine.json(&["user", "enable", "ann"]).await;
    machine.set("GATEWARD_SESSIONS__STORE", "memory");
    assert!(refused(&machine, &sign(ann)).await.contains("memory"));
}

#[tokio::test]
async fn a_token_is_checked_the_way_a_resource_does() {
    let machine = Machine::new();
    machine.add(&["ann"]).await;
    let server = machine.serve().await;
    let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
    let issued = server.browser().json("POST", "/api/v1/login", &body).await.expect(200).json();
    let token = issued["access_token"].as_str().unwrap();
    let issuer = format!("http://{}", server.address);
    let verify = async |more: &[&str], token: &str| {
        let base = ["token", "verify", "-", "--json", "--issuer"];
        let output = machine.run_with(&[&base, more].concat(), token).await;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), told["valid"] == json!(true), "{told}");
        told
    };
    let good = verify(&[&issuer, "--audience", &issuer], token).await;
    assert_eq!((&good["valid"], &good["subject"]), (&json!(true), &issued["user"]["id"]), "{good}");
    for (what, wrong) in [
        ("another audience", vec![issuer.as_str(), "--audience", "https://other.example.com"]),
        ("another issuer", vec!["http://127.0.0.1:1", "--audience", &issuer]),
        ("no https", vec!["http://login.example.com", "--audience", &issuer]),
        ("a scope it lacks", vec![&issuer, "--audience", &issuer, "--scope", "write"]),
    ] {
        assert_eq!(verify(&wrong, token).await["valid"], json!(false), "{what}");
    }
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(verify(&[&issuer, "--audience", &issuer], &changed).await["valid"], json!(false));
    machine.json(&["session", "end", issued["session"]["id"].as_str().unwrap()]).await;
    within_a_second("a revoked token still counts", async || {
        verify(&[&issuer, "--audience", &issuer], token).await["valid"] == json!(false)
    })
    .await;
    server.stop().await;
}
