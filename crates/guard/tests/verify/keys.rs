//! Where keys come from, and from where not.

use gateward_guard::verify::{Denied, Outage};
use serde_json::json;

use crate::issuer::Issuer;

const NO_KEYS: Option<Denied> = Some(Denied::Unavailable(Outage::Keys));

#[tokio::test]
async fn metadata_of_another_issuer_are_not_believed() {
    let issuer = Issuer::open().await;
    for other in [format!("{}/", issuer.url), "https://login.example.com".into(), String::new()] {
        *issuer.house.metadata.lock() = json!({ "issuer": other });
        let verifier = issuer.told().build().unwrap();
        assert_eq!(verifier.verify(&issuer.token(1, json!({}))).await.err(), NO_KEYS);
    }
    assert_eq!(issuer.asked("/oauth/jwks"), 0);
}

#[tokio::test]
async fn hosts_that_were_not_named_are_not_asked() {
    let (issuer, other) = (Issuer::open().await, Issuer::open().await);
    other.house.keys.lock().clone_from(&issuer.house.keys.lock());
    *issuer.house.metadata.lock() = json!({ "jwks_uri": format!("{}/oauth/jwks", other.url) });
    let token = issuer.token(1, json!({}));
    let verifier = issuer.told().build().unwrap();
    assert_eq!(verifier.verify(&token).await.err(), NO_KEYS);
    assert_eq!(other.asked("/oauth/jwks"), 0);
    let verifier = issuer.told().also_ask(&other.url).build().unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(other.asked("/oauth/jwks"), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let issuer = Issuer::open().await;
    *issuer.house.metadata.lock() = json!({ "jwks_uri": format!("{}/elsewhere", issuer.url) });
    let verifier = issuer.told().build().unwrap();
    assert_eq!(verifier.verify(&issuer.token(1, json!({}))).await.err(), NO_KEYS);
    assert_eq!((issuer.asked("/elsewhere"), issuer.asked("/oauth/jwks")), (1, 0));
}

#[tokio::test]
async fn many_first_tokens_at_once_fetch_the_keys_once() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let mut checks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (verifier, token) = (verifier.clone(), issuer.token(number, json!({})));
        checks.spawn(async move { verifier.verify(&token).await });
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap().unwrap();
    }
    assert_eq!(
        (issuer.asked("/.well-known/oauth-authorization-server"), issuer.asked("/oauth/jwks")),
        (1, 1)
    );
}

#[tokio::test]
async fn without_any_keys_the_issuer_is_asked_again_but_not_stormed() {
    let issuer = Issuer::open().await;
    issuer.go_away(true);
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    for _ in 0..20 {
        assert_eq!(verifier.verify(&token).await.err(), NO_KEYS);
    }
    assert_eq!(issuer.asked("/.well-known/oauth-authorization-server"), 1);
    issuer.go_away(false);
    issuer.clock.advance(std::time::Duration::from_secs(1));
    assert!(verifier.verify(&token).await.is_ok());
}
