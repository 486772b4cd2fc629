//! Signing in: what is told, what is not told, and what a request must look like.

use serde_json::json;

use crate::house::{House, PASSWORD};
use crate::wire::Answer;

/// An answer without what differs in every answer.
fn told(answer: &Answer, name: Option<&str>) -> (u16, Vec<(String, String)>, String) {
    // The name that was typed is shown again; the length of the page follows from it.
    let differs = match name {
        Some(_) => &["date", "x-request-id", "content-length"][..],
        None => &["date", "x-request-id"],
    };
    let headers = answer.headers.iter().filter(|(own, _)| !differs.contains(&own.as_str())).cloned();
    let text = name.map_or(answer.text(), |name| answer.text().replace(name, "value=\"NAME\""));
    (answer.status, headers.collect(), text)
}

async fn house_with_everybody() -> House {
    let house = House::new().await;
    house
        .person_like("known", |person| {
            person.email = Some(gateward_kernel::person::Email::parse("known@example.org").unwrap())
        })
        .await;
    house.person_like("disabled", |person| person.disabled = true).await;
    house.person_like("passwordless", |person| person.password = None).await;
    house
}

#[tokio::test]
async fn nobody_learns_who_exists() {
    let house = house_with_everybody().await;
    let long = "x".repeat(2000);
    let mut page = house.browser();
    let token = page.get("/login").await.expect(200).token("/login");
    let (mut by_json, mut by_form) = (Vec::new(), Vec::new());
    for (name, password) in [
        ("known", "a wrong password"),
        ("known", ""),
        ("known", long.as_str()),
        ("KNOWN", "a wrong password"),
        ("known@example.org", "a wrong password"),
        ("nobody", "a wrong password"),
        ("nobody", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("no body at all!", PASSWORD),
        ("", PASSWORD),
        ("disabled", PASSWORD),
        ("passwordless", PASSWORD),
        ("passwordless", ""),
    ] {
        let answer = house.browser().log_in(name, password).await;
        assert_eq!(answer.problem(), "wrong-credentials");
        by_json.push((name, password, told(&answer, None)));
        let mut browser = page.clone();
        let answer =
            browser.form("/login", &[("csrf", &token), ("username", name), ("password", password)]).await;
        let shown = format!("value=\"{name}\"");
        by_form.push((name, password, told(&answer, Some(&shown))));
    }
    assert!(by_json.iter().all(|(.., answer)| answer.0 == 401 && *answer == by_json[0].2), "{by_json:#?}");
    for (name, password, (status, headers, body)) in &by_form {
        assert_eq!((status, headers), (&401, &by_form[0].2.1), "{name} {password}");
        // An empty name has the cursor, a given one leaves it to the password.
        if !name.is_empty() {
            assert_eq!(*body, by_form[0].2.2, "{name} {password}");
        }
    }
}

#[tokio::test]
async fn people_sign_in_by_any_spelling_of_name_or_address() {
    let house = house_with_everybody().await;
    for name in ["known", "Known", " KNOWN ", "ｋｎｏｗｎ", "known@example.org", "Known@EXAMPLE.org"] {
        let mut browser = house.browser();
        let answer = browser.log_in(name, PASSWORD).await.expect(200).json();
        assert_eq!(answer["user"]["username"], "known", "{name}");
        assert!(browser.is_signed_in().await);
        let fields = [("username", name), ("password", PASSWORD)];
        let answer = house.browser().fill("/login", "/login", &fields).await.expect(303);
        assert_eq!(answer.header("location"), Some("/account"));
    }
}

#[tokio::test]
async fn a_password_is_one_text_in_all_its_unicode_forms() {
    let house = House::new().await;
    let composed = "caf\u{e9} cr\u{e8}me br\u{fb}l\u{e9}e";
    let decomposed = "cafe\u{301} cre\u{300}me bru\u{302}le\u{301}e";
    let password = gateward_kernel::person::password::Password::typed(composed.into()).unwrap();
    let hash = house.app.passwords.hash(&password, house.now()).await.unwrap();
    house.person_like("ann", |person| person.password = Some(hash)).await;
    house.browser().log_in("ann", composed).await.expect(200);
    house.browser().log_in("ann", decomposed).await.expect(200);
    house.browser().log_in("ann", &composed.to_uppercase()).await.expect(401);
    house.browser().log_in("ann", &format!("{composed} ")).await.expect(401);
}

#[tokio::test]
async fn hashes_of_other_makers_open_once_and_are_renewed() {
    let house = House::new().await;
    let at = house.now();
    // "U*U" and friends are too short to be judged, yet imported hashes are verified as they are.
    let bcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let stored = gateward::password::hasher::import(bcrypt, at).unwrap();
    house.person_like("ann", |person| person.password = Some(stored)).await;
    house.browser().log_in("ann", "U*V").await.expect(401);
    house.browser().log_in("ann", "U*U").await.expect(200);
    let renewed = serde_json::to_string(&house.stored("ann").await.password).unwrap();
    assert!(renewed.contains("$argon2id$"), "{renewed}");
    house.browser().log_in("ann", "U*U").await.expect(200);
    house.browser().log_in("ann", "U*V").await.expect(401);
}

#[tokio::test]
async fn the_json_body_is_exactly_what_is_documented() {
    let house = House::new().await;
    house.person("ann").await;
    let answer = house.browser().log_in("ann", PASSWORD).await.expect(200);
    assert!(answer.json()["session"]["secret"].is_null(), "a cookie's secret is in the cookie only");
    assert!(!answer.text().contains("gws1_"));
    let header = json!({"username": "ann", "password": PASSWORD, "transport": "header"});
    let answer = house.browser().json("POST", "/api/v1/login", &header).await.expect(200);
    assert!(answer.json()["session"]["secret"].as_str().unwrap().starts_with("gws1_"));
    assert_eq!(answer.set_cookie("gateward"), None);
    for odd in [
        json!({"username": "ann"}),
        json!({"password": PASSWORD}),
        json!({"username": "ann", "password": PASSWORD, "transport": "url"}),
        json!({"username": "ann", "password": PASSWORD, "transport": "pigeon"}),
        json!({"username": "ann", "password": PASSWORD, "user": "bob"}),
        json!({"username": "ann", "password": [PASSWORD]}),
        json!({"username": ["ann"], "password": PASSWORD}),
        json!({"username": "ann", "password": null}),
        json!({"username": "ann", "password": PASSWORD, "remember": "yes"}),
        json!([]),
        json!("ann"),
    ] {
        let answer = house.browser().json("POST", "/api/v1/login", &odd).await.expect(400);
        assert_eq!(answer.problem(), "malformed", "{odd}");
    }
    let twice = format!("{{\"username\":\"bob\",\"username\":\"ann\",\"password\":\"{PASSWORD}\"}}");
    house
        .browser()
        .send("POST", "/api/v1/login", &[("Content-Type", "application/json")], twice.as_bytes())
        .await
        .expect(400);
    for media_type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        let headers = [("Content-Type", media_type)];
        let body = json!({"username": "ann", "password": PASSWORD}).to_string();
        house.browser().send("POST", "/api/v1/login", &headers, body.as_bytes()).await.expect(415);
    }
}

