//! Proofs of possession (RFC 9449), wherever they are taken: each counts for one request, and tokens for their key.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::secret::Digest;
use serde_json::{Value, json};

use super::grants::{Prover, introspect, text};
use super::{
    Known, SETTINGS, client, code, house, merged, parameters, post, post_with, public, public_part,
    redemption, refresh, service, told_no,
};
use crate::house::{House, at_once, count};
use crate::wire::Answer;

const CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

/// For what a proof is made.
#[derive(Clone, Copy)]
struct Place<'a> {
    method: &'a str,
    path: &'a str,
    token: Option<&'a str>,
}

const TOKEN: Place<'static> = Place { method: "POST", path: "/oauth/token", token: None };

pub(crate) fn ath(token: &str) -> String {
    BASE64URL_NOPAD.encode(Digest::of(token.as_bytes()).as_bytes())
}

/// What a good proof says here under this name.
fn content(house: &House, place: Place<'_>, jti: &str) -> Value {
    let said = json!({
        "htm": place.method, "htu": format!("{}{}", house.app.origin, place.path),
        "iat": house.now().seconds(), "jti": jti,
    });
    merged(said, &json!({ "ath": place.token.map(ath) }))
}

/// Proofs that are none here: all by the right key, and all under this name, so that one that was taken would spend it.
fn wrong(house: &House, own: &Prover, place: Place<'_>, jti: &str) -> Vec<(&'static str, Vec<String>)> {
    let good = content(house, place, jti);
    let (now, origin) = (house.now().seconds(), &house.app.origin);
    let at = |path: &str| json!({ "htu": format!("{origin}{path}") });
    let mut family: Vec<(&'static str, Vec<String>)> = Vec::new();
    for (what, change) in [
        ("too old", json!({ "iat": now - 91 })),
        ("of the future", json!({ "iat": now + 31 })),
        ("of the far future", json!({ "iat": 1e18 })),
        ("of no time", json!({ "iat": null })),
        ("of a time in text", json!({ "iat": now.to_string() })),
        ("over", json!({ "exp": now - 31 })),
        ("not yet", json!({ "nbf": now + 31 })),
        ("for another method", json!({ "htm": "PUT" })),
        ("for a method in another case", json!({ "htm": place.method.to_lowercase() })),
        ("for no method", json!({ "htm": null })),
        ("for a list of methods", json!({ "htm": [place.method] })),
        ("for another path", at("/oauth/other")),
        ("for a longer path", at(&format!("{}/", place.path))),
        ("for a path in another case", at(&place.path.to_uppercase())),
        ("for the issuer", at("")),
        ("for a path alone", json!({ "htu": place.path })),
        ("for another host", json!({ "htu": format!("http://localhost{}", place.path) })),
        (
            "for another scheme",
            json!({ "htu": format!("{origin}{}", place.path).replace("http:", "https:") }),
        ),
        ("for no address", json!({ "htu": null })),
        ("without a name", json!({ "jti": null })),
        ("with an empty name", json!({ "jti": "" })),
        ("with a long name", json!({ "jti": "j".repeat(257) })),
        ("with a number for a name", json!({ "jti": 1 })),
    ] {
        family.push((what, vec![own.sign(&merged(good.clone(), &change))]));
    }
    if let Some(token) = place.token {
        for (what, ath) in [
            ("for no token", json!(null)),
            ("for an empty token", json!("")),
            ("for another token", json!(ath("other"))),
            ("for the token itself", json!(token)),
            ("with padding", json!(format!("{}=", ath(token)))),
            ("for a list of tokens", json!([ath(token)])),
        ] {
            family.push((what, vec![own.sign(&merged(good.clone(), &json!({ "ath": ath })))]));
        }
    }
    let own_key = public_part(&own.key);
    let mut private = own_key.clone();
    private["d"] = "AAAA".into();
    let secret = Jwk::from_secret(own_key.to_string().as_bytes()).unwrap();
    let by_secret = |jwk: Value| {
        let key = SigningKey::new(&secret, SignatureAlgorithm::Hs256).unwrap();
        let members = json!({ "jwk": jwk }).as_object().unwrap().clone();
        Signer::with_members(key, "dpop+jwt", members).unwrap().sign_claims(&good).unwrap()
    };
    let right = own.sign(&good);
    let parts: Vec<&str> = right.split('.').collect();
    let encoded = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let none = encoded(json!({ "alg": "none", "typ": "dpop+jwt", "jwk": own_key }));
    family.extend([
        ("of another type", vec![own.sign_as("JWT", json!({ "jwk": own_key }), &good)]),
        ("an access token by its type", vec![own.sign_as("at+jwt", json!({ "jwk": own_key }), &good)]),
        ("without a key", vec![own.sign_as("dpop+jwt", json!({}), &good)]),
        ("with a private key", vec![own.sign_as("dpop+jwt", json!({ "jwk": private }), &good)]),
        (
            "by another key than it says",
            vec![own.sign_as("dpop+jwt", json!({ "jwk": public_part(&Prover::new().key) }), &good)],
        ),
        (
            "with the address of a key",
            vec![own.sign_as("dpop+jwt", json!({ "jku": "https://evil.example/keys" }), &good)],
        ),
        ("by the public key as a secret", vec![by_secret(own_key.clone())]),
        ("by a secret that it brings", vec![by_secret(json!({ "kty": "oct", "k": "AAAA" }))]),
        ("alg none", vec![format!("{none}.{}.", parts[1])]),
        ("alg none with a signature", vec![format!("{none}.{}.{}", parts[1], parts[2])]),
        ("without its signature", vec![format!("{}.{}.", parts[0], parts[1])]),
        ("with other content", vec![format!("{}.{}.{}", parts[0], encoded(json!({})), parts[2])]),
        ("in five parts", vec![format!("{right}.a.b")]),
        ("garbage", vec!["garbage".to_owned()]),
        ("nothing", vec![String::new()]),
        ("two", vec![right.clone(), own.sign(&merged(good.clone(), &json!({ "jti": "second" })))]),
        ("the same twice", vec![right.clone(), right]),
    ]);
    family
}

fn headers(proofs: &[String]) -> Vec<(&str, &str)> {
    proofs.iter().map(|proof| ("DPoP", proof.as_str())).collect()
}

/// Asks UserInfo with these proofs.
async fn userinfo(house: &House, scheme: &str, token: &str, proofs: &[String]) -> Answer {
    let mut browser = house.browser().with("Authorization", &format!("{scheme} {token}"));
    browser.get_with("/oauth/userinfo", &headers(proofs)).await
}

/// A client without a secret, and tokens of ann's for it that are bound to this key.
async fn bound(house: &House, own: &Prover) -> (Known, Answer) {
    let spa = public(house, "spa").await;
    let code = code(house, &spa, &[]).await;
    let tokens = own.post(house, &spa, "/oauth/token", &redemption(&code)).await.expect(200);
    assert_eq!(text(&tokens, "token_type"), "DPoP");
    (spa, tokens)
}

#[tokio::test]
async fn no_wrong_proof_is_taken_and_none_spends_anything() {
    let house = house().await;
    let own = Prover::new();
    let spa = public(&house, "spa").await;
    let code = code(&house, &spa, &[]).await;
    let asked = parameters(&spa, &[]);
    let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
    let redeeming = redemption(&code);
    for (path, fields, status) in [("/oauth/par", &asked[..], 201), ("/oauth/token", &redeeming, 200)] {
        let place = Place { path, ..TOKEN };
        for (what, proofs) in wrong(&house, &own, place, path) {
            let answer = post_with(&house, &spa, path, &headers(&proofs), fields).await;
            assert_eq!(told_no(&answer), (400, "invalid_dpop_proof".into()), "{what} at {path}");
        }
        let good = own.sign(&content(&house, place, path));
        post_with(&house, &spa, path, &[("DPoP", &good)], fields).await.expect(status);
    }
    // It has counted: not again, and not for anything else. The name is the key's own.
    let robot = service(&house, "robot", json!({})).await;
    let good = own.sign(&content(&house, TOKEN, TOKEN.path));
    let ask = async |proof: &str| {
        post_with(&house, &robot, "/oauth/token", &[("DPoP", proof)], &[CREDENTIALS]).await
    };
    assert_eq!(told_no(&ask(&good).await), (400, "invalid_dpop_proof".into()));
    ask(&Prover::new().sign(&content(&house, TOKEN, TOKEN.path))).await.expect(200);
    // At the limits, and in other spellings of the address.
    let now = house.now().seconds();
    let address = format!("{}/oauth/token", house.app.origin);
    for (name, change) in [
        ("a", json!({ "iat": now - 90 })),
        ("b", json!({ "iat": now + 30 })),
        ("c", json!({ "htu": format!("{address}?x=1#y") })),
        ("d", json!({ "htu": address.replace("http:", "HTTP:").replace("/token", "/./%74oken") })),
        ("e", json!({ "jti": "j".repeat(256) })),
        ("f", json!({ "nbf": now + 30, "exp": now - 29 })),
        ("g", json!({ "nbf": now, "exp": now + 60 })),
    ] {
        ask(&own.sign(&merged(content(&house, TOKEN, name), &change))).await.expect(200);
    }
    // One is remembered for as long as it would be good.
    let proof = own.sign(&merged(content(&house, TOKEN, "last"), &json!({ "iat": now + 30 })));
    ask(&proof).await.expect(200);
    for seconds in [119, 1, 1] {
        house.advance(Duration::from_secs(seconds));
        assert_eq!(told_no(&ask(&proof).await), (400, "invalid_dpop_proof".into()));
    }
}

#[tokio::test]
async fn a_bound_token_opens_by_its_key_alone() {
    let house = house().await;
    let (own, other) = (Prover::new(), Prover::new());
    let (_, tokens) = bound(&house, &own).await;
    let token = text(&tokens, "access_token");
    let checker = client(&house, "checker", json!({ "gateward_introspects": true })).await;
    let told = introspect(&house, &checker, &token).await;
    let jkt = Thumbprint::of(&own.key).unwrap().to_string();
    assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &json!({ "jkt": jkt })));
    let at = Place { method: "GET", path: "/oauth/userinfo", token: Some(&token) };
    let proof = own.sign(&content(&house, at, "j"));
    let stranger = other.sign(&content(&house, at, "j"));
    for (what, scheme, proofs) in [
        ("as what it is not", "Bearer", vec![]),
        ("as what it is not, with a proof", "Bearer", vec![proof.clone()]),
        ("without a proof", "DPoP", vec![]),
        ("by another key", "DPoP", vec![stranger]),
    ] {
        let answer = userinfo(&house, scheme, &token, &proofs).await;
        assert_eq!(told_no(&answer), (401, "invalid_token".into()), "{what}");
        let challenge = answer.header("www-authenticate").unwrap();
        let begin = format!("{scheme} realm=\"gateward\", error=\"invalid_token\"");
        assert!(challenge.starts_with(&begin), "{what}: {challenge}");
    }
    let form = Place { method: "POST", ..at };
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("DPoP", &own.sign(&content(&house, form, "f"))),
    ];
    let body = crate::wire::encode(&[("access_token", &token)]);
    let answer = house.browser().send("POST", "/oauth/userinfo", &headers, body.as_bytes()).await;
    assert_eq!(told_no(&answer), (401, "invalid_token".into()));
    // A token that is bound to nothing is not made better by a proof.
    let free = super::tokens(&house, &public(&house, "free").await, &[]).await;
    let free = free["access_token"].as_str().unwrap();
    let of_it = own.sign(&content(&house, Place { token: Some(free), ..at }, "free"));
    let answer = userinfo(&house, "DPoP", free, &[of_it]).await;
    assert_eq!(told_no(&answer), (401, "invalid_token".into()));
    // None of that has spent the proof; a scheme has no case.
    userinfo(&house, "DPoP", &token, &[proof]).await.expect(200);
    for scheme in ["dpop", "DPOP", "dPoP"] {
        userinfo(&house, scheme, &token, &[own.sign(&content(&house, at, scheme))]).await.expect(200);
    }
}

