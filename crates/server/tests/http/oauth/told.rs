//! What clients get beside what they were granted, or may have any more: nothing.

use gateward_kernel::oauth::{Client, Metadata};
use gateward_kernel::record::Decision;
use serde_json::{Value, json};

use super::grants::introspect;
use super::{client, code, house, post, redeem, refresh, refused, service, tokens, verified};

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