#[tokio::test]
async fn who_is_signed_in_is_sent_on_unless_they_want_to_sign_in_again() {
    let house = House::new().await;
    house.person("ann").await;
    house.person("bob").await;
    let mut browser = house.signed_in("ann").await;
    assert_eq!(browser.get("/login").await.expect(303).header("location"), Some("/account"));
    assert_eq!(browser.get("/login?return_to=/logout").await.expect(303).header("location"), Some("/logout"));
    let token = browser.get("/login?again=1").await.expect(200).token("/login");
    let fields = [("csrf", token.as_str()), ("username", "bob"), ("password", PASSWORD)];
    browser.form("/login", &fields).await.expect(303);
    assert_eq!(browser.get("/api/v1/session").await.json()["user"]["username"], "bob");
    assert_eq!(browser.get("/").await.expect(303).header("location"), Some("/account"));
    assert_eq!(
        house.browser().get("/account").await.expect(303).header("location"),
        Some("/login?return_to=%2Faccount")
    );
}

#[tokio::test]
async fn remember_me_on_the_form_outlives_the_browser() {
    let house = House::new().await;
    house.person("ann").await;
    for (fields, stays) in [(vec![("remember", "true")], true), (vec![], false)] {
        let fields: Vec<_> =
            [("username", "ann"), ("password", PASSWORD)].into_iter().chain(fields).collect();
        let answer = house.browser().fill("/login", "/login", &fields).await.expect(303);
        assert_eq!(answer.set_cookie("gateward").unwrap().contains("Max-Age=2592000"), stays);
        assert!(answer.set_cookie("gateward-device").unwrap().contains("HttpOnly"));
    }
}
