//! What was encrypted is decrypted, with every pair of algorithms and every kind of key.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::jose::{self, KeySet, SignatureAlgorithm, Signer, SigningKey, VerifyingKey};

#[test]
fn every_kind_of_key_with_every_pair() {
    for (algorithm, encryption, key) in all_kinds() {
        for length in [0, 1, 15, 16, 17, 255, 4096] {
            let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let token = encrypt(algorithm, encryption, &key, &plain);
            assert_eq!(decrypt(algorithm, &key, &token).unwrap().as_slice(), plain);
            let header = parse(&token).unwrap().header().clone();
            assert_eq!((header.alg(), header.enc(), header.kid()), (algorithm, encryption, key.kid()));
            let empty_key = token.split('.').nth(1) == Some("");
            let expected = matches!(algorithm, KeyManagementAlgorithm::Dir | KeyManagementAlgorithm::EcdhEs);
            assert_eq!(empty_key, expected, "{algorithm}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn content_and_labels_come_back(
        plain in proptest::collection::vec(any::<u8>(), 0..3000),
        typ in proptest::option::of("\\PC{0,20}"),
        cty in proptest::option::of("\\PC{0,20}"),
        kid in "\\PC{0,20}",
        seed in any::<u64>(),
    ) {
        let entropy = SeededEntropy::new(seed);
        for (algorithm, encryption, key) in all_kinds() {
            let key = key.with_kid(kid.clone());
            let to = EncryptingKey::new(&senders(&key), algorithm, encryption).unwrap();
            let labels = Labels { typ: typ.as_deref(), cty: cty.as_deref() };
            let token = to.encrypt(&plain, labels, &entropy).unwrap();
            let taken = parse(&token).unwrap();
            prop_assert_eq!(taken.header().typ(), typ.as_deref());
            prop_assert_eq!(taken.header().cty(), cty.as_deref());
            prop_assert_eq!(taken.header().kid(), Some(kid.as_str()));
            let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
            let opened = taken.open(&keys, EVERYTHING, &entropy).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-zA-Z0-9_=.-]{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&text).is_err());
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn no_header_makes_it_panic(
        members in proptest::collection::hash_map("alg|enc|kid|typ|epk|apu|apv|crv|x", "\\PC{0,12}|dir|ECDH-ES|A128GCM", 0..6),
    ) {
        let header = BASE64URL_NOPAD.encode(&serde_json::to_vec(&members).unwrap());
        let _ = parse(&format!("{header}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"));
    }
}

#[test]
fn nothing_is_used_twice() {
    let entropy = SeededEntropy::new(1);
    for (algorithm, encryption, key) in all_kinds() {
        let to = EncryptingKey::new(&senders(&key), algorithm, encryption).unwrap();
        let mut seen = HashSet::new();
        for _ in 0..3 {
            let token = to.encrypt(b"the same", Labels::default(), &entropy).unwrap();
            let parts: Vec<String> = token.split('.').map(Into::into).collect();
            assert!(seen.insert(parts[2].clone()), "an initialization vector came back");
            assert!(seen.insert(parts[3].clone()), "a ciphertext came back");
            assert!(parts[1].is_empty() || seen.insert(parts[1].clone()), "an encrypted key came back");
            let own_key = algorithm.name().starts_with("ECDH");
            assert!(!own_key || seen.insert(parts[0].clone()), "an ephemeral key came back");
        }
    }
}

#[test]
fn a_nested_token_comes_back() {
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJoZXJlIn0.c2lnbmF0dXJl";
    let entropy = SeededEntropy::new(2);
    for (algorithm, encryption, key) in all_kinds() {
        let to = EncryptingKey::new(&senders(&key), algorithm, encryption).unwrap();
        let token = to.encrypt_nested(signed, Some("JWT"), &entropy).unwrap();
        let taken = parse(&token).unwrap();
        assert_eq!((taken.header().typ(), taken.header().cty()), (Some("JWT"), Some("JWT")));
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        assert_eq!(taken.open_nested(&keys, EVERYTHING, &entropy).unwrap().as_str(), signed);
    }
}

/// Signed with one key, encrypted to another, decrypted and only then verified (RFC 7519 §11.2).
#[test]
fn a_nested_token_is_verified_after_decryption() {
    let entropy = SeededEntropy::new(2);
    let (algorithm, encryption) = (KeyManagementAlgorithm::EcdhEsA256Kw, ContentEncryption::A256Gcm);
    let signing = Jwk::generate(SignatureAlgorithm::Es256, &entropy).unwrap();
    let signer = Signer::new(SigningKey::new(&signing, SignatureAlgorithm::Es256).unwrap(), "JWT");
    let signed = signer.sign(br#"{"iss":"here"}"#).unwrap();
    for key in keys_for(algorithm, encryption) {
        let to = EncryptingKey::new(&senders(&key), algorithm, encryption).unwrap();
        let token = to.encrypt_nested(&signed, None, &entropy).unwrap();
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        let inner = parse(&token).unwrap().open_nested(&keys, EVERYTHING, &entropy).unwrap();
        let mut verifiers = KeySet::new();
        let public = signing.public().unwrap();
        verifiers.insert(VerifyingKey::new(&public, SignatureAlgorithm::Es256).unwrap());
        let inner = jose::parse(inner.as_str(), jose::Limits::default()).unwrap();
        let verified = inner.verify(&verifiers, &[SignatureAlgorithm::Es256]).unwrap();
        assert_eq!(verified.payload(), br#"{"iss":"here"}"#);
        // The one is not taken for the other.
        assert_eq!(parse(&signed).err(), Some(Malformed::Signed));
        assert_eq!(jose::parse(&token, jose::Limits::default()).err(), Some(jose::Malformed::Encrypted));
    }
}

#[test]
fn a_nested_token_says_so_and_is_one() {
    let (algorithm, encryption) = (KeyManagementAlgorithm::A256Kw, ContentEncryption::A256Gcm);
    let key = keys_for(algorithm, encryption).remove(0);
    let to = EncryptingKey::new(&key, algorithm, encryption).unwrap();
    let entropy = SeededEntropy::new(2);
    let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
    let nested = |plain: &[u8], cty: Option<&str>| {
        let token = to.encrypt(plain, Labels { typ: None, cty }, &entropy).unwrap();
        parse(&token).unwrap().open_nested(&keys, EVERYTHING, &entropy).map(|signed| signed.to_string())
    };
    for cty in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
        assert_eq!(nested(b"a.b.c", Some(cty)), Ok("a.b.c".into()));
        assert_eq!(nested(b"a..c", Some(cty)), Ok("a..c".into()));
    }
    for cty in [None, Some(""), Some("JWE"), Some("JWT "), Some("text/jwt"), Some("application/at+jwt")] {
        assert_eq!(nested(b"a.b.c", cty), Err(NotDecrypted::NotNested), "{cty:?}");
    }
    for plain in [
        &b""[..],
        b"{}",
        b"a.b",
        b"a.b.c.d",
        b"a.b.c.d.e",
        b".b.c",
        b"a.b.",
        b"a.b.c\n",
        b"a.b.\xff",
        b"a.b=.c",
    ] {
        assert_eq!(nested(plain, Some("JWT")), Err(NotDecrypted::NotNested));
        let refused = std::str::from_utf8(plain).map(|text| to.encrypt_nested(text, None, &entropy));
        assert!(matches!(refused, Err(_) | Ok(Err(NotEncrypted::NotSigned))));
    }
}
