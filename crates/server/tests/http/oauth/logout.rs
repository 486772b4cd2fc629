//! A client asks that its person be signed out (OpenID Connect RP-Initiated Logout).

use serde_json::json;

use super::{Known, SETTINGS, agree, client, house, redeem, refresh, refused, request, told, userinfo};
use crate::house::House;
use crate::wire::{Answer, Browser, encode};

const OUT: &str = "https://app.example/out";

async fn app(house: &House, id: &str) -> Known {
    client(house, id, json!({"post_logout_redirect_uris": [OUT, "https://app.example/out?a=1"]})).await
}

/// Somebody signed in at a client, in a browser that is theirs, and the tokens.
async fn signed_in(
    house: &House,
    name: &str,
    app: &Known,
    more: &[(&str, &str)],
) -> (Browser, serde_json::Value) {
    let mut browser = house.signed_in(name).await;
    let code = told(&agree(&mut browser, &request(app, more)).await)["code"].clone();
    let tokens = redeem(house, app, &code).await.expect(200).json();
    (browser, tokens)
}

fn path(fields: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", encode(fields))
}

/// The page after the end, by what automation looks for.
fn is_signed_out(answer: &Answer) -> bool {
    answer.status == 200 && answer.text().contains("<h1 id=\"signed-out\">You are signed out</h1>")
}

fn asks(answer: &Answer) -> bool {
    answer.status == 200 && answer.text().contains("id=\"logout-confirm\"")
}

#[tokio::test]
async fn a_client_with_a_token_of_the_person_signs_them_out_and_has_them_back() {
    let house = house().await;
    let app = app(&house, "app").await;
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let hint = tokens["id_token"].as_str().unwrap();
    // However long ago the token expired.
    house.advance(std::time::Duration::from_secs(700));
    let fields = [("id_token_hint", hint), ("post_logout_redirect_uri", OUT), ("state", "a b&c")];
    let answer = ann.get(&path(&fields)).await.expect(303);
    assert_eq!(answer.header("location"), Some("https://app.example/out?state=a+b%26c"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("referrer-policy")),
        (Some("no-store"), Some("no-referrer"))
    );
    assert!(answer.set_cookie("gateward").unwrap().contains("Max-Age=0"));
    assert!(ann.cookie("gateward").is_none());
    // The session is over, and what hung on it.
    assert_eq!(
        refused(&refresh(&house, &app, tokens["refresh_token"].as_str().unwrap()).await),
        "invalid_grant"
    );
    assert_eq!(userinfo(&house, tokens["access_token"].as_str().unwrap()).await.status, 401);
    let silent = ann.get(&request(&app, &[("prompt", "none")])).await;
    assert_eq!(told(&silent)["error"], "login_required");
    // Again: nobody is signed in, and it leads on all the same.
    let answer = ann
        .get(&path(&[
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", "https://app.example/out?a=1"),
            ("state", "s"),
        ]))
        .await;
    assert_eq!(answer.expect(303).header("location"), Some("https://app.example/out?a=1&state=s"));
    assert!(is_signed_out(&ann.get(&path(&[("id_token_hint", hint)])).await));
}

#[tokio::test]
async fn a_form_of_a_client_from_another_site_is_led_to_where_the_cookies_are() {
    let house = house().await;
    let app = app(&house, "app").await;
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let fields = [
        ("id_token_hint", tokens["id_token"].as_str().unwrap()),
        ("client_id", "app"),
        ("post_logout_redirect_uri", OUT),
    ];
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "https://app.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let answer =
        house.browser().send("POST", "/oauth/logout", &headers, encode(&fields).as_bytes()).await.expect(303);
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("/oauth/logout?request=") && ann.is_signed_in().await);
    assert_eq!(ann.get(location).await.expect(303).header("location"), Some(OUT));
    assert!(!ann.is_signed_in().await);
    // It counts for a minute, and is not to be made up.
    house.advance(std::time::Duration::from_secs(59));
    ann.get(location).await.expect(303);
    house.advance(std::time::Duration::from_secs(1));
    for path in [location.to_owned(), "/oauth/logout?request=AAAA".to_owned()] {
        let page = ann.get(&path).await.expect(400);
        assert!(page.text().contains("invalid_request"));
    }
}

