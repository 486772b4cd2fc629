//! Clients that prove themselves by a signed assertion (RFC 7523 §2.2): each is by them, for us, short, and counts once.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use gateward_kernel::jose::{Jwk, SignatureAlgorithm};
use serde_json::{Value, json};

use super::grants::Prover;
use super::{
    Known, SETTINGS, challenge, client, code, house, key, key_set, merged, public_part, redemption, signed,
    tokens, told_no,
};
use crate::house::{House, at_once, count};
use crate::wire::{Answer, encode};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;
const HS256: SignatureAlgorithm = SignatureAlgorithm::Hs256;
const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// What a good assertion says under this name.
fn content(house: &House, client: &str, jti: &str) -> Value {
    let now = house.now().seconds();
    json!({"iss": client, "sub": client, "aud": house.app.origin, "iat": now, "exp": now + 60, "jti": jti})
}

/// Posts with an assertion, and nothing else by which a client could be known.
async fn present(house: &House, path: &str, assertion: &str, fields: &[(&str, &str)]) -> Answer {
    let own = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
    house.browser().form(path, &[fields, &own].concat()).await
}

/// A client with a key of its own, which may have tokens for itself as well.
async fn app(house: &House, id: &str, more: Value) -> (Known, Jwk) {
    let key = key(ES256);
    let own = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": key_set(&key),
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    });
    (client(house, id, merged(own, &more)).await, key)
}

/// Assertions that are none of this client's, all under this name, so that one that was taken would spend it.
async fn wrong(house: &House, app: &Known, own: &Jwk, jti: &str) -> Vec<(&'static str, String)> {
    let good = content(house, &app.id, jti);
    let (now, origin) = (house.now().seconds(), &house.app.origin);
    let mut family = Vec::new();
    for (what, change) in [
        ("for somebody else", json!({ "aud": "https://other.example" })),
        ("for nobody", json!({ "aud": null })),
        ("for an empty list", json!({ "aud": [] })),
        ("for a list of others", json!({ "aud": ["https://other.example", format!("{origin}/other")] })),
        ("for a longer issuer", json!({ "aud": format!("{origin}/") })),
        ("for a number", json!({ "aud": 1 })),
        ("for the page of people", json!({ "aud": format!("{origin}/oauth/authorize") })),
        ("by nobody", json!({ "iss": null })),
        ("about nobody", json!({ "sub": null })),
        ("by another", json!({ "iss": "other" })),
        ("about another", json!({ "sub": "other" })),
        ("of another", json!({ "iss": "other", "sub": "other" })),
        ("of nobody known", json!({ "iss": "nobody", "sub": "nobody" })),
        ("of us", json!({ "iss": origin, "sub": origin })),
        ("that never ends", json!({ "exp": null })),
        ("that is over", json!({ "exp": now - 15 })),
        ("that lives too long", json!({ "exp": now + 316 })),
        ("that lives for ever", json!({ "exp": 1e18 })),
        ("that ends in text", json!({ "exp": (now + 60).to_string() })),
        ("that does not count yet", json!({ "nbf": now + 16 })),
        ("of the future", json!({ "iat": now + 16 })),
        ("without a name", json!({ "jti": null })),
        ("with an empty name", json!({ "jti": "" })),
        ("with a long name", json!({ "jti": "j".repeat(257) })),
        ("with a number for a name", json!({ "jti": 1 })),
    ] {
        family.push((what, signed(own, ES256, "JWT", &merged(good.clone(), &change))));
    }
    // What the client signs for other purposes, also where it says all that an assertion says.
    for typ in ["dpop+jwt", "oauth-authz-req+jwt", "at+jwt", "logout+jwt", "authorization-grant+jwt"] {
        family.push((typ, signed(own, ES256, typ, &good)));
    }
    let object = json!({
        "iss": app.id, "aud": origin, "client_id": app.id, "redirect_uri": super::BACK, "response_type": "code",
        "scope": "openid", "code_challenge": challenge(), "code_challenge_method": "S256",
        "nbf": now, "exp": now + 60, "jti": jti,
    });
    let proof = Prover::new();
    let public = public_part(own).to_string();
    let as_secret = |bytes: &[u8]| signed(&Jwk::from_secret(bytes).unwrap(), HS256, "JWT", &good);
    let right = signed(own, ES256, "JWT", &good);
    let parts: Vec<&str> = right.split('.').collect();
    let encoded = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let none = encoded(json!({ "alg": "none", "typ": "JWT" }));
    let ours = tokens(house, &client(house, "plain", json!({})).await, &[]).await;
    let point: Vec<u8> = ["x", "y"]
        .iter()
        .flat_map(|name| BASE64URL_NOPAD.decode(public_part(own)[name].as_str().unwrap().as_bytes()).unwrap())
        .collect();
    family.extend([
        ("a request object", signed(own, ES256, "oauth-authz-req+jwt", &object)),
        ("a request object that hides its type", signed(own, ES256, "JWT", &object)),
        ("a proof of possession", proof.sign(&proof.claims(house, "POST", "/oauth/token"))),
        ("an ID token of ours", ours["id_token"].as_str().unwrap().to_owned()),
        ("an access token of ours", ours["access_token"].as_str().unwrap().to_owned()),
        ("by somebody else's key", signed(&key(ES256), ES256, "JWT", &good)),
        ("by a key that it brings", {
            let thief = Prover::new();
            thief.sign_as("JWT", json!({ "jwk": public_part(&thief.key) }), &good)
        }),
        ("by the public key as a secret", as_secret(public.as_bytes())),
        ("by the set of keys as a secret", as_secret(key_set(own).to_string().as_bytes())),
        ("by the bytes of the key as a secret", as_secret(&point)),
        ("by them in text", as_secret(BASE64.encode(&point).as_bytes())),
        ("by the secret that it has not", as_secret(app.secret.as_bytes())),
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg none with a signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("with other content", {
            let longer = encoded(merged(good, &json!({ "exp": now + 61 })));
            format!("{}.{longer}.{}", parts[0], parts[2])
        }),
        ("in five parts", format!("{right}.a.b")),
        ("garbage", "garbage".to_owned()),
    ]);
    family
}

