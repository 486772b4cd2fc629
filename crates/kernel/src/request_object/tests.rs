use serde_json::json;

use super::*;
use crate::jose::{Jwk, Signer, SigningKey, VerifyingKey};
use crate::record::Record;
use crate::secret::SeededEntropy;

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const ISSUER: &str = "https://login.example.com";
const CLIENT: &str = "client-1";
const EDDSA: SignatureAlgorithm = SignatureAlgorithm::EdDsa;

fn key(seed: u64) -> Jwk {
    Jwk::generate(EDDSA, &SeededEntropy::new(seed)).unwrap().with_kid("a")
}

/// Good claims with these changed; `null` takes one away, and `"NULL"` writes a null.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": CLIENT, "aud": ISSUER, "client_id": CLIENT, "response_type": "code", "scope": "openid",
        "redirect_uri": "https://app.example/cb", "nbf": NOW.seconds(), "exp": NOW.seconds() + 300, "jti": "one",
    });
    let (Value::Object(into), Value::Object(changes)) = (&mut claims, changes) else { panic!("objects") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(into.remove(&name)),
            value if value == "NULL" => drop(into.insert(name, Value::Null)),
            value => drop(into.insert(name, value)),
        }
    }
    claims
}

fn signed_as(typ: &str, key: &Jwk, claims: &Value) -> String {
    Signer::new(SigningKey::new(key, EDDSA).unwrap(), typ).sign_claims(claims).unwrap()
}

fn check_at(object: &str, strict: bool, now: Moment) -> Result<RequestObject, BadRequestObject> {
    let mut keys = KeySet::new();
    keys.insert(VerifyingKey::new(&key(7).public().unwrap(), EDDSA).unwrap());
    let rules = Rules { client: CLIENT, keys: &keys, allowed: &[EDDSA], issuer: ISSUER, strict, skew: SKEW };
    verify(object, &rules, now)
}

fn check(changes: Value, strict: bool) -> Result<RequestObject, BadRequestObject> {
    check_at(&signed_as("oauth-authz-req+jwt", &key(7), &claims(changes)), strict, NOW)
}

fn both(changes: Value) -> Result<(), BadRequestObject> {
    let (loose, strict) = (check(changes.clone(), false), check(changes, true));
    assert_eq!(loose, strict);
    loose.map(|_| ())
}

#[test]
fn the_parameters_are_those_of_a_query() {
    let read = check(
        json!({
            "max_age": 300,
            "claims": {"id_token": {"acr": {"essential": true, "values": ["a", "b"]}, "email": "NULL"}},
            "authorization_details": [{"type": "payment", "amount": 1.5}],
            "resource": ["https://a.example", "https://b.example"],
            "flag": true,
            "state": "",
        }),
        true,
    )
    .unwrap();
    let expected = [
        ("authorization_details", r#"[{"amount":1.5,"type":"payment"}]"#),
        ("claims", r#"{"id_token":{"acr":{"essential":true,"values":["a","b"]},"email":"NULL"}}"#),
        ("client_id", CLIENT),
        ("flag", "true"),
        ("max_age", "300"),
        ("redirect_uri", "https://app.example/cb"),
        ("resource", "https://a.example"),
        ("resource", "https://b.example"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", ""),
    ];
    let parameters: Vec<(&str, &str)> =
        read.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(parameters, expected);
    assert_eq!(read.parameter("max_age"), Some("300"));
    assert_eq!(read.parameter("iss"), None, "what is about the object is no parameter");
}

#[test]
fn a_value_that_no_parameter_has_is_refused() {
    for value in [json!("NULL"), json!(1.5), json!(1e30)] {
        assert_eq!(both(json!({"max_age": value})), Err(BadRequestObject::Parameter), "{value}");
    }
    assert_eq!(both(json!({"max_age": -1})), Ok(()), "whole, and refused where it is read");
    for odd in [json!([1]), json!([["a"]]), json!(["a", {}])] {
        assert_eq!(both(json!({"resource": odd})), Err(BadRequestObject::Parameter), "{odd}");
    }
    assert_eq!(both(json!({"": "a"})), Err(BadRequestObject::Parameter));
    assert_eq!(both(json!({"a b": "a"})), Err(BadRequestObject::Parameter));
    for (length, fits) in [(MAX_NAME_LEN, true), (MAX_NAME_LEN + 1, false)] {
        assert_eq!(both(json!({"n".repeat(length): "a"})).is_ok(), fits, "{length}");
    }
}

#[test]
fn parameters_are_counted() {
    let with = |count: usize| {
        let more: Map<String, Value> = (0..count).map(|at| (format!("p{at}"), json!("a"))).collect();
        both(Value::Object(more))
    };
    // Four are there already.
    assert_eq!(with(MAX_PARAMETERS - 5), Ok(()));
    assert_eq!(with(MAX_PARAMETERS - 4), Ok(()));
    assert_eq!(with(MAX_PARAMETERS - 3), Err(BadRequestObject::TooMany));
    let resources: Vec<String> = (0..=MAX_PARAMETERS).map(|at| format!("https://{at}.example")).collect();
    assert_eq!(both(json!({"resource": resources})), Err(BadRequestObject::TooMany));
}

#[test]
fn it_is_of_this_client_and_for_us() {
    assert_eq!(both(json!({})), Ok(()));
    assert_eq!(both(json!({"aud": [ISSUER, "https://other.example"]})), Ok(()));
    assert_eq!(both(json!({"iss": "other"})), Err(BadClaims::Issuer.into()));
    assert_eq!(both(json!({"aud": "https://other.example"})), Err(BadClaims::Audience.into()));
    assert_eq!(both(json!({"client_id": "other"})), Err(BadRequestObject::Client));
    assert_eq!(both(json!({"client_id": 1})), Err(BadClaims::Type("client_id").into()));
    for name in ["iss", "aud", "client_id", "nbf", "exp"] {
        assert!(check(json!({name: null}), false).is_ok(), "{name}");
        assert_eq!(check(json!({name: null}), true), Err(BadClaims::Missing(name).into()));
    }
}

#[test]
fn no_object_brings_another() {
    for name in ["request", "request_uri"] {
        assert_eq!(both(json!({name: "https://app.example/object"})), Err(BadRequestObject::Nested));
        assert_eq!(both(json!({name: {}})), Err(BadRequestObject::Nested));
    }
}

#[test]
fn other_tokens_of_the_client_are_no_requests() {
    let good = claims(json!({}));
    for typ in ["", "JWT", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt"] {
        assert!(check_at(&signed_as(typ, &key(7), &good), true, NOW).is_ok(), "{typ}");
    }
    for typ in ["at+jwt", "dpop+jwt", "client-authentication+jwt", "logout+jwt", "x"] {
        let read = check_at(&signed_as(typ, &key(7), &good), false, NOW);
        assert_eq!(read, Err(BadClaims::Typ.into()), "{typ}");
    }
    let assertion =
        json!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "jti": "a", "exp": NOW.seconds() + 60});
    let read = check_at(&signed_as("", &key(7), &assertion), false, NOW);
    assert_eq!(read, Err(BadRequestObject::Assertion));
    assert_eq!(both(json!({"sub": CLIENT})), Err(BadRequestObject::Assertion));
}

#[test]
fn it_is_signed_by_a_key_of_the_client() {
    let forged = signed_as("", &key(8), &claims(json!({})));
    assert_eq!(check_at(&forged, false, NOW), Err(Invalid::Signature.into()));
    // {"alg":"none"} with an empty signature, with a made-up one, and encrypted.
    let payload = forged.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    assert_eq!(check_at(&none, false, NOW), Err(Malformed::Parts.into()));
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.AA");
    assert_eq!(check_at(&none, false, NOW), Err(Malformed::Algorithm.into()));
    assert_eq!(check_at("a.b.c.d.e", false, NOW), Err(Malformed::Encrypted.into()));
    let good = signed_as("", &key(7), &claims(json!({})));
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(check_at(std::str::from_utf8(&changed).unwrap(), false, NOW).is_err(), "{at}");
    }
}

