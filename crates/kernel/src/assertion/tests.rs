use serde_json::{Map, json};

use super::*;
use crate::jose::{Signer, SigningKey};
use crate::record::Record;
use crate::secret::SeededEntropy;

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const ISSUER: &str = "https://login.example.com";
const TOKEN: &str = "https://login.example.com/oauth/token";
const CLIENT: &str = "client-1";
const SECRET: &[u8] = b"a secret of more than thirty-two bytes";
const EDDSA: SignatureAlgorithm = SignatureAlgorithm::EdDsa;
const HS256: SignatureAlgorithm = SignatureAlgorithm::Hs256;

fn key() -> Jwk {
    Jwk::generate(EDDSA, &SeededEntropy::new(7)).unwrap().with_kid("a")
}

fn public(key: &Jwk, algorithm: SignatureAlgorithm) -> KeySet {
    let mut keys = KeySet::new();
    keys.insert(VerifyingKey::new(&key.public().unwrap(), algorithm).unwrap());
    keys
}

/// Good claims with these changed; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "jti": "one", "iat": NOW.seconds(), "exp": NOW.seconds() + 60,
    });
    let (Value::Object(into), Value::Object(changes)) = (&mut claims, changes) else { panic!("objects") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(into.remove(&name)),
            value => drop(into.insert(name, value)),
        }
    }
    claims
}

fn signed_as(typ: &str, key: &Jwk, algorithm: SignatureAlgorithm, claims: &Value) -> String {
    Signer::with_members(SigningKey::new(key, algorithm).unwrap(), typ, Map::new())
        .unwrap()
        .sign_claims(claims)
        .unwrap()
}

fn assertion(changes: Value) -> String {
    signed_as("", &key(), EDDSA, &claims(changes))
}

fn rules(keys: ClientKeys<'_>) -> ClientRules<'_> {
    ClientRules {
        client: CLIENT,
        keys,
        allowed: &[EDDSA, HS256],
        audience: AudienceRule::OneOf(&[ISSUER, TOKEN]),
        longest: LONGEST,
        skew: SKEW,
    }
}

fn check(assertion: &str) -> Result<ClientAssertion, BadAssertion> {
    verify_client(assertion, &rules(ClientKeys::Public(&public(&key(), EDDSA))), NOW)
}

#[test]
fn a_client_speaks_for_itself() {
    let good = assertion(json!({}));
    assert_eq!(claimed_client(&good).unwrap(), CLIENT);
    let read = check(&good).unwrap();
    assert_eq!((read.client.as_str(), read.jti.as_str()), (CLIENT, "one"));
    for changes in [json!({"iss": "other"}), json!({"iss": "other", "sub": "other"})] {
        assert_eq!(check(&assertion(changes)), Err(BadClaims::Issuer.into()));
    }
    assert_eq!(check(&assertion(json!({"sub": "other"}))), Err(BadAssertion::Subject));
    for differ in [json!({"sub": "other"}), json!({"iss": "other"}), json!({"iss": "", "sub": ""})] {
        assert_eq!(claimed_client(&assertion(differ)), Err(BadAssertion::Subject));
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        assert_eq!(check(&assertion(json!({name: null}))), Err(BadClaims::Missing(name).into()));
        assert_eq!(check(&assertion(json!({name: {}}))), Err(BadClaims::Type(name).into()));
    }
    assert!(check(&assertion(json!({"iat": null}))).is_ok());
}

#[test]
fn by_its_own_keys_and_its_own_algorithms() {
    let stranger = Jwk::generate(EDDSA, &SeededEntropy::new(8)).unwrap().with_kid("a");
    let forged = signed_as("", &stranger, EDDSA, &claims(json!({})));
    assert_eq!(check(&forged), Err(Invalid::Signature.into()));
    let keys = public(&key(), EDDSA);
    let only_rsa = ClientRules { allowed: &[SignatureAlgorithm::Rs256], ..rules(ClientKeys::Public(&keys)) };
    assert_eq!(verify_client(&assertion(json!({})), &only_rsa, NOW), Err(Invalid::NotAllowed.into()));
    let good = assertion(json!({}));
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(check(std::str::from_utf8(&changed).unwrap()).is_err(), "{at}");
    }
    let none = "eyJhbGciOiJub25lIn0.e30.";
    assert!(check(none).is_err() && claimed_client(none).is_err());
}

