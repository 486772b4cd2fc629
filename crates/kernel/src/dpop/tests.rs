use std::collections::HashSet;

use serde_json::{Map, json};

use super::*;
use crate::jose::{OkpCurve, Signer, SigningKey};
use crate::record::Record;
use crate::secret::{RootKey, SeededEntropy};

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const TOKEN: &str = "https://login.example.com/oauth/token";

/// That for EdDSA is the same each time.
fn key(algorithm: SignatureAlgorithm) -> Jwk {
    Jwk::generate(algorithm, &SeededEntropy::new(7)).unwrap()
}

fn nonces() -> Nonces {
    Nonces::new(&RootKey::from_bytes([3; 32]), Duration::from_secs(60))
}

/// A proof with these members changed; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"jti": "a1", "htm": "POST", "htu": TOKEN, "iat": NOW.seconds()});
    merge(&mut claims, changes);
    claims
}

fn merge(into: &mut Value, changes: Value) {
    let (Value::Object(into), Value::Object(changes)) = (into, changes) else { panic!("objects") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(into.remove(&name)),
            value => drop(into.insert(name, value)),
        }
    }
}

/// The public key, without what it says about itself.
fn jwk_of(key: &Jwk) -> Value {
    let mut jwk = serde_json::from_str(&key.to_json().unwrap()).unwrap();
    merge(&mut jwk, json!({"kid": null, "alg": null, "use": null}));
    jwk
}

fn signed_as(typ: &str, key: &Jwk, algorithm: SignatureAlgorithm, jwk: Value, claims: &Value) -> String {
    let signing = SigningKey::new(key, algorithm).unwrap();
    let mut members = Map::new();
    if !jwk.is_null() {
        members.insert("jwk".into(), jwk);
    }
    Signer::with_members(signing, typ, members).unwrap().sign_claims(claims).unwrap()
}

fn proof(claims: &Value) -> String {
    let key = key(SignatureAlgorithm::EdDsa);
    signed_as(TYPE, &key, SignatureAlgorithm::EdDsa, jwk_of(&key), claims)
}

fn check_at(proof: &str, now: Moment) -> Result<Proof, BadProof> {
    let (nonces, address) = (nonces(), Url::parse(TOKEN).unwrap());
    let request = Request { method: "POST", addresses: &[&address], access_token: None, now };
    verify(proof.as_bytes(), &request, &Rules::new(NonceRule::Accepted(&nonces)))
}

fn check(proof: &str) -> Result<Proof, BadProof> {
    check_at(proof, NOW)
}

#[test]
fn the_proof_of_the_rfc_is_verified() {
    // RFC 9449 §4.1, and the thumbprint of its key in §6.1.
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let (nonces, address) = (nonces(), Url::parse("https://server.example.com/token").unwrap());
    let now = Moment::from_micros(1_562_262_616_000_000);
    let request = Request { method: "POST", addresses: &[&address], access_token: None, now };
    let read = verify(proof.as_bytes(), &request, &Rules::new(NonceRule::Accepted(&nonces))).unwrap();
    assert_eq!(read.jkt.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(read.jti, "-BwC3ESc6acc2lTc");
}

#[test]
fn every_default_algorithm_proves_its_key() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let proof = check(&signed_as(TYPE, &key, algorithm, jwk_of(&key), &claims(json!({})))).unwrap();
        assert_eq!(proof.jkt, Thumbprint::of(&key).unwrap(), "{algorithm}");
        assert_eq!(proof.jti, "a1");
    }
}

