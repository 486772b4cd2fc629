//! JSON Web Keys: what is taken, what is refused, and what is never shown.

use gateward_kernel::jose::jwk::{MAX_KEY_LEN, MAX_KEYS, MAX_SET_LEN};
use gateward_kernel::jose::{
    Jwk, JwkSet, KeyAlgorithm, KeyError, KeyMaterial, KeyOperation, NotStrict, OkpCurve, SignatureAlgorithm,
    SigningKey, VerifyingKey,
};
use gateward_kernel::secret::SeededEntropy;
use serde_json::{Value, json};

use crate::forge::encoded;

fn rfc7515(at: usize) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/rfc7515.json")).unwrap();
    vectors["signed"][at]["key"].clone()
}

fn rsa() -> Value {
    rfc7515(1)
}

fn ec() -> Value {
    rfc7515(2)
}

fn okp() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

fn read(key: &Value) -> Result<Jwk, KeyError> {
    Jwk::from_json(key.to_string().as_bytes())
}

fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
    key[name] = value.into();
    key
}

fn without(mut key: Value, names: &[&str]) -> Value {
    for name in names {
        key.as_object_mut().unwrap().remove(*name);
    }
    key
}

fn decoded(key: &Value, name: &str) -> Vec<u8> {
    data_encoding::BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn a_generated_key_survives_writing_and_reading() {
    for algorithm in SignatureAlgorithm::ALL.iter().copied() {
        let key = Jwk::generate(algorithm, &SeededEntropy::new(3)).unwrap();
        assert_eq!(key.alg(), Some(KeyAlgorithm::Signature(algorithm)));
        assert_eq!(key.kid().is_none(), algorithm.is_hmac());
        let again = Jwk::from_json(key.to_private_json().as_bytes()).unwrap();
        assert_eq!(again.to_private_json(), key.to_private_json());
        assert_eq!(again.thumbprint(), key.thumbprint());
        if algorithm.is_hmac() {
            assert!(key.public().is_none() && key.to_json().is_none());
            continue;
        }
        assert_eq!(key.kid().unwrap(), key.thumbprint());
        let public = Jwk::from_json(key.to_json().unwrap().as_bytes()).unwrap();
        assert!(!public.is_private());
        assert_eq!(public.thumbprint(), key.thumbprint());
        assert_eq!(SigningKey::new(&public, algorithm).unwrap_err(), KeyError::NotPrivate);
        assert_eq!(*public.to_private_json(), key.to_json().unwrap());
        let from_pem = Jwk::from_pem(&key.to_private_pem().unwrap()).unwrap();
        assert_eq!(from_pem.thumbprint(), key.thumbprint());
    }
    let agreement = Jwk::generate_okp(OkpCurve::X25519, &SeededEntropy::new(3)).unwrap();
    assert!(matches!(SigningKey::new(&agreement, SignatureAlgorithm::EdDsa), Err(KeyError::Purpose(_))));
    for bits in [0, 1024, 2047, 2049, 8192] {
        assert!(matches!(Jwk::generate_rsa(bits), Err(KeyError::Size(_))));
    }
}

#[test]
fn nothing_private_is_shown() {
    for key in [rsa(), ec(), okp(), rfc7515(0)] {
        let shown = format!("{:?}", read(&key).unwrap());
        let algorithm = match key["kty"].as_str().unwrap() {
            "RSA" => SignatureAlgorithm::Rs256,
            "EC" => SignatureAlgorithm::Es256,
            "OKP" => SignatureAlgorithm::EdDsa,
            _ => SignatureAlgorithm::Hs256,
        };
        let key_object = read(&key).unwrap();
        let ready = format!(
            "{:?} {:?}",
            SigningKey::new(&key_object, algorithm).unwrap(),
            VerifyingKey::new(&key_object, algorithm).unwrap()
        );
        for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            if let Some(secret) = key[member].as_str() {
                assert!(!shown.contains(secret) && !ready.contains(secret));
                let hex = data_encoding::HEXLOWER.encode(&decoded(&key, member));
                let list = format!("{:?}", decoded(&key, member));
                for text in [&shown, &ready] {
                    assert!(!text.to_lowercase().contains(&hex) && !text.contains(&list[1..20]));
                }
                assert!(!key_object.to_json().unwrap_or_default().contains(secret));
            }
        }
    }
}