#[test]
fn a_secret_and_a_public_key_never_stand_in_for_each_other() {
    let secret = Jwk::from_secret(SECRET).unwrap();
    let by_secret = signed_as("", &secret, HS256, &claims(json!({})));
    assert!(verify_client(&by_secret, &rules(ClientKeys::Secret(SECRET)), NOW).is_ok());
    let other = rules(ClientKeys::Secret(b"another secret of thirty-two bytes"));
    assert_eq!(verify_client(&by_secret, &other, NOW), Err(Invalid::Signature.into()));
    // The public key as secret, and a set into which somebody put a secret.
    let text = key().public().unwrap().to_json().unwrap();
    let confused = signed_as("", &Jwk::from_secret(text.as_bytes()).unwrap(), HS256, &claims(json!({})));
    assert_eq!(check(&confused), Err(Invalid::NotAllowed.into()));
    let mut mixed = public(&key(), EDDSA);
    mixed.insert(VerifyingKey::new(&secret, HS256).unwrap());
    let mixed = rules(ClientKeys::Public(&mixed));
    assert_eq!(verify_client(&by_secret, &mixed, NOW), Err(Invalid::NotAllowed.into()));
    let by_key = assertion(json!({}));
    let wanted_secret = verify_client(&by_key, &rules(ClientKeys::Secret(SECRET)), NOW);
    assert_eq!(wanted_secret, Err(Invalid::NotAllowed.into()));
    // A secret has as many bytes as its algorithm wants.
    let secrets = [SECRET.get(..31).unwrap(), SECRET.get(..8).unwrap(), b""];
    for short in secrets {
        let attempt = verify_client(&by_secret, &rules(ClientKeys::Secret(short)), NOW);
        assert!(matches!(attempt, Err(BadAssertion::Key(_))), "{}", short.len());
    }
    let long =
        signed_as("", &Jwk::from_secret(&[7; 48]).unwrap(), SignatureAlgorithm::Hs384, &claims(json!({})));
    let attempt = verify_client(&long, &rules(ClientKeys::Secret(&[7; 48])), NOW);
    assert_eq!(attempt, Err(Invalid::NotAllowed.into()), "HS384 is not what it registered");
}

#[test]
fn it_is_for_us() {
    for aud in [json!(ISSUER), json!(TOKEN), json!([TOKEN]), json!(["https://other.example", ISSUER])] {
        assert!(check(&assertion(json!({"aud": aud}))).is_ok(), "{aud}");
    }
    let slash = format!("{ISSUER}/");
    for aud in [json!("https://other.example"), json!(slash), json!(["https://other.example"]), json!("")] {
        assert_eq!(check(&assertion(json!({"aud": aud}))), Err(BadClaims::Audience.into()), "{aud}");
    }
    for aud in [json!([]), json!([ISSUER, 1]), json!(1), json!({"a": ISSUER})] {
        assert_eq!(check(&assertion(json!({"aud": aud}))), Err(BadClaims::Type("aud").into()), "{aud}");
    }
}

#[test]
fn where_fapi_counts_it_is_for_the_issuer_alone() {
    let keys = public(&key(), EDDSA);
    let alone =
        ClientRules { audience: AudienceRule::IssuerAlone(ISSUER), ..rules(ClientKeys::Public(&keys)) };
    let attempt = |aud: Value| verify_client(&assertion(json!({"aud": aud})), &alone, NOW).map(|_| ());
    assert_eq!(attempt(json!(ISSUER)), Ok(()));
    assert_eq!(attempt(json!([ISSUER])), Err(BadAssertion::AudienceForm));
    assert_eq!(attempt(json!([ISSUER, TOKEN])), Err(BadAssertion::AudienceForm));
    assert_eq!(attempt(json!(TOKEN)), Err(BadClaims::Audience.into()));
    assert_eq!(attempt(Value::Null), Err(BadClaims::Missing("aud").into()));
}

#[test]
fn clocks_may_differ_by_seconds_and_not_by_minutes() {
    for name in ["iat", "nbf"] {
        for (ahead, fits) in [(8, true), (10, true), (30, true), (31, false), (61, false), (3600, false)] {
            let read = check(&assertion(json!({name: NOW.seconds() + ahead})));
            assert_eq!(read.is_ok(), fits, "{name} {ahead}");
        }
    }
    // The end: with the skew, and remembered for as long as it is accepted.
    let read = check(&assertion(json!({}))).unwrap();
    let keys = public(&key(), EDDSA);
    let at = |now| verify_client(&assertion(json!({})), &rules(ClientKeys::Public(&keys)), now);
    let end = NOW + Duration::from_secs(90);
    assert!(at(end - Duration::from_micros(1)).is_ok() && read.expires == end);
    assert_eq!(at(end), Err(BadClaims::Expired.into()));
}