#[test]
fn algorithms_that_are_not_on_the_list_and_shared_secrets_prove_nothing() {
    for algorithm in [SignatureAlgorithm::Ps384, SignatureAlgorithm::Rs256] {
        let key = key(algorithm);
        let proof = signed_as(TYPE, &key, algorithm, jwk_of(&key), &claims(json!({})));
        assert_eq!(check(&proof), Err(Invalid::NotAllowed.into()));
    }
    // A secret in the header "verifies" whatever was signed with it.
    let secret = Jwk::from_secret(&[9; 64]).unwrap();
    let jwk: Value = serde_json::from_str(&secret.to_private_json()).unwrap();
    let nonces = nonces();
    let address = Url::parse(TOKEN).unwrap();
    let request = Request { method: "POST", addresses: &[&address], access_token: None, now: NOW };
    for algorithm in [SignatureAlgorithm::Hs256, SignatureAlgorithm::Hs512] {
        let proof = signed_as(TYPE, &secret, algorithm, jwk.clone(), &claims(json!({})));
        let lenient = Rules { allowed: SignatureAlgorithm::ALL, ..Rules::new(NonceRule::Accepted(&nonces)) };
        assert_eq!(verify(proof.as_bytes(), &request, &lenient), Err(BadProof::PrivateKey));
        // The secret is the public key in the header.
        let public = jwk_of(&self::key(SignatureAlgorithm::Es256));
        let confused = Jwk::from_secret(public.to_string().as_bytes()).unwrap();
        let proof = signed_as(TYPE, &confused, algorithm, public, &claims(json!({})));
        assert_eq!(verify(proof.as_bytes(), &request, &lenient), Err(Invalid::NotAllowed.into()));
    }
}

#[test]
fn the_key_in_the_header_is_public_sound_and_the_one_that_signed() {
    let signing = key(SignatureAlgorithm::Es256);
    let attempt =
        |jwk: Value| check(&signed_as(TYPE, &signing, SignatureAlgorithm::Es256, jwk, &claims(json!({}))));
    assert_eq!(attempt(Value::Null), Err(BadProof::NoKey));
    assert_eq!(attempt(json!("key")), Err(BadProof::NoKey));
    assert_eq!(attempt(json!([jwk_of(&signing)])), Err(BadProof::NoKey));
    assert_eq!(attempt(json!({})), Err(KeyError::Missing("kty").into()));
    let private: Value = serde_json::from_str(&signing.to_private_json()).unwrap();
    assert_eq!(attempt(private), Err(BadProof::PrivateKey));
    for name in PRIVATE {
        let mut jwk = jwk_of(&signing);
        merge(&mut jwk, json!({name: "AA"}));
        assert_eq!(attempt(jwk), Err(BadProof::PrivateKey), "{name}");
    }
    let other = Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(8)).unwrap();
    assert_eq!(attempt(jwk_of(&other)), Err(Invalid::Signature.into()));
    let of_other_kind = Jwk::generate_okp(OkpCurve::Ed25519, &SeededEntropy::new(8)).unwrap();
    assert!(matches!(attempt(jwk_of(&of_other_kind)), Err(BadProof::Key(KeyError::Purpose(_)))));
    let mut for_encryption = jwk_of(&signing);
    merge(&mut for_encryption, json!({"use": "enc"}));
    assert!(matches!(attempt(for_encryption), Err(BadProof::Key(KeyError::Purpose(_)))));
    let mut off_its_curve = jwk_of(&signing);
    merge(&mut off_its_curve, json!({"y": BASE64URL_NOPAD.encode(&[1; 32])}));
    assert_eq!(attempt(off_its_curve), Err(KeyError::NotAKey.into()));
    let short = json!({"kty": "RSA", "e": "AQAB", "n": BASE64URL_NOPAD.encode(&[0xff; 128])});
    assert!(matches!(attempt(short), Err(BadProof::Key(KeyError::Size(_)))));
    // What the key says about itself makes it no other key.
    let mut named = jwk_of(&signing);
    merge(&mut named, json!({"kid": "mine", "use": "sig", "alg": "ES256", "x5c": ["AA"]}));
    assert_eq!(attempt(named).unwrap().jkt, Thumbprint::of(&signing).unwrap());
    // Neither does what the header calls it.
    let with_id = signing.clone().with_kid("another");
    let proof = signed_as(TYPE, &with_id, SignatureAlgorithm::Es256, jwk_of(&signing), &claims(json!({})));
    assert!(check(&proof).is_ok());
}

