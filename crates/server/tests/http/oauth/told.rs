//! What clients get beside what they were granted, or may have any more: nothing.

use gateward_kernel::oauth::{Client, Metadata};
use gateward_kernel::record::Decision;
use serde_json::{Value, json};

use super::grants::introspect;
use super::{Known, client, code, house, post, redeem, refresh, refused, request, service, tokens, verified};

const API: &str = "https://api.example";

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

#[tokio::test]
async fn introspection_tells_a_name_to_whom_names_were_granted_and_to_resources() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let api = service(&house, "api", json!({ "gateward_introspects": true })).await;
    let plain = tokens(&house, &app, &[("scope", "openid")]).await;
    let named = tokens(&house, &app, &[("scope", "openid profile")]).await;
    let told = introspect(&house, &app, access(&plain)).await;
    assert!(told["active"] == true && told.get("username").is_none(), "{told}");
    assert_eq!(introspect(&house, &app, access(&named)).await["username"], "ann");
    assert_eq!(introspect(&house, &api, access(&plain)).await["username"], "ann");
    // Who knows people by a name of its own sector learns no other, whatever else it may.
    let more = json!({ "subject_type": "pairwise", "gateward_introspects": true });
    let pairwise = client(&house, "pairwise", more).await;
    let own = tokens(&house, &pairwise, &[("scope", "openid profile")]).await;
    let told = introspect(&house, &pairwise, access(&own)).await;
    assert!(told["active"] == true && told.get("username").is_none(), "{told}");
    assert_eq!(introspect(&house, &pairwise, access(&plain)).await["username"], "ann");
}

#[tokio::test]
async fn an_access_token_tells_a_client_no_more_than_userinfo_does() {
    let house = house().await;
    house.change("ann", |person| person.groups = vec!["staff".into()]).await;
    let app = client(&house, "app", json!({ "gateward_access_token_format": "jwt" })).await;
    for (scope, resource, has_groups) in [
        ("openid", "", false),
        ("openid read", "", false),
        ("openid groups", "", true),
        ("openid read groups", "", true),
        // For a resource alone: what it is told is between it and the administrator.
        ("read", API, true),
    ] {
        let answer = tokens(&house, &app, &[("scope", scope), ("resource", resource)]).await;
        let claims = verified(&house, access(&answer)).await.1;
        let groups = has_groups.then(|| json!(["staff"]));
        assert_eq!(claims.get("groups"), groups.as_ref(), "{scope}: {claims}");
    }
}

#[tokio::test]
async fn a_scope_that_is_taken_from_a_client_is_gone_from_what_it_has() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let asked = [("scope", "openid read write")];
    let first = tokens(&house, &app, &asked).await;
    assert_eq!(first["scope"], "openid read write");
    let code = code(&house, &app, &asked).await;
    let fewer = |client: &Client| {
        let scope = Some("openid read".parse().unwrap());
        let metadata = Metadata { scope, ..client.metadata.clone() };
        Decision::Write(Client { metadata, ..client.clone() }, ())
    };
    house.app.oauth.clients.change("app", house.now(), fewer).await.unwrap().unwrap();
    let redeemed = redeem(&house, &app, &code).await.expect(200).json();
    assert_eq!(redeemed["scope"], "openid read");
    let next = refresh(&house, &app, first["refresh_token"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(next["scope"], "openid read");
    let token = next["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "write")];
    assert_eq!(refused(&post(&house, &app, "/oauth/token", &fields).await), "invalid_scope");
    // Nothing was spent by that.
    refresh(&house, &app, token).await.expect(200);
}

/// RFC 9396 §6: neither more than was granted, nor something where nobody was asked.
#[tokio::test]
async fn authorization_details_are_those_that_were_granted() {
    let house = house().await;
    let api = service(&house, "api", json!({})).await;
    let (pay, more) = (r#"[{"type":"pay","sum":1}]"#, r#"[{"type":"pay","sum":1},{"type":"pay","sum":2}]"#);
    let ask =
        async |client: &Known, fields: &[(&str, &str)]| post(&house, client, "/oauth/token", fields).await;
    for odd in [pay, "[]x", "{}"] {
        let fields =
            [("grant_type", "client_credentials"), ("scope", "read"), ("authorization_details", odd)];
        assert_eq!(refused(&ask(&api, &fields).await), "invalid_authorization_details", "{odd}");
    }
    let app = client(&house, "app", json!({ "authorization_details_types": ["pay"] })).await;
    let begun = tokens(&house, &app, &[("authorization_details", pay)]).await;
    let token = begun["refresh_token"].as_str().unwrap();
    let fields = |details| {
        [("grant_type", "refresh_token"), ("refresh_token", token), ("authorization_details", details)]
    };
    for odd in [more, "[]", "pay", r#"[{"type":"other"}]"#] {
        assert_eq!(refused(&ask(&app, &fields(odd)).await), "invalid_authorization_details", "{odd}");
    }
    let same = ask(&app, &fields(r#"[ {"sum":1, "type":"pay"} ]"#)).await.expect(200).json();
    assert_eq!(same["authorization_details"], begun["authorization_details"]);
    let code = code(&house, &app, &[("authorization_details", pay)]).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", super::BACK),
        ("code_verifier", super::VERIFIER),
        ("authorization_details", more),
    ];
    assert_eq!(refused(&ask(&app, &redeem).await), "invalid_authorization_details");
}

#[tokio::test]
async fn nothing_unseen_stands_in_what_a_person_agrees_to() {
    let house = house().await;
    let app = client(&house, "app", json!({ "authorization_details_types": ["pay"] })).await;
    let details = json!([{ "type": "pay", "to": "evil\u{202e}nna" }]).to_string();
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&request(&app, &[("authorization_details", &details)])).await.expect(200);
    assert!(!page.text().contains('\u{202e}') && page.text().contains("evil\\u202enna"), "{}", page.text());
    assert!(!page.text().contains("client-origin"), "an administrator has named it");
}
