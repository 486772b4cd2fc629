//! Answers that are JWTs: UserInfo and introspection signed, authorization answers signed (JARM), and what is encrypted for its client.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::jwe::{self, Allowed, DecryptingKey};
use gateward_kernel::jose::{ContentEncryption, EcCurve, Jwk, KeyManagementAlgorithm};
use gateward_kernel::secret::{Digest, SeededEntropy};
use serde_json::{Value, json};

use super::{
    BACK, Known, agree, client, decide, hidden, house, page_error, post_with, public_part, redeem, request,
    tokens, told, told_at, told_no, userinfo, verified,
};
use crate::house::House;
use crate::wire::{Answer, encode};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const INTROSPECTION: &str = "application/token-introspection+jwt";

/// The content of something encrypted: a signed JWT.
fn decrypted(token: &str, key: &Jwk, algorithm: &str, content: &str) -> String {
    let algorithm: KeyManagementAlgorithm = algorithm.parse().unwrap();
    let content: ContentEncryption = content.parse().unwrap();
    let allowed = Allowed { algorithms: &[algorithm], encryptions: &[content] };
    let keys = [DecryptingKey::new(key, algorithm).unwrap()];
    let opened = jwe::parse(token).unwrap().open_nested(&keys, allowed, &SeededEntropy::new(1)).unwrap();
    opened.to_string()
}

/// The keys of a client that wants this: for its set, and to read with.
fn keys(algorithm: &str) -> (Jwk, Value) {
    let key = match algorithm.starts_with("RSA") {
        true => Jwk::generate_rsa(2048).unwrap(),
        false => Jwk::generate_ec(EcCurve::P256).unwrap(),
    };
    let mut public = public_part(&key);
    public["use"] = "enc".into();
    // A key for signatures comes first, and is not taken.
    let mut signing = public_part(&Jwk::generate_ec(EcCurve::P256).unwrap());
    signing["use"] = "sig".into();
    (key, json!({ "keys": [signing, public] }))
}

/// The key that is made of a client's secret (OpenID Connect Core §10.2), by hand.
fn by_secret(known: &Known) -> Jwk {
    Jwk::from_secret(Digest::of(known.secret.as_bytes()).as_bytes()).unwrap()
}

/// How things are encrypted: with a key of the client, or with one that is made of its secret.
const WAYS: [(&str, &str); 6] = [
    ("RSA-OAEP-256", "A128CBC-HS256"),
    ("ECDH-ES", "A128CBC-HS256"),
    ("ECDH-ES", "A256GCM"),
    ("ECDH-ES+A128KW", "A256GCM"),
    ("ECDH-ES+A256KW", "A256CBC-HS512"),
    ("A256KW", "A256GCM"),
];

#[tokio::test]
async fn id_tokens_and_userinfo_are_encrypted_for_their_client() {
    let house = house().await;
    for (number, (algorithm, content)) in WAYS.into_iter().enumerate() {
        let (mut key, jwks) = keys(algorithm);
        let more = json!({
            "id_token_encrypted_response_alg": algorithm, "id_token_encrypted_response_enc": content,
            "userinfo_encrypted_response_alg": algorithm, "userinfo_encrypted_response_enc": content,
            "userinfo_signed_response_alg": "ES256", "jwks": jwks,
            // So that its secret is kept.
            "introspection_signed_response_alg": "HS256",
        });
        let app = client(&house, &format!("app{number}"), more).await;
        if algorithm == "A256KW" {
            key = by_secret(&app);
        }
        let told = tokens(&house, &app, &[]).await;
        let id_token = told["id_token"].as_str().unwrap();
        let answer = userinfo(&house, told["access_token"].as_str().unwrap()).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/jwt"));
        let ann = house.stored("ann").await.id.to_string();
        for token in [id_token, &answer.text()] {
            assert_eq!(token.split('.').count(), 5, "{algorithm}");
            let claims = verified(&house, &decrypted(token, &key, algorithm, content)).await.1;
            assert_eq!((&claims["sub"], &claims["aud"]), (&json!(ann), &json!(app.id)), "{algorithm}");
            assert_eq!(claims["iss"], house.app.origin.as_str());
        }
        let claims = verified(&house, &decrypted(id_token, &key, algorithm, content)).await.1;
        assert_eq!((&claims["nonce"], claims.get("at_hash").is_some()), (&json!("the nonce"), true));
    }
}

