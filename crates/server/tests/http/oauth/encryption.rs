//! What is encrypted for clients (OpenID Connect Core §10.2), and what happens when it cannot be.

use gateward_kernel::jose::jwe::{self, Allowed, DecryptingKey};
use gateward_kernel::jose::{
    ContentEncryption, EcCurve, Jwk, KeyAlgorithm, KeyManagementAlgorithm, SignatureAlgorithm,
};
use gateward_kernel::secret::{Digest, SeededEntropy};
use serde_json::json;

use super::{
    SETTINGS, agree, client, code, house, key, key_set, redeem, refresh, request, tokens, told, verified,
};
use crate::house::House;
use crate::site::Site;

/// What stands in a token that is encrypted for whoever has this key.
fn opened(token: &str, key: &Jwk, algorithm: KeyManagementAlgorithm) -> String {
    let encryption = ContentEncryption::default();
    let keys = [DecryptingKey::new(key, algorithm).unwrap()];
    let allowed = Allowed { algorithms: &[algorithm], encryptions: &[encryption] };
    let entropy = SeededEntropy::new(1);
    jwe::parse(token).unwrap().open_nested(&keys, allowed, &entropy).unwrap().to_string()
}

#[tokio::test]
async fn id_tokens_are_encrypted_by_a_key_of_the_client_or_by_its_secret() {
    let house = house().await;
    let own = Jwk::generate_ec(EcCurve::P256).unwrap();
    let more = json!({ "id_token_encrypted_response_alg": "ECDH-ES", "jwks": key_set(&own) });
    let app = client(&house, "app", more).await;
    let answer = tokens(&house, &app, &[]).await;
    let signed = opened(answer["id_token"].as_str().unwrap(), &own, KeyManagementAlgorithm::EcdhEs);
    assert_eq!(verified(&house, &signed).await.1["aud"], "app");
    for algorithm in [KeyManagementAlgorithm::Dir, KeyManagementAlgorithm::A256Kw] {
        let more = json!({ "id_token_encrypted_response_alg": algorithm });
        let app = client(&house, algorithm.name(), more).await;
        let mut key = Jwk::from_secret(Digest::of(app.secret.as_bytes()).as_bytes()).unwrap();
        if algorithm == KeyManagementAlgorithm::Dir {
            key = key.for_algorithm(KeyAlgorithm::Content(ContentEncryption::default())).unwrap();
        }
        let answer = tokens(&house, &app, &[]).await;
        let signed = opened(answer["id_token"].as_str().unwrap(), &key, algorithm);
        assert_eq!(verified(&house, &signed).await.1["aud"], algorithm.name());
    }
}

#[tokio::test]
async fn nothing_is_spent_while_the_keys_of_the_client_are_out_of_reach() {
    let site = Site::open().await;
    let house = House::with(&format!("{}{SETTINGS}", site.settings())).await;
    house.person("ann").await;
    let more = json!({ "id_token_encrypted_response_alg": "ECDH-ES", "jwks_uri": site.url("/keys") });
    let app = client(&house, "app", more).await;
    let code = code(&house, &app, &[]).await;
    redeem(&house, &app, &code).await.expect(503);
    // A set without one to encrypt with is as good as none, and is looked at again.
    site.says("/keys", "application/json", key_set(&key(SignatureAlgorithm::Es256)).to_string());
    house.advance(std::time::Duration::from_secs(11));
    redeem(&house, &app, &code).await.expect(503);
    let own = Jwk::generate_ec(EcCurve::P256).unwrap().with_kid("k2");
    site.says("/keys", "application/json", key_set(&own).to_string());
    let answer = redeem(&house, &app, &code).await.expect(200).json();
    opened(answer["id_token"].as_str().unwrap(), &own, KeyManagementAlgorithm::EcdhEs);
    refresh(&house, &app, answer["refresh_token"].as_str().unwrap()).await.expect(200);
}

/// JARM §2.2: signed first, then encrypted.
#[tokio::test]
async fn answers_of_the_authorization_endpoint_are_encrypted_for_who_has_registered_that() {
    let site = Site::open().await;
    let house = House::with(&format!("{}{SETTINGS}", site.settings())).await;
    house.person("ann").await;
    let more = json!({
        "authorization_signed_response_alg": "ES256", "authorization_encrypted_response_alg": "ECDH-ES",
        "jwks_uri": site.url("/keys"),
    });
    let app = client(&house, "app", more).await;
    let path = request(&app, &[("response_mode", "jwt")]);
    let mut browser = house.signed_in("ann").await;
    browser.get(&path).await.expect(503);
    let own = Jwk::generate_ec(EcCurve::P256).unwrap();
    site.says("/keys", "application/json", key_set(&own).to_string());
    house.advance(std::time::Duration::from_secs(11));
    let answer = agree(&mut browser, &path).await;
    let signed = opened(&told(&answer)["response"], &own, KeyManagementAlgorithm::EcdhEs);
    let claims = verified(&house, &signed).await.1;
    assert_eq!((&claims["aud"], &claims["state"]), (&json!("app"), &json!("the state")));
    redeem(&house, &app, claims["code"].as_str().unwrap()).await.expect(200);
    // Refusals, too.
    let refused = browser.get(&request(&app, &[("response_mode", "jwt"), ("response_type", "token")])).await;
    let signed = opened(&told(&refused)["response"], &own, KeyManagementAlgorithm::EcdhEs);
    assert!(verified(&house, &signed).await.1["error"].is_string());
}
