//! Revocation by listening.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gateward_guard::verify::{BadClaims, Denied, Outage, Refused, Stale, StatusPolicy, Verifier};
use serde_json::json;

use crate::issuer::{Issuer, START, until, until_so};

const SECOND: Duration = Duration::from_secs(1);
const UNKNOWN: Option<Denied> = Some(Denied::Unavailable(Outage::Status));

fn listening(issuer: &Issuer, stale: Stale) -> Verifier {
    issuer.told().status(StatusPolicy::Push(stale)).build().unwrap()
}

#[tokio::test]
async fn a_revocation_arrives_by_itself() {
    let issuer = Issuer::open().await;
    issuer.revoke(1, 3);
    let verifier = listening(&issuer, Stale::Deny);
    let (before, token, other) =
        (issuer.token(3, json!({})), issuer.token(4, json!({})), issuer.token(5, json!({})));
    assert_eq!(verifier.verify(&before).await.err(), Some(Denied::Revoked), "what was revoked before");
    assert!(verifier.verify(&token).await.is_ok());
    issuer.revoke(1, 4);
    until(&verifier, &token, |answer| answer.is_err()).await;
    assert_eq!(verifier.verify_cached(&token).unwrap().err(), Some(Denied::Revoked));
    assert!(verifier.verify(&other).await.is_ok());
    // A list nobody was revoked in before.
    let elsewhere = json!({ "status": { "status_list": { "idx": 4, "uri": issuer.list(2) } } });
    let elsewhere = issuer.token(6, elsewhere);
    assert!(verifier.verify(&elsewhere).await.is_ok());
    issuer.revoke(2, 4);
    until(&verifier, &elsewhere, |answer| answer.is_err()).await;
    let mut answer = None;
    let measured = allocation_counter::measure(|| answer = verifier.verify_cached(&other));
    assert!(answer.unwrap().is_ok());
    assert_eq!(measured.count_total, 0);
}

#[tokio::test]
async fn a_person_is_cut_off_up_to_a_moment() {
    let issuer = Issuer::open().await;
    let verifier = listening(&issuer, Stale::Deny);
    let issued = |micros: i64| json!({ "gateward_iat": START * 1_000_000 + micros });
    let (at, after) = (issuer.token(1, issued(500)), issuer.token(2, issued(501)));
    let coarse = issuer.token(3, json!({ "gateward_iat": null }));
    let other = issuer.token(4, json!({ "sub": "somebody else" }));
    for token in [&at, &after, &coarse, &other] {
        verifier.verify(token).await.unwrap();
    }
    let moment = gateward_kernel::time::Moment::from_micros(START * 1_000_000 + 500);
    issuer.cut_off("person", moment);
    until(&verifier, &at, |answer| answer.is_err()).await;
    assert_eq!(verifier.verify(&at).await.err(), Some(Denied::Revoked));
    assert_eq!(verifier.verify(&coarse).await.err(), Some(Denied::Revoked), "seconds are rounded down");
    assert!(verifier.verify(&after).await.is_ok() && verifier.verify(&other).await.is_ok());
    // An older cut that comes later takes nothing back.
    issuer.cut_off("person", moment - SECOND);
    issuer.revoke(1, 4);
    until(&verifier, &other, |answer| answer.is_err()).await;
    assert_eq!(verifier.verify(&at).await.err(), Some(Denied::Revoked));
    // And so for who comes new.
    let newcomer = listening(&issuer, Stale::Deny);
    assert!(newcomer.verify(&after).await.is_ok());
}

#[tokio::test]
async fn what_was_missed_is_learnt_after_a_cut() {
    let issuer = Issuer::open().await;
    let verifier = listening(&issuer, Stale::Deny);
    let (first, second) = (issuer.token(4, json!({})), issuer.token(5, json!({})));
    verifier.verify(&first).await.unwrap();
    verifier.verify(&second).await.unwrap();
    issuer.go_away(true);
    issuer.revoke(1, 4);
    assert!(verifier.verify(&first).await.is_ok(), "it cannot know yet, and its knowledge is not old");
    issuer.go_away(false);
    until(&verifier, &first, |answer| answer.is_err()).await;
    assert_eq!(
        issuer.house.heard_from.lock().last(),
        Some(&Some("1-0".to_owned())),
        "it went on where it was"
    );
    // When the issuer does not know any more where that was, everything is told anew.
    issuer.new_epoch();
    issuer.go_away(true);
    issuer.revoke(1, 5);
    issuer.go_away(false);
    until(&verifier, &second, |answer| answer.is_err()).await;
    assert_eq!(verifier.verify(&first).await.err(), Some(Denied::Revoked));
}