#[tokio::test]
async fn a_signed_answer_about_somebody_is_no_id_token() {
    let house = house().await;
    let more = json!({
        "userinfo_signed_response_alg": "ES256",
        "grant_types": ["authorization_code", "refresh_token", EXCHANGE],
    });
    let app = client(&house, "app", more).await;
    let told = tokens(&house, &app, &[("scope", "openid profile read")]).await;
    let answer = userinfo(&house, told["access_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/jwt"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let signed = answer.text();
    let claims = verified(&house, &signed).await.1;
    let ann = house.stored("ann").await.id.to_string();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.app.origin), &json!("app")));
    assert_eq!(claims["sub"], ann.as_str());
    // It neither stands for a grant nor opens anything.
    for kind in ["id_token", "access_token"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let fields = [("grant_type", EXCHANGE), ("subject_token", &signed), ("subject_token_type", &kind)];
        let answer = super::post(&house, &app, "/oauth/token", &fields).await;
        assert_eq!(told_no(&answer), (400, "invalid_request".into()), "{kind}");
    }
    assert_eq!(told_no(&userinfo(&house, &signed).await), (401, "invalid_token".into()));
}

/// The claims of a signed answer of the authorization endpoint, which is all that is told.
async fn opened(house: &House, response: &str) -> Value {
    let (header, claims) = verified(house, response).await;
    assert_eq!(header["typ"], "JWT");
    assert_eq!(claims["iss"], house.app.origin.as_str());
    assert_eq!(claims["aud"], "app");
    assert_eq!(claims["exp"], house.now().seconds() + 600);
    assert_eq!(claims["state"], "the state");
    claims
}

#[tokio::test]
async fn an_authorization_answer_is_one_signed_word() {
    let house = House::with(&super::registration::settings("legacy_flows = true")).await;
    house.person("ann").await;
    let more = json!({
        "authorization_signed_response_alg": "ES256", "gateward_legacy_flows": true,
        "response_types": ["code", "code id_token"],
        "grant_types": ["authorization_code", "refresh_token", "implicit", EXCHANGE],
    });
    let app = client(&house, "app", more).await;
    let mut ann = house.signed_in("ann").await;
    let response = |answer: &Answer, mark: &str| {
        assert!(answer.header("location").unwrap().starts_with(&format!("{BACK}{mark}response=")));
        let told = told(answer);
        assert_eq!(told.len(), 1, "{told:?}");
        told["response"].clone()
    };
    for (kind, mode, mark) in [
        ("code", "jwt", "?"),
        ("code", "query.jwt", "?"),
        ("code", "fragment.jwt", "#"),
        ("code id_token", "jwt", "#"),
        ("code id_token", "fragment.jwt", "#"),
    ] {
        let asked = [("response_type", kind), ("response_mode", mode)];
        let answer = ann
            .get(&request(&app, &[&asked[..], &[("prompt", "none"), ("scope", "openid read")]].concat()))
            .await;
        // An error is told in the same way.
        let claims = opened(&house, &response(&answer, mark)).await;
        assert_eq!((&claims["error"], claims.get("code")), (&json!("consent_required"), None), "{mode}");
        let answer = agree(&mut ann, &request(&app, &asked)).await;
        let signed = response(&answer, mark);
        let claims = opened(&house, &signed).await;
        assert_eq!(claims.get("id_token").is_some(), kind != "code", "{mode}");
        redeem(&house, &app, claims["code"].as_str().unwrap()).await.expect(200);
        // It is no ID token, nor anything else.
        let hint = ann.get(&request(&app, &[("id_token_hint", signed.as_str()), ("prompt", "none")])).await;
        assert_eq!(super::error(&house, &hint), "invalid_request");
        let id = "urn:ietf:params:oauth:token-type:id_token";
        let fields =
            [("grant_type", EXCHANGE), ("subject_token", signed.as_str()), ("subject_token_type", id)];
        let answer = super::post(&house, &app, "/oauth/token", &fields).await;
        assert_eq!(told_no(&answer), (400, "invalid_request".into()));
        let as_object = [("client_id", "app"), ("request", signed.as_str())];
        let answer = ann.get(&format!("/oauth/authorize?{}", encode(&as_object))).await;
        assert_eq!(page_error(&answer), "invalid_request_object");
    }
    // In a form.
    let page = ann.get(&request(&app, &[("response_mode", "form_post.jwt")])).await.expect(200);
    let claims = opened(&house, &hidden(&page, "response")).await;
    assert!(!page.text().contains("name=\"code\"") && !page.text().contains("name=\"state\""));
    redeem(&house, &app, claims["code"].as_str().unwrap()).await.expect(200);
    let page = ann.get(&request(&app, &[("prompt", "consent")])).await.expect(200);
    let answer = decide(&mut ann, &page, "deny", &[]).await;
    assert_eq!(super::error(&house, &answer), "access_denied", "plainly, where that was asked for");
    // Tokens do not travel in a query, signed or not.
    let asked = [("response_type", "code id_token"), ("response_mode", "query.jwt")];
    let answer = ann.get(&request(&app, &asked)).await;
    assert_eq!(told_at(&answer, BACK)["error"], "invalid_request");
}

