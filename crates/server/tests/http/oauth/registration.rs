//! Clients that register themselves (RFC 7591, RFC 7592).

use std::time::Duration;

use gateward::oauth::registration::invitation;
use gateward_kernel::id::PersonId;
use gateward_kernel::jose::SignatureAlgorithm;
use gateward_kernel::oauth::client::{AuthMethod, ConsentPolicy};
use gateward_kernel::oauth::{Client, Metadata, RedirectUri};
use gateward_kernel::record::Decision;
use gateward_kernel::token::{SimpleKey, SimpleToken};
use serde_json::{Value, json};

use super::{BACK, Known, SETTINGS, agree, error, key, key_set, post, redeem, refused, request, told};
use crate::house::{House, at_once, count};
use crate::machine::Machine;
use crate::site::Site;
use crate::wire::{Answer, Browser};

const PATH: &str = "/oauth/register";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The settings of all these tests, with these lines about OAuth.
pub(crate) fn settings(lines: &str) -> String {
    SETTINGS.replace("[oauth]\n", &format!("[oauth]\n{lines}\n"))
}

async fn open(more: &str) -> House {
    open_beside("", more).await
}

/// The same with these other settings.
async fn open_beside(others: &str, more: &str) -> House {
    let own = settings(&format!("registration = 'open'\nregistrations_per_hour = 1000\n{more}"));
    let house = House::with(&format!("{others}{own}")).await;
    house.person("ann").await;
    house
}