/// What is told at a resource (RFC 9449 §7.1, §9).
fn unproved(answer: &Answer, code: &str, what: &str) {
    assert_eq!(told_no(answer), (401, code.to_owned()), "{what}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{code}\"")),
        "{challenge}"
    );
}

#[tokio::test]
async fn at_userinfo_no_wrong_proof_is_taken_either() {
    let house = house().await;
    let own = Prover::new();
    let (_, tokens) = bound(&house, &own).await;
    let token = text(&tokens, "access_token");
    let at = Place { method: "GET", path: "/oauth/userinfo", token: Some(&token) };
    for (what, proofs) in wrong(&house, &own, at, "j") {
        let answer = userinfo(&house, "DPoP", &token, &proofs).await;
        unproved(&answer, "invalid_dpop_proof", what);
    }
    let good = own.sign(&content(&house, at, "j"));
    userinfo(&house, "DPoP", &token, std::slice::from_ref(&good)).await.expect(200);
    unproved(&userinfo(&house, "DPoP", &token, &[good]).await, "invalid_dpop_proof", "again");
    // One for the token endpoint is none here.
    let elsewhere = merged(content(&house, TOKEN, "k"), &json!({ "ath": ath(&token) }));
    unproved(
        &userinfo(&house, "DPoP", &token, &[own.sign(&elsewhere)]).await,
        "invalid_dpop_proof",
        "elsewhere",
    );
}