#[test]
fn times_that_are_there_count() {
    assert_eq!(
        both(json!({"exp": NOW.seconds() - 31, "nbf": NOW.seconds() - 60})),
        Err(BadClaims::Expired.into())
    );
    assert_eq!(both(json!({"nbf": NOW.seconds() + 10})), Ok(()));
    assert_eq!(both(json!({"nbf": NOW.seconds() + 31})), Err(BadClaims::NotYet.into()));
    assert_eq!(both(json!({"iat": NOW.seconds() + 61})), Err(BadClaims::FromTheFuture.into()));
    assert_eq!(both(json!({"exp": "soon"})), Err(BadClaims::Type("exp").into()));
}

#[test]
fn a_strict_one_lives_an_hour_at_most() {
    let lives = |start: i64, end: i64| {
        check(json!({"nbf": NOW.seconds() + start, "exp": NOW.seconds() + end}), true).map(|_| ())
    };
    assert_eq!(lives(0, 3599), Ok(()));
    assert_eq!(lives(0, 3600), Ok(()));
    assert_eq!(lives(0, 3601), Err(BadRequestObject::TooLong));
    assert_eq!(lives(-3600, -1), Ok(()), "ended a second ago, within the skew");
    assert_eq!(lives(-3629, -29), Ok(()));
    assert_eq!(lives(-3631, 0), Err(BadRequestObject::TooOld));
    // Where FAPI does not count, it lives as long as its client wants.
    assert!(check(json!({"nbf": NOW.seconds() - 7200, "exp": NOW.seconds() + 7200}), false).is_ok());
}

#[test]
fn the_mark_is_that_of_client_and_name() {
    let read = check(json!({}), true).unwrap();
    let used = read.used(CLIENT).unwrap();
    assert_eq!(used.death(), NOW + Duration::from_secs(300) + SKEW);
    assert_ne!(used.id(), read.used("other").unwrap().id());
    assert_eq!(check(json!({"jti": null}), true).unwrap().used(CLIENT), None);
    for (length, fits) in [(0, false), (1, true), (256, true), (257, false)] {
        assert_eq!(both(json!({"jti": "x".repeat(length)})).is_ok(), fits, "{length}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let signer = Signer::new(SigningKey::new(&key(7), EDDSA).unwrap(), "");
    for payload in [r#"{"scope":"a","scope":"b"}"#, r#"{"claims":{"a":1,"a":2}}"#, "[]", "{}{}", ""] {
        let object = signer.sign(payload.as_bytes()).unwrap();
        assert!(matches!(check_at(&object, false, NOW), Err(BadRequestObject::Claims(_))), "{payload}");
    }
}
