//! JWT bearer assertions (RFC 7523 §2.1): whose word counts, about whom, for whom, and once.

use std::sync::Arc;
use std::time::Duration;

use gateward_guard::ambient::HeldClock;
use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::person::Email;
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::Moment;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::grants::{introspect, text, token};
use super::{Known, client, post, refused, service, tokens, userinfo, verified};
use crate::house::{House, at_once, count};
use crate::wire::Answer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ISSUER: &str = "https://jobs.example";
const API: &str = "https://api.example";

/// A house that takes the word of [`ISSUER`], and the client that comes with it.
struct Scene {
    house: Arc<House>,
    runner: Known,
    key: Jwk,
}

fn key(seed: u64) -> Jwk {
    Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(seed)).unwrap().with_kid("k1")
}

fn signed(key: &Jwk, typ: &'static str, claims: &Value) -> String {
    Signer::new(SigningKey::new(key, SignatureAlgorithm::Es256).unwrap(), typ).sign_claims(claims).unwrap()
}

/// With these settings of the issuer besides.
async fn scene(more: &str) -> Scene {
    let (data, key) = (Arc::new(TempDir::new().unwrap()), key(7001));
    let file = data.path().join("jobs.json");
    let public: Value = serde_json::from_str(&key.to_json().unwrap()).unwrap();
    std::fs::write(&file, json!({ "keys": [public] }).to_string()).unwrap();
    let settings = format!(
        "{}\n[[trusted_issuer]]\nissuer = '{ISSUER}'\njwks_file = '{}'\nclients = ['runner']\n{more}\n",
        super::SETTINGS,
        file.display()
    );
    let clock = Arc::new(HeldClock::at(Moment::from_micros(1_800_000_000_000_000)));
    let house = Arc::new(House::on(data, clock, &settings).await);
    house.person("ann").await;
    house.tick();
    let metadata = json!({ "grant_types": [GRANT], "gateward_introspects": true });
    let runner = service(&house, "runner", metadata).await;
    Scene { house, runner, key }
}

impl Scene {
    /// What a good assertion says, with these claims replaced; `null` takes one away.
    fn claims(&self, more: Value) -> Value {
        let now = self.house.now().seconds();
        let mut all = json!({
            "iss": ISSUER, "sub": "ann", "aud": self.house.app.origin, "jti": "1", "iat": now, "exp": now + 60,
        });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
                value => drop(all.as_object_mut().unwrap().insert(name.clone(), value.clone())),
            }
        }
        all
    }

    fn assertion(&self, more: Value) -> String {
        signed(&self.key, "JWT", &self.claims(more))
    }

    async fn come(&self, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let all: Vec<_> = [("assertion", assertion)].into_iter().chain(more.iter().copied()).collect();
        token(&self.house, &self.runner, GRANT, &all).await
    }
}

#[tokio::test]
async fn the_word_of_somebody_trusted_becomes_an_access_token_and_nothing_that_lasts() {
    let scene = scene("scopes = ['openid', 'read', 'profile']").await;
    let (house, ann) = (&scene.house, scene.house.stored("ann").await.id.to_string());
    let answer =
        scene.come(&scene.assertion(json!({})), &[("scope", "read"), ("resource", API)]).await.expect(200);
    assert!(answer.json().get("refresh_token").is_none() && answer.json().get("id_token").is_none());
    let access = text(&answer, "access_token");
    let claims = verified(house, &access).await.1;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(ann), &json!("runner")));
    assert_eq!((&claims["scope"], &claims["aud"]), (&json!("read"), &json!(API)));
    // Nobody has signed in.
    assert!(claims.get("auth_time").is_none() && claims.get("sid").is_none());
    assert_eq!(introspect(house, &scene.runner, &access).await["sub"], ann);
    // To the token endpoint, and for all that the issuer is trusted with.
    let endpoint = format!("{}/oauth/token", house.app.origin);
    let answer =
        scene.come(&scene.assertion(json!({ "jti": "2", "aud": [endpoint] })), &[]).await.expect(200);
    assert_eq!(text(&answer, "scope"), "openid profile read");
    assert_eq!(userinfo(house, &text(&answer, "access_token")).await.expect(200).json()["sub"], json!(ann));
    house.advance(Duration::from_secs(300));
    assert_eq!(introspect(house, &scene.runner, &access).await, json!({ "active": false }));
}