#[test]
fn members_are_required_typed_and_encoded_strictly() {
    for (key, members) in [
        (rsa(), &["n", "e", "d"][..]),
        (ec(), &["crv", "x", "y", "d"]),
        (okp(), &["crv", "x", "d"]),
        (rfc7515(0), &["k"]),
    ] {
        assert!(read(&key).is_ok());
        assert_eq!(read(&without(key.clone(), &["kty"])).unwrap_err(), KeyError::Missing("kty"));
        for member in members.iter().copied() {
            let left_out = read(&without(key.clone(), &[member]));
            // Without `d` it is a public key, except where the rest of a private one remains.
            assert_eq!(left_out.is_ok(), member == "d" && key["kty"] != "RSA", "{member}");
            for wrong in [json!(null), json!(1), json!([]), json!({}), json!(true)] {
                let refusal = read(&with(key.clone(), member, wrong)).unwrap_err();
                assert_eq!(refusal, KeyError::Malformed(member));
            }
            let text = key[member].as_str().unwrap().to_owned();
            for wrong in [
                String::new(),
                format!("{text}="),
                format!("{text} "),
                format!(" {text}"),
                format!("{text}!"),
                "+/".into(),
            ] {
                assert!(read(&with(key.clone(), member, wrong)).is_err(), "{member}");
            }
        }
        for (member, value) in
            [("kty", "rsa"), ("kty", "DSA"), ("alg", "none"), ("alg", "RSA1_5"), ("use", "SIG")]
        {
            let refusal = read(&with(key.clone(), member, value)).unwrap_err();
            assert!(matches!(refusal, KeyError::Unsupported(_)), "{member} {value}");
        }
        for member in ["kid", "alg", "use", "key_ops"] {
            assert_eq!(read(&with(key.clone(), member, 7)).unwrap_err(), KeyError::Malformed(member));
        }
        assert!(read(&with(key.clone(), "kid", "k".repeat(256))).is_ok());
        assert_eq!(read(&with(key.clone(), "kid", "k".repeat(257))).unwrap_err(), KeyError::Malformed("kid"));
    }
}

#[test]
fn elliptic_points_and_numbers_must_fit() {
    let (x, y, d) = (decoded(&ec(), "x"), decoded(&ec(), "y"), decoded(&ec(), "d"));
    for (name, number) in [("x", &x), ("y", &y), ("d", &d)] {
        for wrong in [[&[0], &number[..]].concat(), number[1..].to_vec()] {
            assert_eq!(read(&with(ec(), name, encoded(&wrong))).unwrap_err(), KeyError::Malformed(name));
        }
        let mut other = number.clone();
        other[31] ^= 1;
        assert_eq!(read(&with(ec(), name, encoded(&other))).unwrap_err(), KeyError::NotAKey, "{name}");
        for wrong in [[0; 32], [0xff; 32]] {
            assert_eq!(read(&with(ec(), name, encoded(&wrong))).unwrap_err(), KeyError::NotAKey, "{name}");
        }
    }
    let zero = with(with(ec(), "x", encoded(&[0; 32])), "y", encoded(&[0; 32]));
    assert_eq!(read(&without(zero, &["d"])).unwrap_err(), KeyError::NotAKey);
    for curve in ["P-384", "P-521"] {
        assert_eq!(read(&with(ec(), "crv", curve)).unwrap_err(), KeyError::Malformed("x"));
    }
    for curve in ["secp256k1", "p-256", "Ed25519", ""] {
        assert_eq!(read(&with(ec(), "crv", curve)).unwrap_err(), KeyError::Unsupported("crv"));
    }
    let other = encoded(&[7; 32]);
    assert_eq!(read(&with(okp(), "d", other.clone())).unwrap_err(), KeyError::NotAKey);
    assert_eq!(read(&with(okp(), "crv", "X25519")).unwrap_err(), KeyError::NotAKey);
    assert_eq!(read(&with(okp(), "crv", "Ed448")).unwrap_err(), KeyError::Unsupported("crv"));
    assert_eq!(read(&with(okp(), "x", encoded(&[7; 31]))).unwrap_err(), KeyError::Malformed("x"));
    assert_eq!(read(&with(okp(), "d", encoded(&[7; 33]))).unwrap_err(), KeyError::Malformed("d"));
}