fn metadata(more: Value) -> Value {
    let mut all = json!({
        "redirect_uris": [BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "ES256",
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

async fn register(house: &House, more: Value) -> Answer {
    house.browser().json("POST", PATH, &metadata(more)).await
}

fn known(registered: &Value) -> Known {
    let method = registered["token_endpoint_auth_method"].as_str().unwrap().parse::<AuthMethod>().unwrap();
    let text = |name: &str| registered[name].as_str().unwrap_or_default().to_owned();
    Known { id: text("client_id"), secret: text("client_secret"), method }
}

/// A browser that shows this token, and the path where the registration is managed.
fn manager(house: &House, registered: &Value) -> (Browser, String) {
    let token = registered["registration_access_token"].as_str().unwrap();
    let uri = registered["registration_client_uri"].as_str().unwrap();
    let path = uri.strip_prefix(&house.app.origin).unwrap().to_owned();
    (house.browser().with("Authorization", &format!("Bearer {token}")), path)
}

#[tokio::test]
async fn who_has_registered_signs_people_in() {
    let house = open("").await;
    let more =
        json!({ "client_name": "Ännes <App>", "application_type": "web", "unheard_of": 1, "tos_uri": null });
    let answer = register(&house, more).await.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let registered = answer.json();
    assert_eq!(registered["client_name"], "Ännes <App>");
    assert_eq!(registered["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(registered["response_types"], json!(["code"]));
    assert_eq!(registered["client_secret_expires_at"], 0);
    assert_eq!(registered["client_id_issued_at"], house.now().seconds());
    assert!(registered.get("unheard_of").is_none() && registered.get("tos_uri").is_none());
    let client = known(&registered);
    assert!(client.secret.starts_with("gwc1_"));
    let mut browser = house.signed_in("ann").await;
    let page = browser.get(&request(&client, &[])).await.expect(200);
    assert!(
        page.text().contains("Ännes &lt;App&gt;") || page.text().contains("Ännes &#60;App&#62;"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("It has registered itself"), "{}", page.text());
    let code = told(&agree(&mut browser, &request(&client, &[])).await)["code"].clone();
    redeem(&house, &client, &code).await.expect(200);
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(error(&house, &browser.get(&request(&client, &without)).await), "invalid_request");
    let document = browser.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["registration_endpoint"], format!("{}{PATH}", house.app.origin));
    // One without a secret gets none.
    let public = register(&house, json!({ "token_endpoint_auth_method": "none" })).await.expect(201).json();
    assert!(public.get("client_secret").is_none() && public.get("client_secret_expires_at").is_none());
}

#[tokio::test]
async fn nobody_registers_where_the_settings_do_not_say_so() {
    let house = super::house().await;
    let answer = register(&house, json!({})).await;
    assert_eq!((answer.status, refused(&answer).as_str()), (400, "access_denied"));
    let document = house.browser().get("/.well-known/openid-configuration").await.json();
    assert!(document.get("registration_endpoint").is_none());
    // Nor by an invitation.
    let token = invitation::issue(&house.app, DAY, house.now());
    let mut browser = house.browser().with("Authorization", &format!("Bearer {token}"));
    browser.json("POST", PATH, &metadata(json!({}))).await.expect(400);
}

#[tokio::test]
async fn an_invitation_counts_in_its_time_and_for_this_alone() {
    let house = House::with(&settings("registration = 'token'")).await;
    let by = async |token: &str| {
        let mut browser = house.browser().with("Authorization", &format!("Bearer {token}"));
        browser.json("POST", PATH, &metadata(json!({}))).await
    };
    let answer = register(&house, json!({})).await;
    assert_eq!((answer.status, refused(&answer).as_str()), (401, "invalid_token"));
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer "));
    let token = invitation::issue(&house.app, DAY, house.now());
    for _ in 0..2 {
        by(&token).await.expect(201);
    }
    let simple = SimpleToken { person: PersonId::from_bytes([0; 16]), ends: house.now() + DAY };
    let other = SimpleKey::new(&house.app.root, "other").sign(simple, b"");
    let changed = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    for odd in ["", "garbage", &other, &changed, &format!("{token}A")] {
        by(odd).await.expect(401);
    }
    house.advance(DAY - Duration::from_micros(1));
    by(&token).await.expect(201);
    house.tick();
    by(&token).await.expect(401);
}

#[tokio::test]
async fn an_administrator_invites_by_a_command() {
    let mut machine = Machine::new();
    machine.add(&["root", "--admin"]).await;
    let output = machine.run(&["client", "invite"]).await;
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("oauth.registration")
    );
    machine.set("GATEWARD_OAUTH__REGISTRATION", "token");
    let printed = machine.json(&["client", "invite", "--lifetime", "2h"]).await;
    assert!(printed["initial_access_token"].as_str().unwrap().starts_with("gwt1_"), "{printed}");
    assert!(!machine.run(&["client", "invite", "--lifetime", "0s"]).await.status.success());
}

#[tokio::test]
async fn what_cannot_work_or_harms_is_refused_by_its_name() {
    let house = open("").await;
    for (more, code, word) in [
        (json!({ "redirect_uris": ["https://app.example/cb#x"] }), "invalid_redirect_uri", "fragment"),
        (json!({ "redirect_uris": ["http://app.example/cb"] }), "invalid_redirect_uri", "http"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri", "redirect_uris"),
        (json!({ "redirect_uris": ["https://x;frame-ancestors/cb"] }), "invalid_redirect_uri", "host"),
        (json!({ "redirect_uris": ["http.evil.app:/cb"] }), "invalid_redirect_uri", "native"),
        (json!({ "redirect_uris": "https://app.example/cb" }), "invalid_redirect_uri", "list"),
        (json!({ "redirect_uris": [7] }), "invalid_redirect_uri", "text"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri", "missing"),
        (json!({ "grant_types": ["password"] }), "invalid_client_metadata", "grant_types"),
        (
            json!({ "grant_types": ["client_credentials"], "response_types": [] }),
            "invalid_client_metadata",
            "client_credentials",
        ),
        (json!({ "response_types": ["code", "id_token"] }), "invalid_client_metadata", "implicit"),
        (
            json!({ "id_token_signed_response_alg": "none" }),
            "invalid_client_metadata",
            "id_token_signed_response_alg",
        ),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "invalid_client_metadata", "jwks"),
        (json!({ "client_name": "a\u{202e}b" }), "invalid_client_metadata", "client_name"),
        (json!({ "client_name": 7 }), "invalid_client_metadata", "client_name"),
        (json!({ "contacts": "ann" }), "invalid_client_metadata", "contacts"),
        (json!({ "jwks_uri": "https://127.0.0.1/keys" }), "invalid_client_metadata", "jwks_uri"),
        (json!({ "jwks_uri": "http://app.example/keys" }), "invalid_client_metadata", "jwks_uri"),
        (
            json!({ "backchannel_logout_uri": "https://169.254.169.254/x" }),
            "invalid_client_metadata",
            "backchannel_logout_uri",
        ),
        (
            json!({ "frontchannel_logout_uri": "https://other.example/out" }),
            "invalid_client_metadata",
            "frontchannel_logout_uri",
        ),
        (json!({ "id_token_encrypted_response_alg": "RSA-OAEP-256" }), "invalid_client_metadata", "jwks"),
        (
            json!({ "request_object_encryption_alg": "RSA-OAEP-256" }),
            "invalid_client_metadata",
            "request_object_encryption",
        ),
        (json!({ "request_uris": ["https://localhost/r"] }), "invalid_client_metadata", "request_uris"),
        (
            json!({ "sector_identifier_uri": "https://[::1]/s" }),
            "invalid_client_metadata",
            "sector_identifier_uri",
        ),
        (
            json!({ "initiate_login_uri": "http://app.example/login" }),
            "invalid_client_metadata",
            "initiate_login_uri",
        ),
    ] {
        let answer = register(&house, more.clone()).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, code), "{more}: {}", answer.text());
        assert!(
            answer.json()["error_description"].as_str().unwrap().contains(word),
            "{more}: {}",
            answer.text()
        );
    }
    for body in ["", "[]", "null", "{", "\"x\""] {
        let headers = [("Content-Type", "application/json")];
        let answer = house.browser().send("POST", PATH, &headers, body.as_bytes()).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_client_metadata"), "{body}");
    }
    let answer = house.browser().form(PATH, &[("redirect_uris", BACK)]).await;
    assert_eq!((answer.status, refused(&answer).as_str()), (400, "invalid_client_metadata"));
}

/// Also where it was kept before such hosts were refused.
#[tokio::test]
async fn no_address_of_a_client_adds_to_the_policy_of_our_pages() {
    let house = open("").await;
    let client = known(&register(&house, json!({})).await.expect(201).json());
    let odd = "https://x;frame-ancestors/cb";
    let change = |client: &Client| {
        let redirect_uris = vec![RedirectUri::read(odd).unwrap()];
        let metadata = Metadata { redirect_uris, ..client.metadata.clone() };
        Decision::Write(Client { metadata, ..client.clone() }, ())
    };
    house.app.oauth.clients.change(&client.id, house.now(), change).await.unwrap().unwrap();
    let mut browser = house.signed_in("ann").await;
    let own = browser.get("/account").await.expect(200);
    let page = browser.get(&request(&client, &[("redirect_uri", odd)])).await.expect(200);
    assert_eq!(page.header("content-security-policy"), own.header("content-security-policy"));
}

#[tokio::test]
async fn nobody_gives_themselves_what_administrators_give() {
    let house = open("").await;
    let more = json!({
        "gateward_consent": "skip", "gateward_introspects": true, "gateward_pkce_optional": true,
        "gateward_refresh_token_stays": true, "gateward_access_token_format": "jwt",
        "client_id": "chosen", "client_secret": "chosen",
    });
    let registered = register(&house, more).await.expect(201).json();
    let client = known(&registered);
    assert!(client.id != "chosen" && client.secret != "chosen");
    let kept = house.app.oauth.clients.find(&client.id, house.now()).await.unwrap().unwrap();
    let metadata = &kept.record.metadata;
    assert_eq!(metadata.gateward_consent, ConsentPolicy::Ask);
    assert!(
        !metadata.gateward_introspects
            && !metadata.gateward_pkce_optional
            && !metadata.gateward_refresh_token_stays
    );
    assert_eq!(metadata.gateward_access_token_format, None);
    assert!(!registered.to_string().contains("gateward_"), "{registered}");
    let mut browser = house.signed_in("ann").await;
    browser.get(&request(&client, &[])).await.expect(200);
}

#[tokio::test]
async fn old_flows_are_registered_where_the_settings_have_them() {
    let house = open("legacy_flows = true\nregistration_without_pkce = true").await;
    let more = json!({ "response_types": ["id_token"], "grant_types": ["implicit"] });
    let client = known(&register(&house, more).await.expect(201).json());
    let mut browser = house.signed_in("ann").await;
    let path = request(
        &client,
        &[("response_type", "id_token"), ("code_challenge", ""), ("code_challenge_method", "")],
    );
    assert!(told(&agree(&mut browser, &path).await).contains_key("id_token"));
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let by_key = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key_set(&key(SignatureAlgorithm::Es256)) });
    for proves in [json!({}), by_key] {
        let client = known(&register(&house, proves).await.expect(201).json());
        assert!(told(&agree(&mut browser, &request(&client, &without)).await).contains_key("code"));
    }
    let public = json!({ "token_endpoint_auth_method": "none" });
    let client = known(&register(&house, public).await.expect(201).json());
    assert_eq!(error(&house, &browser.get(&request(&client, &without)).await), "invalid_request");
}

#[tokio::test]
async fn a_client_manages_its_own_registration_and_no_other() {
    let house = open("").await;
    let one = register(&house, json!({ "client_name": "One" })).await.expect(201).json();
    let two = register(&house, json!({ "client_name": "Two" })).await.expect(201).json();
    let (mut own, path) = manager(&house, &one);
    let (mut other, other_path) = manager(&house, &two);
    let shown = own.get(&path).await.expect(200).json();
    assert_eq!(
        (&shown["client_name"], &shown["registration_access_token"]),
        (&json!("One"), &one["registration_access_token"])
    );
    assert!(shown.get("client_secret").is_none(), "a secret is told once");
    let missing = format!("{PATH}/AAAAAAAAAAAAAAAAAAAAAA");
    for answer in [
        other.get(&path).await,
        own.get(&other_path).await,
        own.get(&missing).await,
        house.browser().get(&path).await,
        other.delete(&path).await,
        other.json("PUT", &path, &metadata(json!({ "client_id": one["client_id"] }))).await,
    ] {
        assert_eq!((answer.status, refused(&answer).as_str()), (401, "invalid_token"));
    }
    let change = |more: Value| {
        let mut all = metadata(json!({ "client_id": one["client_id"] }));
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    for bad in [
        json!({ "client_id": two["client_id"] }),
        json!({ "client_id": null }),
        json!({ "client_secret": "chosen" }),
        json!({ "registration_access_token": one["registration_access_token"] }),
        json!({ "client_secret_expires_at": 0 }),
        json!({ "redirect_uris": ["http://evil.example/"] }),
        json!({ "grant_types": ["client_credentials"], "response_types": [] }),
    ] {
        own.json("PUT", &path, &change(bad.clone())).await.expect(400);
    }
    let next = json!({ "redirect_uris": ["https://new.example/cb"], "client_secret": one["client_secret"] });
    let changed = own.json("PUT", &path, &change(next)).await.expect(200).json();
    assert_eq!(changed["redirect_uris"], json!(["https://new.example/cb"]));
    assert!(changed.get("client_name").is_none(), "what is left out is no longer so");
    let client = known(&one);
    let mut browser = house.signed_in("ann").await;
    browser.get(&request(&client, &[])).await.expect(400);
    // A secret is made for whoever needs one that can be known, and is told then.
    let changed = own
        .json("PUT", &path, &change(json!({ "id_token_signed_response_alg": "HS256" })))
        .await
        .expect(200)
        .json();
    assert!(changed["client_secret"].as_str().is_some_and(|secret| secret != client.secret));
}

#[tokio::test]
async fn who_is_removed_has_nothing_any_more() {
    let house = open("").await;
    let registered = register(&house, json!({})).await.expect(201).json();
    let client = known(&registered);
    let mut browser = house.signed_in("ann").await;
    let code = told(&agree(&mut browser, &request(&client, &[])).await)["code"].clone();
    let tokens = redeem(&house, &client, &code).await.expect(200).json();
    let mut bearer = house
        .browser()
        .with("Authorization", &format!("Bearer {}", tokens["access_token"].as_str().unwrap()));
    bearer.get("/oauth/userinfo").await.expect(200);
    house.tick();
    let (mut own, path) = manager(&house, &registered);
    assert!(own.delete(&path).await.expect(204).body.is_empty());
    let given = house.app.oauth.consents.of(house.stored("ann").await.id, house.now()).await.unwrap();
    assert!(given.of(&client.id).is_none(), "nor does anybody read that it has access");
    own.get(&path).await.expect(401);
    own.delete(&path).await.expect(401);
    bearer.get("/oauth/userinfo").await.expect(401);
    browser.get(&request(&client, &[])).await.expect(400);
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap_or("x"))];
    assert_eq!(refused(&post(&house, &client, "/oauth/token", &refresh).await), "invalid_client");
}

#[tokio::test]
async fn never_more_register_than_may() {
    let house = open("registrations = 5").await;
    let answers = at_once((0..20).map(|_| {
        let mut browser = house.browser();
        async move { browser.json("POST", PATH, &metadata(json!({}))).await }
    }))
    .await;
    assert_eq!((count(&answers, 201), count(&answers, 503)), (5, 15));
    let registered = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    let (mut own, path) = manager(&house, &registered);
    own.delete(&path).await.expect(204);
    register(&house, json!({})).await.expect(201);
    let full = register(&house, json!({})).await;
    assert_eq!((full.status, refused(&full).as_str()), (503, "temporarily_unavailable"));
    house.advance(30 * DAY);
    register(&house, json!({})).await.expect(201);
}

#[tokio::test]
async fn a_network_registers_so_many_in_an_hour() {
    let house = House::with(&settings("registration = 'open'\nregistrations_per_hour = 3")).await;
    for _ in 0..3 {
        register(&house, json!({})).await.expect(201);
    }
    let fourth = register(&house, json!({})).await;
    assert_eq!((fourth.status, refused(&fourth).as_str()), (429, "temporarily_unavailable"));
    assert_eq!(fourth.header("retry-after"), Some("1200"));
    let mut elsewhere = house.browser();
    elsewhere.from = Some("127.0.0.2".parse().unwrap());
    elsewhere.json("POST", PATH, &metadata(json!({}))).await.expect(201);
    house.advance(Duration::from_secs(1200));
    register(&house, json!({})).await.expect(201);
    register(&house, json!({})).await.expect(429);
}

#[tokio::test]
async fn who_is_not_used_is_forgotten_and_who_is_used_is_not() {
    let house = open("").await;
    let [unused, used] =
        [register(&house, json!({})).await, register(&house, json!({})).await].map(|one| known(&one.json()));
    let lives =
        async |client: &Known| house.app.oauth.clients.find(&client.id, house.now()).await.unwrap().is_some();
    house.advance(29 * DAY);
    post(&house, &used, "/oauth/revoke", &[("token", "x")]).await.expect(200);
    house.advance(DAY - Duration::from_micros(1));
    assert!(lives(&unused).await && lives(&used).await);
    house.tick();
    assert!(!lives(&unused).await && lives(&used).await);
    house.advance(29 * DAY - Duration::from_micros(1));
    assert!(lives(&used).await);
    house.tick();
    assert!(!lives(&used).await);
}

#[tokio::test]
async fn a_sector_lists_who_belongs_to_it() {
    let site = Site::open().await;
    let house = open_beside(&site.settings(), "").await;
    let sector = site.url("/sector.json");
    let more = json!({ "subject_type": "pairwise", "sector_identifier_uri": sector, "redirect_uris": [BACK, "https://b.example/cb"] });
    for (body, status) in [
        (json!([BACK, "https://b.example/cb", "https://c.example/cb"]).to_string(), 201),
        (json!([BACK]).to_string(), 400),
        (json!([BACK, "https://b.example/cb/"]).to_string(), 400),
        (json!({ "redirect_uris": [BACK] }).to_string(), 400),
        ("garbage".to_owned(), 400),
    ] {
        site.says("/sector.json", "application/json", body.clone());
        let answer = register(&house, more.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let missing = json!({ "sector_identifier_uri": site.url("/missing") });
    assert_eq!(refused(&register(&house, missing).await), "invalid_client_metadata");
    let several = json!({ "subject_type": "pairwise", "redirect_uris": [BACK, "https://b.example/cb"] });
    assert_eq!(refused(&register(&house, several).await), "invalid_client_metadata");
}

#[tokio::test]
async fn registering_asks_nobody_for_keys() {
    let site = Site::open().await;
    let house = open_beside(&site.settings(), "").await;
    let key = key(SignatureAlgorithm::Es256);
    site.says("/keys", "application/json", key_set(&key).to_string());
    let more = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": site.url("/keys"),
        "request_uris": [site.url("/r")], "logo_uri": site.url("/logo"),
    });
    register(&house, more).await.expect(201);
    assert_eq!(site.count(), 0);
}

/// Their secret proves nothing: everybody gets one.
#[tokio::test]
async fn who_let_themselves_in_fill_no_store() {
    let house = open("").await;
    let grants =
        json!({ "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"] });
    let app = known(&register(&house, grants).await.expect(201).json());
    let challenge = super::challenge();
    let push = [
        ("client_id", app.id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (path, fields) in [("/oauth/par", &push[..]), ("/oauth/device", &[("scope", "openid")])] {
        let mut good = 0;
        let last = loop {
            let answer = post(&house, &app, path, fields).await;
            match answer.status {
                200 | 201 if good < 1000 => good += 1,
                _ => break answer,
            }
        };
        assert_eq!(
            (last.status, refused(&last).as_str()),
            (429, "temporarily_unavailable"),
            "{path}: {good}"
        );
        assert!(good > 0 && last.header("retry-after").is_some(), "{path}");
    }
}

#[tokio::test]
async fn addresses_are_kept_as_they_were_registered() {
    let house = open("").await;
    let more = json!({
        "initiate_login_uri": "https://app.example/begin", "backchannel_logout_uri": "https://app.example/out",
    });
    let registered = register(&house, more.clone()).await.expect(201).json();
    let (mut own, path) = manager(&house, &registered);
    let read = own.get(&path).await.expect(200).json();
    for (name, address) in more.as_object().unwrap() {
        assert_eq!((&registered[name], &read[name]), (address, address), "{name}");
    }
}

/// The other half of `registering_asks_nobody_for_keys`: they are fetched when the client comes with an assertion.
#[tokio::test]
async fn keys_are_fetched_from_where_the_client_has_registered_them() {
    let site = Site::open().await;
    let house = open_beside(&site.settings(), "").await;
    let (own, other) = (key(SignatureAlgorithm::Es256), key(SignatureAlgorithm::Es256));
    site.says("/keys", "application/json", key_set(&own).to_string());
    let more = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": site.url("/keys") });
    let app = known(&register(&house, more).await.expect(201).json());
    let code = super::code(&house, &app, &[]).await;
    for (key, status) in [(&other, 401), (&own, 200)] {
        let now = house.now().seconds();
        let claims = json!({
            "iss": app.id, "sub": app.id, "aud": house.app.origin, "iat": now, "exp": now + 60, "jti": "j",
        });
        let assertion = super::signed(key, SignatureAlgorithm::Es256, "JWT", &claims);
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let proof = [("client_assertion_type", kind), ("client_assertion", assertion.as_str())];
        let fields = [&super::redemption(&code)[..], &proof].concat();
        house.browser().form("/oauth/token", &fields).await.expect(status);
    }
    assert!(site.count() > 0);
}
