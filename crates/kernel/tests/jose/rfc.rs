//! The examples of RFC 7515, 7517, 7519, 7520 §4, 7638 and 8037, byte for byte.

use gateward_kernel::jose::{
    Claims, Invalid, Jwk, JwkSet, KeyAlgorithm, KeyError, KeyMaterial, KeyUse, Limits, Malformed,
    SignatureAlgorithm, Signer, SigningKey, parse,
};
use gateward_kernel::time::Moment;
use serde_json::Value;

use crate::forge::{Outcome, attempt, set};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rfc7515() -> Value {
    vectors(include_str!("vectors/rfc7515.json"))
}

fn rfc7517() -> Value {
    vectors(include_str!("vectors/rfc7517.json"))
}

fn rfc7520() -> Value {
    vectors(include_str!("vectors/rfc7520.json"))
}

fn jwk(value: &Value) -> Jwk {
    Jwk::from_json(value.to_string().as_bytes()).unwrap()
}

#[test]
fn rfc7515_a1_to_a4_verify_and_sign_again() {
    let vectors = rfc7515();
    let examples = vectors["signed"].as_array().unwrap();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let name = example["name"].as_str().unwrap();
        let algorithm: SignatureAlgorithm = example["alg"].as_str().unwrap().parse().unwrap();
        let key = jwk(&example["key"]);
        let keys = set(&[(&key, algorithm)]);
        let payload = example["payload"].as_str().unwrap().as_bytes();
        let token = example["token"].as_str().unwrap();
        assert_eq!(attempt(token, &keys, &[algorithm]), Outcome::Accepted(payload.to_vec()), "{name}");
        let others: Vec<_> =
            SignatureAlgorithm::ALL.iter().copied().filter(|other| *other != algorithm).collect();
        assert_eq!(attempt(token, &keys, &others), Outcome::Invalid(Invalid::NotAllowed), "{name}");

        let again = Signer::new(SigningKey::new(&key, algorithm).unwrap(), "").sign(payload).unwrap();
        assert_eq!(attempt(&again, &keys, &[algorithm]), Outcome::Accepted(payload.to_vec()), "{name}");
        // RS256 is deterministic, and the example's header is written as ours.
        assert_eq!(algorithm == SignatureAlgorithm::Rs256, again == token, "{name}");
    }
}

#[test]
fn rfc7515_a5_unsecured_and_the_unknown_extension_of_appendix_e_are_refused() {
    let vectors = rfc7515();
    let key = jwk(&vectors["signed"][0]["key"]);
    let keys = set(&[(&key, SignatureAlgorithm::Hs256)]);
    let unsecured = vectors["unsecured"].as_str().unwrap();
    assert_eq!(attempt(unsecured, &keys, SignatureAlgorithm::ALL), Outcome::Malformed(Malformed::Parts));
    let with_a_signature = format!("{unsecured}AAAA");
    assert_eq!(
        attempt(&with_a_signature, &keys, SignatureAlgorithm::ALL),
        Outcome::Malformed(Malformed::Algorithm)
    );
    let critical = format!("{}AAAA", vectors["critical_unknown"].as_str().unwrap());
    assert_eq!(attempt(&critical, &keys, SignatureAlgorithm::ALL), Outcome::Malformed(Malformed::Extension));
}

#[test]
fn rfc7517_a1_a2_the_sets_are_read_and_written_without_a_loss() {
    let vectors = rfc7517();
    for (name, private) in [("public", false), ("private", true)] {
        let keys = JwkSet::from_json(vectors[name].to_string().as_bytes()).unwrap();
        assert_eq!((keys.keys.len(), keys.skipped.len()), (2, 0));
        let [ec, rsa] = &keys.keys[..] else { panic!("two keys") };
        assert_eq!((ec.kid(), ec.key_use(), ec.alg()), (Some("1"), Some(KeyUse::Encryption), None));
        assert_eq!(rsa.alg(), Some(KeyAlgorithm::Signature(SignatureAlgorithm::Rs256)));
        for (key, written) in keys.keys.iter().zip(vectors[name]["keys"].as_array().unwrap()) {
            assert_eq!(key.is_private(), private);
            let mut again: Value = serde_json::from_str(&key.to_private_json()).unwrap();
            assert_eq!(again, *written);
            for member in ["d", "p", "q", "dp", "dq", "qi"] {
                again.as_object_mut().unwrap().remove(member);
            }
            // The public key says for what it is: `use` of the signing key follows from nothing, and stays away.
            assert_eq!(serde_json::from_str::<Value>(&key.to_json().unwrap()).unwrap(), again);
        }
        let public: Value = serde_json::from_str(&keys.to_json()).unwrap();
        assert_eq!(public, vectors["public"]);
    }
}

