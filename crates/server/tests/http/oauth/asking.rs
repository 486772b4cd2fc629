//! What a request may ask for, and what becomes of one that is wrong: told to the client where that is safe, else on a page.

use std::time::Duration;

use serde_json::json;

use super::{
    BACK, Known, agree, challenge, client, decide, error, house, parameters, public, redeem, request, tokens,
    told, userinfo, verified,
};
use crate::house::{House, PASSWORD};
use crate::tokens::text;
use crate::wire::{Answer, Browser, encode};

/// The error code on the page, in plain text.
fn on_page(answer: &Answer) -> String {
    assert!((400..500).contains(&answer.status), "{}: {:?}", answer.status, answer.header("location"));
    let html = answer.text();
    let (_, rest) = html.split_once("<code id=\"error-code\">").unwrap_or_else(|| panic!("{html}"));
    rest.split_once('<').unwrap().0.to_owned()
}

/// Signs in on the page that an answer leads to, and yields what comes after.
async fn sign_in(browser: &mut Browser, led: &Answer) -> Answer {
    let login = led.header("location").unwrap().to_owned();
    assert!(login.starts_with("/login?"), "{login}");
    let page = browser.get(&login).await.expect(200);
    let (csrf, back) = (page.token("/login"), super::hidden(&page, "return_to"));
    let fields = [("csrf", csrf.as_str()), ("return_to", &back), ("username", "ann"), ("password", PASSWORD)];
    let back = browser.form("/login", &fields).await.expect(303);
    browser.get(back.header("location").unwrap()).await
}

/// A browser in which ann is signed in and has agreed to everything that `app` asks for here.
async fn agreed(house: &House, app: &Known) -> Browser {
    let mut browser = house.signed_in("ann").await;
    assert!(told(&agree(&mut browser, &request(app, &[])).await).contains_key("code"));
    browser
}

#[tokio::test]
async fn no_page_is_shown_when_none_may_be() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let none = request(&app, &[("prompt", "none")]);
    assert_eq!(error(&house, &house.browser().get(&none).await), "login_required");
    let mut browser = house.signed_in("ann").await;
    assert_eq!(error(&house, &browser.get(&none).await), "consent_required");
    let mut browser = agreed(&house, &app).await;
    // It tells of the same sign-in as an answer by a page, however long ago that was.
    let mut seen = Vec::new();
    for path in [&request(&app, &[]), &none] {
        let answer = told(&browser.get(path).await);
        let tokens = redeem(&house, &app, &answer["code"]).await.expect(200).json();
        let claims = verified(&house, &text(&tokens, "id_token")).await.1;
        seen.push((claims["sub"].clone(), claims["auth_time"].as_i64().unwrap()));
        house.advance(Duration::from_secs(30));
    }
    let ann = house.stored("ann").await.id.to_string();
    assert_eq!(seen, vec![(json!(ann), house.now().seconds() - 60); 2]);
    for odd in ["none login", "none consent", "none select_account", "nonsense", "None"] {
        assert_eq!(
            error(&house, &browser.get(&request(&app, &[("prompt", odd)])).await),
            "invalid_request",
            "{odd}"
        );
    }
}

