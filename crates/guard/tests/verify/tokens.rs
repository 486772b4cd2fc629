//! Which tokens are accepted, and which are not.

use std::time::Duration;

use gateward_guard::verify::{
    BadClaims, BuildError, Denied, Invalid, JwkSet, Malformed, Refused, SignatureAlgorithm, Verifier,
};
use gateward_kernel::jose::{Jwk, Signer, SigningKey};
use gateward_kernel::secret::SeededEntropy;
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Issuer, START, key, sign};

fn refused(reason: impl Into<Refused>) -> Option<Denied> {
    Some(Denied::Refused(reason.into()))
}

#[tokio::test]
async fn a_good_token_says_who_comes() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({ "tenant": "north" }));
    assert!(verifier.verify_cached(&token).is_none(), "nothing is known yet");
    let claims = verifier.verify(&token).await.unwrap();
    assert_eq!(
        (claims.subject(), claims.client(), claims.session()),
        ("person", Some("app"), Some("session"))
    );
    assert_eq!(
        (claims.issuer(), claims.audiences()),
        (issuer.url.as_str(), [AUDIENCE.to_owned()].as_slice())
    );
    assert!(claims.scope().has("read") && claims.scope().has("write") && !claims.scope().has("admin"));
    assert_eq!(claims.expires().seconds(), START + 300);
    assert_eq!(claims.groups().collect::<Vec<_>>(), ["staff"]);
    assert_eq!(claims.other("tenant"), Some(&json!("north")));
    #[derive(serde::Deserialize)]
    struct Custom {
        tenant: String,
    }
    assert_eq!(claims.custom::<Custom>().unwrap().tenant, "north");
    assert!(verifier.verify_cached(&token).unwrap().is_ok(), "it is recognised");
    assert_eq!((issuer.asked("/oauth/jwks"), verifier.figures().tokens), (1, 1));
}

#[tokio::test]
async fn tokens_for_others_from_others_and_of_other_kinds_are_refused() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let ahead = 11 * 365 * 86_400;
    let table: Vec<(Value, Option<Denied>)> = vec![
        (json!({}), None),
        (json!({ "aud": ["https://other.example", AUDIENCE] }), None),
        (json!({ "aud": "https://other.example" }), refused(BadClaims::Audience)),
        (json!({ "aud": format!("{AUDIENCE}/") }), refused(BadClaims::Audience)),
        (json!({ "aud": null }), refused(BadClaims::Missing("aud"))),
        (json!({ "aud": 1 }), refused(BadClaims::Type("aud"))),
        (json!({ "iss": "https://evil.example" }), refused(BadClaims::Issuer)),
        (json!({ "iss": format!("{}/", issuer.url) }), refused(BadClaims::Issuer)),
        (json!({ "iss": null }), refused(BadClaims::Missing("iss"))),
        (json!({ "exp": null }), refused(BadClaims::Missing("exp"))),
        (json!({ "exp": "soon" }), refused(BadClaims::Type("exp"))),
        (json!({ "exp": START - 29 }), None),
        (json!({ "exp": START - 30 }), refused(BadClaims::Expired)),
        (json!({ "exp": START + ahead }), refused(BadClaims::FarFuture("exp"))),
        (json!({ "nbf": START + 30 }), None),
        (json!({ "nbf": START + 31 }), refused(BadClaims::NotYet)),
        (json!({ "iat": START + 31 }), refused(BadClaims::FromTheFuture)),
        (json!({ "sub": null }), None),
        (json!({ "sub": null, "client_id": null }), refused(BadClaims::Missing("sub"))),
        (json!({ "sub": 7 }), refused(BadClaims::Type("sub"))),
        (json!({ "scope": ["read"] }), refused(BadClaims::Type("scope"))),
        (json!({ "scope": "a  b" }), refused(BadClaims::Type("scope"))),
        (json!({ "amr": "pwd" }), refused(BadClaims::Type("amr"))),
        (json!({ "gateward_iat": "1" }), refused(BadClaims::Type("gateward_iat"))),
        (json!({ "cnf": { "jkt": "x" } }), Some(Denied::Bound)),
    ];
    for (changes, expected) in table {
        let answer = verifier.verify(&issuer.token(1, changes.clone())).await;
        assert_eq!(answer.err(), expected, "{changes}");
    }
    for typ in ["JWT", "command+jwt", "statuslist+jwt", "logout+jwt", "", "at+jwt2"] {
        let answer = verifier.verify(&issuer.sign(typ, &issuer.claims())).await;
        assert_eq!(answer.err(), refused(BadClaims::Typ), "{typ}");
    }
    assert!(verifier.verify(&issuer.sign("application/AT+JWT", &issuer.claims())).await.is_ok());
}

