//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use serde_json::{Map, Value, json};

use super::{
    BACK, Known, SETTINGS, VERIFIER, agree, client, decide, error, header, hidden, house, key, page_error,
    parameters, post, public_part, redeem, refused, request, told,
};
use crate::house::{House, at_once, count};
use crate::wire::{Answer, Browser, encode};

const PATH: &str = "/oauth/par";

/// Pushes a good request, some of which `more` replaces.
async fn pushed(house: &House, client: &Known, more: &[(&str, &str)]) -> Answer {
    let all = parameters(client, more);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    post(house, client, PATH, &pairs).await
}

/// The address to which the client sends its person then.
fn address(client: &Known, pushed: &Answer) -> String {
    let told = pushed.json();
    with_uri(client, told["request_uri"].as_str().unwrap())
}

fn with_uri(client: &Known, uri: &str) -> String {
    format!("/oauth/authorize?{}", encode(&[("client_id", client.id.as_str()), ("request_uri", uri)]))
}

async fn app(house: &House) -> Known {
    client(house, "app", json!({})).await
}

/// RFC 6749 §3.1: an empty parameter counts as left out.
#[tokio::test]
async fn an_empty_parameter_is_none() {
    let house = house().await;
    let app = app(&house).await;
    let mut all = parameters(&app, &[]);
    all.extend(["request", "request_uri"].map(|name| (name.to_owned(), String::new())));
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = post(&house, &app, PATH, &pairs).await.expect(201);
    let mut browser = house.signed_in("ann").await;
    assert!(
        told(&agree(&mut browser, &format!("{}&request=", address(&app, &answer))).await)
            .contains_key("code")
    );
}

#[tokio::test]
async fn what_was_pushed_is_all_that_counts() {
    let house = house().await;
    let app = app(&house).await;
    let answer = pushed(&house, &app, &[]).await.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told_then = answer.json();
    assert_eq!(told_then["expires_in"], 90);
    let uri = told_then["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:gwu1_"), "{uri}");
    let mut browser = house.signed_in("ann").await;
    let beside = encode(&[("scope", "write"), ("state", "other"), ("redirect_uri", "https://evil.example/")]);
    let mixed = format!("{}&{beside}", address(&app, &answer));
    let page = browser.get(&mixed).await.expect(200);
    assert!(!page.text().contains("scope:write") && page.text().contains("scope:profile"));
    let told = told(&decide(&mut browser, &page, "allow", &[]).await);
    assert_eq!(told["state"], "the state");
    let tokens = redeem(&house, &app, &told["code"]).await.expect(200).json();
    assert_eq!(tokens["scope"], "openid profile");
}

#[tokio::test]
async fn it_may_be_loaded_again_until_it_is_completed() {
    let house = house().await;
    let app = app(&house).await;
    let address = address(&app, &pushed(&house, &app, &[]).await.expect(201));
    let mut browser = house.browser();
    for _ in 0..3 {
        let led = browser.get(&address).await.expect(303);
        assert!(led.header("location").unwrap().starts_with("/login?return_to="), "{:?}", led.headers);
    }
    // The page of the sign-in knows who asks, and the person comes back long after nobody could begin any more.
    let location = browser.get(&address).await.header("location").unwrap().to_owned();
    let (_, back) =
        url::form_urlencoded::parse(location.split_once('?').unwrap().1.as_bytes()).next().unwrap();
    let page = browser.get(&location).await.expect(200);
    assert!(page.text().contains("app"));
    house.advance(Duration::from_secs(600));
    browser.log_in("ann", crate::house::PASSWORD).await.expect(200);
    let answer = agree(&mut browser, &back).await;
    let code = told(&answer)["code"].clone();
    redeem(&house, &app, &code).await.expect(200);
    assert_eq!(page_error(&browser.get(&back).await), "invalid_request");
    assert_eq!(page_error(&browser.get(&address).await), "invalid_request_uri");
}

#[tokio::test]
async fn saying_no_completes_it_too() {
    let house = house().await;
    let app = app(&house).await;
    let address = address(&app, &pushed(&house, &app, &[]).await.expect(201));
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&address).await.expect(200);
    assert_eq!(error(&house, &decide(&mut browser, &page, "deny", &[]).await), "access_denied");
    assert_eq!(page_error(&decide(&mut browser, &page, "allow", &[]).await), "invalid_request");
    assert_eq!(page_error(&browser.get(&address).await), "invalid_request_uri");
    // So does an error that no page was shown for.
    let silent = pushed(&house, &app, &[("prompt", "none")]).await.expect(201);
    let silent = with_uri(&app, silent.json()["request_uri"].as_str().unwrap());
    assert_eq!(error(&house, &house.browser().get(&silent).await), "login_required");
    assert_eq!(page_error(&house.browser().get(&silent).await), "invalid_request_uri");
}