#[tokio::test]
async fn a_new_sign_in_is_one_and_moves_its_time() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let begun = house.now().seconds();
    let mut browser = agreed(&house, &app).await;
    house.advance(Duration::from_secs(100));
    let at = async |answer: &Answer| {
        let told = redeem(&house, &app, &told(answer)["code"]).await.expect(200).json();
        verified(&house, &text(&told, "id_token")).await.1["auth_time"].as_i64().unwrap() - begun
    };
    // Nobody signs in again for nothing.
    assert_eq!(at(&browser.get(&request(&app, &[])).await).await, 0);
    for age in ["100", "101", "86400"] {
        assert_eq!(at(&browser.get(&request(&app, &[("max_age", age)])).await).await, 0, "{age}");
    }
    for (name, value) in [("max_age", "99"), ("max_age", "0"), ("prompt", "login")] {
        let path = request(&app, &[(name, value)]);
        house.advance(Duration::from_secs(1));
        // Going on without signing in leads there again, how often whatever.
        let led = browser.clone().get(&path).await.expect(303);
        let flow = led.header("location").unwrap().split_once("return_to=").unwrap().1.to_owned();
        let flow = url::form_urlencoded::parse(format!("v={flow}").as_bytes()).next().unwrap().1.into_owned();
        assert!(
            browser.clone().get(&flow).await.expect(303).header("location").unwrap().starts_with("/login?"),
            "{name}"
        );
        if name == "max_age" {
            let both = [(name, value), ("prompt", "none")];
            assert_eq!(error(&house, &browser.get(&request(&app, &both)).await), "login_required");
        }
        let answer = sign_in(&mut browser, &led).await;
        assert_eq!(at(&answer).await, house.now().seconds() - begun, "{name}={value}");
    }
    for odd in ["-1", "soon", "1.5", "99999999999999999999999"] {
        assert_eq!(
            error(&house, &browser.get(&request(&app, &[("max_age", odd)])).await),
            "invalid_request",
            "{odd}"
        );
    }
    // What a client has registered counts when it says nothing.
    let strict = client(&house, "strict", json!({"default_max_age": 10, "gateward_consent": "skip"})).await;
    house.advance(Duration::from_secs(10));
    assert!(told(&browser.get(&request(&strict, &[])).await).contains_key("code"));
    house.advance(Duration::from_secs(1));
    assert!(browser.get(&request(&strict, &[])).await.header("location").unwrap().starts_with("/login?"));
    assert!(told(&browser.get(&request(&strict, &[("max_age", "9999")])).await).contains_key("code"));
}

#[tokio::test]
async fn an_account_is_chosen_when_that_is_asked_for() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut browser = agreed(&house, &app).await;
    let page = browser.get(&request(&app, &[("prompt", "select_account")])).await.expect(200);
    assert!(told(&browser.get(&super::link(&page, "choose-continue")).await).contains_key("code"));
    let page = browser.get(&super::link(&page, "choose-another")).await.expect(200);
    assert!(page.text().contains("id=\"login-form\""));
    // The clock is held: a sign-in of this very moment would be a new one.
    house.tick();
    let hint = request(&app, &[("login_hint", "ann"), ("prompt", "login")]);
    let led = browser.get(&hint).await.expect(303);
    let page = browser.get(led.header("location").unwrap()).await.expect(200);
    assert!(page.text().contains("name=\"username\" type=\"text\" value=\"ann\""), "{}", page.text());
}

