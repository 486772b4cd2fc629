//! For any content: what is signed verifies, and with one byte changed it does not.

use std::sync::LazyLock;

use gateward_kernel::jose::{Jwk, KeySet, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::secret::SeededEntropy;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::forge::{Outcome, attempt, set};

struct Pair {
    algorithm: SignatureAlgorithm,
    signer: Signer,
    keys: KeySet,
}

/// One generated key for each algorithm: making RSA keys takes longer than all the rest.
static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let pair = |algorithm| {
        let key = Jwk::generate(algorithm, &SeededEntropy::new(11)).unwrap();
        let keys = set(&[(&key, algorithm)]);
        Pair { algorithm, signer: Signer::new(SigningKey::new(&key, algorithm).unwrap(), "at+jwt"), keys }
    };
    SignatureAlgorithm::ALL.iter().copied().map(pair).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_verifies_and_one_flipped_bit_is_noticed(
        payload in proptest::collection::vec(any::<u8>(), 0..600),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u8,
    ) {
        for pair in PAIRS.iter() {
            let token = pair.signer.sign(&payload).unwrap();
            prop_assert_eq!(attempt(&token, &pair.keys, &[pair.algorithm]), Outcome::Accepted(payload.clone()));
            let mut changed = token.into_bytes();
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
            let outcome = attempt(&changed, &pair.keys, &[pair.algorithm]);
            prop_assert!(!matches!(outcome, Outcome::Accepted(_)), "{} {}", pair.algorithm, at);
        }
    }

    #[test]
    fn fresh_keys_sign_for_themselves_and_for_nobody_else(seed in any::<u64>(), payload in any::<Vec<u8>>()) {
        use SignatureAlgorithm::{EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512};
        for algorithm in [Hs256, Hs384, Hs512, Es256, Es384, Es512, EdDsa] {
            let one = Jwk::generate(algorithm, &SeededEntropy::new(seed)).unwrap();
            let other = Jwk::generate(algorithm, &SeededEntropy::new(seed.wrapping_add(1 << 32))).unwrap();
            let token = Signer::new(SigningKey::new(&one, algorithm).unwrap(), "").sign(&payload).unwrap();
            let own = attempt(&token, &set(&[(&one, algorithm)]), &[algorithm]);
            prop_assert_eq!(own, Outcome::Accepted(payload.clone()));
            let others = attempt(&token, &set(&[(&other.with_kid(one.kid().unwrap_or("x")), algorithm)]), &[algorithm]);
            prop_assert!(!matches!(others, Outcome::Accepted(_)));
        }
    }

    #[test]
    fn claims_written_straight_are_the_claims_written_first(
        claims in proptest::collection::btree_map(".{0,12}", ".{0,300}", 0..6),
        before in ".{0,20}",
    ) {
        // HS256 and EdDSA are deterministic, so that both ways must yield the same text.
        for pair in PAIRS.iter().filter(|pair| {
            [SignatureAlgorithm::Hs256, SignatureAlgorithm::EdDsa].contains(&pair.algorithm)
        }) {
            let mut out = before.clone();
            pair.signer.sign_claims_into(&claims, &mut out).unwrap();
            let token = pair.signer.sign(&serde_json::to_vec(&claims).unwrap()).unwrap();
            prop_assert_eq!(out, format!("{before}{token}"));
            prop_assert_eq!(pair.signer.sign_claims(&claims).unwrap(), token);
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<Vec<u8>>(), parts in "[A-Za-z0-9_=.-]{0,80}") {
        for pair in PAIRS.iter() {
            for bytes in [&text[..], parts.as_bytes()] {
                let outcome = attempt(bytes, &pair.keys, SignatureAlgorithm::ALL);
                prop_assert!(!matches!(outcome, Outcome::Accepted(_)));
            }
        }
        prop_assert!(Jwk::from_json(&text).is_err());
        prop_assert!(Jwk::from_pem(&parts).is_err());
    }
}

#[test]
fn a_failed_write_leaves_the_text_as_it_was() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("broken"))
        }
    }
    let mut out = String::from("before");
    assert!(PAIRS[0].signer.sign_claims_into(&json_with_broken(), &mut out).is_err());
    assert!(PAIRS[0].signer.sign_claims_into(&Broken, &mut out).is_err());
    assert_eq!(out, "before");
}

/// A map whose keys are no texts: it fails after something has been written.
fn json_with_broken() -> Vec<std::collections::BTreeMap<Vec<u8>, u8>> {
    vec![std::collections::BTreeMap::from([(vec![1], 1)])]
}

#[test]
fn header_members_of_the_caller_are_kept_and_ours_are_not_overwritten() {
    let key = Jwk::generate(SignatureAlgorithm::EdDsa, &SeededEntropy::new(5)).unwrap();
    let signing = || SigningKey::new(&key, SignatureAlgorithm::EdDsa).unwrap();
    for name in ["alg", "kid", "typ", "crit", "b64", "zip", "enc"] {
        let members = Map::from_iter([(name.to_owned(), Value::Null)]);
        assert!(Signer::with_members(signing(), "dpop+jwt", members).is_err(), "{name}");
    }
    let members =
        Map::from_iter([("jwk".to_owned(), json!({ "kty": "OKP" })), ("cty".to_owned(), json!("JWT"))]);
    let token = Signer::with_members(signing(), "dpop+jwt", members).unwrap().sign(b"{}").unwrap();
    let unverified = gateward_kernel::jose::parse(&token, Default::default()).unwrap();
    let header = unverified.header();
    assert_eq!((header.typ(), header.cty(), header.kid()), (Some("dpop+jwt"), Some("JWT"), key.kid()));
    assert_eq!(header.other("jwk"), Some(&json!({ "kty": "OKP" })));
    assert_eq!(header.alg(), SignatureAlgorithm::EdDsa);
    // Who holds the header's key can read it as a key, where a protocol says so (DPoP).
    let public: Value = serde_json::from_str(&key.to_json().unwrap()).unwrap();
    assert_eq!(
        Jwk::from_members(public.as_object().unwrap().clone()).unwrap().thumbprint(),
        key.thumbprint()
    );
}