#[tokio::test]
async fn it_counts_once() {
    let scene = scene("scopes = ['read']").await;
    let assertion = scene.assertion(json!({}));
    // What is refused for another reason does not spend it.
    assert_eq!(refused(&scene.come(&assertion, &[("scope", "write")]).await), "invalid_scope");
    assert_eq!(
        refused(&scene.come(&assertion, &[("resource", "https://elsewhere.example")]).await),
        "invalid_target"
    );
    let answers = at_once((0..20).map(|_| {
        let (house, runner, assertion) = (scene.house.clone(), scene.runner.clone(), assertion.clone());
        async move { token(&house, &runner, GRANT, &[("assertion", &assertion)]).await }
    }))
    .await;
    assert_eq!(count(&answers, 200), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused(answer), "invalid_grant");
    }
    // The same name in another assertion is the same name.
    assert_eq!(
        refused(&scene.come(&scene.assertion(json!({ "exp": scene.house.now().seconds() + 50 })), &[]).await),
        "invalid_grant"
    );
    scene.come(&scene.assertion(json!({ "jti": "2" })), &[]).await.expect(200);
}

#[tokio::test]
async fn whose_word_it_is_and_for_whom() {
    let scene = scene("scopes = ['read']").await;
    let now = scene.house.now().seconds();
    for more in [
        json!({ "iss": "https://other.example" }),
        json!({ "iss": scene.house.app.origin }),
        json!({ "iss": "runner" }),
        json!({ "iss": null }),
        json!({ "aud": "https://other.example" }),
        json!({ "aud": format!("{}/", scene.house.app.origin) }),
        json!({ "aud": null }),
        json!({ "jti": null }),
        json!({ "sub": null }),
        json!({ "exp": null }),
        json!({ "exp": now - 31 }),
        json!({ "exp": now + 631 }),
        json!({ "nbf": now + 31 }),
        json!({ "sub": "nobody" }),
        json!({ "sub": "ann@example.com" }),
        json!({ "sub": "" }),
    ] {
        assert_eq!(
            refused(&scene.come(&scene.assertion(more.clone()), &[]).await),
            "invalid_grant",
            "{more}"
        );
    }
    let stranger = signed(&key(7002), "JWT", &scene.claims(json!({})));
    let other_type = signed(&scene.key, "client-authentication+jwt", &scene.claims(json!({})));
    let access_type = signed(&scene.key, "at+jwt", &scene.claims(json!({})));
    let secret = Jwk::from_secret(&[7; 32]).unwrap();
    let hmac = SigningKey::new(&secret, SignatureAlgorithm::Hs256).unwrap();
    let hmac = Signer::new(hmac, "JWT").sign_claims(&scene.claims(json!({}))).unwrap();
    let whole = scene.assertion(json!({}));
    let (body, _) = whole.rsplit_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", body.split_once('.').unwrap().1);
    for odd in [stranger.as_str(), &other_type, &access_type, &hmac, &none, &format!("{body}."), "a.b.c", "x"]
    {
        assert_eq!(refused(&scene.come(odd, &[]).await), "invalid_grant", "{odd}");
    }
    assert_eq!(refused(&scene.come("", &[]).await), "invalid_request");
    // Another client, though it may use the grant.
    let other = service(&scene.house, "other", json!({ "grant_types": [GRANT] })).await;
    assert_eq!(refused(&token(&scene.house, &other, GRANT, &[("assertion", &whole)]).await), "invalid_grant");
    // At the edges of the clock.
    scene.come(&scene.assertion(json!({ "jti": "early", "exp": now - 29 })), &[]).await.expect(200);
    scene.come(&scene.assertion(json!({ "jti": "long", "exp": now + 630 })), &[]).await.expect(200);
    scene.come(&whole, &[]).await.expect(200);
}