#[tokio::test]
async fn a_hint_of_who_is_expected_is_believed_only_from_us() {
    let house = house().await;
    house.person("ben").await;
    let (app, other) = (client(&house, "app", json!({})).await, client(&house, "other", json!({})).await);
    let hint = text(&tokens(&house, &app, &[]).await, "id_token");
    let foreign = text(&tokens(&house, &other, &[]).await, "id_token");
    let access = text(&tokens(&house, &app, &[]).await, "access_token");
    let mut ann = agreed(&house, &app).await;
    let with = |hint: &str| request(&app, &[("id_token_hint", hint), ("prompt", "none")]);
    assert!(told(&ann.get(&with(&hint)).await).contains_key("code"));
    // Somebody else is signed in.
    let mut ben = house.signed_in("ben").await;
    assert_eq!(error(&house, &ben.get(&with(&hint)).await), "login_required");
    let led = ben.get(&request(&app, &[("id_token_hint", &hint)])).await.expect(303);
    assert!(led.header("location").unwrap().starts_with("/login?again=1&"));
    let (body, signature) = hint.rsplit_once('.').unwrap();
    let forged = format!("{body}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]);
    for bad in [&foreign, &access, &forged, "nonsense", "a.b.c"] {
        assert_eq!(error(&house, &ann.get(&with(bad)).await), "invalid_request", "{bad}");
    }
    // What UserInfo says of somebody is signed by the same key, and is no ID token: it never ends.
    let more = json!({ "userinfo_signed_response_alg": "ES256", "gateward_consent": "skip" });
    let signed = client(&house, "signed", more).await;
    let begun = tokens(&house, &signed, &[]).await;
    let told_signed = userinfo(&house, &text(&begun, "access_token")).await.expect(200).text();
    let path = |hint: &str| request(&signed, &[("id_token_hint", hint), ("prompt", "none")]);
    assert_eq!(error(&house, &ann.get(&path(&told_signed)).await), "invalid_request");
    assert!(told(&ann.get(&path(&text(&begun, "id_token"))).await).contains_key("code"));
    // However long ago it has expired.
    house.advance(Duration::from_secs(1200));
    assert!(told(&ann.get(&with(&hint)).await).contains_key("code"));
}

#[tokio::test]
async fn answers_go_to_registered_addresses_only() {
    let house = house().await;
    let back = "https://app.example/cb?tenant=1";
    let app = client(&house, "app", json!({"redirect_uris": [BACK, back]})).await;
    let mut browser = agreed(&house, &app).await;
    assert!(
        super::told_at(&agree(&mut browser, &request(&app, &[("redirect_uri", back)])).await, back)
            .contains_key("code")
    );
    for bad in [
        "https://app.example/cb/",
        "https://app.example/cb?",
        "https://app.example/cb#",
        "https://app.example/cb#x",
        "https://app.example/cb?tenant=2",
        "https://app.example/cb?tenant=1&x=y",
        "https://app.example/cb/../cb",
        "https://app.example/%63b",
        "https://app.example:443/cb",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "http://app.example/cb",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://evil.example/?https://app.example/cb",
        "https://evil.example\\@app.example/cb",
        "//app.example/cb",
        "/cb",
        " https://app.example/cb",
        "https://app.example/cb%0d%0aX: y",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        for more in [("prompt", "none"), ("response_type", "nonsense"), ("state", "x")] {
            let answer = browser.get(&request(&app, &[("redirect_uri", bad), more])).await;
            assert_eq!(
                (on_page(&answer).as_str(), answer.header("location")),
                ("invalid_request", None),
                "{bad}"
            );
            assert!(!answer.text().contains("evil.example"), "{bad}");
        }
    }
    // Twice, or not at all where there are two.
    let good = request(&app, &[]);
    let twice = format!("{good}&{}", encode(&[("redirect_uri", BACK)]));
    assert_eq!(on_page(&browser.get(&twice).await), "invalid_request");
    assert_eq!(on_page(&browser.get(&request(&app, &[("redirect_uri", "")])).await), "invalid_request");
    let one = client(&house, "one", json!({})).await;
    assert!(told(&agree(&mut browser, &request(&one, &[("redirect_uri", "")])).await).contains_key("code"));
    // Nobody to tell.
    for (name, value, code) in
        [("client_id", "", "invalid_request"), ("client_id", "nobody", "invalid_client")]
    {
        assert_eq!(on_page(&browser.get(&request(&app, &[(name, value)])).await), code, "{value}");
    }
    assert_eq!(on_page(&browser.get(&format!("{good}&client_id=one")).await), "invalid_request");
}

#[tokio::test]
async fn what_is_wrong_is_told_to_the_client_by_its_code() {
    let house = house().await;
    let app = client(&house, "app", json!({"scope": "openid profile read"})).await;
    let mut browser = agreed(&house, &app).await;
    let long = "x".repeat(1025);
    for (name, value, code) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "nonsense", "unsupported_response_type"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "nonsense", "invalid_request"),
        ("scope", "nonsense", "invalid_scope"),
        ("scope", "write", "invalid_scope"),
        ("scope", "open\"id", "invalid_scope"),
        ("state", &long, "invalid_request"),
        ("nonce", &long, "invalid_request"),
        ("resource", "https://nobody.example", "invalid_target"),
        ("resource", "https://api.example#x", "invalid_target"),
        ("claims", "nonsense", "invalid_request"),
        ("registration", "{}", "registration_not_supported"),
        ("dpop_jkt", "nonsense", "invalid_request"),
        ("authorization_details", "[{\"type\":\"pay\"}]", "invalid_authorization_details"),
    ] {
        let answer = browser.get(&request(&app, &[(name, value)])).await;
        assert_eq!(error(&house, &answer), code, "{name}={value}");
        if name != "state" {
            assert_eq!(told(&answer)["state"], "the state", "{name}");
        }
    }
    // A parameter that is there twice cannot be told to anybody safely, and one of nobody's is passed over.
    let twice = browser.get(&format!("{}&scope=openid", request(&app, &[]))).await;
    assert!(twice.status == 400 || error(&house, &twice) == "invalid_request");
    assert!(
        told(
            &browser
                .get(&format!(
                    "{}&later=1&display=popup&ui_locales=de+en&claims_locales=de+en&acr_values=9",
                    request(&app, &[])
                ))
                .await
        )
        .contains_key("code")
    );
    let code_only =
        client(&house, "service", json!({"grant_types": ["client_credentials"], "response_types": []})).await;
    assert_eq!(error(&house, &browser.get(&request(&code_only, &[])).await), "unauthorized_client");
    // One that was switched off is not there.
    let decide = |client: &gateward_kernel::oauth::Client| {
        let next = gateward_kernel::oauth::Client { disabled: true, ..client.clone() };
        gateward_kernel::record::Decision::Write(next, ())
    };
    house.app.oauth.clients.change("app", house.now(), decide).await.unwrap().unwrap();
    assert_eq!(on_page(&browser.get(&request(&app, &[])).await), "invalid_client");
}

