//! What people do to tokens to be believed: about their form.

use gateward_kernel::jose::SignatureAlgorithm::{Es256, Hs256};
use gateward_kernel::jose::{Invalid, Jwk, KeySet, Limits, Malformed, SignatureAlgorithm, parse};
use serde_json::json;

use crate::forge::{Outcome, attempt, encoded, forged, honest, key, set};

const PAYLOAD: &[u8] = br#"{"sub":"somebody"}"#;

fn both() -> [(Jwk, SignatureAlgorithm, KeySet, String); 2] {
    [Es256, Hs256].map(|algorithm| {
        let signing = key(algorithm, "a");
        let keys = set(&[(&signing, algorithm)]);
        let token = honest(&signing, algorithm, PAYLOAD);
        assert_eq!(attempt(&token, &keys, &[algorithm]), Outcome::Accepted(PAYLOAD.to_vec()));
        (signing, algorithm, keys, token)
    })
}

fn refused(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Accepted(_))
}

fn header_outcome(header: &str) -> Outcome {
    let signing = key(Es256, "a");
    attempt(&forged(header, PAYLOAD, &signing, Es256), &set(&[(&signing, Es256)]), &[Es256])
}

#[test]
fn truncated_at_each_byte_or_extended_a_token_is_refused() {
    for (_, algorithm, keys, token) in both() {
        for end in 0..token.len() {
            assert!(refused(&attempt(&token[..end], &keys, &[algorithm])), "{end}");
            assert!(refused(&attempt(&token[end + 1..], &keys, &[algorithm])), "{end}");
        }
        for extra in ["A", "AA", "AAA", "AAAA", "=", "==", ".", " ", "\n", "\0", "%00", "é", ".A", ".A.A"] {
            assert!(refused(&attempt(&format!("{token}{extra}"), &keys, &[algorithm])), "{extra:?}");
            assert!(refused(&attempt(&format!("{extra}{token}"), &keys, &[algorithm])), "{extra:?}");
        }
    }
}

#[test]
fn a_byte_changed_inserted_doubled_or_left_out_anywhere_is_noticed() {
    for (_, algorithm, keys, token) in both() {
        let bytes = token.as_bytes();
        for at in 0..bytes.len() {
            let (before, after) = (&bytes[..at], &bytes[at + 1..]);
            let mut other_case = bytes[at];
            other_case ^= if other_case.is_ascii_alphabetic() { 0x20 } else { 0x01 };
            for middle in [
                &[][..],
                &[other_case],
                &[bytes[at], bytes[at]],
                &[bytes[at], b' '],
                &[bytes[at], b'\n'],
                b"=",
                b"+",
                b"/",
                b"\0",
                b"\xff",
                b".",
            ] {
                if middle == [bytes[at]] {
                    continue;
                }
                let changed = [before, middle, after].concat();
                let outcome = attempt(&changed, &keys, &[algorithm]);
                assert!(refused(&outcome), "{at} {middle:?}: {outcome:?}");
            }
        }
        for other in [token.to_ascii_lowercase(), token.to_ascii_uppercase()] {
            assert!(refused(&attempt(&other, &keys, &[algorithm])));
        }
    }
}

