//! Tokens of apps: signing in for them, what they say, where they open something, refreshing them.

use std::time::Duration;

use gateward_kernel::jose::{self, JwkSet, KeySet, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, at_once, count};
use crate::wire::{Answer, Browser};

pub(crate) const RESOURCES: &str = "
[[resource]]
audience = \"https://api.example.com\"
scopes = [\"read\", \"write\"]

[[resource]]
audience = \"https://opaque.example.com\"
format = \"opaque\"

[tokens]
claims = [\"department\"]
";

pub(crate) async fn tokens(house: &House, name: &str, more: Value) -> Answer {
    let mut body = json!({"username": name, "password": PASSWORD, "transport": "token"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.browser().json("POST", "/api/v1/login", &body).await
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

pub(crate) async fn refresh(browser: &mut Browser, token: &str) -> Answer {
    browser.json("POST", "/api/v1/token/refresh", &json!({ "refresh_token": token })).await
}

pub(crate) async fn with(house: &House, access: &str, path: &str) -> Answer {
    house.browser().with("Authorization", &format!("Bearer {access}")).get(path).await
}

/// What a verifier reads who has the published keys.
pub(crate) async fn claims(house: &House, token: &str) -> Value {
    let set = house.browser().get("/oauth/jwks").await.expect(200);
    let set = JwkSet::from_json(&set.body).unwrap();
    let keys = KeySet::from_jwks(&set, &[SignatureAlgorithm::Es256]);
    let unverified = jose::parse(token, jose::Limits::default()).unwrap();
    let verified = unverified.verify(&keys, &[SignatureAlgorithm::Es256]).unwrap();
    assert_eq!(verified.header().typ(), Some("at+jwt"));
    serde_json::from_slice(verified.payload()).unwrap()
}

/// The bit of a token in the published list.
pub(crate) async fn status(house: &House, claims: &Value) -> u8 {
    let reference = &claims["status"]["status_list"];
    let uri = text(reference, "uri");
    let path = uri.strip_prefix(&house.app.origin).unwrap();
    let token = house.browser().get(path).await.expect(200);
    assert_eq!(token.header("content-type"), Some("application/statuslist+jwt"));
    let set = JwkSet::from_json(&house.browser().get("/oauth/jwks").await.body).unwrap();
    let keys = KeySet::from_jwks(&set, &[SignatureAlgorithm::Es256]);
    let unverified =
        jose::parse(&token.body, jose::Limits { token: 1 << 20, ..jose::Limits::default() }).unwrap();
    let verified = unverified.verify(&keys, &[SignatureAlgorithm::Es256]).unwrap();
    assert_eq!(verified.header().typ(), Some("statuslist+jwt"));
    let list: Value = serde_json::from_slice(verified.payload()).unwrap();
    assert_eq!(text(&list, "sub"), uri);
    assert!(list["exp"].as_i64() > list["iat"].as_i64());
    let bits =
        gateward_kernel::status::Bits::inflate(1, list["status_list"]["lst"].as_str().unwrap()).unwrap();
    bits.status(u32::try_from(reference["idx"].as_u64().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_app_signs_in_for_tokens_that_say_who_for_whom_and_until_when() {
    let house = House::with(RESOURCES).await;
    let id = house
        .person_like("ann", |person| {
            person.groups = vec!["staff".into()];
            person.claims.insert("department".into(), json!("press"));
            person.claims.insert("salary".into(), json!(1));
        })
        .await;
    let more = json!({"audience": "https://api.example.com", "scope": "read"});
    let answer = tokens(&house, "ann", more).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.set_cookie("gateward"), None, "an app has no use for a cookie");
    let body = answer.json();
    assert_eq!((text(&body, "token_type"), body["expires_in"].as_u64()), ("Bearer".into(), Some(300)));
    assert_eq!(text(&body, "scope"), "read");
    assert_eq!(body["session"]["transport"], "token");
    assert!(text(&body, "refresh_token").starts_with("gwr1_"));
    let said = claims(&house, &text(&body, "access_token")).await;
    let now = house.now().seconds();
    for (name, value) in [
        ("iss", json!(house.app.origin)),
        ("sub", json!(id.to_string())),
        ("aud", json!("https://api.example.com")),
        ("scope", json!("read")),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
        ("auth_time", json!(now)),
        ("amr", json!(["pwd"])),
        ("groups", json!(["staff"])),
        ("department", json!("press")),
        ("client_id", json!("first-party")),
        ("sid", body["session"]["id"].clone()),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    assert_eq!(said.get("salary"), None, "only configured claims travel");
    assert_eq!(status(&house, &said).await, 0);
}

#[tokio::test]
async fn what_is_asked_for_must_exist() {
    let house = House::with(RESOURCES).await;
    house.person("ann").await;
    for (more, field) in [
        (json!({"audience": "https://other.example.com"}), "audience"),
        (json!({"audience": "https://api.example.com", "scope": "admin"}), "scope"),
        (json!({"audience": "https://api.example.com", "scope": "read  write"}), "scope"),
        (json!({"transport": "cookie", "scope": "read"}), "scope"),
        (json!({"transport": "header", "audience": "https://api.example.com"}), "audience"),
    ] {
        let answer = tokens(&house, "ann", more.clone()).await.expect(422);
        assert!(answer.text().contains(field), "{more}: {}", answer.text());
    }
    let all = tokens(&house, "ann", json!({"audience": "https://api.example.com"})).await.expect(200).json();
    assert_eq!(text(&all, "scope"), "read write");
    assert_eq!(
        house.signed_in("ann").await.get("/api/v1/sessions").await.json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn tokens_open_the_api_in_both_forms_until_they_expire() {
    for format in ["jwt", "opaque"] {
        let house = House::with(&format!("[tokens]\nformat = \"{format}\"")).await;
        house.person("ann").await;
        let body = tokens(&house, "ann", json!({})).await.expect(200).json();
        let access = text(&body, "access_token");
        assert_eq!(access.starts_with("gwa1_"), format == "opaque");
        let shown = with(&house, &access, "/api/v1/session").await.expect(200).json();
        assert_eq!(shown["user"]["username"], "ann");
        assert_eq!(shown["session"]["id"], body["session"]["id"]);
        house.advance(Duration::from_secs(299));
        with(&house, &access, "/api/v1/session").await.expect(200);
        house.advance(Duration::from_secs(1));
        let late = with(&house, &access, "/api/v1/session").await.expect(401);
        assert_eq!(
            late.header("www-authenticate"),
            Some("Bearer realm=\"gateward\", error=\"invalid_token\"")
        );
    }
}

#[tokio::test]
async fn a_token_is_good_where_it_was_made_for() {
    let house = House::with(RESOURCES).await;
    house.person("ann").await;
    for audience in ["https://api.example.com", "https://opaque.example.com"] {
        let body = tokens(&house, "ann", json!({ "audience": audience })).await.expect(200).json();
        with(&house, &text(&body, "access_token"), "/api/v1/session").await.expect(401);
        with(&house, &text(&body, "refresh_token"), "/api/v1/session").await.expect(401);
    }
    let body = tokens(&house, "ann", json!({})).await.expect(200).json();
    let (access, refreshing) = (text(&body, "access_token"), text(&body, "refresh_token"));
    let secret = house.bearer("ann").await;
    // Every artefact at every other door.
    for wrong in [&access, &secret, &refreshing.replace("gwr1_", "gwa1_"), &String::new()] {
        refresh(&mut house.browser(), wrong).await.expect(401);
    }
    for wrong in [&refreshing, &refreshing.replace("gwr1_", "gws1_"), &refreshing.replace("gwr1_", "gwa1_")] {
        with(&house, wrong, "/api/v1/session").await.expect(401);
    }
    let mut browser = house.signed_in("ann").await;
    browser.set("gateward", &access);
    assert!(!browser.is_signed_in().await, "a token is no cookie");
    let nobody = house.browser().get("/api/v1/session").await.expect(401);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"gateward\""));
}

#[tokio::test]
async fn a_session_and_a_token_at_once_are_refused() {
    let house = House::new().await;
    house.person("ann").await;
    let body = tokens(&house, "ann", json!({})).await.expect(200).json();
    let value = format!("Bearer {}", text(&body, "access_token"));
    let browser = house.signed_in("ann").await;
    browser.with("Authorization", &value).get("/api/v1/session").await.expect(400);
    let twice = house.browser().with("Authorization", &value).with("Authorization", &value);
    let mut twice = twice;
    twice.get("/api/v1/session").await.expect(400);
}

#[tokio::test]
async fn every_refresh_rotates_and_a_lost_answer_is_given_again() {
    let house = House::new().await;
    house.person("ann").await;
    let first = tokens(&house, "ann", json!({})).await.expect(200).json();
    let mut app = house.browser();
    house.advance(Duration::from_secs(60));
    let second = refresh(&mut app, &text(&first, "refresh_token")).await.expect(200).json();
    assert_ne!(text(&second, "refresh_token"), text(&first, "refresh_token"));
    with(&house, &text(&second, "access_token"), "/api/v1/session").await.expect(200);
    house.advance(Duration::from_secs(30));
    let again = refresh(&mut app, &text(&first, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&again, "refresh_token"), text(&second, "refresh_token"), "the same successor");
    let third = refresh(&mut app, &text(&second, "refresh_token")).await.expect(200).json();
    assert_ne!(text(&third, "refresh_token"), text(&second, "refresh_token"));
}

#[tokio::test]
async fn fifty_refreshes_at_once_on_two_nodes_are_one_rotation() {
    let house = House::with("public_url = \"http://localhost:8080\"").await;
    let other = house.second().await;
    house.person("ann").await;
    let first = tokens(&house, "ann", json!({})).await.expect(200).json();
    let token = text(&first, "refresh_token");
    let answers = at_once((0..50).map(|number| {
        let mut browser = if number % 2 == 0 { house.browser() } else { other.browser() };
        let token = token.clone();
        async move { refresh(&mut browser, &token).await }
    }))
    .await;
    assert_eq!(count(&answers, 200), 50);
    let mut successors: Vec<String> =
        answers.iter().map(|answer| text(&answer.json(), "refresh_token")).collect();
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1, "everybody has the same successor");
    refresh(&mut other.browser(), &successors[0]).await.expect(200);
}

#[tokio::test]
async fn malformed_tokens_are_all_the_same_no() {
    let house = House::new().await;
    house.person("ann").await;
    let body = tokens(&house, "ann", json!({})).await.expect(200).json();
    let (access, token) = (text(&body, "access_token"), text(&body, "refresh_token"));
    let parts: Vec<&str> = access.split('.').collect();
    let none = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"none\",\"typ\":\"at+jwt\"}");
    let mut odd = vec![
        String::new(),
        "x".into(),
        format!("{access}."),
        format!("{access}x"),
        access[..access.len() - 1].to_owned(),
        access.to_uppercase(),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        "a.".repeat(5000),
    ];
    odd.extend((0..parts.len()).map(|missing| {
        let kept: Vec<&str> =
            parts.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, part)| *part).collect();
        kept.join(".")
    }));
    for odd in &odd {
        let answer = with(&house, odd, "/api/v1/session").await;
        assert!(answer.status == 401, "{odd:?}: {}", answer.status);
    }
    for at in 0..token.len() {
        refresh(&mut house.browser(), &token[..at]).await.expect(401);
    }
    refresh(&mut house.browser(), &format!("{token}A")).await.expect(401);
    house.browser().json("POST", "/api/v1/token/refresh", &json!({})).await.expect(400);
    house.browser().json("POST", "/api/v1/token/refresh", &json!({"refresh_token": 1})).await.expect(400);
    refresh(&mut house.browser(), &token).await.expect(200);
}

#[tokio::test]
async fn another_installations_tokens_open_nothing() {
    for format in ["jwt", "opaque"] {
        let text_of = format!("[tokens]\nformat = \"{format}\"");
        let (house, other) = (House::with(&text_of).await, House::with(&text_of).await);
        house.person("ann").await;
        other.person("ann").await;
        let body = tokens(&other, "ann", json!({})).await.expect(200).json();
        with(&other, &text(&body, "access_token"), "/api/v1/session").await.expect(200);
        with(&house, &text(&body, "access_token"), "/api/v1/session").await.expect(401);
        refresh(&mut house.browser(), &text(&body, "refresh_token")).await.expect(401);
    }
}

#[tokio::test]
async fn idle_and_absolute_ends_of_apps() {
    let house = House::with("[tokens]\nrefresh_idle = \"1h\"\nrefresh_absolute = \"2h\"").await;
    house.person("ann").await;
    let mut token = text(&tokens(&house, "ann", json!({})).await.json(), "refresh_token");
    let mut app = house.browser();
    for _ in 0..2 {
        house.advance(Duration::from_secs(3599));
        token = text(&refresh(&mut app, &token).await.expect(200).json(), "refresh_token");
    }
    house.advance(Duration::from_secs(1));
    let last = refresh(&mut app, &token).await.expect(200).json();
    assert!(last["expires_in"].as_u64().unwrap() <= 1, "no access token outlives its session");
    house.advance(Duration::from_secs(1));
    refresh(&mut app, &text(&last, "refresh_token")).await.expect(401);
    let idle = text(&tokens(&house, "ann", json!({})).await.json(), "refresh_token");
    house.advance(Duration::from_secs(3600));
    refresh(&mut app, &idle).await.expect(401);
}

#[tokio::test]
async fn metadata_keys_and_lists_are_for_everybody() {
    let house = House::with(RESOURCES).await;
    house.person("ann").await;
    let metadata = house.browser().get("/.well-known/oauth-authorization-server").await.expect(200);
    assert_eq!(metadata.header("access-control-allow-origin"), Some("*"));
    let metadata = metadata.json();
    assert_eq!(metadata["issuer"], json!(house.app.origin));
    let set = house.browser().get("/oauth/jwks").await.expect(200);
    assert_eq!(set.header("cache-control"), Some("public, max-age=900"));
    assert!(!set.text().contains("\"d\""), "no private parts");
    let etag = set.header("etag").unwrap().to_owned();
    house.browser().get_with("/oauth/jwks", &[("If-None-Match", &etag)]).await.expect(304);
    tokens(&house, "ann", json!({})).await.expect(200);
    let lists = house.browser().get("/oauth/status").await.expect(200).json();
    assert_eq!(lists["status_lists"].as_array().unwrap().len(), 1);
    for odd in ["/oauth/status/x", "/oauth/status/AAAAAAAAAAAAAAAAAAAAAA", "/oauth/other", "/.well-known/x"] {
        house.browser().get(odd).await.expect(404);
    }
}

#[tokio::test]
async fn a_command_says_what_for_whom_and_once() {
    let house = House::with(RESOURCES).await;
    house.person("ann").await;
    let mut ann = house.signed_in("ann").await;
    let body =
        json!({"audience": "https://api.example.com", "command": "open-gate", "parameters": {"gate": 7}});
    let issued = ann.json("POST", "/api/v1/commands", &body).await.expect(200).json();
    assert_eq!(issued["expires_in"], 60);
    let token = text(&issued, "command");
    let unverified = jose::parse(&token, jose::Limits::default()).unwrap();
    assert_eq!(unverified.header().typ(), Some("command+jwt"));
    let payload: Value = serde_json::from_slice(&unverified.unverified_payload().unwrap()).unwrap();
    assert_eq!((&payload["command"], &payload["parameters"]["gate"]), (&json!("open-gate"), &json!(7)));
    with(&house, &token, "/api/v1/session").await.expect(401);
    house.browser().json("POST", "/api/v1/commands", &body).await.expect(401);
    for (name, value) in [
        ("audience", json!("https://other.example.com")),
        ("command", json!("")),
        ("command", json!("two words")),
        ("command", json!("c".repeat(129))),
        ("parameters", json!("p".repeat(4095))),
    ] {
        let mut odd = body.clone();
        odd[name] = value;
        ann.json("POST", "/api/v1/commands", &odd).await.expect(422);
    }
    let mut largest = body.clone();
    largest["command"] = json!("c".repeat(128));
    largest["parameters"] = json!("p".repeat(4094));
    ann.json("POST", "/api/v1/commands", &largest).await.expect(200);
}