#[tokio::test]
async fn pkce_cannot_be_talked_down() {
    let house = house().await;
    let (app, spa) = (client(&house, "app", json!({})).await, public(&house, "spa").await);
    let old = client(&house, "old", json!({"gateward_pkce_optional": true})).await;
    let spa_old = client(
        &house,
        "spa-old",
        json!({"token_endpoint_auth_method": "none", "gateward_pkce_optional": true}),
    )
    .await;
    let mut browser = house.signed_in("ann").await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    for client in [&app, &spa, &spa_old] {
        assert_eq!(
            error(&house, &browser.get(&request(client, &without)).await),
            "invalid_request",
            "{client:?}"
        );
    }
    let padded = format!("{}=", challenge());
    for odd in [
        [("code_challenge_method", "plain"), ("code_challenge", super::VERIFIER)],
        [("code_challenge_method", ""), ("code_challenge", super::VERIFIER)],
        [("code_challenge_method", "s256"), ("code_challenge", &challenge())],
        [("code_challenge_method", "S256"), ("code_challenge", "")],
        [("code_challenge_method", "S256"), ("code_challenge", "short")],
        [("code_challenge_method", "S256"), ("code_challenge", &padded)],
    ] {
        for client in [&app, &old] {
            assert_eq!(
                error(&house, &browser.get(&request(client, &odd)).await),
                "invalid_request",
                "{odd:?}"
            );
        }
    }
    // A client that is older than PKCE redeems without a verifier, and a verifier that fits nothing is refused (RFC 9700 §4.8.2).
    let mut ask = async || told(&agree(&mut browser, &request(&old, &without)).await)["code"].clone();
    let code = ask().await;
    assert_eq!(super::refused(&redeem(&house, &old, &code).await), "invalid_grant");
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
    super::post(&house, &old, "/oauth/token", &fields).await.expect(200);
}

#[tokio::test]
async fn every_way_to_an_answer_names_the_issuer() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    let published = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(published["issuer"], json!(house.app.origin));
    assert_eq!(published["authorization_response_iss_parameter_supported"], true);
    let page = browser.get(&request(&app, &[])).await.expect(200);
    for (decision, name) in [("deny", "error"), ("allow", "code")] {
        let answer = told(&decide(&mut browser, &page, decision, &[]).await);
        assert!(answer.contains_key(name) && answer["iss"] == house.app.origin, "{answer:?}");
    }
    // As one signed answer (JARM).
    let jarm = client(
        &house,
        "jarm",
        json!({"authorization_signed_response_alg": "ES256", "gateward_consent": "skip"}),
    )
    .await;
    for more in [("response_mode", "jwt"), ("response_mode", "query.jwt"), ("response_mode", "fragment.jwt")]
    {
        let answer = told(&browser.get(&request(&jarm, &[more])).await);
        assert_eq!(answer.len(), 1, "{answer:?}");
        let (_, claims) = verified(&house, &answer["response"]).await;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.app.origin), &json!("jarm")));
        assert_eq!(claims["exp"], json!(house.now().seconds() + 600));
        redeem(&house, &jarm, claims["code"].as_str().unwrap()).await.expect(200);
    }
    assert_eq!(parameters(&app, &[]).len(), 8);
}