/// The last character of a part can carry bits that belong to no byte: they must be zero (RFC 4648 §3.5).
#[test]
fn stray_bits_at_the_end_of_a_part_are_refused() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut tried = 0;
    for (signing, algorithm, keys, _) in both() {
        // Payloads of every length modulo three, so that there are such bits in each part.
        for payload in ["{}", "{} ", "{}  "] {
            for padding in ["", " ", "  "] {
                let header = format!(r#"{{"alg":"{algorithm}","kid":"a"}}{padding}"#);
                let token = forged(&header, payload.as_bytes(), &signing, algorithm);
                assert!(!refused(&attempt(&token, &keys, &[algorithm])));
                let parts: Vec<&str> = token.split('.').collect();
                for at in 0..3 {
                    let spare = match parts[at].len() % 4 {
                        2 => 4,
                        3 => 2,
                        _ => continue,
                    };
                    let last = *parts[at].as_bytes().last().unwrap();
                    let value = ALPHABET.iter().position(|letter| *letter == last).unwrap();
                    for bits in 1..1 << spare {
                        let mut part = parts[at].as_bytes().to_vec();
                        *part.last_mut().unwrap() = ALPHABET[value | bits];
                        let changed = [0, 1, 2]
                            .map(|other| if other == at { &part[..] } else { parts[other].as_bytes() });
                        assert!(refused(&attempt(&changed.join(&b'.'), &keys, &[algorithm])));
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Even signed as it stands: the signature covers the text, and the text is still not what base64url is.
#[test]
fn a_signed_payload_that_is_not_base64url_is_refused() {
    let signing = key(Hs256, "a");
    let keys = set(&[(&signing, Hs256)]);
    let signer = gateward_kernel::jose::SigningKey::new(&signing, Hs256).unwrap();
    let header = encoded(br#"{"alg":"HS256","kid":"a"}"#);
    for payload in ["e30=", "e3", "e31", "e30 ", "e 30", "e", "e3+/", "\u{e9}30"] {
        let signed = format!("{header}.{payload}");
        let token = format!("{signed}.{}", encoded(signer.sign(signed.as_bytes()).unwrap().as_ref()));
        let outcome = attempt(&token, &keys, &[Hs256]);
        assert_eq!(outcome, Outcome::Invalid(Invalid::Content), "{payload}");
    }
}

#[test]
fn other_numbers_of_parts_and_encrypted_tokens_are_refused() {
    let [(_, _, keys, token), _] = both();
    let outcome = |token: &str| attempt(token, &keys, &[Es256]);
    let (first, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    for (text, expected) in [
        (String::new(), Malformed::Parts),
        (".".into(), Malformed::Parts),
        ("..".into(), Malformed::Parts),
        ("...".into(), Malformed::Parts),
        ("....".into(), Malformed::Encrypted),
        (first.into(), Malformed::Parts),
        (format!("{first}.{payload}"), Malformed::Parts),
        (format!("{first}.{payload}."), Malformed::Parts),
        (format!(".{payload}.{signature}"), Malformed::Parts),
        (format!("{token}."), Malformed::Parts),
        (format!("{token}.{signature}"), Malformed::Parts),
        (format!("{first}.{payload}.{signature}.{signature}.{signature}"), Malformed::Encrypted),
        (format!("{token}.{token}"), Malformed::Parts),
        // JSON serialization is not compact serialization.
        (
            json!({ "protected": first, "payload": payload, "signature": signature }).to_string(),
            Malformed::Parts,
        ),
    ] {
        assert_eq!(outcome(&text), Outcome::Malformed(expected), "{text}");
    }
    // A JWE header in three parts, rightly signed.
    for header in [r#"{"alg":"ES256","kid":"a","enc":"A256GCM"}"#, r#"{"alg":"dir","enc":"A128GCM"}"#] {
        assert_eq!(header_outcome(header), Outcome::Malformed(Malformed::Encrypted));
    }
    for name in ["dir", "RSA-OAEP-256", "ECDH-ES", "A256KW", "RSA1_5", "PBES2-HS256+A128KW"] {
        let header = json!({ "alg": name, "kid": "a" }).to_string();
        assert_eq!(header_outcome(&header), Outcome::Malformed(Malformed::Algorithm), "{name}");
    }
}

#[test]
fn headers_that_two_readers_could_understand_differently_are_refused() {
    for header in [
        r#"{"alg":"ES256","alg":"ES256","kid":"a"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"a"}"#,
        r#"{"alg":"ES256","kid":"a","kid":"b"}"#,
        r#"{"alg":"ES256","kid":"a","\u0061lg":"HS256"}"#,
        r#"{"alg":"ES256","kid":"a","x":1,"x":1}"#,
        r#"{"alg":"ES256","kid":"a","x":{"y":1,"y":2}}"#,
        r#"{"alg":"ES256","kid":"a","typ":"JWT","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"a"} x"#,
        r#"{"alg":"ES256","kid":"a"}{}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
        "null",
        "{",
        "\u{feff}{\"alg\":\"ES256\",\"kid\":\"a\"}",
        r#"{"alg":"ES256","kid":null}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"alg":"ES256","kid":["a"]}"#,
        r#"{"alg":"ES256","kid":{"a":"a"}}"#,
        r#"{"alg":"ES256","kid":"a","typ":1}"#,
        r#"{"alg":"ES256","kid":"a","typ":null}"#,
        r#"{"alg":"ES256","kid":"a","cty":["JWT"]}"#,
        r#"{"alg":["ES256"],"kid":"a"}"#,
        r#"{"alg":null,"kid":"a"}"#,
        r#"{"alg":256,"kid":"a"}"#,
    ] {
        assert_eq!(header_outcome(header), Outcome::Malformed(Malformed::Header), "{header}");
    }
    assert_eq!(header_outcome(r#" {"alg" : "ES256" , "kid":"a"} "#), Outcome::Accepted(PAYLOAD.to_vec()));
    let signing = key(Es256, "a");
    let not_utf8 = format!("{}.e30.AAAA", encoded(b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}"));
    assert_eq!(
        attempt(&not_utf8, &set(&[(&signing, Es256)]), &[Es256]),
        Outcome::Malformed(Malformed::Header)
    );
}

#[test]
fn demanded_extensions_are_refused() {
    for extension in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":["alg"]"#,
        r#""crit":["urn:example:unknown"],"urn:example:unknown":true"#,
        r#""crit":["missing"]"#,
        r#""crit":["x","x"],"x":1"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"exp""#,
        r#""crit":{}"#,
        r#""b64":false"#,
        r#""b64":"false""#,
        r#""b64":null"#,
        r#""zip":"DEF""#,
        r#""zip":null"#,
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"a",{extension}}}"#);
        assert_eq!(header_outcome(&header), Outcome::Malformed(Malformed::Extension), "{header}");
    }
    let harmless = r#"{"alg":"ES256","kid":"a","b64":true,"exp":1,"Crit":["x"]}"#;
    assert_eq!(header_outcome(harmless), Outcome::Accepted(PAYLOAD.to_vec()));
}

#[test]
fn sizes_are_bounded_at_the_limit() {
    let signing = key(Hs256, "a");
    let keys = set(&[(&signing, Hs256)]);
    let limits = Limits::default();
    // The whole token.
    let length = |payload: usize| honest(&signing, Hs256, &vec![b' '; payload]).len();
    let most = (11_000..13_000).rev().find(|payload| length(*payload) <= limits.token).unwrap();
    assert!(limits.token - length(most) <= 1);
    assert!(!refused(&attempt(&honest(&signing, Hs256, &vec![b' '; most - 1]), &keys, &[Hs256])));
    assert!(!refused(&attempt(&honest(&signing, Hs256, &vec![b' '; most]), &keys, &[Hs256])));
    let above = honest(&signing, Hs256, &vec![b' '; most + 1]);
    assert_eq!(attempt(&above, &keys, &[Hs256]), Outcome::Malformed(Malformed::TooLong));
    assert_eq!(attempt(&vec![b'.'; 10_000_000], &keys, &[Hs256]), Outcome::Malformed(Malformed::TooLong));
    // A tighter limit of the caller.
    let token = honest(&signing, Hs256, PAYLOAD);
    for (room, fits) in [(token.len() - 1, false), (token.len(), true), (token.len() + 1, true)] {
        assert_eq!(parse(&token, Limits { token: room, ..limits }).is_ok(), fits);
    }
    // The header.
    for (spaces, fits) in [(limits.header - 1, true), (limits.header, true), (limits.header + 1, false)] {
        let header = format!("{:<spaces$}", r#"{"alg":"HS256","kid":"a"}"#);
        let outcome = attempt(&forged(&header, PAYLOAD, &signing, Hs256), &keys, &[Hs256]);
        assert_eq!(!refused(&outcome), fits, "{spaces}: {outcome:?}");
    }
    // The id of the key.
    for (length, expected) in
        [(256, Outcome::Invalid(Invalid::UnknownKey)), (257, Outcome::Malformed(Malformed::Header))]
    {
        let header = json!({ "alg": "HS256", "kid": "a".repeat(length) }).to_string();
        assert_eq!(attempt(&forged(&header, PAYLOAD, &signing, Hs256), &keys, &[Hs256]), expected);
    }
}

#[test]
fn deep_nesting_is_refused_and_harmless() {
    for levels in [16, 17, 1_000] {
        let inner = levels - 1;
        let header = format!(r#"{{"alg":"ES256","kid":"a","x":{}{}}}"#, "[".repeat(inner), "]".repeat(inner));
        assert_eq!(refused(&header_outcome(&header)), levels > 16, "{levels}");
        let header =
            format!(r#"{{"alg":"ES256","kid":"a","x":{}1{}}}"#, r#"{"a":"#.repeat(inner), "}".repeat(inner));
        assert_eq!(refused(&header_outcome(&header)), levels > 16, "{levels}");
    }
}
