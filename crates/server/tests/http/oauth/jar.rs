//! Requests in signed objects (RFC 9101, OpenID Connect Core §6).

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm};
use serde_json::{Value, json};

use super::{
    BACK, Known, SETTINGS, agree, challenge, client, error, house, key, key_set, page_error, post,
    public_part, refused, request, signed, told,
};
use crate::house::House;
use crate::site::Site;
use crate::wire::encode;

const ES256: SignatureAlgorithm = SignatureAlgorithm::Es256;
const TYPE: &str = "oauth-authz-req+jwt";

/// The content of a good object; `more` replaces some, or takes it away when null.
fn content(house: &House, client: &Known, more: Value) -> Value {
    let mut all = json!({
        "iss": client.id, "aud": house.app.origin, "client_id": client.id, "redirect_uri": BACK,
        "response_type": "code", "scope": "openid profile", "state": "inside", "nonce": "n",
        "code_challenge": challenge(), "code_challenge_method": "S256",
        "nbf": house.now().seconds(), "exp": house.now().seconds() + 300,
    });
    let object = all.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    object.retain(|_, value| !value.is_null());
    all
}

fn object(house: &House, client: &Known, key: &Jwk, more: Value) -> String {
    signed(key, ES256, TYPE, &content(house, client, more))
}

/// A client with a key of its own.
async fn app(house: &House, id: &str, more: Value) -> (Known, Jwk) {
    let key = key(ES256);
    let mut all = json!({ "jwks": key_set(&key) });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (client(house, id, all).await, key)
}

/// A request whose object stands in it.
fn by_value(client: &Known, object: &str, beside: &[(&str, &str)]) -> String {
    let pairs = [("client_id", client.id.as_str()), ("request", object)];
    format!("/oauth/authorize?{}", encode(&[&pairs, beside].concat()))
}

fn by_reference(client: &Known, uri: &str) -> String {
    format!("/oauth/authorize?{}", encode(&[("client_id", client.id.as_str()), ("request_uri", uri)]))
}

