//! The verifier of programs that are not asynchronous.

use gateward_guard::blocking::Verifier;
use gateward_guard::verify::{Denied, Stale, StatusPolicy};
use serde_json::json;

use crate::issuer::{Issuer, PATIENCE, until_so};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_check_tokens_and_hear_of_revocations() {
    let issuer = Issuer::open().await;
    let verifier = Verifier::start(issuer.told().status(StatusPolicy::Push(Stale::Deny))).unwrap();
    let tokens: Vec<String> = (0..8).map(|number| issuer.token(number, json!({}))).collect();
    let threads: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (verifier, token) = (verifier.clone(), token.clone());
            std::thread::spawn(move || verifier.verify(&token).map(|claims| claims.subject().to_owned()))
        })
        .collect();
    for thread in threads {
        let who = tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
        assert_eq!(who, Ok("person".to_owned()));
    }
    issuer.revoke(1, 3);
    let (asked, token) = (verifier.clone(), tokens[3].clone());
    let begun = std::time::Instant::now();
    let refused = tokio::task::spawn_blocking(move || {
        loop {
            if let Err(denied) = asked.verify(&token) {
                return denied;
            }
            assert!(begun.elapsed() < PATIENCE, "a revoked token still counts");
            std::thread::yield_now();
        }
    });
    assert_eq!(refused.await.unwrap(), Denied::Revoked);
    drop(verifier);
    let lines = || issuer.house.lines.load(std::sync::atomic::Ordering::SeqCst);
    until_so("the line stays", || lines() == 0).await;
}

#[test]
fn what_is_told_wrong_is_said_at_once() {
    let told = gateward_guard::verify::Verifier::for_issuer("https://login.example.com");
    assert!(Verifier::start(told).is_err());
}