/// What foreign libraries write: zero bytes before numbers, private keys without their factors.
#[test]
fn rsa_numbers_are_checked_against_each_other() {
    let plain = read(&rsa()).unwrap();
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let padded = [&[0], &decoded(&rsa(), name)[..]].concat();
        let key = read(&with(rsa(), name, encoded(&padded))).unwrap();
        assert_eq!(key.to_private_json(), plain.to_private_json(), "{name}");
        assert_eq!(key.thumbprint(), plain.thumbprint());
        let mut other = decoded(&rsa(), name);
        let last = other.len() - 1;
        other[last] ^= 2;
        assert_eq!(read(&with(rsa(), name, encoded(&other))).unwrap_err(), KeyError::NotAKey, "{name}");
    }
    for names in [&["p", "q", "dp", "dq", "qi"][..], &["dp", "dq", "qi"], &["qi"], &["p"]] {
        assert_eq!(read(&without(rsa(), names)).unwrap_err(), KeyError::NoPrimeFactors, "{names:?}");
    }
    assert_eq!(read(&without(rsa(), &["d"])).unwrap_err(), KeyError::Missing("d"));
    let more = with(rsa(), "oth", json!([{ "r": "AQAB", "d": "AQAB", "t": "AQAB" }]));
    assert_eq!(read(&more).unwrap_err(), KeyError::Unsupported("oth"));
    let long = encoded(&[0xff; 4000]);
    assert_eq!(read(&with(rsa(), "d", long)).unwrap_err(), KeyError::NotAKey);
    // Swapped factors are another order of the same key, whose other numbers do not fit.
    let swapped = with(with(rsa(), "p", rsa()["q"].clone()), "q", rsa()["p"].clone());
    assert_eq!(read(&swapped).unwrap_err(), KeyError::NotAKey);
}

#[test]
fn rsa_sizes_are_bounded() {
    let public = |bits: usize, e: &[u8]| {
        // Odd, and with exactly so many bits. That it is no product of two primes, nobody can see from outside.
        let mut n = vec![0x55; bits.div_ceil(8)];
        n[0] = match bits % 8 {
            0 => 0x80,
            rest => 1 << (rest - 1),
        };
        read(&json!({ "kty": "RSA", "n": encoded(&n), "e": encoded(e) }))
    };
    const F4: &[u8] = &[1, 0, 1];
    for (bits, fits) in [
        (512, false),
        (1024, false),
        (2047, false),
        (2048, true),
        (2049, true),
        (3072, true),
        (4096, true),
        (8191, true),
        (8192, true),
        (8193, false),
        (16_384, false),
    ] {
        match public(bits, F4) {
            Ok(_) => assert!(fits, "{bits}"),
            Err(refusal) => assert!(!fits && matches!(refusal, KeyError::Size(_)), "{bits} {refusal}"),
        }
    }
    for e in [&[1][..], &[2], &[1, 0, 0], &[0xff; 8], &[0xff; 256]] {
        assert_eq!(public(2048, e).unwrap_err(), KeyError::NotAKey, "{e:?}");
    }
    assert!(public(2048, &[3]).is_ok());
    let even = with(without(rsa(), &["d", "p", "q", "dp", "dq", "qi"]), "n", encoded(&[0xfe; 256]));
    assert_eq!(read(&even).unwrap_err(), KeyError::NotAKey);
    assert_eq!(public(2048, &[0]).unwrap_err(), KeyError::NotAKey);
}

#[test]
fn secrets_have_the_size_of_their_hash() {
    for (length, fits) in [(0, false), (15, false), (16, true), (1024, true), (1025, false)] {
        assert_eq!(Jwk::from_secret(&vec![7; length]).is_ok(), fits, "{length}");
    }
    for (algorithm, least) in
        [(SignatureAlgorithm::Hs256, 32), (SignatureAlgorithm::Hs384, 48), (SignatureAlgorithm::Hs512, 64)]
    {
        for (length, fits) in [(least - 1, false), (least, true), (least + 1, true)] {
            let key = Jwk::from_secret(&vec![7; length]).unwrap();
            assert_eq!(SigningKey::new(&key, algorithm).is_ok(), fits, "{algorithm} {length}");
            assert_eq!(VerifyingKey::new(&key, algorithm).is_ok(), fits, "{algorithm} {length}");
        }
    }
}

#[test]
fn a_key_must_not_contradict_itself() {
    for (use_, operations, fits) in [
        ("sig", json!(["sign"]), true),
        ("sig", json!(["verify", "sign"]), true),
        ("sig", json!([]), true),
        ("sig", json!(["sign", "encrypt"]), false),
        ("enc", json!(["sign"]), false),
        ("enc", json!(["deriveKey", "deriveBits"]), true),
        ("sig", json!(["sign", "sign"]), false),
        ("sig", json!(["something new"]), true),
        ("sig", json!(["Sign"]), true),
    ] {
        let key = with(with(ec(), "use", use_), "key_ops", operations.clone());
        assert_eq!(read(&key).is_ok(), fits, "{use_} {operations}");
    }
    for (key, alg, fits) in [
        (ec(), "ES256", true),
        (ec(), "ES384", false),
        (ec(), "RS256", false),
        (ec(), "HS256", false),
        (ec(), "ECDH-ES", true),
        (ec(), "A256GCM", false),
        (rsa(), "PS512", true),
        (rsa(), "RSA-OAEP-256", true),
        (rsa(), "ES256", false),
        (okp(), "EdDSA", true),
        (okp(), "ECDH-ES", false),
        (rfc7515(0), "HS512", true),
        (rfc7515(0), "A256KW", false),
        (rfc7515(0), "A256CBC-HS512", true),
        (rfc7515(0), "RS256", false),
    ] {
        assert_eq!(read(&with(key, "alg", alg)).is_ok(), fits, "{alg}");
    }
    assert!(matches!(read(&with(with(ec(), "alg", "ES256"), "use", "enc")), Err(KeyError::Contradiction(_))));
    assert!(matches!(
        read(&with(with(ec(), "alg", "ECDH-ES"), "key_ops", json!(["sign"]))),
        Err(KeyError::Contradiction(_))
    ));
}

