//! One-time codes for a new password: once, for a quarter of an hour, for one person, and the newest one only.

use std::time::Duration;

use gateward::admin::flow::{issue_reset, set_disabled};
use gateward::password::reset::LIFETIME;
use serde_json::json;

use crate::house::{House, PASSWORD, at_once, count};
use crate::wire::Answer;

const NEW: &str = "granite walnut harbour";

async fn code(house: &House, name: &str) -> String {
    let id = house.stored(name).await.id;
    issue_reset(&house.app, id, house.now()).await.unwrap().text().to_string()
}

/// Sends the form for this code, also when the page would not offer it.
async fn redeem(house: &House, code: &str, password: &str) -> Answer {
    let mut browser = house.browser();
    browser.get("/reset").await.expect(200);
    let token = house.token(&browser, "reset");
    let fields =
        [("csrf", token.as_str()), ("code", code), ("password", password), ("password_again", password)];
    browser.form("/reset", &fields).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_redeem_a_code_at_once_one_does() {
    let house = House::new().await;
    house.person("ann").await;
    let code = code(&house, "ann").await;
    let mut browser = house.browser();
    browser.get("/reset").await.expect(200);
    let token = house.token(&browser, "reset");
    let posts = (0..50).map(|n| {
        let (mut browser, token, code) = (browser.clone(), token.clone(), code.clone());
        async move {
            let password = format!("{NEW} {n}");
            let fields = [
                ("csrf", token.as_str()),
                ("code", &code),
                ("password", &password),
                ("password_again", &password),
            ];
            browser.form("/reset", &fields).await
        }
    });
    let answers = at_once(posts).await;
    assert_eq!((count(&answers, 200), count(&answers, 403)), (1, 49));
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    house.tick();
    house.browser().log_in("ann", &format!("{NEW} {winner}")).await.expect(200);
    house.browser().log_in("ann", PASSWORD).await.expect(401);
    redeem(&house, &code, NEW).await.expect(403);
}

#[tokio::test]
async fn a_code_lives_for_exactly_a_quarter_of_an_hour() {
    assert_eq!(LIFETIME, Duration::from_secs(900));
    let house = House::new().await;
    house.person("ann").await;
    let early = code(&house, "ann").await;
    house.advance(LIFETIME - Duration::from_micros(1));
    let page = house.browser().get(&format!("/reset?code={early}")).await.expect(200);
    assert!(page.text().contains("ann"));
    redeem(&house, &early, NEW).await.expect(200);
    let late = code(&house, "ann").await;
    house.advance(LIFETIME);
    house.browser().get(&format!("/reset?code={late}")).await.expect(403);
    redeem(&house, &late, PASSWORD).await.expect(403);
    house.browser().log_in("ann", NEW).await.expect(200);
}

#[tokio::test]
async fn a_newer_code_ends_older_ones_and_looking_spends_nothing() {
    let house = House::new().await;
    house.person("ann").await;
    let (first, second) = (code(&house, "ann").await, code(&house, "ann").await);
    redeem(&house, &first, NEW).await.expect(403);
    for _ in 0..3 {
        house.browser().get(&format!("/reset?code={second}")).await.expect(200);
        house.browser().send("HEAD", &format!("/reset?code={second}"), &[], b"").await.expect(200);
    }
    redeem(&house, &second, NEW).await.expect(200);
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_is_shown_nowhere() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("bob").await;
    let (mut ann, mut bob) = (house.signed_in("ann").await, house.signed_in("bob").await);
    let bearer = house.bearer("ann").await;
    let code = code(&house, "ann").await;
    let answer = redeem(&house, &code, NEW).await.expect(200);
    assert!(!answer.text().contains(NEW) && !answer.text().contains("gwp1_"));
    assert_eq!(answer.set_cookie("gateward"), None, "nobody is signed in by a code");
    assert!(!ann.is_signed_in().await);
    house
        .browser()
        .with("Authorization", &format!("Bearer {bearer}"))
        .get("/api/v1/session")
        .await
        .expect(401);
    assert!(bob.is_signed_in().await);
    house.tick();
    house.browser().log_in("ann", NEW).await.expect(200);
}

#[tokio::test]
async fn codes_open_nothing_else() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let bob = house.person("bob").await;
    let code = code(&house, "ann").await;
    // The first sixteen bytes name the person: with another person's name it is no code.
    let bytes = data_encoding::BASE64URL_NOPAD.decode(&code.as_bytes()[5..]).unwrap();
    assert_eq!(bytes[..16], *ann.as_bytes());
    let for_bob = [bob.as_bytes(), &bytes[16..]].concat();
    let for_bob = format!("gwp1_{}", data_encoding::BASE64URL_NOPAD.encode(&for_bob));
    let session = house.signed_in("ann").await.secret();
    for wrong in [
        "",
        "gwp1_",
        &for_bob,
        &code[5..],
        &code[..code.len() - 1],
        &format!("{code}A"),
        &code.to_uppercase(),
        &code.replace("gwp1_", "gwp2_"),
        &code.replace("gwp1_", "gws1_"),
        &session,
        &session.replace("gws1_", "gwp1_"),
        &format!("gwp1_{}", "A".repeat(43)),
    ] {
        redeem(&house, wrong, NEW).await.expect(403);
    }
    let mut thief = house.browser();
    thief.set("gateward", &code);
    assert!(!thief.is_signed_in().await);
    thief.with("Authorization", &format!("Bearer {code}")).get("/api/v1/session").await.expect(401);
    thief.json("POST", "/api/v1/login", &json!({"username": "ann", "password": code})).await.expect(401);
    thief.get(&format!("/setup?code={code}")).await.expect(403);
    redeem(&house, &code, NEW).await.expect(200);
}

#[tokio::test]
async fn other_changes_of_the_person_end_the_code() {
    let house = House::new().await;
    let ann = house.person("ann").await;
    let code = self::code(&house, "ann").await;
    let mut browser = house.signed_in("ann").await;
    let next = "marble lantern orchard";
    let fields = [("current_password", PASSWORD), ("password", next), ("password_again", next)];
    browser.fill("/account", "/account/password", &fields).await.expect(303);
    redeem(&house, &code, NEW).await.expect(403);

    let code = self::code(&house, "ann").await;
    set_disabled(&house.app, ann, true, house.now()).await.unwrap();
    redeem(&house, &code, NEW).await.expect(403);
    assert!(issue_reset(&house.app, ann, house.now()).await.is_err(), "who is disabled gets no code");
}

#[tokio::test]
async fn a_bad_password_is_told_and_spends_nothing() {
    let house = House::new().await;
    house.person("annabella").await;
    let code = code(&house, "annabella").await;
    for bad in ["short", "password1", "annabella99", &"x".repeat(1025)] {
        redeem(&house, &code, bad).await.expect(422);
    }
    let mut browser = house.browser();
    browser.get("/reset").await.expect(200);
    let token = house.token(&browser, "reset");
    let fields =
        [("csrf", token.as_str()), ("code", &code), ("password", NEW), ("password_again", "something else")];
    browser.form("/reset", &fields).await.expect(422);
    redeem(&house, &code, &"x".repeat(1024)).await.expect(200);
}
