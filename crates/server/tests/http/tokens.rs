//! Tokens of apps: signing in for them, refreshing them, giving them back, and what ends them.

use std::time::Duration;

use gateward_kernel::event::{EventQuery, Fact};
use gateward_kernel::jose::{self, JwkSet, KeySet, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, at_once, count};
use crate::wire::{Answer, Browser};

const RESOURCES: &str = "
[[resource]]
audience = \"https://api.example.com\"
scopes = [\"read\", \"write\"]

[[resource]]
audience = \"https://opaque.example.com\"
format = \"opaque\"

[tokens]
claims = [\"department\"]
";

async fn tokens(house: &House, name: &str, more: Value) -> Answer {
    let mut body = json!({"username": name, "password": PASSWORD, "transport": "token"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.browser().json("POST", "/api/v1/login", &body).await
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

async fn refresh(browser: &mut Browser, token: &str) -> Answer {
    browser.json("POST", "/api/v1/token/refresh", &json!({ "refresh_token": token })).await
}

async fn with(house: &House, access: &str, path: &str) -> Answer {
    house.browser().with("Authorization", &format!("Bearer {access}")).get(path).await
}

/// What a verifier reads who has the published keys.
async fn claims(house: &House, token: &str) -> Value {
    let set = house.browser().get("/oauth/jwks").await.expect(200);
    let set = JwkSet::from_json(&set.body).unwrap();
    let keys = KeySet::from_jwks(&set, &[SignatureAlgorithm::Es256]);
    let unverified = jose::parse(token, jose::Limits::default()).unwrap();
    let verified = unverified.verify(&keys, &[SignatureAlgorithm::Es256]).unwrap();
    assert_eq!(verified.header().typ(), Some("at+jwt"));
    serde_json::from_slice(verified.payload()).unwrap()
}

/// The bit of a token in the published list.
async fn status(house: &House, claims: &Value) -> u8 {
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
async fn reuse_ends_the_app_and_its_person_is_told() {
    let house = House::with(RESOURCES).await;
    let id = house.person("ann").await;
    let more = json!({"audience": "https://api.example.com"});
    let first = tokens(&house, "ann", more).await.expect(200).json();
    let mut app = house.browser();
    let second = refresh(&mut app, &text(&first, "refresh_token")).await.expect(200).json();
    let said = claims(&house, &text(&second, "access_token")).await;
    house.advance(Duration::from_micros(30_000_001));
    let refused = refresh(&mut app, &text(&first, "refresh_token")).await.expect(401);
    assert_eq!(refused.problem(), "token-invalid");
    refresh(&mut app, &text(&second, "refresh_token")).await.expect(401);
    assert_eq!(status(&house, &said).await, 1, "the JWTs are worthless too");
    let sessions = house.signed_in("ann").await.get("/api/v1/sessions").await.json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "the app is gone from my sessions");
    let query = EventQuery { person: Some(id), limit: 20, ..EventQuery::default() };
    let events = house.app.directory().events(&query).await.unwrap();
    assert!(events.iter().any(|event| event.fact == Fact::RefreshTokenReused));
}

/// Whatever ends access, and how: afterwards nothing of the app opens anything.
#[tokio::test]
async fn cut_means_cut() {
    type Cut = (&'static str, bool);
    const CUTS: [Cut; 8] = [
        ("the person ends that session", false),
        ("the person ends the others", false),
        ("the person ends all", false),
        ("the app signs out by its access token", false),
        ("the app gives its refresh token back", false),
        ("an administrator ends all", false),
        ("the person is disabled", true),
        ("the password is changed", true),
    ];
    for format in ["jwt", "opaque"] {
        for (cut, _) in CUTS {
            let house = House::with(&format!("{RESOURCES}format = \"{format}\"")).await;
            let person = house.person("ann").await;
            house.admin("root").await;
            let body = tokens(&house, "ann", json!({})).await.expect(200).json();
            let (access, token) = (text(&body, "access_token"), text(&body, "refresh_token"));
            with(&house, &access, "/api/v1/session").await.expect(200);
            let said = if format == "jwt" { Some(claims(&house, &access).await) } else { None };
            house.tick();
            let mut ann = house.signed_in("ann").await;
            let mut root = house.signed_in("root").await;
            house.tick();
            match cut {
                "the person ends that session" => {
                    let path = format!("/api/v1/sessions/{}", text(&body["session"], "id"));
                    ann.delete(&path).await.expect(204);
                }
                "the person ends the others" => {
                    ann.delete("/api/v1/sessions?keep=current").await.expect(204);
                }
                "the person ends all" => {
                    ann.delete("/api/v1/sessions").await.expect(204);
                }
                "the app signs out by its access token" => {
                    let app = house.browser().with("Authorization", &format!("Bearer {access}"));
                    let mut app = app;
                    app.json("POST", "/api/v1/logout", &json!({})).await.expect(204);
                }
                "the app gives its refresh token back" => {
                    let body = json!({ "refresh_token": token });
                    house.browser().json("POST", "/api/v1/logout", &body).await.expect(204);
                }
                "an administrator ends all" => {
                    root.delete(&format!("/api/v1/admin/sessions?user={person}")).await;
                    root.delete("/api/v1/admin/sessions?user=ann").await;
                }
                "the person is disabled" => {
                    gateward::admin::flow::set_disabled(&house.app, person, true, house.now()).await.unwrap();
                }
                _ => {
                    house.change("ann", |person| person.end_everything(house.now())).await;
                    house.app.sessions.end_all(person, house.now()).await.unwrap();
                }
            }
            with(&house, &access, "/api/v1/session").await.expect(401);
            refresh(&mut house.browser(), &token).await.expect(401);
            if let Some(said) = said {
                assert_eq!(status(&house, &said).await, 1, "{cut}");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_session_keeps_its_app_while_the_others_end() {
    let house = House::new().await;
    house.person("ann").await;
    let body = tokens(&house, "ann", json!({})).await.expect(200).json();
    house.tick();
    let mut other = house.signed_in("ann").await;
    house.tick();
    let app = house.browser().with("Authorization", &format!("Bearer {}", text(&body, "access_token")));
    let mut app = app;
    app.delete("/api/v1/sessions?keep=current").await.expect(204);
    assert!(!other.is_signed_in().await);
    house.tick();
    let next = refresh(&mut house.browser(), &text(&body, "refresh_token")).await.expect(200).json();
    with(&house, &text(&next, "access_token"), "/api/v1/session").await.expect(200);
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
    let (house, other) = (House::new().await, House::new().await);
    house.person("ann").await;
    other.person("ann").await;
    for format in ["jwt", "opaque"] {
        let _ = format;
        let body = tokens(&other, "ann", json!({})).await.expect(200).json();
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

/// Lists take new tokens for a day; what goes on longer moves, and a list is forgotten with its last token.
#[tokio::test]
async fn lists_follow_each_other_and_are_forgotten() {
    let house = House::with(RESOURCES).await;
    house.person("ann").await;
    let more = json!({"audience": "https://api.example.com"});
    let first = tokens(&house, "ann", more.clone()).await.expect(200).json();
    let early = claims(&house, &text(&first, "access_token")).await;
    let beside = claims(&house, &text(&tokens(&house, "ann", more).await.json(), "access_token")).await;
    let place = |claims: &Value| claims["status"]["status_list"].clone();
    assert_eq!(place(&early)["uri"], place(&beside)["uri"]);
    assert_ne!(place(&early)["idx"], place(&beside)["idx"]);
    let day = Duration::from_secs(24 * 3600);
    house.advance(day - Duration::from_secs(1));
    let mut app = house.browser();
    let same = refresh(&mut app, &text(&first, "refresh_token")).await.expect(200).json();
    assert_eq!(place(&claims(&house, &text(&same, "access_token")).await), place(&early));
    house.advance(Duration::from_secs(1));
    let moved = refresh(&mut app, &text(&same, "refresh_token")).await.expect(200).json();
    let late = claims(&house, &text(&moved, "access_token")).await;
    assert_ne!(place(&late)["uri"], place(&early)["uri"]);
    // Ended now, both its places are revoked: a token of the first may live for minutes yet.
    let body = json!({ "refresh_token": text(&moved, "refresh_token") });
    house.browser().json("POST", "/api/v1/logout", &body).await.expect(204);
    assert_eq!((status(&house, &early).await, status(&house, &late).await), (1, 1));
    assert_eq!(house.app.tokens.status.lists().len(), 2);
    house.advance(Duration::from_secs(3600));
    house.app.tokens.status.forget(house.now());
    assert_eq!(house.app.tokens.status.lists().len(), 1);
    let path = text(&place(&early), "uri").strip_prefix(&house.app.origin).unwrap().to_owned();
    house.browser().get(&path).await.expect(404);
}

/// They all change the same few records.
#[tokio::test]
async fn many_revocations_at_once_all_count() {
    let house = House::with("[sessions]\nper_person = 1000").await;
    house.person("ann").await;
    let mut apps = Vec::new();
    for _ in 0..150 {
        apps.push(tokens(&house, "ann", json!({})).await.expect(200).json());
    }
    let answers = at_once(apps.iter().map(|app| {
        let (mut browser, body) = (house.browser(), json!({ "refresh_token": app["refresh_token"] }));
        async move { browser.json("POST", "/api/v1/logout", &body).await }
    }))
    .await;
    assert_eq!(count(&answers, 204), 150);
    for app in &apps {
        with(&house, &text(app, "access_token"), "/api/v1/session").await.expect(401);
    }
    // What the store holds, seen by a node that has just started.
    let other = house.second().await;
    for app in apps.iter().step_by(30) {
        let place = claims(&house, &text(app, "access_token")).await["status"]["status_list"].clone();
        let list = text(&place, "uri").rsplit('/').next().unwrap().parse().unwrap();
        let index = u32::try_from(place["idx"].as_u64().unwrap()).unwrap();
        assert_eq!(other.app.tokens.status.is_revoked_in_memory(list, index), Some(true));
    }
}