/// Who has registered nothing is signed for as its ID tokens are: with a key that there is.
#[tokio::test]
async fn a_client_that_has_registered_no_algorithm_gets_a_signed_answer() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let mut ann = house.signed_in("ann").await;
    let answer = agree(&mut ann, &request(&app, &[("response_mode", "jwt")])).await;
    let claims = opened(&house, &told(&answer)["response"]).await;
    redeem(&house, &app, claims["code"].as_str().unwrap()).await.expect(200);
}

/// Who has registered encryption is told nothing in the clear.
#[tokio::test]
async fn an_authorization_answer_is_encrypted_where_that_was_registered() {
    let house = house().await;
    let document = house.browser().get("/.well-known/openid-configuration").await.expect(200).json();
    for (number, (algorithm, content)) in WAYS.into_iter().enumerate() {
        for (kind, name) in [("alg", algorithm), ("enc", content)] {
            let told = &document[format!("authorization_encryption_{kind}_values_supported")];
            assert!(told.as_array().unwrap().contains(&json!(name)), "{name}");
        }
        let (mut key, jwks) = keys(algorithm);
        let more = json!({
            "authorization_signed_response_alg": "ES256", "jwks": jwks,
            "authorization_encrypted_response_alg": algorithm,
            "authorization_encrypted_response_enc": content,
            "introspection_signed_response_alg": "HS256",
        });
        let app = client(&house, &format!("app{number}"), more).await;
        if algorithm == "A256KW" {
            key = by_secret(&app);
        }
        let mut ann = house.signed_in("ann").await;
        let answer = agree(&mut ann, &request(&app, &[("response_mode", "jwt")])).await;
        let response = told(&answer)["response"].clone();
        assert_eq!(response.split('.').count(), 5, "{algorithm}");
        let claims = verified(&house, &decrypted(&response, &key, algorithm, content)).await.1;
        assert_eq!((&claims["aud"], &claims["state"]), (&json!(app.id), &json!("the state")));
        redeem(&house, &app, claims["code"].as_str().unwrap()).await.expect(200);
        let answer = ann.get(&request(&app, &[("response_mode", "jwt"), ("prompt", "nonsense")])).await;
        let response = told(&answer)["response"].clone();
        let claims = verified(&house, &decrypted(&response, &key, algorithm, content)).await.1;
        assert_eq!(claims["error"], "invalid_request");
    }
}

#[tokio::test]
async fn introspection_is_signed_for_whoever_asks_for_that() {
    let house = house().await;
    let app = client(&house, "app", json!({})).await;
    let checker = json!({ "gateward_introspects": true, "introspection_signed_response_alg": "ES256" });
    let checker = client(&house, "checker", checker).await;
    let told = tokens(&house, &app, &[]).await;
    let token = told["access_token"].as_str().unwrap();
    let ask = async |caller: &Known, token: &str, accept: &str| {
        post_with(&house, caller, "/oauth/introspect", &[("Accept", accept)], &[("token", token)]).await
    };
    for (token, is_active) in [(token, true), ("nonsense", false)] {
        let plain = ask(&checker, token, "application/json").await.expect(200).json();
        assert_eq!(plain["active"], is_active);
        let answer = ask(&checker, token, INTROSPECTION).await.expect(200);
        assert_eq!(answer.header("content-type"), Some(INTROSPECTION));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let signed = answer.text();
        let (header, claims) = verified(&house, &signed).await;
        assert_eq!(header["typ"], "token-introspection+jwt");
        let due = json!({
            "iss": house.app.origin, "aud": "checker", "iat": house.now().seconds(),
            "token_introspection": plain,
        });
        assert_eq!(claims, due);
        // What tells of a token is none (RFC 9701 §8.1).
        assert_eq!(told_no(&userinfo(&house, &signed).await), (401, "invalid_token".into()));
        assert_eq!(ask(&checker, &signed, "application/json").await.json(), json!({ "active": false }));
    }
    // Who may not ask learns no more in this way.
    let stranger = client(&house, "stranger", json!({ "introspection_signed_response_alg": "ES256" })).await;
    let claims = verified(&house, &ask(&stranger, token, INTROSPECTION).await.expect(200).text()).await.1;
    assert_eq!(claims["token_introspection"], json!({ "active": false }));
    let wrong = Known { secret: "gwc1_wrong".into(), ..checker };
    assert_eq!(told_no(&ask(&wrong, token, INTROSPECTION).await), (401, "invalid_client".into()));
    // By the caller's own secret, where it has registered that.
    let hmac = json!({ "gateward_introspects": true, "introspection_signed_response_alg": "HS256" });
    let hmac = client(&house, "hmac", hmac).await;
    let signed = ask(&hmac, token, INTROSPECTION).await.expect(200).text();
    let header = BASE64URL_NOPAD.decode(signed.split('.').next().unwrap().as_bytes()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["alg"], "HS256");
}
