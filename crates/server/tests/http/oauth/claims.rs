//! Claims that are asked for by name (OpenID Connect Core §5.5), and identity beside named resources.

use gateward_kernel::person::Email;
use serde_json::json;

use super::{agree, client, decide, redeem, refresh, request, tokens, told, userinfo, verified};
use crate::house::House;
use crate::tokens::text;

const CLAIMS: &str =
    r#"{"userinfo":{"name":{"essential":true},"phone_number":null},"id_token":{"email":null}}"#;

/// A house in which ann has a name and an address.
async fn ann() -> House {
    let house = super::house().await;
    house
        .change("ann", |person| {
            person.display_name = Some("Ann Weber".into());
            person.set_email(Some(Email::parse("ann@app.example").unwrap()));
        })
        .await;
    house
}

#[tokio::test]
async fn claims_come_without_their_scopes_and_are_agreed_to_once() {
    let house = ann().await;
    let app = client(&house, "app", json!({})).await;
    let path = request(&app, &[("scope", "openid"), ("claims", CLAIMS)]);
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&path).await.expect(200);
    let code = told(&decide(&mut browser, &page, "allow", &[]).await)["code"].clone();
    let first = redeem(&house, &app, &code).await.expect(200).json();
    assert_eq!(first["scope"], "openid");
    let next = refresh(&house, &app, &text(&first, "refresh_token")).await.expect(200).json();
    for got in [first, next] {
        let info = userinfo(&house, &text(&got, "access_token")).await.expect(200).json();
        assert_eq!((&info["name"], info.get("email")), (&json!("Ann Weber"), None), "{info}");
        let (_, claims) = verified(&house, &text(&got, "id_token")).await;
        assert_eq!((&claims["email"], claims.get("name")), (&json!("ann@app.example"), None), "{claims}");
    }
    // She has agreed to this, and is not asked again; to more she has not.
    assert!(told(&browser.get(&path).await).contains_key("code"));
    let more = request(&app, &[("scope", "openid"), ("claims", r#"{"userinfo":{"address":null}}"#)]);
    browser.get(&more).await.expect(200);
}

#[tokio::test]
async fn a_scope_that_is_declined_takes_its_claims_along() {
    let house = ann().await;
    let app = client(&house, "app", json!({})).await;
    let path = request(&app, &[("scope", "openid profile"), ("claims", CLAIMS)]);
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&path).await.expect(200);
    let code = told(&decide(&mut browser, &page, "allow", &["profile"]).await)["code"].clone();
    let got = redeem(&house, &app, &code).await.expect(200).json();
    let info = userinfo(&house, &text(&got, "access_token")).await.expect(200).json();
    assert_eq!(info.get("name"), None, "{info}");
    let (_, claims) = verified(&house, &text(&got, "id_token")).await;
    assert_eq!(claims["email"], "ann@app.example", "what was not declined was given");
}

#[tokio::test]
async fn a_resource_narrows_the_access_token_and_not_who_signed_in() {
    let house = ann().await;
    let app = client(&house, "app", json!({})).await;
    let named = [("scope", "openid profile read"), ("resource", "https://api.example")];
    let first = tokens(&house, &app, &named).await;
    let next = refresh(&house, &app, &text(&first, "refresh_token")).await.expect(200).json();
    for got in [first, next] {
        assert_eq!(got["scope"], "read");
        let (_, claims) = verified(&house, &text(&got, "access_token")).await;
        assert_eq!(claims["aud"], "https://api.example");
        let (_, claims) = verified(&house, &text(&got, "id_token")).await;
        assert_eq!(claims["aud"], "app");
    }
    // Who asks for nothing but a resource's scopes is told of nobody.
    let mute = tokens(&house, &app, &[("scope", "read"), ("resource", "https://api.example")]).await;
    assert_eq!(mute.get("id_token"), None, "{mute}");
    let agreed = agree(&mut house.signed_in("ann").await, &request(&app, &named)).await;
    assert!(told(&agreed).contains_key("code"));
}
