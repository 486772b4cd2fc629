//! Asking the issuer about opaque tokens.

use std::time::Duration;

use gateward_guard::verify::{BadClaims, Denied, Outage, Refused, Verifier};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Issuer, START, merge};

const PATH: &str = "/oauth/introspect";

fn asking(issuer: &Issuer) -> Verifier {
    issuer.told().introspection("api:1", "se cret%").build().unwrap()
}

fn know(issuer: &Issuer, token: &str, changes: Value) {
    let mut answer = json!({
        "active": true, "iss": issuer.url, "sub": "person", "aud": AUDIENCE, "exp": START + 300, "scope": "read",
    });
    merge(&mut answer, changes);
    issuer.house.introspection.lock().insert(token.to_owned(), answer);
}

#[tokio::test]
async fn the_issuer_is_asked_and_believed_for_a_moment() {
    let issuer = Issuer::open().await;
    let verifier = asking(&issuer);
    know(&issuer, "gwa1_abc", json!({}));
    let claims = verifier.verify("gwa1_abc").await.unwrap();
    assert_eq!((claims.subject(), claims.scope().has("read")), ("person", true));
    assert!(verifier.verify("gwa1_abc").await.is_ok());
    assert_eq!(issuer.asked(PATH), 1);
    // RFC 6749 §2.3.1: encoded as a form before they are put together.
    let credentials = data_encoding::BASE64.encode(b"api%3A1:se+cret%25");
    assert_eq!(*issuer.house.credentials.lock(), [format!("Basic {credentials}")]);
    issuer.clock.advance(Duration::from_millis(999));
    know(&issuer, "gwa1_abc", json!({ "active": false }));
    assert!(verifier.verify("gwa1_abc").await.is_ok());
    issuer.clock.advance(Duration::from_millis(1));
    assert_eq!(verifier.verify("gwa1_abc").await.err(), Some(Denied::NotActive));
    assert_eq!(verifier.verify("gwa1_unknown").await.err(), Some(Denied::NotActive));
}

#[tokio::test]
async fn an_answer_for_somebody_else_does_not_count() {
    let issuer = Issuer::open().await;
    let verifier = asking(&issuer);
    let claims = |reason| Some(Denied::Refused(Refused::Claims(reason)));
    for (changes, expected) in [
        (json!({ "aud": "https://other.example" }), claims(BadClaims::Audience)),
        (json!({ "aud": null }), claims(BadClaims::Missing("aud"))),
        (json!({ "iss": "https://evil.example" }), claims(BadClaims::Issuer)),
        (json!({ "exp": START - 30 }), claims(BadClaims::Expired)),
        (json!({ "active": "true" }), claims(BadClaims::Type("active"))),
        (json!({ "active": null }), claims(BadClaims::Type("active"))),
        (json!({ "cnf": { "jkt": "x" } }), Some(Denied::Bound)),
        (json!({ "iss": null, "exp": null }), None),
    ] {
        know(&issuer, "token", changes.clone());
        assert_eq!(asking(&issuer).verify("token").await.err(), expected, "{changes}");
    }
    assert!(verifier.verify(&"a".repeat(16 * 1024 + 1)).await.is_err());
}

#[tokio::test]
async fn an_issuer_that_is_away_is_our_failure() {
    let issuer = Issuer::open().await;
    let verifier = asking(&issuer);
    know(&issuer, "token", json!({}));
    verifier.verify("token").await.unwrap();
    issuer.go_away(true);
    issuer.clock.advance(Duration::from_secs(1));
    assert_eq!(verifier.verify("token").await.err(), Some(Denied::Unavailable(Outage::Introspection)));
    assert!(!format!("{verifier:?}").contains("cret"));
}

#[tokio::test]
async fn credentials_go_only_where_they_were_meant_to() {
    let (issuer, other) = (Issuer::open().await, Issuer::open().await);
    *issuer.house.metadata.lock() = json!({ "introspection_endpoint": format!("{}{PATH}", other.url) });
    know(&other, "token", json!({ "iss": issuer.url }));
    assert!(asking(&issuer).verify("token").await.is_err());
    assert_eq!(other.asked(PATH), 0);
    let told = issuer.told().introspection("api", "secret");
    let verifier = told.introspection_endpoint(format!("{}{PATH}", other.url)).build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
}
