//! What attackers send.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Every changed character of every part is noticed, and behind the header all changes look the same.
#[test]
fn every_character_counts() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content");
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        let header_end = token.find('.').unwrap();
        for at in (0..token.len()).filter(|at| token.as_bytes()[*at] != b'.') {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let outcome = parse(&changed).map(|token| token.open(&keys, EVERYTHING, &SeededEntropy::new(1)));
            if at < header_end {
                assert!(!matches!(outcome, Ok(Ok(_))), "{algorithm} {encryption} at {at}");
            } else {
                assert_eq!(outcome, Ok(Err(NotDecrypted::Undecryptable)), "{algorithm} {encryption} at {at}");
            }
        }
    }
}

#[test]
fn every_cut_and_addition_is_noticed() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content");
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        let refused = |token: &str| {
            !matches!(
                parse(token).map(|token| token.open(&keys, EVERYTHING, &SeededEntropy::new(1))),
                Ok(Ok(_))
            )
        };
        assert!(!refused(&token));
        for end in 0..token.len() {
            assert!(refused(&token[..end]), "{algorithm} {encryption} at {end}");
        }
        for addition in ["A", "AAAA", ".", ".AAAA", "=", " ", "\n"] {
            assert!(refused(&format!("{token}{addition}")), "{addition:?}");
            assert!(refused(&format!("{addition}{token}")), "{addition:?}");
        }
        assert!(refused(&token.to_ascii_uppercase()));
    }
}

#[test]
fn parts_do_not_swap() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content that is longer than a tag");
        // Of other randomness: with the same, the two would share a content key.
        let to = EncryptingKey::new(&senders(&key), algorithm, encryption).unwrap();
        let other = b"other content, longer than a tag!";
        let other = to.encrypt(other, Labels::default(), &SeededEntropy::new(60)).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let others: Vec<&str> = other.split('.').collect();
        for first in 0..5 {
            for second in first + 1..5 {
                let mut swapped = parts.clone();
                swapped.swap(first, second);
                assert!(decrypt(algorithm, &key, &swapped.join(".")).is_err());
            }
            // Where the other token's part is the same, it is this token still.
            let mut mixed = parts.clone();
            mixed[first] = others[first];
            let outcome = decrypt(algorithm, &key, &mixed.join("."));
            assert_eq!(outcome.is_ok(), parts[first] == others[first], "{algorithm} {encryption} {first}");
        }
    }
}