#[test]
fn use_and_operations_bind() {
    let cases = [
        (json!({}), true, true),
        (json!({ "use": "enc" }), false, false),
        (json!({ "key_ops": ["sign"] }), true, true),
        (json!({ "key_ops": ["verify"] }), false, true),
        (json!({ "key_ops": [] }), false, false),
        (json!({ "key_ops": ["deriveKey"] }), false, false),
    ];
    for (members, signs, verifies) in cases {
        let mut key = ec();
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let key = read(&key).unwrap();
        assert_eq!(SigningKey::new(&key, SignatureAlgorithm::Es256).is_ok(), signs, "{members}");
        assert_eq!(VerifyingKey::new(&key, SignatureAlgorithm::Es256).is_ok(), verifies, "{members}");
        assert_eq!(key.allows(KeyOperation::Sign), signs);
    }
    assert!(read(&ec()).unwrap().for_algorithm(KeyAlgorithm::Signature(SignatureAlgorithm::Es384)).is_err());
}

#[test]
fn documents_are_bounded_and_read_once() {
    let text = rfc7515(0).to_string();
    let padded = |length: usize| text.clone() + &" ".repeat(length - text.len());
    assert!(Jwk::from_json(padded(MAX_KEY_LEN).as_bytes()).is_ok());
    assert_eq!(Jwk::from_json(padded(MAX_KEY_LEN + 1).as_bytes()).unwrap_err(), KeyError::TooLong);
    for text in ["", "{}x", "[]", "null", r#"{"kty":"oct","kty":"oct","k":"AAAA"}"#, r#"{"a":{"b":1,"b":1}}"#]
    {
        assert_eq!(Jwk::from_json(text.as_bytes()).unwrap_err(), KeyError::NotJson(NotStrict), "{text}");
    }
}

#[test]
fn sets_are_bounded_and_pass_over_what_is_odd() {
    let document = |count: usize| json!({ "keys": vec![ec(); count] }).to_string();
    assert_eq!(JwkSet::from_json(document(0).as_bytes()).unwrap().keys.len(), 0);
    assert_eq!(JwkSet::from_json(document(MAX_KEYS).as_bytes()).unwrap().keys.len(), MAX_KEYS);
    assert_eq!(JwkSet::from_json(document(MAX_KEYS + 1).as_bytes()).unwrap_err(), KeyError::TooManyKeys);
    let one = document(1);
    let padded = |length: usize| one.clone() + &" ".repeat(length - one.len());
    assert!(JwkSet::from_json(padded(MAX_SET_LEN).as_bytes()).is_ok());
    assert_eq!(JwkSet::from_json(padded(MAX_SET_LEN + 1).as_bytes()).unwrap_err(), KeyError::TooLong);
    for (text, refusal) in [
        ("{}", KeyError::Missing("keys")),
        (r#"{"keys":{}}"#, KeyError::Missing("keys")),
        (r#"{"keys":null}"#, KeyError::Missing("keys")),
        (r#"{"keys":[1]}"#, KeyError::NotJson(NotStrict)),
        (r#"{"keys":[],"keys":[]}"#, KeyError::NotJson(NotStrict)),
        ("[]", KeyError::NotJson(NotStrict)),
    ] {
        assert_eq!(JwkSet::from_json(text.as_bytes()).unwrap_err(), refusal, "{text}");
    }
    let mixed = json!({ "keys": [
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" },
        { "kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA" },
        with(ec(), "kid", "good"),
        with(rsa(), "alg", "RSA-OAEP"),
        without(ec(), &["x"]),
        {},
        with(without(okp(), &["d"]), "kid", "good"),
    ] });
    let set = JwkSet::from_json(mixed.to_string().as_bytes()).unwrap();
    assert_eq!((set.keys.len(), set.skipped.len()), (2, 5));
    assert_eq!(set.find("good").count(), 2);
    assert!(matches!(set.keys[1].material(), KeyMaterial::Okp(_)));
    assert!(!set.to_json().contains("\"d\""));
}
