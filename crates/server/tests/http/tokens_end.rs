//! What ends tokens: reuse, and every way in which access is cut; and the lists that tell it.

use std::time::Duration;

use gateward_kernel::event::{EventQuery, Fact};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, at_once, count};
use crate::tokens::{RESOURCES, claims, refresh, status, text, tokens, with};

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
    const CUTS: [&str; 8] = [
        "the person ends that session",
        "the person ends the others",
        "the person ends all",
        "the app signs out by its access token",
        "the app gives its refresh token back",
        "an administrator ends all",
        "the person is disabled",
        "the password is changed",
    ];
    for format in ["jwt", "opaque"] {
        for cut in CUTS {
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
                    root.delete("/api/v1/admin/sessions?user=ann").await.expect(204);
                }
                "the person is disabled" => {
                    gateward::admin::flow::set_disabled(&house.app, person, true, house.now()).await.unwrap();
                }
                "the password is changed" => {
                    let fields = [
                        ("current_password", PASSWORD),
                        ("password", "amber violin harbour"),
                        ("password_again", "amber violin harbour"),
                    ];
                    ann.fill("/account", "/account/password", &fields).await.expect(303);
                }
                other => panic!("{other}"),
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