#[tokio::test]
async fn without_a_token_that_proves_the_client_the_person_is_asked_and_led_nowhere() {
    let house = house().await;
    house.person("bob").await;
    let (app, other) = (app(&house, "app").await, app(&house, "other").await);
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let (_, of_bob) = signed_in(&house, "bob", &other, &[]).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let broken = format!("{}AA", hint.rsplit_once('.').unwrap().0);
    let unsigned = {
        let payload = hint.split('.').nth(1).unwrap();
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")
    };
    let uri = ("post_logout_redirect_uri", OUT);
    let cases: [&[(&str, &str)]; 8] = [
        &[],
        &[("state", "s")],
        &[uri, ("state", "s")],
        &[("client_id", "app"), uri],
        &[("id_token_hint", &broken), uri],
        &[("id_token_hint", &unsigned), ("client_id", "app"), uri],
        // An access token is no ID token, and somebody else's proves nothing about ann.
        &[("id_token_hint", tokens["access_token"].as_str().unwrap()), uri],
        &[("id_token_hint", of_bob["id_token"].as_str().unwrap()), uri],
    ];
    for fields in cases {
        let page = ann.get(&path(fields)).await;
        assert!(asks(&page) && !page.text().contains(OUT), "{fields:?}: {}", page.text());
        assert!(ann.is_signed_in().await, "{fields:?}");
        // Whoever is not signed in is told so, and led nowhere but by their own client.
        if !fields.iter().any(|(_, value)| Some(*value) == of_bob["id_token"].as_str()) {
            assert!(is_signed_out(&house.browser().get(&path(fields)).await), "{fields:?}");
        }
    }
    // The person says yes.
    let page = ann.get(&path(&[uri])).await;
    let token = page.token("/logout");
    let answer = ann.form("/logout", &[("csrf", &token)]).await;
    assert!(is_signed_out(&answer) && !ann.is_signed_in().await);
}

#[tokio::test]
async fn what_is_wrong_is_told_on_a_page_and_ends_nothing() {
    let house = house().await;
    let app = app(&house, "app").await;
    client(&house, "other", json!({})).await;
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let hint = ("id_token_hint", tokens["id_token"].as_str().unwrap());
    let long = "x".repeat(1025);
    let cases: [&[(&str, &str)]; 8] = [
        &[hint, ("post_logout_redirect_uri", "https://app.example/out/")],
        &[hint, ("post_logout_redirect_uri", "https://app.example/out?b=1")],
        &[hint, ("post_logout_redirect_uri", "https://APP.example/out")],
        &[hint, ("post_logout_redirect_uri", super::BACK)],
        &[hint, ("client_id", "other"), ("post_logout_redirect_uri", OUT)],
        &[("client_id", "nobody")],
        &[hint, ("post_logout_redirect_uri", OUT), ("state", &long)],
        &[("ui_locales", &long)],
    ];
    for fields in cases {
        let page = ann.get(&path(fields)).await.expect(400);
        assert!(
            page.text().contains("id=\"error-code\"") && page.text().contains("invalid_request"),
            "{fields:?}"
        );
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        ann.send("POST", "/oauth/logout", &headers, encode(fields).as_bytes()).await.expect(400);
        assert!(ann.is_signed_in().await, "{fields:?}");
    }
    let exact = "x".repeat(1024);
    ann.get(&path(&[hint, ("post_logout_redirect_uri", OUT), ("state", &exact)])).await.expect(303);
}

#[tokio::test]
async fn the_page_speaks_the_language_that_the_client_asks_for() {
    let house = house().await;
    let mut nobody = house.browser();
    assert!(nobody.get(&path(&[("ui_locales", "fr de en")])).await.text().contains("Sie sind abgemeldet"));
    assert!(nobody.get(&path(&[("ui_locales", "fr tlh")])).await.text().contains("You are signed out"));
    let mut german = nobody.with("Accept-Language", "de");
    assert!(german.get(&path(&[("ui_locales", "en-GB de")])).await.text().contains("You are signed out"));
    assert!(german.get(&path(&[])).await.text().contains("Sie sind abgemeldet"));
}

#[tokio::test]
async fn who_knows_the_person_by_a_name_of_its_own_signs_them_out_by_that() {
    let house = house().await;
    let more = json!({"post_logout_redirect_uris": [OUT], "subject_type": "pairwise"});
    let app = client(&house, "app", more).await;
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let fields = [("id_token_hint", tokens["id_token"].as_str().unwrap()), ("post_logout_redirect_uri", OUT)];
    ann.get(&path(&fields)).await.expect(303);
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn the_documents_say_where() {
    let house = house().await;
    let told = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(told["end_session_endpoint"], format!("{}/oauth/logout", house.app.origin));
    for flag in ["backchannel", "frontchannel"] {
        assert_eq!(told[format!("{flag}_logout_supported")], true);
        assert_eq!(told[format!("{flag}_logout_session_supported")], true);
    }
    assert!(told.get("check_session_iframe").is_none());
}

#[tokio::test]
async fn a_token_that_the_clients_secret_signs_proves_it_too() {
    let house = House::with(&format!("public_url = \"http://127.0.0.1:9\"\n{SETTINGS}")).await;
    house.person("ann").await;
    let more = json!({"post_logout_redirect_uris": [OUT], "id_token_signed_response_alg": "HS256"});
    let app = client(&house, "app", more).await;
    let (mut ann, tokens) = signed_in(&house, "ann", &app, &[]).await;
    let hint = tokens["id_token"].as_str().unwrap();
    // Another node, which has not met the client yet.
    let second = house.second().await;
    ann.to = second.address;
    let fields = [("id_token_hint", hint), ("post_logout_redirect_uri", OUT)];
    assert_eq!(ann.get(&path(&fields)).await.expect(303).header("location"), Some(OUT));
    assert!(!ann.is_signed_in().await);
}