#[tokio::test]
async fn of_fifty_who_complete_it_at_once_one_gets_a_code() {
    let house = house().await;
    let app = app(&house).await;
    let address = address(&app, &pushed(&house, &app, &[]).await.expect(201));
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&address).await.expect(200);
    let (csrf, flow) = (page.token("/oauth/consent"), hidden(&page, "flow"));
    let answers = at_once((0..50).map(|_| {
        let (mut browser, csrf, flow) = (browser.clone(), csrf.clone(), flow.clone());
        async move {
            let fields = [("csrf", csrf.as_str()), ("flow", flow.as_str()), ("decision", "allow")];
            browser.form("/oauth/consent", &fields).await
        }
    }))
    .await;
    assert_eq!((count(&answers, 303), count(&answers, 400)), (1, 49));
    let winner = answers.iter().find(|answer| answer.status == 303).unwrap();
    redeem(&house, &app, &told(winner)["code"]).await.expect(200);
}

#[tokio::test]
async fn only_its_client_comes_with_it_and_only_in_time() {
    let house = house().await;
    let app = app(&house).await;
    let other = client(&house, "other", json!({})).await;
    let answer = pushed(&house, &app, &[]).await.expect(201);
    let mut browser = house.signed_in("ann").await;
    let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    assert_eq!(page_error(&browser.get(&with_uri(&other, &uri)).await), "invalid_request_uri");
    let (last, rest) = (uri.chars().last().unwrap(), &uri[..uri.len() - 1]);
    let changed = format!("{rest}{}", if last == 'A' { 'B' } else { 'A' });
    for odd in [changed, format!("{uri}A"), rest.to_owned(), "urn:ietf:params:oauth:request_uri:".to_owned()]
    {
        assert_eq!(page_error(&browser.get(&with_uri(&app, &odd)).await), "invalid_request_uri", "{odd}");
    }
    house.advance(Duration::from_secs(90) - Duration::from_micros(1));
    browser.get(&address(&app, &answer)).await.expect(200);
    house.tick();
    assert_eq!(page_error(&browser.get(&address(&app, &answer)).await), "invalid_request_uri");
    house.tick();
    assert_eq!(page_error(&browser.get(&address(&app, &answer)).await), "invalid_request_uri");
}

#[tokio::test]
async fn a_request_is_checked_when_it_is_pushed() {
    let house = house().await;
    let app = app(&house).await;
    for (more, expected) in [
        (&[("redirect_uri", "https://evil.example/cb")][..], "invalid_request"),
        (&[("code_challenge", "")][..], "invalid_request"),
        (&[("code_challenge_method", "plain")][..], "invalid_request"),
        (&[("request_uri", "urn:ietf:params:oauth:request_uri:x")][..], "invalid_request"),
        (&[("request_uri", "https://app.example/request")][..], "invalid_request"),
        (&[("request", "e30.e30.")][..], "invalid_request_object"),
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "")][..], "invalid_request"),
        (&[("scope", "nonsense")][..], "invalid_scope"),
        (&[("resource", "https://unknown.example")][..], "invalid_target"),
        (&[("prompt", "none login")][..], "invalid_request"),
    ] {
        let answer = pushed(&house, &app, more).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, expected), "{more:?}");
    }
    // Nobody pushes for a client that they are not.
    let other = client(&house, "other", json!({})).await;
    let stolen = Known { secret: other.secret.clone(), ..app.clone() };
    let answer = pushed(&house, &stolen, &[]).await;
    assert_eq!((answer.status, refused(&answer).as_str()), (401, "invalid_client"));
    let answer = pushed(&house, &other, &[("client_id", "app")]).await;
    assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_request"));
    house.browser().get(PATH).await.expect(405);
}

#[tokio::test]
async fn who_has_registered_to_push_is_not_served_otherwise() {
    let house = house().await;
    let app = client(&house, "app", json!({ "require_pushed_authorization_requests": true })).await;
    let mut browser = house.signed_in("ann").await;
    assert_eq!(error(&house, &browser.get(&request(&app, &[])).await), "invalid_request");
    let address = address(&app, &pushed(&house, &app, &[]).await.expect(201));
    assert!(told(&agree(&mut browser, &address).await).contains_key("code"));
    let document = browser.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["pushed_authorization_request_endpoint"], format!("{}{PATH}", house.app.origin));
}