#[tokio::test]
async fn who_is_cut_off_for_too_long_refuses_and_comes_back() {
    for (stale, limit) in [(Stale::Deny, 6), (Stale::AllowUntil { age: 600 * SECOND }, 600)] {
        let issuer = Issuer::open().await;
        let verifier = listening(&issuer, stale);
        let token = issuer.token(4, json!({ "exp": START + 10_000 }));
        verifier.verify(&token).await.unwrap();
        issuer.go_away(true);
        // Not before the line is really down: a last beat may be on its way.
        let before = issuer.asked("/oauth/status/events");
        until_so("nobody calls again", || issuer.asked("/oauth/status/events") != before).await;
        issuer.clock.advance(limit * SECOND);
        assert!(verifier.verify(&token).await.is_ok(), "{stale:?}");
        issuer.clock.advance(Duration::from_micros(1));
        assert_eq!(verifier.verify(&token).await.err(), UNKNOWN, "{stale:?}");
        assert_eq!(verifier.verify_cached(&token).unwrap().err(), UNKNOWN);
        assert_eq!(verifier.figures().knowledge, Some(limit * SECOND + Duration::from_micros(1)));
        issuer.go_away(false);
        until(&verifier, &token, |answer| answer.is_ok()).await;
    }
}

#[tokio::test]
async fn what_is_not_understood_is_asked_for_anew() {
    let issuer = Issuer::open().await;
    let verifier = listening(&issuer, Stale::Deny);
    verifier.ready().await.unwrap();
    let calls = || issuer.asked("/oauth/status/events");
    for odd in [
        ("change", "no JSON"),
        ("change", r#"{"lists":7}"#),
        ("change", r#"{"cuts":{"no tag":7}}"#),
        ("snapshot", r#"{"lists":{}}"#),
        ("snapshot", r#"{"lists":{"x":{"bits":1,"lst":"no list"}},"cuts":{}}"#),
    ] {
        let before = calls();
        *issuer.house.odd.lock() = Some(odd);
        until_so("it was taken as understood", || calls() != before).await;
        assert_eq!(issuer.house.heard_from.lock().last(), Some(&None), "{odd:?}");
    }
    // Kinds of events that later versions may send change nothing.
    let before = calls();
    *issuer.house.odd.lock() = Some(("later", "x"));
    issuer.revoke(1, 3);
    until(&verifier, &issuer.token(3, json!({})), |answer| answer.is_err()).await;
    assert_eq!(calls(), before);
}

#[tokio::test]
async fn a_beat_with_nothing_before_it_is_no_knowledge() {
    let issuer = Issuer::open().await;
    for odd in [("beat", "{}"), ("change", r#"{"lists":{},"cuts":{}}"#), ("later", "{}")] {
        issuer.revoke(1, 3);
        *issuer.house.odd.lock() = Some(odd);
        let verifier = listening(&issuer, Stale::Deny);
        assert_eq!(
            verifier.verify(&issuer.token(3, json!({}))).await.err(),
            Some(Denied::Revoked),
            "{odd:?}"
        );
    }
}

#[tokio::test]
async fn more_than_the_budget_holds_fails_closed() {
    let issuer = Issuer::open().await;
    (1..=3).for_each(|list| issuer.revoke(list, 1));
    let told = || issuer.told().status(StatusPolicy::Push(Stale::Deny));
    let small = told().list_budget(300 * 1024).build().unwrap();
    let token = issuer.token(9, json!({}));
    assert_eq!(small.verify(&token).await.err(), UNKNOWN);
    let large = told().list_budget(400 * 1024).build().unwrap();
    assert!(large.verify(&token).await.is_ok());
}

#[tokio::test]
async fn after_its_end_a_token_of_a_forgotten_list_is_expired() {
    let issuer = Issuer::open().await;
    let verifier = listening(&issuer, Stale::Deny);
    let late = issuer.token(9, json!({ "exp": START }));
    let expired = Some(Denied::Refused(Refused::Claims(BadClaims::Expired)));
    assert_eq!(
        verifier.verify(&late).await.err(),
        expired,
        "its list may be gone, and with it that it was revoked"
    );
    issuer.revoke(1, 8);
    until(&verifier, &late, |answer| answer.is_ok()).await;
}

#[tokio::test]
async fn the_line_ends_with_the_last_verifier() {
    let issuer = Issuer::open().await;
    let verifier = listening(&issuer, Stale::Deny);
    verifier.ready().await.unwrap();
    let clone = verifier.clone();
    drop(verifier);
    assert!(clone.verify(&issuer.token(9, json!({}))).await.is_ok());
    assert_eq!(issuer.house.lines.load(Ordering::SeqCst), 1);
    drop(clone);
    until_so("the line stays", || issuer.house.lines.load(Ordering::SeqCst) == 0).await;
}