#[tokio::test]
async fn userinfo_asks_for_a_nonce_as_the_token_endpoint_does() {
    let house = strict().await;
    let own = Prover::new();
    let spa = public(&house, "spa").await;
    let code = code(&house, &spa, &[]).await;
    let nonce = house.app.oauth.nonces.issue(house.now());
    let proof = own.sign(&merged(content(&house, TOKEN, "j"), &json!({ "nonce": nonce })));
    let tokens =
        post_with(&house, &spa, "/oauth/token", &[("DPoP", &proof)], &redemption(&code)).await.expect(200);
    let token = text(&tokens, "access_token");
    let at = Place { method: "GET", path: "/oauth/userinfo", token: Some(&token) };
    let ask = async |nonce: &Value| {
        let proof = own.sign(&merged(content(&house, at, "u"), &json!({ "nonce": nonce })));
        userinfo(&house, "DPoP", &token, &[proof]).await
    };
    for odd in odd_nonces(&nonce).await {
        let answer = ask(&odd).await;
        unproved(&answer, "use_dpop_nonce", &odd.to_string());
        assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()), "{odd}");
    }
    ask(&json!(nonce)).await.expect(200);
}

#[tokio::test]
async fn who_has_registered_to_prove_a_key_proves_one_and_refreshes_by_it() {
    let house = house().await;
    let (own, other) = (Prover::new(), Prover::new());
    let robot = service(&house, "robot", json!({ "dpop_bound_access_tokens": true })).await;
    let answer = post(&house, &robot, "/oauth/token", &[CREDENTIALS]).await;
    assert_eq!(told_no(&answer), (400, "invalid_dpop_proof".into()));
    own.post(&house, &robot, "/oauth/token", &[CREDENTIALS]).await.expect(200);
    let (spa, tokens) = bound(&house, &own).await;
    let token = text(&tokens, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    assert_eq!(told_no(&refresh(&house, &spa, &token).await), (400, "invalid_grant".into()));
    let answer = other.post(&house, &spa, "/oauth/token", &fields).await;
    assert_eq!(told_no(&answer), (400, "invalid_grant".into()));
    // Nothing was rotated by them: the token is still the newest, and what comes of it is bound as before.
    let next = own.post(&house, &spa, "/oauth/token", &fields).await.expect(200);
    assert_ne!(text(&next, "refresh_token"), token);
    let claims = super::verified(&house, &text(&next, "access_token")).await.1;
    assert_eq!(claims["cnf"], json!({ "jkt": Thumbprint::of(&own.key).unwrap().to_string() }));
    // Within the grace the successor is given again, by the same key alone.
    assert_eq!(told_no(&refresh(&house, &spa, &token).await), (400, "invalid_grant".into()));
    let again = own.post(&house, &spa, "/oauth/token", &fields).await.expect(200);
    assert_eq!(text(&again, "refresh_token"), text(&next, "refresh_token"));
}

/// A code that was asked for with the thumbprint of a key is that key's (RFC 9449 §10).
#[tokio::test]
async fn a_code_that_names_a_key_is_redeemed_by_it() {
    let house = house().await;
    let (own, other) = (Prover::new(), Prover::new());
    let jkt = Thumbprint::of(&own.key).unwrap().to_string();
    for app in [public(&house, "spa").await, client(&house, "app", json!({})).await] {
        let code = code(&house, &app, &[("dpop_jkt", &jkt)]).await;
        assert_eq!(told_no(&super::redeem(&house, &app, &code).await), (400, "invalid_grant".into()));
        let answer = other.post(&house, &app, "/oauth/token", &redemption(&code)).await;
        assert_eq!(told_no(&answer), (400, "invalid_grant".into()));
        own.post(&house, &app, "/oauth/token", &redemption(&code)).await.expect(200);
    }
}

#[tokio::test]
async fn of_fifty_who_show_one_proof_at_once_one_is_heard() {
    let house = House::with(&format!("public_url = \"http://127.0.0.1:9\"\n{SETTINGS}")).await;
    house.person("ann").await;
    let second = house.second().await;
    let own = Prover::new();
    let (_, tokens) = bound(&house, &own).await;
    let token = text(&tokens, "access_token");
    let robot = service(&house, "robot", json!({})).await;
    let nodes = Arc::new([house, second]);
    for round in 0..3 {
        let proof = own.sign(&content(&nodes[0], TOKEN, &format!("t{round}")));
        let answers = at_once((0..50).map(|number| {
            let (nodes, robot, proof) = (nodes.clone(), robot.clone(), proof.clone());
            async move {
                let node = &nodes[number % 2];
                post_with(node, &robot, "/oauth/token", &[("DPoP", &proof)], &[CREDENTIALS]).await
            }
        }))
        .await;
        assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));
        assert!(
            answers
                .iter()
                .filter(|one| one.status == 400)
                .all(|one| super::refused(one) == "invalid_dpop_proof")
        );
        let at = Place { method: "GET", path: "/oauth/userinfo", token: Some(&token) };
        let proof = own.sign(&content(&nodes[0], at, &format!("u{round}")));
        let answers = at_once((0..50).map(|number| {
            let (nodes, token, proof) = (nodes.clone(), token.clone(), proof.clone());
            async move { userinfo(&nodes[number % 2], "DPoP", &token, &[proof]).await }
        }))
        .await;
        assert_eq!(count(&answers, 200), 1);
    }
}

