//! Revocation by status lists that are fetched.

use std::time::Duration;

use gateward_guard::verify::{BadClaims, Denied, Outage, Refused, Stale, StatusPolicy, Verifier};
use serde_json::{Value, json};

use crate::issuer::{Issuer, START, key, until};

const SECOND: Duration = Duration::from_secs(1);
const UNKNOWN: Option<Denied> = Some(Denied::Unavailable(Outage::Status));
const PATH: &str = "/oauth/status/1";

fn polling(issuer: &Issuer, stale: Stale) -> Verifier {
    issuer.told().status(StatusPolicy::Poll(stale)).build().unwrap()
}

fn lasting(issuer: &Issuer, index: u32) -> String {
    issuer.token(index, json!({ "exp": START + 90_000 }))
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_the_latest_after_the_ttl() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::Deny);
    issuer.revoke(1, 9);
    let (dead, living) = (lasting(&issuer, 9), lasting(&issuer, 8));
    assert_eq!(verifier.verify(&dead).await.err(), Some(Denied::Revoked));
    assert!(verifier.verify(&living).await.is_ok());
    assert_eq!(issuer.asked(PATH), 1, "one list serves all of its tokens");
    issuer.revoke(1, 8);
    issuer.clock.advance(45 * SECOND);
    assert!(verifier.verify_cached(&living).unwrap().is_ok());
    assert_eq!(issuer.asked(PATH), 1);
    issuer.clock.advance(16 * SECOND);
    assert!(verifier.verify_cached(&living).is_none(), "memory cannot tell any more");
    assert_eq!(verifier.verify(&living).await.err(), Some(Denied::Revoked));
    assert_eq!(verifier.verify_cached(&living).unwrap().err(), Some(Denied::Revoked));
    assert_eq!(issuer.asked(PATH), 2);
}

#[tokio::test]
async fn a_list_is_looked_after_in_the_background_before_its_time_is_up() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::Deny);
    let token = lasting(&issuer, 8);
    verifier.verify(&token).await.unwrap();
    issuer.revoke(1, 8);
    issuer.clock.advance(50 * SECOND);
    assert!(verifier.verify_cached(&token).unwrap().is_ok(), "nobody waits");
    until(&verifier, &token, |answer| answer.is_err()).await;
    assert_eq!(issuer.asked(PATH), 2);
}

#[tokio::test]
async fn what_did_not_change_does_not_travel_again() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::Deny);
    let token = lasting(&issuer, 8);
    for _ in 0..5 {
        assert!(verifier.verify(&token).await.is_ok());
        issuer.clock.advance(61 * SECOND);
    }
    assert_eq!((issuer.asked(PATH), *issuer.house.unchanged.lock()), (5, 4));
    issuer.revoke(1, 8);
    assert_eq!(verifier.verify(&token).await.err(), Some(Denied::Revoked));
    assert_eq!(*issuer.house.unchanged.lock(), 4);
}

#[tokio::test]
async fn many_at_once_fetch_a_list_once() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::Deny);
    let mut checks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (verifier, token) = (verifier.clone(), lasting(&issuer, number));
        checks.spawn(async move { verifier.verify(&token).await });
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap().unwrap();
    }
    assert_eq!(issuer.asked(PATH), 1);
}

#[tokio::test]
async fn stale_knowledge_fails_closed_as_the_policy_says() {
    for (stale, limit) in [(Stale::Deny, 60), (Stale::AllowUntil { age: 600 * SECOND }, 600)] {
        let issuer = Issuer::open().await;
        let verifier = polling(&issuer, stale);
        let token = lasting(&issuer, 8);
        verifier.verify(&token).await.unwrap();
        issuer.go_away(true);
        issuer.clock.advance(limit * SECOND);
        assert!(verifier.verify(&token).await.is_ok(), "{stale:?}");
        issuer.clock.advance(SECOND);
        for _ in 0..10 {
            assert_eq!(verifier.verify(&token).await.err(), UNKNOWN, "{stale:?}");
        }
        assert!(issuer.asked(PATH) <= 3, "the issuer is left in peace");
        issuer.go_away(false);
        issuer.clock.advance(10 * SECOND);
        assert!(verifier.verify(&token).await.is_ok(), "and back");
    }
}