#[tokio::test]
async fn no_wrong_assertion_is_believed_and_none_spends_anything() {
    let house = house().await;
    let (app, own) = app(&house, "app", json!({})).await;
    self::app(&house, "other", json!({})).await;
    let code = code(&house, &app, &[]).await;
    let asked = super::parameters(&app, &[("client_id", "")]);
    let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
    let redeeming = redemption(&code);
    let family = wrong(&house, &app, &own, "j").await;
    let right = signed(&own, ES256, "JWT", &content(&house, "app", "j"));
    for (path, fields) in [
        ("/oauth/par", &asked[..]),
        ("/oauth/introspect", &[("token", "x")]),
        ("/oauth/revoke", &[("token", "x")]),
        ("/oauth/token", &redeeming),
    ] {
        for (what, assertion) in &family {
            let answer = present(&house, path, assertion, fields).await;
            assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{what} at {path}");
        }
        // Neither does another name beside it, or another method, or no type.
        let both = [fields, &[("client_id", "other")]].concat();
        let answer = present(&house, path, &right, &both).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{path}");
        let both = [fields, &[("client_secret", app.secret.as_str()), ("client_id", "app")]].concat();
        let answer = present(&house, path, &right, &both).await;
        assert_eq!(told_no(&answer), (400, "invalid_request".into()), "{path}");
        for kind in ["", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"] {
            let own = [("client_assertion", right.as_str()), ("client_assertion_type", kind)];
            let answer = house.browser().form(path, &[fields, &own].concat()).await;
            assert_eq!(told_no(&answer), (400, "invalid_request".into()), "{kind} at {path}");
        }
    }
    present(&house, "/oauth/token", &right, &redeeming).await.expect(200);
    // It has counted: at no endpoint again, however else it is signed.
    let again = signed(&own, ES256, "client-authentication+jwt", &content(&house, "app", "j"));
    for assertion in [&right, &again] {
        for (path, fields) in [("/oauth/token", &CREDENTIALS[..]), ("/oauth/introspect", &[("token", "x")])] {
            let answer = present(&house, path, assertion, fields).await;
            assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_just_short_enough_is_good_and_remembered_until_it_is_over() {
    let house = house().await;
    let (_, own) = app(&house, "app", json!({})).await;
    let (_, others) = app(&house, "other", json!({})).await;
    let now = house.now().seconds();
    let origin = house.app.origin.clone();
    for (number, change) in [
        json!({ "exp": now - 14 }),
        json!({ "exp": now + 315 }),
        json!({ "nbf": now + 15 }),
        json!({ "iat": now + 15 }),
        json!({ "iat": null }),
        json!({ "jti": "j".repeat(256) }),
        json!({ "client_id": "somebody", "unheard_of": [1] }),
        json!({ "aud": [origin, "https://other.example"] }),
    ]
    .into_iter()
    .enumerate()
    {
        let claims = merged(content(&house, "app", &number.to_string()), &change);
        let answer =
            present(&house, "/oauth/token", &signed(&own, ES256, "JWT", &claims), &CREDENTIALS).await;
        assert_eq!(answer.status, 200, "{change}: {}", answer.text());
    }
    // The name is the client's own.
    let theirs = signed(&others, ES256, "JWT", &content(&house, "other", "1"));
    present(&house, "/oauth/token", &theirs, &CREDENTIALS).await.expect(200);
    // The one that lives longest, until its last moment and beyond.
    let longest = merged(content(&house, "app", "1"), &json!({ "exp": now + 315 }));
    let longest = signed(&own, ES256, "JWT", &longest);
    let unused = merged(content(&house, "app", "unused"), &json!({ "exp": now + 315 }));
    let unused = signed(&own, ES256, "JWT", &unused);
    house.advance(Duration::from_micros(329_999_999));
    let answer = present(&house, "/oauth/token", &longest, &CREDENTIALS).await;
    assert_eq!(told_no(&answer), (401, "invalid_client".into()));
    present(&house, "/oauth/token", &unused, &CREDENTIALS).await.expect(200);
    house.tick();
    for one in [&longest, &unused] {
        let answer = present(&house, "/oauth/token", one, &CREDENTIALS).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()));
    }
}

/// For whom: the issuer, the token endpoint, or the endpoint that is called; where a client has registered so, the issuer alone.
#[tokio::test]
async fn an_assertion_is_for_this_server() {
    let house = house().await;
    let (_, free) = app(&house, "free", json!({})).await;
    let (_, exact) = app(&house, "exact", json!({ "gateward_assertion_audience": "issuer" })).await;
    let origin = &house.app.origin;
    let (token, looking) = (format!("{origin}/oauth/token"), format!("{origin}/oauth/introspect"));
    let mut number = 0;
    for (aud, freely, exactly) in [
        (json!(origin), true, true),
        (json!([origin]), true, false),
        (json!([origin, "https://other.example"]), true, false),
        (json!(token), true, false),
        (json!([token]), true, false),
        (json!(looking), true, false),
        (json!(format!("{origin}/oauth/revoke")), false, false),
        (json!(format!("{origin}/oauth/par")), false, false),
        (json!(format!("{token}/")), false, false),
        (json!(format!("{token}?x=1")), false, false),
        (json!(origin.to_uppercase()), false, false),
    ] {
        for (id, own, is_good) in [("free", &free, freely), ("exact", &exact, exactly)] {
            number += 1;
            let claims = merged(content(&house, id, &number.to_string()), &json!({ "aud": aud }));
            let assertion = signed(own, ES256, "JWT", &claims);
            let answer = present(&house, "/oauth/introspect", &assertion, &[("token", "x")]).await;
            match is_good {
                true => drop(answer.expect(200)),
                false => assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{id}: {aud}"),
            }
        }
    }
}

#[tokio::test]
async fn a_client_signs_by_the_algorithm_it_has_registered() {
    let house = house().await;
    let (_, own) = app(&house, "app", json!({ "token_endpoint_auth_signing_alg": "PS256" })).await;
    let assertion = signed(&own, ES256, "JWT", &content(&house, "app", "j"));
    let answer = present(&house, "/oauth/token", &assertion, &CREDENTIALS).await;
    assert_eq!(told_no(&answer), (401, "invalid_client".into()));
    // Also where one key could sign by both, as an RSA key can (FAPI 2.0 Security Profile §5.4.1).
    let rsa = Jwk::generate_rsa(2048).unwrap();
    let more = json!({ "token_endpoint_auth_signing_alg": "PS256", "jwks": key_set(&rsa) });
    self::app(&house, "rsa", more).await;
    for (algorithm, status) in [(SignatureAlgorithm::Rs256, 401), (SignatureAlgorithm::Ps256, 200)] {
        let assertion = signed(&rsa, algorithm, "JWT", &content(&house, "rsa", "j"));
        present(&house, "/oauth/token", &assertion, &CREDENTIALS).await.expect(status);
    }
    // One that has registered another method is not known by an assertion, whoever signs it.
    for (id, more) in [
        ("basic", json!({ "token_endpoint_auth_method": "client_secret_basic" })),
        ("public", json!({ "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"] })),
    ] {
        let (known, own) = app(&house, id, more).await;
        let secret = Jwk::from_secret(known.secret.as_bytes()).unwrap();
        for assertion in [
            signed(&own, ES256, "JWT", &content(&house, id, "j")),
            signed(&secret, HS256, "JWT", &content(&house, id, "k")),
        ] {
            let answer = present(&house, "/oauth/revoke", &assertion, &[("token", "x")]).await;
            assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{id}");
        }
    }
}

