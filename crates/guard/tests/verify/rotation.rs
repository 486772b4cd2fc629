//! Keys that change, and an issuer that is away.

use std::time::Duration;

use gateward_guard::verify::{Denied, Invalid, Outage, Refused};
use serde_json::json;

use crate::issuer::{Issuer, key, sign, until};

const SECOND: Duration = Duration::from_secs(1);
const UNKNOWN: Option<Denied> = Some(Denied::Refused(Refused::Invalid(Invalid::UnknownKey)));

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let old = issuer.token(1, json!({}));
    verifier.verify(&old).await.unwrap();
    issuer.house.keys.lock().push(key(2));
    let new = issuer.token(2, json!({}));
    assert!(verifier.verify(&new).await.is_ok());
    assert_eq!(issuer.asked("/oauth/jwks"), 2);
    assert!(verifier.verify(&old).await.is_ok(), "the old key is still published");
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch_a_minute() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    verifier.ready().await.unwrap();
    let foreign: Vec<String> =
        (100..150).map(|number| sign(&key(number), "at+jwt", &issuer.claims())).collect();
    for minute in 0..3 {
        let mut checks = tokio::task::JoinSet::new();
        for token in foreign.clone() {
            let verifier = verifier.clone();
            checks.spawn(async move { verifier.verify(&token).await.err() });
        }
        while let Some(checked) = checks.join_next().await {
            assert_eq!(checked.unwrap(), UNKNOWN);
        }
        assert_eq!(issuer.asked("/oauth/jwks"), 2 + minute);
        issuer.clock.advance(59 * SECOND);
        assert_eq!(verifier.verify(&foreign[0]).await.err(), UNKNOWN);
        assert_eq!(issuer.asked("/oauth/jwks"), 2 + minute, "the minute is not over");
        issuer.clock.advance(SECOND);
    }
}

#[tokio::test]
async fn a_removed_key_takes_recognised_tokens_along() {
    let issuer = Issuer::open().await;
    *issuer.house.cache_control.lock() = Some("max-age=100");
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    verifier.verify(&token).await.unwrap();
    *issuer.house.keys.lock() = vec![key(2)];
    issuer.clock.advance(99 * SECOND);
    // In the last fifth of their time keys are looked after in the background; tokens go on meanwhile.
    assert!(verifier.verify_cached(&token).unwrap().is_ok());
    until(&verifier, &token, |answer| answer.is_err()).await;
    assert_eq!(verifier.verify(&token).await.err(), UNKNOWN);
}

#[tokio::test]
async fn keys_are_kept_between_a_minute_and_a_day() {
    let day = 86_400;
    for (said, kept) in [("max-age=1", 60), ("no-store", 60), ("max-age=100", 100), ("max-age=9999999", day)]
    {
        let issuer = Issuer::open().await;
        *issuer.house.cache_control.lock() = Some(said);
        let verifier = issuer.told().build().unwrap();
        let lasting = issuer.token(1, json!({ "exp": crate::issuer::START + 10 * day }));
        verifier.verify(&lasting).await.unwrap();
        issuer.clock.advance(Duration::from_secs(u64::try_from(kept).unwrap() * 4 / 5 - 1));
        verifier.verify(&lasting).await.unwrap();
        assert_eq!(issuer.asked("/oauth/jwks"), 1, "{said}");
        issuer.clock.advance(Duration::from_secs(u64::try_from(kept).unwrap()));
        assert!(verifier.verify_cached(&lasting).is_none());
        verifier.verify(&lasting).await.unwrap();
        assert_eq!(issuer.asked("/oauth/jwks"), 2, "{said}");
    }
}

#[tokio::test]
async fn the_last_keys_go_on_while_the_issuer_is_away_but_not_for_ever() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().keys_outlive(3600 * SECOND).build().unwrap();
    let token = issuer.token(1, json!({ "exp": crate::issuer::START + 9_000 }));
    verifier.verify(&token).await.unwrap();
    issuer.go_away(true);
    issuer.clock.advance(3600 * SECOND);
    for number in 0..20 {
        assert!(verifier.verify(&token).await.is_ok());
        let fresh = issuer.token(number, json!({}));
        assert!(verifier.verify(&fresh).await.is_ok(), "tokens never seen before, too");
    }
    assert_eq!(issuer.asked("/oauth/jwks"), 2, "it is asked now and then");
    issuer.clock.advance(SECOND);
    assert_eq!(verifier.verify(&token).await.err(), Some(Denied::Unavailable(Outage::Keys)));
    issuer.go_away(false);
    issuer.clock.advance(SECOND);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_empty_or_broken_key_set_does_not_replace_a_good_one() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({ "exp": crate::issuer::START + 9_000 }));
    verifier.verify(&token).await.unwrap();
    let keys = std::mem::take(&mut *issuer.house.keys.lock());
    issuer.clock.advance(1000 * SECOND);
    assert!(verifier.verify(&token).await.is_ok());
    *issuer.house.keys.lock() = keys;
    issuer.clock.advance(20 * SECOND);
    assert!(verifier.verify(&issuer.token(2, json!({}))).await.is_ok());
}