#[tokio::test]
async fn without_a_list_nobody_passes() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::AllowUntil { age: 600 * SECOND });
    verifier.ready().await.unwrap();
    issuer.go_away(true);
    assert_eq!(verifier.verify(&lasting(&issuer, 8)).await.err(), UNKNOWN);
}

#[tokio::test]
async fn lists_that_are_not_the_issuers_are_not_believed() {
    let issuer = Issuer::open().await;
    let odd: Vec<(&'static str, Value)> = vec![
        ("statuslist+jwt", json!({ "sub": issuer.list(2) })),
        ("statuslist+jwt", json!({ "sub": null })),
        ("statuslist+jwt", json!({ "iss": "https://evil.example" })),
        ("statuslist+jwt", json!({ "exp": START - 31 })),
        ("statuslist+jwt", json!({ "iat": START + 31 })),
        ("statuslist+jwt", json!({ "status_list": { "bits": 3, "lst": "AAAA" } })),
        ("statuslist+jwt", json!({ "status_list": { "bits": 1, "lst": "AAAA" } })),
        ("statuslist+jwt", json!({ "status_list": null })),
        ("at+jwt", json!({})),
        ("JWT", json!({})),
    ];
    for (typ, changes) in odd {
        *issuer.house.list_type.lock() = typ;
        issuer.house.list_claims.lock().clone_from(&changes);
        let verifier = polling(&issuer, Stale::Deny);
        assert_eq!(verifier.verify(&lasting(&issuer, 8)).await.err(), UNKNOWN, "{typ} {changes}");
    }
    (*issuer.house.list_type.lock(), *issuer.house.list_claims.lock()) = ("statuslist+jwt", json!({}));
    let token = lasting(&issuer, 8);
    let verifier = polling(&issuer, Stale::Deny);
    verifier.ready().await.unwrap();
    // Signed by somebody else under the issuer's key id.
    *issuer.house.keys.lock() = vec![key(7).with_kid("key 1")];
    assert_eq!(verifier.verify(&token).await.err(), UNKNOWN);
}

#[tokio::test]
async fn a_token_must_name_a_place_of_the_issuer() {
    let issuer = Issuer::open().await;
    let verifier = polling(&issuer, Stale::Deny);
    let place = |uri: &str| json!({ "status": { "status_list": { "idx": 1, "uri": uri } } });
    let refused = |reason: BadClaims| Some(Denied::Refused(Refused::Claims(reason)));
    for (changes, reason) in [
        (json!({ "status": null }), BadClaims::Missing("status")),
        (json!({ "status": {} }), BadClaims::Type("status")),
        (place("https://evil.example/1"), BadClaims::Type("status")),
        (place(&format!("{}.evil.example/1", issuer.url)), BadClaims::Type("status")),
        (place(&issuer.url), BadClaims::Type("status")),
    ] {
        let answer = verifier.verify(&issuer.token(1, changes.clone())).await;
        assert_eq!(answer.err(), refused(reason), "{changes}");
    }
    // A place beyond the end of the list is no token's.
    assert_eq!(verifier.verify(&lasting(&issuer, 1 << 20)).await.err(), Some(Denied::Revoked));
}

#[tokio::test]
async fn lists_stay_within_their_budget() {
    let issuer = Issuer::open().await;
    let policy = StatusPolicy::Poll(Stale::Deny);
    let verifier = issuer.told().status(policy).list_budget(300 * 1024).build().unwrap();
    let tokens: Vec<String> = (1..=4)
        .map(|list| {
            let uri = issuer.list(list);
            issuer.token(1, json!({ "status": { "status_list": { "idx": 1, "uri": uri } } }))
        })
        .collect();
    for token in &tokens {
        verifier.verify(token).await.unwrap();
        issuer.clock.advance(SECOND);
    }
    assert!(verifier.verify_cached(&tokens[0]).is_none(), "its list had to go");
    assert!(verifier.verify_cached(&tokens[3]).is_some());
    assert!(verifier.verify(&tokens[0]).await.is_ok(), "and is fetched again");
}