#[test]
fn rfc7517_a3_a_key_of_an_unknown_algorithm_is_passed_over() {
    let keys = JwkSet::from_json(rfc7517()["symmetric"].to_string().as_bytes()).unwrap();
    assert_eq!(keys.skipped, [KeyError::Unsupported("alg")]);
    assert_eq!(keys.keys.len(), 1);
    assert_eq!(keys.find("HMAC key used in JWS A.1 example").count(), 1);
    assert_eq!(keys.to_json(), r#"{"keys":[]}"#);
}

#[test]
fn rfc7517_b_c_certificates_are_passed_over_and_encryption_keys_do_not_sign() {
    let vectors = rfc7517();
    let certified = jwk(&vectors["with_certificate"]);
    assert_eq!((certified.kid(), certified.key_use()), (Some("1b94c"), Some(KeyUse::Signature)));
    assert!(!certified.to_json().unwrap().contains("x5c"));
    let encryption = jwk(&vectors["for_encryption"]);
    let refused = SigningKey::new(&encryption, SignatureAlgorithm::Rs256).unwrap_err();
    assert_eq!(refused, KeyError::Purpose("its `use` or `key_ops` does not allow it"));
}

#[test]
fn rfc7638_and_rfc8037_thumbprints() {
    let vectors = rfc7517();
    for (key, thumbprint) in vectors["public"]["keys"].as_array().unwrap().iter().zip([
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
        // RFC 7638 §3.1.
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    ]) {
        assert_eq!(jwk(key).thumbprint(), thumbprint);
    }
    for (public, private) in vectors["public"]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .zip(vectors["private"]["keys"].as_array().unwrap())
    {
        assert_eq!(jwk(public).thumbprint_bytes(), jwk(private).thumbprint_bytes());
    }
    // RFC 8037 A.3.
    let key = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(Jwk::from_json(key).unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc8037_a4_a5_ed25519_signs_and_verifies_the_example() {
    let key = Jwk::from_json(
        br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    )
    .unwrap();
    let signer = Signer::new(SigningKey::new(&key, SignatureAlgorithm::EdDsa).unwrap(), "");
    let token = signer.sign(b"Example of Ed25519 signing").unwrap();
    assert_eq!(
        token,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4\
         ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    let keys = set(&[(&key, SignatureAlgorithm::EdDsa)]);
    let expected = Outcome::Accepted(b"Example of Ed25519 signing".to_vec());
    assert_eq!(attempt(&token, &keys, &[SignatureAlgorithm::EdDsa]), expected);
}

#[test]
fn rfc7520_section_4_verifies_and_what_is_deterministic_is_made_again() {
    let vectors = rfc7520();
    let (ec, rsa, mac) = (jwk(&vectors["ec_private"]), jwk(&vectors["rsa_private"]), jwk(&vectors["mac"]));
    assert_eq!(serde_json::from_str::<Value>(&ec.to_json().unwrap()).unwrap(), vectors["ec_public"]);
    assert_eq!(serde_json::from_str::<Value>(&rsa.to_json().unwrap()).unwrap(), vectors["rsa_public"]);
    // Two keys of one name and different types, as in §4.8.
    let keys = set(&[
        (&ec, SignatureAlgorithm::Es512),
        (&rsa, SignatureAlgorithm::Rs256),
        (&rsa, SignatureAlgorithm::Ps384),
        (&mac, SignatureAlgorithm::Hs256),
    ]);
    let payload = vectors["payload"].as_str().unwrap().as_bytes();
    let tokens = vectors["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), 7);
    for (section, token) in tokens {
        let outcome = attempt(token.as_str().unwrap(), &keys, SignatureAlgorithm::ALL);
        assert_eq!(outcome, Outcome::Accepted(payload.to_vec()), "§{section}");
    }
    for (section, key, algorithm, again) in [
        ("4.1", &rsa, SignatureAlgorithm::Rs256, true),
        ("4.2", &rsa, SignatureAlgorithm::Ps384, false),
        ("4.3", &ec, SignatureAlgorithm::Es512, false),
        ("4.4", &mac, SignatureAlgorithm::Hs256, true),
    ] {
        let made = Signer::new(SigningKey::new(key, algorithm).unwrap(), "").sign(payload).unwrap();
        assert_eq!(made == tokens[section].as_str().unwrap(), again, "§{section}");
        assert_eq!(attempt(&made, &keys, &[algorithm]), Outcome::Accepted(payload.to_vec()), "§{section}");
    }
    // §4.5: with its content taken out, the token of §4.4 is not one of an empty content.
    let (head, tail) = tokens["4.4"].as_str().unwrap().split_once('.').unwrap();
    let detached = format!("{head}..{}", tail.split_once('.').unwrap().1);
    let outcome = attempt(&detached, &keys, SignatureAlgorithm::ALL);
    assert_eq!(outcome, Outcome::Invalid(Invalid::Signature));
}

#[test]
fn rfc7519_claims_of_the_example_and_the_unsecured_one_refused() {
    let vectors = rfc7515();
    let token = vectors["signed"][0]["token"].as_str().unwrap();
    let unverified = parse(token, Limits::default()).unwrap();
    assert_eq!(unverified.header().typ(), Some("JWT"));
    let claims = Claims::read(&unverified.unverified_payload().unwrap()).unwrap();
    assert_eq!(claims.issuer.as_deref(), Some("joe"));
    assert_eq!(claims.expires, Some(Moment::from_micros(1_300_819_380_000_000)));
    assert_eq!(claims.others.get("http://example.com/is_root"), Some(&Value::Bool(true)));
    // RFC 7519 §6.1.
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb\
                     S9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(parse(unsecured, Limits::default()).unwrap_err(), Malformed::Parts);
}

#[test]
fn the_encryption_key_of_rfc7520_does_not_authenticate() {
    let key = jwk(&rfc7520()["encryption"]);
    assert!(matches!(key.material(), KeyMaterial::Oct(_)));
    assert!(matches!(SigningKey::new(&key, SignatureAlgorithm::Hs256), Err(KeyError::Purpose(_))));
}