#[tokio::test]
async fn a_secret_signs_where_that_was_registered() {
    let house = house().await;
    let by_secret = |more: Value| {
        let own = json!({
            "token_endpoint_auth_method": "client_secret_jwt", "redirect_uris": [], "response_types": [],
            "grant_types": ["client_credentials"],
        });
        merged(own, &more)
    };
    let own_key = key(ES256);
    let app = client(&house, "app", by_secret(json!({ "jwks": key_set(&own_key) }))).await;
    let strict =
        client(&house, "strict", by_secret(json!({"token_endpoint_auth_signing_alg": "HS256"}))).await;
    let secret = |known: &Known| Jwk::from_secret(known.secret.as_bytes()).unwrap();
    let (hs384, hs512) = (SignatureAlgorithm::Hs384, SignatureAlgorithm::Hs512);
    for (what, id, assertion) in [
        ("of another client", "app", signed(&secret(&strict), HS256, "JWT", &content(&house, "app", "j"))),
        ("with a key", "app", signed(&own_key, ES256, "JWT", &content(&house, "app", "j"))),
        ("a longer one", "strict", signed(&secret(&strict), hs384, "JWT", &content(&house, "strict", "j"))),
        ("in capitals", "app", {
            let other = Jwk::from_secret(app.secret.to_uppercase().as_bytes()).unwrap();
            signed(&other, HS256, "JWT", &content(&house, "app", "j"))
        }),
        ("of another type", "app", signed(&secret(&app), HS256, "at+jwt", &content(&house, "app", "j"))),
    ] {
        let answer = present(&house, "/oauth/token", &assertion, &CREDENTIALS).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()), "{what} for {id}");
    }
    for (known, algorithm, jti) in
        [(&app, HS256, "j"), (&app, hs384, "k"), (&app, hs512, "l"), (&strict, HS256, "j")]
    {
        let assertion = signed(&secret(known), algorithm, "JWT", &content(&house, &known.id, jti));
        present(&house, "/oauth/token", &assertion, &CREDENTIALS).await.expect(200);
        let answer = present(&house, "/oauth/token", &assertion, &CREDENTIALS).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()), "again");
    }
    // The secret itself opens nothing.
    for (header, fields) in [
        (super::header("app", &app.secret), vec![]),
        (String::new(), vec![("client_id", "app"), ("client_secret", app.secret.as_str())]),
    ] {
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded")];
        headers.extend((!header.is_empty()).then_some(("Authorization", header.as_str())));
        let body = encode(&[&CREDENTIALS[..], &fields].concat());
        let answer = house.browser().send("POST", "/oauth/token", &headers, body.as_bytes()).await;
        assert_eq!(told_no(&answer), (401, "invalid_client".into()));
    }
}

#[tokio::test]
async fn of_fifty_who_show_one_assertion_at_once_one_is_the_client() {
    let house = House::with(&format!("public_url = \"http://127.0.0.1:9\"\n{SETTINGS}")).await;
    let (_, own) = app(&house, "app", json!({})).await;
    let second = house.second().await;
    let nodes = Arc::new([house, second]);
    for round in 0..3 {
        let assertion = signed(&own, ES256, "JWT", &content(&nodes[0], "app", &format!("j{round}")));
        let answers = at_once((0..50).map(|number| {
            let (nodes, assertion) = (nodes.clone(), assertion.clone());
            async move { present(&nodes[number % 2], "/oauth/token", &assertion, &CREDENTIALS).await }
        }))
        .await;
        assert_eq!(count(&answers, 200), 1);
        let others = answers.iter().filter(|answer| answer.status != 200);
        assert!(others.map(told_no).all(|told| told == (401, "invalid_client".into())));
    }
}