#[test]
fn it_lives_ten_minutes_at_most() {
    let longest = i64::try_from((LONGEST + SKEW).as_secs()).unwrap();
    for (lives, fits) in [(longest - 1, true), (longest, true), (longest + 1, false), (86_400, false)] {
        let read = check(&assertion(json!({"exp": NOW.seconds() + lives})));
        assert_eq!(read.map(|_| ()), if fits { Ok(()) } else { Err(BadAssertion::TooLong) }, "{lives}");
    }
    let milliseconds = check(&assertion(json!({"exp": NOW.seconds() * 1000})));
    assert_eq!(milliseconds, Err(BadClaims::Type("exp").into()));
}

#[test]
fn tokens_made_for_something_else_are_no_assertions() {
    for typ in ["", "JWT", "jwt", "application/jwt", "client-authentication+jwt"] {
        assert!(check(&signed_as(typ, &key(), EDDSA, &claims(json!({})))).is_ok(), "{typ}");
    }
    for typ in ["at+jwt", "dpop+jwt", "logout+jwt", "oauth-authz-req+jwt", "authorization-grant+jwt", "x"] {
        let read = check(&signed_as(typ, &key(), EDDSA, &claims(json!({}))));
        assert_eq!(read, Err(BadClaims::Typ.into()), "{typ}");
    }
    let encrypted = check("a.b.c.d.e");
    assert_eq!(encrypted, Err(Malformed::Encrypted.into()));
}

#[test]
fn the_mark_is_that_of_client_and_name() {
    let read = check(&assertion(json!({}))).unwrap();
    let again = check(&assertion(json!({"exp": NOW.seconds() + 61}))).unwrap();
    let other = check(&assertion(json!({"jti": "two"}))).unwrap();
    assert_eq!(read.used().id(), again.used().id());
    assert_ne!(read.used().id(), other.used().id());
    assert_ne!(read.used().id(), ClientAssertion { client: "other".into(), ..read.clone() }.used().id());
    for (length, fits) in [(0, false), (1, true), (256, true), (257, false)] {
        assert_eq!(check(&assertion(json!({"jti": "x".repeat(length)}))).is_ok(), fits, "{length}");
    }
}

#[test]
fn a_trusted_issuer_says_who_somebody_is() {
    const TRUSTED: &str = "https://partner.example";
    let keys = public(&key(), EDDSA);
    let rules = GrantRules {
        issuer: TRUSTED,
        keys: &keys,
        allowed: &[EDDSA, HS256],
        audiences: &[ISSUER, TOKEN],
        once: true,
        longest: LONGEST,
        skew: SKEW,
    };
    let signed = |changes: Value| {
        let mut claims = claims(json!({"iss": TRUSTED, "sub": "ann", "groups": ["a"]}));
        let (Value::Object(into), Value::Object(changes)) = (&mut claims, changes) else { panic!("objects") };
        into.extend(changes);
        into.retain(|_, value| !value.is_null());
        signed_as("", &key(), EDDSA, &claims)
    };
    let good = signed(json!({}));
    assert_eq!(claimed_issuer(&good).unwrap(), TRUSTED);
    let read = verify_grant(&good, &rules, NOW).unwrap();
    assert_eq!((read.issuer.as_str(), read.subject.as_str()), (TRUSTED, "ann"));
    assert_eq!(read.claims.others.get("groups"), Some(&json!(["a"])));
    let check = |changes: Value| verify_grant(&signed(changes), &rules, NOW).map(|_| ());
    assert_eq!(check(json!({"iss": "https://other.example"})), Err(BadClaims::Issuer.into()));
    assert_eq!(check(json!({"aud": TRUSTED})), Err(BadClaims::Audience.into()));
    assert_eq!(check(json!({"sub": ""})), Err(BadClaims::Type("sub").into()));
    assert_eq!(check(json!({"exp": NOW.seconds() + 631})), Err(BadAssertion::TooLong));
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        assert_eq!(check(json!({name: null})), Err(BadClaims::Missing(name).into()));
    }
    let nameless =
        verify_grant(&signed(json!({"jti": null})), &GrantRules { once: false, ..rules }, NOW).unwrap();
    assert_eq!(nameless.used(), None);
    let by_secret =
        signed_as("", &Jwk::from_secret(SECRET).unwrap(), HS256, &claims(json!({"iss": TRUSTED})));
    assert_eq!(verify_grant(&by_secret, &rules, NOW), Err(Invalid::NotAllowed.into()));
    for typ in ["at+jwt", "client-authentication+jwt", "dpop+jwt"] {
        let token = signed_as(typ, &key(), EDDSA, &claims(json!({"iss": TRUSTED})));
        assert_eq!(verify_grant(&token, &rules, NOW), Err(BadClaims::Typ.into()), "{typ}");
    }
}
