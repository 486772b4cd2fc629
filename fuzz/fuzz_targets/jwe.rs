//! Encrypted tokens: whatever they are they are read or refused, what we encrypt opens to what it was, and nothing made up
//! or changed opens. Input: two numbers for the algorithms, four bytes for a change, the content.
#![no_main]

use std::sync::LazyLock;

use gateward_fuzz::{CHANGE, changed};
use gateward_kernel::jose::jwe::{Allowed, DecryptingKey, EncryptingKey, Labels, parse};
use gateward_kernel::jose::{ContentEncryption, Jwk, KeyAlgorithm, KeyManagementAlgorithm, OkpCurve};
use gateward_kernel::secret::SeededEntropy;
use libfuzzer_sys::fuzz_target;

const ALGORITHMS: [KeyManagementAlgorithm; 5] = [
    KeyManagementAlgorithm::EcdhEs,
    KeyManagementAlgorithm::EcdhEsA128Kw,
    KeyManagementAlgorithm::EcdhEsA256Kw,
    KeyManagementAlgorithm::A256Kw,
    KeyManagementAlgorithm::Dir,
];
const EVERYTHING: Allowed<'_> =
    Allowed { algorithms: KeyManagementAlgorithm::ALL, encryptions: ContentEncryption::ALL };
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

static ENTROPY: SeededEntropy = SeededEntropy::new(2);

/// The key of each pair, and what opens everything.
struct Known {
    jwks: Vec<(KeyManagementAlgorithm, ContentEncryption, Jwk)>,
    keys: Vec<DecryptingKey>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let (mut jwks, mut keys) = (Vec::new(), Vec::new());
    for algorithm in ALGORITHMS {
        for encryption in ContentEncryption::ALL.iter().copied() {
            let jwk = match algorithm {
                KeyManagementAlgorithm::EcdhEs => Jwk::from_json(P256.as_bytes()).unwrap(),
                KeyManagementAlgorithm::Dir => Jwk::generate_oct(encryption.key_size(), &ENTROPY)
                    .unwrap()
                    .for_algorithm(KeyAlgorithm::Content(encryption))
                    .unwrap(),
                KeyManagementAlgorithm::A256Kw => Jwk::generate_oct(32, &ENTROPY).unwrap(),
                _ => Jwk::generate_okp(OkpCurve::X25519, &ENTROPY).unwrap(),
            };
            // An id each: a token that names none can mean four keys at most.
            let jwk = jwk.with_kid(format!("{algorithm} {encryption}"));
            keys.push(DecryptingKey::new(&jwk, algorithm).unwrap());
            jwks.push((algorithm, encryption, jwk));
        }
    }
    Known { jwks, keys }
});

fuzz_target!(|data: &[u8]| {
    assert!(!opens(data), "made up, and opened");
    let Some((which, rest)) = data.split_first() else { return };
    let Some((how, content)) = rest.split_first_chunk::<CHANGE>() else { return };
    let known = &*KNOWN;
    let (algorithm, encryption, jwk) = &known.jwks[usize::from(*which) % known.jwks.len()];
    let public = jwk.public();
    let to = EncryptingKey::new(public.as_ref().unwrap_or(jwk), *algorithm, *encryption).unwrap();
    let token = to.encrypt(content, Labels { typ: Some("JWT"), cty: None }, &ENTROPY).unwrap();

    let read = parse(&token).expect("what we encrypt is read");
    let header = read.header();
    assert_eq!((header.alg(), header.enc(), header.kid()), (*algorithm, *encryption, jwk.kid()));
    assert_eq!((header.typ(), header.says_nested()), (Some("JWT"), false));
    let opened = read.open(&known.keys, EVERYTHING, &ENTROPY).expect("what we encrypt opens");
    assert_eq!(opened.as_slice(), content);
    assert!(read.open_nested(&known.keys, EVERYTHING, &ENTROPY).is_err(), "it says of no token inside");

    if let Some(token) = changed(token.as_bytes(), how) {
        assert!(!opens(&token), "changed, and opened");
    }
    if let Ok(nested) = to.encrypt_nested(&String::from_utf8_lossy(content), None, &ENTROPY) {
        let nested = parse(&nested).expect("what we encrypt is read");
        let inner = nested.open_nested(&known.keys, EVERYTHING, &ENTROPY).expect("what we nest is nested");
        assert_eq!(inner.as_bytes(), content);
    }
});

fn opens(token: &[u8]) -> bool {
    let Ok(read) = parse(token) else { return false };
    assert_eq!(token.iter().filter(|byte| **byte == b'.').count(), 4);
    read.open(&KNOWN.keys, EVERYTHING, &ENTROPY).is_ok()
}