#[tokio::test]
async fn what_is_too_long_for_an_address_can_be_pushed() {
    let house = house().await;
    let app = client(&house, "app", json!({ "authorization_details_types": ["t"] })).await;
    let details = json!([{ "type": "t", "text": "x".repeat(4000) }]).to_string();
    let long = [("state", "s".repeat(1024)), ("nonce", "n".repeat(1024)), ("authorization_details", details)];
    let long: Vec<(&str, &str)> = long.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut browser = house.browser();
    assert_eq!(error(&house, &browser.get(&request(&app, &long)).await), "invalid_request");
    let address = address(&app, &pushed(&house, &app, &long).await.expect(201));
    let led = browser.get(&address).await.expect(303);
    assert!(led.header("location").unwrap().len() < 500);
    let mut browser = house.signed_in("ann").await;
    assert_eq!(told(&agree(&mut browser, &address).await)["state"].len(), 1024);
}

#[tokio::test]
async fn who_proves_nothing_pushes_only_so_much() {
    let house =
        House::with(&format!("[throttle]\nnetwork_burst = 3\nnetwork_every = '10s'\n{SETTINGS}")).await;
    let public = client(&house, "public", json!({ "token_endpoint_auth_method": "none" })).await;
    // Its name is how it shows itself, and stands there once.
    let once = [("client_id", "")];
    for _ in 0..3 {
        pushed(&house, &public, &once).await.expect(201);
    }
    let more = pushed(&house, &public, &once).await;
    assert_eq!((more.status, refused(&more).as_str()), (429, "temporarily_unavailable"));
    house.advance(Duration::from_secs(10));
    pushed(&house, &public, &once).await.expect(201);
    let app = app(&house).await;
    for _ in 0..5 {
        pushed(&house, &app, &[]).await.expect(201);
    }
}

/// A DPoP proof of this key for `path`.
fn proof(house: &House, key: &Jwk, path: &str, jti: &str) -> String {
    let members = Map::from_iter([("jwk".to_owned(), public_part(key))]);
    let signing = SigningKey::new(key, SignatureAlgorithm::Es256).unwrap();
    let claims = json!({
        "htm": "POST", "htu": format!("{}{path}", house.app.origin), "iat": house.now().seconds(), "jti": jti,
    });
    Signer::with_members(signing, "dpop+jwt", members).unwrap().sign_claims(&claims).unwrap()
}

async fn push_with_proof(house: &House, client: &Known, proof: &str, more: &[(&str, &str)]) -> Answer {
    let all = parameters(client, more);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    with_proof(house, client, PATH, proof, &pairs).await
}

async fn with_proof(
    house: &House,
    client: &Known,
    path: &str,
    proof: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let basic = header(&client.id, &client.secret);
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Authorization", basic.as_str()),
        ("DPoP", proof),
    ];
    Browser::new(house.address).send("POST", path, &headers, encode(fields).as_bytes()).await
}

#[tokio::test]
async fn a_proof_binds_the_code_from_the_beginning() {
    let house = house().await;
    let app = app(&house).await;
    let (own, other) = (key(SignatureAlgorithm::Es256), key(SignatureAlgorithm::Es256));
    let named = Thumbprint::of(&other).unwrap().to_string();
    let answer =
        push_with_proof(&house, &app, &proof(&house, &own, PATH, "1"), &[("dpop_jkt", &named)]).await;
    assert_eq!(refused(&answer), "invalid_dpop_proof");
    let elsewhere = proof(&house, &own, "/oauth/token", "2");
    assert_eq!(refused(&push_with_proof(&house, &app, &elsewhere, &[]).await), "invalid_dpop_proof");
    let first = proof(&house, &own, PATH, "3");
    let address = address(&app, &push_with_proof(&house, &app, &first, &[]).await.expect(201));
    let again = push_with_proof(&house, &app, &first, &[]).await;
    assert_eq!(refused(&again), "invalid_dpop_proof", "a proof counts once");
    let mut browser = house.signed_in("ann").await;
    let code = told(&agree(&mut browser, &address).await)["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(refused(&post(&house, &app, "/oauth/token", &fields).await), "invalid_grant");
    let by_other = proof(&house, &other, "/oauth/token", "4");
    assert_eq!(refused(&with_proof(&house, &app, "/oauth/token", &by_other, &fields).await), "invalid_grant");
    let by_own = proof(&house, &own, "/oauth/token", "5");
    let tokens: Value = with_proof(&house, &app, "/oauth/token", &by_own, &fields).await.expect(200).json();
    assert_eq!(tokens["token_type"], "DPoP");
}

#[tokio::test]
async fn a_request_is_as_long_as_it_may_be() {
    let house = house().await;
    let app = app(&house).await;
    let all = parameters(&app, &[]);
    let own: usize = all.iter().map(|(name, value)| name.len() + value.len()).sum();
    let room = 32 * 1024 - own - "junk".len();
    pushed(&house, &app, &[("junk", &"x".repeat(room))]).await.expect(201);
    let answer = pushed(&house, &app, &[("junk", &"x".repeat(room + 1))]).await.expect(400);
    assert_eq!(refused(&answer), "invalid_request");
}
