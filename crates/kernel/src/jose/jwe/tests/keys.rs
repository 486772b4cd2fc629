//! Which keys are taken, and which of them a token means.

use super::*;
use crate::jose::alg::SignatureAlgorithm;
use crate::jose::jwk::KeyError;

const ENC: ContentEncryption = ContentEncryption::A128Gcm;

#[test]
fn keys_serve_the_algorithms_of_their_type_alone() {
    for (algorithm, encryption, key) in all_kinds() {
        for (other, _, _) in all_kinds() {
            // Secrets of 32 bytes may wrap or encrypt until they are bound; these here are bound.
            let bare = Jwk::from_json(key.to_private_json().as_bytes()).unwrap();
            let family = |algorithm: KeyManagementAlgorithm| algorithm.name().split('+').next();
            let fits = family(algorithm) == family(other);
            let bound_elsewhere = bare.alg().is_some();
            let outcome = EncryptingKey::new(&bare, other, encryption);
            let secret_for_both =
                matches!((algorithm, other), (KeyManagementAlgorithm::A256Kw, KeyManagementAlgorithm::Dir))
                    && encryption.key_size() == 32;
            assert_eq!(outcome.is_ok(), fits || (secret_for_both && !bound_elsewhere), "{algorithm} {other}");
        }
    }
    let ed25519 = Jwk::generate_okp(OkpCurve::Ed25519, &SeededEntropy::new(1)).unwrap();
    for algorithm in KeyManagementAlgorithm::ALL {
        assert!(matches!(EncryptingKey::new(&ed25519, *algorithm, ENC), Err(KeyError::Purpose(_))));
        assert!(matches!(DecryptingKey::new(&ed25519, *algorithm), Err(KeyError::Purpose(_))));
    }
}

#[test]
fn public_keys_do_not_decrypt() {
    for (algorithm, _, key) in all_kinds() {
        if let Some(public) = key.public() {
            assert_eq!(DecryptingKey::new(&public, algorithm).err(), Some(KeyError::NotPrivate));
        }
    }
}

