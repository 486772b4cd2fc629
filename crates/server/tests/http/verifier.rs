//! The library's verifier before the running program: what it accepts, and how soon it hears.

use std::time::Duration;

use gateward_guard::verify::{Denied, Stale, StatusPolicy, Verifier};
use gateward_kernel::jose::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, within_a_second};

const SETTINGS: &str = "
[[resource]]
audience = \"https://api.example.com\"
scopes = [\"read\", \"write\"]
";

fn verifier(house: &House, policy: StatusPolicy) -> Verifier {
    Verifier::for_issuer(house.app.origin.as_str())
        .audience("https://api.example.com")
        .clock(house.clock.clone())
        .status(policy)
        .build()
        .unwrap()
}

async fn issued(house: &House) -> Value {
    let body = json!({
        "username": "ann", "password": PASSWORD, "transport": "token", "audience": "https://api.example.com"
    });
    house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json()
}

fn token(issued: &Value) -> &str {
    issued["access_token"].as_str().unwrap()
}

async fn end(house: &House, issued: &Value) {
    let body = json!({ "refresh_token": issued["refresh_token"] });
    house.browser().json("POST", "/api/v1/logout", &body).await.expect(204);
}

#[tokio::test]
async fn a_listening_verifier_refuses_what_was_revoked_within_a_second() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let verifiers: Vec<Verifier> =
        (0..3).map(|_| verifier(&house, StatusPolicy::Push(Stale::Deny))).collect();
    let (ended, kept) = (issued(&house).await, issued(&house).await);
    for verifier in &verifiers {
        let claims = verifier.verify(token(&ended)).await.unwrap();
        assert_eq!(claims.subject(), ended["user"]["id"].as_str().unwrap());
        claims.require_scope("read write").unwrap();
        assert!(claims.require_scope("admin").is_err());
        verifier.verify(token(&kept)).await.unwrap();
    }
    end(&house, &ended).await;
    for verifier in &verifiers {
        within_a_second("a revoked token still counts", async || {
            matches!(verifier.verify(token(&ended)).await, Err(Denied::Revoked))
        })
        .await;
        verifier.verify(token(&kept)).await.unwrap();
    }
    // A cut reaches what was never seen before, too.
    let unseen = issued(&house).await;
    house.tick();
    let person = house.stored("ann").await.id;
    house.app.sessions.end_all(person, house.now()).await.unwrap();
    for verifier in &verifiers {
        within_a_second("a token from before the cut still counts", async || {
            matches!(verifier.verify(token(&unseen)).await, Err(Denied::Revoked))
        })
        .await;
    }
    house.tick();
    let after = issued(&house).await;
    for verifier in &verifiers {
        verifier.verify(token(&after)).await.unwrap();
    }
}

#[tokio::test]
async fn a_polling_verifier_refuses_once_its_list_is_old() {
    let house = House::with(&format!("{SETTINGS}\n[tokens]\nstatus_ttl = \"10s\"")).await;
    house.person("ann").await;
    let verifier = verifier(&house, StatusPolicy::Poll(Stale::Deny));
    let ended = issued(&house).await;
    verifier.verify(token(&ended)).await.unwrap();
    end(&house, &ended).await;
    house.advance(Duration::from_secs(7));
    verifier.verify(token(&ended)).await.unwrap();
    house.advance(Duration::from_secs(3));
    house.tick();
    let refused = verifier.verify(token(&ended)).await;
    assert!(matches!(refused, Err(Denied::Revoked)), "{refused:?}");
}

#[tokio::test]
async fn a_new_key_is_found_without_asking_anybody_to_restart() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let verifier = verifier(&house, StatusPolicy::Ignore);
    let before = issued(&house).await;
    verifier.verify(token(&before)).await.unwrap();
    house.advance(Duration::from_secs(61));
    let ring = house.app.tokens.mint.ring();
    let now = house.now();
    let actor = gateward_kernel::event::Actor::CommandLine;
    let added =
        ring.rotate(SignatureAlgorithm::Es256, gateward::tokens::ring::Takeover::AtOnce, actor, now).await;
    added.unwrap();
    let after = issued(&house).await;
    assert_ne!(token(&before).split('.').next(), token(&after).split('.').next(), "another key signs");
    verifier.verify(token(&after)).await.unwrap();
    verifier.verify(token(&before)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_meant_for_it_is_refused() {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    let verifier = verifier(&house, StatusPolicy::Push(Stale::Deny));
    let own = {
        let body = json!({"username": "ann", "password": PASSWORD, "transport": "token"});
        house.browser().json("POST", "/api/v1/login", &body).await.expect(200).json()
    };
    let command = {
        let body = json!({"audience": "https://api.example.com", "command": "open"});
        let mut ann = house.signed_in("ann").await;
        ann.json("POST", "/api/v1/commands", &body).await.expect(200).json()
    };
    let good = issued(&house).await;
    for wrong in [
        token(&own),
        good["refresh_token"].as_str().unwrap(),
        command["command"].as_str().unwrap(),
        "",
        &token(&good).to_uppercase(),
    ] {
        assert!(matches!(verifier.verify(wrong).await, Err(Denied::Refused(_))), "{wrong}");
    }
    verifier.verify(token(&good)).await.unwrap();
    house.advance(Duration::from_secs(331));
    assert!(verifier.verify(token(&good)).await.is_err(), "expired, the skew of 30 s included");
}