#[tokio::test]
async fn whatever_ends_the_person_or_the_client_ends_it() {
    for end in 0..4 {
        let scene = scene("scopes = ['read']").await;
        let (house, runner) = (&scene.house, &scene.runner);
        let answer = scene.come(&scene.assertion(json!({})), &[]).await.expect(200);
        let access = text(&answer, "access_token");
        assert_eq!(introspect(house, runner, &access).await["active"], true);
        house.tick();
        let now = house.now();
        match end {
            0 => house.change("ann", |person| person.disabled = true).await,
            1 => house.change("ann", |person| person.end_everything(now)).await,
            2 => house.app.oauth.clients.cut("runner", now).await.unwrap(),
            _ => drop(post(house, runner, "/oauth/revoke", &[("token", &access)]).await.expect(200)),
        }
        assert_eq!(introspect(house, runner, &access).await, json!({ "active": false }), "{end}");
        if end == 0 {
            let again = scene.come(&scene.assertion(json!({ "jti": "2" })), &[]).await;
            assert_eq!(refused(&again), "invalid_grant");
        }
    }
}

#[tokio::test]
async fn people_are_found_as_the_settings_say() {
    let by_email = scene("scopes = ['read']\nperson_by = 'email'\nclaim = 'mail'").await;
    let house = &by_email.house;
    house.change("ann", |person| person.set_email(Some(Email::parse("ann@example.com").unwrap()))).await;
    let assertion =
        |jti: &str, mail: Value| by_email.assertion(json!({ "jti": jti, "sub": "x", "mail": mail }));
    // Whoever has an address that nobody verified may have any.
    let refused_now = by_email.come(&assertion("1", json!("ann@example.com")), &[]).await;
    assert_eq!(refused(&refused_now), "invalid_grant");
    house.change("ann", |person| person.verify_email(true)).await;
    by_email.come(&assertion("2", json!("ann@example.com")), &[]).await.expect(200);
    for odd in [json!("ann"), json!(7), json!(["ann@example.com"]), json!(null), json!("bob@example.com")] {
        assert_eq!(
            refused(&by_email.come(&assertion("3", odd.clone()), &[]).await),
            "invalid_grant",
            "{odd}"
        );
    }
    let by_id = scene("scopes = ['read']\nperson_by = 'id'").await;
    let ann = by_id.house.stored("ann").await.id.to_string();
    by_id.come(&by_id.assertion(json!({ "sub": ann })), &[]).await.expect(200);
    assert_eq!(refused(&by_id.come(&by_id.assertion(json!({ "jti": "2" })), &[]).await), "invalid_grant");
}

#[tokio::test]
async fn what_is_signed_here_is_nobodys_word() {
    let scene = scene("scopes = ['read']").await;
    let house = &scene.house;
    let app = client(house, "app", json!({})).await;
    let all = tokens(house, &app, &[]).await;
    let own = scene.come(&scene.assertion(json!({})), &[]).await.expect(200);
    for odd in [
        all["access_token"].as_str().unwrap(),
        all["id_token"].as_str().unwrap(),
        &text(&own, "access_token"),
    ] {
        assert_eq!(refused(&scene.come(odd, &[]).await), "invalid_grant");
    }
    // And an assertion is no token of ours.
    let assertion = scene.assertion(json!({ "jti": "2" }));
    assert_eq!(userinfo(house, &assertion).await.status, 401);
    assert_eq!(introspect(house, &scene.runner, &assertion).await, json!({ "active": false }));
    // Nor does it prove a client.
    let fields = [
        ("grant_type", GRANT),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
        ("assertion", &assertion),
    ];
    let answer = house.browser().form("/oauth/token", &fields).await;
    assert_eq!(refused(&answer), "invalid_client");
}