#[test]
fn other_tokens_are_no_proofs() {
    let key = key(SignatureAlgorithm::Es256);
    for typ in ["", "JWT", "at+jwt", "dpop", "jwt", "oauth-authz-req+jwt", "application/x/dpop+jwt"] {
        let token = signed_as(typ, &key, SignatureAlgorithm::Es256, jwk_of(&key), &claims(json!({})));
        assert_eq!(check(&token), Err(BadClaims::Typ.into()), "{typ:?}");
    }
    for typ in ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"] {
        let token = signed_as(typ, &key, SignatureAlgorithm::Es256, jwk_of(&key), &claims(json!({})));
        assert!(check(&token).is_ok(), "{typ:?}");
    }
    assert_eq!(check("").unwrap_err(), Malformed::Parts.into());
    assert_eq!(check("a.b.c.d.e").unwrap_err(), Malformed::Encrypted.into());
    let good = proof(&claims(json!({})));
    // Two that were joined are none.
    assert!(matches!(check(&format!("{good},{good}")), Err(BadProof::Malformed(_))));
    assert_eq!(check(&format!("{good}{}", " ".repeat(LIMITS.token))).unwrap_err(), Malformed::TooLong.into());
}

#[test]
fn there_is_exactly_one_header() {
    let headers = [b"a".as_slice(), b"b"];
    assert_eq!(single(headers.iter().take(0).copied()), Ok(None));
    assert_eq!(single(headers.iter().take(1).copied()), Ok(Some(headers[0])));
    assert_eq!(single(headers.iter().copied()), Err(BadProof::Count));
    assert_eq!(single([headers[0], headers[0]].into_iter()), Err(BadProof::Count));
}

#[test]
fn it_is_for_one_method_and_one_address() {
    for method in ["GET", "post", "Post", "POST ", ""] {
        assert_eq!(check(&proof(&claims(json!({"htm": method})))), Err(BadProof::Method), "{method:?}");
    }
    let elsewhere = ["https://evil.example/oauth/token", "https://login.example.com/oauth/par", ""];
    for address in elsewhere {
        assert_eq!(check(&proof(&claims(json!({"htu": address})))), Err(BadProof::Address), "{address:?}");
    }
    let with_query = format!("{TOKEN}?a=b#c");
    assert!(check(&proof(&claims(json!({"htu": with_query})))).is_ok());
    for name in ["htm", "htu", "jti", "iat"] {
        assert_eq!(check(&proof(&claims(json!({name: null})))), Err(BadClaims::Missing(name).into()));
        assert_eq!(check(&proof(&claims(json!({name: [1]})))), Err(BadClaims::Type(name).into()));
    }
}

#[test]
fn one_of_several_addresses_is_enough() {
    let (nonces, plain) = (nonces(), Url::parse(TOKEN).unwrap());
    let alias = Url::parse("https://mtls.login.example.com/oauth/token").unwrap();
    let rules = Rules::new(NonceRule::Accepted(&nonces));
    let good = proof(&claims(json!({"htu": alias.as_str()})));
    for (addresses, fits) in [(vec![&plain], false), (vec![&plain, &alias], true), (vec![], false)] {
        let request = Request { method: "POST", addresses: &addresses, access_token: None, now: NOW };
        assert_eq!(verify(good.as_bytes(), &request, &rules).is_ok(), fits);
    }
}

#[test]
fn a_name_is_there_and_bounded() {
    for (length, fits) in [(0, false), (1, true), (256, true), (257, false)] {
        let read = check(&proof(&claims(json!({"jti": "x".repeat(length)}))));
        assert_eq!(read.is_ok(), fits, "{length}");
    }
}

#[test]
fn it_is_fresh_and_remembered_for_as_long_as_it_is_accepted() {
    let second = Duration::from_secs(1);
    let good = proof(&claims(json!({})));
    let read = check(&good).unwrap();
    for (now, fits) in [
        (NOW - second * 31, false),
        (NOW - second * 30, true),
        (NOW - second * 10, true),
        (NOW + second * 90, true),
        (NOW + second * 90 + Duration::from_micros(1), false),
    ] {
        assert_eq!(check_at(&good, now).is_ok(), fits, "{now:?}");
        assert!(!fits || read.expires > now, "forgotten while it is still accepted");
    }
    let expired = claims(json!({"exp": NOW.seconds() - 31}));
    assert_eq!(check(&proof(&expired)), Err(BadClaims::Expired.into()));
    for iat in [json!("1800000000"), json!(-1), json!(1.8e15), json!(true)] {
        assert_eq!(check(&proof(&claims(json!({"iat": iat})))), Err(BadClaims::Type("iat").into()));
    }
}