#[tokio::test]
async fn what_is_no_token_of_the_issuer_is_refused() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let good = issuer.token(1, json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let swapped: String = good.chars().map(|c| if c == '.' { c } else { c.to_ascii_lowercase() }).collect();
    for (token, expected) in [
        (String::new(), refused(Malformed::Parts)),
        ("a".repeat(20_000), refused(Malformed::TooLong)),
        (format!("{good}.x.y"), refused(Malformed::Encrypted)),
        (format!("{head}."), refused(Malformed::Parts)),
        (good[..good.len() - 4].to_owned(), refused(Invalid::Signature)),
        (format!("{good}AAAA"), refused(Invalid::Signature)),
        (format!("{}.{signature}", head.replacen('.', "..", 1)), refused(Malformed::Parts)),
    ] {
        assert_eq!(verifier.verify(&token).await.err(), expected, "{token}");
    }
    assert!(verifier.verify(&swapped).await.is_err());
    // Another key under the id of the real one.
    let forged = sign(&key(2).with_kid("key 1"), "at+jwt", &issuer.claims());
    assert_eq!(verifier.verify(&forged).await.err(), refused(Invalid::Signature));
    assert!(verifier.verify(&good).await.is_ok());
    assert_eq!(verifier.figures().tokens, 1, "nothing else is remembered");
}

#[tokio::test]
async fn only_allowed_algorithms_count() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().algorithms(&[SignatureAlgorithm::EdDsa]).build().unwrap();
    let ed = Jwk::generate(SignatureAlgorithm::EdDsa, &SeededEntropy::new(5)).unwrap();
    issuer.house.keys.lock().insert(0, ed.clone());
    let answer = verifier.verify(&issuer.token(1, json!({}))).await;
    assert_eq!(answer.err(), refused(Invalid::NotAllowed));
    let signer = Signer::new(SigningKey::new(&ed, SignatureAlgorithm::EdDsa).unwrap(), "at+jwt");
    assert!(verifier.verify(&signer.sign_claims(&issuer.claims()).unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_recognised_token_expires_all_the_same() {
    let issuer = Issuer::open().await;
    let verifier = issuer.told().build().unwrap();
    let token = issuer.token(1, json!({}));
    verifier.verify(&token).await.unwrap();
    issuer.clock.advance(Duration::from_secs(329));
    assert!(verifier.verify_cached(&token).unwrap().is_ok());
    issuer.clock.advance(Duration::from_secs(1));
    assert_eq!(verifier.verify_cached(&token).unwrap().err(), refused(BadClaims::Expired));
    assert_eq!(verifier.verify(&token).await.err(), refused(BadClaims::Expired));
    assert_eq!(verifier.figures().tokens, 0, "and is forgotten");
}

#[tokio::test]
async fn memory_is_bounded_and_recognising_allocates_nothing() {
    let issuer = Issuer::open().await;
    let budget = 256 * 1024;
    let verifier = issuer.told().token_budget(budget).build().unwrap();
    for number in 0..400 {
        verifier.verify(&issuer.token(number, json!({}))).await.unwrap();
    }
    let figures = verifier.figures();
    assert!(figures.bytes <= budget as u64, "{figures:?}");
    assert!((20..400).contains(&figures.tokens), "{figures:?}");
    let token = issuer.token(7, json!({}));
    verifier.verify(&token).await.unwrap();
    let mut answer = None;
    let measured = allocation_counter::measure(|| answer = verifier.verify_cached(&token));
    assert!(answer.unwrap().is_ok());
    assert_eq!(measured.count_total, 0);
}

#[tokio::test]
async fn given_keys_need_no_issuer() {
    let given = JwkSet { keys: vec![key(1).public().unwrap()], skipped: Vec::new() };
    let verifier = Verifier::for_issuer("anything").audience(AUDIENCE).with_keys(given).build().unwrap();
    let now = now_seconds();
    let claims = json!({ "iss": "anything", "sub": "s", "aud": AUDIENCE, "exp": now + 60 });
    assert!(verifier.verify(&sign(&key(1), "at+jwt", &claims)).await.is_err(), "another key of that id");
    let given = key(9);
    let set = JwkSet { keys: vec![given.public().unwrap()], skipped: Vec::new() };
    let verifier = Verifier::for_issuer("anything").audience(AUDIENCE).with_keys(set).build().unwrap();
    assert!(verifier.verify(&sign(&given, "at+jwt", &claims)).await.is_ok());
}

fn now_seconds() -> i64 {
    use gateward_kernel::time::Clock;
    gateward_guard::SystemClock.now().seconds()
}

#[test]
fn a_verifier_that_would_accept_too_much_is_not_built() {
    let told = || Verifier::for_issuer("https://login.example.com").audience(AUDIENCE);
    assert!(told().build().is_ok());
    let no_audience = Verifier::for_issuer("https://login.example.com").build();
    assert_eq!(no_audience.err(), Some(BuildError::NoAudience));
    assert_eq!(told().audience("").build().err(), Some(BuildError::NoAudience));
    for issuer in [
        "",
        "login.example.com",
        "http://login.example.com",
        "https://a.example/?x",
        "https://a.example/#x",
        "https://u@a.example",
    ] {
        let built = Verifier::for_issuer(issuer).audience(AUDIENCE).build();
        assert_eq!(built.err(), Some(BuildError::Issuer), "{issuer}");
    }
    assert_eq!(told().algorithms(&[]).build().err(), Some(BuildError::Algorithms));
    let shared = told().algorithms(&[SignatureAlgorithm::Es256, SignatureAlgorithm::Hs256]).build();
    assert_eq!(shared.err(), Some(BuildError::Algorithms));
    assert_eq!(told().with_keys(JwkSet::default()).build().err(), Some(BuildError::NoKey));
    assert!(matches!(told().extra_root("no PEM").build(), Err(BuildError::Remote(_))));
    assert!(matches!(told().also_ask("http://keys.example.com").build(), Err(BuildError::Remote(_))));
}
