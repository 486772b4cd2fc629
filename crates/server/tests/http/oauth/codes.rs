//! Codes and refresh tokens in wrong hands: bound to whom they are for, good once, and telling when they were copied.

use std::time::Duration;

use serde_json::json;

use super::{
    BACK, Known, VERIFIER, client, code, house, post, public, redeem, refresh, refused, tokens, userinfo,
};
use crate::house::{House, at_once, within_a_second};
use crate::tokens::text;
use crate::wire::Answer;

async fn with(house: &House, client: &Known, code: &str, redirect: &str, verifier: &str) -> Answer {
    let all = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    let fields: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    post(house, client, "/oauth/token", &fields).await
}

#[tokio::test]
async fn a_code_is_for_one_client_one_address_and_one_verifier() {
    let house = house().await;
    let back = "https://app.example/other";
    let app = client(&house, "app", json!({"redirect_uris": [BACK, back]})).await;
    let (other, spa) = (client(&house, "other", json!({})).await, public(&house, "spa").await);
    let code = code(&house, &app, &[]).await;
    let wrong = VERIFIER.replace('d', "e");
    for (what, client, redirect, verifier) in [
        ("another client", &other, BACK, VERIFIER),
        ("a public client", &spa, BACK, VERIFIER),
        ("another address of the client", &app, back, VERIFIER),
        ("no address", &app, "", VERIFIER),
        ("another verifier", &app, BACK, wrong.as_str()),
        ("no verifier", &app, BACK, ""),
        ("a short verifier", &app, BACK, "short"),
        ("the challenge", &app, BACK, &super::challenge()),
    ] {
        let answer = with(&house, client, &code, redirect, verifier).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_grant"), "{what}");
    }
    // Who cannot present everything has not spent it.
    redeem(&house, &app, &code).await.expect(200);
    for odd in ["", "nonsense", &code[..code.len() - 1], &format!("{code}x"), &code.to_uppercase()] {
        let told = refused(&redeem(&house, &app, odd).await);
        assert_eq!(told, if odd.is_empty() { "invalid_request" } else { "invalid_grant" }, "{odd:?}");
    }
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let (early, late) = (code(&house, &app, &[]).await, code(&house, &app, &[]).await);
    house.advance(gateward_kernel::oauth::CODE_LIFETIME - Duration::from_micros(1));
    redeem(&house, &app, &early).await.expect(200);
    house.tick();
    assert_eq!(refused(&redeem(&house, &app, &late).await), "invalid_grant");
    assert!(
        gateward_kernel::oauth::CODE_LIFETIME <= Duration::from_secs(60),
        "FAPI 2.0 Security Profile §5.3.2.1"
    );
}

#[tokio::test]
async fn a_code_that_comes_again_ends_what_came_of_it() {
    let house = house().await;
    let (app, other) = (client(&house, "app", json!({})).await, client(&house, "other", json!({})).await);
    let code = code(&house, &app, &[]).await;
    let first = redeem(&house, &app, &code).await.expect(200).json();
    let access = text(&first, "access_token");
    // Another client's try is nobody's replay: it would be a way to end what others have.
    assert_eq!(refused(&redeem(&house, &other, &code).await), "invalid_grant");
    userinfo(&house, &access).await.expect(200);
    assert_eq!(refused(&redeem(&house, &app, &code).await), "invalid_grant");
    within_a_second("the access token is worthless", async || userinfo(&house, &access).await.status == 401)
        .await;
    assert_eq!(refused(&refresh(&house, &app, &text(&first, "refresh_token")).await), "invalid_grant");
    let looked = post(&house, &app, "/oauth/introspect", &[("token", &access)]).await.expect(200).json();
    assert_eq!(looked, json!({"active": false}));
    let query = gateward_kernel::event::EventQuery { limit: 50, ..Default::default() };
    let events = house.app.directory().events(&query).await.unwrap();
    assert!(events.iter().any(|event| event.fact == gateward_kernel::event::Fact::CodeReused));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_redeem_at_once_one_wins_at_most_and_nothing_is_left() {
    let house = std::sync::Arc::new(house().await);
    let app = client(&house, "app", json!({})).await;
    let code = code(&house, &app, &[]).await;
    let answers = at_once((0..50).map(|_| {
        let (house, app, code) = (house.clone(), app.clone(), code.clone());
        async move { redeem(&house, &app, &code).await }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    // The winner's tokens may be refused already when they are made: the code came again meanwhile.
    assert!(won.len() <= 1, "{}", won.len());
    assert!(lost.iter().all(|answer| refused(answer) == "invalid_grant"));
    for answer in won {
        let access = text(&answer.json(), "access_token");
        within_a_second("two hold what one should hold", async || {
            userinfo(&house, &access).await.status == 401
        })
        .await;
        assert_eq!(
            refused(&refresh(&house, &app, &text(&answer.json(), "refresh_token")).await),
            "invalid_grant"
        );
    }
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client_and_never_for_more() {
    let house = house().await;
    let (app, other) = (client(&house, "app", json!({})).await, client(&house, "other", json!({})).await);
    let spa = public(&house, "spa").await;
    let begun = tokens(&house, &app, &[("scope", "openid profile read write")]).await;
    let token = text(&begun, "refresh_token");
    for stranger in [&other, &spa] {
        assert_eq!(refused(&refresh(&house, stranger, &token).await), "invalid_grant");
        let fields = [("token", token.as_str())];
        post(&house, stranger, "/oauth/revoke", &fields).await.expect(200);
    }
    let asked = async |more: &[(&str, &str)]| {
        let fields = [&[("grant_type", "refresh_token"), ("refresh_token", token.as_str())], more].concat();
        post(&house, &app, "/oauth/token", &fields).await
    };
    for (more, code) in [
        (("scope", "openid email"), "invalid_scope"),
        (("scope", "dig"), "invalid_scope"),
        (("scope", "read  write"), "invalid_scope"),
        (("resource", "https://opaque.example"), "invalid_target"),
    ] {
        assert_eq!(refused(&asked(&[more]).await), code, "{more:?}");
    }
    // Less is fine, and spends nothing of the rest.
    let less = asked(&[("scope", "read")]).await.expect(200).json();
    assert_eq!((text(&less, "scope"), less.get("id_token")), ("read".into(), None));
    let whole = refresh(&house, &app, &text(&less, "refresh_token")).await.expect(200).json();
    assert_eq!(text(&whole, "scope"), "openid profile read write");
    // The first one comes again long after its successors: somebody has copied it, and everybody is out.
    house.advance(Duration::from_secs(120));
    assert_eq!(refused(&asked(&[]).await), "invalid_grant");
    assert_eq!(refused(&refresh(&house, &app, &text(&whole, "refresh_token")).await), "invalid_grant");
    // A client that has not registered refreshing gets none.
    let short = client(&house, "short", json!({"grant_types": ["authorization_code"]})).await;
    let told = tokens(&house, &short, &[("scope", "openid offline_access")]).await;
    assert_eq!((told.get("refresh_token"), text(&told, "scope")), (None, "openid".into()));
    assert_eq!(refused(&refresh(&house, &short, &token).await), "unauthorized_client");
}