#[test]
fn keys_for_signatures_and_for_other_algorithms_are_refused() {
    let signing = Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(1)).unwrap();
    assert!(matches!(
        EncryptingKey::new(&signing, KeyManagementAlgorithm::EcdhEs, ENC),
        Err(KeyError::Purpose(_))
    ));
    assert!(matches!(
        DecryptingKey::new(&signing, KeyManagementAlgorithm::EcdhEs),
        Err(KeyError::Purpose(_))
    ));
    let bound = Jwk::generate_ec(EcCurve::P256)
        .unwrap()
        .for_algorithm(KeyAlgorithm::Management(KeyManagementAlgorithm::EcdhEsA256Kw))
        .unwrap();
    assert!(EncryptingKey::new(&bound, KeyManagementAlgorithm::EcdhEsA256Kw, ENC).is_ok());
    assert!(EncryptingKey::new(&bound, KeyManagementAlgorithm::EcdhEs, ENC).is_err());
    assert!(DecryptingKey::new(&bound, KeyManagementAlgorithm::EcdhEsA128Kw).is_err());
    let secret = BASE64URL_NOPAD.encode(&[1; 32]);
    for (members, wraps, unwraps) in [
        (r#""use":"sig""#, false, false),
        (r#""use":"enc""#, true, true),
        (r#""key_ops":["wrapKey"]"#, true, false),
        (r#""key_ops":["unwrapKey"]"#, false, true),
        (r#""key_ops":["wrapKey","unwrapKey"]"#, true, true),
        (r#""key_ops":["encrypt","decrypt"]"#, false, false),
        (r#""key_ops":[]"#, false, false),
        (r#""alg":"A256KW""#, true, true),
        (r#""alg":"A256GCM""#, false, false),
        (r#""alg":"HS256""#, false, false),
    ] {
        let key = Jwk::from_json(format!(r#"{{"kty":"oct","k":"{secret}",{members}}}"#).as_bytes()).unwrap();
        let algorithm = KeyManagementAlgorithm::A256Kw;
        assert_eq!(EncryptingKey::new(&key, algorithm, ENC).is_ok(), wraps, "{members}");
        assert_eq!(DecryptingKey::new(&key, algorithm).is_ok(), unwraps, "{members}");
    }
}

#[test]
fn direct_secrets_have_one_encryption() {
    let secret = |length: usize| Jwk::generate_oct(length, &SeededEntropy::new(1)).unwrap();
    let direct = KeyManagementAlgorithm::Dir;
    for length in [16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 128] {
        for encryption in ContentEncryption::ALL {
            let fits = EncryptingKey::new(&secret(length), direct, *encryption).is_ok();
            assert_eq!(fits, encryption.key_size() == length, "{length}");
        }
        // 32 bytes could mean two encryptions.
        let alone = matches!(length, 16 | 64);
        assert_eq!(DecryptingKey::new(&secret(length), direct).is_ok(), alone, "{length}");
        assert_eq!(
            EncryptingKey::new(&secret(length), KeyManagementAlgorithm::A256Kw, ENC).is_ok(),
            length == 32
        );
    }
    let bound = |encryption| secret(32).for_algorithm(KeyAlgorithm::Content(encryption)).unwrap();
    let (gcm, cbc) = (bound(ContentEncryption::A256Gcm), bound(ContentEncryption::A128CbcHs256));
    let token = encrypt(direct, ContentEncryption::A256Gcm, &gcm, b"content");
    assert!(decrypt(direct, &gcm, &token).is_ok());
    // The same bytes, but the token does not choose what they are for.
    assert_eq!(decrypt(direct, &cbc, &token), Err(NotDecrypted::UnknownKey.into()));
    assert!(EncryptingKey::new(&gcm, direct, ContentEncryption::A128CbcHs256).is_err());
}

#[test]
fn both_algorithms_must_be_allowed() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content");
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        let open = |algorithms: &[_], encryptions: &[_]| {
            let allowed = Allowed { algorithms, encryptions };
            parse(&token).unwrap().open(&keys, allowed, &SeededEntropy::new(1)).map(|plain| plain.to_vec())
        };
        let others: Vec<_> =
            KeyManagementAlgorithm::ALL.iter().copied().filter(|one| *one != algorithm).collect();
        let other_encryptions: Vec<_> =
            ContentEncryption::ALL.iter().copied().filter(|one| *one != encryption).collect();
        assert_eq!(open(&[algorithm], &[encryption]), Ok(b"content".to_vec()));
        assert_eq!(open(&others, &[encryption]), Err(NotDecrypted::NotAllowed));
        assert_eq!(open(&[algorithm], &other_encryptions), Err(NotDecrypted::NotAllowed));
        assert_eq!(open(&[], &[]), Err(NotDecrypted::NotAllowed));
    }
}

#[test]
fn the_id_names_the_key() {
    let algorithm = KeyManagementAlgorithm::A256Kw;
    let secret = |seed: u64| Jwk::generate_oct(32, &SeededEntropy::new(seed)).unwrap();
    let ready = |key: &Jwk| DecryptingKey::new(key, algorithm).unwrap();
    let open = |from: &Jwk, keys: &[DecryptingKey]| {
        let token = encrypt(algorithm, ENC, from, b"content");
        parse(&token).unwrap().open(keys, EVERYTHING, &SeededEntropy::new(9)).map(drop)
    };
    let (a, b) = (secret(1).with_kid("a"), secret(2).with_kid("b"));
    let both = [ready(&a), ready(&b)];
    assert_eq!(open(&a, &both), Ok(()));
    assert_eq!(open(&b, &both), Ok(()));
    // The id of the one, the secret of the other: the id decides.
    assert_eq!(open(&secret(1).with_kid("b"), &both), Err(NotDecrypted::Undecryptable));
    assert_eq!(open(&secret(1).with_kid("c"), &both), Err(NotDecrypted::UnknownKey));
    assert_eq!(open(&secret(1), &both), Ok(()));
    assert_eq!(open(&secret(2), &both), Ok(()));
    assert_eq!(open(&secret(3), &both), Err(NotDecrypted::Undecryptable));
    assert_eq!(open(&a, &[]), Err(NotDecrypted::UnknownKey));
    // A key without an id can be meant by an id nobody has.
    assert_eq!(open(&a, &[ready(&secret(1))]), Ok(()));
    assert_eq!(
        open(&a, &[ready(&secret(1)), ready(&secret(9).with_kid("a"))]),
        Err(NotDecrypted::Undecryptable)
    );
    // Two keys of one id, such as during a rotation that keeps it.
    assert_eq!(open(&a, &[ready(&secret(2).with_kid("a")), ready(&a)]), Ok(()));
    let many = |count: u64| {
        (1..=count).map(|seed| ready(&secret(seed).with_kid(seed.to_string()))).collect::<Vec<_>>()
    };
    let most = MAX_TRIED as u64;
    assert_eq!(open(&secret(most - 1), &many(most - 1)), Ok(()));
    assert_eq!(open(&secret(most), &many(most)), Ok(()));
    assert_eq!(open(&secret(1), &many(most + 1)), Err(NotDecrypted::Ambiguous));
    assert_eq!(open(&secret(most + 1).with_kid((most + 1).to_string()), &many(most + 1)), Ok(()));
}

#[test]
fn keys_show_nothing_of_themselves() {
    let key = Jwk::from_secret(&[65; 32]).unwrap().with_kid("k");
    let algorithm = KeyManagementAlgorithm::A256Kw;
    let shown = format!(
        "{:?} {:?}",
        EncryptingKey::new(&key, algorithm, ENC).unwrap(),
        DecryptingKey::new(&key, algorithm).unwrap()
    );
    assert_eq!(shown, r#"EncryptingKey(A256KW, A128GCM, Some("k")) DecryptingKey(A256KW, Some("k"))"#);
    let token = encrypt(algorithm, ENC, &key, b"content");
    let shown = format!("{:?}", parse(&token).unwrap());
    assert_eq!(
        shown,
        r#"Encrypted(Header { alg: A256KW, enc: A128GCM, kid: Some("k"), typ: None, cty: None })"#
    );
}
