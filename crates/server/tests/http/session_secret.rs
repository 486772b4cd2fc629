//! The secret of a session: new at every change of privilege, one way of travelling, and nothing else opens it.

use std::time::Duration;

use serde_json::json;

use crate::house::{House, PASSWORD};
use crate::wire::Browser;

fn with_secret(browser: &Browser, secret: &str) -> Browser {
    let mut other = browser.clone();
    other.set("gateward", secret);
    other
}

#[tokio::test]
async fn a_guest_who_signs_in_keeps_the_data_and_not_the_secret() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.browser();
    browser.json("PATCH", "/api/v1/session/data", &json!({"cart": [1, 2]})).await.expect(200);
    let guest = browser.secret();
    browser.get("/api/v1/session").await.expect(401);
    browser.log_in("ann", PASSWORD).await.expect(200);
    assert_ne!(browser.secret(), guest);
    let data = browser.get("/api/v1/session/data").await.expect(200);
    assert_eq!((data.json(), data.header("etag")), (json!({"cart": [1, 2]}), Some("\"1\"")));
    let mut old = with_secret(&browser, &guest);
    old.get("/api/v1/session").await.expect(401);
    old.get("/api/v1/session/data").await.expect(401);
}

#[tokio::test]
async fn signing_in_again_renews_the_secret_and_the_proof() {
    let house = House::new().await;
    house.person("ann").await;
    let mut browser = house.signed_in("ann").await;
    let first = browser.get("/api/v1/session").await.expect(200).json();
    let old = browser.secret();
    house.advance(Duration::from_secs(700));
    browser.log_in("ann", PASSWORD).await.expect(200);
    assert_ne!(browser.secret(), old);
    assert!(!with_secret(&browser, &old).is_signed_in().await);
    let second = browser.get("/api/v1/session").await.expect(200).json();
    assert_eq!(second["session"]["id"], first["session"]["id"], "the same session");
    assert_ne!(second["session"]["authenticated_at"], first["session"]["authenticated_at"]);
    let listed = browser.get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_of_one_person_never_becomes_anothers() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("bob").await;
    let mut browser = house.signed_in("ann").await;
    browser.json("PATCH", "/api/v1/session/data", &json!({"of": "ann"})).await.expect(200);
    let (anns, id) = (browser.secret(), browser.get("/api/v1/session").await.json()["session"]["id"].clone());
    browser.log_in("bob", PASSWORD).await.expect(200);
    let bobs = browser.get("/api/v1/session").await.expect(200).json();
    assert_eq!(bobs["user"]["username"], "bob");
    assert_ne!(bobs["session"]["id"], id);
    assert_eq!(browser.get("/api/v1/session/data").await.expect(200).json(), json!({}));
    assert!(!with_secret(&browser, &anns).is_signed_in().await, "what was presented is ended");
    let mut other = house.signed_in("ann").await;
    let listed = other.get("/api/v1/sessions").await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_secret_from_outside_is_never_adopted() {
    let house = House::new().await;
    house.person("ann").await;
    let stranger = House::new().await;
    stranger.person("ann").await;
    let foreign = stranger.signed_in("ann").await.secret();
    let garbage = "A".repeat(200);
    for planted in [
        foreign.as_str(),
        "gws1_",
        "x",
        &garbage,
        "gws1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let mut browser = house.browser();
        browser.set("gateward", planted);
        assert!(!browser.is_signed_in().await, "{planted}");
        browser.log_in("ann", PASSWORD).await.expect(200);
        assert_ne!(browser.secret(), planted);
        assert!(!with_secret(&browser, planted).is_signed_in().await, "{planted}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_others_and_renews_the_own() {
    let house = House::new().await;
    house.person("ann").await;
    let (mut own, mut other) = (house.signed_in("ann").await, house.signed_in("ann").await);
    let app = house.bearer("ann").await;
    own.json("PATCH", "/api/v1/session/data", &json!({"kept": true})).await.expect(200);
    let old = own.secret();
    let next = "marble lantern orchard";
    let fields = [("current_password", PASSWORD), ("password", next), ("password_again", next)];
    let answer = own.fill("/account", "/account/password", &fields).await.expect(303);
    assert_eq!(answer.header("location"), Some("/account?done=password"));
    assert_ne!(own.secret(), old);
    assert!(own.is_signed_in().await);
    assert!(!with_secret(&own, &old).is_signed_in().await);
    assert!(!other.is_signed_in().await);
    house.browser().with("Authorization", &format!("Bearer {app}")).get("/api/v1/session").await.expect(401);
    assert_eq!(own.get("/api/v1/session/data").await.expect(200).json(), json!({"kept": true}));
    house.tick();
    house.browser().log_in("ann", PASSWORD).await.expect(401);
    house.browser().log_in("ann", next).await.expect(200);
}

#[tokio::test]
async fn a_password_change_asks_the_current_one_and_judges_the_new_one() {
    let house = House::new().await;
    house
        .person_like("annabella", |person| {
            person.email = Some(gateward_kernel::person::Email::parse("bella@example.org").unwrap())
        })
        .await;
    let mut browser = house.signed_in("annabella").await;
    let long = "x".repeat(1025);
    for (current, next, again) in [
        ("wrong current one", "marble lantern orchard", "marble lantern orchard"),
        (PASSWORD, "marble lantern orchard", "marble lantern orchart"),
        (PASSWORD, "seven77", "seven77"),
        (PASSWORD, "password123", "password123"),
        (PASSWORD, "annabella2026", "annabella2026"),
        (PASSWORD, &long, &long),
        (PASSWORD, "", ""),
    ] {
        let secret = browser.secret();
        let fields = [("current_password", current), ("password", next), ("password_again", again)];
        let page = browser.fill("/account", "/account/password", &fields).await.expect(422);
        assert!(next.len() < 7 || !page.text().contains(next), "a password is never shown: {next}");
        assert_eq!(browser.secret(), secret);
    }
    house.tick();
    house.browser().log_in("annabella", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_secret_travels_the_way_it_was_made_for() {
    let house = House::new().await;
    house.person("ann").await;
    let cookie = house.signed_in("ann").await;
    let bearer = house.bearer("ann").await;
    let id = cookie.clone().get("/api/v1/session").await.json()["session"]["id"].as_str().unwrap().to_owned();
    let none = house.browser();
    let by = |value: &str| house.browser().with("Authorization", value);
    for (mut browser, status, what) in [
        (by(&format!("Bearer {bearer}")), 200, "as it should be"),
        (by(&format!("bEARER  {bearer}")), 200, "a scheme has no case"),
        (with_secret(&none, &bearer), 401, "a header's secret in the cookie"),
        (by(&format!("Bearer {}", cookie.secret())), 401, "a cookie's secret in the header"),
        (by(&format!("Basic {bearer}")), 401, "another scheme"),
        (by(&bearer), 401, "no scheme"),
        (by(&format!("Bearer {id}")), 401, "the public id"),
        (with_secret(&none, &id), 401, "the public id in the cookie"),
        (by(&format!("Bearer {bearer}A")), 401, "too long"),
        (by(&format!("Bearer {}", bearer.to_uppercase())), 401, "re-cased"),
        (cookie.with("Authorization", &format!("Bearer {bearer}")), 400, "both at once"),
        (cookie.with("Authorization", &format!("Bearer {}", cookie.secret())), 400, "both at once, the same"),
        (by(&format!("Bearer {bearer}")).with("Authorization", &format!("Bearer {bearer}")), 400, "twice"),
        (cookie.with("Authorization", "Basic YTpi"), 200, "an app's own credentials are none of ours"),
    ] {
        assert_eq!(browser.get("/api/v1/session").await.status, status, "{what}");
    }
    let answer = by(&format!("Bearer {bearer}")).delete("/api/v1/sessions?keep=current").await.expect(204);
    let renewed = answer.header("gateward-session").expect("the new secret in a header").to_owned();
    assert_eq!(answer.set_cookie("gateward"), None);
    by(&format!("Bearer {bearer}")).get("/api/v1/session").await.expect(401);
    by(&format!("Bearer {renewed}")).get("/api/v1/session").await.expect(200);
}