async fn strict() -> House {
    let house = House::with(&super::registration::settings("dpop_nonces = true")).await;
    house.person("ann").await;
    house
}

/// Nonces that are none of this house's, or are damaged.
async fn odd_nonces(nonce: &str) -> Vec<Value> {
    let other = super::house().await;
    let swapped = if nonce.ends_with('A') { "B" } else { "A" };
    vec![
        json!(null),
        json!(""),
        json!("nonsense"),
        json!(&nonce[..31]),
        json!(format!("{nonce}A")),
        json!(format!("{}{swapped}", &nonce[..31])),
        json!(other.app.oauth.nonces.issue(other.now())),
    ]
}

#[tokio::test]
async fn where_a_nonce_is_due_a_proof_has_one_of_ours() {
    let house = strict().await;
    let own = Prover::new();
    let spa = public(&house, "spa").await;
    let code = code(&house, &spa, &[]).await;
    let asked = parameters(&spa, &[]);
    let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
    let redeeming = redemption(&code);
    for (path, fields, status) in [("/oauth/par", &asked[..], 201), ("/oauth/token", &redeeming, 200)] {
        let good = content(&house, Place { path, ..TOKEN }, path);
        let ask = async |nonce: &Value| {
            let proof = own.sign(&merged(good.clone(), &json!({ "nonce": nonce })));
            post_with(&house, &spa, path, &[("DPoP", &proof)], fields).await
        };
        let first = ask(&Value::Null).await;
        let nonce = first.header("dpop-nonce").unwrap().to_owned();
        for odd in odd_nonces(&nonce).await {
            let answer = ask(&odd).await;
            assert_eq!(told_no(&answer), (400, "use_dpop_nonce".into()), "{odd} at {path}");
            assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()), "the same for its period");
            assert_eq!(answer.header("access-control-expose-headers"), Some("DPoP-Nonce, WWW-Authenticate"));
        }
        // The proof was spent by none of them.
        ask(&json!(nonce)).await.expect(status);
    }
    // Whoever proves no key needs no nonce.
    let robot = service(&house, "robot", json!({})).await;
    post(&house, &robot, "/oauth/token", &[CREDENTIALS]).await.expect(200);
}

#[tokio::test]
async fn a_nonce_counts_in_its_period_and_in_the_next() {
    let own = Prover::new();
    for (house, is_due) in [(strict().await, true), (house().await, false)] {
        let robot = service(&house, "robot", json!({})).await;
        let ask = async |nonce: Option<&str>, jti: &str| {
            let proof = own.sign(&merged(content(&house, TOKEN, jti), &json!({ "nonce": nonce })));
            post_with(&house, &robot, "/oauth/token", &[("DPoP", &proof)], &[CREDENTIALS]).await
        };
        // The held clock stands at the begin of a period.
        let nonce = house.app.oauth.nonces.issue(house.now());
        ask(Some(&nonce), "a").await.expect(200);
        house.advance(Duration::from_micros(599_999_999));
        ask(Some(&nonce), "b").await.expect(200);
        house.tick();
        let answer = ask(Some(&nonce), "c").await;
        assert_eq!(told_no(&answer), (400, "use_dpop_nonce".into()), "also where none is due");
        let next = answer.header("dpop-nonce").unwrap().to_owned();
        assert_ne!(next, nonce);
        ask(Some(&next), "c").await.expect(200);
        assert_eq!(ask(None, "d").await.status, if is_due { 400 } else { 200 });
    }
}