#[test]
fn with_an_access_token_comes_its_hash() {
    let (nonces, address) = (nonces(), Url::parse(TOKEN).unwrap());
    let rules = Rules::new(NonceRule::Accepted(&nonces));
    let attempt = |ath: Value, access_token| {
        let request = Request { method: "POST", addresses: &[&address], access_token, now: NOW };
        verify(proof(&claims(json!({"ath": ath}))).as_bytes(), &request, &rules).map(|_| ())
    };
    // RFC 9449 §7.1.
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let hash = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
    assert_eq!(attempt(json!(hash), Some(token)), Ok(()));
    assert_eq!(attempt(json!(hash), Some("another")), Err(BadProof::AccessToken));
    assert_eq!(attempt(Value::Null, Some(token)), Err(BadClaims::Missing("ath").into()));
    assert_eq!(attempt(json!(1), Some(token)), Err(BadClaims::Type("ath").into()));
    for odd in [String::new(), hash.to_uppercase(), format!("{hash}="), hash[..42].to_owned()] {
        assert_eq!(attempt(json!(odd), Some(token)), Err(BadProof::AccessToken), "{odd}");
    }
}

#[test]
fn a_nonce_is_ours_and_of_now() {
    let (nonces, address) = (nonces(), Url::parse(TOKEN).unwrap());
    let request = Request { method: "POST", addresses: &[&address], access_token: None, now: NOW };
    let attempt = |nonce: Value, rule| {
        let proof = proof(&claims(json!({"nonce": nonce})));
        verify(proof.as_bytes(), &request, &Rules::new(rule)).map(|_| ())
    };
    let (accepted, required) = (NonceRule::Accepted(&nonces), NonceRule::Required(&nonces));
    let old = nonces.issue(NOW - Duration::from_secs(121));
    let others = Nonces::new(&RootKey::from_bytes([9; 32]), Duration::from_secs(60)).issue(NOW);
    for rule in [accepted, required] {
        assert_eq!(attempt(json!(nonces.issue(NOW)), rule), Ok(()));
        for bad in [&old, &others, "", "nonce"] {
            assert_eq!(attempt(json!(bad), rule), Err(BadProof::Nonce), "{bad}");
        }
        assert_eq!(attempt(json!(7), rule), Err(BadClaims::Type("nonce").into()));
    }
    assert_eq!(attempt(Value::Null, accepted), Ok(()));
    assert_eq!(attempt(Value::Null, required), Err(BadProof::Nonce));
}

/// Of a stranger's proof, nothing is told before its signature is right.
#[test]
fn a_changed_proof_is_refused_whatever_was_changed() {
    let good = proof(&claims(json!({})));
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(check(&changed).is_err(), "{at}");
        assert!(check(&good[..at]).is_err(), "{at}");
    }
}

#[test]
fn the_mark_is_that_of_key_and_name() {
    let one = check(&proof(&claims(json!({})))).unwrap();
    let again = check(&proof(&claims(json!({"iat": NOW.seconds() + 1})))).unwrap();
    assert_eq!(one.used().id(), again.used().id(), "the same name again is a replay");
    let other_name = check(&proof(&claims(json!({"jti": "a2"})))).unwrap();
    let other_key = key(SignatureAlgorithm::Es256);
    let other_key =
        signed_as(TYPE, &other_key, SignatureAlgorithm::Es256, jwk_of(&other_key), &claims(json!({})));
    let other_key = check(&other_key).unwrap();
    let ids: HashSet<_> = [&one, &other_name, &other_key].map(|proof| proof.used().id()).into();
    assert_eq!(ids.len(), 3, "nobody uses up the name of another's proof");
    assert_eq!(one.used().death(), one.expires);
}
