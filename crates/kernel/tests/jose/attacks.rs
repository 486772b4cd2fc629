//! What people do to tokens to be believed: about keys and algorithms.

use gateward_kernel::jose::SignatureAlgorithm::{EdDsa, Es256, Es384, Hs256, Ps256, Rs256};
use gateward_kernel::jose::{
    Invalid, Jwk, JwkSet, KeyError, KeyMaterial, KeySet, MAX_TRIED, Malformed, SignatureAlgorithm,
    SigningKey, VerifyingKey,
};
use serde_json::json;

use crate::forge::{Outcome, attempt, encoded, forged, honest, key, set};

const PAYLOAD: &[u8] = br#"{"sub":"somebody"}"#;

fn accepted() -> Outcome {
    Outcome::Accepted(PAYLOAD.to_vec())
}

#[test]
fn none_in_all_casings_and_spellings_is_no_algorithm() {
    let signing = key(Es256, "a");
    let keys = set(&[(&signing, Es256)]);
    let mut names: Vec<String> = (0..16_u8)
        .map(|upper| {
            let letter = |(at, letter): (usize, char)| {
                if upper >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
            };
            "none".chars().enumerate().map(letter).collect()
        })
        .collect();
    names.extend(
        ["none ", " none", "", "null", "\\u006eone", "HS256 ", "es256", "ES256K", "RS1"].map(Into::into),
    );
    for name in &names {
        for header in [format!(r#"{{"alg":"{name}"}}"#), format!(r#"{{"alg":"{name}","kid":"a"}}"#)] {
            let right = forged(&header, PAYLOAD, &signing, Es256);
            assert_eq!(
                attempt(&right, &keys, SignatureAlgorithm::ALL),
                Outcome::Malformed(Malformed::Algorithm),
                "{name}"
            );
            let bare = format!("{}.{}.", encoded(header.as_bytes()), encoded(PAYLOAD));
            assert_eq!(attempt(&bare, &keys, SignatureAlgorithm::ALL), Outcome::Malformed(Malformed::Parts));
        }
    }
    let no_alg = forged(r#"{"kid":"a"}"#, PAYLOAD, &signing, Es256);
    assert_eq!(attempt(&no_alg, &keys, SignatureAlgorithm::ALL), Outcome::Malformed(Malformed::Algorithm));
}

/// Everything an attacker can get of a public key, used as the secret of an HMAC.
#[test]
fn hmac_with_a_public_key_is_refused() {
    for algorithm in [Rs256, Ps256, Es256, EdDsa] {
        let signing = key(algorithm, "a");
        let public = signing.public().unwrap();
        let pem = public.to_pem().unwrap();
        let mut secrets = vec![
            pem.trim_end().as_bytes().to_vec(),
            pem.replace('\n', "\r\n").into_bytes(),
            pem.into_bytes(),
            public.to_json().unwrap().into_bytes(),
            public.thumbprint().into_bytes(),
            public.thumbprint_bytes().to_vec(),
        ];
        match public.material() {
            KeyMaterial::Rsa(key) => secrets.extend([key.n().to_vec(), key.spki().unwrap()]),
            KeyMaterial::Ec(key) => secrets.extend([key.point().to_vec(), key.x().to_vec()]),
            KeyMaterial::Okp(key) => secrets.push(key.x().to_vec()),
            KeyMaterial::Oct(_) => unreachable!(),
        }
        let document = format!(r#"{{"keys":[{}]}}"#, public.to_json().unwrap());
        let published = JwkSet::from_json(document.as_bytes()).unwrap();
        let keys = KeySet::from_jwks(&published, SignatureAlgorithm::ALL);
        for secret in secrets {
            let secret = Jwk::from_secret(&secret).unwrap();
            for (header, refusal) in [
                (r#"{"alg":"HS256","kid":"a"}"#, Invalid::KeyMismatch),
                (r#"{"alg":"HS256"}"#, Invalid::UnknownKey),
            ] {
                let token = forged(header, PAYLOAD, &secret, Hs256);
                assert_eq!(attempt(&token, &keys, SignatureAlgorithm::ALL), Outcome::Invalid(refusal));
                assert_eq!(attempt(&token, &keys, &[algorithm]), Outcome::Invalid(Invalid::NotAllowed));
            }
        }
        // And no key object lets itself be bound to the wrong family in the first place.
        for other in SignatureAlgorithm::ALL.iter().filter(|other| other.family() != algorithm.family()) {
            assert!(matches!(VerifyingKey::new(&public, *other), Err(KeyError::Purpose(_))));
            assert!(matches!(SigningKey::new(&signing, *other), Err(KeyError::Purpose(_))));
        }
    }
}

#[test]
fn a_published_secret_is_never_a_key() {
    let secret = key(Hs256, "a");
    let document = format!(r#"{{"keys":[{}]}}"#, *secret.to_private_json());
    let published = JwkSet::from_json(document.as_bytes()).unwrap();
    let keys = KeySet::from_jwks(&published, SignatureAlgorithm::ALL);
    assert!(keys.is_empty());
    let token = honest(&secret, Hs256, PAYLOAD);
    assert_eq!(attempt(&token, &keys, SignatureAlgorithm::ALL), Outcome::Invalid(Invalid::UnknownKey));
    assert_eq!(attempt(&token, &set(&[(&secret, Hs256)]), &[Hs256]), accepted());
}

/// Every algorithm's key under every other algorithm's name.
#[test]
fn the_algorithm_is_that_of_the_key_and_not_of_the_token() {
    for real in SignatureAlgorithm::ALL.iter().copied() {
        let signing = key(real, "a");
        let keys = set(&[(&signing, real)]);
        assert_eq!(attempt(&honest(&signing, real, PAYLOAD), &keys, &[real]), accepted());
        for claimed in SignatureAlgorithm::ALL.iter().copied().filter(|claimed| *claimed != real) {
            let header = json!({ "alg": claimed, "kid": "a" }).to_string();
            let token = forged(&header, PAYLOAD, &signing, real);
            let outcome = attempt(&token, &keys, SignatureAlgorithm::ALL);
            assert_eq!(outcome, Outcome::Invalid(Invalid::KeyMismatch), "{real} as {claimed}");
            let nameless = forged(&json!({ "alg": claimed }).to_string(), PAYLOAD, &signing, real);
            let outcome = attempt(&nameless, &keys, SignatureAlgorithm::ALL);
            assert_eq!(outcome, Outcome::Invalid(Invalid::UnknownKey), "{real} as {claimed}");
            assert_eq!(attempt(&token, &keys, &[real]), Outcome::Invalid(Invalid::NotAllowed));
        }
        assert_eq!(
            attempt(&honest(&signing, real, PAYLOAD), &keys, &[]),
            Outcome::Invalid(Invalid::NotAllowed)
        );
    }
}

/// An RSA key that says for which algorithm it is does not serve another; one that does not, serves what is allowed.
#[test]
fn an_rsa_key_serves_what_it_says_and_what_is_allowed() {
    let bound = key(Rs256, "a");
    assert!(matches!(SigningKey::new(&bound, Ps256), Err(KeyError::Purpose(_))));
    let free = Jwk::generate_rsa(2048).unwrap().with_kid("a");
    let published = JwkSet { keys: vec![free.clone()], skipped: vec![] };
    let both = KeySet::from_jwks(&published, &[Rs256, Ps256, Es256]);
    assert_eq!(both.len(), 2);
    let one = KeySet::from_jwks(&published, &[Ps256]);
    for (algorithm, with_one) in [(Rs256, Outcome::Invalid(Invalid::KeyMismatch)), (Ps256, accepted())] {
        let token = honest(&free, algorithm, PAYLOAD);
        assert_eq!(attempt(&token, &both, &[Rs256, Ps256]), accepted());
        assert_eq!(attempt(&token, &one, &[Rs256, Ps256]), with_one);
    }
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let (right, wrong) =
        (key(Es256, "right"), Jwk::generate_ec(gateward_kernel::jose::EcCurve::P256).unwrap());
    let wrong = wrong.with_kid("wrong");
    let keys = set(&[(&right, Es256), (&wrong, Es256)]);
    for kid in
        ["", "unknown", "RIGHT", "right ", "right\u{0}", "../right", "' OR 1=1 --", "https://a.example/key"]
    {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        let token = forged(&header, PAYLOAD, &right, Es256);
        assert_eq!(attempt(&token, &keys, &[Es256]), Outcome::Invalid(Invalid::UnknownKey), "{kid}");
    }
    // The named key decides, even if another one would do.
    let token = forged(r#"{"alg":"ES256","kid":"wrong"}"#, PAYLOAD, &right, Es256);
    assert_eq!(attempt(&token, &keys, &[Es256]), Outcome::Invalid(Invalid::Signature));
    // Without a name, each that could be meant is tried.
    let token = forged(r#"{"alg":"ES256"}"#, PAYLOAD, &right, Es256);
    assert_eq!(attempt(&token, &keys, &[Es256]), accepted());
    assert!(keys.contains("right") && !keys.contains("Right"));
}

#[test]
fn keys_of_one_name_are_all_tried_up_to_the_limit() {
    let many: Vec<Jwk> = (0..=MAX_TRIED)
        .map(|_| Jwk::generate_ec(gateward_kernel::jose::EcCurve::P256).unwrap().with_kid("same"))
        .collect();
    let last = &many[MAX_TRIED - 1];
    let up_to = |count: usize| set(&many[..count].iter().map(|key| (key, Es256)).collect::<Vec<_>>());
    for header in [r#"{"alg":"ES256","kid":"same"}"#, r#"{"alg":"ES256"}"#] {
        let token = forged(header, PAYLOAD, last, Es256);
        assert_eq!(attempt(&token, &up_to(MAX_TRIED), &[Es256]), accepted());
        assert_eq!(attempt(&token, &up_to(MAX_TRIED + 1), &[Es256]), Outcome::Invalid(Invalid::Ambiguous));
        assert_eq!(attempt(&token, &up_to(MAX_TRIED - 1), &[Es256]), Outcome::Invalid(Invalid::Signature));
    }
    // A key of the same name and another type is nobody's rival.
    let other = key(EdDsa, "same");
    let keys = set(&[(&many[0], Es256), (&other, EdDsa)]);
    assert_eq!(attempt(&honest(&many[0], Es256, PAYLOAD), &keys, &[Es256, EdDsa]), accepted());
    assert_eq!(attempt(&honest(&other, EdDsa, PAYLOAD), &keys, &[Es256, EdDsa]), accepted());
}

#[test]
fn a_nameless_key_serves_names_nobody_else_has() {
    let named = key(Es256, "named");
    let nameless = Jwk::generate_ec(gateward_kernel::jose::EcCurve::P256).unwrap();
    let keys = set(&[(&named, Es256), (&nameless, Es256)]);
    let cases = [
        (r#"{"alg":"ES256","kid":"whatever"}"#, accepted()),
        (r#"{"alg":"ES256"}"#, accepted()),
        (r#"{"alg":"ES256","kid":"named"}"#, Outcome::Invalid(Invalid::Signature)),
    ];
    for (header, expected) in cases {
        assert_eq!(
            attempt(&forged(header, PAYLOAD, &nameless, Es256), &keys, &[Es256]),
            expected,
            "{header}"
        );
    }
}

/// Keys a token brings along, or points to, are never used: neither instead of a known key nor when none is known.
#[test]
fn keys_in_the_header_are_not_used() {
    let (known, attacker) =
        (key(Es256, "a"), Jwk::generate_ec(gateward_kernel::jose::EcCurve::P256).unwrap());
    let own: serde_json::Value = serde_json::from_str(&attacker.to_json().unwrap()).unwrap();
    for (keys, kid, refusal) in [
        (set(&[(&known, Es256)]), "a", Invalid::Signature),
        (set(&[(&known, Es256)]), "b", Invalid::UnknownKey),
        (KeySet::new(), "a", Invalid::UnknownKey),
    ] {
        for (name, value) in [
            ("jwk", own.clone()),
            ("jku", json!("https://attacker.example/jwks")),
            ("x5u", json!("https://attacker.example/chain.pem")),
            ("x5c", json!(["MIIB"])),
            ("x5t", json!("AAAA")),
        ] {
            let header = json!({ "alg": "ES256", "kid": kid, name: value }).to_string();
            let token = forged(&header, PAYLOAD, &attacker, Es256);
            assert_eq!(attempt(&token, &keys, &[Es256]), Outcome::Invalid(refusal), "{name}");
        }
    }
    // They do no harm to a token of a known key either.
    let header = json!({ "alg": "ES256", "kid": "a", "jwk": own }).to_string();
    let token = forged(&header, PAYLOAD, &known, Es256);
    assert_eq!(attempt(&token, &set(&[(&known, Es256)]), &[Es256]), accepted());
}

/// CVE-2022-21449 and its kin: numbers for which careless implementations find every message signed.
#[test]
fn degenerate_ecdsa_signatures_are_refused() {
    const ORDER_256: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let one = {
        let mut one = [0; 32];
        one[31] = 1;
        one
    };
    let signing = key(Es256, "a");
    let keys = set(&[(&signing, Es256)]);
    let token = honest(&signing, Es256, PAYLOAD);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let right = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let (r, s) = right.split_at(32);
    let (zero, order): (&[u8], &[u8]) = (&[0; 32], &ORDER_256);
    let mut bad: Vec<Vec<u8>> = Vec::new();
    for (left, right) in [
        (zero, zero),
        (zero, s),
        (r, zero),
        (order, order),
        (order, s),
        (r, order),
        (zero, &one),
        (&one, zero),
        (&one, &one),
        (s, r),
        (order, zero),
        (&[0xff; 32], &[0xff; 32]),
    ] {
        bad.push([left, right].concat());
    }
    bad.extend([vec![], vec![0], vec![0; 63], vec![0; 65], vec![0; 96], vec![0x30, 6, 2, 1, 0, 2, 1, 0]]);
    bad.push([&right[..], &[0]].concat());
    bad.push([&[0], &right[..]].concat());
    bad.push(right[..63].to_vec());
    bad.push([r, &[0], s].concat());
    for signature in bad {
        let outcome = attempt(&format!("{signed}.{}", encoded(&signature)), &keys, &[Es256]);
        let refused = [Outcome::Invalid(Invalid::Signature), Outcome::Malformed(Malformed::Parts)];
        assert!(refused.contains(&outcome), "{signature:?}: {outcome:?}");
    }
    assert_eq!(attempt(&token, &keys, &[Es256]), accepted());
    // The sizes of another curve do not fit either.
    let wide = forged(r#"{"alg":"ES256","kid":"a"}"#, PAYLOAD, &key(Es384, "a"), Es384);
    assert_eq!(attempt(&wide, &keys, &[Es256]), Outcome::Invalid(Invalid::Signature));
}

/// Zero bytes, all ones, too short and too long ones, for every algorithm.
#[test]
fn made_up_signatures_are_refused_by_every_algorithm() {
    for algorithm in SignatureAlgorithm::ALL.iter().copied() {
        let signing = key(algorithm, "a");
        let keys = set(&[(&signing, algorithm)]);
        let token = honest(&signing, algorithm, PAYLOAD);
        let (signed, right) = token.rsplit_once('.').unwrap();
        let length = data_encoding::BASE64URL_NOPAD.decode_len(right.len()).unwrap();
        for signature in [
            vec![0; length],
            vec![0xff; length],
            vec![0; 1],
            vec![0; length - 1],
            vec![0; length + 1],
            vec![0; 1024],
            vec![0; 1025],
            vec![0; 4096],
        ] {
            let outcome = attempt(&format!("{signed}.{}", encoded(&signature)), &keys, &[algorithm]);
            assert_eq!(outcome, Outcome::Invalid(Invalid::Signature), "{algorithm} {}", signature.len());
        }
        // The signature of another message.
        let other = honest(&signing, algorithm, b"{}");
        let moved = format!("{signed}.{}", other.rsplit_once('.').unwrap().1);
        assert_eq!(attempt(&moved, &keys, &[algorithm]), Outcome::Invalid(Invalid::Signature));
    }
}