#[test]
fn what_is_no_jwe_is_refused() {
    let refused = |token: &str| parse(token).err();
    assert_eq!(refused("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJoZXJlIn0.c2lnbmF0dXJl"), Some(Malformed::Signed));
    for token in
        ["", ".", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f", ".b.c.d.e", "a.b..d.e", "a.b.c.d.", "....", "....."]
    {
        assert_eq!(refused(token), Some(Malformed::Parts), "{token}");
    }
    assert_eq!(refused("a.b.c.d.e"), Some(Malformed::Base64));
    assert_eq!(refused("e30=.b.c.d.e"), Some(Malformed::Base64));
    assert_eq!(refused("e30.b.c.d.e"), Some(Malformed::Algorithm));
    assert_eq!(refused("W10.b.c.d.e"), Some(Malformed::Header));
}

/// A sound token, with its header replaced.
fn header_refused(header: &str) -> Option<Malformed> {
    let key = keys_for(KeyManagementAlgorithm::Dir, ContentEncryption::A128Gcm).remove(0);
    let token = encrypt(KeyManagementAlgorithm::Dir, ContentEncryption::A128Gcm, &key, b"content");
    parse(&with_header(&token, header)).err()
}

#[test]
fn headers_are_strict() {
    assert_eq!(header_refused(r#"{"alg":"dir","enc":"A128GCM"}"#), None);
    assert_eq!(
        header_refused(r#"{"alg":"dir","enc":"A128GCM","jku":"https://attacker.example","x":{"y":[1]}}"#),
        None
    );
    for (header, reason) in [
        (r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#, Malformed::Extension),
        (r#"{"alg":"dir","enc":"A128GCM","zip":null}"#, Malformed::Extension),
        (r#"{"alg":"dir","enc":"A128GCM","crit":["exp"],"exp":1}"#, Malformed::Extension),
        (r#"{"alg":"dir","enc":"A128GCM","crit":[]}"#, Malformed::Extension),
        (r#"{"alg":"dir","enc":"A128GCM","alg":"dir"}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM","\u0061lg":"A256KW"}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM","x":{"a":1,"a":1}}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM","kid":1}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM","typ":null}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM","cty":["JWT"]}"#, Malformed::Header),
        (r#"{"alg":["dir"],"enc":"A128GCM"}"#, Malformed::Header),
        (r#"{"alg":"dir","enc":"A128GCM"} {}"#, Malformed::Header),
        (r#"{"alg":"dir"}"#, Malformed::Algorithm),
        (r#"{"enc":"A128GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"none","enc":"A128GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"Dir","enc":"A128GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"dir","enc":"none"}"#, Malformed::Algorithm),
        (r#"{"alg":"dir","enc":"A192GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"RSA1_5","enc":"A128GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#, Malformed::Algorithm),
        (
            r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}"#,
            Malformed::Algorithm,
        ),
        (r#"{"alg":"HS256","enc":"A128GCM"}"#, Malformed::Algorithm),
        (r#"{"alg":"ECDH-ES","enc":"A128GCM"}"#, Malformed::EphemeralKey),
        (r#"{"alg":"ECDH-ES","enc":"A128GCM","epk":"AAAA"}"#, Malformed::EphemeralKey),
    ] {
        assert_eq!(header_refused(header), Some(reason), "{header}");
    }
}

#[test]
fn ephemeral_keys_are_points_of_the_curve() {
    let key = Jwk::generate_ec(EcCurve::P256).unwrap();
    let KeyMaterial::Ec(point) = key.material() else { panic!("made so") };
    let (x, y) = (BASE64URL_NOPAD.encode(point.x()), BASE64URL_NOPAD.encode(point.y()));
    let epk = |epk: String| header_refused(&format!(r#"{{"alg":"ECDH-ES","enc":"A128GCM","epk":{epk}}}"#));
    let ec = |x: &str, y: &str| epk(format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#));
    assert_eq!(ec(&x, &y), None);
    let zeros = BASE64URL_NOPAD.encode(&[0; 32]);
    let ones = BASE64URL_NOPAD.encode(&[255; 32]);
    let longer = BASE64URL_NOPAD.encode(&[&[0], point.x()].concat());
    let shorter = BASE64URL_NOPAD.encode(&point.x()[1..]);
    for (x, y) in [
        (y.as_str(), x.as_str()),
        (x.as_str(), x.as_str()),
        (x.as_str(), zeros.as_str()),
        (zeros.as_str(), zeros.as_str()),
        (ones.as_str(), ones.as_str()),
        (longer.as_str(), y.as_str()),
        (shorter.as_str(), y.as_str()),
        ("", ""),
        (x.as_str(), ""),
    ] {
        assert_eq!(ec(x, y), Some(Malformed::EphemeralKey), "{x} {y}");
    }
    for text in [
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"P-256","x":"{x}","y":"{y}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"}}"#),
        format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{x}","y":"{y}"}}"#),
        format!(r#"{{"kty":"EC","crv":"X25519","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{x}"}}"#),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}=","y":"{y}"}}"#),
        r#"{"kty":"oct","k":"AAAA"}"#.into(),
        "{}".into(),
    ] {
        assert_eq!(epk(text.clone()), Some(Malformed::EphemeralKey), "{text}");
    }
    let party = |apu: &str| {
        header_refused(&format!(
            r#"{{"alg":"ECDH-ES","enc":"A128GCM","epk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}},"apu":{apu}}}"#
        ))
    };
    assert_eq!(party(r#""QWxpY2U""#), None);
    assert_eq!(party(r#""QWxpY2U=""#), Some(Malformed::Header));
    assert_eq!(party("1"), Some(Malformed::Header));
}

/// Points of small order make X25519 yield zeros; a point of another curve is none of this key's.
#[test]
fn ephemeral_keys_that_reveal_nothing_are_refused() {
    let algorithm = KeyManagementAlgorithm::EcdhEs;
    let keys = keys_for(algorithm, ContentEncryption::A128Gcm);
    let x25519 = keys.iter().find(|key| key.kid() == Some("x25519")).unwrap();
    let token = encrypt(algorithm, ContentEncryption::A128Gcm, x25519, b"content");
    for low in ["00".repeat(32), format!("01{}", "00".repeat(31)), format!("ec{}7f", "ff".repeat(30))] {
        let x = BASE64URL_NOPAD.encode(&hex(&low));
        let header = format!(
            r#"{{"alg":"ECDH-ES","enc":"A128GCM","kid":"x25519","epk":{{"kty":"OKP","crv":"X25519","x":"{x}"}}}}"#
        );
        assert_eq!(decrypt(algorithm, x25519, &with_header(&token, &header)), Err(UNDECRYPTABLE));
    }
    for (own, other) in keys.iter().flat_map(|own| keys.iter().map(move |other| (own, other))) {
        let other = other.clone().with_kid(own.kid().unwrap());
        let token = encrypt(algorithm, ContentEncryption::A128Gcm, &other, b"content");
        let outcome = decrypt(algorithm, own, &token);
        assert_eq!(outcome.is_ok(), own.thumbprint() == other.thumbprint());
        assert!(outcome.is_ok() || outcome == Err(UNDECRYPTABLE));
    }
}

#[test]
fn encrypted_keys_are_there_where_they_belong_and_nowhere_else() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content");
        let parts: Vec<&str> = token.split('.').collect();
        let with = |encrypted_key: &str| {
            let token = [parts[0], encrypted_key, parts[2], parts[3], parts[4]].join(".");
            decrypt(algorithm, &key, &token).map(|plain| plain.to_vec())
        };
        let wrapped = BASE64URL_NOPAD.encode(&[7; 40]);
        if parts[1].is_empty() {
            assert_eq!(with(""), Ok(b"content".to_vec()));
            assert_eq!(with("AAAA"), Err(UNDECRYPTABLE));
            assert_eq!(with(&wrapped), Err(UNDECRYPTABLE));
        } else {
            assert_eq!(with(parts[1]), Ok(b"content".to_vec()));
            assert_eq!(with(""), Err(UNDECRYPTABLE));
            assert_eq!(with(&wrapped), Err(UNDECRYPTABLE));
            assert_eq!(with(&BASE64URL_NOPAD.encode(&[7; 512])), Err(UNDECRYPTABLE));
            assert_eq!(with(&BASE64URL_NOPAD.encode(&[7; 513])), Err(UNDECRYPTABLE));
        }
    }
}

/// A content key of another size than the header's encryption takes does not decrypt, though its wrapping is sound.
#[test]
fn content_keys_have_the_size_of_the_encryption() {
    let algorithm = KeyManagementAlgorithm::A256Kw;
    let key = keys_for(algorithm, ContentEncryption::A128Gcm).remove(0);
    let token = encrypt(algorithm, ContentEncryption::A128Gcm, &key, b"content");
    let claimed = with_header(&token, r#"{"alg":"A256KW","enc":"A256GCM","kid":"kw"}"#);
    assert_eq!(decrypt(algorithm, &key, &claimed), Err(UNDECRYPTABLE));
}

/// Counts how often randomness is asked for.
struct Counting(AtomicUsize);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fetch_add(1, Ordering::Relaxed);
        bytes.fill(9);
    }
}

/// RFC 7516 §11.5: whether or not the content key decrypts, a random one is made, and only the tag decides.
#[test]
fn a_content_key_that_does_not_decrypt_takes_the_same_way() {
    for (algorithm, encryption, key) in all_kinds() {
        let token = encrypt(algorithm, encryption, &key, b"content");
        let (rest, tag) = token.rsplit_once('.').unwrap();
        let wrong_tag = format!("{rest}.{}", BASE64URL_NOPAD.encode(&vec![0; b64(tag).len()]));
        let mut parts: Vec<&str> = token.split('.').collect();
        let zeros = BASE64URL_NOPAD.encode(&vec![0; b64(parts[1]).len()]);
        parts[1] = &zeros;
        let wrong_key = parts.join(".");
        let keys = [DecryptingKey::new(&key, algorithm).unwrap()];
        for (token, right) in [(&token, true), (&wrong_tag, false), (&wrong_key, zeros.is_empty())] {
            let counting = Counting(AtomicUsize::new(0));
            let outcome = parse(token).unwrap().open(&keys, EVERYTHING, &counting);
            assert_eq!(outcome.is_ok(), right);
            assert!(right || outcome == Err(NotDecrypted::Undecryptable));
            assert_eq!(counting.0.into_inner(), 1);
        }
    }
}