#[tokio::test]
async fn only_what_is_signed_counts() {
    let house = house().await;
    let (app, key) = app(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    let beside = [
        ("redirect_uri", "https://evil.example/"),
        ("scope", "openid email"),
        ("state", "outside"),
        ("response_type", "code"),
        ("prompt", "none"),
        ("claims", "no JSON"),
    ];
    let page =
        browser.get(&by_value(&app, &object(&house, &app, &key, json!({})), &beside)).await.expect(200);
    assert!(page.text().contains("scope:profile") && !page.text().contains("scope:email"));
    let told = told(&super::decide(&mut browser, &page, "allow", &[]).await);
    assert_eq!(told["state"], "inside");
    super::redeem(&house, &app, &told["code"]).await.expect(200);
    // What the object does not say is not said, also when it stands beside it.
    let object = object(&house, &app, &key, json!({ "code_challenge": null, "code_challenge_method": null }));
    let challenge = challenge();
    let beside = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    assert_eq!(error(&house, &browser.get(&by_value(&app, &object, &beside)).await), "invalid_request");
}

#[tokio::test]
async fn numbers_and_objects_in_it_are_read_as_in_an_address() {
    let house = house().await;
    let (app, key) = app(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    let asked = json!({ "max_age": 3600, "claims": { "userinfo": { "nickname": null } }, "scope": "openid" });
    let page = browser.get(&by_value(&app, &object(&house, &app, &key, asked), &[])).await;
    assert!(told(&super::decide(&mut browser, &page.expect(200), "allow", &[]).await).contains_key("code"));
    house.advance(std::time::Duration::from_secs(10));
    let led = browser
        .get(&by_value(&app, &object(&house, &app, &key, json!({ "max_age": 9 })), &[]))
        .await
        .expect(303);
    assert!(led.header("location").unwrap().starts_with("/login?again=1"), "{:?}", led.headers);
}

/// What attackers hand in: each is refused, and nobody is led anywhere but to where the client has registered.
#[tokio::test]
async fn no_other_object_is_believed() {
    let house = house().await;
    let (app, own) = app(&house, "app", json!({})).await;
    let now = house.now().seconds();
    let mut browser = house.signed_in("ann").await;
    let good = object(&house, &app, &own, json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let encoded = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let all = content(&house, &app, json!({}));
    let none = encoded(&json!({ "alg": "none", "typ": TYPE }));
    let evil = encoded(&content(&house, &app, json!({ "redirect_uri": "https://evil.example/" })));
    let confused = Jwk::from_secret(public_part(&own).to_string().as_bytes()).unwrap();
    let mut family = vec![
        ("alg none", format!("{none}.{}.", encoded(&all))),
        ("alg none with the signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("without a signature", format!("{}.{}.", parts[0], parts[1])),
        ("without a signature and dot", format!("{}.{}", parts[0], parts[1])),
        ("changed content", format!("{}.{evil}.{}", parts[0], parts[2])),
        ("in five parts", format!("{good}.a.b")),
        ("plain JSON", all.to_string()),
        ("garbage", "garbage".to_owned()),
        ("key of somebody else", object(&house, &app, &key(ES256), json!({}))),
        ("public key as a secret", signed(&confused, SignatureAlgorithm::Hs256, TYPE, &all)),
        ("secret of the client", {
            let secret = Jwk::from_secret(app.secret.as_bytes()).unwrap();
            signed(&secret, SignatureAlgorithm::Hs256, TYPE, &all)
        }),
        ("of another type", signed(&own, ES256, "dpop+jwt", &all)),
    ];
    for (name, change) in [
        ("for somebody else", json!({ "aud": "https://other.example" })),
        ("for the token endpoint", json!({ "aud": format!("{}/oauth/token", house.app.origin) })),
        ("by somebody else", json!({ "iss": "other" })),
        ("of another client", json!({ "client_id": "other" })),
        ("over", json!({ "exp": now - 31 })),
        ("not yet", json!({ "nbf": now + 31 })),
        ("an assertion", json!({ "sub": "app" })),
        ("one in another", json!({ "request": good })),
        ("the address of one in another", json!({ "request_uri": "https://app.example/r" })),
        ("nothing", json!({ "scope": 1.5 })),
    ] {
        family.push((name, object(&house, &app, &own, change)));
    }
    for (name, object) in &family {
        let answer =
            browser.get(&by_value(&app, object, &[("redirect_uri", BACK), ("state", "outside")])).await;
        assert_eq!(error(&house, &answer), "invalid_request_object", "{name}");
        assert_eq!(told(&answer)["state"], "outside", "{name}");
        for beside in [&[][..], &[("redirect_uri", "https://evil.example/")][..]] {
            let answer = browser.get(&by_value(&app, object, beside)).await;
            assert_eq!(page_error(&answer), "invalid_request_object", "{name}");
        }
        let answer = post(&house, &app, "/oauth/par", &[("request", object)]).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_request_object"), "{name}");
    }
    assert_eq!(browser.get(&by_value(&app, &good, &[])).await.status, 200, "the good one among them");
}

#[tokio::test]
async fn an_object_contradicts_nothing_beside_it_and_stands_alone() {
    let house = house().await;
    let (app, key) = app(&house, "app", json!({})).await;
    let mut browser = house.signed_in("ann").await;
    let object = object(&house, &app, &key, json!({}));
    let outside = [("redirect_uri", BACK), ("response_type", "code id_token")];
    assert_eq!(told_error(&browser.get(&by_value(&app, &object, &outside)).await), "invalid_request");
    let both = [("redirect_uri", BACK), ("request_uri", "https://app.example/r")];
    assert_eq!(error(&house, &browser.get(&by_value(&app, &object, &both)).await), "invalid_request");
    let both = [("redirect_uri", BACK), ("request_uri", "urn:ietf:params:oauth:request_uri:x")];
    assert_eq!(error(&house, &browser.get(&by_value(&app, &object, &both)).await), "invalid_request");
}

/// The error in a query or a fragment.
fn told_error(answer: &crate::wire::Answer) -> String {
    super::told_at(answer, BACK)["error"].clone()
}

#[tokio::test]
async fn who_has_registered_to_sign_falls_back_to_nothing() {
    let house = house().await;
    let (app, key) = app(&house, "app", json!({ "require_signed_request_object": true })).await;
    let mut browser = house.signed_in("ann").await;
    assert_eq!(error(&house, &browser.get(&request(&app, &[])).await), "invalid_request");
    let plain = super::parameters(&app, &[]);
    let plain: Vec<(&str, &str)> =
        plain.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(refused(&post(&house, &app, "/oauth/par", &plain).await), "invalid_request");
    // The times of FAPI 2.0 Message Signing §5.3.1: at the limit, and beyond.
    let now = house.now().seconds();
    let pushed = async |more: Value| {
        let object = object(&house, &app, &key, more);
        post(&house, &app, "/oauth/par", &[("request", &object)]).await
    };
    for (more, expected) in [
        (json!({}), 201),
        (json!({ "nbf": now - 3600, "exp": now }), 201),
        (json!({ "nbf": now, "exp": now + 3600 }), 201),
        (json!({ "aud": [house.app.origin, "https://other.example"] }), 201),
        (json!({ "nbf": now, "exp": now + 3601 }), 400),
        (json!({ "nbf": now - 3631, "exp": now - 31 }), 400),
        (json!({ "exp": null }), 400),
        (json!({ "nbf": null }), 400),
        (json!({ "aud": null }), 400),
        (json!({ "iss": null }), 400),
        (json!({ "client_id": null }), 400),
    ] {
        let answer = pushed(more.clone()).await;
        assert_eq!(answer.status, expected, "{more}: {}", answer.text());
        assert!(expected == 201 || refused(&answer) == "invalid_request_object", "{more}");
    }
    let uri = pushed(json!({})).await.json()["request_uri"].as_str().unwrap().to_owned();
    assert_eq!(told(&agree(&mut browser, &by_reference(&app, &uri)).await)["state"], "inside");
}

#[tokio::test]
async fn a_client_may_sign_by_its_secret_when_it_has_registered_that() {
    let house = house().await;
    let app = client(&house, "app", json!({ "request_object_signing_alg": "HS256" })).await;
    let secret = Jwk::from_secret(app.secret.as_bytes()).unwrap();
    let mut browser = house.signed_in("ann").await;
    let good = signed(&secret, SignatureAlgorithm::Hs256, TYPE, &content(&house, &app, json!({})));
    assert_eq!(browser.get(&by_value(&app, &good, &[])).await.status, 200);
    let other = Jwk::from_secret(&[b'x'; 48]).unwrap();
    let bad = signed(&other, SignatureAlgorithm::Hs256, TYPE, &content(&house, &app, json!({})));
    assert_eq!(page_error(&browser.get(&by_value(&app, &bad, &[])).await), "invalid_request_object");
    let longer = signed(&secret, SignatureAlgorithm::Hs384, TYPE, &content(&house, &app, json!({})));
    assert_eq!(page_error(&browser.get(&by_value(&app, &longer, &[])).await), "invalid_request_object");
}

#[tokio::test]
async fn objects_are_fetched_from_where_the_client_has_registered_them() {
    let site = Site::open().await;
    let house = House::with(&format!("{}\n{SETTINGS}", site.settings())).await;
    house.person("ann").await;
    let registered = json!({ "request_uris": [site.url("/a"), site.url("/missing"), format!("{}#pinned", site.url("/p"))] });
    let (app, key) = app(&house, "app", registered).await;
    let mut browser = house.signed_in("ann").await;
    let good = object(&house, &app, &key, json!({}));
    site.says("/a", "application/oauth-authz-req+jwt", format!("{good}\n"));
    site.says("/b", "application/oauth-authz-req+jwt", good.clone());
    site.says("/p", "application/oauth-authz-req+jwt", good.clone());
    for uri in [
        site.url("/b"),
        site.url("/a?x=1"),
        site.url("/p"),
        site.url("/p#other"),
        "http://localhost/a".into(),
    ] {
        assert_eq!(page_error(&browser.get(&by_reference(&app, &uri)).await), "invalid_request_uri", "{uri}");
    }
    assert_eq!(site.count(), 0, "what is not registered is not asked");
    let address = by_reference(&app, &site.url("/a"));
    assert_eq!(told(&agree(&mut browser, &address).await)["state"], "inside");
    // What it is a version of is fetched anew, whatever the fragment says.
    let version = by_reference(&app, &format!("{}#1", site.url("/a")));
    assert!(told(&agree(&mut browser, &version).await).contains_key("code"));
    site.says(
        "/a",
        "application/oauth-authz-req+jwt",
        object(&house, &app, &key, json!({ "state": "later" })),
    );
    assert_eq!(told(&agree(&mut browser, &version).await)["state"], "later");
    let missing = by_reference(&app, &site.url("/missing"));
    assert_eq!(page_error(&browser.get(&missing).await), "invalid_request_uri");
    let registered = by_reference(&app, &format!("{}#pinned", site.url("/p")));
    assert!(told(&agree(&mut browser, &registered).await).contains_key("code"));
    site.says("/a", "application/oauth-authz-req+jwt", "x".repeat(40_000));
    assert_eq!(page_error(&browser.get(&address).await), "invalid_request_object");
}

#[tokio::test]
async fn nobody_sends_this_program_to_its_neighbours_by_a_request_uri() {
    let site = Site::open().await;
    // This house may not ask there.
    let house = house().await;
    let port = site.port;
    let hosts = ["127.0.0.1", "localhost", "2130706433", "[::1]", "169.254.169.254", "10.0.0.1"];
    let uris: Vec<String> = hosts.iter().map(|host| format!("https://{host}:{port}/a")).collect();
    let (app, _) = app(&house, "app", json!({ "request_uris": uris })).await;
    let mut browser = house.signed_in("ann").await;
    for uri in &uris {
        assert_eq!(page_error(&browser.get(&by_reference(&app, uri)).await), "invalid_request_uri", "{uri}");
    }
    assert_eq!(site.count(), 0);
}

/// An RSA key can sign by both; what the client has registered counts (FAPI 2.0 Security Profile §5.4.1).
#[tokio::test]
async fn a_client_of_fapi_signs_by_no_rs256() {
    let house = house().await;
    let rsa = Jwk::generate_rsa(2048).unwrap();
    let more = json!({
        "jwks": key_set(&rsa), "request_object_signing_alg": "PS256", "require_signed_request_object": true,
    });
    let app = client(&house, "app", more).await;
    for (algorithm, status) in [(SignatureAlgorithm::Rs256, 400), (SignatureAlgorithm::Ps256, 201)] {
        let object = signed(&rsa, algorithm, TYPE, &content(&house, &app, json!({})));
        let answer = post(&house, &app, "/oauth/par", &[("request", &object)]).await.expect(status);
        assert!(status == 201 || refused(&answer) == "invalid_request_object");
    }
}
